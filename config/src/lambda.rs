//! The keys of `[function.NAME]` that only Lambda functions have (experience.md 3.5).

use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;

use crate::context::Expect;
use crate::diagnostic::{Code, Problem};
use crate::function::{Function, FunctionKind};
use crate::secret::Secret;
use crate::section::Section;

/// Language of a Lambda function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// JavaScript on the built-in engine.
    JavaScript,
    /// JavaScript in a process of Node.js.
    Node,
    /// Python.
    Python,
    /// Whatever the executable is written in: it speaks the Lambda Runtime API itself.
    Provided,
}

impl Language {
    /// The word for `runtime` in the file.
    #[must_use]
    pub fn runtime(self) -> &'static str {
        match self {
            Self::JavaScript | Self::Node => "nodejs",
            Self::Python => "python",
            Self::Provided => "provided",
        }
    }
}

/// The settings of a Lambda function.
#[derive(Debug, Clone)]
pub struct LambdaSettings {
    /// Language of the script.
    pub language: Language,
    /// Whether `file` is a package: a folder or an archive, whose handler is `path/file.export`.
    pub packaged: bool,
    /// Exported function that is called; of a package with its file before it.
    pub handler: String,
    /// From the hook's start, queue and cold start included, 1 to 30 s.
    pub timeout: Duration,
    /// Memory limit, bytes.
    pub memory: u64,
    /// Environment variables; at most 4 KB together.
    pub env: IndexMap<String, Secret>,
    /// Most environments at a time; `None`: only the node's limit; 0: switched off.
    pub reserved_concurrency: Option<u32>,
    /// Idle environments end after this.
    pub idle_timeout: Duration,
    /// Environments that are kept warm.
    pub provisioned_concurrency: u32,
    /// Older environments end.
    pub max_age: Duration,
    /// Whether environments are stopped between invocations.
    pub freeze: bool,
    /// Most bytes in `/tmp`.
    pub tmp: u64,
    /// Folders and archives, absolute, beside the code; a later one goes before an earlier one.
    pub layers: Vec<PathBuf>,
    /// Outgoing connections.
    pub network: Network,
    /// Handler styles of JavaScript functions.
    pub compat: Compat,
    /// How origins that it names are checked.
    pub origin_rules: OriginRules,
    /// What becomes of headers that describe a body it replaced.
    pub replaced_body_headers: ReplacedBodyHeaders,
}

/// Outgoing connections of a function's environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// None.
    None,
    /// To public addresses, where the engine can tell.
    Public,
    /// To anywhere.
    All,
}

impl Network {
    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Public => "public",
            Self::All => "all",
        }
    }
}

/// Which Node.js version's handler styles a JavaScript function has (lambda-edge.md 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compat {
    /// All of them.
    Any,
    /// Those of Node.js 22 and older.
    NodeJs22,
    /// Those of Node.js 24.
    NodeJs24,
}

impl Compat {
    /// The word in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::NodeJs22 => "nodejs22",
            Self::NodeJs24 => "nodejs24",
        }
    }
}

/// How an origin that a function names is checked (lambda-edge.md 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginRules {
    /// As CloudFront does.
    Aws,
    /// IP addresses and any port besides; time-outs are moved into range.
    Relaxed,
}

/// What becomes of headers that described a body which origin-response replaced (lambda-edge.md 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplacedBodyHeaders {
    /// They go, unless the function set them.
    Drop,
    /// They stay.
    Keep,
}

const MIN_MEMORY: u64 = 1 << 20;
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

/// Reads them; `file` is the function's, where it can be told.
pub(crate) fn read(section: &Section<'_>, runtime: Language, file: Option<&Path>) -> LambdaSettings {
    let language = engine(section, runtime);
    let packaged = file.is_some_and(|file| file.is_dir() || is_archive(file));
    let default_handler = match (language, packaged) {
        (Language::JavaScript | Language::Node, true) => "index.handler",
        (Language::Python, true) => "lambda_function.lambda_handler",
        (Language::Python, false) => "lambda_handler",
        _ => "handler",
    };
    let checked_handler = match language {
        Language::Provided => any_handler,
        _ if packaged => packaged_handler,
        Language::JavaScript | Language::Node => property_path,
        Language::Python => handler,
    };
    let rules = [("aws", OriginRules::Aws), ("relaxed", OriginRules::Relaxed)];
    let networks = [Network::None, Network::Public, Network::All].map(|network| (network.as_str(), network));
    let kept = [("drop", ReplacedBodyHeaders::Drop), ("keep", ReplacedBodyHeaders::Keep)];
    LambdaSettings {
        language,
        packaged,
        handler: section.parsed("handler", checked_handler).unwrap_or_else(|| default_handler.to_owned()),
        timeout: section
            .duration("timeout", Duration::from_secs(1)..=Duration::from_secs(30))
            .unwrap_or(Duration::from_secs(10)),
        memory: section.size("memory", MIN_MEMORY..=u64::MAX).unwrap_or(128 << 20),
        env: env(section),
        reserved_concurrency: section.count("reserved_concurrency", 0..=10_000),
        idle_timeout: section
            .duration("idle_timeout", Duration::from_secs(1)..=Duration::from_hours(24))
            .unwrap_or(Duration::from_mins(5)),
        provisioned_concurrency: section.count("provisioned_concurrency", 0..=1_000).unwrap_or(0),
        max_age: section
            .duration("max_age", Duration::from_secs(1)..=Duration::from_hours(24 * 7))
            .unwrap_or(Duration::from_hours(2)),
        freeze: section.boolean("freeze").unwrap_or(true),
        tmp: section.size("tmp", 0..=u64::MAX).unwrap_or(512 << 20),
        layers: layers(section),
        network: section.choice("network", &networks, &[]).unwrap_or(Network::Public),
        compat: compat(section, language),
        origin_rules: section.choice("origin_rules", &rules, &[]).unwrap_or(OriginRules::Aws),
        replaced_body_headers: section.choice("replaced_body_headers", &kept, &[]).unwrap_or(ReplacedBodyHeaders::Drop),
    }
}

/// Reports reserved concurrency that leaves less than a tenth of all environments to the other functions (lambda-edge.md 7.2).
pub(crate) fn check_reserved(
    sections: &IndexMap<String, Section<'_>>,
    functions: &IndexMap<String, Function>,
    environments: u32,
) {
    let most = u64::from(environments) * 9 / 10;
    let mut sum = 0;
    for (name, section) in sections {
        let Some(Function { kind: FunctionKind::Lambda(own), .. }) = functions.get(name) else { continue };
        let Some((reserved, written)) = own.reserved_concurrency.zip(section.value("reserved_concurrency")) else {
            continue;
        };
        let before = sum;
        sum += u64::from(reserved);
        if before <= most && sum > most {
            let message =
                format!("{sum} environments are reserved, of {environments}; at least a tenth stays for all functions");
            let problem = Problem::new(Code::OutOfRange, written.key_span, message);
            let help = format!("reserve {most} at most in all, or raise `environments` under [server]");
            section.cx.report(problem.label("the sum goes over it here").help(help));
        }
    }
}

/// The language with its engine, where it has a choice.
fn engine(section: &Section<'_>, language: Language) -> Language {
    if language != Language::JavaScript {
        only_for_nodejs(section, "engine", language);
        return language;
    }
    let engines = [("boa", Language::JavaScript), ("node", Language::Node)];
    section.choice("engine", &engines, &[]).unwrap_or(language)
}

fn only_for_nodejs(section: &Section<'_>, key: &'static str, language: Language) {
    if let Some(value) = section.value(key) {
        let problem = Problem::new(Code::Conflict, value.key_span, format!("`{key}` belongs to runtime nodejs"));
        let label = format!("the runtime is {}", language.runtime());
        section.cx.report(problem.label(label).help("remove it"));
    }
}

fn compat(section: &Section<'_>, language: Language) -> Compat {
    let words = [Compat::Any, Compat::NodeJs22, Compat::NodeJs24].map(|compat| (compat.as_str(), compat));
    let chosen = section.choice("compat", &words, &[]);
    if language.runtime() != "nodejs" {
        only_for_nodejs(section, "compat", language);
    }
    chosen.unwrap_or(Compat::Any)
}

/// Most layers of a function (lambda-edge.md 6.2).
const MOST_LAYERS: usize = 5;

fn layers(section: &Section<'_>) -> Vec<PathBuf> {
    let Some(value) = section.value("layers") else { return Vec::new() };
    let items = value.list("a list of folders").unwrap_or_default();
    if items.len() > MOST_LAYERS {
        let message = format!("{} layers; at most {MOST_LAYERS}", items.len());
        section.cx.report(Problem::new(Code::OutOfRange, value.key_span, message).label("too many"));
    }
    items
        .iter()
        .filter_map(|item| {
            let path = section.cx.existing(&item.text()?, Expect::Package)?;
            if path.is_file() && !is_archive(&path) {
                item.report(Code::BadValue, format!("`{}` is no layer", item.name), "a folder or a .zip archive");
                return None;
            }
            Some(path)
        })
        .collect()
}

/// Whether a file is named like an archive.
fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"))
}

/// `path/file.export`: what a package's handler is (lambda-edge.md 5.1).
fn packaged_handler(text: &str) -> Result<String, String> {
    let (path, name) = text.rsplit_once('/').unwrap_or(("", text));
    let inside = !text.contains("..") && !text.starts_with('/') && !path.chars().any(char::is_control);
    let named = name.split_once('.').is_some_and(|(file, export)| !file.is_empty() && !export.is_empty());
    if inside && named && any_handler(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err("path/file.export in the package, such as \"index.handler\"".to_owned())
    }
}

/// A name in the script's exports. `path/file.export` is for packages.
fn handler(text: &str) -> Result<String, String> {
    let mut chars = text.chars();
    let starts_well = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == '$');
    if starts_well && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '$') {
        Ok(text.to_owned())
    } else {
        Err("the name of one export, without the file's name".to_owned())
    }
}

/// An export, or a property of one.
fn property_path(text: &str) -> Result<String, String> {
    if text.split('.').all(|part| handler(part).is_ok()) { Ok(text.to_owned()) } else { handler(text) }
}

/// An executable takes its handler's name as it likes.
fn any_handler(text: &str) -> Result<String, String> {
    let fits = (1..=128).contains(&text.len()) && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    if fits { Ok(text.to_owned()) } else { Err("1 to 128 characters without spaces".to_owned()) }
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
