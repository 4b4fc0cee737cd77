//! Calls to an origin over HTTP/2, with both bodies under way at once (http-cache.md 6.9).
//!
//! [`Endpoint::call`] sends one on a connection that has room for it. Who leaves, viewer or origin, ends it for both. It goes out a second
//! time only if its connection had ended before it was written. Deliberately absent: the connections (`lines.rs`), and anything
//! else than calls over HTTP/2.

use std::error::Error;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Method, Request, Response, Uri};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use super::bodies::{RequestBody, Upload};
use super::connect::Speaks;
use super::headers::{frame_call, settle_response};
use super::http::{Endpoint, classify};
use super::lines::{Connecting, Line, Stream};
use super::{Delimited, OriginError, OriginRequest, OriginResponse, Waits};
use crate::body::{self, BodyError};
use crate::{grpc, trailers};

/// Times that a call is written anew because its connection had ended before.
const REWRITTEN: usize = 3;

impl Endpoint {
    /// One call.
    pub(crate) async fn call(
        self: &Arc<Self>,
        request: OriginRequest,
        timing: Waits,
        path_prefix: &str,
    ) -> Result<OriginResponse, OriginError> {
        // Who gives a call more time than the origin has for its head, may wait.
        let patience = grpc::deadline(&request.headers).unwrap_or_default().min(grpc::IDLE).max(timing.read);
        let (mut request, upload, leaving) = self.write_call(request, path_prefix)?;
        for _ in 0..REWRITTEN {
            let stream = self.stream(timing).await?;
            match exchange(&stream, request, &upload, patience).await {
                Ok(response) => return received(response, stream, upload, leaving),
                Err((error, None)) => return Err(error),
                Err((_, Some(unsent))) => {
                    stream.is_the_last();
                    request = *unsent;
                }
            }
        }
        Err(OriginError::Closed)
    }

    /// The request as it goes out, what is known of its body, and what ends that before its time when it is dropped.
    fn write_call(
        &self,
        request: OriginRequest,
        path_prefix: &str,
    ) -> Result<(Request<CallUpload>, Arc<Upload>, DropGuard), OriginError> {
        let OriginRequest { method, path_and_query, mut headers, body, body_length, .. } = request;
        if !path_and_query.starts_with('/') {
            return Err(OriginError::Unsendable("the path does not begin with a slash".to_owned()));
        }
        let host = frame_call(&mut headers, body_length).unwrap_or_else(|| self.connector().authority().clone());
        let unsendable = |error: http::Error| OriginError::Unsendable(error.to_string());
        let target = Uri::builder()
            .scheme(if self.connector().speaks_tls() { "https" } else { "http" })
            .authority(host.as_bytes())
            .path_and_query(format!("{path_prefix}{path_and_query}"))
            .build()
            .map_err(unsendable)?;
        let (body, upload) = RequestBody::new(body, body_length);
        let leaving = CancellationToken::new();
        let body = CallUpload { body, left: Box::pin(leaving.clone().cancelled_owned()) };
        let mut written = Request::new(body);
        *written.method_mut() = method;
        *written.uri_mut() = target;
        *written.headers_mut() = headers;
        Ok((written, upload, leaving.drop_guard()))
    }

    /// Room for a call.
    async fn stream(self: &Arc<Self>, timing: Waits) -> Result<Stream, OriginError> {
        let connect = || self.connecting(timing);
        loop {
            match self.lines().take(timing.keepalive, Some(&connect)) {
                Ok(stream) => return Ok(stream),
                Err(None) => return Err(OriginError::Busy),
                Err(Some(connecting)) => match connecting.await {
                    // All connections that there may be are there. Meanwhile a call may have ended.
                    Err(OriginError::Busy) => {
                        return self.lines().take(timing.keepalive, None).map_err(|_| OriginError::Busy);
                    }
                    done => done?,
                },
            }
        }
    }

    /// Begins to make a connection, on a task of its own: it is for all who wait.
    fn connecting(self: &Arc<Self>, timing: Waits) -> Connecting {
        let endpoint = Arc::clone(self);
        let attempt = tokio::spawn(async move {
            let made = endpoint.another_line(timing).await;
            endpoint.lines().connected(made.as_ref().ok().cloned(), timing.keepalive);
            made.map(drop)
        });
        attempt.map(|made| made.unwrap_or(Err(OriginError::Closed))).boxed().shared()
    }

    async fn another_line(&self, timing: Waits) -> Result<Arc<Line>, OriginError> {
        let turn = self.turn(timing).await?;
        let stream = self.connector().connect(Speaks::Http2, timing.attempts, timing.connection).await?;
        Line::begin(stream, turn).await
    }
}

/// Sends and waits for the head; with the error comes the request if it was never written.
async fn exchange(
    stream: &Stream,
    request: Request<CallUpload>,
    upload: &Upload,
    patience: Duration,
) -> Result<Response<Incoming>, (OriginError, Option<Box<Request<CallUpload>>>)> {
    let sent_at = Instant::now();
    let mut sender = stream.sender();
    let mut answer = std::pin::pin!(sender.try_send_request(request));
    let mut alarm = std::pin::pin!(tokio::time::sleep_until(sent_at + patience));
    loop {
        tokio::select! {
            biased;
            answer = answer.as_mut() => return answer.map_err(|mut failed| match failed.take_message() {
                Some(unsent) => (OriginError::Closed, Some(Box::new(unsent))),
                None => (classify(&failed.into_error(), upload), None),
            }),
            () = alarm.as_mut() => {
                let now = Instant::now();
                // While the viewer has more to say, the origin need not answer; but somebody has to say something.
                let until = match upload.origin_owes_since() {
                    Some(since) => since.max(sent_at) + patience,
                    None => upload.last_piece().max(sent_at) + grpc::IDLE,
                };
                if until <= now {
                    return Err((OriginError::ReadTimeout, None));
                }
                alarm.as_mut().reset(until.min(now + patience));
            }
        }
    }
}

fn received(
    response: Response<Incoming>,
    stream: Stream,
    upload: Arc<Upload>,
    leaving: DropGuard,
) -> Result<OriginResponse, OriginError> {
    let (mut head, incoming) = response.into_parts();
    let delimited = match settle_response(&mut head, &Method::POST)? {
        Delimited::Close => Delimited::Chunked, // HTTP/2 always tells where the end is
        other => other,
    };
    let body = if incoming.is_end_stream() {
        body::empty()
    } else {
        let heard = Instant::now();
        CallBody { incoming, upload, heard, alarm: None, lease: Some((stream, leaving)) }.boxed_unsync()
    };
    Ok(OriginResponse { head, body, delimited })
}

/// The request's messages. When the call is over before they are, the origin is told that no more will come.
#[derive(Debug)]
pub(crate) struct CallUpload {
    body: RequestBody,
    left: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// What ends a request's messages early: to the origin, the viewer has cancelled the call.
fn cancelled() -> Box<dyn Error + Send + Sync> {
    h2::Error::from(h2::Reason::CANCEL).into()
}

impl HttpBody for CallUpload {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(cancelled())));
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(|_| cancelled())
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The answer's messages and what stands behind them. Dropping it ends the call.
struct CallBody {
    incoming: Incoming,
    upload: Arc<Upload>,
    /// When the origin said something last.
    heard: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
    /// The room on the connection, and the end of the request's messages.
    lease: Option<(Stream, DropGuard)>,
}

impl CallBody {
    /// Ready when nobody has said anything for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let until = self.heard.max(self.upload.last_piece()) + grpc::IDLE;
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
            // It is moved only when it goes off early, which costs one wake-up instead of a timer per message.
            ready!(alarm.as_mut().poll(cx));
            if alarm.deadline() >= until {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(until);
        }
    }
}

impl HttpBody for CallBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.heard = Instant::now();
                    match frame.into_data() {
                        Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                        Err(frame) => {
                            if let Some(trailers) = frame.into_trailers().ok().and_then(trailers::kept) {
                                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                            }
                        }
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    self.lease = None;
                    return Poll::Ready(Some(Err(BodyError::Origin)));
                }
                Poll::Ready(None) => {
                    self.lease = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    ready!(self.poll_silence(cx));
                    self.lease = None;
                    return Poll::Ready(Some(Err(BodyError::OriginTimeout)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
