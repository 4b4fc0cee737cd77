//! What would happen to a request, and why: `edgehook explain` and the admin API's `/explain`.
//!
//! The request takes the real way up to the cache, the same code as if it were served; then the cache is looked at without being
//! asked, and what would follow is told from the configuration. Nothing is sent, stored, counted or waited for.

mod page;
mod sent;
mod shape;

pub(crate) use page::{Lines, human};
pub(crate) use sent::{Difference, differences};
pub(crate) use shape::{Explanation, Found, LifetimePart, Lookup, OriginPart, StoredPart};

use crate::{
    body,
    cache::{BypassReason, Key, KeyedRequest, Near, Peeked},
    edge::begin,
    fetch::ask,
    forward::{self, Extent},
    gate,
    invalidate::key,
    lifecycle::{self, Asked, Delivery, Question},
    listener::{Connection, Scheme},
    record::{Mask, Purpose, Record, RequestRecord, Trace},
    site::Site,
    slices,
    world::World,
};
use edgehook_contract::Family;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use serde::{Deserialize, Serialize};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use xxhash_rust::xxh3::xxh3_64;

/// A request to be explained.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Scheme, host, path and query.
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    /// The viewer's address.
    pub(crate) viewer: Option<IpAddr>,
    /// Seconds from now.
    pub(crate) later: u64,
}

impl Wanted {
    /// The request that a viewer would send, and its connection.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn request(&self) -> Result<(Arc<Connection>, Request<crate::body::Body>), String> {
        let (scheme, rest) =
            self.url.split_once("://").ok_or_else(|| format!("{:?} is no URL; write https://HOST/PATH", self.url))?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(format!("{other:?} is not served; write http:// or https://")),
        };
        let (host, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let target = target.split('#').next().unwrap_or_default();
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let mut request = Request::new(body::empty());
        *request.uri_mut() = target.parse().map_err(|error| format!("{target:?} cannot be asked for: {error}"))?;
        *request.method_mut() = match self.method.as_str() {
            "" => Method::GET,
            method => method.parse().map_err(|_| format!("{method:?} is no method"))?,
        };
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| format!("{name:?} is no header name"))?;
            let value = HeaderValue::from_str(value).map_err(|_| format!("{value:?} is no header value"))?;
            request.headers_mut().append(name, value);
        }
        if !request.headers().contains_key(header::HOST) {
            let host = HeaderValue::from_str(host).map_err(|_| format!("{host:?} is no host"))?;
            request.headers_mut().insert(header::HOST, host);
        }
        let viewer = self.viewer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let connection = Connection {
            peer: SocketAddr::new(viewer, 49_152),
            local: SocketAddr::from(([127, 0, 0, 1], 0)),
            scheme,
            tls: None,
            used: Arc::default(),
        };
        Ok((Arc::new(connection), request))
    }
}

/// Explains a request to `site`. `purpose`: whether Lambda functions run.
///
/// # Errors
/// It is no request at all.
pub(crate) async fn explain(
    site: &Arc<Site>,
    wanted: &Wanted,
    purpose: Purpose,
    mask: &Mask,
) -> Result<Explanation, String> {
    let (connection, request) = wanted.request()?;
    let mut record = begin(&connection, &request, site);
    (record.purpose, record.trace) = (purpose, Some(Box::new(Trace::default())));
    if wanted.later > 0 {
        // Tokens are judged and functions run at that time.
        let now = site.world.now().wall + Duration::from_secs(wanted.later);
        record.world = World::simulated(now, xxh3_64(record.id.as_bytes()));
    }
    let mut told = Explanation { schema: 1, later: wanted.later, ..Explanation::default() };
    let result = match gate::receive(&connection, request) {
        Ok((request, mut body)) => {
            if let Some(trace) = &mut record.trace {
                trace.request = Some(crate::hooks::request_message(&request));
            }
            lifecycle::question(site, request, &mut body, &mut record).await
        }
        Err(fault) => Err(fault),
    };
    match result {
        Err(fault) => {
            told.outcome =
                if matches!(fault, crate::fault::Fault::Denied(_)) { "generated" } else { "error" }.to_owned();
            told.status = Some(fault.status().as_u16());
            told.failure = Some(fault.detail());
            match &fault {
                crate::fault::Fault::Denied(denial) => record.denial = Some(denial.reason.clone()),
                crate::fault::Fault::Function(failed) => record.error_page.clone_from(&failed.page),
                _ => {}
            }
        }
        Ok(Asked::Answered(delivery)) => {
            told.outcome = "generated".to_owned();
            told.status = match &*delivery {
                Delivery::Generated(response, _) | Delivery::Redirected(response) | Delivery::OfTheServer(response) => {
                    Some(response.status().as_u16())
                }
                Delivery::Answered(answer) | Delivery::ErrorPage(answer, _) => Some(answer.head.status.as_u16()),
            };
        }
        Ok(Asked::Cache(question)) => {
            at_the_cache(site, &question, &mut record, &mut told, wanted, mask).await;
        }
    }
    told.steps = RequestRecord::new(&record, mask);
    Ok(told)
}

/// From the cache on.
async fn at_the_cache(
    site: &Arc<Site>,
    question: &Question,
    record: &mut Record,
    told: &mut Explanation,
    wanted: &Wanted,
    mask: &Mask,
) {
    let Question { behavior, request, asked, buckets } = question;
    let keyed = key(&site.cache, behavior, request, buckets);
    drop(lifecycle::note_key(record, (request, asked.as_ref()), behavior, &keyed, buckets));
    let later = Duration::from_secs(wanted.later);
    let now = site.world.now();
    let now = crate::cache::Now { wall: now.wall + later, mono: now.mono + later };
    let peeked = if request.has_body {
        Peeked::Bypass(BypassReason::Body)
    } else {
        site.cache.peek(&ask(behavior, request, &keyed), now).await
    };
    judge(told, &peeked);
    if peeked == Peeked::Bypass(BypassReason::Range)
        && slices::begins(&site.cache, &ask(behavior, request, &keyed), now).is_some()
    {
        // It is not passed by: what is asked for then is stored.
        told.outcome = "miss".to_owned();
    }
    if matches!(peeked, Peeked::Miss(..)) {
        told.nearest = site.cache.nearest(&keyed.key, &request.headers, now).map(|near| masked(near, mask).into());
        let ttl = behavior.policy.ttl;
        let seconds = |time: Duration| time.as_secs();
        told.lifetime =
            Some(LifetimePart { min: seconds(ttl.min), default: seconds(ttl.default), max: seconds(ttl.max) });
    }
    let unrun = behavior
        .viewer_request
        .as_ref()
        .filter(|function| record.purpose == Purpose::ExplainLive && function.family() == Family::Lambda);
    told.not_run.extend(unrun.map(|function| function.name.clone()));
    if matches!(peeked, Peeked::Miss(..) | Peeked::Bypass(_)) {
        at_the_origin(site, question, &keyed, &peeked, told, mask);
    }
    told.key = Some(lookup_of(&keyed.key, &request.headers, wanted.later));
}

/// What the origin would be asked.
fn at_the_origin(
    site: &Arc<Site>,
    Question { behavior, request, .. }: &Question,
    keyed: &KeyedRequest,
    peeked: &Peeked,
    told: &mut Explanation,
    mask: &Mask,
) {
    let extent = match peeked {
        Peeked::Bypass(BypassReason::Policy | BypassReason::Method) => Extent::All,
        _ if behavior.policy.rules.forward_all => Extent::All,
        _ => Extent::Keyed,
    };
    let name = |function: &Option<Arc<crate::hooks::Function>>| function.as_ref().map(|function| function.name.clone());
    match forward::outgoing(site, behavior, request, keyed, extent) {
        Ok(outgoing) => {
            let place = &behavior.origin;
            let scheme = if place.description.https { "https" } else { "http" };
            let target = outgoing.target(&place.path_prefix);
            let target = match target.split_once('?') {
                Some((path, query)) => format!("{path}?{}", mask.query(query)),
                None => target,
            };
            told.origin = Some(OriginPart {
                name: place.name.clone(),
                method: outgoing.method.to_string(),
                url: format!("{scheme}://{}{target}", place.host.to_str().unwrap_or_default()),
                before: name(&behavior.origin_request),
                after: name(&behavior.origin_response),
            });
        }
        Err(fault) => {
            told.outcome = "error".to_owned();
            (told.status, told.failure) = (Some(fault.status().as_u16()), Some(fault.detail()));
        }
    }
}

fn judge(told: &mut Explanation, peeked: &Peeked) {
    let (outcome, stored, reason) = match *peeked {
        Peeked::Hit(stored) => ("hit", Some(stored), None),
        Peeked::Stale(stored) => ("stale", Some(stored), None),
        Peeked::Miss(reason, None) => ("miss", None, Some(reason.as_str())),
        Peeked::Miss(reason, Some(stored)) => ("expired", Some(stored), Some(reason.as_str())),
        Peeked::Bypass(reason) => (reason.outcome().as_str(), None, Some(reason.as_str())),
        Peeked::Failed(_) => ("error", None, Some("fetch-failed")),
        Peeked::NotCached => ("error", None, Some("only-if-cached")),
    };
    told.outcome = outcome.to_owned();
    told.stored = stored.map(StoredPart::from);
    told.reason = reason.map(str::to_owned);
    told.status = match peeked {
        Peeked::NotCached => Some(504),
        Peeked::Failed(status) => Some(status.as_u16()),
        _ => told.status,
    };
}

fn masked(near: Near, mask: &Mask) -> Near {
    let value = |part: &str, value: Option<String>| match part.split_once(' ') {
        Some(("cookie", _)) => value.map(|value| mask.cookie(&value)),
        Some(("header" | "vary", name)) => value.map(|value| mask.header(name, &value)),
        Some(("query", name)) => value.map(|value| {
            mask.query(&format!("{name}={value}"))
                .split_once('=')
                .map(|(_, value)| value.to_owned())
                .unwrap_or_default()
        }),
        _ => value,
    };
    let differs = near.differs.into_iter().map(|mut found| {
        found.ours = value(&found.part, found.ours);
        found.theirs = value(&found.part, found.theirs);
        found
    });
    Near { differs: differs.collect(), ..near }
}

fn lookup_of(key: &Key, headers: &HeaderMap, later: u64) -> Lookup {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let lines = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Lookup { key: BASE64_STANDARD.encode(key.bytes()), headers: lines.collect(), later }
}

/// Looks a key up that another process made.
///
/// # Errors
/// It is no key.
pub(crate) async fn stored(site: &Site, lookup: &Lookup) -> Result<Found, String> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let bytes = BASE64_STANDARD.decode(&lookup.key).map_err(|_| "key: expected base64".to_owned())?;
    let key = Key::from_bytes(&bytes).ok_or("key: made by another version of edgehook")?;
    let mut headers = HeaderMap::new();
    for (name, value) in &lookup.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let later = Duration::from_secs(lookup.later);
    let now = site.world.now();
    let now = crate::cache::Now { wall: now.wall + later, mono: now.mono + later };
    let found = site.cache.stored(&key, &headers, now).await;
    Ok(Found {
        fresh: found.is_some_and(|(_, fresh)| fresh),
        stored: found.map(|(stored, _)| stored.into()),
        nearest: site.cache.nearest(&key, &headers, now).map(|near| masked(near, &site.tracing.mask).into()),
    })
}
