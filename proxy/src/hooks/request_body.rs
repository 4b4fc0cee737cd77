//! The request's body for a function that sees it: the first bytes are read, and the body is whole again afterwards, with
//! its tail still streaming (lambda-edge.md 2.5).

use super::IncludeBody;
use crate::{
    body::{self, Body, BodyError},
    fault::Fault,
    origin::OriginError,
};
use bytes::Bytes;
use edgehook_contract::{HookPoint, lambda::EventBody};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

/// What the function sees at `hook`. `body` yields the same bytes afterwards as it would have before.
pub(super) async fn seen(include: IncludeBody, hook: HookPoint, body: &mut Body) -> Result<Option<EventBody>, Fault> {
    match include {
        IncludeBody::No => Ok(None),
        IncludeBody::Yes => read(body, EventBody::limit(hook)).await.map(Some).map_err(|error| {
            // Whoever sends a body that breaks off has gone; the class is that of an upload on its way to the origin.
            Fault::Origin(OriginError::ViewerBody(error))
        }),
    }
}

async fn read(body: &mut Body, limit: usize) -> Result<EventBody, BodyError> {
    let mut rest = std::mem::replace(body, body::empty());
    let (mut pieces, mut length) = (VecDeque::new(), 0);
    while length <= limit {
        let Some(frame) = rest.frame().await.transpose()? else { break };
        if let Ok(data) = frame.into_data() {
            length += data.len();
            pieces.push_back(data);
        }
    }
    let mut data = Vec::with_capacity(length.min(limit));
    for piece in &pieces {
        data.extend_from_slice(&piece[..piece.len().min(limit - data.len())]);
    }
    *body = Whole { pieces, rest }.boxed_unsync();
    Ok(EventBody { data, truncated: length > limit })
}

/// What was read already, then the rest.
struct Whole {
    pieces: VecDeque<Bytes>,
    rest: Body,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.pieces.iter().map(|piece| piece.len() as u64).sum();
        let mut hint = self.rest.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + read);
        }
        hint.set_lower(hint.lower() + read);
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;

    fn body(pieces: &[&'static [u8]]) -> Body {
        let frames: Vec<_> = pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece)))).collect();
        StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync()
    }

    async fn check(pieces: &[&'static [u8]], limit: usize, expected: &[u8], truncated: bool) {
        let mut body = body(pieces);
        let seen = read(&mut body, limit).await.unwrap();
        assert_eq!((seen.data.as_slice(), seen.truncated), (expected, truncated));
        assert_eq!(body.collect().await.unwrap().to_bytes(), pieces.concat());
    }

    #[tokio::test]
    async fn a_body_is_whole_again_after_its_beginning_was_read() {
        check(&[], 4, b"", false).await;
        check(&[b"ab", b"cd"], 4, b"abcd", false).await;
        check(&[b"ab", b"cde"], 4, b"abcd", true).await;
        check(&[b"abcdefgh", b"i"], 4, b"abcd", true).await;
        check(&[b"abcd", b"", b"e", b"f"], 4, b"abcd", true).await;
    }

    #[tokio::test]
    async fn an_error_is_passed_on() {
        let frames = vec![Ok(Frame::data(Bytes::from_static(b"ab"))), Err(BodyError::Viewer)];
        let mut broken = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
        assert_eq!(read(&mut broken, 4).await, Err(BodyError::Viewer));
    }
}
