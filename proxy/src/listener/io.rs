//! The viewer's socket, with every read and write noted in the connection's [`Pulse`].
//!
//! It lies below TLS, so that progress means bytes which the viewer's kernel really took. It also gives back the bytes
//! that were read to tell HTTP/1 from HTTP/2, and notes the first bytes of a TLS connection. Deliberately absent: timers; the connection's driver has the one there is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::timeouts::Pulse;

/// A TCP stream that notes its progress.
#[derive(Debug)]
pub(crate) struct ViewerSocket {
    tcp: TcpStream,
    pulse: Arc<Pulse>,
    unread: Bytes,
    /// The first bytes that came, while they are wanted, and how many more are.
    noted: Vec<u8>,
    wanted: usize,
}

impl ViewerSocket {
    /// Wraps `tcp`.
    pub(crate) fn new(tcp: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { tcp, pulse, unread: Bytes::new(), noted: Vec::new(), wanted: 0 }
    }

    /// Puts `bytes` back in front of what is still to be read.
    pub(crate) fn unread(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// Notes the first `limit` bytes that come.
    pub(crate) fn noting(mut self, limit: usize) -> Self {
        self.wanted = limit;
        self
    }

    /// The bytes noted so far; no more are from now on.
    pub(crate) fn take_noted(&mut self) -> Vec<u8> {
        self.wanted = 0;
        std::mem::take(&mut self.noted)
    }

    fn note_write(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(_)) => self.pulse.bytes_went(),
            Poll::Pending => self.pulse.write_blocked(),
            Poll::Ready(Err(_)) => {}
        }
        result
    }
}

impl AsyncRead for ViewerSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.unread.is_empty() {
            let count = this.unread.len().min(buf.remaining());
            buf.put_slice(&this.unread[..count]);
            this.unread.advance(count);
            if this.unread.is_empty() {
                this.unread = Bytes::new(); // or its buffer would live as long as the connection
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.tcp).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            this.pulse.bytes_came();
            let fresh = &buf.filled()[before..];
            let kept = fresh.len().min(this.wanted);
            this.noted.extend_from_slice(&fresh[..kept]);
            this.wanted -= kept;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ViewerSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.note_write(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.note_write(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl Drop for ViewerSocket {
    fn drop(&mut self) {
        if self.pulse.resets_on_close() {
            // The body was to end with the connection; a FIN would call it complete.
            let _best_effort = self.tcp.set_zero_linger();
        }
    }
}
