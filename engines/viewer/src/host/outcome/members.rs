//! Headers, cookies and query parameters of a returned request or response: maps of field objects (cloudfront-functions.md 2.3).

use super::{
    Given, MEMBERS, Place, Read, check_plain, data_value, descriptor, invalid, own, owned, property, request_lines,
    string, type_name,
};
use crate::host::map::Map;
use boa_engine::{
    JsObject, JsValue,
    builtins::proxy::Proxy,
    js_string,
    property::{PropertyDescriptor, PropertyKey},
};
use edgehook_contract::{
    Header, Violations,
    viewer::fields::{self, Field, Item},
};
use std::fmt;

/// Which of the maps is read.
pub(super) enum Kind<'a> {
    Query(Given<'a>),
    Headers(Given<'a>),
    Cookies(Given<'a>),
    ResponseHeaders(Given<'a>),
    ResponseCookies(Given<'a>),
}

impl Kind<'_> {
    fn place(&self) -> &'static str {
        match self {
            Self::Query(_) => "request.querystring",
            Self::Headers(_) => "request.headers",
            Self::Cookies(_) => "request.cookies",
            Self::ResponseHeaders(_) => "response.headers",
            Self::ResponseCookies(_) => "response.cookies",
        }
    }

    /// Only the cookies of a response have attributes; elsewhere it is an unknown key like any other.
    fn has_attributes(&self) -> bool {
        matches!(self, Self::ResponseCookies(_))
    }

    /// What the function was given, for the places that cannot be read.
    fn given(&self) -> Vec<Field> {
        let response = |given: &Given<'_>| -> Vec<Header> {
            let lines = given.event.response.as_ref().map(|response| response.headers.iter());
            lines.into_iter().flatten().map(|(name, value)| Header::new(name, value)).collect()
        };
        match self {
            Self::Query(given) => fields::from_query(given.event.request.query.unwrap_or_default()),
            Self::Headers(given) => fields::from_headers(&request_lines(*given), false),
            Self::Cookies(given) => fields::from_cookies(&request_lines(*given)),
            Self::ResponseHeaders(given) => fields::from_headers(&response(given), true),
            Self::ResponseCookies(given) => fields::from_set_cookies(&response(given)),
        }
    }
}

/// One of the maps; `None` if it is the one that the function was given, unchanged, or no map.
pub(super) fn part(value: &JsValue, given: &Map, kind: &Kind<'_>, found: &mut Violations) -> Option<Vec<Field>> {
    if given.untouched(value) {
        return None;
    }
    match found.take(map(value, kind.place()))? {
        None => Some(Vec::new()),
        Some(map) => Some(field_map(&map, kind, found)),
    }
}

/// A map and its keys; an absent one is empty.
fn map(value: &JsValue, place: &str) -> Read<Option<(JsObject, Vec<PropertyKey>)>> {
    if value.is_undefined() {
        return Ok(None);
    }
    let Some(map) = value.as_object() else {
        return invalid(format!("{place} must be an object, got {}", type_name(value)));
    };
    check_plain(&map, &place)?;
    let keys = own_keys(&map);
    if keys.len() > MEMBERS {
        return invalid(format!("{place} has more than {MEMBERS} members"));
    }
    Ok(Some((map, keys)))
}

fn field_map((map, keys): &(JsObject, Vec<PropertyKey>), kind: &Kind<'_>, found: &mut Violations) -> Vec<Field> {
    let mut fields = Vec::with_capacity(keys.len());
    for key in keys {
        if found.is_full() {
            break;
        }
        let name = match key {
            PropertyKey::String(name) => owned(name),
            PropertyKey::Index(index) => index.get().to_string(),
            PropertyKey::Symbol(_) => continue,
        };
        // What enumeration does not show is no member: the `length` of an array.
        let Some(descriptor) = descriptor(map, key).filter(|found| !is_hidden_value(found)) else { continue };
        let place = Member { map: kind.place(), name: &name };
        let value = found.take(data_value(&descriptor, &place));
        if value.as_ref().is_some_and(JsValue::is_undefined) {
            continue;
        }
        match value.and_then(|value| field(&value, &place, kind.has_attributes(), found)) {
            Some((first, multi)) => fields.push(Field { name, first, multi }),
            None => fields.extend(kind.given().into_iter().find(|given| given.name == name)),
        }
    }
    fields
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

fn field(
    value: &JsValue,
    place: Place<'_>,
    attributes: bool,
    found: &mut Violations,
) -> Option<(Item, Option<Vec<Item>>)> {
    let first = found.take(item(value, place, attributes));
    let multi = match value.as_object().filter(|object| !object.is::<Proxy>()) {
        None => JsValue::undefined(),
        Some(object) => found.take(own(&object, js_string!("multiValue"), &Inner(place, "multiValue")))?,
    };
    let multi = if multi.is_undefined() { None } else { Some(items(&multi, place, attributes, found)?) };
    first.map(|first| (first, multi))
}

/// `None` if any of them cannot be read.
fn items(value: &JsValue, place: Place<'_>, attributes: bool, found: &mut Violations) -> Option<Vec<Item>> {
    let (array, length) = found.take(list(value, place))?;
    let mut items = Vec::with_capacity(length as usize);
    for index in 0..length {
        let place = format!("{place}.multiValue[{index}]");
        let value = property(&array, &PropertyKey::from(index), &place);
        items.push(found.take(value.and_then(|value| item(&value, &place, attributes))));
        if found.is_full() {
            return None;
        }
    }
    items.into_iter().collect()
}

fn list(value: &JsValue, place: Place<'_>) -> Read<(JsObject, u32)> {
    let Some(array) = value.as_object().filter(JsObject::is_array) else {
        return invalid(format!("{place}.multiValue must be an array, got {}", type_name(value)));
    };
    let length = own(&array, js_string!("length"), &Inner(place, "multiValue.length"))?.as_number().unwrap_or_default();
    #[allow(clippy::cast_precision_loss, reason = "the limit is a small number")]
    if length > MEMBERS as f64 {
        return invalid(format!("{place}.multiValue has more than {MEMBERS} members"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to MEMBERS, checked above")]
    let length = length as u32;
    Ok((array, length))
}

fn item(value: &JsValue, place: Place<'_>, attributes: bool) -> Read<Item> {
    let Some(object) = value.as_object() else {
        return invalid(format!("{place} must be an object with a string \"value\", got {}", type_name(value)));
    };
    check_plain(&object, place)?;
    let Some(value) = string(&object, js_string!("value"), &Inner(place, "value"))? else {
        return invalid(format!("{place}.value must be a string, got undefined"));
    };
    let attributes = match attributes {
        false => None,
        true => string(&object, js_string!("attributes"), &Inner(place, "attributes"))?,
    };
    Ok(Item { value: owned(&value), attributes: attributes.as_ref().map(owned) })
}
