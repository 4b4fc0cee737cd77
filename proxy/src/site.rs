//! One loaded configuration, ready to serve: immutable, swapped as a whole, shared by every request that began under it.

use crate::{
    access::Countries,
    auth::{Admission, Guard},
    cache::{Cache, CachePolicy, Selection},
    debug::Debug,
    deliver::Signature,
    edge_fields::{Asked, GeoDatabases},
    error_pages::ErrorPages,
    experiment::Experiment,
    failover::Health,
    fault::{Fault, Refusal},
    gate::{self, Loosened, Received},
    hooks::{Function, IncludeBody},
    metrics::Metrics,
    origin::{DynamicOrigins, Origin},
    purging::PublicPurge,
    record::Tracing,
    response_headers::ResponseHeaders,
    routing::{HostPattern, PathPattern},
    shadow::Shadow,
    world::World,
};
use edgehook_contract::lambda;
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// One loaded configuration.
#[derive(Debug)]
pub struct Site {
    /// Which load since start this is, from 1.
    pub number: u64,
    /// This node's name in `Via`, `Cache-Status` and `CDN-Loop`.
    pub node: String,
    /// Last word of `X-Cache`.
    pub vendor: String,
    /// What answers are signed with.
    pub signature: Signature,
    /// `X-Amz-Cf-Pop`.
    pub pop: Option<HeaderValue>,
    /// `User-Agent` towards origins when the viewer's is not forwarded.
    pub user_agent: HeaderValue,
    /// Hosts that are served; empty: all.
    pub hosts: Vec<HostPattern>,
    /// What stands in for `/`.
    pub default_root_object: Option<String>,
    /// Whether `viewer_protocol_policy` is enforced.
    pub enforce_https: bool,
    /// Port of the https listener, for redirects; `None`: 443.
    pub https_port: Option<u16>,
    /// Development: loopback names stand for any host, answers are marked.
    pub dev: bool,
    /// Where addresses are.
    pub geo: Option<GeoDatabases>,
    /// Some behavior asks for the order of a request's fields.
    pub keeps_header_order: bool,
    /// Pages in place of errors.
    pub error_pages: ErrorPages,
    /// Experiments in order.
    pub experiments: Vec<Arc<Experiment>>,
    /// Behaviors in order.
    pub behaviors: Vec<Arc<Behavior>>,
    /// What no viewer may send, and what no log may show.
    pub guard: Guard,
    /// What is counted of its behaviors, origins and functions.
    pub metrics: Metrics,
    /// What request fields that the edge adds begin with, in lower case.
    pub header_prefix: String,
    /// The cache.
    pub cache: Cache,
    /// Who may purge on the public listeners; none: nobody.
    pub public_purge: Option<PublicPurge>,
    /// Where time and chance come from.
    pub world: World,
    /// Which requests are recorded, and how.
    pub tracing: Tracing,
    /// Who is told how answers came about, besides everybody in `dev`.
    pub debug: Option<Debug>,
    /// Where S3 origins that functions choose are asked; `None`: at their own names.
    pub s3: Option<Origin>,
    /// Origins that functions choose.
    pub dynamic_origins: Arc<DynamicOrigins>,
    /// All functions by name.
    pub functions: HashMap<String, Arc<Function>>,
    /// All configured origins by name, for functions that choose one of them.
    pub origins: HashMap<String, Arc<SiteOrigin>>,
}

/// What happens to requests of one host and path pattern.
#[derive(Clone, Debug)]
pub struct Behavior {
    /// Where it is written.
    pub written: Written,
    /// Which paths.
    pub path: PathPattern,
    /// Which hosts; empty: all.
    pub hosts: Vec<HostPattern>,
    /// Where misses go.
    pub origin: Arc<SiteOrigin>,
    /// Where they go when that origin fails.
    pub failover: Option<Failover>,
    /// What is cached, and under which key.
    pub policy: CachePolicy,
    /// What the origin gets besides what is in the key.
    pub request_policy: Option<RequestPolicy>,
    /// What is changed about answers on their way to viewers.
    pub response_headers: Option<Arc<ResponseHeaders>>,
    /// Whether answers are compressed on their way into the cache.
    pub compress: bool,
    /// Whether requests for a WebSocket are upgrades.
    pub websocket: bool,
    /// Whether calls of gRPC are passed on as such, over HTTP/2.
    pub grpc: bool,
    /// A body in a GET or HEAD is dropped, and the cache with it, instead of being refused.
    pub strips_bodies: bool,
    /// Paths with encoded delimiters are refused (http-cache.md 7.1).
    pub refuses_delimiters: bool,
    /// Methods that are let through; `None`: any but CONNECT.
    pub methods: Option<Vec<String>>,
    /// What becomes of cleartext requests.
    pub protocol: ProtocolPolicy,
    /// Fields about viewers that its policies ask for.
    pub asked: Asked,
    /// Countries of viewers that are let in or refused.
    pub countries: Option<Countries>,
    /// Addresses that are let in; empty: all.
    pub allow: Vec<IpNet>,
    /// Addresses that are not.
    pub deny: Vec<IpNet>,
    /// What viewers must show to be let in.
    pub admission: Arc<Admission>,
    /// Function before the cache.
    pub viewer_request: Option<Arc<Function>>,
    /// Whether that function sees the request's body.
    pub viewer_request_body: IncludeBody,
    /// Function before an answer leaves.
    pub viewer_response: Option<Arc<Function>>,
    /// Function before the origin is asked.
    pub origin_request: Option<Arc<Function>>,
    /// Whether that function sees the request's body.
    pub origin_request_body: IncludeBody,
    /// Function before an answer is stored.
    pub origin_response: Option<Arc<Function>>,
    /// Second origin that gets copies of requests.
    pub shadow: Option<Arc<Shadow>>,
}

impl Behavior {
    /// Whether not everybody is let in.
    fn is_guarded(&self) -> bool {
        self.admission.is_guarded() || !self.allow.is_empty() || !self.deny.is_empty()
    }

    /// The same without this function at the origin hooks; `None`: it is at neither.
    pub(crate) fn without_origin_function(&self, name: &str) -> Option<Self> {
        let is_it = |function: &Arc<Function>| function.name == name;
        let (request, response) = (self.origin_request.as_ref(), self.origin_response.as_ref());
        if !request.is_some_and(is_it) && !response.is_some_and(is_it) {
            return None;
        }
        let mut other = self.clone();
        other.origin_request = other.origin_request.filter(|function| !is_it(function));
        other.origin_response = other.origin_response.filter(|function| !is_it(function));
        Some(other)
    }
}

/// Where a behavior stands in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Its place among the behaviors, from 0.
    pub index: usize,
    /// The name of its cache policy.
    pub cache_policy: Option<String>,
}

/// The second origin of a group.
#[derive(Clone, Debug)]
pub struct Failover {
    /// Asked when the first could not be reached, or answered with one of `statuses`.
    pub origin: Arc<SiteOrigin>,
    /// Statuses of the first that count as a failure.
    pub statuses: Vec<u16>,
    /// How the first is doing.
    pub health: Arc<Health>,
}

/// What of a viewer's request goes to the origin besides what is in the cache key (http-cache.md 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPolicy {
    /// The viewer's fields.
    pub headers: Selection,
    /// Fields of the edge's own, in lower case.
    pub edge_headers: Vec<String>,
    /// Query parameters.
    pub query: Selection,
    /// Cookies.
    pub cookies: Selection,
}

/// What becomes of cleartext requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolPolicy {
    /// They are served.
    AllowAll,
    /// They are sent to https.
    RedirectToHttps,
    /// They are refused.
    HttpsOnly,
}

/// Where misses go: an origin, or two of which the second stands in for the first.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The origin that is asked first.
    pub origin: Arc<SiteOrigin>,
    /// The one that stands in for it.
    pub failover: Option<Failover>,
}

/// A configured origin.
#[derive(Clone, Debug)]
pub struct SiteOrigin {
    /// Its name in the configuration; the address of one that a function made up.
    pub name: String,
    /// Keeps its answers apart in the cache from those of others: its name, and what a function changed.
    pub namespace: String,
    /// The connection to it.
    pub origin: Origin,
    /// `Host` for it.
    pub host: HeaderValue,
    /// Whether a function named `host`: then it is sent also where a policy would send on the viewer's.
    pub host_is_chosen: bool,
    /// Put in front of every path; empty or `/x`.
    pub path_prefix: String,
    /// Headers that every request to it gets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What Lambda functions see of it.
    pub description: lambda::Origin,
    /// Timings, for origins that a function derives from this one.
    pub connection_timeout: Duration,
    /// Attempts to connect.
    pub connection_attempts: u8,
    /// Most exchanges at a time.
    pub max_connections: usize,
}

impl Site {
    /// The behavior of a request.
    ///
    /// # Errors
    /// The host is not served, or the path could be read as one that another behavior guards.
    pub fn behavior(&self, request: &Received) -> Result<Arc<Behavior>, Fault> {
        let stands_for_any = self.dev && request.host.is_loopback();
        let served = |patterns: &[HostPattern]| {
            patterns.is_empty() || stands_for_any || patterns.iter().any(|pattern| pattern.matches(&request.host))
        };
        if !served(&self.hosts) {
            return Err(Refusal::UnknownHost.into());
        }
        let find = |path: &str| {
            let mut behaviors = self.behaviors.iter();
            behaviors.find(|behavior| served(&behavior.hosts) && behavior.path.matches(path))
        };
        let chosen = find(&request.path).ok_or(Refusal::UnknownHost)?;
        match gate::loosened(&request.path) {
            Loosened::Same => {}
            Loosened::AboveRoot if self.behaviors.iter().any(|behavior| behavior.is_guarded()) => {
                return Err(Refusal::BadTarget.into());
            }
            Loosened::AboveRoot => {}
            Loosened::Other(path) => {
                // An origin that decodes more would serve what another behavior guards (security.md C07).
                let other = find(&path).filter(|other| other.is_guarded());
                if other.is_some_and(|other| !Arc::ptr_eq(other, chosen)) {
                    return Err(Refusal::BadTarget.into());
                }
            }
        }
        Ok(chosen.clone())
    }
}
