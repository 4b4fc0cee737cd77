//! Lays a returned request or response over the message it came from, or names the rule that the result breaks.
//!
//! Nothing is applied in part: either the whole result holds or the message stays as it was.

use super::{
    Body, BodyEncoding, Query, ReturnedRequest, ReturnedResponse,
    fields::{self, Field, Item},
};
use crate::{
    Family, HEAD_LIMIT, Header, HookPoint, RequestMessage, ResponseMessage, TARGET_LIMIT, Violation, ViolationCode,
    header_rules, message, text,
};
use base64::Engine as _;

/// What of the rules can be configured per function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Upper-case names and misplaced cookie headers are folded instead of refused (`validation = "lenient"`).
    pub lenient: bool,
    /// Largest body after decoding, in bytes.
    pub body_limit: usize,
}

/// The request that a viewer-request function left.
///
/// # Errors
/// The first rule that the result breaks.
pub fn apply_request(
    given: &RequestMessage,
    returned: &ReturnedRequest,
    rules: &Rules,
) -> Result<RequestMessage, Violation> {
    if returned.method.as_ref().is_some_and(|method| *method != given.method) {
        return Err(Violation::new(ViolationCode::RequestReadOnly, "request.method may not change"));
    }
    let uri = match &returned.uri {
        None => given.uri.clone(),
        Some(uri) if *uri == given.uri => given.uri.clone(),
        Some(uri) => checked_uri(uri)?,
    };
    let query = match &returned.query {
        None => given.query.clone(),
        Some(query) => applied_query(given, query)?,
    };
    if uri.len() + query.as_ref().map_or(0, String::len) >= TARGET_LIMIT {
        return Err(Violation::new(ViolationCode::UriLength, format!("uri and query reach {TARGET_LIMIT} bytes")));
    }
    let shape = Shape { hook: HookPoint::ViewerRequest, cookie: "cookie", response: false };
    let headers =
        applied_headers(&given.headers, returned.headers.as_deref(), returned.cookies.as_deref(), shape, rules)?;
    let head = message::head_bytes(&headers) + given.method.len() + uri.len() + query.as_ref().map_or(0, String::len);
    check_head(head)?;
    Ok(RequestMessage { method: given.method.clone(), uri, query, headers })
}

/// The response that a viewer-response function left, with its new body if it set one.
///
/// # Errors
/// The first rule that the result breaks.
pub fn apply_response(
    given: &ResponseMessage,
    returned: &ReturnedResponse,
    rules: &Rules,
) -> Result<(ResponseMessage, Option<Vec<u8>>), Violation> {
    finish_response(given, returned, rules, HookPoint::ViewerResponse)
}

/// The response that a viewer-request function made itself.
///
/// # Errors
/// The first rule that the result breaks.
pub fn apply_generated(returned: &ReturnedResponse, rules: &Rules) -> Result<(ResponseMessage, Vec<u8>), Violation> {
    let (response, body) = finish_response(&ResponseMessage::default(), returned, rules, HookPoint::ViewerRequest)?;
    Ok((response, body.unwrap_or_default()))
}

fn finish_response(
    given: &ResponseMessage,
    returned: &ReturnedResponse,
    rules: &Rules,
    hook: HookPoint,
) -> Result<(ResponseMessage, Option<Vec<u8>>), Violation> {
    let status = checked_status(returned.status_code)?;
    if let Some(character) = returned.status_description.as_deref().and_then(text::forbidden_in_value) {
        return Err(Violation::new(
            ViolationCode::HeaderCharacter,
            format!("statusDescription holds the forbidden character {}", text::escaped(character)),
        ));
    }
    let shape = Shape { hook, cookie: "set-cookie", response: true };
    let headers =
        applied_headers(&given.headers, returned.headers.as_deref(), returned.cookies.as_deref(), shape, rules)?;
    check_head(message::head_bytes(&headers))?;
    let body = returned.body.as_ref().map(|body| decoded_body(body, rules.body_limit)).transpose()?;
    Ok((ResponseMessage { status, reason: returned.status_description.clone(), headers }, body))
}

fn checked_status(code: f64) -> Result<u16, Violation> {
    if code.fract() == 0.0 && (200.0..=599.0).contains(&code) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be 200 to 599 above")]
        return Ok(code as u16);
    }
    Err(Violation::new(ViolationCode::StatusRange, format!("statusCode must be an integer 200 to 599, got {code}")))
}

fn checked_uri(uri: &str) -> Result<String, Violation> {
    if !uri.starts_with('/') {
        return Err(Violation::new(ViolationCode::UriFormat, "uri must begin with \"/\""));
    }
    if let Some(character) = uri.chars().find(char::is_ascii_control) {
        return Err(Violation::new(
            ViolationCode::UriFormat,
            format!("uri holds the forbidden character {}", text::escaped(character)),
        ));
    }
    // A path never makes a query of its own (cloudfront-functions.md 4.3); what is not ASCII goes out percent-encoded.
    let mut written = String::with_capacity(uri.len());
    for character in uri.chars() {
        if character.is_ascii() && !matches!(character, '?' | '#' | ' ') {
            written.push(character);
        } else {
            written.push_str(&text::escaped(character));
        }
    }
    Ok(written)
}

fn applied_query(given: &RequestMessage, returned: &Query) -> Result<Option<String>, Violation> {
    let before = given.query.as_deref().unwrap_or("");
    let query = match returned {
        Query::Raw(raw) if raw == before => return Ok(given.query.clone()),
        Query::Raw(raw) => raw.clone(),
        Query::Fields(fields) => {
            let snapshot = fields::from_query(before);
            if fields::same(fields, &snapshot) {
                return Ok(given.query.clone());
            }
            written_query(fields, &snapshot)
        }
    };
    if let Some(character) = query.chars().find(|&character| character.is_ascii_control() || " #".contains(character)) {
        return Err(Violation::new(
            ViolationCode::QueryFormat,
            format!("querystring holds the forbidden character {}", text::escaped(character)),
        ));
    }
    let query = query.chars().fold(String::new(), |mut written, character| {
        if character.is_ascii() {
            written.push(character);
        } else {
            written.push_str(&text::escaped(character));
        }
        written
    });
    Ok((!query.is_empty()).then_some(query))
}

fn written_query(returned: &[Field], snapshot: &[Field]) -> String {
    let mut parts = Vec::new();
    for field in returned {
        let given = snapshot.iter().find(|other| other.name == field.name);
        for item in fields::merged(field, given) {
            parts.push(format!("{}={}", field.name, item.value));
        }
    }
    parts.join("&")
}

/// What differs between the headers of a request and those of a response.
#[derive(Clone, Copy)]
struct Shape {
    hook: HookPoint,
    cookie: &'static str,
    response: bool,
}

fn applied_headers(
    given: &[Header],
    returned: Option<&[Field]>,
    cookies: Option<&[Field]>,
    shape: Shape,
    rules: &Rules,
) -> Result<Vec<Header>, Violation> {
    let snapshot = fields::from_headers(given, shape.response);
    let mut lines: Vec<(String, Option<Vec<Vec<u8>>>)> = given
        .iter()
        .filter(|header| header_rules::is_hidden(&header.name))
        .map(|header| (header.name.clone(), None))
        .collect();
    let mut moved_cookies = Vec::new();
    match returned {
        None => lines.extend(snapshot.iter().map(|field| (field.name.clone(), None))),
        Some(returned) => {
            let returned = folded_names(returned, shape, rules, &mut moved_cookies)?;
            if !(shape.response && shape.hook == HookPoint::ViewerRequest) {
                check_read_only(&snapshot, &returned, shape.hook)?;
            }
            for field in &returned {
                lines.push((field.name.clone(), header_line(field, &snapshot)?));
            }
        }
    }
    lines.push((shape.cookie.to_owned(), cookie_lines(given, cookies, shape, moved_cookies)?));
    Ok(message::overlay(given, lines))
}

/// Names as they go out, with the misplaced cookie header moved aside where the rules allow it.
fn folded_names(
    returned: &[Field],
    shape: Shape,
    rules: &Rules,
    moved_cookies: &mut Vec<Vec<u8>>,
) -> Result<Vec<Field>, Violation> {
    let mut fields = Vec::with_capacity(returned.len());
    for field in returned {
        let name = field.name.to_ascii_lowercase();
        if name != field.name && !rules.lenient {
            let shown: String = field.name.escape_default().collect();
            return Err(Violation::new(
                ViolationCode::HeaderName,
                format!("headers[\"{shown}\"] must be in lower case"),
            ));
        }
        if name == shape.cookie {
            if !rules.lenient {
                let place = if shape.response { "response.cookies" } else { "request.cookies" };
                return Err(Violation::new(
                    ViolationCode::HeaderDisallowed,
                    format!("headers[\"{name}\"] is not allowed in a result; use {place}"),
                ));
            }
            for item in fields::merged(field, None) {
                header_rules::check_value(&name, &item.value)?;
                moved_cookies.push(item.value.into_bytes());
            }
            continue;
        }
        fields.push(Field { name, ..field.clone() });
    }
    Ok(fields)
}

fn check_read_only(snapshot: &[Field], returned: &[Field], hook: HookPoint) -> Result<(), Violation> {
    for name in header_rules::read_only(Family::Viewer, hook) {
        let before = snapshot.iter().find(|field| field.name == *name);
        let after = returned.iter().find(|field| field.name == *name);
        let same = match (before, after) {
            (None, None) => true,
            (Some(before), Some(after)) => fields::merged(after, Some(before)) == fields::given_values(before),
            _ => false,
        };
        if !same {
            return Err(header_rules::touched(name, hook));
        }
    }
    Ok(())
}

/// The new lines of one header, or `None` when its original lines stay.
fn header_line(field: &Field, snapshot: &[Field]) -> Result<Option<Vec<Vec<u8>>>, Violation> {
    let given = snapshot.iter().find(|other| other.name == field.name);
    let values = fields::merged(field, given);
    if given.is_some_and(|given| fields::given_values(given) == values) {
        return Ok(None);
    }
    header_rules::check_name(&field.name)?;
    for item in &values {
        header_rules::check_value(&field.name, &item.value)?;
    }
    Ok(Some(values.into_iter().map(|item| item.value.into_bytes()).collect()))
}

/// All cookie lines together are one item: untouched, they go out as they came.
fn cookie_lines(
    given: &[Header],
    returned: Option<&[Field]>,
    shape: Shape,
    moved: Vec<Vec<u8>>,
) -> Result<Option<Vec<Vec<u8>>>, Violation> {
    let snapshot = if shape.response { fields::from_set_cookies(given) } else { fields::from_cookies(given) };
    let untouched = returned.is_none_or(|returned| fields::same(returned, &snapshot));
    if untouched && moved.is_empty() {
        return Ok(None);
    }
    let returned = returned.unwrap_or(&snapshot);
    let mut written = Vec::new();
    for field in returned {
        let before = snapshot.iter().find(|other| other.name == field.name);
        for item in fields::merged(field, before) {
            let cookie = written_cookie(&field.name, &item);
            header_rules::check_value(shape.cookie, &cookie)?;
            written.push(cookie.into_bytes());
        }
    }
    written.extend(moved);
    if shape.response || written.is_empty() {
        return Ok(Some(written));
    }
    Ok(Some(vec![written.join(&b"; "[..])]))
}

fn written_cookie(name: &str, item: &Item) -> String {
    match item.attributes.as_deref() {
        None | Some("") => format!("{name}={}", item.value),
        Some(attributes) => format!("{name}={}; {attributes}", item.value),
    }
}

fn check_head(bytes: usize) -> Result<(), Violation> {
    if bytes > HEAD_LIMIT {
        return Err(Violation::new(
            ViolationCode::HeaderSize,
            format!("the head takes {bytes} bytes, the limit is {HEAD_LIMIT}"),
        ));
    }
    Ok(())
}

fn decoded_body(body: &Body, limit: usize) -> Result<Vec<u8>, Violation> {
    let bytes = match body.encoding {
        BodyEncoding::Text => body.data.clone().into_bytes(),
        BodyEncoding::Base64 => base64::engine::general_purpose::STANDARD.decode(&body.data).map_err(|error| {
            Violation::new(ViolationCode::BodyBase64, format!("body.data is not valid base64: {error}"))
        })?,
    };
    if bytes.len() > limit {
        return Err(Violation::new(
            ViolationCode::BodySize,
            format!("the body takes {} bytes, the limit is {limit}", bytes.len()),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
