//! Origins over real loopback sockets: scripted servers that say exactly the bytes of the test, and folders.
//!
//! Time is tokio's paused clock wherever a limit is waited for; it moves on only when no socket has anything to do.

mod bodies;
mod calls;
mod connections;
mod dir;
mod exchange;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::body::{self, BodyError};

/// A server whose connections are handled by a script that gets the connection's number, from 0.
pub(super) struct Scripted {
    pub(super) address: SocketAddr,
    /// Connections accepted.
    pub(super) connections: Arc<AtomicUsize>,
}

pub(super) async fn scripted<F, Fut>(script: F) -> Scripted
where
    F: Fn(usize, TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(script(counter.fetch_add(1, SeqCst), tcp));
        }
    });
    Scripted { address, connections }
}

/// A server that gives `answer` to every request head and then, if `close`, closes.
pub(super) async fn answering(answer: &'static str, close: bool) -> Scripted {
    scripted(move |_, mut tcp| async move {
        while read_head(&mut tcp).await.is_some() {
            if tcp.write_all(answer.as_bytes()).await.is_err() || close {
                return;
            }
        }
    })
    .await
}

/// Reads one request head; `None` when there is none any more.
pub(super) async fn read_head(tcp: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

impl Scripted {
    pub(super) fn settings(&self) -> OriginSettings {
        OriginSettings::new(Target::Url {
            https: false,
            host: self.address.ip().to_string(),
            port: self.address.port(),
            path_prefix: String::new(),
        })
    }

    pub(super) fn origin(&self) -> Origin {
        Origin::build("o", self.settings()).unwrap()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

/// A request without a body.
pub(super) fn request(method: Method, path: &str) -> OriginRequest {
    OriginRequest {
        method,
        again: SecondTry::default(),
        path_and_query: path.to_owned(),
        headers: HeaderMap::new(),
        body: body::empty(),
        body_length: BodyLength::None,
        interim: None,
        websocket: false,
        grpc: false,
    }
}

pub(super) async fn get(origin: &Origin) -> Result<OriginResponse, OriginError> {
    origin.send(request(Method::GET, "/")).await
}

/// A body's bytes, and the error it ended with.
pub(super) async fn drain(mut body: Body) -> (String, Option<BodyError>) {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend(frame.into_data().unwrap_or_else(|_| Bytes::from_static(b"TRAILERS"))),
            Err(error) => return (String::from_utf8(bytes).unwrap(), Some(error)),
        }
    }
    (String::from_utf8(bytes).unwrap(), None)
}

/// Connections that `origin` keeps.
pub(super) fn idle(origin: &Origin) -> usize {
    match &origin.source {
        Source::Server { endpoint, .. } => endpoint.idle(),
        Source::Folder(_) | Source::Echo(_) | Source::Staged { .. } => 0,
    }
}
