//! Where viewers come in: sockets, TLS, HTTP/1.1 and HTTP/2, and the limits that keep a slow or greedy viewer cheap.
//!
//! [`Listener::bind`] takes an address, [`Listener::serve`] accepts until the [`Drain`] begins and gives every request
//! to the [`Handler`]. What a handler gets is one request with a body that is polled; what it returns is one response,
//! whose body, when it ends in an error, reaches the viewer as a broken transfer and never as a complete one.
//! A viewer that goes away drops the handler's future, which is how work for nobody ends.
//!
//! Deliberately absent: any judgement of what a request means (`Host`, methods, framing that hyper let pass). The gate
//! does that. hyper's types do not leave this folder.

mod accept;
mod bodies;
mod dev_identity;
mod frames;
mod hello;
mod hints;
mod http;
mod io;
mod plain;
mod seldom;
mod shortcut;
mod slots;
mod strict;
#[cfg(test)]
mod tests;
mod timeouts;
mod tls;
mod validity;

use std::future::Future;
use std::io as std_io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use crate::{body::Body, id};

pub use dev_identity::{DevIdentity, dev_identity};
pub use hello::Fingerprints;
pub use plain::Plain;
pub(crate) use plain::has_no_effect;
pub use slots::{ConnectionSlots, Slot, SlotRefusal};
pub use tls::{Identity, TlsIdentities, TlsLoadError};

/// Connections that the kernel holds ready for `accept`.
const BACKLOG: u32 = 4096;

/// A response's own reason phrase, among its extensions; only HTTP/1.1 shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(pub String);

/// The scheme a connection speaks, as it appears in URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Cleartext.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// What a finished TLS handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite's IANA name, such as `TLS_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The name that the viewer asked for, lower-case; absent for addresses and old viewers.
    pub sni: Option<String>,
    /// Whether the session was resumed from a ticket.
    pub resumed: bool,
    /// Fingerprints of the viewer's ClientHello; absent for one that is longer than is kept.
    pub fingerprints: Option<Fingerprints>,
}

/// One viewer connection, the same for all requests on it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The viewer's address and port.
    pub peer: SocketAddr,
    /// Our address and port on this connection.
    pub local: SocketAddr,
    /// Cleartext or TLS.
    pub scheme: Scheme,
    /// Present exactly when `scheme` is [`Scheme::Https`].
    pub tls: Option<TlsInfo>,
    /// What has come on it.
    pub used: Arc<Used>,
}

/// What has come on a connection so far.
#[derive(Debug, Default)]
pub struct Used {
    /// A request.
    requested: AtomicBool,
    /// The id of the next request, if one was drawn for it already.
    id: Mutex<Option<String>>,
    /// What tells the connection from others in the log, once somebody has asked.
    number: OnceLock<u64>,
}

impl Connection {
    /// Notes that a request has come; tells whether it is the first.
    #[must_use]
    pub fn begin_request(&self) -> bool {
        !self.used.requested.swap(true, Ordering::Relaxed)
    }

    /// What tells it from other connections in the log: the same for all its requests, random, 16 hexadecimal digits.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{:016x}", self.used.number.get_or_init(id::number))
    }

    /// Keeps the id that was drawn for the request that comes next.
    pub(crate) fn keep_id(&self, id: String) {
        *self.used.id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }

    /// The id that was drawn for this request, if one was.
    pub(crate) fn take_id(&self) -> Option<String> {
        self.used.id.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The future of one response.
pub type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Answers requests.
///
/// `request.version()` tells HTTP/1.0, 1.1 and 2 apart. The returned future is dropped when the viewer goes away.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, connection: Arc<Connection>, request: Request<Body>) -> Answer;

    /// The answer to a request of the plainest kind, head and body as they go over the wire, if there is no need to wait for anything.
    /// `None`: nothing has happened, and the request comes to [`Handler::handle`].
    fn at_hand(&self, connection: &Arc<Connection>, request: &Plain<'_>) -> Option<(Vec<u8>, Bytes)> {
        let _ = (connection, request);
        None
    }
}

/// The `[limits]` table, as far as connections are concerned (security.md 2.3).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest TLS handshake.
    pub handshake_timeout: Duration,
    /// From the connection's start, or the first byte of a later request, to the end of the request's head.
    pub header_timeout: Duration,
    /// Longest quiet time between two requests on a connection.
    pub idle_timeout: Duration,
    /// Longest time without progress while there is something to write to the viewer.
    pub write_timeout: Duration,
    /// Bytes per second that a request body must bring after five seconds of grace; 0: any speed will do.
    pub body_min_rate: u64,
    /// Largest request head in bytes, for HTTP/2 the decoded header list; beyond: 431.
    pub head_bytes: usize,
    /// Most fields in a request head (HTTP/1.1); beyond: 431.
    pub head_fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            body_min_rate: 1024,
            head_bytes: 20_480,
            head_fields: 100,
        }
    }
}

/// When and how a listener ends.
#[derive(Clone, Debug)]
pub struct Drain {
    /// Cancelled when draining begins: no new connections, no further requests on those there are.
    pub begin: CancellationToken,
    /// How long requests in flight may take from then on.
    pub grace: Duration,
}

/// A bound address that does not accept yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    local: SocketAddr,
    identities: Option<Arc<TlsIdentities>>,
}

impl Listener {
    /// Binds `addr`; with identities the listener speaks TLS, without cleartext. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// What the operating system says: address in use, no such address, not permitted.
    pub fn bind(addr: SocketAddr, identities: Option<Arc<TlsIdentities>>) -> std_io::Result<Self> {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restarted edge must not wait for the old one's connections to leave TIME_WAIT.
        socket.set_reuseaddr(true)?;
        socket.bind(addr)?;
        let socket = socket.listen(BACKLOG)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, identities })
    }

    /// The address that was really bound; tells the port when 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Accepts and serves until `drain` begins, then waits for the requests in flight for its grace.
    ///
    /// `slots` may be shared by several listeners, so that the limits hold for all of them together.
    /// Returns how many connections were still open at the end of the grace and were cut.
    pub async fn serve(
        self,
        handler: Arc<dyn Handler>,
        limits: Limits,
        slots: Arc<ConnectionSlots>,
        drain: Drain,
    ) -> usize {
        let acceptor = self.identities.map(|identities| identities.acceptor());
        let server = http::Server::new(handler, limits, acceptor, drain.begin.clone());
        accept::accept_until_drained(self.socket, Arc::new(server), slots, drain).await
    }
}
