//! What the compatibility lint finds, in the form of all problems: line, caret, code (experience.md 3.4).

use super::output::Output;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use edgehook_config::{Config, Function, FunctionKind, ViewerRuntime};
use edgehook_lint::{Finding, Runtime};
use std::{collections::BTreeSet, path::Path};

/// Shows what Amazon's runtimes would reject in the viewer functions, but for those that are `broken` anyway; returns how much
/// it is. `strict`: as errors.
pub(super) fn show(config: &Config, broken: &BTreeSet<String>, strict: bool, output: &Output) -> usize {
    let mut count = 0;
    for function in config.functions.values().filter(|function| !broken.contains(&function.name)) {
        let Some(runtime) = runtime(function) else { continue };
        // What cannot be read, or is no text, was told when the function was loaded.
        let Ok(source) = std::fs::read_to_string(&function.file) else { continue };
        for finding in edgehook_lint::check(&source, runtime) {
            output.notice(&format!("{}\n", rendered(&finding, &source, &function.file, strict, output.color())));
            count += 1;
        }
    }
    count
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
