//! Bodies made of parts: an answer to several ranges, `multipart/byteranges` (RFC 9110 section 14.6), and one part of a
//! body that is still coming in.
//!
//! Deliberately absent: which ranges; `range` decides that.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use super::range::{self, Part};
use crate::body::{self, Body, BodyError};

/// The parts of one answer, with what stands between them.
pub(crate) struct Multipart {
    boundary: String,
    heads: Vec<(Bytes, Part)>,
    tail: Bytes,
}

impl Multipart {
    /// Parts of a body of `whole` bytes that is of this type.
    pub(crate) fn new(parts: &[Part], whole: u64, kind: Option<&HeaderValue>) -> Self {
        // Not to be guessed by who writes the body, or a body could end its own part.
        let boundary = format!("{:016x}{:016x}", RandomState::new().hash_one(0), RandomState::new().hash_one(1));
        let head = |(index, part): (usize, &Part)| {
            let mut text = if index == 0 { Vec::new() } else { b"\r\n".to_vec() };
            text.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            if let Some(kind) = kind {
                text.extend_from_slice(b"Content-Type: ");
                text.extend_from_slice(kind.as_bytes());
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"Content-Range: ");
            text.extend_from_slice(range::content_range(Some(*part), whole).as_bytes());
            text.extend_from_slice(b"\r\n\r\n");
            (Bytes::from(text), *part)
        };
        let heads = parts.iter().enumerate().map(head).collect();
        let tail = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        Self { boundary, heads, tail }
    }

    /// The type of the whole answer.
    pub(crate) fn content_type(&self) -> HeaderValue {
        HeaderValue::try_from(format!("multipart/byteranges; boundary={}", self.boundary))
            .expect("hexadecimal digits are visible ASCII")
    }

    /// Bytes of the whole answer.
    pub(crate) fn length(&self) -> u64 {
        let parts: u64 = self.heads.iter().map(|(head, (start, end))| head.len() as u64 + (end - start)).sum();
        parts + self.tail.len() as u64
    }

    /// The answer's body; `cut` gives the bytes of one part.
    pub(crate) fn body(self, cut: impl Fn(Part) -> Body) -> Body {
        let length = self.length();
        let mut pieces: VecDeque<Body> =
            self.heads.into_iter().flat_map(|(head, part)| [body::full(head), cut(part)]).collect();
        pieces.push_back(body::full(self.tail));
        Joined { pieces, left: length }.boxed_unsync()
    }
}

/// Bodies one after the other, of so many bytes together.
pub(crate) fn joined(pieces: impl IntoIterator<Item = Body>, length: u64) -> Body {
    Joined { pieces: pieces.into_iter().collect(), left: length }.boxed_unsync()
}

/// Bodies one after the other.
struct Joined {
    pieces: VecDeque<Body>,
    left: u64,
}

impl http_body::Body for Joined {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while let Some(piece) = self.pieces.front_mut() {
            match ready!(Pin::new(piece).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    self.left -= frame.data_ref().map_or(0, |data| data.len() as u64).min(self.left);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => drop(self.pieces.pop_front()),
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// One part of a body that comes from its beginning.
pub(crate) struct Cut {
    body: Body,
    skip: u64,
    left: u64,
}

impl Cut {
    /// The bytes of `part`.
    pub(crate) fn new(body: Body, (start, end): Part) -> Self {
        Self { body, skip: start, left: end - start }
    }
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while this.left > 0 {
            let Some(frame) = ready!(Pin::new(&mut this.body).poll_frame(cx)) else {
                return Poll::Ready(Some(Err(BodyError::Origin))); // shorter than it said
            };
            let Ok(mut data) = frame?.into_data() else { continue };
            let skipped = this.skip.min(data.len() as u64);
            this.skip -= skipped;
            // At most the length of the data, which is a usize.
            data = data.slice(skipped as usize..);
            data.truncate(usize::try_from(this.left).unwrap_or(usize::MAX));
            this.left -= data.len() as u64;
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
