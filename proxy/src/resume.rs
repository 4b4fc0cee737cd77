//! Bodies of fills that break off: the rest is asked for, once, instead of the whole being lost (http-cache.md 4.1).
//!
//! Readers of a fill have got bytes that cannot be taken back. Where the answer has a strong entity-tag and a length, the rest
//! is asked for with `Range` and `If-Range`, and goes on from there if the origin answers with just that of the same
//! representation. In all other cases the fill ends as the origin's body ended. So it is for one who follows another's fill and
//! falls too far behind. Deliberately absent: requests that are not
//! for the cache, whose viewers resume by themselves.

use crate::{
    body::{Body, BodyError, Delimited},
    cache::{OriginAnswer, Prefix},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, response::Parts};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

/// The rest of a body, on its way.
pub(crate) type Rest = Pin<Box<dyn Future<Output = Option<OriginAnswer>> + Send>>;

/// Which bytes of which representation are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    from: u64,
    /// Of the whole, if it is known.
    length: Option<u64>,
    etag: HeaderValue,
}

impl Missing {
    /// What is behind a beginning.
    pub(crate) fn behind(beginning: &Prefix) -> Self {
        let (from, length) = beginning.lengths();
        Self { from, length: Some(length), etag: beginning.etag().clone() }
    }

    /// Asks for them and nothing else.
    pub(crate) fn ask(&self, request: &mut HeaderMap) {
        if let Ok(range) = HeaderValue::try_from(format!("bytes={}-", self.from)) {
            request.insert(header::RANGE, range);
            request.insert(header::IF_RANGE, self.etag.clone());
        }
    }

    /// Whether an answer is just them.
    pub(crate) fn is_answered_by(&self, answer: &OriginAnswer) -> bool {
        let Delimited::Length(rest) = answer.delimited else { return false };
        let length = self.from.saturating_add(rest);
        let range = format!("bytes {}-{}/{length}", self.from, length.saturating_sub(1));
        answer.head.status == StatusCode::PARTIAL_CONTENT
            && rest > 0
            && self.length.is_none_or(|known| known == length)
            && answer.head.headers.get(header::CONTENT_RANGE).is_some_and(|value| value.as_bytes() == range.as_bytes())
            && answer.head.headers.get(header::ETAG) == Some(&self.etag)
    }

    fn is_something(&self) -> bool {
        self.length.is_none_or(|length| self.from < length)
    }
}

/// A body that `again` asks the rest of if it breaks off; the body as it was where that cannot be.
pub(crate) fn resuming(answer: &mut OriginAnswer, again: impl Fn(Missing) -> Rest + Send + 'static) {
    let etag = answer.head.headers.get(header::ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")).cloned();
    if let (Some(etag), Delimited::Length(length), StatusCode::OK) = (etag, answer.delimited, answer.head.status)
        && length > 0
    {
        let body = std::mem::replace(&mut answer.body, crate::body::empty());
        let missing = Missing { from: 0, length: Some(length), etag };
        answer.body = Resuming { body, missing, after: None, state: State::Untried(Box::new(again)) }.boxed_unsync();
    }
}

/// The body of another's fill that has no announced length: who falls too far behind, where nothing is stored, fetches the rest
/// on its own (http-cache.md 4.2).
pub(crate) fn following(head: &Parts, body: Body, again: impl Fn(Missing) -> Rest + Send + 'static) -> Body {
    let etag = head.headers.get(header::ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")).cloned();
    let Some(etag) = etag.filter(|_| head.status == StatusCode::OK) else { return body };
    let missing = Missing { from: 0, length: None, etag };
    let (after, state) = (Some(BodyError::Fill), State::Untried(Box::new(again)));
    Resuming { body, missing, after, state }.boxed_unsync()
}

struct Resuming {
    body: Body,
    /// From the next byte on.
    missing: Missing,
    /// Only this error is mended; none: every one.
    after: Option<BodyError>,
    state: State,
}

enum State {
    Untried(Box<dyn Fn(Missing) -> Rest + Send>),
    Asking(Rest, BodyError),
    Tried,
}

impl http_body::Body for Resuming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            if let State::Asking(rest, error) = &mut this.state {
                let answer = ready!(rest.as_mut().poll(context)).filter(|answer| this.missing.is_answered_by(answer));
                let error = *error;
                this.state = State::Tried;
                match answer {
                    Some(answer) => this.body = answer.body,
                    None => return Poll::Ready(Some(Err(error))),
                }
            }
            match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    this.missing.from += frame.data_ref().map_or(0, Bytes::len) as u64;
                    return Poll::Ready(Some(Ok(frame)));
                }
                None => return Poll::Ready(None),
                Some(Err(error)) => match &this.state {
                    State::Untried(again)
                        if this.missing.is_something() && this.after.is_none_or(|after| after == error) =>
                    {
                        this.state = State::Asking(again(this.missing.clone()), error);
                    }
                    _ => return Poll::Ready(Some(Err(error))),
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.missing.length.map(|length| length.saturating_sub(self.missing.from));
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
