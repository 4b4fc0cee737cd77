//! Lays a returned request or response over the message it came from, or names every rule that the result breaks.
//!
//! Nothing is applied in part: either the whole result holds or the message stays as it was.

use super::{
    Body, BodyEncoding, Query, ReturnedRequest, ReturnedResponse,
    fields::{self, Field, Item},
};
use crate::{
    Family, HEAD_LIMIT, Header, HookPoint, RequestMessage, ResponseMessage, TARGET_LIMIT, Violation, ViolationCode,
    Violations, header_rules, message, text,
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
/// Every rule that the result breaks.
pub fn apply_request(
    given: &RequestMessage,
    returned: &ReturnedRequest,
    rules: &Rules,
) -> Result<RequestMessage, Violations> {
    let mut found = Violations::default();
    if returned.method.as_ref().is_some_and(|method| *method != given.method) {
        found.add(Violation::new(ViolationCode::RequestReadOnly, "request.method may not change"));
    }
    let uri = match &returned.uri {
        Some(uri) if *uri != given.uri => checked_uri(uri, &mut found),
        _ => given.uri.clone(),
    };
    let query = match &returned.query {
        None => given.query.clone(),
        Some(query) => found.take(applied_query(given, query)).unwrap_or_else(|| given.query.clone()),
    };
    let target = uri.len() + query.as_ref().map_or(0, String::len);
    if target >= TARGET_LIMIT {
        let text = format!("uri and querystring take {target} bytes, they must stay below {TARGET_LIMIT}");
        found.add(Violation::new(ViolationCode::UriLength, text));
    }
    let shape = Shape { hook: HookPoint::ViewerRequest, cookie: "cookie", response: false };
    let returned = Fields { headers: returned.headers.as_deref(), cookies: returned.cookies.as_deref() };
    let headers = applied_headers(&given.headers, returned, shape, rules, &mut found);
    check_head(message::head_bytes(&headers) + given.method.len() + target, &mut found);
    found.none_or(RequestMessage { method: given.method.clone(), uri, query, headers })
}

/// The response that a viewer-response function left, with its new body if it set one.
///
/// # Errors
/// Every rule that the result breaks.
pub fn apply_response(
    given: &ResponseMessage,
    returned: &ReturnedResponse,
    rules: &Rules,
) -> Result<(ResponseMessage, Option<Vec<u8>>), Violations> {
    finish_response(given, returned, rules, HookPoint::ViewerResponse)
}

/// The response that a viewer-request function made itself.
///
/// # Errors
/// Every rule that the result breaks.
pub fn apply_generated(returned: &ReturnedResponse, rules: &Rules) -> Result<(ResponseMessage, Vec<u8>), Violations> {
    let (response, body) = finish_response(&ResponseMessage::default(), returned, rules, HookPoint::ViewerRequest)?;
    Ok((response, body.unwrap_or_default()))
}

fn finish_response(
    given: &ResponseMessage,
    returned: &ReturnedResponse,
    rules: &Rules,
    hook: HookPoint,
) -> Result<(ResponseMessage, Option<Vec<u8>>), Violations> {
    let mut found = Violations::default();
    let status = found.take(checked_status(returned.status_code)).unwrap_or_default();
    if let Some(character) = returned.status_description.as_deref().and_then(text::forbidden_in_value) {
        let text = format!("response.statusDescription holds the forbidden character {}", text::escaped(character));
        found.add(Violation::new(ViolationCode::HeaderCharacter, text));
    }
    let shape = Shape { hook, cookie: "set-cookie", response: true };
    let fields = Fields { headers: returned.headers.as_deref(), cookies: returned.cookies.as_deref() };
    let headers = applied_headers(&given.headers, fields, shape, rules, &mut found);
    check_head(message::head_bytes(&headers), &mut found);
    let body = returned.body.as_ref().and_then(|body| found.take(decoded_body(body, rules.body_limit)));
    // A phrase that the function left alone belongs to the status that it was given with.
    let phrase = given.reason.as_deref().unwrap_or_else(|| text::standard_phrase(given.status));
    let reason = returned.status_description.clone().filter(|text| text != phrase || status == given.status);
    found.none_or((ResponseMessage { status, reason, headers }, body))
}

fn checked_status(code: f64) -> Result<u16, Violation> {
    if code.fract() == 0.0 && (200.0..=599.0).contains(&code) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be 200 to 599 above")]
        return Ok(code as u16);
    }
    let text = format!("response.statusCode must be an integer 200 to 599, got {code}");
    Err(Violation::new(ViolationCode::StatusRange, text))
}

fn checked_uri(uri: &str, found: &mut Violations) -> String {
    if !uri.starts_with('/') {
        found.add(Violation::new(ViolationCode::UriFormat, "request.uri must begin with \"/\""));
    }
    if let Some(character) = uri.chars().find(char::is_ascii_control) {
        let text = format!("request.uri holds the forbidden character {}", text::escaped(character));
        found.add(Violation::new(ViolationCode::UriFormat, text));
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
    written
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
            format!("request.querystring holds the forbidden character {}", text::escaped(character)),
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

impl Shape {
    /// The map that cookies belong into.
    fn cookies(self) -> &'static str {
        if self.response { "response.cookies" } else { "request.cookies" }
    }
}

/// Returned headers and cookies; `None`: as they were given.
#[derive(Clone, Copy)]
struct Fields<'a> {
    headers: Option<&'a [Field]>,
    cookies: Option<&'a [Field]>,
}

fn applied_headers(
    given: &[Header],
    returned: Fields<'_>,
    shape: Shape,
    rules: &Rules,
    found: &mut Violations,
) -> Vec<Header> {
    let snapshot = fields::from_headers(given, shape.response);
    let mut lines: Vec<(String, Option<Vec<Vec<u8>>>)> = given
        .iter()
        .filter(|header| header_rules::is_hidden(&header.name))
        .map(|header| (header.name.clone(), None))
        .collect();
    let mut moved_cookies = Vec::new();
    match returned.headers {
        None => lines.extend(snapshot.iter().map(|field| (field.name.clone(), None))),
        Some(returned) => {
            let returned = folded_names(returned, shape, rules, &mut moved_cookies, found);
            if !(shape.response && shape.hook == HookPoint::ViewerRequest) {
                check_read_only(&snapshot, &returned, shape.hook, found);
            }
            for field in returned {
                let line = header_line(&field, &snapshot, found);
                lines.push((field.name, line));
            }
        }
    }
    lines.push((shape.cookie.to_owned(), cookie_lines(given, returned.cookies, shape, moved_cookies, found)));
    message::overlay(given, lines)
}

/// Names as they go out, each once, with the misplaced cookie header moved aside where the rules allow it.
fn folded_names(
    returned: &[Field],
    shape: Shape,
    rules: &Rules,
    moved_cookies: &mut Vec<Vec<u8>>,
    found: &mut Violations,
) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::with_capacity(returned.len());
    for field in returned {
        let name = field.name.to_ascii_lowercase();
        let folded = name != field.name;
        if folded && !rules.lenient {
            let text = format!("headers[\"{}\"] must be in lower case", text::named(&field.name));
            found.add(Violation::new(ViolationCode::HeaderName, text));
        }
        if name == shape.cookie {
            if !rules.lenient {
                let text = format!("headers[\"{name}\"] is not allowed in a result; use {}", shape.cookies());
                found.add(Violation::new(ViolationCode::HeaderDisallowed, text));
            }
            for item in fields::merged(field, None) {
                found.take(header_rules::check_value(&name, &item.value));
                moved_cookies.push(item.value.into_bytes());
            }
            continue;
        }
        // Two spellings of one name would be two answers to the question what may be changed.
        let spelt = |name: &str| returned.iter().filter(|other| other.name.eq_ignore_ascii_case(name)).count();
        if folded && spelt(&name) > 1 {
            let text = format!("headers[\"{}\"] is there in another spelling too", text::named(&field.name));
            found.add(Violation::new(ViolationCode::HeaderName, text));
            continue;
        }
        fields.push(Field { name, ..field.clone() });
    }
    fields
}

fn check_read_only(snapshot: &[Field], returned: &[Field], hook: HookPoint, found: &mut Violations) {
    for name in header_rules::read_only(Family::Viewer, hook) {
        let before = snapshot.iter().find(|field| field.name == *name);
        let after = returned.iter().find(|field| field.name == *name);
        let same = match (before, after) {
            (None, None) => true,
            (Some(before), Some(after)) => fields::merged(after, Some(before)) == fields::given_values(before),
            _ => false,
        };
        if !same {
            found.add(header_rules::touched(name, hook));
        }
    }
}

/// The new lines of one header, or `None` when its original lines stay.
fn header_line(field: &Field, snapshot: &[Field], found: &mut Violations) -> Option<Vec<Vec<u8>>> {
    let given = snapshot.iter().find(|other| other.name == field.name);
    let values = fields::merged(field, given);
    if given.is_some_and(|given| fields::given_values(given) == values) {
        return None;
    }
    found.take(header_rules::check_name(&field.name));
    for item in &values {
        found.take(header_rules::check_value(&field.name, &item.value));
    }
    Some(values.into_iter().map(|item| item.value.into_bytes()).collect())
}

/// All cookie lines together are one item: untouched, they go out as they came.
fn cookie_lines(
    given: &[Header],
    returned: Option<&[Field]>,
    shape: Shape,
    moved: Vec<Vec<u8>>,
    found: &mut Violations,
) -> Option<Vec<Vec<u8>>> {
    let snapshot = if shape.response { fields::from_set_cookies(given) } else { fields::from_cookies(given) };
    let untouched = returned.is_none_or(|returned| fields::same(returned, &snapshot));
    if untouched && moved.is_empty() {
        return None;
    }
    let returned = returned.unwrap_or(&snapshot);
    let mut written = Vec::new();
    for field in returned {
        let before = snapshot.iter().find(|other| other.name == field.name);
        for item in fields::merged(field, before) {
            let cookie = written_cookie(&field.name, &item);
            if let Some(character) = text::forbidden_in_value(&cookie) {
                let (map, name, character) = (shape.cookies(), text::named(&field.name), text::escaped(character));
                let text = format!("{map}[\"{name}\"] holds the forbidden character {character}");
                found.add(Violation::new(ViolationCode::HeaderCharacter, text));
            }
            written.push(cookie.into_bytes());
        }
    }
    written.extend(moved);
    if shape.response || written.is_empty() {
        return Some(written);
    }
    Some(vec![written.join(&b"; "[..])])
}

fn written_cookie(name: &str, item: &Item) -> String {
    match item.attributes.as_deref() {
        None | Some("") => format!("{name}={}", item.value),
        Some(attributes) => format!("{name}={}; {attributes}", item.value),
    }
}

fn check_head(bytes: usize, found: &mut Violations) {
    if bytes > HEAD_LIMIT {
        let text = format!("the head takes {bytes} bytes, the limit is {HEAD_LIMIT}");
        found.add(Violation::new(ViolationCode::HeaderSize, text));
    }
}

fn decoded_body(body: &Body, limit: usize) -> Result<Vec<u8>, Violation> {
    let bytes = match body.encoding {
        BodyEncoding::Text => body.data.clone().into_bytes(),
        BodyEncoding::Base64 => base64::engine::general_purpose::STANDARD.decode(&body.data).map_err(|error| {
            let text = format!("response.body.data is not valid base64: {error}");
            Violation::new(ViolationCode::BodyBase64, text)
        })?,
    };
    if bytes.len() > limit {
        let text = format!("response.body takes {} bytes, the limit is {limit}", bytes.len());
        return Err(Violation::new(ViolationCode::BodySize, text));
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
