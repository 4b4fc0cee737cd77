//! Reads what a handler returned (cloudfront-functions.md 2 and 5.1). Types are checked here, values by the contract.

use boa_engine::{Context, JsError, JsObject, JsString, JsValue, js_string, property::PropertyKey};
use edgehook_contract::viewer::{
    Body, BodyEncoding, Query, Returned, ReturnedRequest, ReturnedResponse,
    fields::{Field, Item},
};

/// Most members of one of the maps, and most values of one field (security.md V07).
const MEMBERS: usize = 1000;

/// Why a result could not be read.
pub(super) enum Unreadable {
    /// A type is wrong; the text names the place and what was expected.
    Invalid(String),
    /// A getter of the script threw.
    Threw(JsError),
}

impl From<JsError> for Unreadable {
    fn from(error: JsError) -> Self {
        Self::Threw(error)
    }
}

type Read<T> = Result<T, Unreadable>;

fn invalid<T>(text: impl Into<String>) -> Read<T> {
    Err(Unreadable::Invalid(text.into()))
}

/// Reads the value that a handler returned.
pub(super) fn read(value: &JsValue, context: &mut Context) -> Read<Returned> {
    let Some(object) = value.as_object() else {
        return invalid(format!("handler must return a request or a response object, got {}", type_name(value)));
    };
    let status = object.get(js_string!("statusCode"), context)?;
    if status.is_undefined() { request(&object, context) } else { response(&object, &status, context) }
}

fn type_name(value: &JsValue) -> &'static str {
    if value.is_null() {
        return "null";
    }
    match value.get_type() {
        boa_engine::value::Type::Undefined => "undefined",
        boa_engine::value::Type::Boolean => "a boolean",
        boa_engine::value::Type::Number => "a number",
        boa_engine::value::Type::String => "a string",
        boa_engine::value::Type::Symbol => "a symbol",
        boa_engine::value::Type::BigInt => "a bigint",
        _ => "an object",
    }
}

fn request(object: &JsObject, context: &mut Context) -> Read<Returned> {
    // The whole event is a frequent slip, and would otherwise read as a request without anything.
    if !object.get(js_string!("request"), context)?.is_undefined() {
        return invalid("handler must return event.request or event.response, not the whole event");
    }
    let query = object.get(js_string!("querystring"), context)?;
    let query = match query.as_string() {
        Some(text) => Query::Raw(text.to_std_string_lossy()),
        None => Query::Fields(field_map(&query, "request.querystring", context)?),
    };
    Ok(Returned::Request(ReturnedRequest {
        method: string(object, "method", "request", context)?,
        uri: string(object, "uri", "request", context)?,
        query: Some(query),
        headers: Some(fields_of(object, "headers", "request", context)?),
        cookies: Some(fields_of(object, "cookies", "request", context)?),
        origin: None,
    }))
}

fn response(object: &JsObject, status: &JsValue, context: &mut Context) -> Read<Returned> {
    let Some(status_code) = status.as_number() else {
        return invalid(format!("response.statusCode must be an integer, got {}", type_name(status)));
    };
    Ok(Returned::Response(ReturnedResponse {
        status_code,
        status_description: string(object, "statusDescription", "response", context)?,
        headers: Some(fields_of(object, "headers", "response", context)?),
        cookies: Some(fields_of(object, "cookies", "response", context)?),
        body: body(object, context)?,
    }))
}

fn body(response: &JsObject, context: &mut Context) -> Read<Option<Body>> {
    let value = response.get(js_string!("body"), context)?;
    if value.is_undefined() {
        return Ok(None);
    }
    if let Some(text) = value.as_string() {
        return Ok(Some(Body { encoding: BodyEncoding::Text, data: text.to_std_string_lossy() }));
    }
    let Some(object) = value.as_object() else {
        return invalid(format!("response.body must be a string or an object, got {}", type_name(&value)));
    };
    let encoding = match string(&object, "encoding", "response.body", context)?.as_deref() {
        Some("text") => BodyEncoding::Text,
        Some("base64") => BodyEncoding::Base64,
        _ => return invalid("response.body.encoding must be \"text\" or \"base64\""),
    };
    match string(&object, "data", "response.body", context)? {
        Some(data) => Ok(Some(Body { encoding, data })),
        None => invalid("response.body.data must be a string"),
    }
}

/// A property that is a string or absent.
fn string(object: &JsObject, name: &str, place: &str, context: &mut Context) -> Read<Option<String>> {
    let value = object.get(JsString::from(name), context)?;
    if value.is_undefined() {
        return Ok(None);
    }
    match value.as_string() {
        Some(text) => Ok(Some(text.to_std_string_lossy())),
        None => invalid(format!("{place}.{name} must be a string, got {}", type_name(&value))),
    }
}

fn fields_of(object: &JsObject, name: &str, place: &str, context: &mut Context) -> Read<Vec<Field>> {
    let value = object.get(JsString::from(name), context)?;
    field_map(&value, &format!("{place}.{name}"), context)
}

fn field_map(value: &JsValue, place: &str, context: &mut Context) -> Read<Vec<Field>> {
    if value.is_undefined() {
        return Ok(Vec::new());
    }
    let Some(map) = value.as_object() else {
        return invalid(format!("{place} must be an object, got {}", type_name(value)));
    };
    let keys = map.own_property_keys(context)?;
    if keys.len() > MEMBERS {
        return invalid(format!("{place} has more than {MEMBERS} members"));
    }
    let mut fields = Vec::with_capacity(keys.len());
    for key in keys {
        if matches!(key, PropertyKey::Symbol(_)) {
            continue;
        }
        let name = match &key {
            PropertyKey::String(name) => name.to_std_string_lossy(),
            other => other.to_string(),
        };
        let value = map.get(key, context)?;
        if !value.is_undefined() {
            fields.push(field(name, &value, place, context)?);
        }
    }
    Ok(fields)
}

fn field(name: String, value: &JsValue, map: &str, context: &mut Context) -> Read<Field> {
    let shown: String = name.escape_default().take(256).collect();
    let place = format!("{map}[\"{shown}\"]");
    let first = item(value, &place, context)?;
    let multi = match value.as_object() {
        None => JsValue::undefined(),
        Some(object) => object.get(js_string!("multiValue"), context)?,
    };
    let multi = if multi.is_undefined() { None } else { Some(items(&multi, &place, context)?) };
    Ok(Field { name, first, multi })
}

fn items(value: &JsValue, place: &str, context: &mut Context) -> Read<Vec<Item>> {
    let Some(array) = value.as_object().filter(JsObject::is_array) else {
        return invalid(format!("{place}.multiValue must be an array, got {}", type_name(value)));
    };
    let length = array.get(js_string!("length"), context)?.as_number().unwrap_or_default();
    #[allow(clippy::cast_precision_loss, reason = "the limit is a small number")]
    if length > MEMBERS as f64 {
        return invalid(format!("{place}.multiValue has more than {MEMBERS} members"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to MEMBERS, checked above")]
    (0..length as u32)
        .map(|index| {
            let value = array.get(index, context)?;
            item(&value, &format!("{place}.multiValue[{index}]"), context)
        })
        .collect()
}

fn item(value: &JsValue, place: &str, context: &mut Context) -> Read<Item> {
    let Some(object) = value.as_object() else {
        return invalid(format!("{place} must be an object with a string \"value\", got {}", type_name(value)));
    };
    let Some(value) = string(&object, "value", place, context)? else {
        return invalid(format!("{place}.value must be a string, got undefined"));
    };
    Ok(Item { value, attributes: string(&object, "attributes", place, context)? })
}
