//! A loaded function, as the hook points call it.

use super::breaker::Breaker;
use crate::fault::{FailedFunction, Fault};
use edgehook_contract::{Family, Fault as Class, HookPoint, lambda::OriginRules, viewer::Rules};
use edgehook_lambda as lambda;
use edgehook_protocol::viewer::KvsReads;
use edgehook_viewer::supervisor::{FunctionId, Hosts};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// What becomes of a request when its function fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The viewer gets 502 or 503.
    Fail,
    /// The message goes on untouched; the failure is logged and shown.
    Bypass,
    /// The viewer gets 502 or 503, with what is at this canonical path as its body (`error_pages`).
    Page(Arc<str>),
}

/// A function of either family, loaded or known to be broken.
#[derive(Debug)]
pub struct Function {
    /// Its name in the configuration.
    pub name: String,
    /// What becomes of a request when it fails.
    pub on_error: OnError,
    /// What its events say about the edge.
    pub facts: Arc<Facts>,
    /// How it is run.
    pub body: FunctionBody,
    /// Keeps a function that always fails from being called, where that is wanted.
    pub breaker: Option<Breaker>,
    /// What was said about it already.
    pub said: Said,
    /// What was counted of it, across configurations.
    pub counts: Arc<FunctionCounts>,
}

/// Warnings that are said once for each loaded function.
#[derive(Debug, Default)]
pub struct Said {
    request_changed: AtomicBool,
    without_effect: AtomicBool,
}

impl Said {
    /// Whether this is the first edit of the request at viewer-response.
    pub(crate) fn first_request_change(&self) -> bool {
        !self.request_changed.swap(true, Ordering::Relaxed)
    }

    /// Whether this is the first origin call with properties that have no effect here.
    pub(crate) fn first_without_effect(&self) -> bool {
        !self.without_effect.swap(true, Ordering::Relaxed)
    }
}

/// Counters of one function, by its name (cloudfront-functions.md 8).
#[derive(Debug, Default)]
pub struct FunctionCounts {
    invocations: AtomicU64,
    validation_errors: AtomicU64,
    execution_errors: AtomicU64,
    throttles: AtomicU64,
    kvs_requests: AtomicU64,
    kvs_errors: AtomicU64,
    /// Runs whose utilization is known, and the sum of it in percent.
    utilized: AtomicU64,
    utilization: AtomicU64,
}

impl FunctionCounts {
    /// Counts a run. `fault`: how it failed.
    pub(crate) fn ran(&self, fault: Option<Class>) {
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        count(&self.invocations);
        match fault {
            None => {}
            Some(Class::Validation) => drop(count(&self.validation_errors)),
            Some(Class::Execution) => drop(count(&self.execution_errors)),
            Some(Class::Throttled) => drop(count(&self.throttles)),
        }
    }

    /// Adds what a viewer function used.
    pub(crate) fn used(&self, utilization: u8, reads: KvsReads) {
        self.utilized.fetch_add(1, Ordering::Relaxed);
        self.utilization.fetch_add(utilization.into(), Ordering::Relaxed);
        self.kvs_requests.fetch_add(reads.requests.into(), Ordering::Relaxed);
        self.kvs_errors.fetch_add(reads.errors.into(), Ordering::Relaxed);
    }

    /// Amazon's names with their sums, and the average of `FunctionComputeUtilization` where it ran.
    #[must_use]
    pub fn metrics(&self) -> ([(&'static str, u64); 6], Option<f64>) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let sums = [
            ("FunctionInvocations", read(&self.invocations)),
            ("FunctionValidationErrors", read(&self.validation_errors)),
            ("FunctionExecutionErrors", read(&self.execution_errors)),
            ("FunctionThrottles", read(&self.throttles)),
            ("KvsReadRequests", read(&self.kvs_requests)),
            ("KvsReadErrors", read(&self.kvs_errors)),
        ];
        let runs = read(&self.utilized);
        #[allow(clippy::cast_precision_loss, reason = "an average for people")]
        let average = (runs > 0).then(|| read(&self.utilization) as f64 / runs as f64);
        (sums, average)
    }
}

/// What every event says about the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The site's canonical host.
    pub domain_name: String,
    /// The site's id.
    pub distribution_id: String,
}

/// How a function is run.
#[derive(Debug)]
pub enum FunctionBody {
    /// In the isolate hosts.
    Viewer {
        /// The hosts.
        hosts: Hosts,
        /// Its number there.
        id: Arc<Deployed>,
        /// Its budget.
        budget: Duration,
        /// How its results are checked.
        rules: Rules,
    },
    /// In environments of its own.
    Lambda {
        /// The environments.
        environments: lambda::Function,
        /// How origins that it names are checked.
        origin_rules: OriginRules,
        /// What becomes of headers that describe a body it replaces.
        replaced: ReplacedHeaders,
    },
    /// Not at all: it could not be loaded, and each run is an execution error (cloudfront-functions.md 5.1).
    Broken {
        /// Which family it would have been.
        family: Family,
        /// Why it could not be loaded.
        problem: String,
    },
}

/// What becomes of headers that described a body which an origin-response function replaced (lambda-edge.md 3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplacedHeaders {
    /// They go, unless the function set them.
    #[default]
    Drop,
    /// They stay.
    Keep,
}

impl Function {
    pub(super) fn replaced_headers(&self) -> ReplacedHeaders {
        match &self.body {
            FunctionBody::Lambda { replaced, .. } => *replaced,
            // Those two go out as the function left them (cloudfront-functions.md 2.2).
            _ => ReplacedHeaders::Keep,
        }
    }

    /// Which version of which Lambda function it is; `None`: it is none.
    pub(crate) fn identity(&self) -> Option<&lambda::Identity> {
        match &self.body {
            FunctionBody::Lambda { environments, .. } => Some(environments.identity()),
            _ => None,
        }
    }

    /// What has been counted of it; `None`: it is no Lambda function.
    pub(crate) fn measured(&self) -> Option<lambda::Measured> {
        match &self.body {
            FunctionBody::Lambda { environments, .. } => Some(environments.measured()),
            _ => None,
        }
    }

    /// The family that it belongs to.
    #[must_use]
    pub fn family(&self) -> Family {
        match &self.body {
            FunctionBody::Viewer { .. } => Family::Viewer,
            FunctionBody::Lambda { .. } => Family::Lambda,
            FunctionBody::Broken { family, .. } => *family,
        }
    }

    /// A fault of this function at `hook`.
    pub(crate) fn fault(&self, hook: HookPoint, fault: Class, detail: String) -> Fault {
        let (name, family) = (self.name.clone(), self.family());
        let page = match &self.on_error {
            OnError::Page(path) => Some(path.clone()),
            OnError::Fail | OnError::Bypass => None,
        };
        Fault::Function(Box::new(FailedFunction { name, hook, family, fault, detail, page }))
    }
}

/// A viewer function's place in the hosts; given up when the last configuration that uses it is gone.
#[derive(Debug)]
pub struct Deployed {
    hosts: Hosts,
    id: FunctionId,
}

impl Deployed {
    pub(crate) fn new(hosts: Hosts, id: FunctionId) -> Self {
        Self { hosts, id }
    }

    pub(crate) fn id(&self) -> FunctionId {
        self.id
    }
}

impl Drop for Deployed {
    fn drop(&mut self) {
        let (hosts, id) = (self.hosts.clone(), self.id);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { hosts.remove(id).await });
        }
    }
}
