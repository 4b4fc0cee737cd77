//! `POST /2015-03-31/functions/{name}/invocations`: a Lambda function invoked with any event, in the words of Lambda's Invoke API
//! (lambda-edge.md 8.5), for the tools that speak it.
//!
//! The name is the function's, `us-east-1.` and its name, or its ARN; a version may follow a colon or stand in `?Qualifier=`. The body
//! is the event. `X-Amz-Invocation-Type` is `RequestResponse`, `Event` (answered before it has run) or `DryRun`;
//! `X-Amz-Log-Type: Tail` asks for the end of the log. An error of the function's own is an answer like others, told by
//! `X-Amz-Function-Error`. Deliberately absent: Amazon's signatures (the gate of the admin API decides who may ask), client
//! contexts, and the rules of any hook: what a function returns is passed on as it is.

use crate::{edge::Edge, hooks::FunctionBody, id, trace_context::Trace};
use axum::{
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use edgehook_contract::Header;
use edgehook_lambda::{Function, InvokeError, Request};
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::SystemTime};

/// Longest event, in bytes, as Lambda has it for those that wait for the answer.
pub(super) const EVENT_LIMIT: usize = 6 * 1024 * 1024;

#[derive(Debug, Deserialize)]
pub(super) struct Version {
    #[serde(rename = "Qualifier")]
    qualifier: Option<String>,
}

/// How the invocation is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    RequestResponse,
    Event,
    DryRun,
}

/// Why a function is not invoked.
#[derive(Debug)]
enum Refusal {
    NotFound(String),
    BadParameter(&'static str),
    BadContent(String),
    TooLarge,
    Throttled,
    NotLoaded(String),
    Failed(String),
}

impl Refusal {
    /// The status, and Amazon's name for it.
    fn named(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "ResourceNotFoundException"),
            Self::BadParameter(_) => (StatusCode::BAD_REQUEST, "InvalidParameterValueException"),
            Self::BadContent(_) => (StatusCode::BAD_REQUEST, "InvalidRequestContentException"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException"),
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
            Self::NotLoaded(_) => (StatusCode::BAD_GATEWAY, "InvalidRuntimeException"),
            Self::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException"),
        }
    }

    fn response(self) -> Response {
        let (status, name) = self.named();
        let body = match self {
            Self::NotFound(what) => json!({ "Type": "User", "Message": format!("Function not found: {what}") }),
            Self::BadParameter(message) => json!({ "Type": "User", "message": message }),
            Self::BadContent(message) => json!({ "Type": "User", "message": message }),
            Self::TooLarge => {
                json!({ "Type": "User", "message": format!("Request must be smaller than {EVENT_LIMIT} bytes") })
            }
            Self::Throttled => {
                json!({ "Reason": "ConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded." })
            }
            Self::NotLoaded(message) | Self::Failed(message) => json!({ "Type": "Service", "Message": message }),
        };
        (status, [("x-amzn-errortype", name)], axum::Json(body)).into_response()
    }
}

pub(super) async fn invoke(
    State(edge): State<Arc<Edge>>,
    Path(name): Path<String>,
    Query(version): Query<Version>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let id = id::uuid();
    let mut response = match asked(&edge, &name, version, &headers, &body) {
        Ok((kind, function, tail)) => {
            let fields: Vec<Header> =
                headers.iter().map(|(name, value)| Header::new(name.as_str(), value.as_bytes())).collect();
            let trace = Trace::named(&fields, &id).map(|trace| trace.amazon());
            let event = if body.is_empty() { b"{}".to_vec() } else { body.to_vec() };
            answered(kind, function, Request { event, id: id.clone(), trace, tail, clock: None }).await
        }
        Err(refusal) => refusal.response(),
    };
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

/// What is to be invoked how, and whether the end of its log is wanted.
fn asked(
    edge: &Edge,
    name: &str,
    version: Version,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Kind, Function, bool), Refusal> {
    let word = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap_or("?"));
    let kind = match word("x-amz-invocation-type") {
        "" | "RequestResponse" => Kind::RequestResponse,
        "Event" => Kind::Event,
        "DryRun" => Kind::DryRun,
        _ => return Err(Refusal::BadParameter("X-Amz-Invocation-Type is RequestResponse, Event or DryRun")),
    };
    let tail = match word("x-amz-log-type") {
        "" | "None" => false,
        "Tail" => true,
        _ => return Err(Refusal::BadParameter("X-Amz-Log-Type is None or Tail")),
    };
    let function = found(edge, name, version.qualifier.as_deref())?;
    if body.len() > EVENT_LIMIT {
        return Err(Refusal::TooLarge);
    }
    if !body.is_empty() {
        let read = serde_json::from_slice::<serde::de::IgnoredAny>(body);
        read.map_err(|error| Refusal::BadContent(format!("Could not parse request body into json: {error}")))?;
    }
    Ok((kind, function, tail))
}

/// The function that a name means, with its version behind a colon or apart from it.
fn found(edge: &Edge, name: &str, qualifier: Option<&str>) -> Result<Function, Refusal> {
    let missing = || Refusal::NotFound(name.to_owned());
    let of_arn = name.strip_prefix("arn:aws:lambda:").and_then(|rest| rest.splitn(3, ':').nth(2));
    let rest = of_arn.map_or(Some(name), |rest| rest.strip_prefix("function:")).ok_or_else(missing)?;
    let (plain, behind) = rest.split_once(':').map_or((rest, None), |(plain, version)| (plain, Some(version)));
    let plain = plain.strip_prefix("us-east-1.").unwrap_or(plain);
    let site = edge.site();
    let function = site.functions.get(plain).ok_or_else(missing)?;
    match &function.body {
        FunctionBody::Lambda { environments, .. } => {
            let own = &environments.identity().version;
            let mut wanted = [behind, qualifier].into_iter().flatten();
            if wanted.all(|wanted| wanted == own || wanted == "$LATEST") {
                Ok(environments.clone())
            } else {
                Err(missing())
            }
        }
        FunctionBody::Broken { problem, .. } => Err(Refusal::NotLoaded(problem.clone())),
        FunctionBody::Viewer { .. } => Err(missing()),
    }
}

async fn answered(kind: Kind, function: Function, request: Request) -> Response {
    let version = function.identity().version.clone();
    let mut response = match kind {
        Kind::DryRun => StatusCode::NO_CONTENT.into_response(),
        Kind::Event => {
            tokio::spawn(async move {
                let (name, id) = (function.identity().name.clone(), request.id.clone());
                if let Err(error) = function.invoke(request).await {
                    tracing::error!(function = name, "invocation {id} failed: {error}");
                }
            });
            StatusCode::ACCEPTED.into_response()
        }
        Kind::RequestResponse => {
            let id = request.id.clone();
            let tail = request.tail;
            let (result, log) = function.invoke_with_log(request).await;
            let mut response = match result {
                Ok(invoked) => ([(header::CONTENT_TYPE, "application/json")], invoked.result).into_response(),
                Err(InvokeError::Throttled) => return Refusal::Throttled.response(),
                Err(error @ (InvokeError::Start(_) | InvokeError::Protocol)) => {
                    return Refusal::Failed(error.to_string()).response();
                }
                Err(error) => failure(&error, &id),
            };
            if tail && let Ok(log) = HeaderValue::try_from(STANDARD.encode(log)) {
                response.headers_mut().insert("x-amz-log-result", log);
            }
            response
        }
    };
    if let Ok(version) = HeaderValue::try_from(version) {
        response.headers_mut().insert("x-amz-executed-version", version);
    }
    response
}

/// The function's own failure, as Lambda writes it.
fn failure(error: &InvokeError, id: &str) -> Response {
    let (kind, mut message, trace) = error.described(id);
    if matches!(error, InvokeError::TimedOut(_) | InvokeError::InitTimedOut(_)) {
        message = format!("{} {message}", crate::record::rfc3339(SystemTime::now()));
    }
    let mut body = json!({ "errorMessage": message });
    if let Some(kind) = kind {
        body["errorType"] = kind.into();
    }
    if !trace.is_empty() {
        body["trace"] = trace.into();
    }
    ([("x-amz-function-error", "Unhandled")], axum::Json(body)).into_response()
}
