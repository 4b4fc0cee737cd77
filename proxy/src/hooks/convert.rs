//! Between the proxy's messages and those of the contract, both ways.

use super::ReplacedHeaders;
use crate::{
    body::{self, Body},
    gate::Received,
    listener::Reason,
};
use bytes::Bytes;
use edgehook_contract::{Header, RequestMessage, ResponseMessage, standard_phrase};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header, response::Parts};

/// A body after a response hook.
#[derive(Debug)]
pub enum Replaced {
    /// The original, untouched.
    No(Body),
    /// What the function wrote.
    Yes(Bytes),
}

/// The request as functions see it.
pub fn request(request: &Received) -> RequestMessage {
    RequestMessage {
        method: request.method.as_str().to_owned(),
        uri: request.path.clone(),
        query: request.query.clone(),
        headers: headers(&request.headers),
    }
}

/// The response as functions see it.
pub(super) fn response(head: &Parts) -> ResponseMessage {
    ResponseMessage { status: head.status.as_u16(), reason: None, headers: headers(&head.headers) }
}

pub(crate) fn headers(map: &HeaderMap) -> Vec<Header> {
    map.iter()
        .map(|(name, value)| Header { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() })
        .collect()
}

/// What the contract has checked is a name and a value; anything else is left out rather than sent broken.
pub(crate) fn header_map(headers: &[Header]) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len());
    for header in headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(header.name.as_bytes()), HeaderValue::from_bytes(&header.value))
        {
            map.append(name, value);
        }
    }
    map
}

pub(super) fn apply_to_request(request: &mut Received, message: &RequestMessage) {
    request.path.clone_from(&message.uri);
    request.query.clone_from(&message.query);
    request.headers = header_map(&message.headers);
}

/// A response that a function made: its framing is ours.
pub(super) fn generated(message: &ResponseMessage, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status(message);
    *response.headers_mut() = header_map(&message.headers);
    set_length(response.headers_mut(), body.len());
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // A length would be told of the representation, which nobody here has seen (RFC 9110 section 8.6).
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    *response.body_mut() = body::full(body);
    response
}

pub(super) fn apply_to_response(
    head: &mut Parts,
    message: &ResponseMessage,
    body: Body,
    new: Option<Vec<u8>>,
    described: ReplacedHeaders,
) -> Replaced {
    let length = head.headers.get(header::CONTENT_LENGTH).cloned();
    let before = std::mem::replace(&mut head.headers, header_map(&message.headers));
    let given = head.status;
    head.status = status(message);
    let Some(bytes) = new else {
        // The body is as it was, so its length is what it was, whatever the function wrote.
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.remove(header::TRANSFER_ENCODING);
        if let Some(length) = length {
            head.headers.insert(header::CONTENT_LENGTH, length);
        }
        return Replaced::No(body);
    };
    // What described the old body and was not set anew does not describe the new one (lambda-edge.md 3.5).
    for name in [header::CONTENT_ENCODING, header::ETAG, header::CONTENT_RANGE, header::ACCEPT_RANGES] {
        let weak = name == header::ETAG && before.get(&name).is_some_and(|tag| tag.as_bytes().starts_with(b"W/"));
        if described == ReplacedHeaders::Drop
            && !weak
            && before.get(&name).is_some()
            && before.get(&name) == head.headers.get(&name)
        {
            head.headers.remove(&name);
        }
    }
    if given == StatusCode::PARTIAL_CONTENT && head.status == given {
        // The new body is no part of anything.
        head.status = StatusCode::OK;
        head.headers.remove(header::CONTENT_RANGE);
    }
    set_length(&mut head.headers, bytes.len());
    Replaced::Yes(bytes.into())
}

/// The reason phrase of a response that a function at a viewer hook left; it is never stored, like all else of that hook.
pub(super) fn reason(message: &ResponseMessage) -> Option<Reason> {
    message.reason.clone().filter(|text| text != standard_phrase(message.status)).map(Reason)
}

fn status(message: &ResponseMessage) -> StatusCode {
    StatusCode::from_u16(message.status).unwrap_or(StatusCode::BAD_GATEWAY)
}

pub(super) fn set_length(headers: &mut HeaderMap, length: usize) {
    headers.remove(header::TRANSFER_ENCODING);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}
