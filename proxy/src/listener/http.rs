//! One viewer connection from its first byte to its last: handshake, protocol, requests, end.
//!
//! The protocol is told by ALPN under TLS and by the first bytes in cleartext (HTTP/2 with prior knowledge). hyper
//! parses and frames; the connection's timer is ours (`timeouts.rs`), because hyper's are off or cover one phase only
//! (security.md F4). Futures of what few connections do are boxed, and so is what passes through several: the task of a connection is
//! as large as its largest branch, for as long as it lives. A connection that switches to WebSocket keeps its place among the connections until the tunnel ends.
//! Deliberately absent: other upgrades, server push, trailers from viewers, and any look at a request.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::bodies::{Delivery, Framing, InFlight, ViewerBody};
use super::frames::MeteredFrames;
use super::hints::{HintedStream, Hints};
use super::io::ViewerSocket;
use super::seldom::Seldom;
use super::shortcut::Shortcut;
use super::strict::{Found, Opened, StrictStream};
use super::timeouts::{CloseReason, Pulse, Verdict};
use super::{Answer, Connection, Handler, Limits, Reason, TlsInfo, hello, tls};
use crate::body;
use crate::grpc::{self, Call};
use crate::trailers::{self, Announced};
use crate::tunnel::{self, OriginEnd};

/// What every HTTP/2 connection begins with (RFC 9113, section 3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// First read of a cleartext connection; room for most whole requests.
const FIRST_READ: usize = 4096;

/// Streams that a viewer may have open at once.
const MAX_STREAMS: u32 = 100;

/// Response bytes that hyper holds per HTTP/1 connection (security.md D04: 256 KiB with the piece in hand).
const WRITE_BUFFER: usize = 128 * 1024;

/// hyper's own default for the number of fields. Leaving it unset lets hyper parse on the stack.
const FIELDS_ON_STACK: usize = 100;

/// Everything that the connections of a listener share.
pub(crate) struct Server {
    handler: Arc<dyn Handler>,
    limits: Limits,
    acceptor: Option<TlsAcceptor>,
    drain: CancellationToken,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Server {
    /// Prepares the protocol settings.
    pub(crate) fn new(
        handler: Arc<dyn Handler>,
        limits: Limits,
        acceptor: Option<TlsAcceptor>,
        drain: CancellationToken,
    ) -> Self {
        let http1 = http1_settings(&limits);
        let http2 = http2_settings(&limits);
        Self { handler, limits, acceptor, drain, http1, http2 }
    }

    /// Whether connections begin with a TLS handshake.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.acceptor.is_some()
    }

    /// Serves one connection to its end; the error says why it ended early.
    pub(crate) async fn serve_connection(&self, tcp: TcpStream, connection: Connection) -> Result<(), CloseReason> {
        let pulse = Arc::new(Pulse::new());
        let socket = ViewerSocket::new(tcp, Arc::clone(&pulse));
        match &self.acceptor {
            Some(acceptor) => Box::pin(self.serve_tls(acceptor, socket, connection, pulse)).await,
            None => self.serve_cleartext(socket, connection, pulse).await,
        }
    }

    async fn serve_tls(
        &self,
        acceptor: &TlsAcceptor,
        socket: ViewerSocket,
        mut connection: Connection,
        pulse: Arc<Pulse>,
    ) -> Result<(), CloseReason> {
        let socket = socket.noting(hello::HELLO_LIMIT);
        let shaken = Box::pin(tokio::time::timeout(self.limits.handshake_timeout, acceptor.accept(socket))).await;
        let shaken = shaken.map_err(|_| CloseReason::HandshakeTimeout)?;
        let mut stream = Box::new(shaken.map_err(|_| CloseReason::Handshake)?);
        pulse.handshake_done();
        let noted = stream.get_mut().0.take_noted();
        let session = stream.get_ref().1;
        let multiplexed = session.alpn_protocol() == Some(tls::ALPN_H2);
        let fingerprints = hello::fingerprints(&noted);
        connection.tls = tls::describe(session).map(|info| TlsInfo { fingerprints, ..info });
        if multiplexed {
            Box::pin(self.serve_http2(stream, connection, pulse)).await
        } else {
            self.serve_http1(stream, connection, pulse).await
        }
    }

    async fn serve_cleartext(
        &self,
        mut socket: ViewerSocket,
        connection: Connection,
        pulse: Arc<Pulse>,
    ) -> Result<(), CloseReason> {
        let first = tokio::select! {
            biased;
            first = tokio::time::timeout(self.limits.header_timeout, read_first_bytes(&mut socket)) => first,
            () = self.drain.cancelled() => return Err(CloseReason::Drained),
        };
        let first = first.map_err(|_| CloseReason::HeadTimeout)?.map_err(|_| CloseReason::Protocol)?;
        let multiplexed = first.starts_with(H2_PREFACE);
        socket.unread(first.freeze());
        if multiplexed {
            Box::pin(self.serve_http2(socket, connection, pulse)).await
        } else {
            self.serve_http1(socket, connection, pulse).await
        }
    }

    async fn serve_http1<S>(&self, stream: S, connection: Connection, pulse: Arc<Pulse>) -> Result<(), CloseReason>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (hints, found, switched, peer) = (Hints::default(), Found::default(), Switched::default(), connection.peer);
        let service = self.service(connection, &pulse, Some((hints.clone(), switched.clone())));
        let stream =
            StrictStream::new(stream, self.limits.head_bytes, Arc::clone(&found), Arc::clone(&switched.opened));
        let (handler, connection) = (Arc::clone(&self.handler), Arc::clone(&service.connection));
        let stream = Shortcut::new(stream, handler, connection, Arc::clone(&pulse), &self.limits);
        let stream = HintedStream::new(stream, hints);
        let connection = Box::pin(self.http1.serve_connection(TokioIo::new(stream), service).with_upgrades());
        let ended = self.drive(connection, &pulse).await;
        if let Some(violation) = found.get() {
            return Err(CloseReason::Malformed(*violation));
        }
        ended?;
        if let Some((viewer, (origin, _turn))) = switched.take()
            && let Ok(viewer) = viewer.await
        {
            let ended = Box::pin(tunnel::carry(TokioIo::new(viewer), origin, tunnel::IDLE)).await;
            tracing::debug!(%peer, reason = ended.as_str(), "tunnel ended");
        }
        Ok(())
    }

    async fn serve_http2<S>(&self, stream: S, connection: Connection, pulse: Arc<Pulse>) -> Result<(), CloseReason>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        pulse.becomes_multiplexed();
        let service = self.service(connection, &pulse, None);
        let stream = TokioIo::new(MeteredFrames::new(stream));
        self.drive(Box::pin(self.http2.serve_connection(stream, service)), &pulse).await
    }

    fn service(&self, connection: Connection, pulse: &Arc<Pulse>, http1: Option<(Hints, Switched)>) -> Requests {
        Requests {
            handler: Arc::clone(&self.handler),
            connection: Arc::new(connection),
            pulse: Arc::clone(pulse),
            body_min_rate: self.limits.body_min_rate,
            http1,
        }
    }

    /// Polls a connection until it ends by itself, by the clock, or by draining.
    async fn drive<C: Closable>(&self, mut connection: Pin<Box<C>>, pulse: &Pulse) -> Result<(), CloseReason> {
        let mut timer = Seldom::new(tokio::time::sleep(Duration::ZERO));
        let mut drained = Seldom::new(self.drain.cancelled());
        let mut closing = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => return ended.map_err(|_| CloseReason::Protocol),
                () = &mut drained, if !closing => {
                    closing = true;
                    pulse.closing_began();
                    connection.as_mut().close_gently();
                }
                () = &mut timer => match pulse.verdict(&self.limits) {
                    Verdict::Patience(time) => timer.change().reset(tokio::time::Instant::now() + time),
                    Verdict::Close(CloseReason::Idle) if !closing => {
                        closing = true;
                        pulse.closing_began();
                        connection.as_mut().close_gently();
                    }
                    Verdict::Close(reason) => return Err(reason),
                },
            }
        }
    }
}

/// A connection that can be told to finish what it has and end.
trait Closable: Future<Output = hyper::Result<()>> {
    /// Ends keep-alive (HTTP/1) or sends GOAWAY (HTTP/2).
    fn close_gently(self: Pin<&mut Self>);
}

impl<S> Closable for http1::UpgradeableConnection<TokioIo<HintedStream<S>>, Requests>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    fn close_gently(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Closable for http2::Connection<TokioIo<S>, Requests, TokioExecutor>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    fn close_gently(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Reads until it is clear whether this is HTTP/2's preface.
async fn read_first_bytes(socket: &mut ViewerSocket) -> io::Result<BytesMut> {
    let mut first = BytesMut::with_capacity(FIRST_READ);
    while first.len() < H2_PREFACE.len() && H2_PREFACE.starts_with(&first) {
        if socket.read_buf(&mut first).await? == 0 {
            break; // hyper will see the end, too
        }
    }
    Ok(first)
}

fn http1_settings(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Our own deadline covers the head, and tells idle time from a slow head, which this one does not.
        .header_read_timeout(None)
        .title_case_headers(true)
        .keep_alive(true)
        .half_close(false)
        .max_header_size(limits.head_bytes)
        .max_buf_size(WRITE_BUFFER.max(limits.head_bytes));
    if limits.head_fields != FIELDS_ON_STACK {
        builder.max_headers(limits.head_fields);
    }
    builder
}

fn http2_settings(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .adaptive_window(false)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    builder
}

/// The service that hyper calls for each request of one connection.
struct Requests {
    handler: Arc<dyn Handler>,
    connection: Arc<Connection>,
    pulse: Arc<Pulse>,
    body_min_rate: u64,
    /// Where interim responses and tunnels go, on HTTP/1.
    http1: Option<(Hints, Switched)>,
}

/// The two ends of a tunnel, as long as its connection is still hyper's.
type Ends = (OnUpgrade, tunnel::Turn);

/// Where a request that is answered with 101 leaves what its connection becomes.
#[derive(Clone, Default)]
struct Switched {
    opened: Opened,
    ends: Arc<Mutex<Option<Ends>>>,
}

impl Switched {
    fn take(&self) -> Option<Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps both ends, and says in the 101 what it switches to.
    fn keep(&self, viewer: OnUpgrade, response: &mut Response<body::Body>) {
        let Some(origin) = response.extensions_mut().remove().and_then(|end: OriginEnd| end.take()) else { return };
        tunnel::switch(response.headers_mut());
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = Some((viewer, origin));
        self.opened.store(true, Relaxed);
    }
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Delivery>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let in_flight = InFlight::begin(Arc::clone(&self.pulse));
        let framing = match request.version() {
            Version::HTTP_2 => Framing::Multiplexed,
            Version::HTTP_11 => Framing::Delimited,
            _ => Framing::EndOfConnection,
        };
        let trailers = framing == Framing::Multiplexed || trailers::are_taken(request.headers());
        let (parts, incoming) = request.into_parts();
        let call = grpc::asked_for(&parts).then(Call::default);
        let mut request = Request::from_parts(parts, ViewerBody::wrap(incoming, self.body_min_rate, call.clone()));
        if let Some(call) = call {
            request.extensions_mut().insert(call);
        }
        let upgrade = request.extensions_mut().remove();
        if self.http1.is_some() {
            part_from_buffer(request.headers_mut());
        }
        let http1 = self.http1.as_ref().filter(|_| request.version() == Version::HTTP_11);
        let hints = http1.map(|(hints, _)| hints.clone());
        let switch = upgrade.zip(http1.map(|(_, switched)| switched.clone()));
        if let Some(hints) = &hints {
            request.extensions_mut().insert(hints.begin());
        }
        let answer = self.handler.handle(Arc::clone(&self.connection), request);
        Answering { answer, framing, in_flight: Some(in_flight), hints, switch, trailers }
    }
}

/// Puts the values of a request's fields into a block of just their size. As hyper made them, they keep its buffer, of which it makes
/// another while this request waits: eight kilobytes for each of those that wait for the same answer.
fn part_from_buffer(headers: &mut HeaderMap) {
    let mut block = BytesMut::with_capacity(headers.values().map(HeaderValue::len).sum());
    headers.values().for_each(|value| block.extend_from_slice(value.as_bytes()));
    let mut block = block.freeze();
    for value in headers.values_mut() {
        let own = block.split_to(value.len());
        // It was a value before it was copied.
        if let Ok(own) = HeaderValue::from_maybe_shared(own) {
            *value = own;
        }
    }
}

/// The handler's future, with the note that the request is in flight; hyper drops it when the viewer goes away.
struct Answering {
    answer: Answer,
    framing: Framing,
    in_flight: Option<InFlight>,
    hints: Option<Hints>,
    switch: Option<(OnUpgrade, Switched)>,
    /// The viewer takes trailers.
    trailers: bool,
}

impl Future for Answering {
    type Output = Result<Response<Delivery>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut response = std::task::ready!(this.answer.as_mut().poll(cx));
        // One that HTTP/1.1 does not allow is as good as none.
        let phrase = response.extensions_mut().remove().and_then(|Reason(text)| ReasonPhrase::try_from(text).ok());
        if let Some(phrase) = phrase {
            response.extensions_mut().insert(phrase);
        }
        this.hints.iter().for_each(Hints::end);
        if let Some((viewer, switched)) = this.switch.take().filter(|_| response.status().is_informational()) {
            switched.keep(viewer, &mut response);
        }
        let in_flight = this.in_flight.take().expect("a future is not polled again after it is ready");
        let announced =
            response.extensions_mut().remove().filter(|_| this.trailers && !response.body().is_end_stream());
        let trailers =
            this.framing == Framing::Multiplexed || (this.framing == Framing::Delimited && announced.is_some());
        if let Some(Announced(names)) = announced.filter(|_| this.framing == Framing::Delimited) {
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response.headers_mut().insert(header::TRAILER, names);
        }
        Poll::Ready(Ok(response.map(|body| Delivery::new(body, this.framing, trailers, in_flight))))
    }
}
