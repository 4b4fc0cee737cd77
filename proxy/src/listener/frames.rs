//! Counts the HTTP/2 control frames of a viewer and ends the connection when there are too many (security.md H12).
//!
//! The h2 library stops resets, CONTINUATION and empty DATA, but not floods of SETTINGS, PING, PRIORITY and
//! WINDOW_UPDATE. [`FrameMeter`] reads only frame headers out of the byte stream and is pure; [`MeteredFrames`] puts it
//! between TLS and hyper. Deliberately absent: any check of what the frames say; h2 does that.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Control frames per second that are always in order.
const FRAMES_PER_SECOND: u64 = 1_000;

/// Frames above that rate before the connection ends: two seconds' worth.
const BURST: u64 = 2_000;

/// WINDOW_UPDATE frames that every KiB sent to the viewer pays for: one for the stream, one for the connection.
const WINDOW_UPDATES_PER_KIB: u64 = 2;

/// Length of the connection preface, which has no frame header.
const PREFACE: usize = 24;

/// Length of a frame header (RFC 9113, section 4.1).
const HEADER: usize = 9;

const PRIORITY: u8 = 0x2;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const WINDOW_UPDATE: u8 = 0x8;

/// The running count of one connection.
#[derive(Debug)]
pub(crate) struct FrameMeter {
    /// Bytes of the preface or of the current frame's payload that are still to pass.
    skip: usize,
    header: [u8; HEADER],
    header_len: usize,
    /// Control frames not yet forgiven by time, in thousandths.
    level: u64,
    drained_at: Duration,
    window_credit: u64,
    sent_remainder: u64,
}

impl FrameMeter {
    /// A meter for a connection whose preface is still to be read.
    pub(crate) fn new() -> Self {
        Self {
            skip: PREFACE,
            header: [0; HEADER],
            header_len: 0,
            level: 0,
            drained_at: Duration::ZERO,
            window_credit: 0,
            sent_remainder: 0,
        }
    }

    /// Bytes went to the viewer, which entitles it to window updates.
    pub(crate) fn sent(&mut self, bytes: usize) {
        let total = self.sent_remainder + bytes as u64;
        self.sent_remainder = total % 1024;
        self.window_credit = (self.window_credit + total / 1024 * WINDOW_UPDATES_PER_KIB).min(u64::from(u32::MAX));
    }

    /// Bytes came from the viewer at `now` (since the connection began). False: this is a flood.
    pub(crate) fn received(&mut self, mut bytes: &[u8], now: Duration) -> bool {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let passed = self.skip.min(bytes.len());
                self.skip -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            let taken = (HEADER - self.header_len).min(bytes.len());
            self.header[self.header_len..self.header_len + taken].copy_from_slice(&bytes[..taken]);
            self.header_len += taken;
            bytes = &bytes[taken..];
            if self.header_len == HEADER {
                self.header_len = 0;
                let [a, b, c, kind, ..] = self.header;
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                if self.is_control(kind) && !self.count(now) {
                    return false;
                }
            }
        }
        true
    }

    fn is_control(&mut self, kind: u8) -> bool {
        match kind {
            PRIORITY | SETTINGS | PING => true,
            WINDOW_UPDATE if self.window_credit > 0 => {
                self.window_credit -= 1;
                false
            }
            WINDOW_UPDATE => true,
            _ => false,
        }
    }

    fn count(&mut self, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.drained_at);
        self.drained_at = now;
        let forgiven = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).saturating_mul(FRAMES_PER_SECOND) / 1_000;
        self.level = self.level.saturating_sub(forgiven) + 1_000;
        self.level <= BURST * 1_000
    }
}

/// A stream whose incoming frames are metered.
#[derive(Debug)]
pub(crate) struct MeteredFrames<S> {
    inner: S,
    meter: FrameMeter,
    began: Instant,
}

impl<S> MeteredFrames<S> {
    /// Meters `inner`, which must be at the connection preface.
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, meter: FrameMeter::new(), began: Instant::now() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredFrames<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        if this.meter.received(&buf.filled()[before..], this.began.elapsed()) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(io::Error::other("too many HTTP/2 control frames")))
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredFrames<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.meter.sent(count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        self.meter.sent(count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![0, (payload >> 8) as u8, payload as u8, kind, 0, 0, 0, 0, 0];
        bytes.resize(HEADER + payload, 0x6);
        bytes
    }

    fn past_preface() -> FrameMeter {
        let mut meter = FrameMeter::new();
        assert!(meter.received(&[b'x'; PREFACE], Duration::ZERO));
        meter
    }

    /// How many frames of `kind`, all at once, end the connection.
    fn frames_until_end(kind: u8, limit: usize) -> Option<usize> {
        let mut meter = past_preface();
        (1..=limit).find(|_| !meter.received(&frame(kind, 8), Duration::ZERO))
    }

    #[test]
    fn floods_end_the_connection() {
        for kind in [PRIORITY, SETTINGS, PING, WINDOW_UPDATE] {
            assert_eq!(frames_until_end(kind, 10_000), Some(2_001), "kind {kind}");
        }
    }

    #[test]
    fn data_and_headers_are_not_counted() {
        for kind in [0x0, 0x1] {
            assert_eq!(frames_until_end(kind, 10_000), None, "kind {kind}");
        }
    }

    #[test]
    fn the_permitted_rate_goes_on_for_ever() {
        let mut meter = past_preface();
        for millisecond in 0..100_000 {
            assert!(meter.received(&frame(PING, 8), Duration::from_millis(millisecond)));
        }
    }

    #[test]
    fn window_updates_for_what_was_sent_are_free() {
        let mut meter = past_preface();
        meter.sent(16 * 1024 * 1024);
        for _ in 0..32_768 {
            assert!(meter.received(&frame(WINDOW_UPDATE, 4), Duration::ZERO));
        }
        assert_eq!(meter.level, 0);
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut bytes = vec![b'x'; PREFACE];
        for payload in [0, 1, 8, 300] {
            bytes.extend(frame(PING, payload));
            bytes.extend(frame(0x0, payload));
        }
        for size in 1..bytes.len() {
            let mut meter = FrameMeter::new();
            for piece in bytes.chunks(size) {
                assert!(meter.received(piece, Duration::ZERO));
            }
            assert_eq!(meter.level, 4_000, "pieces of {size}");
        }
    }
}
