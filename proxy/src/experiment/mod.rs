//! Experiments: which variant of a site a viewer sees, and what is counted about it.
//!
//! [`apply`] is the step between authorization and the viewer-request hook: it assigns the request to a variant of every
//! experiment that it is in the scope of, and changes request and behavior accordingly. The assignment itself
//! (`assignment`) is pure; `scope` decides who takes part, `cookie` reads and writes what keeps a viewer at a variant, `tally`
//! counts, `ratio` and `report` judge and show the counts.
//!
//! Where two experiments change the same thing of one request, the first in the file wins. A variant is in the cache key
//! when it changes what is stored, and its headers are keyed with it, so that they may go on to the origin. Deliberately
//! absent: configuration types, clocks, randomness (a new viewer is drawn by the random request id).

mod assignment;
mod cookie;
mod ratio;
mod report;
mod scope;
mod tally;
#[cfg(test)]
mod tests;

pub use assignment::How;
pub use cookie::Attributes;
pub use report::report;
pub use scope::{Conditions, PathRewrite, Scope};
pub use tally::{Definition, Tallies, Tally};

use crate::{
    auth::Identity,
    cache::Selection,
    edge_fields::GeoDatabases,
    fault::{Fault, Refusal},
    gate::{self, Received},
    hooks::{Function, IncludeBody},
    record::Record,
    site::{Behavior, Destination, Site},
};
use assignment::Evidence;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;

/// One experiment of a loaded configuration.
#[derive(Debug)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// Who takes part.
    pub scope: Scope,
    /// What keeps a viewer at a variant.
    pub assign: Assign,
    /// The variants, in the order of the file; never empty.
    pub variants: Vec<Variant>,
    /// Which of them gets viewers whose own was removed.
    pub fallback: usize,
    /// Header by whose value a tester chooses.
    pub force_header: Option<HeaderName>,
    /// Query parameter by whose value a tester chooses.
    pub force_query: Option<String>,
    /// What is counted; outlives a reload that leaves variants, weights and assignment alone.
    pub tally: Arc<Tally>,
}

/// What keeps a viewer at a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assign {
    /// A cookie of this name, set once.
    Cookie(String),
    /// The hash of a header's value. A request without it takes no part.
    Header(HeaderName),
    /// The hash of a claim of the verified token. A request without it, or one that needs no token, takes no part.
    Claim(String),
    /// The hash of the viewer's address: of all of an IPv4 address, of the first 64 bits of an IPv6 one, the rest of which
    /// changes daily.
    Address,
}

/// One variant.
#[derive(Debug)]
pub struct Variant {
    /// Its name, also the cookie's value.
    pub name: String,
    /// Its share in relation to the other weights.
    pub weight: u32,
    /// Whether it is part of the cache key.
    pub keyed: bool,
    /// The `Set-Cookie` that brings a viewer to it, where the assignment is by cookie.
    pub set_cookie: Option<HeaderValue>,
    /// What it changes.
    pub changes: Changes,
}

/// What a variant changes.
#[derive(Debug, Default)]
pub struct Changes {
    /// Origin, or group of origins, instead of the behavior's.
    pub origin: Option<Destination>,
    /// Path instead of the viewer's.
    pub path: Option<PathRewrite>,
    /// Request headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Function instead of the behavior's.
    pub viewer_request: Option<Arc<Function>>,
    /// Function instead of the behavior's.
    pub viewer_response: Option<Arc<Function>>,
    /// Function instead of the behavior's.
    pub origin_request: Option<Arc<Function>>,
    /// Function instead of the behavior's.
    pub origin_response: Option<Arc<Function>>,
}

/// A request's part in an experiment.
#[derive(Clone, Debug)]
pub struct Exposure {
    /// The experiment.
    pub experiment: Arc<Experiment>,
    /// Which of its variants.
    pub variant: usize,
    /// How it came to it.
    pub how: How,
}

impl Exposure {
    /// The variant's name.
    #[must_use]
    pub fn variant(&self) -> &Variant {
        &self.experiment.variants[self.variant]
    }

    /// The `Set-Cookie` to send, for a viewer who does not hold the right cookie yet.
    #[must_use]
    pub fn set_cookie(&self) -> Option<&HeaderValue> {
        matches!(self.how, How::Drawn | How::Moved).then(|| self.variant().set_cookie.as_ref()).flatten()
    }
}

/// What a request goes on with.
#[derive(Debug)]
pub struct Taken {
    /// The behavior as its variants changed it.
    pub behavior: Arc<Behavior>,
    /// Parts of the cache key: `experiment.NAME` and the variant.
    pub buckets: Vec<(String, String)>,
}

/// What is known of who asks.
struct Viewer<'a> {
    request: &'a Received,
    identity: &'a Identity,
    geo: Option<&'a GeoDatabases>,
    request_id: &'a str,
}

/// Assigns a request to its variants and changes it as they say.
///
/// # Errors
/// The path that a variant made cannot be used.
pub fn apply(
    site: &Site,
    mut behavior: Arc<Behavior>,
    request: &mut Received,
    identity: &Identity,
    record: &mut Record,
) -> Result<Taken, Fault> {
    let (experiments, mut buckets) = (&site.experiments, Vec::new());
    if experiments.is_empty() {
        return Ok(Taken { behavior, buckets });
    }
    let viewer = Viewer { request, identity, geo: site.geo.as_ref(), request_id: &record.id };
    let exposures: Vec<Exposure> = experiments.iter().filter_map(|experiment| experiment.expose(&viewer)).collect();
    strip(experiments, &exposures, request);
    let path = request.path.clone();
    // Backwards, so that what the first experiment of the file changes is what remains.
    for exposure in exposures.iter().rev() {
        let variant = exposure.variant();
        if variant.keyed {
            buckets.push((format!("experiment.{}", exposure.experiment.name), variant.name.clone()));
        }
        if let Some(rewrite) = &variant.changes.path {
            request.path = rewritten(rewrite, &path, request.query.as_deref())?;
        }
        for (name, value) in &variant.changes.headers {
            request.headers.insert(name, value.clone());
        }
        if variant.concerns_behavior() {
            behavior = Arc::new(variant.behavior(&behavior));
        }
    }
    record.experiments = exposures;
    Ok(Taken { behavior, buckets })
}

/// Takes from the request what only the edge may say (a variant's headers, whatever the viewer's part in it), and what was
/// meant for the edge (the tester's choice).
fn strip(experiments: &[Arc<Experiment>], exposures: &[Exposure], request: &mut Received) {
    let names =
        experiments.iter().flat_map(|experiment| &experiment.variants).flat_map(|variant| &variant.changes.headers);
    for (name, _) in names {
        request.headers.remove(name);
    }
    for experiment in exposures.iter().map(|exposure| &exposure.experiment) {
        if let Some(name) = &experiment.force_header {
            request.headers.remove(name);
        }
        if let (Some(name), Some(query)) = (&experiment.force_query, &request.query) {
            request.query = scope::without_parameter(query, name);
        }
    }
}

/// The variant's path in the canonical form that key and origin see, within the limit for paths and queries.
fn rewritten(rewrite: &PathRewrite, path: &str, query: Option<&str>) -> Result<String, Fault> {
    let path = gate::canonical_path(&rewrite.apply(path))?;
    if path.len() + query.map_or(0, str::len) >= edgehook_contract::TARGET_LIMIT {
        return Err(Refusal::TargetTooLong.into());
    }
    Ok(path)
}

impl Experiment {
    /// The part that a request has in this experiment; `None` when it has none.
    fn expose(self: &Arc<Self>, viewer: &Viewer<'_>) -> Option<Exposure> {
        let request = viewer.request;
        if !self.scope.takes(request, viewer.geo) {
            return None;
        }
        let digest = |bytes: &[u8]| assignment::digest(&self.name, bytes);
        let evidence = match &self.assign {
            Assign::Cookie(name) => match cookie::value(&request.headers, name) {
                Some(held) => Evidence::Held(held),
                None => Evidence::Draw(digest(viewer.request_id.as_bytes())),
            },
            Assign::Header(name) => Evidence::Hash(digest(request.headers.get(name)?.as_bytes())),
            Assign::Claim(name) => Evidence::Hash(digest(viewer.identity.claim_text(name)?.as_bytes())),
            Assign::Address => Evidence::Hash(digest(&assignment::address(request.viewer))),
        };
        let (variant, how) = match self.forced(request) {
            Some(variant) => (variant, How::Forced),
            None => assignment::decide(&self.variants, self.fallback, evidence),
        };
        Some(Exposure { experiment: self.clone(), variant, how })
    }

    /// The variant that a tester asked for, where that is allowed and there is such a one.
    fn forced(&self, request: &Received) -> Option<usize> {
        let header = self.force_header.as_ref().and_then(|name| request.headers.get(name)?.to_str().ok());
        let query = self.force_query.as_ref().and_then(|name| scope::parameter(request.query.as_deref()?, name));
        [header, query].into_iter().flatten().find_map(|wanted| self.variant(wanted))
    }

    fn variant(&self, name: &str) -> Option<usize> {
        self.variants.iter().position(|variant| variant.name == name)
    }
}

impl Variant {
    fn concerns_behavior(&self) -> bool {
        let changes = &self.changes;
        let functions =
            [&changes.viewer_request, &changes.viewer_response, &changes.origin_request, &changes.origin_response];
        changes.origin.is_some() || !changes.headers.is_empty() || functions.iter().any(|function| function.is_some())
    }

    /// A behavior as this variant changes it. Its headers join those that the policy keys, if the variant is keyed: then
    /// they reach the origin with every request, and otherwise only where nothing is stored.
    fn behavior(&self, behavior: &Behavior) -> Behavior {
        let mut own = behavior.clone();
        let changes = &self.changes;
        if let Some(origin) = &changes.origin {
            (own.origin, own.failover) = (origin.origin.clone(), origin.failover.clone());
        }
        // A variant's functions are named without `include_body`.
        if changes.viewer_request.is_some() {
            own.viewer_request_body = IncludeBody::No;
        }
        if changes.origin_request.is_some() {
            own.origin_request_body = IncludeBody::No;
        }
        for (slot, function) in [
            (&mut own.viewer_request, &changes.viewer_request),
            (&mut own.viewer_response, &changes.viewer_response),
            (&mut own.origin_request, &changes.origin_request),
            (&mut own.origin_response, &changes.origin_response),
        ] {
            if function.is_some() {
                slot.clone_from(function);
            }
        }
        if self.keyed && !changes.headers.is_empty() {
            let names = changes.headers.iter().map(|(name, _)| name.as_str().to_owned());
            own.policy.headers = with_names(&own.policy.headers, names);
        }
        own
    }
}

fn with_names(selection: &Selection, names: impl Iterator<Item = String>) -> Selection {
    match selection {
        Selection::None => Selection::Include(names.collect()),
        Selection::Include(listed) => Selection::Include(listed.iter().cloned().chain(names).collect()),
        Selection::All => Selection::All,
        Selection::Exclude(listed) => {
            let names: Vec<String> = names.collect();
            Selection::Exclude(listed.iter().filter(|listed| !names.contains(listed)).cloned().collect())
        }
    }
}

impl std::fmt::Display for Assign {
    /// As it is written in the configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Header(name) => write!(f, "hash:header:{name}"),
            Self::Claim(name) => write!(f, "hash:claim:{name}"),
            Self::Address => f.write_str("hash:address"),
        }
    }
}
