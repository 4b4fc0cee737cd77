//! Connections to one origin over HTTP/2, which calls share.
//!
//! [`Lines::take`] finds room on one, or has another made: all who need one wait for the same attempt. A connection has a turn among the
//! origin's `max_connections` as long as it lasts. Deliberately absent: what goes over it (`calls.rs`), and pings to keep it alive.

use std::future::{Future as _, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, Shared};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::OriginError;
use super::calls::CallUpload;
use super::connect::OriginStream;
use super::pool::HEAD_BYTES;

/// Streams on one connection at most, if the origin permits as many.
const STREAMS: usize = 100;

/// Bytes of one answer that the origin may send before they are read; what a slow viewer costs.
const STREAM_WINDOW: u32 = 128 << 10;

/// The same for all answers on a connection: as many as there can be, so that a slow one holds up no other.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * STREAMS as u32; // a hundred fit

/// Bytes of one request that wait for the origin to take them.
const SEND_BUFFER: usize = 64 << 10;

/// The connections to one origin that calls share.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    lines: Vec<Arc<Line>>,
    /// An attempt to make another one.
    connecting: Option<Connecting>,
    reaping: bool,
}

/// Ends when there is another connection, or none is to be had.
pub(crate) type Connecting = Shared<BoxFuture<'static, Result<(), OriginError>>>;

/// One connection.
#[derive(Debug)]
pub(crate) struct Line {
    sender: SendRequest<CallUpload>,
    open: AtomicUsize,
    /// Streams that the origin permits.
    permitted: Arc<AtomicUsize>,
    /// It takes no more calls.
    over: AtomicBool,
    /// Until when it is kept without a call.
    kept_until: Mutex<Instant>,
    _turn: OwnedSemaphorePermit,
}

impl Line {
    /// Makes an HTTP/2 connection of a stream; a task of its own drives it until its last call is over and nobody has it any more.
    ///
    /// # Errors
    /// [`OriginError::Closed`], if hyper cannot start.
    pub(crate) async fn begin(stream: OriginStream, turn: OwnedSemaphorePermit) -> Result<Arc<Self>, OriginError> {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .adaptive_window(false)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(HEAD_BYTES as u32) // 64 KiB fit
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| OriginError::Closed)?;
        let permitted = Arc::new(AtomicUsize::new(STREAMS));
        let (mut connection, told) = (Box::pin(connection), Arc::clone(&permitted));
        tokio::spawn(poll_fn(move |cx| {
            let ended = connection.as_mut().poll(cx);
            told.store(connection.current_max_send_streams().clamp(1, STREAMS), Relaxed);
            // How it ended reaches those who have a call on it.
            ended.map(drop)
        }));
        let (open, over, kept_until) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(Instant::now()));
        Ok(Arc::new(Self { sender, open, permitted, over, kept_until, _turn: turn }))
    }

    fn is_over(&self) -> bool {
        self.over.load(Relaxed) || self.sender.is_closed()
    }

    fn has_room(&self) -> bool {
        self.open.load(Relaxed) < self.permitted.load(Relaxed)
    }

    /// Until when it stays, if no call is on it.
    fn rests_until(&self) -> Option<Instant> {
        let until = *self.kept_until.lock().unwrap_or_else(PoisonError::into_inner);
        (self.open.load(Relaxed) == 0).then_some(until)
    }
}

/// Room for one call on a connection.
#[derive(Debug)]
pub(crate) struct Stream {
    line: Arc<Line>,
    lines: Arc<Lines>,
    keepalive: Duration,
}

impl Stream {
    /// Where the call is sent.
    pub(crate) fn sender(&self) -> SendRequest<CallUpload> {
        self.line.sender.clone()
    }

    /// The connection takes no more calls.
    pub(crate) fn is_the_last(&self) {
        self.line.over.store(true, Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let until = Instant::now() + self.keepalive;
        *self.line.kept_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        if self.line.open.fetch_sub(1, Relaxed) == 1 {
            self.lines.reap_at(until);
        }
    }
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room on a connection, or the attempt to make one, which `connect` begins.
    pub(crate) fn take(
        self: &Arc<Self>,
        keepalive: Duration,
        connect: Option<&dyn Fn() -> Connecting>,
    ) -> Result<Stream, Option<Connecting>> {
        let mut inner = self.lock();
        inner.lines.retain(|line| !line.is_over());
        if let Some(line) = inner.lines.iter().find(|line| line.has_room()) {
            line.open.fetch_add(1, Relaxed);
            return Ok(Stream { line: Arc::clone(line), lines: Arc::clone(self), keepalive });
        }
        Err(connect.map(|connect| inner.connecting.get_or_insert_with(connect).clone()))
    }

    /// An attempt is over.
    pub(crate) fn connected(self: &Arc<Self>, line: Option<Arc<Line>>, keepalive: Duration) {
        let until = Instant::now() + keepalive;
        let mut inner = self.lock();
        inner.connecting = None;
        let Some(line) = line else { return };
        *line.kept_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        inner.lines.push(line);
        drop(inner);
        self.reap_at(until); // should nobody want it any more
    }

    /// Sees to it that connections without calls are closed when their time is over.
    fn reap_at(self: &Arc<Self>, until: Instant) {
        if std::mem::replace(&mut self.lock().reaping, true) {
            return;
        }
        let lines = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut next = until;
            loop {
                tokio::time::sleep_until(next).await;
                match lines.upgrade().and_then(|lines| lines.reap()) {
                    Some(at) => next = at,
                    None => return,
                }
            }
        });
    }

    /// Closes what is over its time; tells when to come again, or that there is nothing that rests.
    fn reap(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut inner = self.lock();
        inner.lines.retain(|line| !line.is_over() && line.rests_until().is_none_or(|until| until > now));
        let next = inner.lines.iter().filter_map(|line| line.rests_until()).min();
        inner.reaping = next.is_some();
        next
    }

    /// Connections there are now.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().lines.len()
    }
}
