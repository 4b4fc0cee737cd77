//! Reads what a Lambda function returned, checks it in the order of lambda-edge.md 3.6, and applies it.

use super::{Event, ORIGIN_RESPONSE_LIMIT, Origin, OriginRules, VIEWER_RESPONSE_LIMIT, body, headers};
use crate::{
    HEAD_LIMIT, HookPoint, RequestMessage, ResponseMessage, TARGET_LIMIT, Violation, ViolationCode, message, text,
};
use base64::Engine as _;
use serde_json::{Map, Value};

/// What a result means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Go on with this request.
    Request {
        /// The request to go on with.
        request: RequestMessage,
        /// The origin to ask, when the function named another one than it was given.
        origin: Option<Origin>,
        /// The body to send instead of the viewer's, when the function replaced it.
        body: Option<Vec<u8>>,
    },
    /// A response: generated at a request hook, changed at a response hook.
    Response(AppliedResponse),
}

/// A response that a function made or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedResponse {
    /// Status, reason and headers.
    pub message: ResponseMessage,
    /// The new body; `None` leaves the original body as it is (at request hooks: no body).
    pub body: Option<Vec<u8>>,
}

/// Applies the JSON text that a function returned for `event`.
///
/// # Errors
/// The first rule that the result breaks.
pub fn apply(event: &Event, result: &[u8], rules: OriginRules) -> Result<Applied, Violation> {
    let value: Value = serde_json::from_slice(result).map_err(|error| {
        Violation::new(ViolationCode::JsonUnparsable, format!("result is not parsable JSON: {error}"))
    })?;
    let Value::Object(object) = value else {
        let found = type_name(&value);
        return Err(Violation::new(ViolationCode::JsonNotObject, format!("result must be a JSON object, got {found}")));
    };
    if object.contains_key("status") {
        return response(event, &object).map(Applied::Response);
    }
    if !["uri", "method", "headers"].iter().any(|member| object.contains_key(*member)) {
        return Err(Violation::new(ViolationCode::KindUnknown, "result is neither request nor response"));
    }
    if !event.hook.is_request() {
        let text = format!("{} accepts only a response", event.hook.as_str());
        return Err(Violation::new(ViolationCode::KindWrongHook, text));
    }
    request(event, &object, rules)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn request(event: &Event, object: &Map<String, Value>, rules: OriginRules) -> Result<Applied, Violation> {
    let given = &event.request;
    let uri = object
        .get("uri")
        .and_then(Value::as_str)
        .ok_or_else(|| Violation::new(ViolationCode::UriFormat, "a request needs uri, a string"))?;
    // Without IncludeBody `body` is an unknown member like any other.
    let body = event.body.as_ref().map(|_| body::replacement(event.hook, object)).transpose()?.flatten();
    let lines = headers::parse(object.get("headers"), "headers")?;
    let headers = headers::applied(&given.headers, lines, event.hook, false)?;
    let uri = checked_uri(uri, &given.uri)?;
    let query = checked_query(object.get("querystring"), given.query.as_ref())?;
    let target = uri.len() + query.as_ref().map_or(0, String::len);
    if target >= TARGET_LIMIT {
        let text = format!("uri and querystring together reach {TARGET_LIMIT} bytes");
        return Err(Violation::new(ViolationCode::UriLength, text));
    }
    check_head(message::head_bytes(&headers) + target + given.method.len())?;
    let origin = match (object.get("origin"), &event.origin) {
        (Some(value), Some(origin)) if event.hook == HookPoint::OriginRequest && !value.is_null() => {
            Some(Origin::parse(value, origin, &headers, rules)?).filter(|parsed| parsed != origin)
        }
        _ => None,
    };
    for (field, kept) in [("method", given.method.as_str()), ("clientIp", event.client_ip.as_str())] {
        if object.get(field).is_some_and(|value| value.as_str() != Some(kept)) {
            return Err(Violation::new(ViolationCode::RequestReadOnly, format!("{field} may not change")));
        }
    }
    Ok(Applied::Request { request: RequestMessage { method: given.method.clone(), uri, query, headers }, origin, body })
}

fn checked_uri(uri: &str, given: &str) -> Result<String, Violation> {
    if uri == given {
        return Ok(uri.to_owned());
    }
    let forbidden = |character: char| character.is_ascii_control() || " #?".contains(character);
    if !uri.starts_with('/') || uri.contains(forbidden) {
        let text = "uri must begin with \"/\" and hold no space, control character, \"?\" or \"#\"";
        return Err(Violation::new(ViolationCode::UriFormat, text));
    }
    Ok(percent_encoded(uri))
}

fn checked_query(value: Option<&Value>, given: Option<&String>) -> Result<Option<String>, Violation> {
    let query = match value {
        None | Some(Value::Null) => return Ok(given.cloned()),
        Some(Value::String(query)) => query,
        Some(_) => return Err(Violation::new(ViolationCode::QueryFormat, "querystring must be a string")),
    };
    if query == given.map_or("", String::as_str) {
        return Ok(given.cloned());
    }
    if query.contains(|character: char| character.is_ascii_control() || " #".contains(character)) {
        let text = "querystring must hold no space, control character or \"#\"";
        return Err(Violation::new(ViolationCode::QueryFormat, text));
    }
    Ok((!query.is_empty()).then(|| percent_encoded(query)))
}

/// What is not ASCII goes out percent-encoded (lambda-edge.md 2.3).
fn percent_encoded(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut written, character| {
        if character.is_ascii() {
            written.push(character);
        } else {
            written.push_str(&text::escaped(character));
        }
        written
    })
}

fn response(event: &Event, object: &Map<String, Value>) -> Result<AppliedResponse, Violation> {
    let generated = event.hook.is_request();
    let empty = ResponseMessage::default();
    let given = event.response.as_ref().filter(|_| !generated).unwrap_or(&empty);
    let status = checked_status(object.get("status"))?;
    let body = checked_body(event.hook, object, status)?;
    let lines = headers::parse(object.get("headers"), "headers")?;
    let size = body.as_ref().map_or(0, |body| body.written)
        + lines
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| name.len() + value.len() + 4))
            .sum::<usize>();
    let limit = if event.hook.is_viewer() { VIEWER_RESPONSE_LIMIT } else { ORIGIN_RESPONSE_LIMIT };
    if (generated || body.is_some()) && size > limit {
        let text = format!("the response takes {size} bytes, the limit at {} is {limit}", event.hook.as_str());
        return Err(Violation::new(ViolationCode::BodySize, text));
    }
    let headers = headers::applied(&given.headers, lines, event.hook, generated)?;
    check_head(message::head_bytes(&headers))?;
    if event.hook == HookPoint::ViewerResponse {
        if status != given.status {
            return Err(Violation::new(ViolationCode::StatusChanged, "status may not change at viewer-response"));
        }
        if body.is_some() {
            return Err(Violation::new(ViolationCode::BodyNotHere, "viewer-response cannot set a body"));
        }
    }
    let reason =
        object.get("statusDescription").and_then(Value::as_str).filter(|_| status != given.status || generated);
    let reason = reason.filter(|reason| text::forbidden_in_value(reason).is_none()).map(str::to_owned);
    let message = ResponseMessage { status, reason, headers };
    let body = body.map(|body| if matches!(status, 204 | 304) { Vec::new() } else { body.bytes });
    Ok(AppliedResponse { message, body })
}

fn checked_status(value: Option<&Value>) -> Result<u16, Violation> {
    let status = match value {
        Some(Value::String(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse::<u64>().ok(),
        Some(Value::Number(number)) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        _ => None,
    };
    status
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| (200..=599).contains(status))
        .ok_or_else(|| Violation::new(ViolationCode::StatusRange, "status must be an integer 200 to 599"))
}

/// `200.0`, which some JSON writers make of an integer, is an integer.
fn whole(number: f64) -> Option<u64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded to 0 to 1000 in the same breath"
    )]
    ((0.0..=1000.0).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

/// A returned body, decoded, and the bytes it took as written.
struct Returned {
    bytes: Vec<u8>,
    written: usize,
}

fn checked_body(hook: HookPoint, object: &Map<String, Value>, status: u16) -> Result<Option<Returned>, Violation> {
    let data = match object.get("body") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(data)) => data,
        Some(_) => return Err(Violation::new(ViolationCode::BodyType, "body must be a string in a response")),
    };
    let bytes = match object.get("bodyEncoding").map(Value::as_str) {
        None | Some(Some("text")) => data.clone().into_bytes(),
        Some(Some("base64")) => base64::engine::general_purpose::STANDARD
            .decode(data)
            .map_err(|error| Violation::new(ViolationCode::BodyBase64, format!("body is not valid base64: {error}")))?,
        Some(_) => {
            return Err(Violation::new(ViolationCode::BodyType, "bodyEncoding must be \"text\" or \"base64\""));
        }
    };
    if status == 204 && !data.is_empty() && hook == HookPoint::ViewerRequest {
        return Err(Violation::new(ViolationCode::BodyWith204, "204 cannot carry a body"));
    }
    Ok(Some(Returned { bytes, written: data.len() }))
}

fn check_head(bytes: usize) -> Result<(), Violation> {
    if bytes > HEAD_LIMIT {
        let text = format!("the head takes {bytes} bytes, the limit is {HEAD_LIMIT}");
        return Err(Violation::new(ViolationCode::HeaderSize, text));
    }
    Ok(())
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
