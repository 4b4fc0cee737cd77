//! Connections to one origin that are free for another exchange.
//!
//! The one used last goes out first, so that a burst's connections age and leave. Dropping a [`PooledConnection`] closes
//! it. Deliberately absent: limits (the endpoint's semaphore) and connecting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::OriginError;
use super::bodies::RequestBody;
use super::connect::{OriginStream, Signs};

/// Room for a response head (and hyper's buffers) before it is refused.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;

/// Longest wait until a kept connection's task has seen that its last exchange is over; it takes microseconds.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection on which nothing is going on, or one exchange.
#[derive(Debug)]
pub(crate) struct PooledConnection {
    /// hyper's end.
    pub(crate) sender: SendRequest<RequestBody>,
    /// Whether an exchange went well here before.
    pub(crate) reused: bool,
    signs: Arc<Signs>,
    task: AbortHandle,
}

impl PooledConnection {
    /// Makes an HTTP/1.1 connection of a stream; a task of its own drives it until it is dropped.
    ///
    /// # Errors
    /// [`OriginError::Closed`], if hyper cannot start.
    pub(crate) async fn begin(stream: OriginStream) -> Result<Self, OriginError> {
        let signs = stream.signs();
        let (sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .max_buf_size(HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| OriginError::Closed)?;
        // How a connection ended reaches whoever has an exchange on it; the driver has nobody to tell.
        let task = tokio::spawn(async move { drop(connection.with_upgrades().await) }).abort_handle();
        Ok(Self { sender, reused: false, signs, task })
    }

    /// What is noted of its exchange.
    pub(crate) fn signs(&self) -> &Signs {
        &self.signs
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        // Otherwise hyper would go on to read or write the rest of an exchange that nobody wants.
        self.task.abort();
    }
}

/// The free connections of one origin.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    idle: Vec<(Instant, PooledConnection)>,
    reaping: bool,
}

impl Pool {
    /// A connection that is ready for a request, if there is one.
    pub(crate) async fn checkout(&self) -> Option<PooledConnection> {
        while let Some(mut connection) = self.pop() {
            if connection.sender.is_ready() {
                return Some(connection);
            }
            if let Ok(Ok(())) = tokio::time::timeout(READY_TIMEOUT, connection.sender.ready()).await {
                return Some(connection);
            }
        }
        None
    }

    fn pop(&self) -> Option<PooledConnection> {
        let now = Instant::now();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((until, connection)) = inner.idle.pop() {
            if until > now && !connection.sender.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose exchange is over for `keepalive`.
    pub(crate) fn put(self: &Arc<Self>, mut connection: PooledConnection, keepalive: Duration) {
        if connection.sender.is_closed() || keepalive.is_zero() {
            return;
        }
        connection.reused = true;
        let until = Instant::now() + keepalive;
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.idle.push((until, connection));
        if !std::mem::replace(&mut inner.reaping, true) {
            let pool = Arc::downgrade(self);
            tokio::spawn(async move {
                let mut next = until;
                loop {
                    tokio::time::sleep_until(next).await;
                    match pool.upgrade().and_then(|pool| pool.reap()) {
                        Some(at) => next = at,
                        None => return,
                    }
                }
            });
        }
    }

    /// Closes what is over its time or was closed; tells when to come again, or that there is nothing left.
    fn reap(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.idle.retain(|(until, connection)| *until > now && !connection.sender.is_closed());
        let next = inner.idle.iter().map(|(until, _)| *until).min();
        inner.reaping = next.is_some();
        next
    }

    /// Connections kept now.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.inner.lock().unwrap().idle.len()
    }
}
