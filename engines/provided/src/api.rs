//! The Lambda Runtime API over HTTP (lambda-edge.md 8.1 to 8.4), and the part of the extensions API that clients need for their
//! shutdown. One connection after the other, on one thread; what they ask for in which order is [`Machine`]'s to judge.

use crate::{
    group::Group,
    machine::{Machine, Refusal},
    peer,
};
use bytes::Bytes;
use edgehook_protocol::lambda::{Error, Function, Invocation, RESULT_LIMIT};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{cell::RefCell, convert::Infallible, io, rc::Rc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
};

/// Room for a request's headers: an error's cause may be 1 MB of them.
const HEADERS: usize = 1_100 * 1024;

const TYPE: &str = "lambda-runtime-function-error-type";
const BODY: &str = "lambda-runtime-function-error-body";

/// What the runtime did.
#[derive(Debug)]
pub(crate) enum Did {
    /// It asked for its first invocation: INIT is over.
    Ready,
    /// INIT failed.
    FailedInit(Error),
    /// It answered an invocation.
    Answered { call: u64, result: Result<Vec<u8>, Error> },
}

/// The server's state, shared by its connections.
#[derive(Debug)]
pub(crate) struct Api {
    machine: RefCell<Machine>,
    /// Told when there is an invocation to hand out, or an extension's event.
    changed: Notify,
    shutting_down: std::cell::Cell<bool>,
    did: mpsc::UnboundedSender<Did>,
    function: Function,
    group: Rc<RefCell<Group>>,
}

type Answer = Response<Full<Bytes>>;

impl Api {
    /// The API of `function` for the processes of `group`; what they do comes through `did`.
    pub(crate) fn new(function: Function, group: Rc<RefCell<Group>>, did: mpsc::UnboundedSender<Did>) -> Rc<Self> {
        let (machine, changed) = (RefCell::default(), Notify::new());
        Rc::new(Self { machine, changed, shutting_down: std::cell::Cell::new(false), did, function, group })
    }

    /// Hands an invocation to the runtime, which gets it when it asks.
    ///
    /// # Errors
    /// There is one already.
    pub(crate) fn begin(&self, invocation: Invocation) -> io::Result<()> {
        if !self.machine.borrow_mut().begin(invocation) {
            return Err(io::Error::other("a second invocation at a time"));
        }
        self.changed.notify_waiters();
        Ok(())
    }

    /// Tells extensions that the environment ends.
    pub(crate) fn shut_down(&self) {
        self.shutting_down.set(true);
        self.changed.notify_waiters();
    }

    /// Whether INIT goes on or an invocation is not answered.
    pub(crate) fn is_busy(&self) -> bool {
        let machine = self.machine.borrow();
        machine.may_fail_init() || machine.is_running()
    }

    /// Serves connections for ever. Must run within a `LocalSet`.
    pub(crate) async fn serve(self: Rc<Self>, listener: TcpListener) {
        loop {
            // An error is one connection's that went away, or a lack of descriptors that passes.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            if self.is_own(&stream) {
                tokio::task::spawn_local(self.clone().connection(stream));
            }
        }
    }

    /// Whether the other end is a process of this environment.
    fn is_own(&self, stream: &TcpStream) -> bool {
        let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else { return false };
        peer::inode(peer, local).is_some_and(|inode| self.group.borrow_mut().holds(inode))
    }

    async fn connection(self: Rc<Self>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let api = self.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        let mut server = http1::Builder::new();
        server.max_buf_size(HEADERS).title_case_headers(true);
        // How it ends concerns nobody: an invocation is lost with its process, not with a connection.
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let path = request.uri().path().to_owned();
        let invocation = path.strip_prefix("/2018-06-01/runtime/invocation/");
        match (invocation.unwrap_or(&path), invocation.is_some()) {
            ("next", true) => match *request.method() {
                Method::GET => self.next().await,
                _ => not_allowed(),
            },
            (rest, true) => match rest.split_once('/') {
                Some((id, "response")) => self.posted(request, |request| self.response(id, request)).await,
                Some((id, "error")) => self.posted(request, |request| self.error(id, request)).await,
                _ => not_found(),
            },
            ("/2018-06-01/runtime/init/error", _) => self.posted(request, |request| self.init_error(request)).await,
            ("/2018-06-01/ping" | "/ping", _) => match *request.method() {
                Method::GET => Response::new(Full::from("pong")),
                _ => not_allowed(),
            },
            ("/2020-01-01/extension/register", _) => self.posted(request, |_| async { self.register() }).await,
            ("/2020-01-01/extension/event/next", _) => match *request.method() {
                Method::GET => self.extension_event().await,
                _ => not_allowed(),
            },
            _ => not_found(),
        }
    }

    async fn posted<F: Future<Output = Answer>>(
        &self,
        request: Request<Incoming>,
        answer: impl FnOnce(Request<Incoming>) -> F,
    ) -> Answer {
        if *request.method() == Method::POST { answer(request).await } else { not_allowed() }
    }

    async fn next(&self) -> Answer {
        if self.machine.borrow_mut().asked() {
            let _ = self.did.send(Did::Ready);
        }
        loop {
            // Listening before looking.
            let changed = self.changed.notified();
            if let Some(invocation) = self.machine.borrow_mut().event() {
                return self.event(invocation);
            }
            changed.await;
        }
    }

    fn event(&self, invocation: &Invocation) -> Answer {
        let mut answer = Response::new(Full::from(invocation.event.0.clone()));
        let headers = [
            ("lambda-runtime-aws-request-id", invocation.request_id.clone()),
            ("lambda-runtime-deadline-ms", invocation.deadline.to_string()),
            ("lambda-runtime-invoked-function-arn", self.function.arn.clone()),
            ("content-type", "application/json".to_owned()),
        ];
        for (name, value) in headers {
            // All of these are ASCII that the proxy has made.
            if let Ok(value) = HeaderValue::try_from(value) {
                answer.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        // No other runtime would know what to do with it.
        if let Some(clock) = invocation.clock.filter(|_| !self.function.node.is_empty()) {
            answer.headers_mut().insert(HeaderName::from_static("edgehook-clock-ms"), HeaderValue::from(clock));
        }
        if !invocation.trace.is_empty()
            && let Ok(value) = HeaderValue::try_from(&invocation.trace)
        {
            answer.headers_mut().insert(HeaderName::from_static("lambda-runtime-trace-id"), value);
        }
        answer
    }

    async fn response(&self, id: &str, request: Request<Incoming>) -> Answer {
        if let Err(refusal) = self.machine.borrow().may_answer(id) {
            return refused(refusal);
        }
        let result = match read(request.into_body(), RESULT_LIMIT).await {
            Ok((bytes, trailers)) => failed_midway(&trailers).map_or(Ok(bytes), Err),
            Err(Unread::TooLong(bytes)) => {
                let answer = self.finish(id, Err(Error::too_large(bytes)));
                let text = "the result is too large";
                return answer.unwrap_or_else(|| told(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", text));
            }
            Err(Unread::Broken) => return told(StatusCode::BAD_REQUEST, "InvalidRequest", "the body ends too early"),
        };
        self.finish(id, result).unwrap_or_else(accepted)
    }

    async fn error(&self, id: &str, request: Request<Incoming>) -> Answer {
        if let Err(refusal) = self.machine.borrow().may_answer(id) {
            return refused(refusal);
        }
        let (head, body) = request.into_parts();
        match read(body, RESULT_LIMIT).await {
            Ok((bytes, _)) => self.finish(id, Err(described(&head.headers, &bytes))).unwrap_or_else(accepted),
            Err(_) => told(StatusCode::BAD_REQUEST, "InvalidRequest", "the body cannot be read"),
        }
    }

    /// The invocation has its answer; `Some`: it is no longer wanted.
    fn finish(&self, id: &str, result: Result<Vec<u8>, Error>) -> Option<Answer> {
        // Asked again: another connection may have answered while this one sent its body.
        match self.machine.borrow_mut().answered(id) {
            Ok(call) => {
                let _ = self.did.send(Did::Answered { call, result });
                None
            }
            Err(refusal) => Some(refused(refusal)),
        }
    }

    async fn init_error(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let read = read(body, RESULT_LIMIT).await;
        if !self.machine.borrow().may_fail_init() {
            return refused(Refusal::WrongState);
        }
        let bytes = read.map(|(bytes, _)| bytes).unwrap_or_default();
        let _ = self.did.send(Did::FailedInit(described(&head.headers, &bytes)));
        accepted()
    }

    fn register(&self) -> Answer {
        let about = json!({
            "functionName": self.function.name,
            "functionVersion": self.function.version,
            "handler": self.function.handler,
        });
        let mut answer = written(StatusCode::OK, &about);
        if let Ok(value) = HeaderValue::try_from(identifier()) {
            answer.headers_mut().insert(HeaderName::from_static("lambda-extension-identifier"), value);
        }
        answer
    }

    /// The only event that extensions get is the last.
    async fn extension_event(&self) -> Answer {
        loop {
            let changed = self.changed.notified();
            if self.shutting_down.get() {
                return written(StatusCode::OK, &json!({ "eventType": "SHUTDOWN", "shutdownReason": "spindown" }));
            }
            changed.await;
        }
    }
}

enum Unread {
    TooLong(usize),
    Broken,
}

/// The whole body, streamed or not, and its trailers.
async fn read(mut body: Incoming, limit: usize) -> Result<(Vec<u8>, HeaderMap), Unread> {
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let (mut bytes, mut trailers) = (Vec::new(), HeaderMap::new());
    let mut length = 0;
    // What is too long is read to its end all the same, or the runtime would see a broken connection and no answer.
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::Broken)?;
        match frame.into_data() {
            Ok(data) => {
                length += data.len();
                if length <= limit {
                    bytes.extend_from_slice(&data);
                } else {
                    bytes = Vec::new();
                }
            }
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    if length > limit { Err(Unread::TooLong(length.max(declared))) } else { Ok((bytes, trailers)) }
}

/// The error that a streamed response ends with, where it does.
fn failed_midway(trailers: &HeaderMap) -> Option<Error> {
    trailers.contains_key(TYPE).then(|| {
        let body = trailers.get(BODY).map(HeaderValue::as_bytes).unwrap_or_default();
        described(trailers, body)
    })
}

/// The error that a runtime describes: its type from the header, where there is one, or from the body (lambda-edge.md 8.4).
fn described(headers: &HeaderMap, body: &[u8]) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let trace = ["stackTrace", "trace"].iter().find_map(|name| body.get(name)?.as_array());
    let lines = trace.into_iter().flatten().filter_map(|line| line.as_str().map(str::to_owned)).take(100).collect();
    let kind = match headers.get(TYPE) {
        Some(kind) => kind.to_str().ok().filter(|kind| is_platform_type(kind)).unwrap_or("Runtime.Unknown").to_owned(),
        None => text("errorType").unwrap_or_else(|| "Runtime.Unknown".to_owned()),
    };
    Error { kind: cut(kind, 256), message: cut(text("errorMessage").unwrap_or_default(), 4096), trace: lines }
}

/// `(Runtime|Function)\.[A-Z][a-zA-Z]+`
fn is_platform_type(kind: &str) -> bool {
    let name = kind.strip_prefix("Runtime.").or_else(|| kind.strip_prefix("Function.")).unwrap_or_default();
    name.len() >= 2
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

/// A version 4 UUID.
fn identifier() -> String {
    let mut bytes = [0_u8; 16];
    // Without random bytes it is merely no secret; only the runtime itself sees it.
    let _ = getrandom::fill(&mut bytes);
    let number = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{number:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn written(status: StatusCode, value: &Value) -> Answer {
    let mut answer = Response::new(Full::from(value.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn accepted() -> Answer {
    written(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn told(status: StatusCode, kind: &str, message: &str) -> Answer {
    written(status, &json!({ "errorType": kind, "errorMessage": message }))
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::UnknownId => {
            told(StatusCode::BAD_REQUEST, "InvalidRequestID", "no such invocation waits for an answer")
        }
        Refusal::WrongState => told(StatusCode::FORBIDDEN, "InvalidStateTransition", "not in this state"),
    }
}

fn not_found() -> Answer {
    told(StatusCode::NOT_FOUND, "NotFound", "no such endpoint")
}

fn not_allowed() -> Answer {
    told(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "not with this method")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(kind: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(TYPE), HeaderValue::from_static(kind))])
    }

    #[test]
    fn row_111_the_type_of_an_error() {
        let body = br#"{"errorType":"TypeError","errorMessage":"no","trace":["a","b"]}"#;
        let error = described(&HeaderMap::new(), body);
        assert_eq!((error.kind.as_str(), error.message.as_str(), error.trace.len()), ("TypeError", "no", 2));
        assert_eq!(described(&headers("weird"), body).kind, "Runtime.Unknown");
        assert_eq!(described(&headers("Runtime.ImportModuleError"), body).kind, "Runtime.ImportModuleError");
        assert_eq!(described(&headers("Function.X"), body).kind, "Runtime.Unknown", "two letters at least");
        assert_eq!(described(&headers("Runtime.x1"), body).kind, "Runtime.Unknown");
        for rubbish in [&b"not json"[..], b"", b"[]", b"{\"errorMessage\":7,\"stackTrace\":\"x\"}", &[0xff]] {
            let error = described(&HeaderMap::new(), rubbish);
            assert_eq!((error.kind.as_str(), error.trace.len()), ("Runtime.Unknown", 0));
        }
        let long = json!({ "errorMessage": "é".repeat(5000) }).to_string();
        assert_eq!(described(&HeaderMap::new(), long.as_bytes()).message.len(), 4096);
    }

    #[test]
    fn a_stream_that_fails_midway_is_an_error() {
        assert_eq!(failed_midway(&HeaderMap::new()), None);
        let mut trailers = headers("Runtime.StreamError");
        trailers.insert(BODY, HeaderValue::from_static("{\"errorMessage\":\"broke\"}"));
        let error = failed_midway(&trailers).unwrap();
        assert_eq!((error.kind.as_str(), error.message.as_str()), ("Runtime.StreamError", "broke"));
    }

    #[test]
    fn identifiers_are_uuids() {
        let identifier = identifier();
        let parts: Vec<usize> = identifier.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&identifier[14..15], "4");
    }
}
