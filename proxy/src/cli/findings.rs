//! What the compatibility lint finds, in the form of all problems: line, caret, code (experience.md 3.4).

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use edgehook_config::{Config, Function, FunctionKind, ViewerRuntime};
use edgehook_lint::{Finding, Runtime};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// A finding, and where it was found.
pub(super) struct Found {
    finding: Finding,
    source: String,
    file: PathBuf,
}

/// What Amazon's runtimes would reject in the viewer functions, but for those that are `broken` anyway.
pub(super) fn all(config: &Config, broken: &BTreeSet<String>) -> Vec<Found> {
    let mut all = Vec::new();
    for function in config.functions.values().filter(|function| !broken.contains(&function.name)) {
        let Some(runtime) = runtime(function) else { continue };
        // What cannot be read, or is no text, was told when the function was loaded.
        let Ok(source) = std::fs::read_to_string(&function.file) else { continue };
        for finding in edgehook_lint::check(&source, runtime) {
            all.push(Found { finding, source: source.clone(), file: function.file.clone() });
        }
    }
    all
}

impl Found {
    /// As it is shown to people; `strict`: as an error.
    pub(super) fn rendered(&self, strict: bool, color: bool) -> String {
        rendered(&self.finding, &self.source, &self.file, strict, color)
    }

    /// The same for programs.
    pub(super) fn as_json(&self, strict: bool) -> Value {
        let before = self.source.get(..self.finding.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count()) + 1;
        json!({
            "code": self.finding.code.as_str(),
            "severity": if strict { "error" } else { "warning" },
            "message": self.finding.message,
            "file": self.file,
            "line": line,
            "column": column,
            "label": self.finding.label,
            "help": null,
        })
    }
}

fn runtime(function: &Function) -> Option<Runtime> {
    match function.kind {
        FunctionKind::Viewer { runtime: ViewerRuntime::Js1, .. } => Some(Runtime::Js1),
        FunctionKind::Viewer { runtime: ViewerRuntime::Js2, .. } => Some(Runtime::Js2),
        FunctionKind::Lambda(_) => None,
    }
}

fn rendered(finding: &Finding, source: &str, file: &Path, strict: bool, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let level = if strict { Level::ERROR } else { Level::WARNING };
    let here = std::env::current_dir().unwrap_or_default();
    let path = file.strip_prefix(here).unwrap_or(file).display().to_string();
    let title = level.primary_title(&finding.message).id(finding.code.as_str());
    let group: Group<'_> = if finding.start == finding.end {
        title.element(Origin::path(&path))
    } else {
        let label = Some(finding.label.as_str()).filter(|label| !label.is_empty());
        let caret = AnnotationKind::Primary.span(finding.start..finding.end).label(label);
        title.element(Snippet::source(source).path(&path).annotation(caret))
    };
    renderer.render(&[group]).clone()
}
