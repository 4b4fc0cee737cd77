//! Compression of answers on their way into the cache (http-cache.md 6.4).
//!
//! [`apply`] looks at one answer of the origin and, if it is worth it and permitted, wraps its body in an encoder; what is
//! stored is the compressed answer, under a key that holds the codings that the viewer takes. Deliberately absent: which
//! codings those are (the cache key knows) and decompression: what comes compressed stays as it is.

use crate::trailers::Announced;
use crate::{
    body::{self, Body, BodyError, Delimited},
    cache::Coding,
};
use async_compression::{
    Level,
    tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder},
};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, response::Parts};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

/// Bodies of known length that are compressed, in bytes.
const SIZES: std::ops::RangeInclusive<u64> = 1_000..=10_000_000;

/// Bytes that the encoder hands on at a time.
const PIECE: usize = 16 * 1024;

/// Quality of each coding: what pays while a viewer waits.
const BROTLI: Level = Level::Precise(5);
const GZIP: Level = Level::Precise(6);
const ZSTD: Level = Level::Precise(3);

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// Types that are compressed, within their trees.
const APPLICATION: [&str; 31] = [
    "dash+xml",
    "eot",
    "font",
    "font-sfnt",
    "javascript",
    "json",
    "ld+json",
    "manifest+json",
    "opentype",
    "otf",
    "pkcs7-mime",
    "protobuf",
    "rss+xml",
    "truetype",
    "ttf",
    "vnd.apple.mpegurl",
    "vnd.mapbox-vector-tile",
    "vnd.ms-fontobject",
    "wasm",
    "xhtml+xml",
    "xml",
    "x-font-opentype",
    "x-font-truetype",
    "x-font-ttf",
    "x-httpd-cgi",
    "x-javascript",
    "x-mpegurl",
    "x-opentype",
    "x-otf",
    "x-perl",
    "x-ttf",
];
const TEXT: [&str; 12] = [
    "css",
    "csv",
    "html",
    "javascript",
    "js",
    "plain",
    "richtext",
    "tab-separated-values",
    "xml",
    "x-component",
    "x-java-source",
    "x-script",
];
const FONT: [&str; 4] = ["eot", "opentype", "otf", "ttf"];

/// Compresses an answer for viewers who take one of `codings`, the best first, if it may and should be.
pub(crate) fn apply(codings: &[Coding], head: &mut Parts, body: &mut Body, delimited: &mut Delimited) {
    if !is_worth_it(head, *delimited) {
        return;
    }
    let headers = &mut head.headers;
    add_vary(headers);
    let Some(coding) = codings.first().copied() else { return };
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.as_str()));
    for name in [header::CONTENT_LENGTH, header::ACCEPT_RANGES, CONTENT_MD5] {
        headers.remove(name);
    }
    weaken(headers);
    head.extensions.remove::<Announced>(); // what follows the body is of the other bytes, and is left out
    *body = encoded(coding, std::mem::replace(body, body::empty()));
    if !matches!(delimited, Delimited::Close) {
        *delimited = Delimited::Chunked;
    }
}

/// Says that an answer depends on the codings that its viewer takes, whether it was compressed or only could have been.
fn add_vary(headers: &mut HeaderMap) {
    let mut members = headers.get_all(header::VARY).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let named = members.any(|member| {
        let member = member.trim_ascii();
        member == b"*" || member.eq_ignore_ascii_case(b"accept-encoding")
    });
    if !named {
        headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

fn is_worth_it(head: &Parts, delimited: Delimited) -> bool {
    let headers = &head.headers;
    let status = matches!(head.status, StatusCode::OK | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
    let size = match delimited {
        Delimited::Length(length) => SIZES.contains(&length),
        Delimited::Chunked | Delimited::Close => true,
        Delimited::None => false,
    };
    status
        && size
        && !headers.contains_key(header::CONTENT_ENCODING)
        && may_transform(headers)
        && has_listed_type(headers)
}

fn may_transform(headers: &HeaderMap) -> bool {
    let mut members =
        headers.get_all(header::CACHE_CONTROL).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    !members.any(|member| member.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

fn has_listed_type(headers: &HeaderMap) -> bool {
    let stated = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("application", kind)) => APPLICATION.contains(&kind),
        Some(("text", kind)) => TEXT.contains(&kind),
        Some(("font", kind)) => FONT.contains(&kind),
        Some(("image", kind)) => kind == "svg+xml",
        _ => essence == "vnd.apple.mpegurl",
    }
}

/// The compressed bytes are others than those that the tag was made for; one that is no tag at all goes.
fn weaken(headers: &mut HeaderMap) {
    let Some(tag) = headers.get(header::ETAG).map(|tag| tag.as_bytes().to_vec()) else { return };
    if tag.starts_with(b"W/\"") {
        return;
    }
    let whole = tag.len() >= 2 && tag.starts_with(b"\"") && tag.ends_with(b"\"");
    match HeaderValue::from_bytes(&[b"W/", tag.as_slice()].concat()) {
        Ok(weak) if whole => drop(headers.insert(header::ETAG, weak)),
        _ => drop(headers.remove(header::ETAG)),
    }
}

/// The body in a coding. Its errors pass through, so that a cut body stays one.
fn encoded(coding: Coding, body: Body) -> Body {
    let pieces = Pieces(body).map_err(io::Error::other);
    let reader = StreamReader::new(pieces);
    let encoder: Pin<Box<dyn AsyncRead + Send>> = match coding {
        Coding::Brotli => Box::pin(BrotliEncoder::with_quality(reader, BROTLI)),
        Coding::Gzip => Box::pin(GzipEncoder::with_quality(reader, GZIP)),
        Coding::Zstd => Box::pin(ZstdEncoder::with_quality(reader, ZSTD)),
    };
    let original = |error: io::Error| {
        error.get_ref().and_then(|error| error.downcast_ref::<BodyError>()).copied().unwrap_or(BodyError::Origin)
    };
    let frames = ReaderStream::with_capacity(encoder, PIECE).map_ok(Frame::data).map_err(original);
    StreamBody::new(frames).boxed_unsync()
}

/// A body's data as a stream; trailers are left out.
struct Pieces(Body);

impl Stream for Pieces {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        use http_body::Body as _;
        loop {
            match std::task::ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
    use http::Response;
    use tokio::io::AsyncReadExt as _;

    fn head(status: u16, fields: &[(&str, &str)]) -> Parts {
        let mut response = Response::builder().status(status);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        response.body(()).unwrap().into_parts().0
    }

    const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");

    #[tokio::test]
    async fn what_comes_out_is_what_went_in() {
        let text = "the same words again and again; ".repeat(500);
        for coding in [Coding::Brotli, Coding::Gzip, Coding::Zstd] {
            let mut parts = head(200, &[HTML, ("etag", "\"a\""), ("content-length", "16000")]);
            let (mut body, mut delimited) = (body::full(text.clone()), Delimited::Length(16_000));
            apply(&[coding], &mut parts, &mut body, &mut delimited);
            assert_eq!(delimited, Delimited::Chunked);
            assert_eq!(parts.headers["content-encoding"], coding.as_str());
            assert_eq!(parts.headers["etag"], "W/\"a\"");
            assert!(!parts.headers.contains_key("content-length"));
            let bytes = body.collect().await.unwrap().to_bytes();
            assert!(bytes.len() < 1000, "{coding:?}: {}", bytes.len());
            let mut plain = String::new();
            let read = match coding {
                Coding::Brotli => BrotliDecoder::new(&bytes[..]).read_to_string(&mut plain).await,
                Coding::Gzip => GzipDecoder::new(&bytes[..]).read_to_string(&mut plain).await,
                Coding::Zstd => ZstdDecoder::new(&bytes[..]).read_to_string(&mut plain).await,
            };
            read.unwrap();
            assert_eq!(plain, text, "{coding:?}");
        }
    }

    #[test]
    fn what_is_compressed_and_what_is_not() {
        let compressed = |status, fields: &[(&str, &str)], mut delimited| {
            let mut parts = head(status, fields);
            apply(&[Coding::Gzip], &mut parts, &mut body::empty(), &mut delimited);
            parts.headers.get("content-encoding").is_some_and(|value| value == "gzip")
        };
        let length = Delimited::Length;
        assert!(compressed(200, &[HTML], length(1_000)) && compressed(200, &[HTML], length(10_000_000)));
        assert!(!compressed(200, &[HTML], length(999)) && !compressed(200, &[HTML], length(10_000_001)));
        assert!(compressed(200, &[HTML], Delimited::Chunked) && !compressed(200, &[HTML], Delimited::None));
        assert!(compressed(404, &[HTML], length(1_000)) && compressed(403, &[HTML], length(1_000)));
        for status in [201, 206, 301, 500] {
            assert!(!compressed(status, &[HTML], length(1_000)), "{status}");
        }
        for kind in ["application/json", "image/svg+xml", "application/wasm", "TEXT/CSS", "font/otf"] {
            assert!(compressed(200, &[("content-type", kind)], length(1_000)), "{kind}");
        }
        for kind in ["image/png", "application/octet-stream", "text/event-stream", "video/mp4", ""] {
            assert!(!compressed(200, &[("content-type", kind)], length(1_000)), "{kind}");
        }
        assert!(!compressed(200, &[HTML, ("cache-control", "max-age=5, No-Transform")], length(1_000)));
        assert!(!compressed(200, &[HTML, ("content-encoding", "br")], length(1_000)));
    }

    #[test]
    fn tags_become_weak_or_go() {
        let after = |tag: &str| {
            let mut parts = head(200, &[HTML, ("etag", tag)]);
            apply(&[Coding::Gzip], &mut parts, &mut body::empty(), &mut Delimited::Length(5_000));
            parts.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned())
        };
        assert_eq!(after("\"a\"").as_deref(), Some("W/\"a\""));
        assert_eq!(after("W/\"a\"").as_deref(), Some("W/\"a\""));
        assert_eq!(after("a"), None);
    }

    #[test]
    fn vary_names_the_field_once() {
        for (lines, expected) in [
            (&[][..], "Accept-Encoding"),
            (&[("vary", "Origin")], "Origin|Accept-Encoding"),
            (&[("vary", "origin, accept-ENCODING")], "origin, accept-ENCODING"),
            (&[("vary", "*")], "*"),
        ] {
            let mut parts = head(200, lines);
            add_vary(&mut parts.headers);
            let lines: Vec<&str> = parts.headers.get_all("vary").iter().map(|line| line.to_str().unwrap()).collect();
            assert_eq!(lines.join("|"), expected);
        }
    }

    #[tokio::test]
    async fn a_cut_body_stays_one() {
        let pieces = [Ok(Frame::data(Bytes::from("x".repeat(100_000)))), Err(BodyError::OriginTimeout)];
        let body = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
        let error = encoded(Coding::Gzip, body).collect().await.unwrap_err();
        assert_eq!(error, BodyError::OriginTimeout);
    }
}
