//! The request as the origin gets it: which of the viewer's fields go on, and what the edge adds.
//!
//! On a route that caches, only what is in the cache key goes on (and `Authorization`, which storing is guarded against), so
//! that nothing a viewer sends can change an answer that others get (http-cache.md 7.2). Where the answer is not stored
//! because the policy or the method says so, all end-to-end fields go on, apart from `Host`.

use crate::{
    cache::KeyedRequest,
    fault::{Fault, Refusal},
    gate::Received,
    hooks,
    site::{Site, SiteOrigin},
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

const CONDITIONS: [HeaderName; 6] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];

/// Builds the request for `origin`.
///
/// # Errors
/// The request has been at this edge before.
pub fn outgoing(
    site: &Site,
    origin: &SiteOrigin,
    request: &Received,
    keyed: &KeyedRequest,
    extent: Extent,
) -> Result<Outgoing, Fault> {
    let mut headers = match extent {
        Extent::All => request.headers.clone(),
        Extent::Keyed => keyed_fields(request, keyed),
    };
    let query = if extent == Extent::All { request.query.clone() } else { keyed.query.clone() };
    for name in METHOD_OVERRIDES {
        headers.remove(name);
    }
    if !keyed.headers.contains(&header::HOST) {
        headers.insert(header::HOST, origin.host.clone());
    }
    if !headers.contains_key(header::USER_AGENT) {
        headers.insert(header::USER_AGENT, site.user_agent.clone());
    }
    add_edge_fields(site, request, &mut headers)?;
    Ok(Outgoing { method: request.method.clone(), path: request.path.clone(), query, headers })
}

fn keyed_fields(request: &Received, keyed: &KeyedRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in keyed.headers.iter().chain(&CONDITIONS).chain([&header::AUTHORIZATION]) {
        if headers.contains_key(name) {
            continue;
        }
        for value in request.headers.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    if let Some(cookies) = keyed.cookies.as_deref().and_then(|cookies| HeaderValue::from_str(cookies).ok()) {
        headers.insert(header::COOKIE, cookies);
    }
    headers
}

/// Fields that tell the origin about the viewer and the way the request took.
fn add_edge_fields(site: &Site, request: &Received, headers: &mut HeaderMap) -> Result<(), Fault> {
    let text = |text: String| HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
    let listed = |name: &HeaderName| -> Vec<String> {
        request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
    };
    let mut chain = listed(&X_FORWARDED_FOR);
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
    via.push(via_member(site, request.version));
    headers.insert(header::VIA, text(via.join(", ")));
    Ok(())
}

/// `1.1 node (edgehook)` (http-cache.md 6.8).
#[must_use]
pub fn via_member(site: &Site, version: http::Version) -> String {
    let version = match version {
        http::Version::HTTP_2 => "2.0",
        http::Version::HTTP_10 => "1.0",
        _ => "1.1",
    };
    format!("{version} {} (edgehook)", site.node)
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
