//! Where responses come from: origins over HTTP/1.1 (and HTTP/2, for gRPC calls), origins that are folders or an echo, and origins that functions choose.
//!
//! [`Origin::build`] checks the settings once, [`Origin::send`] makes one exchange. The request is always written anew:
//! hop-by-hop fields go, and the framing is ours (security.md F3). A response whose framing is ambiguous is refused, and a
//! body that breaks off ends with an error, never cleanly. [`DynamicOrigins`] keeps origins that are chosen at run time
//! away from private addresses.
//!
//! Deliberately absent: HTTP/2 for anything but calls, redirects (never followed), caching, and any decision about which origin.
//! hyper's types do not leave this folder.

mod bodies;
mod calls;
mod connect;
mod dir;
mod dynamic;
mod echo;
mod error;
mod headers;
mod http;
mod lines;
mod pool;
mod resolve;
mod staged;
#[cfg(test)]
mod tests;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::http::{HeaderMap, Method, response};

pub use crate::body::Delimited;
use crate::{body::Body, interim::Interim};

pub use dynamic::DynamicOrigins;
pub use error::{OriginBuildError, OriginError};
pub use staged::{Played, Stage};

use connect::Connector;
use dir::Folder;
use http::Endpoint;

/// Where an origin is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A server that speaks HTTP/1.1, and HTTP/2 if it is called.
    Url {
        /// TLS or cleartext.
        https: bool,
        /// Name or address; IPv6 with or without brackets.
        host: String,
        /// TCP port.
        port: u16,
        /// Put in front of every path; empty or beginning with `/`.
        path_prefix: String,
    },
    /// A folder of files.
    Dir(PathBuf),
    /// The built-in server that answers with the request it received.
    Echo,
}

/// The `[origin.NAME]` table (experience.md 3.5), as far as the connection is concerned.
#[derive(Clone, Debug)]
pub struct OriginSettings {
    /// Where it is.
    pub target: Target,
    /// Longest wait for one attempt to connect: name, TCP and TLS together.
    pub connection_timeout: Duration,
    /// Attempts to connect for GET and HEAD; other methods have one.
    pub connection_attempts: u8,
    /// Longest wait for the response's head, and between pieces of its body.
    pub read_timeout: Duration,
    /// How long an idle connection is kept.
    pub keepalive_timeout: Duration,
    /// Exchanges at a time, connections over HTTP/2 counting as one each; who waits longer than `connection_timeout` for a turn gets [`OriginError::Busy`].
    pub max_connections: usize,
    /// PEM file of who may sign the origin's certificate, instead of the system's authorities.
    pub ca: Option<PathBuf>,
    /// Name that the origin's certificate must have, and that TLS asks for; `None`: the host's.
    pub server_name: Option<String>,
}

/// The waits of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For one attempt to connect.
    pub connection: Duration,
    /// Attempts to connect.
    pub attempts: u8,
    /// For the head, and between pieces of the body.
    pub read: Duration,
    /// How long the idle connection is kept afterwards.
    pub keepalive: Duration,
}

impl OriginSettings {
    /// The defaults of the configuration file for `target`.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            connection_timeout: Duration::from_secs(10),
            connection_attempts: 3,
            read_timeout: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(5),
            max_connections: 256,
            ca: None,
            server_name: None,
        }
    }
}

/// How long a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    None,
    /// This many bytes; sent with `Content-Length`.
    Known(u64),
    /// Sent in chunks.
    Unknown,
}

/// The leave to send a GET or HEAD that was lost on its way once more (http-cache.md 6.5). Clones are the same leave.
#[derive(Clone, Debug, Default)]
pub struct SecondTry(Arc<AtomicBool>);

impl SecondTry {
    /// The leave that is spent as soon as `spent` says so.
    #[must_use]
    pub fn unless(spent: Arc<AtomicBool>) -> Self {
        Self(spent)
    }

    /// No leave.
    #[must_use]
    pub fn denied() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Takes the leave, if it is still there.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

/// What is to be sent.
#[derive(Debug)]
pub struct OriginRequest {
    /// The method.
    pub method: Method,
    /// The request target after the path prefix, beginning with `/`.
    pub path_and_query: String,
    /// All fields, `Host` included (the origin's own name is put in when it is not). Hop-by-hop fields are removed.
    pub headers: HeaderMap,
    /// The body; polled as fast as the origin takes it. Trailers are dropped.
    pub body: Body,
    /// How the body is framed.
    pub body_length: BodyLength,
    /// Where interim responses go; without it they are dropped.
    pub interim: Option<Interim>,
    /// The leave to send it once more.
    pub again: SecondTry,
    /// Ask for a WebSocket, on a connection of its own; a 101 then carries the origin's end among its extensions.
    pub websocket: bool,
    /// Ask over HTTP/2, with both bodies under way at once: a gRPC call.
    pub grpc: bool,
}

/// What came back.
#[derive(Debug)]
pub struct OriginResponse {
    /// Status and fields, hop-by-hop ones removed; `Content-Length` stays where it is true.
    pub head: response::Parts,
    /// The body; ends with an error when it is shorter than promised. Trailers come as `trailers` keeps them.
    pub body: Body,
    /// How the origin delimited it.
    pub delimited: Delimited,
}

/// One origin, cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Origin {
    source: Source,
    /// What is put before every exchange, to see how the edge takes it.
    latency: Duration,
}

#[derive(Clone, Debug)]
enum Source {
    Server { endpoint: Arc<Endpoint>, timing: Waits, path_prefix: Arc<str> },
    Folder(Arc<Folder>),
    Echo(Arc<str>),
    Staged { stage: Arc<dyn Stage>, name: Arc<str>, timing: Waits },
}

impl Waits {
    fn of(settings: &OriginSettings) -> Self {
        Self {
            connection: settings.connection_timeout,
            attempts: settings.connection_attempts.max(1),
            read: settings.read_timeout,
            keepalive: settings.keepalive_timeout,
        }
    }
}

impl Origin {
    /// Checks the settings, reads the `ca` file or the system's authorities, finds the folder. Connects to nothing.
    ///
    /// # Errors
    /// [`OriginBuildError`], which carries `name`.
    pub fn build(name: &str, settings: OriginSettings) -> Result<Self, OriginBuildError> {
        let timing = Waits::of(&settings);
        let source = match settings.target {
            Target::Dir(folder) => Source::Folder(Arc::new(Folder::open(name, &folder)?)),
            Target::Echo => Source::Echo(name.into()),
            Target::Url { https, host, port, path_prefix } => {
                let roots = https.then(|| tls::roots(name, settings.ca.as_deref())).transpose()?;
                let connector = Connector::build(name, &host, port, roots)?;
                let connector = match settings.server_name {
                    None => connector,
                    Some(server) => connector.named(name, &server)?,
                };
                let endpoint = Endpoint::new(connector, settings.max_connections);
                Source::Server { endpoint, timing, path_prefix: clean_prefix(&path_prefix) }
            }
        };
        Ok(source.into())
    }

    /// An origin that `stage` plays.
    #[must_use]
    pub fn staged(name: &str, settings: &OriginSettings, stage: Arc<dyn Stage>) -> Self {
        Source::Staged { stage, name: name.into(), timing: Waits::of(settings) }.into()
    }

    /// The same origin with other waits. A folder has none.
    #[must_use]
    pub fn with_timeouts(&self, read: Duration, keepalive: Duration) -> Self {
        let mut origin = self.clone();
        if let Source::Server { timing, .. } | Source::Staged { timing, .. } = &mut origin.source {
            (timing.read, timing.keepalive) = (read, keepalive);
        }
        origin
    }

    fn of_endpoint(endpoint: Arc<Endpoint>, timing: Waits, path_prefix: &str) -> Self {
        Source::Server { endpoint, timing, path_prefix: clean_prefix(path_prefix) }.into()
    }

    /// The same origin, so much slower to answer; what is slower than its time-out for reading fails as such.
    #[must_use]
    pub fn slowed(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    async fn wait(&self) -> Result<(), OriginError> {
        if self.latency.is_zero() {
            return Ok(());
        }
        let limit = match &self.source {
            Source::Server { timing, .. } | Source::Staged { timing, .. } => timing.read,
            Source::Folder(_) | Source::Echo(_) => Duration::MAX,
        };
        tokio::time::sleep(self.latency.min(limit)).await;
        if self.latency < limit { Ok(()) } else { Err(OriginError::ReadTimeout) }
    }

    /// The same origin over the same connections, with other waits. A folder has none.
    #[must_use]
    pub fn with_waits(&self, waits: Waits) -> Self {
        let mut origin = self.clone();
        if let Source::Server { timing, .. } | Source::Staged { timing, .. } = &mut origin.source {
            *timing = waits;
        }
        origin
    }

    /// Sends a request and waits for the head of the response; the body follows as it is polled.
    ///
    /// A request without a body that was never written, because the origin had closed the kept connection, goes out on another
    /// one. With more than one attempt, so does a GET or HEAD when a kept connection turns out to be dead before any byte of the
    /// answer; nothing else is ever sent twice (security.md S26).
    ///
    /// # Errors
    /// [`OriginError`]; nothing was answered then.
    pub async fn send(&self, request: OriginRequest) -> Result<OriginResponse, OriginError> {
        self.wait().await?;
        match &self.source {
            Source::Server { endpoint, timing, path_prefix } if request.grpc => {
                endpoint.call(request, *timing, path_prefix).await
            }
            Source::Server { endpoint, timing, path_prefix } => endpoint.send(request, *timing, path_prefix).await,
            Source::Folder(folder) => Ok(folder.send(request).await),
            Source::Echo(name) => echo::answer(name, request).await,
            Source::Staged { stage, name, timing } => stage.answer(name, *timing, request).await,
        }
    }
}

impl From<Source> for Origin {
    fn from(source: Source) -> Self {
        Self { source, latency: Duration::ZERO }
    }
}

/// A prefix that can be followed by a path: no slash at its end.
fn clean_prefix(prefix: &str) -> Arc<str> {
    Arc::from(prefix.trim_end_matches('/'))
}
