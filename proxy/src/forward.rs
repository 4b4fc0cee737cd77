//! The request as the origin gets it: which of the viewer's fields go on, and what the edge adds.
//!
//! On a route that caches, only what is in the cache key goes on (and `Authorization`, which storing is guarded against), so
//! that nothing a viewer sends can change an answer that others get (http-cache.md 7.2). An origin request policy names what
//! else goes on. Where the answer is not stored
//! because the policy or the method says so, all end-to-end fields go on, apart from `Host`.

use crate::{
    cache::{KeyedRequest, Selection},
    edge_fields,
    fault::{Fault, Refusal},
    gate::Received,
    grpc, hooks,
    origin::SecondTry,
    site::{Behavior, RequestPolicy, Site},
    tunnel,
};
use edgehook_contract::RequestMessage;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields by which a viewer could make the origin take a request for another one (http-cache.md 7.2).
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// A request without its body, on its way to an origin.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// The path, without the origin's prefix.
    pub path: String,
    /// The query.
    pub query: Option<String>,
    /// The fields.
    pub headers: HeaderMap,
    /// The origin is asked for a WebSocket.
    pub websocket: bool,
    /// The origin is asked over HTTP/2, for a gRPC call.
    pub grpc: bool,
    /// The leave to send it once more.
    pub again: SecondTry,
}

/// How much of the viewer's request goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What is in the cache key, and the request's conditions and range; a ticket takes those out again where the answer is
    /// for others too.
    Keyed,
    /// Everything end-to-end.
    All,
}

/// Fields that make an answer depend on what the viewer has.
pub(crate) const CONDITIONS: [HeaderName; 6] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];

/// Fields that describe a body and go wherever it goes.
const OF_BODIES: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE, header::CONTENT_LENGTH];

/// Fields of the viewer's request that no selection passes on: they have a place of their own, or were dealt with.
const NOT_SELECTED: [HeaderName; 2] = [header::COOKIE, header::ACCEPT_ENCODING];

/// Builds the request for the behavior's origin.
///
/// # Errors
/// The request has been at this edge before.
pub fn outgoing(
    site: &Site,
    behavior: &Behavior,
    request: &Received,
    keyed: &KeyedRequest,
    extent: Extent,
) -> Result<Outgoing, Fault> {
    let origin = &behavior.origin;
    let chosen = behavior.request_policy.as_ref().filter(|_| !behavior.policy.rules.forward_all);
    let mut headers = match extent {
        Extent::All if chosen.is_none() => request.headers.clone(),
        Extent::All | Extent::Keyed => selected_fields(behavior, request, keyed, chosen),
    };
    if extent == Extent::All && chosen.is_some() {
        copy_fields(&OF_BODIES, &request.headers, &mut headers);
    }
    let websocket = behavior.websocket && request.websocket;
    let grpc = grpc::is_call(behavior, request);
    for (_, prefix) in [(websocket, tunnel::HANDSHAKE_PREFIX), (grpc, grpc::PROTOCOL_PREFIX)].iter().filter(|it| it.0) {
        let handshake = |name: &&HeaderName| name.as_str().starts_with(prefix);
        let names: Vec<HeaderName> = request.headers.keys().filter(handshake).cloned().collect();
        copy_fields(&names, &request.headers, &mut headers);
    }
    let query = match (extent, chosen) {
        (Extent::All, None) => request.query.clone(),
        (_, Some(policy)) if policy.query != Selection::None => selected_query(behavior, request, policy),
        _ => keyed.query.clone(),
    };
    for name in METHOD_OVERRIDES {
        headers.remove(name);
    }
    let passes_host = chosen.is_some_and(|policy| policy.headers.takes_ignoring_case("host"));
    if origin.host_is_chosen || (!keyed.headers.contains(&header::HOST) && !passes_host) {
        headers.insert(header::HOST, origin.host.clone());
    }
    if !headers.contains_key(header::USER_AGENT) {
        headers.insert(header::USER_AGENT, site.user_agent.clone());
    }
    // What others say about the viewer may not change an answer that is for everybody (security.md C01).
    let named = chosen.is_some_and(|policy| policy.headers.takes_ignoring_case(X_FORWARDED_FOR.as_str()));
    let chained = extent == Extent::All || named || keyed.headers.contains(&X_FORWARDED_FOR);
    add_edge_fields(site, request, chained, &mut headers)?;
    Ok(Outgoing {
        method: request.method.clone(),
        path: request.path.clone(),
        query,
        headers,
        websocket,
        grpc,
        again: SecondTry::default(),
    })
}

/// What is in the key, the request's conditions, and what an origin request policy names besides.
fn selected_fields(
    behavior: &Behavior,
    request: &Received,
    keyed: &KeyedRequest,
    chosen: Option<&RequestPolicy>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    copy_fields(&keyed.headers, &request.headers, &mut headers);
    copy_fields(&CONDITIONS, &request.headers, &mut headers);
    copy_fields(&[header::AUTHORIZATION], &request.headers, &mut headers);
    if !behavior.policy.normalise.codings.is_empty() {
        copy_fields(&[header::ACCEPT_ENCODING], &request.headers, &mut headers);
    }
    let Some(policy) = chosen else {
        if let Some(cookies) = keyed.cookies.as_deref().and_then(|cookies| HeaderValue::from_str(cookies).ok()) {
            headers.insert(header::COOKIE, cookies);
        }
        return headers;
    };
    let by_policy = |name: &&HeaderName| {
        let own = name.as_str().starts_with(edge_fields::PREFIX) || behavior.asked.has(name);
        let listed = policy.edge_headers.iter().any(|listed| listed == name.as_str());
        !NOT_SELECTED.contains(name) && if own { listed } else { policy.headers.takes_ignoring_case(name.as_str()) }
    };
    let names: Vec<HeaderName> = request.headers.keys().filter(by_policy).cloned().collect();
    copy_fields(&names, &request.headers, &mut headers);
    let cookies = selected_cookies(request, |name| behavior.policy.cookies.takes(name) || policy.cookies.takes(name));
    if let Ok(cookies) = HeaderValue::from_str(&cookies)
        && !cookies.is_empty()
    {
        headers.insert(header::COOKIE, cookies);
    }
    headers
}

/// Copies fields that are not there yet.
fn copy_fields(names: &[HeaderName], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names {
        if to.contains_key(name) {
            continue;
        }
        for value in from.get_all(name) {
            to.append(name.clone(), value.clone());
        }
    }
}

/// The viewer's cookies whose name is taken, in its order.
fn selected_cookies(request: &Received, takes: impl Fn(&str) -> bool) -> String {
    let lines = request.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines
        .flat_map(|line| line.split(';'))
        .map(str::trim)
        .filter(|cookie| !cookie.is_empty() && takes(cookie.split_once('=').map_or(*cookie, |(name, _)| name)));
    cookies.collect::<Vec<_>>().join("; ")
}

/// The parameters that are in the key or that the policy names, evened out as those in the key are.
fn selected_query(behavior: &Behavior, request: &Received, policy: &RequestPolicy) -> Option<String> {
    let takes = |name: &str| behavior.policy.query.takes(name) || policy.query.takes(name);
    let query = request.query.as_ref()?;
    let pairs = query.split('&').filter(|pair| takes(pair.split_once('=').map_or(*pair, |(name, _)| name)));
    let chosen = behavior.policy.normalise.query(pairs.collect::<Vec<_>>().join("&"));
    (!chosen.is_empty()).then_some(chosen)
}

/// Fields that tell the origin about the viewer and the way the request took; `chained`: with what proxies before us said of it.
fn add_edge_fields(site: &Site, request: &Received, chained: bool, headers: &mut HeaderMap) -> Result<(), Fault> {
    let text = |text: String| HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
    let listed = |name: &HeaderName| -> Vec<String> {
        request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    };
    let mut chain = if chained { listed(&X_FORWARDED_FOR) } else { Vec::new() };
    chain.push(request.viewer.to_string());
    headers.insert(X_FORWARDED_FOR, text(chain.join(", ")));
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(request.scheme.as_str()));
    headers.insert(X_FORWARDED_HOST, text(request.host.authority()));
    let mut hops = listed(&CDN_LOOP);
    let own = |member: &str| member.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(&site.node);
    if hops.iter().flat_map(|line| line.split(',')).filter(|member| own(member)).count() > 1 {
        return Err(Refusal::Loop.into());
    }
    hops.push(site.node.clone());
    headers.insert(CDN_LOOP, text(hops.join(", ")));
    let mut via = listed(&header::VIA);
    via.push(via_member(&site.node, request.version));
    headers.insert(header::VIA, text(via.join(", ")));
    Ok(())
}

/// `1.1 node (edgehook)` (http-cache.md 6.8).
#[must_use]
pub fn via_member(node: &str, version: http::Version) -> String {
    let version = match version {
        http::Version::HTTP_2 => "2.0",
        http::Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    format!("{version} {node} (edgehook)")
}

impl Outgoing {
    /// As functions see it.
    #[must_use]
    pub fn to_message(&self) -> RequestMessage {
        RequestMessage {
            method: self.method.as_str().to_owned(),
            uri: self.path.clone(),
            query: self.query.clone(),
            headers: hooks::contract_headers(&self.headers),
        }
    }

    /// As a function left it.
    pub fn apply(&mut self, message: &RequestMessage) {
        self.path.clone_from(&message.uri);
        self.query.clone_from(&message.query);
        self.headers = hooks::header_map(&message.headers);
    }

    /// A new body's length.
    pub fn set_length(&mut self, length: usize) {
        self.headers.remove(header::TRANSFER_ENCODING);
        self.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }

    /// Path and query behind a prefix.
    #[must_use]
    pub fn target(&self, prefix: &str) -> String {
        match &self.query {
            None => format!("{prefix}{}", self.path),
            Some(query) => format!("{prefix}{}?{query}", self.path),
        }
    }
}
