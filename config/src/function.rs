//! `[function.NAME]`: edge functions of both families (experience.md 3.2). The code itself is not read here.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::keys::{self, Availability, Family, Table};
use crate::secret::Secret;
use crate::section::Section;

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
            FunctionKind::Lambda { .. } => Family::Lambda,
        }
    }
}

/// What a failing function does to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// 503, or 502 for an invalid result.
    Fail,
    /// The request or response goes on untouched, counted and shown.
    Bypass,
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
        /// Name of the key value store it is associated with; exists.
        kvs: Option<String>,
    },
    /// Lambda@Edge: all four hooks.
    Lambda {
        /// Language of the script.
        language: Language,
        /// Exported function that is called.
        handler: String,
        /// From the hook's start, queue and cold start included, 1 to 30 s.
        timeout: Duration,
        /// Memory limit, bytes.
        memory: u64,
        /// Environment variables; at most 4 KB together.
        env: IndexMap<String, Secret>,
        /// Most environments at a time; `None`: only the node's limit.
        reserved_concurrency: Option<u32>,
        /// Idle environments end after this.
        idle_timeout: Duration,
    },
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

/// Language of a Lambda function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// JavaScript on the built-in engine.
    JavaScript,
    /// Python.
    Python,
}

#[derive(Debug, Clone, Copy)]
enum Runtime {
    Viewer(ViewerRuntime),
    Lambda(Language),
}

const RUNTIMES: [(&str, Runtime); 4] = [
    ("cloudfront-js-1.0", Runtime::Viewer(ViewerRuntime::Js1)),
    ("cloudfront-js-2.0", Runtime::Viewer(ViewerRuntime::Js2)),
    ("nodejs", Runtime::Lambda(Language::JavaScript)),
    ("python", Runtime::Lambda(Language::Python)),
];

const MIN_MEMORY: u64 = 1 << 20;
/// Most memory of an isolate: an isolate host reserves addresses for many.
const MAX_ISOLATE: u64 = 256 << 20;
/// Names and values of `env` together, bytes (lambda-edge.md 6.3).
const MAX_ENV: usize = 4_096;
/// Variables that the environment sets itself (lambda-edge.md 6.3). Names that begin with `_` break the name rule already.
const RESERVED_ENV: [&str; 16] = [
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

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
    let file = file.and_then(|text| section.cx.existing(&text, Expect::File));
    let on_error = on_error(section);
    let kind = match runtime {
        Some(Runtime::Viewer(runtime)) => Some(viewer(section, runtime, stores)),
        Some(Runtime::Lambda(language)) => Some(lambda(section, language)),
        None => None,
    };
    let function = file.zip(kind).map(|(file, kind)| Function { name: name.to_owned(), file, on_error, kind });
    (family, function)
}

fn runtime(section: &Section<'_>) -> Option<Runtime> {
    let help = "runtime = \"cloudfront-js-2.0\", \"nodejs\" or \"python\"";
    section.required("runtime", help)?.text()?.choice(section.cx, &RUNTIMES, &["provided"])
}

fn on_error(section: &Section<'_>) -> OnError {
    let Some(value) = section.value("on_error") else { return OnError::Fail };
    let Some(text) = value.text() else { return OnError::Fail };
    if text.value.starts_with('/') {
        let message = "a page for `on_error` is not available in this version";
        section.cx.report(
            Problem::new(Code::Unavailable, value.span, message)
                .label("known, but not read yet")
                .help("\"fail\" or \"bypass\""),
        );
        return OnError::Fail;
    }
    text.choice(section.cx, &[("fail", OnError::Fail), ("bypass", OnError::Bypass)], &[]).unwrap_or(OnError::Fail)
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

fn lambda(section: &Section<'_>, language: Language) -> FunctionKind {
    if let Some(engine) = section.value("engine") {
        if language == Language::Python {
            let problem = Problem::new(Code::Conflict, engine.key_span, "`engine` belongs to runtime nodejs");
            section.cx.report(problem.label("the runtime is python").help("remove it"));
        } else if let Some(text) = engine.text() {
            text.choice(section.cx, &[("boa", ())], &["node"]);
        }
    }
    let default_handler = match language {
        Language::JavaScript => "handler",
        Language::Python => "lambda_handler",
    };
    FunctionKind::Lambda {
        language,
        handler: section.parsed("handler", handler).unwrap_or_else(|| default_handler.to_owned()),
        timeout: section
            .duration("timeout", Duration::from_secs(1)..=Duration::from_secs(30))
            .unwrap_or(Duration::from_secs(10)),
        memory: section.size("memory", MIN_MEMORY..=u64::MAX).unwrap_or(128 << 20),
        env: env(section),
        reserved_concurrency: section.count("reserved_concurrency", 1..=10_000),
        idle_timeout: section
            .duration("idle_timeout", Duration::from_secs(1)..=Duration::from_hours(24))
            .unwrap_or(Duration::from_mins(5)),
    }
}

/// A name in the script's exports. `path/file.export` needs a folder as `file`, which is not available.
fn handler(text: &str) -> Result<String, String> {
    let mut chars = text.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == '$');
    if starts_well && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '$') {
        Ok(text.to_owned())
    } else {
        Err("the name of one export, without the file's name".to_owned())
    }
}

fn env(section: &Section<'_>) -> IndexMap<String, Secret> {
    let Some(value) = section.value("env") else { return IndexMap::new() };
    let mut env = IndexMap::new();
    let mut bytes = 0;
    for (name, item) in value.map("a table of variable names and texts").unwrap_or_default() {
        section.cx.hide(item.span.clone());
        let Some(text) = item.text() else { continue };
        bytes += name.len() + text.value.len();
        if let Err(label) = variable(&name) {
            let message = format!("`{name}` cannot be an environment variable");
            section.cx.report(Problem::new(Code::BadName, item.key_span, message).label(label));
        } else if text.value.contains('\0') {
            item.report(
                Code::BadValue,
                format!("`{}` contains a zero byte", item.name),
                "environment variables end there",
            );
        } else {
            env.insert(name, Secret::new(text.value));
        }
    }
    if bytes > MAX_ENV {
        let message = format!("`env` has {bytes} bytes of names and values; at most {MAX_ENV}");
        section.cx.report(Problem::new(Code::OutOfRange, value.key_span, message).label("too much in all"));
    }
    env
}

fn variable(name: &str) -> Result<(), String> {
    if RESERVED_ENV.contains(&name) {
        return Err("set by the environment itself".to_owned());
    }
    let fits = name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if fits { Ok(()) } else { Err("2 or more letters, digits and `_`, a letter first".to_owned()) }
}
