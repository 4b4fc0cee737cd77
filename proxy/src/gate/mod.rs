//! The gate: every request passes here before anything else looks at it.
//!
//! [`receive`] turns what the listener read into a [`Received`] request with one host, one canonical path and no field
//! that a viewer may not set, or refuses it. Routing, cache key, functions and origin all see the same canonical form
//! (http-cache.md 7.1), so no two parts of the edge can read one request differently.
//!
//! Absent on purpose: configuration. What the gate refuses, it refuses everywhere.

mod fields;
mod host;
mod path;

pub use host::Host;
pub(crate) use path::{Loosened, canonical as canonical_path, loosened};

use crate::{
    auth::signed,
    body::Body,
    fault::{Fault, Refusal},
    grpc::{self, Call},
    interim::Interim,
    listener::{Connection, Scheme},
    tunnel,
};
use http::{HeaderMap, Method, Request, Version, header};
use http_body::Body as _;
use std::{net::IpAddr, sync::Arc};

/// Longest method name that is looked at (security.md S17).
const METHOD_LIMIT: usize = 32;

/// A request as the rest of the edge sees it. Functions may change path, query, fields; never host, scheme or peer.
/// The body travels beside it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The host that was asked for.
    pub host: Host,
    /// Canonical path.
    pub path: String,
    /// Query without `?`; `None` when there was no `?`.
    pub query: Option<String>,
    /// Fields, without hop-by-hop ones and those that only the edge may set.
    pub headers: HeaderMap,
    /// The viewer's address.
    pub viewer: IpAddr,
    /// The protocol that the viewer speaks.
    pub version: Version,
    /// Where interim responses go, if the viewer can take them.
    pub interim: Option<Interim>,
    /// A GET or HEAD with a body; its behavior decides what becomes of it (security.md S09).
    pub has_body: bool,
    /// It asks for a WebSocket; its behavior decides whether that is an upgrade or a plain GET.
    pub websocket: bool,
    /// It has the form of a gRPC call; its behavior decides whether it is served as one.
    pub grpc: Option<Call>,
}

/// Checks and normalises a request.
///
/// # Errors
/// The request is refused; [`Refusal`] says why and with which status.
pub fn receive(connection: &Arc<Connection>, request: Request<Body>) -> Result<(Box<Received>, Body), Fault> {
    let (mut parts, body) = request.into_parts();
    check_method(&parts.method)?;
    let host = host::of(&parts.uri, &parts.headers, parts.version)?;
    check_expectation(&parts.headers)?;
    let bodiless = parts.method == Method::GET || parts.method == Method::HEAD;
    let has_body = bodiless && carries_body(&parts.headers, &body);
    let websocket = !has_body && tunnel::asked_for(&parts);
    let grpc = grpc::asked_for(&parts).then(|| parts.extensions.remove().unwrap_or_default());
    fields::check(&parts.headers)?;
    fields::strip(&mut parts.headers);
    let path = path::canonical(parts.uri.path())?;
    let query = parts.uri.query().map(str::to_owned);
    if path.len() + query.as_ref().map_or(0, String::len) >= edgehook_contract::TARGET_LIMIT {
        return Err(Refusal::TargetTooLong.into());
    }
    if query.as_deref().is_some_and(|query| query.bytes().any(|byte| byte.is_ascii_control() || byte == b' ')) {
        return Err(Refusal::BadTarget.into());
    }
    if !parts.headers.contains_key(header::HOST) {
        // On HTTP/2 the host comes from `:authority` (cloudfront-functions.md 3).
        parts.headers.insert(header::HOST, host.to_value());
    }
    let received = Received {
        method: parts.method,
        scheme: connection.scheme,
        host,
        path,
        query,
        headers: parts.headers,
        viewer: connection.peer.ip().to_canonical(),
        version: parts.version,
        interim: parts.extensions.remove(),
        has_body,
        websocket,
        grpc,
    };
    Ok((Box::new(received), body))
}

/// An absolute address in the form in which a request for it is routed; `None` where none would be let in. Fragments and the
/// parameters of a signature are no part of it.
pub(crate) fn address(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let path = path::canonical(if path.is_empty() { "/" } else { path }).ok()?;
    let signed = |pair: &str| signed::PARAMETERS.iter().any(|name| pair.split('=').next() == Some(name));
    let fits = |query: &str| {
        query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'"' && byte != b'\\')
    };
    if query.is_some_and(|query| !fits(query) || query.split('&').any(signed)) {
        return None;
    }
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{scheme}://{}{path}{query}", Host::parse(authority)?.authority()))
}

fn check_method(method: &Method) -> Result<(), Fault> {
    if *method == Method::CONNECT {
        return Err(Fault::MethodNotAllowed { allow: "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE".to_owned() });
    }
    let name = method.as_str();
    if name.len() > METHOD_LIMIT || !name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return Err(Refusal::MethodUnknown.into());
    }
    Ok(())
}

/// `100-continue` is answered by the listener when the body is read; nothing else is understood (security.md S10).
fn check_expectation(headers: &HeaderMap) -> Result<(), Fault> {
    let mut values = headers.get_all(header::EXPECT).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(()),
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Ok(()),
        _ => Err(Refusal::Expectation.into()),
    }
}

fn carries_body(headers: &HeaderMap, body: &Body) -> bool {
    let announced = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    announced || headers.contains_key(header::TRANSFER_ENCODING) || !body.is_end_stream()
}

#[cfg(test)]
mod tests;
