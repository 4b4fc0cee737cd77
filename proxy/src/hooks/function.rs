//! A loaded function, as the hook points call it.

use crate::fault::{FailedFunction, Fault};
use edgehook_contract::{Family, Fault as Class, HookPoint, lambda::OriginRules, viewer::Rules};
use edgehook_lambda as lambda;
use edgehook_viewer::supervisor::{FunctionId, Hosts};
use std::{sync::Arc, time::Duration};

/// What becomes of a request when its function fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The viewer gets 502 or 503.
    Fail,
    /// The message goes on untouched; the failure is logged and shown.
    Bypass,
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
            _ => ReplacedHeaders::Drop,
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
        Fault::Function(Box::new(FailedFunction { name, hook, family, fault, detail }))
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
