//! Connections to one origin: name, permitted addresses, TCP, TLS, in attempts with a deadline each.
//!
//! The address that was judged is the address that is connected to; there is no second lookup in between (security.md
//! R01, R02). Deliberately absent: keeping connections (`pool.rs`) and what is said on them (`http.rs`).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::HeaderValue;
use nix::sys::socket::{MsgFlags, recv};
use rustls::RootCertStore;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::resolve::Resolver;
use super::{OriginBuildError, OriginError, tls};
use edgehook_contract::{AddressPolicy, is_host_name};

/// Knows how to reach one origin.
pub(crate) struct Connector {
    resolver: Resolver,
    authority: HeaderValue,
    tls: Option<Tls>,
    policy: Option<Arc<AddressPolicy>>,
}

/// What a connection is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// HTTP/1.1, one exchange at a time.
    Http1,
    /// HTTP/2; over TLS the origin has to choose it, in cleartext it has to know.
    Http2,
}

impl Speaks {
    /// Its name in TLS (RFC 7301).
    const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http1 => b"http/1.1",
            Self::Http2 => b"h2",
        }
    }
}

/// How TLS is spoken with the origin.
#[derive(Clone)]
struct Tls {
    http1: TlsConnector,
    http2: TlsConnector,
    server: ServerName<'static>,
}

impl Tls {
    fn new(roots: &Arc<RootCertStore>, server: ServerName<'static>) -> Result<Self, rustls::Error> {
        let connector = |speaks: Speaks| {
            tls::config(Arc::clone(roots), speaks.alpn()).map(|config| TlsConnector::from(Arc::new(config)))
        };
        Ok(Self { http1: connector(Speaks::Http1)?, http2: connector(Speaks::Http2)?, server })
    }

    async fn handshake(&self, speaks: Speaks, tcp: TcpStream) -> Result<TlsStream<TcpStream>, OriginError> {
        let connector = if speaks == Speaks::Http1 { &self.http1 } else { &self.http2 };
        let stream = connector.connect(self.server.clone(), tcp).await;
        let stream = stream.map_err(|error| OriginError::Tls(error.to_string()))?;
        if speaks == Speaks::Http2 && stream.get_ref().1.alpn_protocol() != Some(speaks.alpn()) {
            return Err(OriginError::Tls("the origin does not speak HTTP/2, which gRPC needs".to_owned()));
        }
        Ok(stream)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("resolver", &self.resolver).field("tls", &self.tls.is_some()).finish()
    }
}

impl Connector {
    /// A connector to `host` and `port`, with TLS if there are `roots`.
    ///
    /// # Errors
    /// [`OriginBuildError::Host`] when `host` is neither a name nor an address.
    pub(crate) fn build(
        name: &str,
        host: &str,
        port: u16,
        roots: Option<Arc<RootCertStore>>,
    ) -> Result<Self, OriginBuildError> {
        let bad_host = || OriginBuildError::Host { name: name.to_owned(), host: host.to_owned() };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let address: Option<IpAddr> = bare.parse().ok();
        if address.is_none() && !is_host_name(host) {
            return Err(bad_host());
        }
        let default_port = if roots.is_some() { 443 } else { 80 };
        let shown = match address {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => bare.to_owned(),
        };
        let authority = if port == default_port { shown } else { format!("{shown}:{port}") };
        let tls = roots
            .map(|roots| {
                let server = ServerName::try_from(bare.trim_end_matches('.').to_owned()).map_err(|_| bad_host())?;
                Tls::new(&roots, server).map_err(|error| OriginBuildError::SystemAuthorities {
                    name: name.to_owned(),
                    reason: error.to_string(),
                })
            })
            .transpose()?;
        let authority = HeaderValue::try_from(authority).map_err(|_| bad_host())?;
        Ok(Self { resolver: Resolver::new(bare, port), authority, tls, policy: None })
    }

    /// Another one to the same place, under the same rules.
    pub(crate) fn again(&self) -> Self {
        let (authority, tls, policy) = (self.authority.clone(), self.tls.clone(), self.policy.clone());
        Self { resolver: self.resolver.again(), authority, tls, policy }
    }

    /// Asks TLS for `server` instead of the host's name.
    ///
    /// # Errors
    /// [`OriginBuildError::Host`] when `server` is no name.
    pub(crate) fn named(mut self, name: &str, server: &str) -> Result<Self, OriginBuildError> {
        if let Some(tls) = &mut self.tls {
            let bad = |_| OriginBuildError::Host { name: name.to_owned(), host: server.to_owned() };
            tls.server = ServerName::try_from(server.trim_end_matches('.').to_owned()).map_err(bad)?;
        }
        Ok(self)
    }

    /// Lets only addresses through that `policy` permits.
    pub(crate) fn guarded(mut self, policy: Arc<AddressPolicy>) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Whether connections are encrypted.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What `Host` says when the request does not.
    pub(crate) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The resolver, to script it.
    #[cfg(test)]
    pub(crate) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Connects in up to `attempts` attempts of `timeout` each; every attempt begins with another address.
    ///
    /// # Errors
    /// `Connect`, `ConnectTimeout`, `Tls` or `Blocked`; the last two end the attempts.
    pub(crate) async fn connect(
        &self,
        speaks: Speaks,
        attempts: u8,
        timeout: Duration,
    ) -> Result<OriginStream, OriginError> {
        let mut last = OriginError::ConnectTimeout;
        for attempt in 0..attempts.max(1) {
            match tokio::time::timeout(timeout, self.attempt(speaks, usize::from(attempt))).await {
                Ok(Err(error @ OriginError::Connect(_))) => last = error,
                Ok(settled) => return settled,
                Err(_) => last = OriginError::ConnectTimeout,
            }
        }
        Err(last)
    }

    /// One attempt. Addresses that refuse at once are passed over; one that is silent uses the attempt up.
    async fn attempt(&self, speaks: Speaks, number: usize) -> Result<OriginStream, OriginError> {
        let mut addresses = self.permitted(self.resolver.addresses().await?)?;
        let first = number % addresses.len();
        addresses.rotate_left(first);
        let mut refusal = OriginError::Connect("no address".to_owned());
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(tcp) => return self.secure(speaks, tcp).await,
                Err(error) => refusal = OriginError::Connect(format!("{address}: {error}")),
            }
        }
        Err(refusal)
    }

    fn permitted(&self, mut addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, OriginError> {
        if let Some(policy) = &self.policy {
            let first = addresses.first().map(SocketAddr::ip);
            addresses.retain(|&address| policy.permits(self.resolver.host(), address));
            if addresses.is_empty() {
                let host = self.resolver.host();
                let shown = first.map(|ip| ip.to_string()).unwrap_or_default();
                return Err(OriginError::Blocked(format!("{host} is {shown}, which is not a public address")));
            }
        }
        Ok(addresses)
    }

    async fn secure(&self, speaks: Speaks, tcp: TcpStream) -> Result<OriginStream, OriginError> {
        let _best_effort = tcp.set_nodelay(true);
        let transport = match &self.tls {
            None => Transport::Plain(tcp),
            Some(tls) => Transport::Tls(Box::new(tls.handshake(speaks, tcp).await?)),
        };
        Ok(OriginStream { transport, signs: Arc::default() })
    }
}

/// What an exchange has to know of its connection afterwards.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    /// Bytes came since the exchange began.
    heard: AtomicBool,
    /// Before the next write is to be looked whether the origin has closed the connection while it was kept.
    look: AtomicBool,
    /// It had: nothing was written.
    unwritten: AtomicBool,
}

impl Signs {
    /// An exchange begins, on a connection that was kept or on a new one.
    pub(crate) fn begin(&self, kept: bool) {
        self.heard.store(false, Relaxed);
        self.look.store(kept, Relaxed);
        self.unwritten.store(false, Relaxed);
    }

    /// Whether bytes have come since.
    pub(crate) fn heard(&self) -> bool {
        self.heard.load(Relaxed)
    }

    /// Whether the origin had gone before a byte of the exchange was written.
    pub(crate) fn unwritten(&self) -> bool {
        self.unwritten.load(Relaxed)
    }
}

/// A connection to an origin that remembers how an exchange went.
#[derive(Debug)]
pub(crate) struct OriginStream {
    transport: Transport,
    signs: Arc<Signs>,
}

#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Whether the origin has ended the connection, or says something that nobody asked for. The system is asked itself:
    /// the runtime learns of it a moment later, and a request written in that moment would be lost.
    fn is_over(&self) -> bool {
        let tcp = match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        };
        let peeked = recv(tcp.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
        !matches!(peeked, Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR))
    }
}

impl OriginStream {
    /// What is noted of it.
    pub(crate) fn signs(&self) -> Arc<Signs> {
        Arc::clone(&self.signs)
    }

    /// Refuses to write the first byte of an exchange to who is not there any more.
    fn before_writing(&self) -> io::Result<()> {
        if self.signs.look.swap(false, Relaxed) && self.transport.is_over() {
            self.signs.unwritten.store(true, Relaxed);
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(())
    }
}

impl AsyncRead for OriginStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Transport::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        })?;
        if buf.filled().len() > before {
            self.signs.heard.store(true, Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for OriginStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.before_writing()?;
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Transport::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.before_writing()?;
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Transport::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(tcp) => tcp.is_write_vectored(),
            Transport::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Transport::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Transport::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
