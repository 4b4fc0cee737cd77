//! The bodies of an exchange with an origin: the request's, watched, and the response's, with a clock and a connection.
//!
//! [`RequestBody`] notes in its [`Upload`] who is being waited for and whether it is over. [`ResponseBody`] fails when
//! the origin is silent for too long, and gives the connection back at its end, and only then. The
//! response's trailers go on as far as `trailers` keeps them, those of requests do not.
//! Deliberately absent: buffering; a chunk is polled when the other side takes it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::BodyLength;
use super::pool::{Pool, PooledConnection};
use crate::body::{self, Body, BodyError};
use crate::trailers;

/// How far a request's body has come. Shared by the body, which hyper has, and the exchange that waits.
#[derive(Debug)]
pub(crate) struct Upload {
    began: Instant,
    /// µs since `began` when a piece was last handed over.
    last_piece: AtomicU64,
    waits_for_viewer: AtomicBool,
    over: AtomicBool,
    failed: OnceLock<BodyError>,
}

impl Upload {
    fn new(over: bool) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            last_piece: AtomicU64::new(0),
            waits_for_viewer: AtomicBool::new(false),
            over: AtomicBool::new(over),
            failed: OnceLock::new(),
        })
    }

    fn piece_taken(&self) {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_piece.store(micros, Relaxed);
        self.waits_for_viewer.store(false, Relaxed);
    }

    fn end(&self) {
        self.over.store(true, Relaxed);
    }

    /// The whole body was handed over.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Why the body broke off, if it did.
    pub(crate) fn failure(&self) -> Option<BodyError> {
        self.failed.get().copied()
    }

    /// When a piece was last handed over; at first, when the exchange began.
    pub(crate) fn last_piece(&self) -> Instant {
        self.began + Duration::from_micros(self.last_piece.load(Relaxed))
    }

    /// Since when the origin is what is being waited for; `None` while it is the viewer.
    pub(crate) fn origin_owes_since(&self) -> Option<Instant> {
        let waits_for_viewer = self.waits_for_viewer.load(Relaxed);
        (!waits_for_viewer).then(|| self.last_piece())
    }
}

/// A request body that keeps its promise of length, or fails.
#[derive(Debug)]
pub(crate) struct RequestBody {
    body: Body,
    /// Bytes still owed, when the length was promised.
    remaining: Option<u64>,
    upload: Arc<Upload>,
}

impl RequestBody {
    /// A body of `length`, and the record of its progress.
    pub(crate) fn new(body: Body, length: BodyLength) -> (Self, Arc<Upload>) {
        let (body, remaining) = match length {
            BodyLength::None => (body::empty(), Some(0)),
            BodyLength::Known(length) => (body, Some(length)),
            BodyLength::Unknown => (body, None),
        };
        let upload = Upload::new(remaining == Some(0));
        (Self { body, remaining, upload: Arc::clone(&upload) }, upload)
    }

    fn fail(&self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.upload.failed.get_or_init(|| error);
        Poll::Ready(Some(Err(error)))
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let polled = Pin::new(&mut self.body).poll_frame(cx);
            let Poll::Ready(frame) = polled else {
                self.upload.waits_for_viewer.store(true, Relaxed);
                return Poll::Pending;
            };
            self.upload.piece_taken();
            match frame {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if let Some(remaining) = self.remaining {
                        let Some(left) = remaining.checked_sub(data.len() as u64) else {
                            return self.fail(BodyError::Viewer);
                        };
                        self.remaining = Some(left);
                        if left == 0 {
                            self.upload.end();
                        }
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return self.fail(error),
                None if self.remaining.is_some_and(|left| left > 0) => return self.fail(BodyError::Viewer),
                None => {
                    self.upload.end();
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining.map(SizeHint::with_exact).unwrap_or_default()
    }
}

/// What a response body holds until its end: the connection, the turn, and where the connection goes.
#[derive(Debug)]
pub(crate) struct Lease {
    /// The connection on which the body comes.
    pub(crate) connection: PooledConnection,
    /// Where it goes afterwards.
    pub(crate) pool: Arc<Pool>,
    /// How long it is kept there.
    pub(crate) keepalive: Duration,
    /// The turn among the origin's `max_connections`.
    pub(crate) permit: OwnedSemaphorePermit,
    /// The request's body; while it is not over the connection cannot be used again.
    pub(crate) upload: Arc<Upload>,
}

impl Lease {
    /// The response is complete. A connection that still owes the origin a body is closed (security.md S25).
    pub(crate) fn finish(self) {
        let Self { connection, pool, keepalive, permit, upload } = self;
        if upload.is_over() {
            pool.put(connection, keepalive);
        }
        drop(permit);
    }
}

/// A response body that the origin must keep sending.
pub(crate) struct ResponseBody {
    incoming: Incoming,
    lease: Option<Lease>,
    read_timeout: Duration,
    waiting_since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    /// Wraps what hyper receives.
    pub(crate) fn new(incoming: Incoming, lease: Lease, read_timeout: Duration) -> Self {
        Self { incoming, lease: Some(lease), read_timeout, waiting_since: None, alarm: None }
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.finish();
        }
    }

    /// Ready when the origin has been silent for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = *self.waiting_since.get_or_insert_with(Instant::now) + self.read_timeout;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        // The alarm is moved only when it goes off early, which costs one wake-up instead of a timer per chunk.
        ready!(alarm.as_mut().poll(cx));
        if alarm.deadline() < deadline {
            alarm.as_mut().reset(deadline);
            return alarm.as_mut().poll(cx);
        }
        Poll::Ready(())
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting_since = None;
                    match frame.into_data() {
                        Ok(data) => {
                            if self.incoming.is_end_stream() {
                                self.finish();
                            }
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                        Err(frame) => {
                            if let Some(trailers) = frame.into_trailers().ok().and_then(trailers::kept) {
                                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                            }
                        }
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    self.lease = None;
                    return Poll::Ready(Some(Err(BodyError::Origin)));
                }
                Poll::Ready(None) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    ready!(self.poll_silence(cx));
                    self.lease = None;
                    return Poll::Ready(Some(Err(BodyError::OriginTimeout)));
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
