//! Reads what a handler returned (cloudfront-functions.md 2 and 5.1). Types are checked here, values by the contract.
//!
//! All that is wrong is told at once: a part that cannot be read is noted, and stands in the result as it was given.
//!
//! Only own data properties are looked at, and no proxy (security.md V07): reading runs no code of the function, so it ends, whatever
//! was returned. Parts that are what the function was given, unchanged, are not read at all.

mod members;

use super::event::Form;
use boa_engine::{
    JsObject, JsString, JsValue,
    builtins::proxy::Proxy,
    js_string,
    property::{DescriptorKind, PropertyDescriptor, PropertyKey},
    value::Type,
};
use edgehook_contract::{
    Header, HookPoint, Violation, ViolationCode, Violations,
    viewer::{Body, BodyEncoding, Query, Returned, ReturnedRequest, ReturnedResponse, fields},
};
use edgehook_protocol::{
    event::EventRef,
    viewer::{Misread, Outcome},
};
use members::{Kind, part};
use std::fmt;

/// Most members of one of the maps, and most values of one field (security.md V07).
const MEMBERS: usize = 1000;

/// A part, or which place in it is wrong and what was expected there.
type Read<T> = Result<T, Violation>;

fn wrong(code: ViolationCode, text: impl Into<String>) -> Violation {
    Violation { code, text: text.into() }
}

fn invalid<T>(text: impl Into<String>) -> Read<T> {
    Err(wrong(ViolationCode::FieldType, text))
}

/// What the function was given.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) event: &'a EventRef<'a>,
    pub(super) form: &'a Form,
}

/// Reads the value that a handler returned: as a result, or as what is wrong with it.
pub(super) fn read(value: &JsValue, given: Given<'_>) -> Outcome {
    let mut found = Violations::default();
    let rest = found.take(object(value)).map(|object| {
        let status = found.take(own(&object, js_string!("statusCode"), &"response.statusCode"));
        match status {
            Some(status) if status.is_undefined() => request(&object, given, &mut found),
            status => Returned::Response(response(&object, status.as_ref(), given, &mut found)),
        }
    });
    match rest {
        Some(returned) if found.is_empty() => Outcome::Returned(returned),
        rest => Outcome::Invalid(Misread { violations: found.listed().to_vec(), rest }),
    }
}

fn object(value: &JsValue) -> Read<JsObject> {
    let Some(object) = value.as_object() else {
        let text = format!("handler must return a request or a response object, got {}", type_name(value));
        return Err(wrong(ViolationCode::JsonNotObject, text));
    };
    check_plain(&object, &"the result").map(|()| object)
}

fn type_name(value: &JsValue) -> &'static str {
    if value.is_null() {
        return "null";
    }
    match value.get_type() {
        Type::Undefined => "undefined",
        Type::Boolean => "a boolean",
        Type::Number => "a number",
        Type::String => "a string",
        Type::Symbol => "a symbol",
        Type::BigInt => "a bigint",
        _ => "an object",
    }
}

/// A place in a result, written out only for messages.
type Place<'a> = &'a dyn fmt::Display;

fn check_plain(object: &JsObject, place: Place<'_>) -> Read<()> {
    if object.is::<Proxy>() { invalid(format!("{place} must be a plain object, got a Proxy")) } else { Ok(()) }
}

/// An own data property; `undefined` if there is none.
fn own(object: &JsObject, name: JsString, place: Place<'_>) -> Read<JsValue> {
    property(object, &PropertyKey::String(name), place)
}

fn property(object: &JsObject, key: &PropertyKey, place: Place<'_>) -> Read<JsValue> {
    descriptor(object, key).map_or_else(|| Ok(JsValue::undefined()), |found| data_value(&found, place))
}

fn descriptor(object: &JsObject, key: &PropertyKey) -> Option<PropertyDescriptor> {
    object.borrow().properties().get(key)
}

fn data_value(descriptor: &PropertyDescriptor, place: Place<'_>) -> Read<JsValue> {
    match descriptor.kind() {
        DescriptorKind::Data { value, .. } => Ok(value.clone().unwrap_or_default()),
        _ => invalid(format!("{place} must be a plain value, got a getter or setter")),
    }
}

fn request(object: &JsObject, given: Given<'_>, found: &mut Violations) -> Returned {
    // The whole event is a frequent slip, and would otherwise read as a request without anything.
    if own(object, js_string!("request"), &"request").is_ok_and(|value| !value.is_undefined()) {
        let text = "handler must return event.request or event.response, not the whole event";
        found.add(wrong(ViolationCode::KindUnknown, text));
        return Returned::Request(ReturnedRequest::default());
    }
    let (form, known) = (&given.form.request, given.event.request);
    let mut text = |name: JsString, place: &str, known: &str| {
        found.take(string(object, name, &place)).flatten().and_then(|text| changed(&text, known))
    };
    let method = text(js_string!("method"), "request.method", known.method);
    let uri = text(js_string!("uri"), "request.uri", known.uri);
    let query = found.take(own(object, js_string!("querystring"), &"request.querystring"));
    let query = query.and_then(|query| match query.as_string() {
        Some(text) => Some(Query::Raw(owned(&text))),
        None => part(&query, &form.query, &Kind::Query(given), found).map(Query::Fields),
    });
    let headers = found.take(own(object, js_string!("headers"), &"request.headers"));
    let cookies = found.take(own(object, js_string!("cookies"), &"request.cookies"));
    Returned::Request(ReturnedRequest {
        method,
        uri,
        query,
        headers: headers.and_then(|headers| part(&headers, &form.headers, &Kind::Headers(given), found)),
        cookies: cookies.and_then(|cookies| part(&cookies, &form.cookies, &Kind::Cookies(given), found)),
        origin: None,
    })
}

/// Whether the function edited the request that it was given. For viewer-response, where that is in vain.
fn request_changed(given: Given<'_>) -> bool {
    let mut found = Violations::default();
    let Returned::Request(read) = request(&given.form.request.object, given, &mut found) else { return true };
    let known = given.event.request;
    if !found.is_empty() || read.method.is_some() || read.uri.is_some() {
        return true;
    }
    let query = match read.query {
        None => false,
        Some(Query::Raw(_)) => true,
        Some(Query::Fields(found)) => !fields::same(&found, &fields::from_query(known.query.unwrap_or_default())),
    };
    if read.headers.is_none() && read.cookies.is_none() {
        return query;
    }
    // What could not be told at a glance is compared.
    let lines = request_lines(given);
    query
        || read.headers.is_some_and(|found| !fields::same(&found, &fields::from_headers(&lines, false)))
        || read.cookies.is_some_and(|found| !fields::same(&found, &fields::from_cookies(&lines)))
}

fn request_lines(given: Given<'_>) -> Vec<Header> {
    given.event.request.headers.iter().map(|(name, value)| Header::new(name, value)).collect()
}

/// `status` is absent where it cannot be read.
fn response(object: &JsObject, status: Option<&JsValue>, given: Given<'_>, found: &mut Violations) -> ReturnedResponse {
    let status_code = status.and_then(|status| found.take(number(status)));
    let description = found.take(string(object, js_string!("statusDescription"), &"response.statusDescription"));
    let headers = found.take(own(object, js_string!("headers"), &"response.headers"));
    let cookies = found.take(own(object, js_string!("cookies"), &"response.cookies"));
    let form = &given.form.response;
    // At viewer-request the maps of the response are in nobody's hands, so nothing equals them.
    debug_assert!(
        given.event.hook == HookPoint::ViewerResponse
            || !headers.as_ref().is_some_and(|map| form.headers.untouched(map))
    );
    ReturnedResponse {
        status_code: status_code.unwrap_or(200.0),
        status_description: description.flatten().map(|text| owned(&text)),
        headers: headers.and_then(|headers| part(&headers, &form.headers, &Kind::ResponseHeaders(given), found)),
        cookies: cookies.and_then(|cookies| part(&cookies, &form.cookies, &Kind::ResponseCookies(given), found)),
        body: found.take(body(object)).flatten(),
        request_changed: given.event.hook == HookPoint::ViewerResponse && request_changed(given),
    }
}

fn number(status: &JsValue) -> Read<f64> {
    status.as_number().ok_or_else(|| {
        let text = format!("response.statusCode must be an integer, got {}", type_name(status));
        wrong(ViolationCode::StatusRange, text)
    })
}

/// `None` if the text is what the function was given.
fn changed(text: &JsString, given: &str) -> Option<String> {
    let text = owned(text);
    (text != given).then_some(text)
}

/// Text as UTF-8; lone surrogates become U+FFFD.
fn owned(text: &JsString) -> String {
    match text.as_str().as_latin1().and_then(|bytes| std::str::from_utf8(bytes).ok()).filter(|text| text.is_ascii()) {
        Some(text) => text.to_owned(),
        None => text.to_std_string_lossy(),
    }
}

fn body(response: &JsObject) -> Read<Option<Body>> {
    let as_body = |violation: Violation| wrong(ViolationCode::BodyType, violation.text);
    let refused = |text: String| Err(wrong(ViolationCode::BodyType, text));
    let value = own(response, js_string!("body"), &"response.body").map_err(as_body)?;
    if value.is_undefined() {
        return Ok(None);
    }
    if let Some(text) = value.as_string() {
        return Ok(Some(Body { encoding: BodyEncoding::Text, data: owned(&text) }));
    }
    let Some(object) = value.as_object() else {
        return refused(format!("response.body must be a string or an object, got {}", type_name(&value)));
    };
    check_plain(&object, &"response.body").map_err(as_body)?;
    let encoding = string(&object, js_string!("encoding"), &"response.body.encoding").map_err(as_body)?;
    let encoding = match encoding.as_ref().map(owned).as_deref() {
        Some("text") => BodyEncoding::Text,
        Some("base64") => BodyEncoding::Base64,
        _ => return refused("response.body.encoding must be \"text\" or \"base64\"".to_owned()),
    };
    match string(&object, js_string!("data"), &"response.body.data").map_err(as_body)? {
        Some(data) => Ok(Some(Body { encoding, data: owned(&data) })),
        None => refused("response.body.data must be a string".to_owned()),
    }
}

/// A property that is a string or absent.
fn string(object: &JsObject, name: JsString, place: Place<'_>) -> Read<Option<JsString>> {
    let value = own(object, name, place)?;
    if value.is_undefined() {
        return Ok(None);
    }
    match value.as_string() {
        Some(text) => Ok(Some(text)),
        None => invalid(format!("{place} must be a string, got {}", type_name(&value))),
    }
}
