//! A response's body, followed until it has been sent, broke off, or was given up; then the request's line is written.

use super::{AccessLog, Ending, Line};
use crate::body::{Body, BodyError};
use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The response, whose line is written at its end.
pub(super) fn to_its_end(response: Response<Body>, line: Line, log: Arc<AccessLog>) -> Response<Body> {
    response.map(|body| {
        let whole = body.size_hint().exact();
        Followed { body, whole, sent: 0, ended: false, broken: false, line: Some(Box::new(line)), log }.boxed_unsync()
    })
}

struct Followed {
    body: Body,
    /// Bytes that there are, where known.
    whole: Option<u64>,
    sent: u64,
    ended: bool,
    broken: bool,
    line: Option<Box<Line>>,
    log: Arc<AccessLog>,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.sent += frame.data_ref().map_or(0, Bytes::len) as u64,
            Poll::Ready(Some(Err(_))) => self.broken = true,
            Poll::Ready(None) => self.ended = true,
            Poll::Pending => {}
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

impl Drop for Followed {
    fn drop(&mut self) {
        let Some(mut line) = self.line.take() else { return };
        // Who has sent as many bytes as were promised need not ask for more.
        let whole = self.ended || self.body.is_end_stream() || self.whole == Some(self.sent);
        let ending = match (self.broken, whole) {
            (true, _) => Ending::Broken,
            (false, true) => Ending::Whole,
            (false, false) => Ending::Abandoned,
        };
        line.sent(self.sent, ending);
        self.log.writer.write(line);
    }
}
