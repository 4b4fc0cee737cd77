//! Reads what a handler returned (cloudfront-functions.md 2 and 5.1). Types are checked here, values by the contract.
//!
//! Only own data properties are looked at, and no proxy (security.md V07): reading runs no code of the function, so it ends, whatever
//! was returned. Parts that are what the function was given, unchanged, are not read at all.

use super::{event::Form, map::Map};
use boa_engine::{
    JsObject, JsString, JsValue,
    builtins::proxy::Proxy,
    js_string,
    property::{DescriptorKind, PropertyDescriptor, PropertyKey},
    value::Type,
};
use edgehook_contract::{
    Header, HookPoint,
    viewer::{
        Body, BodyEncoding, Query, Returned, ReturnedRequest, ReturnedResponse,
        fields::{self, Field, Item},
    },
};
use edgehook_protocol::event::EventRef;
use std::fmt;

/// Most members of one of the maps, and most values of one field (security.md V07).
const MEMBERS: usize = 1000;

/// What came out: the result, or which place in it has a wrong type and what was expected there.
type Read<T> = Result<T, String>;

fn invalid<T>(text: impl Into<String>) -> Read<T> {
    Err(text.into())
}

/// What the function was given.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) event: &'a EventRef<'a>,
    pub(super) form: &'a Form,
}

/// Reads the value that a handler returned.
pub(super) fn read(value: &JsValue, given: Given<'_>) -> Read<Returned> {
    let Some(object) = value.as_object() else {
        return invalid(format!("handler must return a request or a response object, got {}", type_name(value)));
    };
    check_plain(&object, &"the result")?;
    let status = own(&object, js_string!("statusCode"), &"response.statusCode")?;
    if status.is_undefined() { request(&object, given) } else { response(&object, &status, given) }
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
    let Some(descriptor) = object.borrow().properties().get(key) else { return Ok(JsValue::undefined()) };
    match descriptor.kind() {
        DescriptorKind::Data { value, .. } => Ok(value.clone().unwrap_or_default()),
        _ => invalid(format!("{place} must be a plain value, got a getter or setter")),
    }
}

fn request(object: &JsObject, given: Given<'_>) -> Read<Returned> {
    // The whole event is a frequent slip, and would otherwise read as a request without anything.
    if !own(object, js_string!("request"), &"request")?.is_undefined() {
        return invalid("handler must return event.request or event.response, not the whole event");
    }
    let query = own(object, js_string!("querystring"), &"request.querystring")?;
    let query = match query.as_string() {
        Some(text) => Some(Query::Raw(owned(&text))),
        None => part(&query, &given.form.request.query, "request.querystring", false)?.map(Query::Fields),
    };
    let headers = own(object, js_string!("headers"), &"request.headers")?;
    let cookies = own(object, js_string!("cookies"), &"request.cookies")?;
    let known = given.event.request;
    Ok(Returned::Request(ReturnedRequest {
        method: string(object, js_string!("method"), &"request.method")?.and_then(|text| changed(&text, known.method)),
        uri: string(object, js_string!("uri"), &"request.uri")?.and_then(|text| changed(&text, known.uri)),
        query,
        headers: part(&headers, &given.form.request.headers, "request.headers", false)?,
        cookies: part(&cookies, &given.form.request.cookies, "request.cookies", false)?,
        origin: None,
    }))
}

/// Whether the function edited the request that it was given. For viewer-response, where that is in vain.
fn request_changed(given: Given<'_>) -> bool {
    let Ok(Returned::Request(read)) = request(&given.form.request.object, given) else { return true };
    let known = given.event.request;
    if read.method.is_some() || read.uri.is_some() {
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
    let lines: Vec<Header> = known.headers.iter().map(|(name, value)| Header::new(name, value)).collect();
    query
        || read.headers.is_some_and(|found| !fields::same(&found, &fields::from_headers(&lines, false)))
        || read.cookies.is_some_and(|found| !fields::same(&found, &fields::from_cookies(&lines)))
}

fn response(object: &JsObject, status: &JsValue, given: Given<'_>) -> Read<Returned> {
    let Some(status_code) = status.as_number() else {
        return invalid(format!("response.statusCode must be an integer, got {}", type_name(status)));
    };
    let description = string(object, js_string!("statusDescription"), &"response.statusDescription")?;
    let headers = own(object, js_string!("headers"), &"response.headers")?;
    let cookies = own(object, js_string!("cookies"), &"response.cookies")?;
    // At viewer-request the maps of the response are in nobody's hands, so nothing equals them.
    debug_assert!(given.event.hook == HookPoint::ViewerResponse || !given.form.response.headers.untouched(&headers));
    Ok(Returned::Response(ReturnedResponse {
        status_code,
        status_description: description.map(|text| owned(&text)),
        headers: part(&headers, &given.form.response.headers, "response.headers", false)?,
        cookies: part(&cookies, &given.form.response.cookies, "response.cookies", true)?,
        body: body(object)?,
        request_changed: given.event.hook == HookPoint::ViewerResponse && request_changed(given),
    }))
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
    let value = own(response, js_string!("body"), &"response.body")?;
    if value.is_undefined() {
        return Ok(None);
    }
    if let Some(text) = value.as_string() {
        return Ok(Some(Body { encoding: BodyEncoding::Text, data: owned(&text) }));
    }
    let Some(object) = value.as_object() else {
        return invalid(format!("response.body must be a string or an object, got {}", type_name(&value)));
    };
    check_plain(&object, &"response.body")?;
    let encoding = string(&object, js_string!("encoding"), &"response.body.encoding")?;
    let encoding = match encoding.as_ref().map(owned).as_deref() {
        Some("text") => BodyEncoding::Text,
        Some("base64") => BodyEncoding::Base64,
        _ => return invalid("response.body.encoding must be \"text\" or \"base64\""),
    };
    match string(&object, js_string!("data"), &"response.body.data")? {
        Some(data) => Ok(Some(Body { encoding, data: owned(&data) })),
        None => invalid("response.body.data must be a string"),
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

/// One of the maps; `None` if it is the one that the function was given, unchanged.
fn part(value: &JsValue, given: &Map, place: &str, attributes: bool) -> Read<Option<Vec<Field>>> {
    if given.untouched(value) { Ok(None) } else { field_map(value, place, attributes).map(Some) }
}

fn field_map(value: &JsValue, place: &str, attributes: bool) -> Read<Vec<Field>> {
    if value.is_undefined() {
        return Ok(Vec::new());
    }
    let Some(map) = value.as_object() else {
        return invalid(format!("{place} must be an object, got {}", type_name(value)));
    };
    check_plain(&map, &place)?;
    let keys = own_keys(&map);
    if keys.len() > MEMBERS {
        return invalid(format!("{place} has more than {MEMBERS} members"));
    }
    let mut fields = Vec::with_capacity(keys.len());
    for key in keys {
        let name = match &key {
            PropertyKey::String(name) => owned(name),
            PropertyKey::Index(index) => index.get().to_string(),
            PropertyKey::Symbol(_) => continue,
        };
        let place = Member { map: place, name: &name };
        // What enumeration does not show is no member: the `length` of an array.
        let hidden = map.borrow().properties().get(&key).is_some_and(|property| is_hidden_value(&property));
        let value = if hidden { JsValue::undefined() } else { property(&map, &key, &place)? };
        if !value.is_undefined() {
            let (first, multi) = field(&value, &place, attributes)?;
            fields.push(Field { name, first, multi });
        }
    }
    Ok(fields)
}

fn is_hidden_value(property: &PropertyDescriptor) -> bool {
    property.enumerable() == Some(false) && !property.is_accessor_descriptor()
}

/// All own names in the order of the language: indices ascending, then the others as they were made.
fn own_keys(object: &JsObject) -> Vec<PropertyKey> {
    let object = object.borrow();
    let mut indices: Vec<u32> = object.properties().index_property_keys().collect();
    let keys = object.shape().keys();
    if indices.is_empty() {
        return keys;
    }
    indices.sort_unstable();
    indices.into_iter().map(PropertyKey::from).chain(keys).collect()
}

/// `headers["name"]`.
#[derive(Clone, Copy)]
struct Member<'a> {
    map: &'a str,
    name: &'a str,
}

impl fmt::Display for Member<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.name.escape_default().take(256).collect();
        write!(formatter, "{}[\"{shown}\"]", self.map)
    }
}

/// A property of a place.
struct Inner<'a>(Place<'a>, &'static str);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

fn field(value: &JsValue, place: Place<'_>, attributes: bool) -> Read<(Item, Option<Vec<Item>>)> {
    let first = item(value, place, attributes)?;
    let multi = match value.as_object() {
        None => JsValue::undefined(),
        Some(object) => own(&object, js_string!("multiValue"), &Inner(place, "multiValue"))?,
    };
    Ok((first, if multi.is_undefined() { None } else { Some(items(&multi, place, attributes)?) }))
}

fn items(value: &JsValue, place: Place<'_>, attributes: bool) -> Read<Vec<Item>> {
    let Some(array) = value.as_object().filter(JsObject::is_array) else {
        return invalid(format!("{place}.multiValue must be an array, got {}", type_name(value)));
    };
    let length = own(&array, js_string!("length"), &Inner(place, "multiValue.length"))?.as_number().unwrap_or_default();
    #[allow(clippy::cast_precision_loss, reason = "the limit is a small number")]
    if length > MEMBERS as f64 {
        return invalid(format!("{place}.multiValue has more than {MEMBERS} members"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to MEMBERS, checked above")]
    (0..length as u32)
        .map(|index| {
            let place = format!("{place}.multiValue[{index}]");
            let value = property(&array, &PropertyKey::from(index), &place)?;
            item(&value, &place, attributes)
        })
        .collect()
}

fn item(value: &JsValue, place: Place<'_>, attributes: bool) -> Read<Item> {
    let Some(object) = value.as_object() else {
        return invalid(format!("{place} must be an object with a string \"value\", got {}", type_name(value)));
    };
    check_plain(&object, place)?;
    let Some(value) = string(&object, js_string!("value"), &Inner(place, "value"))? else {
        return invalid(format!("{place}.value must be a string, got undefined"));
    };
    // Only the cookies of a response have attributes; elsewhere it is an unknown key like any other.
    let attributes = match attributes {
        false => None,
        true => string(&object, js_string!("attributes"), &Inner(place, "attributes"))?,
    };
    Ok(Item { value: owned(&value), attributes: attributes.as_ref().map(owned) })
}
