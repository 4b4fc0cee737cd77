//! The four hook points: what a function is given there, and what its result does to the request or response.
//!
//! [`Function`] is a loaded function of either family. The four functions of this module, one per hook point, convert the
//! message, run the function, apply its result and leave a line in the [`Record`]. A function that fails ends the
//! request, unless it is configured to be bypassed; then the message goes on untouched.
//!
//! Absent on purpose: engines and processes (behind the supervisor and the environments), and any decision about when a hook
//! is skipped (the lifecycle's).

mod breaker;
mod convert;
mod function;
mod invoke;
mod request_body;
mod run;

pub use breaker::Breaker;
pub use function::{Deployed, Facts, Function, FunctionBody, FunctionCounts, OnError, ReplacedHeaders, Said};

use crate::{
    body::{self, Body, Delimited},
    fault::Fault,
    gate::{self, Received},
    record::Record,
};
use convert::Replaced;
use edgehook_contract::{Family, Header, HookPoint, RequestMessage, lambda, viewer::OriginChoice};
use http::{Response, response::Parts};
use run::{Judge, Message, Outcome};

/// Who made a response in place of cache and origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maker(Family);

impl Maker {
    pub(crate) fn of(function: &Function) -> Self {
        Self(function.family())
    }

    /// First word of `X-Cache`.
    #[must_use]
    pub const fn x_cache(self) -> &'static str {
        match self.0 {
            Family::Viewer => "FunctionGeneratedResponse",
            Family::Lambda => "LambdaGeneratedResponse",
        }
    }
}

/// The length of a response's body after a hook: what the hook set if it replaced the body, else what it was.
pub(crate) fn length_after(response: &Response<Body>, before: Option<u64>) -> Option<u64> {
    crate::body::announced_length(response.headers()).or(before)
}

/// What a request hook decided.
#[derive(Debug)]
pub enum Flow<T> {
    /// Go on.
    Continue(T),
    /// The function answered.
    Answer(Response<Body>),
}

/// Whether a request hook shows its function the request's body (lambda-edge.md 2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeBody {
    /// It does not.
    #[default]
    No,
    /// It does, up to the hook's limit.
    Yes,
}

/// A request as viewer-request leaves it.
#[derive(Debug)]
pub struct ViewerBound {
    /// The request.
    pub request: Box<Received>,
    /// Another origin than the behavior's, when the function chose one.
    pub origin: Option<Box<OriginChoice>>,
}

/// Runs a viewer-request function: it may change the request or answer it, and with the body included replace that.
///
/// `judge` says whether an origin that the function chose can be had.
///
/// # Errors
/// The function failed, or the viewer's body broke off.
#[allow(clippy::too_many_arguments, reason = "each is one part of what the function sees and may do")]
pub async fn viewer_request(
    function: &Function,
    include: IncludeBody,
    request_id: &str,
    mut request: Box<Received>,
    body: &mut Body,
    judge: Judge<'_>,
    record: &mut Record,
) -> Result<Flow<ViewerBound>, Fault> {
    let given = convert::request(&request);
    let seen = request_body::seen(include, HookPoint::ViewerRequest, body).await?;
    let message = Message {
        viewer: request.viewer,
        request: &given,
        body: seen.as_ref(),
        lower_case_keys: request.version == http::Version::HTTP_2,
        origin: None,
        response: None,
        judge: Some(judge),
    };
    match run::run(function, HookPoint::ViewerRequest, request_id, message, record).await? {
        Outcome::Untouched => Ok(Flow::Continue(ViewerBound { request, origin: None })),
        Outcome::Request { request: mut message, body: replacement, choice, .. } => {
            canonical(function, HookPoint::ViewerRequest, &given, &mut message)?;
            convert::apply_to_request(&mut request, &message);
            if let Some(bytes) = replacement.filter(|_| may_carry_body(&request.method)) {
                convert::set_length(&mut request.headers, bytes.len());
                *body = body::full(bytes);
            }
            Ok(Flow::Continue(ViewerBound { request, origin: choice }))
        }
        Outcome::Response { message, body } => {
            let mut response = convert::generated(&message, body.unwrap_or_default());
            if let Some(reason) = convert::reason(&message) {
                response.extensions_mut().insert(reason);
            }
            Ok(Flow::Answer(response))
        }
    }
}

/// An origin request as origin-request leaves it.
#[derive(Debug)]
pub struct OriginBound {
    /// The request to send.
    pub request: RequestMessage,
    /// Another origin than the behavior's, when the function chose one.
    pub origin: Option<lambda::Origin>,
    /// Another body than the viewer's, when the function replaced it.
    pub body: Option<Vec<u8>>,
}

/// Runs an origin-request function on the request that is about to be sent, with its body when the hook includes it.
///
/// # Errors
/// The function failed, or the viewer's body broke off.
#[allow(clippy::too_many_arguments, reason = "each is one part of the event that the function sees")]
pub async fn origin_request(
    function: &Function,
    include: IncludeBody,
    request_id: &str,
    viewer: std::net::IpAddr,
    given: RequestMessage,
    body: &mut Body,
    origin: &lambda::Origin,
    record: &mut Record,
) -> Result<Flow<OriginBound>, Fault> {
    let seen = request_body::seen(include, HookPoint::OriginRequest, body).await?;
    let message = Message {
        viewer,
        request: &given,
        body: seen.as_ref(),
        lower_case_keys: false,
        origin: Some(origin),
        response: None,
        judge: None,
    };
    match run::run(function, HookPoint::OriginRequest, request_id, message, record).await? {
        Outcome::Untouched => Ok(Flow::Continue(OriginBound { request: given, origin: None, body: None })),
        Outcome::Request { mut request, origin, body, .. } => {
            canonical(function, HookPoint::OriginRequest, &given, &mut request)?;
            let body = body.filter(|_| may_carry_body(&request.method));
            Ok(Flow::Continue(OriginBound { request, origin, body }))
        }
        Outcome::Response { message, body } => Ok(Flow::Answer(convert::generated(&message, body.unwrap_or_default()))),
    }
}

/// A body that a function gives to a GET or HEAD is dropped, as one that a viewer gives is refused.
fn may_carry_body(method: impl AsRef<str>) -> bool {
    !matches!(method.as_ref(), "GET" | "HEAD")
}

/// A path that a function wrote takes the canonical form that the viewer's took, or is refused for the same reasons: key and
/// origin must not read it differently, and it must not climb out of the origin's prefix.
fn canonical(
    function: &Function,
    hook: HookPoint,
    given: &RequestMessage,
    written: &mut RequestMessage,
) -> Result<(), Fault> {
    if written.uri == given.uri {
        return Ok(());
    }
    match gate::canonical_path(&written.uri) {
        Ok(path) => {
            written.uri = path;
            Ok(())
        }
        Err(_) => {
            let detail =
                "uri.format: uri is no valid path: half an escape, an escaped control character, or above the root";
            Err(function.fault(hook, edgehook_contract::Fault::Validation, detail.to_owned()))
        }
    }
}

/// Runs an origin-response function; tells whether it replaced the body.
///
/// # Errors
/// The function failed.
#[allow(clippy::too_many_arguments, reason = "each is one part of the event that the function sees")]
pub async fn origin_response(
    function: &Function,
    request_id: &str,
    viewer: std::net::IpAddr,
    sent: &RequestMessage,
    origin: &lambda::Origin,
    head: &mut Parts,
    (body, delimited): (Body, Delimited),
    record: &mut Record,
) -> Result<Replaced, Fault> {
    let mut given = convert::response(head);
    if delimited == Delimited::Chunked {
        // Read-only, and a fresh response object that lacks it is refused as on AWS (lambda-edge.md 3.4).
        given.headers.push(Header::new("transfer-encoding", "chunked"));
    }
    let message = Message {
        viewer,
        request: sent,
        body: None,
        lower_case_keys: false,
        origin: Some(origin),
        response: Some(&given),
        judge: None,
    };
    match run::run(function, HookPoint::OriginResponse, request_id, message, record).await? {
        Outcome::Untouched | Outcome::Request { .. } => Ok(Replaced::No(body)),
        Outcome::Response { message, body: new } => {
            Ok(convert::apply_to_response(head, &message, body, new, function.replaced_headers()))
        }
    }
}

/// Runs a viewer-response function on the response that is about to be sent.
///
/// # Errors
/// The function failed.
pub async fn viewer_response(
    function: &Function,
    request_id: &str,
    (viewer, version): (std::net::IpAddr, http::Version),
    request: &RequestMessage,
    response: Response<Body>,
    record: &mut Record,
) -> Result<Response<Body>, Fault> {
    let (mut head, body) = response.into_parts();
    let given = convert::response(&head);
    let message = Message {
        viewer,
        request,
        body: None,
        lower_case_keys: version == http::Version::HTTP_2,
        origin: None,
        response: Some(&given),
        judge: None,
    };
    match run::run(function, HookPoint::ViewerResponse, request_id, message, record).await? {
        Outcome::Untouched | Outcome::Request { .. } => Ok(Response::from_parts(head, body)),
        Outcome::Response { message, body: new } => {
            let body = match convert::apply_to_response(&mut head, &message, body, new, function.replaced_headers()) {
                Replaced::No(body) => body,
                Replaced::Yes(bytes) => crate::body::full(bytes),
            };
            if let Some(reason) = convert::reason(&message) {
                head.extensions.insert(reason);
            }
            Ok(Response::from_parts(head, body))
        }
    }
}

pub use convert::{Replaced as BodyAfterHook, request as request_message};
pub(crate) use convert::{header_map, headers as contract_headers};
pub(crate) use invoke::{Invoked, invoke};
