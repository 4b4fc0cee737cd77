//! The listener over real loopback sockets: a small site, a running listener, and viewers that speak raw bytes.
//!
//! Time is tokio's paused clock wherever a limit is waited for; it moves on only when no socket has anything to do.

mod h1;
mod h2;
mod limits;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::body::{self, BodyError};

/// Answers by path.
#[derive(Default)]
pub(super) struct Site {
    /// Requests seen.
    pub(super) requests: AtomicUsize,
    /// Bytes that `/endless` has produced.
    pub(super) produced: Arc<AtomicU64>,
    /// Lets `/gate` answer.
    pub(super) gate: Arc<Notify>,
    /// Told when `/hang`'s future is dropped.
    pub(super) abandoned: CancellationToken,
    /// Told when a request arrives.
    pub(super) arrived: Arc<Notify>,
}

impl Handler for Site {
    fn handle(&self, connection: Arc<Connection>, request: Request<Body>) -> Answer {
        self.requests.fetch_add(1, SeqCst);
        self.arrived.notify_one();
        let version = request.version();
        match request.uri().path().to_owned().as_str() {
            "/info" => {
                let tls = connection.tls.clone();
                let info = format!("{version:?} {} {tls:?}", connection.scheme.as_str());
                Box::pin(async move { Response::new(body::full(info)) })
            }
            "/broken-length" => Box::pin(async {
                Response::builder().header("content-length", "10").body(broken()).expect("a response")
            }),
            "/broken" => Box::pin(async { Response::new(broken()) }),
            "/call" => {
                request.extensions().get::<crate::grpc::Call>().unwrap().begin();
                Box::pin(async move { upload(request.into_body()).await })
            }
            "/upload" => Box::pin(async move { upload(request.into_body()).await }),
            "/endless" => {
                let body = endless(Arc::clone(&self.produced));
                Box::pin(async { Response::new(body) })
            }
            "/gate" => {
                let gate = Arc::clone(&self.gate);
                Box::pin(async move {
                    gate.notified().await;
                    Response::new(body::full("opened"))
                })
            }
            "/hang" => {
                let guard: DropGuard = self.abandoned.clone().drop_guard();
                Box::pin(async move {
                    std::future::pending::<()>().await;
                    drop(guard);
                    Response::new(body::empty())
                })
            }
            _ => Box::pin(async { Response::new(body::full("hello")) }),
        }
    }
}

fn broken() -> Body {
    let frames = [Ok(Frame::data(Bytes::from_static(b"part"))), Err(BodyError::Origin)];
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

fn endless(produced: Arc<AtomicU64>) -> Body {
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let frames = stream::repeat_with(move || {
        produced.fetch_add(chunk.len() as u64, SeqCst);
        Ok(Frame::data(chunk.clone()))
    });
    StreamBody::new(frames).boxed_unsync()
}

async fn upload(mut body: Body) -> Response<Body> {
    let mut answer = Response::new(body::empty());
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => bytes += data.len(),
            Ok(Err(_trailers)) => *answer.status_mut() = StatusCode::IM_A_TEAPOT,
            Err(BodyError::ViewerTooSlow) => {
                *answer.status_mut() = StatusCode::REQUEST_TIMEOUT;
                return answer;
            }
            Err(_) => *answer.status_mut() = StatusCode::BAD_REQUEST,
        }
    }
    answer.map(|_| body::full(bytes.to_string()))
}

/// A listener that serves a [`Site`].
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) site: Arc<Site>,
    pub(super) slots: Arc<ConnectionSlots>,
    pub(super) begin_drain: CancellationToken,
    pub(super) ended: JoinHandle<usize>,
}

/// Starts a listener on a free port.
pub(super) fn start(limits: Limits, identities: Option<Arc<TlsIdentities>>) -> Running {
    start_with(limits, identities, ConnectionSlots::new(1000, 1000))
}

pub(super) fn start_with(
    limits: Limits,
    identities: Option<Arc<TlsIdentities>>,
    slots: Arc<ConnectionSlots>,
) -> Running {
    let site = Arc::new(Site::default());
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), identities).unwrap();
    let address = listener.local_addr();
    let begin_drain = CancellationToken::new();
    let drain = Drain { begin: begin_drain.clone(), grace: Duration::from_secs(30) };
    let handler: Arc<dyn Handler> = Arc::clone(&site) as Arc<dyn Handler>;
    let ended = tokio::spawn(listener.serve(handler, limits, Arc::clone(&slots), drain));
    Running { address, site, slots, begin_drain, ended }
}

impl Running {
    /// A viewer that has sent `request`.
    pub(super) async fn viewer(&self, request: &str) -> TcpStream {
        let mut viewer = TcpStream::connect(self.address).await.unwrap();
        viewer.write_all(request.as_bytes()).await.unwrap();
        viewer
    }

    /// Sends `request` and returns everything until the connection ends.
    pub(super) async fn exchange(&self, request: &str) -> String {
        let mut viewer = self.viewer(request).await;
        let mut all = Vec::new();
        viewer.read_to_end(&mut all).await.unwrap();
        String::from_utf8(all).unwrap()
    }
}

/// Reads until `end` has come.
pub(super) async fn read_until(viewer: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    while !seen.windows(end.len()).any(|window| window == end.as_bytes()) {
        let count = viewer.read_buf(&mut seen).await.unwrap();
        assert_ne!(count, 0, "ended before {end:?}: {:?}", String::from_utf8_lossy(&seen));
    }
    String::from_utf8(seen).unwrap()
}
