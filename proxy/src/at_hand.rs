//! The short way of the plainest requests: those that a fresh response in memory answers, where no function, rule about viewers or experiment
//! has a say.
//!
//! [`answer`] takes the same decisions as `Edge::serve` and `lifecycle::run`, by the same functions, and writes head and body as they go over the
//! wire. It is asked first; at the first thing that it does not know it gives up, and the request goes the ordinary way
//! as if nothing had been. Invariant: the answer is the one that the ordinary way gives, counted the same; a property
//! test sends random requests both ways. Deliberately absent: whatever has to be waited for, access log; records are made later (`drawn`).

use crate::{
    access::{self, Access},
    cache::{AtHand, Selection},
    debug::Debug,
    deliver,
    drawn::Drawn,
    edge::Edge,
    edge_fields,
    gate::{self, Host, Received},
    invalidate::key,
    lifecycle,
    listener::{Connection, Plain, has_no_effect},
    record::{BODY_LIMIT, Records},
    site::{Behavior, Site},
};
use bytes::Bytes;
use edgehook_contract::TARGET_LIMIT;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use std::{io::Write as _, sync::Arc};

/// Room for a head; longer ones make it grow.
const HEAD: usize = 640;

/// Bodies up to this length are copied behind the head: that costs less than a second piece to be written.
const JOINED: usize = 4 << 10;

/// The answer to `request`, if it is at hand.
pub(crate) fn answer(edge: &Arc<Edge>, connection: &Arc<Connection>, request: &Plain<'_>) -> Option<(Vec<u8>, Bytes)> {
    if edge.watches_everything() {
        return None;
    }
    let current = edge.current();
    let site = &*current;
    let asks = |debug: &Debug| has_no_effect(debug.header().as_str().as_bytes());
    if site.debug.as_ref().is_some_and(asks) {
        return None;
    }
    if site.dev || !site.experiments.is_empty() || site.header_prefix != edge_fields::PREFIX {
        return None;
    }
    let now = site.world.now();
    let mut received = received(connection, request)?;
    let behavior = site.behavior(&received).ok()?;
    if !is_simple(&behavior) {
        return None;
    }
    let Access::Granted = access::authorize(site, &behavior, &received).ok()? else { return None };
    lifecycle::substitute_root(site, &mut received);
    behavior.policy.normalise.fields(&mut received.headers);
    let rules = &behavior.policy.rules;
    let key = key(&site.cache, &behavior, &received, &[]).key;
    let found = site.cache.at_hand(&key, &received.headers, rules, now)?;
    let id = site.world.request_id();
    let body = found.body.as_ref();
    let joined = body.len() <= JOINED;
    let mut head = Vec::with_capacity(HEAD + if joined { body.len() } else { 0 });
    head.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    write_head(&mut head, site, &id, &found, found.fields(rules));
    let _first = connection.begin_request();
    let time = now.mono.elapsed();
    edge.count_hit(site, &behavior, StatusCode::OK, time);
    if site.tracing.is_drawn(&id) {
        let body = site.tracing.bodies.then(|| Bytes::copy_from_slice(body.get(..=BODY_LIMIT).unwrap_or(body)));
        let (request, response) = (request.head.into(), head.as_slice().into());
        let (connection, site, report) = (connection.clone(), Arc::clone(site), found.report);
        draw(edge, Drawn { id, at: now, time, connection, site, request, response, body, report });
    }
    if joined {
        head.extend_from_slice(body);
        return Some((head, Bytes::new()));
    }
    Some((head, found.body.into()))
}

/// Has a record made of the request, with others if more are to come soon.
#[cold]
fn draw(edge: &Arc<Edge>, drawn: Drawn) {
    let full = edge.records.take_later(Box::new(|records: &Records| drawn.leave(records)));
    if full {
        let edge = edge.clone();
        tokio::task::spawn_blocking(move || edge.records.settle());
    }
}

/// The request as the gate would have it, but for fields that nobody is going to look at.
fn received(connection: &Connection, request: &Plain<'_>) -> Option<Received> {
    let path = gate::canonical_path(request.path).ok()?;
    if path.len() + request.query.map_or(0, str::len) >= TARGET_LIMIT {
        return None;
    }
    let mut headers = HeaderMap::new();
    if let Some(codings) = request.codings {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(codings).ok()?);
    }
    Some(Received {
        method: Method::GET,
        scheme: connection.scheme,
        host: Host::parse(request.host)?,
        path,
        query: request.query.map(str::to_owned),
        headers,
        viewer: connection.peer.ip().to_canonical(),
        version: Version::HTTP_11,
        interim: None,
        has_body: false,
        websocket: false,
        grpc: None,
    })
}

/// Whether nothing of this behavior looks at more of a request than its address.
fn is_simple(behavior: &Behavior) -> bool {
    let Behavior { policy, admission, .. } = behavior;
    behavior.viewer_request.is_none()
        && behavior.viewer_response.is_none()
        && behavior.response_headers.is_none()
        && behavior.asked.is_empty()
        && admission.is_open()
        && !policy.is_disabled()
        && policy.headers == Selection::None
        && policy.cookies == Selection::None
}

/// Writes the fields of the answer and the empty line.
fn write_head<'a>(
    head: &mut Vec<u8>,
    site: &Site,
    id: &str,
    found: &AtHand,
    stored: impl Iterator<Item = (crate::cache::FieldName<'a>, &'a [u8])>,
) {
    for (name, value) in stored {
        let name = name.as_str();
        if !deliver::replaces(site, name) {
            field(head, name, value);
        }
    }
    // Writing into a Vec cannot fail.
    let _ = write!(head, "Age: {}\r\nContent-Length: {}\r\n", found.report.age.as_secs(), found.body.as_ref().len());
    deliver::write_marks(head, site, id, &found.report, field);
    head.extend_from_slice(b"\r\n");
}

/// Writes a field, its name in the case that HTTP/1 answers have here.
fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    let mut before = b'-';
    head.extend(name.bytes().map(|byte| {
        let byte = if before == b'-' { byte.to_ascii_uppercase() } else { byte };
        before = byte;
        byte
    }));
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}
