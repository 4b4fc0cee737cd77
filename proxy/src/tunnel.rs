//! What becomes of a connection after `101 Switching Protocols`: bytes, both ways, unread (http-cache.md 6.9).
//!
//! [`asked_for`] recognises the one upgrade that there is, WebSocket. The origin client leaves the origin's end in the response
//! as an [`OriginEnd`], the listener takes it out and [`carry`]s bytes between the two. Deliberately absent: frames. The edge
//! sends no message of its own, so a tunnel that is cut ends without a closing handshake.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Version, header, request};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// Longest silence, both ways, before a tunnel is closed; CloudFront's (http-cache.md 6.9).
pub(crate) const IDLE: Duration = Duration::from_secs(600);

/// Bytes on their way at most, in each direction.
const BUFFER: usize = 16 * 1024;

/// The word of `Upgrade`.
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Fields of the handshake, whatever else is forwarded (RFC 6455, section 4.1).
pub(crate) const HANDSHAKE_PREFIX: &str = "sec-websocket-";

/// Whether a request asks for a WebSocket: GET over HTTP/1.1 with the one upgrade (RFC 6455, section 4.2.1).
pub(crate) fn asked_for(head: &request::Parts) -> bool {
    head.method == Method::GET && head.version == Version::HTTP_11 && switches(&head.headers)
}

/// Whether a message's fields switch to WebSocket and nothing else.
pub(crate) fn switches(headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(header::UPGRADE).iter();
    let one = upgrades.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()));
    let names = |value: &HeaderValue| {
        value.to_str().is_ok_and(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade")))
    };
    one && upgrades.next().is_none() && headers.get_all(header::CONNECTION).iter().any(names)
}

/// Says in a message's fields that it switches to WebSocket.
pub(crate) fn switch(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, WEBSOCKET);
}

/// One end of a tunnel.
pub(crate) trait End: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> End for T {}

/// The origin's end, with its turn among the origin's connections, which lasts as long as the tunnel.
pub(crate) type Turn = (Box<dyn End>, OwnedSemaphorePermit);

/// That, on its way to the listener among the extensions of a response. It can be taken once.
#[derive(Clone)]
pub(crate) struct OriginEnd(Arc<Mutex<Option<Turn>>>);

impl OriginEnd {
    /// Wraps the origin's connection.
    pub(crate) fn new(end: impl End + 'static, turn: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some((Box::new(end), turn)))))
    }

    /// The connection, to the first who asks.
    pub(crate) fn take(&self) -> Option<Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for OriginEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginEnd")
    }
}

/// Carries bytes both ways until both ends have closed, one has failed, or nothing has come for `idle`.
pub(crate) async fn carry(viewer: impl End, origin: impl End, idle: Duration) -> Ended {
    let clock = Arc::new(Clock { began: Instant::now(), last: AtomicU64::new(0) });
    let mut viewer = Heard { end: viewer, clock: Arc::clone(&clock) };
    let mut origin = Heard { end: origin, clock: Arc::clone(&clock) };
    let mut copying =
        std::pin::pin!(tokio::io::copy_bidirectional_with_sizes(&mut viewer, &mut origin, BUFFER, BUFFER));
    loop {
        let until = clock.last() + idle;
        tokio::select! {
            biased;
            copied = copying.as_mut() => return if copied.is_ok() { Ended::Closed } else { Ended::Broken },
            () = tokio::time::sleep_until(until) => if clock.last() + idle <= until {
                return Ended::Idle;
            },
        }
    }
}

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Both ends closed it.
    Closed,
    /// A connection failed.
    Broken,
    /// Nothing was said for too long.
    Idle,
}

impl Ended {
    /// The word for logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Broken => "broken",
            Self::Idle => "idle",
        }
    }
}

/// When a byte was last heard from either end.
struct Clock {
    began: Instant,
    /// ms since `began`.
    last: AtomicU64,
}

impl Clock {
    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last.load(Relaxed))
    }
}

/// An end that notes when it speaks.
struct Heard<S> {
    end: S,
    clock: Arc<Clock>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.end).poll_read(cx, buffer))?;
        let now = u64::try_from(self.clock.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.clock.last.store(now, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.end).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.end).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::fields;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[test]
    fn only_a_websocket_is_an_upgrade() {
        assert!(switches(&fields(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")])));
        assert!(!switches(&fields(&[("connection", "keep-alive"), ("upgrade", "websocket")])));
        assert!(!switches(&fields(&[("connection", "upgrade"), ("upgrade", "h2c")])));
        assert!(!switches(&fields(&[("connection", "upgrade"), ("upgrade", "websocket, h2c")])));
        assert!(!switches(&fields(&[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")])));
        assert!(!switches(&fields(&[("connection", "upgrade")])));
        let mut written = HeaderMap::new();
        switch(&mut written);
        assert!(switches(&written));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_tunnel_and_a_word_from_either_end_extends_it() {
        let (mut viewer, inner) = tokio::io::duplex(64);
        let (mut origin, outer) = tokio::io::duplex(64);
        let began = Instant::now();
        let running = tokio::spawn(carry(inner, outer, Duration::from_secs(600)));
        let mut byte = [0];
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(599)).await;
            viewer.write_all(b"a").await.unwrap();
            origin.read_exact(&mut byte).await.unwrap();
            tokio::time::sleep(Duration::from_secs(599)).await;
            origin.write_all(b"b").await.unwrap();
            viewer.read_exact(&mut byte).await.unwrap();
        }
        assert_eq!(running.await.unwrap(), Ended::Idle);
        assert_eq!(began.elapsed().as_secs(), 6 * 599 + 600);
    }

    #[tokio::test]
    async fn an_end_that_has_said_all_still_hears_the_other() {
        let (mut viewer, inner) = tokio::io::duplex(64);
        let (mut origin, outer) = tokio::io::duplex(64);
        let running = tokio::spawn(carry(inner, outer, IDLE));
        viewer.shutdown().await.unwrap();
        assert_eq!(origin.read(&mut [0]).await.unwrap(), 0);
        origin.write_all(b"last words").await.unwrap();
        drop(origin);
        let mut heard = String::new();
        viewer.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "last words");
        assert_eq!(running.await.unwrap(), Ended::Closed);
    }
}
