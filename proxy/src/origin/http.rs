//! One exchange with an origin that is a server: a turn, a connection, the request, the response's head.
//!
//! An [`Endpoint`] is one scheme, host and port with its pool. Deliberately absent: retries of what an origin may have
//! acted on. The only second sendings are that of a bodiless GET or HEAD whose connection died silently, once, and that of
//! any bodiless request on a kept connection that turned out to be closed before the first byte was written.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::bodies::{Lease, RequestBody, ResponseBody, Upload};
use super::connect::{Connector, Speaks};
use super::headers::{frame_request, kept_for, settle_response, strip_hop_by_hop};
use super::lines::Lines;
use super::pool::{Pool, PooledConnection};
use super::{BodyLength, Delimited, OriginError, OriginRequest, OriginResponse, Waits};
use crate::{
    body,
    interim::Interim,
    trailers::Announced,
    tunnel::{self, OriginEnd},
};

/// A server and the connections to it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    connector: Connector,
    pool: Arc<Pool>,
    lines: Arc<Lines>,
    turns: Arc<Semaphore>,
}

/// Marks a request that asks for a WebSocket.
#[derive(Clone, Copy)]
struct WantsTunnel;

/// An exchange that brought no response head.
struct Failure {
    error: OriginError,
    retry: Retry,
}

/// Whether a failed request may go out on another connection.
enum Retry {
    /// It may have reached the origin.
    No,
    /// Nothing came back.
    IfIdempotent,
    /// The origin had closed the connection before a byte of it was written.
    Unwritten,
    /// It was never written; here it is again.
    Unsent(Box<Request<RequestBody>>),
}

impl Endpoint {
    /// An endpoint that permits `max_connections` exchanges at a time (at least one).
    pub(crate) fn new(connector: Connector, max_connections: usize) -> Arc<Self> {
        let turns = Arc::new(Semaphore::new(max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        Arc::new(Self { connector, pool: Arc::default(), lines: Arc::default(), turns })
    }

    /// The exchange as [`super::Origin::send`] promises it.
    pub(crate) async fn send(
        &self,
        request: OriginRequest,
        timing: Waits,
        path_prefix: &str,
    ) -> Result<OriginResponse, OriginError> {
        let method = request.method.clone();
        let safe = method == Method::GET || method == Method::HEAD;
        let bodiless = request.body_length == BodyLength::None;
        let replayable = safe && bodiless && timing.attempts > 1;
        let again = request.again.clone();
        let (mut request, upload) = self.write_anew(request, path_prefix)?;
        let permit = self.turn(timing).await?;
        let websocket = request.extensions().get::<WantsTunnel>().is_some();
        while let Some(mut connection) = self.kept(websocket).await {
            let copy = bodiless.then(|| copy_of(&request));
            match exchange(&mut connection, request, &upload, timing).await {
                Ok(response) => return self.received(response, &method, connection, permit, upload, timing),
                Err(Failure { retry: Retry::Unsent(unsent), .. }) => request = *unsent,
                Err(Failure { error, retry: Retry::Unwritten }) => request = copy.ok_or(error)?,
                Err(Failure { error, retry: Retry::IfIdempotent }) if replayable && again.take() => {
                    // Others from the pool have likely died with it; the second sending gets a new connection.
                    request = copy.ok_or(error)?;
                    break;
                }
                Err(Failure { error, retry: Retry::IfIdempotent | Retry::No }) => return Err(error),
            }
        }
        let attempts = if safe { timing.attempts } else { 1 };
        let copy = replayable.then(|| copy_of(&request));
        let mut connection = self.connected(attempts, timing).await?;
        let response = match exchange(&mut connection, request, &upload, timing).await {
            Err(Failure { error, retry: Retry::IfIdempotent }) if replayable && again.take() => {
                connection = self.connected(attempts, timing).await?;
                exchange(&mut connection, copy.ok_or(error)?, &upload, timing).await
            }
            other => other,
        }
        .map_err(|failure| failure.error)?;
        if websocket && response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return switched(response, permit).await;
        }
        self.received(response, &method, connection, permit, upload, timing)
    }

    /// A connection that was kept; a tunnel takes none, for it would not come back.
    async fn kept(&self, websocket: bool) -> Option<PooledConnection> {
        if websocket { None } else { self.pool.checkout().await }
    }

    async fn connected(&self, attempts: u8, timing: Waits) -> Result<PooledConnection, OriginError> {
        let stream = self.connector.connect(Speaks::Http1, attempts, timing.connection).await?;
        PooledConnection::begin(stream).await
    }

    /// How it is reached.
    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Its connections over HTTP/2.
    pub(crate) fn lines(&self) -> &Arc<Lines> {
        &self.lines
    }

    /// Connections kept now.
    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.pool.idle()
    }

    fn write_anew(
        &self,
        request: OriginRequest,
        path_prefix: &str,
    ) -> Result<(Request<RequestBody>, Arc<Upload>), OriginError> {
        let OriginRequest {
            method,
            path_and_query,
            mut headers,
            body,
            body_length,
            interim,
            websocket,
            again: _,
            grpc: _,
        } = request;
        if !path_and_query.starts_with('/') {
            return Err(OriginError::Unsendable("the path does not begin with a slash".to_owned()));
        }
        let target = Uri::try_from(format!("{path_prefix}{path_and_query}"))
            .map_err(|error| OriginError::Unsendable(error.to_string()))?;
        frame_request(&mut headers, &method, body_length, self.connector.authority());
        let (body, upload) = RequestBody::new(body, body_length);
        let mut written = Request::new(body);
        *written.method_mut() = method;
        *written.uri_mut() = target;
        *written.headers_mut() = headers;
        if let Some(interim) = interim {
            relay(&mut written, interim);
        }
        if websocket {
            tunnel::switch(written.headers_mut());
            written.extensions_mut().insert(WantsTunnel);
        }
        Ok((written, upload))
    }

    /// A turn among the origin's connections.
    pub(crate) async fn turn(&self, timing: Waits) -> Result<OwnedSemaphorePermit, OriginError> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(timing.connection, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(OriginError::Busy),
        }
    }

    fn received(
        &self,
        response: Response<Incoming>,
        method: &Method,
        connection: PooledConnection,
        permit: OwnedSemaphorePermit,
        upload: Arc<Upload>,
        timing: Waits,
    ) -> Result<OriginResponse, OriginError> {
        let (mut head, incoming) = response.into_parts();
        // The phrase is not stored, so a miss has none either: it would differ from the hits after it.
        head.extensions.remove::<hyper::ext::ReasonPhrase>();
        let keepalive = kept_for(&head.headers, timing.keepalive);
        let announced = Announced::by(&head.headers);
        let delimited = settle_response(&mut head, method)?;
        if let Some(announced) = announced.filter(|_| delimited == Delimited::Chunked) {
            head.extensions.insert(announced);
        }
        let pool = Arc::clone(&self.pool);
        let lease = Lease { connection, pool, keepalive, permit, upload };
        let body = if matches!(delimited, Delimited::None | Delimited::Length(0)) {
            lease.finish();
            body::empty()
        } else {
            ResponseBody::new(incoming, lease, timing.read).boxed_unsync()
        };
        Ok(OriginResponse { head, body, delimited })
    }
}

/// The origin has agreed to a tunnel: its end goes on with the response, and so does its turn.
async fn switched(response: Response<Incoming>, permit: OwnedSemaphorePermit) -> Result<OriginResponse, OriginError> {
    if !tunnel::switches(response.headers()) {
        return Err(OriginError::BadResponse("a 101 that does not switch to WebSocket".to_owned()));
    }
    let (mut head, incoming) = response.into_parts();
    head.extensions.remove::<hyper::ext::ReasonPhrase>();
    let mut response = Response::from_parts(head, incoming);
    let end = hyper::upgrade::on(&mut response).await.map_err(|_| OriginError::Closed)?;
    let (mut head, _) = response.into_parts();
    strip_hop_by_hop(&mut head.headers);
    head.headers.remove(http::header::CONTENT_LENGTH);
    head.extensions.insert(OriginEnd::new(TokioIo::new(end), permit));
    Ok(OriginResponse { head, body: body::empty(), delimited: Delimited::None })
}

/// Has interim responses passed on, without what concerns the hop to the origin. 100 answers our own expectation, of which
/// there is none.
fn relay(request: &mut Request<RequestBody>, interim: Interim) {
    hyper::ext::on_informational(request, move |response| {
        if response.status() != StatusCode::CONTINUE {
            let mut headers = response.headers().clone();
            strip_hop_by_hop(&mut headers);
            interim.send(response.status(), &headers);
        }
    });
}

/// A copy of a request that has no body.
fn copy_of(request: &Request<RequestBody>) -> Request<RequestBody> {
    let (body, _) = RequestBody::new(body::empty(), BodyLength::None);
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    copy
}

/// Sends on one connection and waits for the head.
async fn exchange(
    connection: &mut PooledConnection,
    request: Request<RequestBody>,
    upload: &Upload,
    timing: Waits,
) -> Result<Response<Incoming>, Failure> {
    connection.signs().begin(connection.reused);
    let sent_at = Instant::now();
    let mut answer = std::pin::pin!(connection.sender.try_send_request(request));
    let mut alarm = std::pin::pin!(tokio::time::sleep_until(sent_at + timing.read));
    let mut failed = loop {
        tokio::select! {
            biased;
            answer = answer.as_mut() => match answer {
                Ok(response) => return Ok(response),
                Err(failed) => break failed,
            },
            () = alarm.as_mut() => {
                // Pieces of the request that the origin took, and waiting for the viewer, extend the time; bytes
                // from the origin do not (security.md X02).
                let now = Instant::now();
                let since = upload.origin_owes_since().unwrap_or(now).max(sent_at);
                if since + timing.read <= now {
                    return Err(Failure { error: OriginError::ReadTimeout, retry: Retry::No });
                }
                alarm.as_mut().reset(since + timing.read);
            }
        }
    };
    if let Some(unsent) = failed.take_message() {
        return Err(Failure { error: OriginError::Closed, retry: Retry::Unsent(Box::new(unsent)) });
    }
    let error = classify(&failed.into_error(), upload);
    let silent = error == OriginError::Closed && !connection.signs().heard();
    let retry = match connection.signs().unwritten() {
        true => Retry::Unwritten,
        false if silent => Retry::IfIdempotent,
        false => Retry::No,
    };
    Err(Failure { error, retry })
}

/// What an error of hyper comes down to.
pub(crate) fn classify(error: &hyper::Error, upload: &Upload) -> OriginError {
    if let Some(failure) = upload.failure() {
        OriginError::ViewerBody(failure)
    } else if error.is_parse() || error.is_parse_too_large() {
        OriginError::BadResponse(error.to_string())
    } else {
        OriginError::Closed
    }
}
