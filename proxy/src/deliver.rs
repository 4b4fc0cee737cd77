//! The last step: what every response carries, whoever made it (http-cache.md 6.8).

use crate::{
    body::{self, Body, BodyError},
    cache::Report,
    forward,
    site::Site,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, Version, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_AMZ_CF_ID: HeaderName = HeaderName::from_static("x-amz-cf-id");
const X_AMZ_CF_POP: HeaderName = HeaderName::from_static("x-amz-cf-pop");
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const DEV: HeaderName = HeaderName::from_static("x-edgehook-dev");

/// What the response has to say.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'a> {
    /// The configuration that served it.
    pub site: &'a Site,
    /// The request id.
    pub id: &'a str,
    /// First word of `X-Cache`, if it is to be sent.
    pub x_cache: Option<&'a str>,
    /// The cache's part, if it had one.
    pub report: Option<&'a Report>,
    /// Length of the body that GET would get, where known.
    pub length: Option<u64>,
}

/// What this edge signs answers with, written out once.
#[derive(Clone, Debug)]
pub struct Signature {
    via: HeaderValue,
    /// `Hit from edgehook` and so on, for every word.
    x_cache: [(&'static str, HeaderValue); X_CACHE_WORDS.len()],
}

/// The words of `X-Cache` that are sent often.
const X_CACHE_WORDS: [&str; 5] = ["Hit", "Miss", "RefreshHit", "Error", "LambdaGeneratedResponse"];

impl Signature {
    /// The signature of an edge with this name, which stands in for that vendor's.
    #[must_use]
    pub fn new(node: &str, vendor: &str) -> Self {
        let x_cache = X_CACHE_WORDS.map(|word| (word, text(&format!("{word} from {vendor}"))));
        Self { via: text(&forward::via_member(node, Version::HTTP_11)), x_cache }
    }
}

fn x_cache(site: &Site, word: &str) -> HeaderValue {
    let known = site.signature.x_cache.iter().find(|(known, _)| *known == word);
    known.map_or_else(|| text(&format!("{word} from {}", site.vendor)), |(_, value)| value.clone())
}

/// Whether this edge writes the field of this name anew, whatever it said.
pub(crate) fn replaces(site: &Site, name: &str) -> bool {
    name.len() >= 7 && (name == X_CACHE || name == X_AMZ_CF_ID || (name == X_AMZ_CF_POP && site.pop.is_some()))
}

/// Writes what [`finish`] adds to a hit of a site that is not in development, field by field.
pub(crate) fn write_marks(
    head: &mut Vec<u8>,
    site: &Site,
    id: &str,
    report: &Report,
    field: impl Fn(&mut Vec<u8>, &str, &[u8]),
) {
    field(head, header::VIA.as_str(), site.signature.via.as_bytes());
    field(head, X_CACHE.as_str(), x_cache(site, report.outcome.x_cache()).as_bytes());
    field(head, X_AMZ_CF_ID.as_str(), id.as_bytes());
    if let Some(pop) = &site.pop {
        field(head, X_AMZ_CF_POP.as_str(), pop.as_bytes());
    }
    field(head, CACHE_STATUS.as_str(), report.member(&site.node).as_bytes());
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Finishes a response for a viewer who sent `method` over `version`.
#[must_use]
pub fn finish(mut response: Response<Body>, method: &Method, version: Version, marks: Marks<'_>) -> Response<Body> {
    let status = response.status();
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) || status.is_informational();
    let headers = response.headers_mut();
    headers.remove(header::TRANSFER_ENCODING);
    if version >= Version::HTTP_2 {
        headers.remove(header::CONNECTION);
    }
    if status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_LENGTH);
    } else if let Some(length) = marks.length.filter(|_| !bodiless) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    headers.append(header::VIA, marks.site.signature.via.clone());
    if let Some(word) = marks.x_cache {
        headers.insert(X_CACHE, x_cache(marks.site, word));
    }
    let id = text(marks.id);
    headers.insert(X_AMZ_CF_ID, id.clone());
    if let Some(pop) = &marks.site.pop {
        headers.insert(X_AMZ_CF_POP, pop.clone());
    }
    if let Some(report) = marks.report {
        headers.append(CACHE_STATUS, report.cache_status(&marks.site.node));
    }
    if marks.site.dev {
        headers.insert(DEV, HeaderValue::from_static("1"));
    }
    if *method == Method::HEAD || bodiless {
        *response.body_mut() = body::empty();
        return response;
    }
    response.map(|body| Watched { body, id }.boxed_unsync())
}

/// A body whose early end is logged with the request's id; the listener makes it a broken transfer.
struct Watched {
    body: Body,
    id: HeaderValue,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Err(error))) = &polled {
            tracing::warn!(request = self.id.to_str().unwrap_or_default(), "transfer cut: {error}");
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
