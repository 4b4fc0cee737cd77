//! Interim responses on an HTTP/1.1 connection, which hyper's server cannot send (http-cache.md 3.18).
//!
//! [`HintedStream`] stands between hyper and the connection and writes the head of an interim response by itself when two
//! things hold: a request is waiting for its answer, and every byte that hyper has written was flushed, so that the head
//! stands between two messages. What comes at any other moment is dropped. Deliberately absent: HTTP/1.0, whose viewers
//! do not know interim responses, and HTTP/2, where hyper's server has no way to let anything between its frames.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::interim::Interim;

/// Bytes of hints that may wait for the socket.
const PENDING: usize = 64 * 1024;

/// Interim responses that are passed on per request (security.md S24).
const MOST: u32 = 16;

/// The hints of one connection, shared by its stream and its requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hints(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The request that waits for its answer, counted from 1; 0: none does.
    waiting: u64,
    last: u64,
    sent: u32,
    /// hyper has written something that was not flushed yet.
    dirty: bool,
    pending: BytesMut,
    waker: Option<Waker>,
}

impl Hints {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins to wait; what it may send hints with.
    pub(crate) fn begin(&self) -> Interim {
        let mut state = self.lock();
        state.last += 1;
        state.waiting = state.last;
        state.sent = 0;
        let (hints, request) = (self.clone(), state.last);
        drop(state);
        Interim::new(move |status, headers| hints.push(request, status, headers))
    }

    /// Its answer is there; from now on nothing may come in front of it.
    pub(crate) fn end(&self) {
        self.lock().waiting = 0;
    }

    fn push(&self, request: u64, status: StatusCode, headers: &HeaderMap) {
        let mut state = self.lock();
        if state.waiting != request || state.dirty || state.sent >= MOST || state.pending.len() > PENDING {
            return;
        }
        state.sent += 1;
        let head = head(status, headers);
        state.pending.extend_from_slice(&head);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The head of an interim response as it goes over the wire.
fn head(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut head = Vec::with_capacity(128);
    // Writing into a Vec cannot fail.
    let _ = write!(head, "HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("Interim"));
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A connection with hints between hyper's messages.
#[derive(Debug)]
pub(crate) struct HintedStream<S> {
    inner: S,
    hints: Hints,
}

impl<S: AsyncWrite + Unpin> HintedStream<S> {
    /// Wraps a connection.
    pub(crate) fn new(inner: S, hints: Hints) -> Self {
        Self { inner, hints }
    }

    /// Writes what is pending, before anything else goes out.
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.hints.lock();
        while !state.pending.is_empty() {
            let count = ready!(Pin::new(&mut self.inner).poll_write(cx, &state.pending))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            state.pending.advance(count);
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&self, count: usize) {
        if count > 0 {
            self.hints.lock().dirty = true;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HintedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HintedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        let count = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.wrote(count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_pending(cx))?;
        let count = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        self.wrote(count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write: the one moment at which a hint may go out.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.hints.lock();
        state.dirty = false;
        if state.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        drop(state);
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
