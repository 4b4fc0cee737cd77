//! Trailers: fields behind a body (RFC 9110, section 6.5; http-cache.md 3.17).
//!
//! They are never merged into the header. [`kept`] says which of an origin's go on; the cache keeps them with the body, and
//! the listener sends them where they can be taken. Over HTTP/1.1 they have to be announced in front of the body, so what
//! the origin announced travels as [`Announced`]. Deliberately absent: trailers of viewers, which are dropped (security.md S14).

use std::future::ready;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::BodyExt as _;

use crate::body::Body;

/// Bytes of names and values that go on; more of them is none.
const MOST: usize = 8 * 1024;

/// Fields of framing, routing, credentials and caching, which mean nothing behind a body or too much.
const REFUSED: [HeaderName; 30] = [
    header::AGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CACHE_STATUS,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::EXPECT,
    header::EXPIRES,
    header::HOST,
    header::LOCATION,
    header::MAX_FORWARDS,
    header::PRAGMA,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VARY,
    header::VIA,
    header::WARNING,
    header::WWW_AUTHENTICATE,
];

/// Beginnings of names that are refused too: tags, targeted cache control, what only an edge may say.
const REFUSED_PREFIXES: [&str; 8] =
    ["cache-", "cdn-", "edgehook-", "if-", "keep-", "proxy-", "surrogate-", "x-amz-cf-"];

/// What of an origin's trailers goes on.
pub(crate) fn kept(mut trailers: HeaderMap) -> Option<HeaderMap> {
    let is_refused = |name: &&HeaderName| {
        REFUSED.contains(name) || REFUSED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix))
    };
    let refused: Vec<HeaderName> = trailers.keys().filter(is_refused).cloned().collect();
    refused.iter().for_each(|name| drop(trailers.remove(name)));
    let bytes: usize = trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (!trailers.is_empty() && bytes <= MOST).then_some(trailers)
}

/// Whether a request's fields say that trailers can be taken (`TE: trailers`).
pub(crate) fn are_taken(request: &HeaderMap) -> bool {
    let words = request.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    words.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("trailers"))
}

/// The names of trailers that will follow, as the field `Trailer` says them.
#[derive(Clone, Debug)]
pub(crate) struct Announced(pub(crate) HeaderValue);

impl Announced {
    /// What a response's fields announce.
    pub(crate) fn by(response: &HeaderMap) -> Option<Self> {
        response.get(header::TRAILER).cloned().map(Self)
    }

    /// The names of trailers that are known.
    pub(crate) fn of(trailers: &HeaderMap) -> Option<Self> {
        let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        HeaderValue::try_from(names.join(", ")).ok().map(Self)
    }
}

/// A body with trailers behind it.
pub(crate) fn behind(body: Body, trailers: HeaderMap) -> Body {
    body.with_trailers(ready(Some(Ok(trailers)))).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::fields;

    #[test]
    fn what_says_too_much_does_not_go_on() {
        let some = fields(&[
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=b"),
            ("cache-control", "public"),
            ("cdn-cache-control", "max-age=9"),
            ("surrogate-key", "a"),
            ("host", "b"),
            ("x-checksum", "1"),
            ("x-checksum", "2"),
            ("grpc-status", "0"),
        ]);
        let expected = fields(&[("x-checksum", "1"), ("x-checksum", "2"), ("grpc-status", "0")]);
        assert_eq!(kept(some), Some(expected));
        assert_eq!(kept(fields(&[("content-length", "5")])), None);
        assert_eq!(kept(HeaderMap::new()), None);
        let long = |length: usize| fields(&[("x-a", &"y".repeat(length))]);
        assert!(kept(long(MOST - 3)).is_some());
        assert!(kept(long(MOST - 2)).is_none());
    }

    #[test]
    fn te_is_a_list() {
        assert!(are_taken(&fields(&[("te", "gzip;q=0.5, Trailers")])));
        assert!(are_taken(&fields(&[("te", "gzip"), ("te", "trailers")])));
        assert!(!are_taken(&fields(&[("te", "gzip, trailersx")])));
        assert!(!are_taken(&HeaderMap::new()));
    }
}
