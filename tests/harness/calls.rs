//! gRPC as the wire has it: an origin whose calls are scripted one by one, and a viewer. Both speak HTTP/2 through the h2 crate, so that
//! tests decide about every message, reset and window. Messages are opaque bytes behind their five bytes of length.

use std::{
    future::{Future, poll_fn},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::{
    Reason, RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
    server::SendResponse,
};
use http::{HeaderMap, Request, Response, request::Parts};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// A message in its frame.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.extend_from_slice(message);
    frame.freeze()
}

/// The messages that come in on a stream.
pub(crate) struct Messages {
    stream: RecvStream,
    unread: BytesMut,
}

impl Messages {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, unread: BytesMut::new() }
    }

    /// The next message; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, h2::Error>> {
        loop {
            if let Some(mut head) = self.unread.get(..5) {
                head.advance(1);
                let length = usize::try_from(head.get_u32()).unwrap();
                if self.unread.len() >= 5 + length {
                    self.unread.advance(5);
                    return Some(Ok(self.unread.split_to(length).freeze()));
                }
            }
            match self.stream.data().await {
                Some(Ok(bytes)) => {
                    // What was reset meanwhile needs no window.
                    let _ = self.stream.flow_control().release_capacity(bytes.len());
                    self.unread.extend_from_slice(&bytes);
                }
                Some(Err(error)) => return Some(Err(error)),
                None => {
                    assert!(self.unread.is_empty(), "half a message");
                    return None;
                }
            }
        }
    }

    /// The next message as text.
    pub(crate) async fn text(&mut self) -> String {
        String::from_utf8(self.next().await.expect("a message").unwrap().to_vec()).unwrap()
    }

    /// Why the stream was reset, after whatever messages.
    pub(crate) async fn reset(&mut self) -> Reason {
        loop {
            match self.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error.reason().expect("a reset"),
                None => panic!("ended in order"),
            }
        }
    }

    /// What stands behind the messages.
    pub(crate) async fn trailers(&mut self) -> HeaderMap {
        assert!(self.next().await.is_none(), "one more message");
        self.stream.trailers().await.unwrap().expect("trailers")
    }
}

/// Sends bytes as the window lets them through; says how many went before it was reset.
pub(crate) async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes, end: bool, sent: &AtomicUsize) {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
        let piece = bytes.split_to(room.min(bytes.len()));
        sent.fetch_add(piece.len(), SeqCst);
        let last = end && bytes.is_empty();
        if stream.send_data(piece, last).is_err() {
            return;
        }
    }
}

/// A call as the origin has it.
pub(crate) struct OriginCall {
    pub(crate) head: Parts,
    pub(crate) messages: Messages,
    respond: SendResponse<Bytes>,
}

impl OriginCall {
    /// Sends the head of the answer.
    pub(crate) fn accept(&mut self) -> SendStream<Bytes> {
        let head = Response::builder().header("content-type", "application/grpc").header("x-origin", "1");
        self.respond.send_response(head.body(()).unwrap(), false).unwrap()
    }

    /// Answers with a status and nothing else.
    pub(crate) fn refuse(&mut self, status: &str) {
        let head = Response::builder().header("content-type", "application/grpc").header("grpc-status", status);
        self.respond.send_response(head.body(()).unwrap(), true).unwrap();
    }

    /// Sends an interim response.
    pub(crate) fn hint(&mut self) {
        self.respond.send_informational(Response::builder().status(103).body(()).unwrap()).unwrap();
    }

    /// Resets the stream before there is an answer.
    pub(crate) fn reset(&mut self, reason: Reason) {
        self.respond.send_reset(reason);
    }

    /// Waits until the other side resets the stream.
    pub(crate) async fn is_reset(&mut self) -> Reason {
        poll_fn(|cx| self.respond.poll_reset(cx)).await.unwrap()
    }
}

/// Ends an answer with this status.
pub(crate) fn finish(stream: &mut SendStream<Bytes>, status: &'static str) {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    stream.send_trailers(trailers).unwrap();
}

/// Ends an answer with status 0 after these messages.
pub(crate) fn answer(call: &mut OriginCall, messages: &[&str]) {
    let mut stream = call.accept();
    messages.iter().for_each(|message| stream.send_data(framed(message.as_bytes()), false).unwrap());
    finish(&mut stream, "0");
}

/// A running origin of calls.
pub(crate) struct CallOrigin {
    address: SocketAddr,
    scheme: &'static str,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<Parts>>>,
}

/// What an origin is like.
#[derive(Clone, Default)]
pub(crate) struct Like {
    /// With TLS.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Streams that it permits on a connection.
    pub(crate) streams: Option<u32>,
    /// It ends a connection in order after its first call.
    pub(crate) goes_away: bool,
}

impl CallOrigin {
    /// An origin in cleartext that handles every call with `script`.
    pub(crate) async fn start<F, Fut>(script: F) -> Self
    where
        F: Fn(OriginCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::like(Like::default(), script).await
    }

    /// The same, of some kind.
    pub(crate) async fn like<F, Fut>(like: Like, script: F) -> Self
    where
        F: Fn(OriginCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, scheme) = (listener.local_addr().unwrap(), if like.tls.is_some() { "https" } else { "http" });
        let (connections, heads) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counter, log, script) = (Arc::clone(&connections), Arc::clone(&heads), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                counter.fetch_add(1, SeqCst);
                let (like, log, script) = (like.clone(), Arc::clone(&log), Arc::clone(&script));
                tokio::spawn(async move {
                    match &like.tls {
                        None => serve(tcp, &like, &log, &*script).await,
                        Some(acceptor) => {
                            if let Ok(tls) = acceptor.accept(tcp).await {
                                serve(tls, &like, &log, &*script).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, scheme, connections, heads }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// The heads of all calls.
    pub(crate) fn heads(&self) -> Vec<Parts> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve<S, F, Fut>(stream: S, like: &Like, log: &Mutex<Vec<Parts>>, script: &F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(OriginCall) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut builder = h2::server::Builder::new();
    if let Some(streams) = like.streams {
        builder.max_concurrent_streams(streams);
    }
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        let (head, body) = request.into_parts();
        log.lock().unwrap().push(head.clone());
        tokio::spawn(script(OriginCall { head, messages: Messages::new(body), respond }));
        if like.goes_away {
            connection.graceful_shutdown();
        }
    }
}

/// A viewer's connection in cleartext.
#[derive(Clone)]
pub(crate) struct Caller(SendRequest<Bytes>);

/// A call as the viewer has it.
pub(crate) struct ViewerCall {
    response: Option<ResponseFuture>,
    pub(crate) upload: SendStream<Bytes>,
}

impl Caller {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = h2::client::handshake(tcp).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Begins a call.
    pub(crate) async fn call(&self, path: &str, fields: &[(&str, &str)]) -> ViewerCall {
        let mut head = Request::post(format!("http://www.example.com{path}"))
            .header("content-type", "application/grpc+proto")
            .header("te", "trailers");
        for (name, value) in fields {
            head = head.header(*name, *value);
        }
        let mut sender = self.0.clone().ready().await.unwrap();
        let (response, upload) = sender.send_request(head.body(()).unwrap(), false).unwrap();
        ViewerCall { response: Some(response), upload }
    }

    /// A whole call with one message; head, messages, and what stands behind them or in the head.
    pub(crate) async fn unary(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        message: &str,
    ) -> (HeaderMap, Vec<String>, HeaderMap) {
        let mut call = self.call(path, fields).await;
        // Who has an answer already need not listen any more.
        let _ = call.upload.send_data(framed(message.as_bytes()), true);
        let response = call.head().await;
        assert_eq!(response.status(), 200);
        let (head, body) = response.into_parts();
        let (over, mut messages, mut texts) = (body.is_end_stream(), Messages::new(body), Vec::new());
        if over {
            return (head.headers.clone(), texts, head.headers);
        }
        while let Some(message) = messages.next().await {
            texts.push(String::from_utf8(message.unwrap().to_vec()).unwrap());
        }
        (head.headers, texts, messages.trailers().await)
    }
}

impl ViewerCall {
    /// Sends a message.
    pub(crate) fn say(&mut self, message: &str, end: bool) {
        self.upload.send_data(framed(message.as_bytes()), end).unwrap();
    }

    /// The head of the answer, or why there is none.
    pub(crate) async fn answered(&mut self) -> Result<Response<RecvStream>, h2::Error> {
        self.response.take().expect("asked once").await
    }

    /// The head of the answer.
    pub(crate) async fn head(&mut self) -> Response<RecvStream> {
        self.answered().await.unwrap()
    }

    /// The messages of the answer.
    pub(crate) async fn messages(&mut self) -> Messages {
        Messages::new(self.head().await.into_body())
    }

    /// Gives the call up.
    pub(crate) fn cancel(mut self) {
        self.upload.send_reset(Reason::CANCEL);
    }
}
