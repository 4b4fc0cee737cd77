//! The two bodies at the viewer's edge: what a viewer sends, and what is delivered to it.
//!
//! [`ViewerBody`] turns hyper's incoming body into the crate's, drops trailers (security.md S14) and keeps the minimum
//! speed. [`Delivery`] wraps the response's body, tells the connection's [`Pulse`] when it is over, and sees to it that
//! an error is not mistaken for an end. Deliberately absent: buffering; both hand on what they get.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::timeouts::{Pulse, RateBudget};
use crate::body::{self, Body, BodyError};
use crate::grpc::Call;

/// Largest piece of a response body handed to an HTTP/2 stream at once: it is what a stalled stream holds in memory.
const MULTIPLEXED_PIECE: usize = 16 * 1024;

/// A request body that must keep a minimum speed.
pub(crate) struct ViewerBody {
    incoming: Incoming,
    /// The call that its messages may be of.
    call: Option<Call>,
    budget: Option<RateBudget>,
    waiting_since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl ViewerBody {
    /// The crate's body for `incoming`, which must bring `min_rate` bytes per second (0: no minimum), unless it is a `call` that is served as
    /// such: its messages come when they come.
    pub(crate) fn wrap(incoming: Incoming, min_rate: u64, call: Option<Call>) -> Body {
        if incoming.is_end_stream() {
            return body::empty();
        }
        let budget = RateBudget::new(min_rate);
        Self { incoming, call, budget, waiting_since: None, alarm: None }.boxed_unsync()
    }

    fn data_came(&mut self, bytes: usize) {
        if let Some(budget) = &mut self.budget {
            if let Some(since) = self.waiting_since.take() {
                budget.spend(since.elapsed());
            }
            budget.earn(bytes);
        }
    }

    /// Ready when the viewer has been silent for longer than it may be.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.call.as_ref().is_some_and(Call::has_begun) {
            return Poll::Pending;
        }
        let Some(budget) = &self.budget else { return Poll::Pending };
        let deadline = *self.waiting_since.get_or_insert_with(Instant::now) + budget.left();
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if alarm.deadline() != deadline {
            // An alarm that is early only wakes us for nothing; moving it each time would cost more.
            if alarm.deadline() < deadline && alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx)
    }
}

impl HttpBody for ViewerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        self.data_came(data.len());
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(BodyError::Viewer))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    ready!(self.poll_too_slow(cx));
                    return Poll::Ready(Some(Err(BodyError::ViewerTooSlow)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// One request in flight on a connection; dropping it says that its response is over, however it ended.
pub(crate) struct InFlight(Arc<Pulse>);

impl InFlight {
    /// Notes that a request began.
    pub(crate) fn begin(pulse: Arc<Pulse>) -> Self {
        pulse.request_began();
        Self(pulse)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// How a response's framing would show a broken body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// HTTP/1.0: the end of the connection may be the end of the body, so a broken one needs a reset.
    EndOfConnection,
    /// HTTP/1.1: a length or chunks.
    Delimited,
    /// HTTP/2: streams with flow control of their own.
    Multiplexed,
}

/// A response body on its way to the viewer.
pub(crate) struct Delivery {
    body: Body,
    framing: Framing,
    /// Whether the viewer takes trailers.
    trailers: bool,
    rest: Bytes,
    owing: bool,
    failure: Option<BodyError>,
    in_flight: InFlight,
}

impl Delivery {
    /// Wraps `body`, with its `trailers` or without; `in_flight` ends with it.
    pub(crate) fn new(body: Body, framing: Framing, trailers: bool, in_flight: InFlight) -> Self {
        Self { body, framing, trailers, rest: Bytes::new(), owing: false, failure: None, in_flight }
    }

    fn pulse(&self) -> &Pulse {
        &self.in_flight.0
    }

    fn settle(&mut self) {
        if self.owing {
            self.owing = false;
            self.pulse().frame_settled();
        }
    }

    /// Cuts `data` to size for a multiplexed connection; the rest comes next.
    fn give(&mut self, mut data: Bytes) -> Frame<Bytes> {
        if self.framing == Framing::Multiplexed {
            self.owing = true;
            self.pulse().frame_given();
            if data.len() > MULTIPLEXED_PIECE {
                self.rest = data.split_off(MULTIPLEXED_PIECE);
            }
        }
        Frame::data(data)
    }
}

impl HttpBody for Delivery {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.settle();
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            return Poll::Ready(Some(Ok(self.give(rest))));
        }
        if let Some(failure) = self.failure {
            return Poll::Ready(Some(Err(failure)));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(data) => self.give(data),
                Err(trailers) if self.trailers => trailers,
                Err(_) => return Poll::Ready(None), // nothing comes behind them
            }))),
            Some(Err(error)) => {
                if self.framing == Framing::EndOfConnection {
                    self.pulse().must_reset();
                }
                // hyper throws away what it has buffered when it sees the error; one turn lets it write that first,
                // so that the viewer gets the head and the good part of the body.
                self.failure = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.failure.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.trailers && self.framing == Framing::Delimited {
            return SizeHint::default(); // a length in front leaves no room behind
        }
        let body = self.body.size_hint();
        let rest = self.rest.len() as u64;
        let mut whole = SizeHint::new();
        whole.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.settle();
    }
}
