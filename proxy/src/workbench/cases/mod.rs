//! Tests as they are written: TOML files of experience.md 6.1, cftest folders and pairs of event and expected result.
//!
//! `native` reads the native files, by the table of `keys` of which `schema` makes a JSON Schema; `events` reads the JSON ones. Both
//! say of everything that is wrong where it stands and what was expected. Deliberately absent: running anything.

mod events;
mod keys;
mod native;
mod node;
mod schema;

pub(crate) use events::read_folder;
pub(crate) use native::read as read_toml;
pub(crate) use node::{Problem, duration};
pub(crate) use schema::schema;

use super::{matcher::Matcher, script::Line};
use crate::{edge_fields::PlayedPlace, listener::Scheme};
use edgehook_contract::HookPoint;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    ops::Range,
    path::PathBuf,
    time::{Duration, SystemTime},
};

/// Where something is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    /// From 1.
    pub(crate) line: usize,
    /// Bytes in the file.
    pub(crate) span: Range<usize>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// One test.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) only: bool,
    /// Why it is not run.
    pub(crate) skip: Option<String>,
    pub(crate) clock: SystemTime,
    pub(crate) seed: u64,
    pub(crate) what: What,
}

impl Case {
    /// Lets no other wording of an expected error pass.
    pub(crate) fn expect_exact_errors(&mut self) {
        if let What::Event(event) = &mut self.what
            && let Expected::CfError { exact, .. } = &mut event.expected
        {
            *exact = true;
        }
    }
}

/// What is tested.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// One function by itself.
    Function(Box<FunctionCase>),
    /// The way of requests through the whole edge.
    Edge(Box<EdgeCase>),
    /// A function with an event from a file.
    Event(Box<EventCase>),
}

/// A function by itself.
#[derive(Clone, Debug)]
pub(crate) struct FunctionCase {
    pub(crate) function: String,
    pub(crate) hook: Option<HookPoint>,
    pub(crate) kv: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) request: RequestStep,
}

/// Requests to the edge.
#[derive(Clone, Debug)]
pub(crate) struct EdgeCase {
    /// Path pattern of the behavior that every request must be given to.
    pub(crate) behavior: Option<String>,
    pub(crate) origins: BTreeMap<String, Vec<Line>>,
    pub(crate) kv: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) steps: Vec<Step>,
    /// Whether it was written as steps.
    pub(crate) stepwise: bool,
}

/// One step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Request(Box<RequestStep>),
    Parallel(Vec<RequestStep>),
    Advance(Duration),
    Purge(PurgeStep),
}

impl Step {
    /// Leaves nothing to be judged.
    pub(crate) fn expect_nothing(&mut self) {
        match self {
            Self::Request(request) => request.expect.clear(),
            Self::Parallel(requests) => requests.iter_mut().for_each(|request| request.expect.clear()),
            Self::Advance(_) | Self::Purge(_) => {}
        }
    }
}

/// A purge.
#[derive(Clone, Debug, Default)]
pub(crate) struct PurgeStep {
    pub(crate) urls: Vec<String>,
    pub(crate) prefixes: Vec<String>,
    pub(crate) hosts: Vec<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) all: bool,
    pub(crate) soft: bool,
}

/// A request and what is expected of its answer. Texts may hold `${names}` of what earlier steps saved.
#[derive(Clone, Debug)]
pub(crate) struct RequestStep {
    pub(crate) place: Place,
    pub(crate) method: String,
    pub(crate) scheme: Scheme,
    pub(crate) host: Option<String>,
    /// Path, with a query where `query` is not written.
    pub(crate) uri: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) cookies: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) ip: Option<String>,
    pub(crate) geo: Option<PlayedPlace>,
    pub(crate) jwt: Option<Value>,
    /// Names and what they save: `cookie:NAME`, `header:NAME`, `body`.
    pub(crate) save: Vec<(String, String)>,
    pub(crate) expect: Vec<Expectation>,
}

/// One thing that is expected.
#[derive(Clone, Debug)]
pub(crate) struct Expectation {
    pub(crate) what: Subject,
    pub(crate) matcher: Matcher,
    /// Of the value.
    pub(crate) place: Place,
}

/// What an expectation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Status,
    Header(String),
    Cookie(String),
    Body,
    /// Path of the request as a function left it.
    Uri,
    Query,
    Method,
    Cache,
    Age,
    Hooks,
    Origin,
    OriginCalls,
    OriginRequest(String),
    Key(String),
    Utilization,
    Logs,
    Error,
    DenyReason,
}

impl std::fmt::Display for Subject {
    /// As it is written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Header(name) => write!(f, "headers.{name}"),
            Self::Cookie(name) => write!(f, "cookie.{name}"),
            Self::Body => f.write_str("body"),
            Self::Uri => f.write_str("uri"),
            Self::Query => f.write_str("query"),
            Self::Method => f.write_str("method"),
            Self::Cache => f.write_str("cache"),
            Self::Age => f.write_str("age"),
            Self::Hooks => f.write_str("hooks"),
            Self::Origin => f.write_str("origin"),
            Self::OriginCalls => f.write_str("origin_calls"),
            Self::OriginRequest(part) => write!(f, "origin_request.{part}"),
            Self::Key(part) => write!(f, "key.{part}"),
            Self::Utilization => f.write_str("utilization"),
            Self::Logs => f.write_str("logs"),
            Self::Error => f.write_str("error"),
            Self::DenyReason => f.write_str("deny_reason"),
        }
    }
}

/// An event from a file.
#[derive(Clone, Debug)]
pub(crate) struct EventCase {
    pub(crate) function: String,
    pub(crate) event: Value,
    pub(crate) expected: Expected,
}

/// What an event case expects.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// That the function succeeds and its result validates. The file would be written by `--update`.
    Success(PathBuf),
    /// This result, or one of `anyOf`; where it is kept.
    Output(Value, PathBuf),
    /// Of cftest: this result.
    CfOutput(Value),
    /// Of cftest: an error with this text.
    CfError {
        text: String,
        /// Word for word; otherwise an error of the engine's own need only be of the same type.
        exact: bool,
    },
}

/// The tests of one file or folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suite {
    /// As it is shown.
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
}
