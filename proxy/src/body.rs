//! The one body type that travels between listeners, cache and origin client.
//!
//! Chunks are polled, never pushed: whoever is slow to read slows the writer, which is all the back-pressure there is.
//! A body that ends early ends with an error; nothing in edgehook turns a cut body into a complete one.

use crate::record::Sample;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A request or response body as a stream of frames.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// How the end of a body is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimited {
    /// By its length in bytes.
    Length(u64),
    /// By a last chunk (HTTP/1.1) or an end of stream (HTTP/2).
    Chunked,
    /// By the end of the connection, so a cut cannot be told from an end.
    Close,
    /// There is no body: HEAD, 204, 304.
    None,
}

/// The length that `Content-Length` announces, where it is a number.
pub(crate) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The viewer stopped sending, or sent what is not a body.
    #[error("the viewer's request body broke off")]
    Viewer,
    /// The viewer sent slower than `[limits] body_min_rate`.
    #[error("the viewer's request body came too slowly")]
    ViewerTooSlow,
    /// The origin closed the connection before the promised length, or broke the framing.
    #[error("the origin's response body broke off")]
    Origin,
    /// The origin sent nothing for its `read_timeout`.
    #[error("the origin stopped sending")]
    OriginTimeout,
    /// The fill that this reader had joined came to nothing.
    #[error("the shared fill was abandoned")]
    Fill,
    /// A file could not be read to its end.
    #[error("the file could not be read")]
    File,
}

/// A body without a byte.
#[must_use]
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is all there.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that leaves its first bytes in a sample as it passes by.
pub(crate) fn sampled(body: Body, sample: Arc<Sample>) -> Body {
    Sampled { body, sample }.boxed_unsync()
}

struct Sampled {
    body: Body,
    sample: Arc<Sample>,
}

impl http_body::Body for Sampled {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(bytes) = frame.data_ref()
        {
            this.sample.push(bytes);
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
