//! Fields that a viewer sends and that must not reach anyone as they came.

use crate::fault::{Fault, Refusal};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Fields of one connection only (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Fields that only an edge may set; origins believe them (http-cache.md 7.2, security.md C01 and C14).
const EDGE_OWNED: [&str; 14] = [
    "expect",
    "forwarded",
    "x-cache",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-host",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
    "proxy-authenticate",
];

const EDGE_OWNED_PREFIXES: [&str; 3] = ["x-edge-", "x-amz-cf-", "cloudfront-"];

/// Fields that `Connection` may not name: dropping them would change what the request means (security.md C13).
const PROTECTED: [&str; 7] =
    ["host", "authorization", "cookie", "content-length", "transfer-encoding", "x-forwarded-for", "cache-control"];

/// Refuses fields that mean different things to different readers.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Fault> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let is_number = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        !bytes.is_empty() && bytes.len() < 20 && bytes.iter().all(u8::is_ascii_digit)
    };
    if lengths.next().is_some_and(|first| !is_number(first)) || lengths.next().is_some() {
        return Err(Refusal::BadField.into());
    }
    if headers.contains_key(header::CONTENT_LENGTH) && headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal::BadField.into());
    }
    for name in headers.keys().filter(|name| name.as_str().contains('_')) {
        // `Content_Length` and `Content-Length` are one variable to many origins (security.md S03).
        let folded = name.as_str().replace('_', "-");
        if PROTECTED.contains(&folded.as_str()) || is_edge_owned(&folded) {
            return Err(Refusal::BadField.into());
        }
    }
    let protected =
        |name: &str| PROTECTED.contains(&name) || EDGE_OWNED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if nominated(headers).any(|name| protected(name.as_str())) {
        return Err(Refusal::BadField.into());
    }
    Ok(())
}

/// Removes hop-by-hop fields, fields that `Connection` names, and fields that only the edge may set.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = nominated(headers).collect();
    let goes = |name: &&HeaderName| HOP_BY_HOP.contains(name) || is_edge_owned(name.as_str());
    let own: Vec<HeaderName> = headers.keys().filter(goes).cloned().collect();
    for name in named.iter().chain(&own) {
        headers.remove(name);
    }
}

fn is_edge_owned(name: &str) -> bool {
    EDGE_OWNED.contains(&name) || EDGE_OWNED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn nominated(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
}
