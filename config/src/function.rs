//! `[function.NAME]`: edge functions of both families (experience.md 3.2). The code itself is not read here.

use std::path::PathBuf;
use std::time::Duration;

use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::error_response;
use crate::keys::{self, Availability, Family, Table};
use crate::lambda::{self, LambdaSettings, Language};
use crate::section::Section;
use crate::suggest;

/// An edge function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name in the file.
    pub name: String,
    /// The script, absolute; exists.
    pub file: PathBuf,
    /// What happens when it fails.
    pub on_error: OnError,
    /// What depends on its family.
    pub kind: FunctionKind,
}

impl Function {
    /// The family, which decides the hook points it can stand at.
    #[must_use]
    pub fn family(&self) -> Family {
        match self.kind {
            FunctionKind::Viewer { .. } => Family::Viewer,
            FunctionKind::Lambda(_) => Family::Lambda,
        }
    }
}

/// What a failing function does to the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnError {
    /// 503, or 502 for an invalid result.
    Fail,
    /// The request or response goes on untouched, counted and shown.
    Bypass,
    /// As [`Fail`](Self::Fail), with what the site has at this path as the body.
    Page(String),
}

/// The settings of one family.
#[derive(Debug, Clone)]
pub enum FunctionKind {
    /// CloudFront Functions: viewer hooks only.
    Viewer {
        /// Version of the JavaScript runtime.
        runtime: ViewerRuntime,
        /// CPU time per run, 0.1 to 50 ms.
        budget: Duration,
        /// State after loading, bytes.
        state_memory: u64,
        /// Allocation per run, bytes.
        memory: u64,
        /// Generated or replaced body, bytes.
        body_limit: u64,
        /// How results are checked.
        validation: Validation,
        /// Whether it is not called for a while when it always fails.
        circuit_breaker: bool,
        /// Name of the key value store it is associated with; exists.
        kvs: Option<String>,
    },
    /// Lambda@Edge: all four hooks.
    Lambda(Box<LambdaSettings>),
}

/// A CloudFront Functions runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewerRuntime {
    /// `cloudfront-js-1.0`
    Js1,
    /// `cloudfront-js-2.0`
    Js2,
}

/// How the result of a viewer function is checked (cloudfront-functions.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// As CloudFront does.
    Strict,
    /// Harmless deviations pass.
    Lenient,
}

#[derive(Debug, Clone, Copy)]
enum Runtime {
    Viewer(ViewerRuntime),
    Lambda(Language),
}

const RUNTIMES: [(&str, Runtime); 5] = [
    ("cloudfront-js-1.0", Runtime::Viewer(ViewerRuntime::Js1)),
    ("cloudfront-js-2.0", Runtime::Viewer(ViewerRuntime::Js2)),
    ("nodejs", Runtime::Lambda(Language::JavaScript)),
    ("python", Runtime::Lambda(Language::Python)),
    ("provided", Runtime::Lambda(Language::Provided)),
];

const MIN_MEMORY: u64 = 1 << 20;
/// Most memory of an isolate: an isolate host reserves addresses for many.
const MAX_ISOLATE: u64 = 256 << 20;

/// A function's family where its runtime can be told, and the function where all of it is right.
pub(crate) fn read(name: &str, section: &Section<'_>, stores: &[&str]) -> (Option<Family>, Option<Function>) {
    let runtime = runtime(section);
    let family = runtime.map(|runtime| match runtime {
        Runtime::Viewer(_) => Family::Viewer,
        Runtime::Lambda(_) => Family::Lambda,
    });
    if let Some(family) = family {
        check_family(section, family);
    }
    let file = section.required("file", "file = \"functions/rewrite.js\"").and_then(|value| value.text());
    let expected = if family == Some(Family::Lambda) { Expect::Package } else { Expect::File };
    let file = file.and_then(|text| section.cx.existing(&text, expected));
    let on_error = on_error(section);
    let kind = match runtime {
        Some(Runtime::Viewer(runtime)) => Some(viewer(section, runtime, stores)),
        Some(Runtime::Lambda(language)) => {
            Some(FunctionKind::Lambda(Box::new(lambda::read(section, language, file.as_deref()))))
        }
        None => None,
    };
    let function = file.zip(kind).map(|(file, kind)| Function { name: name.to_owned(), file, on_error, kind });
    (family, function)
}

fn runtime(section: &Section<'_>) -> Option<Runtime> {
    let help = "runtime = \"cloudfront-js-2.0\", \"nodejs\", \"python\" or \"provided\"";
    section.required("runtime", help)?.text()?.choice(section.cx, &RUNTIMES, &[])
}

fn on_error(section: &Section<'_>) -> OnError {
    let Some(value) = section.value("on_error") else { return OnError::Fail };
    let Some(text) = value.text() else { return OnError::Fail };
    let read = |text: &str| match text {
        "fail" => Ok(OnError::Fail),
        "bypass" => Ok(OnError::Bypass),
        page if page.starts_with('/') => error_response::path(page).map(OnError::Page),
        other => Err(format!("{}, or the path of a page", suggest::help(other, &["fail", "bypass"], "words"))),
    };
    text.parsed(section.cx, read).unwrap_or(OnError::Fail)
}

/// Reports keys that only the other family has.
fn check_family(section: &Section<'_>, family: Family) {
    let other = keys::of(Table::Function)
        .filter(|key| key.availability == Availability::Available && key.family.is_some_and(|of| of != family));
    for key in other {
        let Some(written) = section.value(key.name) else { continue };
        let of = key.family.map_or("", Family::as_str);
        section.cx.report(
            Problem::new(Code::Conflict, written.key_span, format!("`{}` is for {of} only", key.name))
                .label(format!("the runtime belongs to {}", family.as_str()))
                .help("remove it"),
        );
    }
}

fn viewer(section: &Section<'_>, runtime: ViewerRuntime, stores: &[&str]) -> FunctionKind {
    let modes = [("strict", Validation::Strict), ("lenient", Validation::Lenient)];
    FunctionKind::Viewer {
        runtime,
        budget: section
            .duration("budget", Duration::from_micros(100)..=Duration::from_millis(50))
            .unwrap_or(Duration::from_millis(1)),
        state_memory: section.size("state_memory", MIN_MEMORY..=MAX_ISOLATE).unwrap_or(2 << 20),
        memory: section.size("memory", MIN_MEMORY..=MAX_ISOLATE).unwrap_or(8 << 20),
        body_limit: section.size("body_limit", 0..=u64::MAX).unwrap_or(40_960),
        validation: section.choice("validation", &modes, &[]).unwrap_or(Validation::Strict),
        circuit_breaker: section.boolean("circuit_breaker").unwrap_or(false),
        kvs: store(section, runtime, stores),
    }
}

fn store(section: &Section<'_>, runtime: ViewerRuntime, stores: &[&str]) -> Option<String> {
    let value = section.value("kvs")?;
    let text = value.text()?;
    if runtime == ViewerRuntime::Js1 {
        section.cx.report(
            Problem::new(Code::Conflict, value.key_span, "cloudfront-js-1.0 has no key value stores")
                .help("runtime = \"cloudfront-js-2.0\""),
        );
        return None;
    }
    section.cx.refers(&text, "kvs", "function", stores).then_some(text.value)
}
