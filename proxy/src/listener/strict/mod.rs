//! HTTP/1 as the RFC writes it, and not a byte else (security.md 2.1, F3).
//!
//! hyper forgives what others read differently: heads that end their lines with a bare LF, two equal lengths, blanks behind a
//! chunk's size, extensions of chunks. What two parsers read differently smuggles requests past one of them, so
//! [`StrictStream`] stands between the connection and hyper and looks at the framing first. At the first byte that is
//! not in order it gives hyper, instead of that byte and all that follow, something that hyper refuses wherever it
//! stands, and then the end: hyper answers 400, or fails the body, and closes. [`Scanner`] is the pure part.
//!
//! Deliberately absent: what a head means (the gate's), the answer (hyper's), and HTTP/2.

mod scanner;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use scanner::Scanner;
pub(crate) use scanner::Violation;

/// NUL is no part of a method, target, name, value, chunk size or line end.
const REFUSED: &[u8] = b"\0\r\n\r\n";

/// What was out of order on a connection, if anything was.
pub(crate) type Found = Arc<OnceLock<Violation>>;

/// Set once what follows is no HTTP any more.
pub(crate) type Opened = Arc<AtomicBool>;

/// A connection whose incoming bytes are looked at before hyper reads them.
#[derive(Debug)]
pub(crate) struct StrictStream<S> {
    stream: S,
    scanner: Scanner,
    found: Found,
    /// What hyper is still to get of [`REFUSED`], once there is a violation.
    rest: Option<&'static [u8]>,
    opened: Opened,
}

impl<S> StrictStream<S> {
    /// `head_bytes`: largest head that hyper takes. What is found is left in `found`; from when `opened` is set, nothing is
    /// looked for.
    pub(crate) fn new(stream: S, head_bytes: usize, found: Found, opened: Opened) -> Self {
        Self { stream, scanner: Scanner::new(head_bytes), found, rest: None, opened }
    }

    /// Whether every byte so far belonged to a request that is over, and another may follow.
    pub(crate) fn is_between_requests(&self) -> bool {
        self.rest.is_none() && !self.opened.load(Relaxed) && self.scanner.is_between_requests()
    }

    fn refuse(&mut self, buffer: &mut ReadBuf<'_>) {
        let Some(rest) = &mut self.rest else { return };
        let now = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..now]);
        *rest = &rest[now..];
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StrictStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.rest.is_none() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            if this.opened.load(Relaxed) {
                return Poll::Ready(Ok(()));
            }
            match this.scanner.scan(&buffer.filled()[before..]) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err((sound, violation)) => {
                    buffer.set_filled(before + sound);
                    let _ = this.found.set(violation);
                    this.rest = Some(REFUSED);
                }
            }
        }
        this.refuse(buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StrictStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
