//! What is known of one request when it is answered: one struct, one place that counts and logs it.

mod event;
mod json;
mod key;
mod mask;
mod ring;
mod trace;

pub(crate) use event::fields_json;
pub use event::{event_json, read_event, result_json, viewer_request, viewer_response};
pub use json::{
    AdmissionPart, BehaviorPart, Bodies, BodyPart, CachePart, ExperimentPart, HookPart, MessagePart, OriginPart,
    RequestRecord, StorePart, rfc3339,
};
pub use key::KeyPart;
pub(crate) use key::key_parts;
pub use mask::{MASKED, Mask};
pub(crate) use ring::InFull;
pub use ring::{Kept, Records, SLOW, Tracing};
pub use trace::{BODY_LIMIT, HookEvent, HookMessages, HookResult, OriginMessages, Sample, Trace, TracedKey};
pub(crate) use trace::{Meeting, Seat, response};

use crate::{cache::Report, edge_fields::Arrival, experiment::Exposure, world::World};
use edgehook_contract::HookPoint;
use http::{Method, StatusCode};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// One run of a function.
#[derive(Clone, Debug)]
pub struct HookRecord {
    /// The function.
    pub function: String,
    /// Where it ran.
    pub hook: HookPoint,
    /// Wall time from event to checked result.
    pub time: Duration,
    /// CPU time and budget, for viewer functions.
    pub cpu: Option<(Duration, Duration)>,
    /// How long INIT took, if a Lambda environment had to be started.
    pub cold_start: Option<Duration>,
    /// The id of a Lambda function's invocation, which the lines that it wrote name.
    pub invocation: Option<String>,
    /// Whether the function answered in place of cache and origin.
    pub generated: bool,
    /// Console output of a viewer function.
    pub logs: Vec<String>,
    /// The distribution id in front of which that is logged.
    pub distribution: String,
    /// What the function did in vain; said once for each function.
    pub warnings: Vec<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Share of the budget that the run used, in percent, for viewer functions.
    pub utilization: Option<u8>,
    /// Whether it counts in the metrics of the function.
    pub(crate) counted: bool,
    /// Event and result, where they are recorded.
    pub messages: Option<Box<HookMessages>>,
    /// Each rule that its result broke, where it failed for that; `failure` tells them all.
    pub violations: Vec<String>,
}

impl HookRecord {
    pub(crate) fn new(function: &str, hook: HookPoint) -> Self {
        Self {
            function: function.to_owned(),
            hook,
            time: Duration::ZERO,
            cpu: None,
            cold_start: None,
            invocation: None,
            generated: false,
            logs: Vec::new(),
            distribution: String::new(),
            warnings: Vec::new(),
            failure: None,
            utilization: None,
            counted: false,
            messages: None,
            violations: Vec::new(),
        }
    }

    /// One error for each rule that was broken, or else one for the failure.
    fn log_failure(&self, id: &str) {
        let at = self.hook.as_str();
        let log = |text: &str| {
            let text = shown(text);
            tracing::error!(function = self.function, hook = at, request = id, "function failed: {text}");
        };
        match &self.failure {
            Some(_) if !self.violations.is_empty() => self.violations.iter().for_each(|text| log(text)),
            Some(failure) => log(failure),
            None => {}
        }
    }

    /// The lines that Amazon's log of a function has, if it said anything (cloudfront-functions.md 8).
    fn log_console(&self, id: &str) {
        if self.logs.is_empty() {
            return;
        }
        let log =
            |line: &str| tracing::info!(target: "function", function = self.function, request = id, "{}", shown(line));
        log(&format!("{id} START DistributionID: {}", self.distribution));
        for line in &self.logs {
            log(&format!("{id} {line}"));
        }
        log(&format!("{id} END"));
    }
}

/// One exchange with an origin.
#[derive(Clone, Debug)]
pub struct OriginRecord {
    /// The origin's name, or the address that a function chose.
    pub origin: String,
    /// Time to the response's head.
    pub time: Duration,
    /// Its status, if it answered.
    pub status: Option<StatusCode>,
    /// Why it did not.
    pub error: Option<String>,
    /// Request and answer, where they are recorded.
    pub messages: Option<Box<OriginMessages>>,
}

/// How a request was answered, in the closed set of experience.md 1.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By the cache or the origin.
    Cache(crate::cache::Outcome),
    /// By a viewer-request function or a redirect.
    Generated,
    /// With an error of the edge's own.
    Error,
}

impl Outcome {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cache(outcome) => outcome.as_str(),
            Self::Generated => "generated",
            Self::Error => "error",
        }
    }

    /// The place of its word in [`OUTCOMES`].
    pub(crate) fn index(self) -> usize {
        use crate::cache::Outcome as Cached;
        match self {
            Self::Cache(Cached::Hit) => 0,
            Self::Cache(Cached::Stale) => 1,
            Self::Cache(Cached::Revalidated) => 2,
            Self::Cache(Cached::Miss) => 3,
            Self::Cache(Cached::Expired) => 4,
            Self::Cache(Cached::Uncacheable) => 5,
            Self::Cache(Cached::Bypass) => 6,
            Self::Generated => 7,
            Self::Error => 8,
        }
    }
}

/// What a request goes its way for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To be answered.
    #[default]
    Serve,
    /// To be explained: nothing is counted, and nobody notices.
    Explain,
    /// The same where Lambda functions are those of a node that serves: they are not run, because they may have effects.
    ExplainLive,
}

/// What is known of one request.
#[derive(Clone, Debug)]
pub struct Record {
    /// The request id that the viewer gets.
    pub id: String,
    /// When it arrived, for durations: a [`World::instant`].
    pub start: Instant,
    /// When it arrived, by the clock on the wall.
    pub at: SystemTime,
    /// Whether it is served, or only explained.
    pub purpose: Purpose,
    /// Where time and chance come from.
    pub world: World,
    /// The viewer's address.
    pub viewer: IpAddr,
    /// How it came.
    pub arrival: Arrival,
    /// The method.
    pub method: Method,
    /// Host as asked for.
    pub host: String,
    /// Path and query as asked for, control characters escaped.
    pub target: String,
    /// The behavior that was chosen: its path pattern.
    pub behavior: Option<String>,
    /// Its place in the configuration, from 0.
    pub behavior_index: Option<usize>,
    /// Why the viewer was not let in.
    pub denial: Option<String>,
    /// The variants of experiments that it was given.
    pub experiments: Vec<Exposure>,
    /// It is a gRPC call, whose failure is told in gRPC's words.
    pub grpc: bool,
    /// The functions that ran, in order.
    pub hooks: Vec<HookRecord>,
    /// Exchanges with origins, in order.
    pub origins: Vec<OriginRecord>,
    /// The cache's part.
    pub cache: Option<Report>,
    /// How it was answered.
    pub outcome: Outcome,
    /// The status that the viewer gets.
    pub status: StatusCode,
    /// Freshness lifetime of what was stored.
    pub stored_for: Option<Duration>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Path of the page that the viewer gets in place of the error.
    pub error_page: Option<Arc<str>>,
    /// How it was answered, in CloudFront's words for logs (`x-edge-result-type`).
    pub result: &'static str,
    /// The same with the reason of an error, where that says more.
    pub detailed: Option<&'static str>,
    /// Time to the response's head.
    pub time: Duration,
    /// The messages at every step, for a request that is recorded in full.
    pub trace: Option<Box<Trace>>,
}

/// Counters of everything that was answered.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    outcomes: [AtomicU64; OUTCOMES.len()],
    at_hand: AtomicU64,
}

/// The words of [`Outcome`].
pub const OUTCOMES: [&str; 9] =
    ["hit", "stale", "revalidated", "miss", "expired", "uncacheable", "bypass", "generated", "error"];

impl Counters {
    /// All requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that took the short way.
    #[must_use]
    pub fn at_hand(&self) -> u64 {
        self.at_hand.load(Ordering::Relaxed)
    }

    /// Counts a request that took the short way.
    pub(crate) fn count_at_hand(&self, outcome: Outcome) {
        self.at_hand.fetch_add(1, Ordering::Relaxed);
        self.count(outcome);
    }

    /// Counts a request.
    fn count(&self, outcome: Outcome) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.outcomes[outcome.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// Requests per outcome word.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        OUTCOMES.iter().zip(&self.outcomes).map(|(word, count)| (*word, count.load(Ordering::Relaxed)))
    }
}

/// Who is told of each answered request besides the counters.
pub type Listener = Arc<dyn Fn(&Record) + Send + Sync>;

impl Record {
    /// The time since it arrived.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.world.since(self.start)
    }

    /// A record of what else happens for the same request, to be joined to it or logged by itself.
    #[must_use]
    pub fn fork(&self) -> Self {
        let trace = self.trace.as_ref().map(|trace| Box::new(Trace { bodies: trace.bodies, ..Trace::default() }));
        Self {
            id: self.id.clone(),
            start: self.start,
            at: self.at,
            purpose: self.purpose,
            world: self.world.clone(),
            viewer: self.viewer,
            arrival: self.arrival.clone(),
            method: self.method.clone(),
            host: self.host.clone(),
            target: self.target.clone(),
            behavior: self.behavior.clone(),
            behavior_index: self.behavior_index,
            denial: self.denial.clone(),
            experiments: Vec::new(),
            grpc: self.grpc,
            hooks: Vec::new(),
            origins: Vec::new(),
            cache: self.cache,
            outcome: self.outcome,
            status: self.status,
            result: self.result,
            detailed: self.detailed,
            stored_for: self.stored_for,
            location: self.location.clone(),
            failure: self.failure.clone(),
            error_page: self.error_page.clone(),
            time: self.time,
            trace,
        }
    }

    /// Takes in what a fork recorded.
    pub fn join(&mut self, fork: Self) {
        self.hooks.extend(fork.hooks);
        self.origins.extend(fork.origins);
        if let (Some(own), Some(other)) = (&mut self.trace, fork.trace) {
            own.store = other.store.or(own.store);
        }
    }

    /// The protocol that the viewer speaks, as `HTTP/1.1`.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        self.arrival.protocol()
    }

    /// Counts the request, and tells `listener` of it, or where there is none the log.
    pub fn emit(&self, counters: &Counters, listener: Option<&Listener>) {
        counters.count(self.outcome);
        for exposure in &self.experiments {
            let tally = &exposure.experiment.tally;
            tally.count(exposure.variant, exposure.how, self.status, self.outcome, self.time);
        }
        match listener {
            Some(listener) => listener(self),
            None => self.log(),
        }
        tracing::debug!(
            request = self.id,
            viewer = %self.viewer,
            method = %self.method,
            host = self.host,
            target = self.target,
            status = self.status.as_u16(),
            outcome = self.outcome.as_str(),
            failure = self.failure.as_deref().map(shown),
            micros = u64::try_from(self.time.as_micros()).unwrap_or(u64::MAX),
            "answered"
        );
    }

    fn log(&self) {
        self.log_hooks();
        // A function's failure was logged just above.
        let by_function = self.hooks.iter().any(|hook| hook.failure.is_some());
        if let Some(failure) = self.failure.as_ref().filter(|_| self.is_bad() && !by_function) {
            let (status, failure) = (self.status.as_u16(), shown(failure));
            tracing::warn!(request = self.id, host = self.host, status, "{failure}");
        }
    }

    /// Whether the log is told why it failed: also where a page stands in for an error under the name of success.
    fn is_bad(&self) -> bool {
        self.status.is_server_error() || (self.outcome == Outcome::Error && self.status.is_success())
    }

    /// Logs what functions said, and how they failed.
    pub fn log_hooks(&self) {
        for hook in &self.hooks {
            hook.log_console(&self.id);
            if let Some(invocation) = &hook.invocation {
                let at = hook.hook.as_str();
                tracing::info!(target: "function", function = hook.function, hook = at, request = self.id, "RequestId: {invocation}");
            }
            for warning in &hook.warnings {
                tracing::warn!(function = hook.function, request = self.id, "{}", shown(warning));
            }
            hook.log_failure(&self.id);
        }
    }
}

/// Text of unknown origin for logs and terminals: control characters are shown, lines behind the first are indented, so that
/// nothing in it can pass for a line or a colour of ours.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\n    "),
            '\t' => shown.push('\t'),
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_counted_under_its_word() {
        use crate::cache::Outcome as Cached;
        let cached = [
            Cached::Hit,
            Cached::Stale,
            Cached::Revalidated,
            Cached::Miss,
            Cached::Expired,
            Cached::Uncacheable,
            Cached::Bypass,
        ];
        let all = cached.map(Outcome::Cache).into_iter().chain([Outcome::Generated, Outcome::Error]);
        assert_eq!(all.map(|outcome| OUTCOMES[outcome.index()] == outcome.as_str()).collect::<Vec<_>>(), [true; 9]);
    }

    #[test]
    fn foreign_text_cannot_forge_lines_or_colours() {
        assert_eq!(shown("it's \"so\"\\"), "it's \"so\"\\");
        assert_eq!(shown("a\n2026 ERROR forged\r\u{1b}[2J"), "a\n    2026 ERROR forged\\r\\u{1b}[2J");
    }
}
