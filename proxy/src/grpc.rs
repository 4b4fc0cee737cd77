//! gRPC calls: requests over HTTP/2 whose messages go both ways at once, past the cache (http-cache.md 6.9).
//!
//! [`asked_for`] recognises a call, and a behavior with `grpc = true` serves it as one ([`is_call`]): the origin is asked over HTTP/2, the
//! clocks that judge slow bodies stand still, and what ends it early is told as gRPC tells it ([`failed`]). Everything else of a
//! request's life is as for others. Deliberately absent: messages. The edge does not know where one begins, and passes bytes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header, request};

use crate::body::{self, Body};
use crate::gate::Received;
use crate::site::Behavior;

/// Longest silence, both ways, before a call is cut: as for WebSockets.
pub(crate) const IDLE: Duration = crate::tunnel::IDLE;

/// Fields of the protocol, whatever else is forwarded.
pub(crate) const PROTOCOL_PREFIX: &str = "grpc-";

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// A request that may be served as a call. Clones are the same one: the listener has one, who serves the request the other.
#[derive(Clone, Debug, Default)]
pub struct Call(Arc<AtomicBool>);

impl Call {
    /// From now on its silence is no fault of the viewer.
    pub(crate) fn begin(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether it is served as a call.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Whether a request has the form of a call: a POST over HTTP/2 of `application/grpc`, or `application/grpc+` a format.
pub(crate) fn asked_for(head: &request::Parts) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = kind.strip_prefix(b"application/grpc");
    let is_grpc = rest.is_some_and(|rest| rest.first().is_none_or(|next| matches!(next, b'+' | b';' | b' ')));
    head.version == Version::HTTP_2 && head.method == Method::POST && is_grpc
}

/// Whether a request is served as a call.
pub(crate) fn is_call(behavior: &Behavior, request: &Received) -> bool {
    behavior.grpc && request.grpc.is_some()
}

/// How long the viewer gives the call (`grpc-timeout`): at most eight digits and a unit.
pub(crate) fn deadline(request: &HeaderMap) -> Option<Duration> {
    let (unit, digits) = request.get(TIMEOUT)?.as_bytes().split_last()?;
    let fits = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let number: u64 = std::str::from_utf8(digits).ok().filter(|_| fits)?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// The status of a call that comes to nothing, from the one that another request would get (as gRPC maps HTTP statuses; a method that is
/// not allowed is one that is not there, and what is too large exhausts a resource).
pub(crate) fn status(http: StatusCode) -> u8 {
    match http.as_u16() {
        400 => 13,                   // INTERNAL
        401 => 16,                   // UNAUTHENTICATED
        403 => 7,                    // PERMISSION_DENIED
        404 | 405 => 12,             // UNIMPLEMENTED
        408 => 1,                    // CANCELLED
        413 | 414 | 431 => 8,        // RESOURCE_EXHAUSTED
        429 | 502 | 503 | 504 => 14, // UNAVAILABLE
        _ => 2,                      // UNKNOWN
    }
}

/// The answer to a call that comes to nothing: status 200 and no message, only what else stands behind the messages.
pub(crate) fn failed(http: StatusCode, sentence: &'static str) -> Response<Body> {
    let mut response = Response::new(body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from(u16::from(status(http))));
    headers.insert(MESSAGE, HeaderValue::from_static(sentence));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::fields;

    fn is_asked(method: &str, version: Version, kind: &str) -> bool {
        let request = http::Request::builder().method(method).version(version).header("content-type", kind);
        asked_for(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_a_post_of_grpc_over_http2_is_a_call() {
        for (kind, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("application/json", false),
            ("", false),
        ] {
            assert_eq!(is_asked("POST", Version::HTTP_2, kind), expected, "{kind}");
        }
        assert!(!is_asked("POST", Version::HTTP_11, "application/grpc"));
        assert!(!is_asked("GET", Version::HTTP_2, "application/grpc"));
    }

    #[test]
    fn deadlines_have_a_unit_and_at_most_eight_digits() {
        let read = |text: &str| deadline(&fields(&[("grpc-timeout", text)]));
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("100000000H", None),
            ("S", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
        assert_eq!(deadline(&HeaderMap::new()), None);
    }

    #[test]
    fn what_fails_is_told_in_the_words_of_grpc() {
        let response = failed(StatusCode::BAD_GATEWAY, "Too bad.");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            (&response.headers()["grpc-status"], &response.headers()["grpc-message"]),
            (&"14".parse().unwrap(), &"Too bad.".parse().unwrap())
        );
        for (http, grpc) in
            [(401, 16), (403, 7), (404, 12), (405, 12), (429, 14), (503, 14), (504, 14), (500, 2), (400, 13)]
        {
            assert_eq!(status(StatusCode::from_u16(http).unwrap()), grpc, "{http}");
        }
    }
}
