//! Byte methods of strings, which only runtime 1.0 has (cloudfront-functions.md 6.7). A byte string is a string whose characters
//! are all below 256, one for each byte.

use super::{
    bytes::{self, Encoding},
    define, type_error,
};
use boa_engine::{Context, JsObject, JsResult, JsString, JsValue, js_string};

/// Adds the methods to `String` and its prototype.
pub(super) fn install(context: &mut Context) -> JsResult<()> {
    bytes::remember_made(context);
    let string = context.intrinsics().constructors().string();
    let (constructor, prototype): (JsObject, JsObject) = (string.constructor(), string.prototype());
    define::method(&constructor, "bytesFrom", 2, bytes_from, context)?;
    define::method(&prototype, "fromBytes", 0, from_bytes, context)?;
    define::method(&prototype, "toBytes", 0, to_bytes, context)?;
    define::method(&prototype, "fromUTF8", 0, from_utf8, context)?;
    define::method(&prototype, "toUTF8", 0, to_utf8, context)?;
    define::method(&prototype, "toString", 1, to_string, context)
}

fn encoding(value: &JsValue) -> JsResult<Encoding> {
    let Some(name) = value.as_string() else { return Err(type_error("the encoding must be a string")) };
    let name = name.to_std_string_lossy();
    Encoding::of(&name).filter(|encoding| *encoding != Encoding::Utf8).ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        type_error(format!("Unknown encoding: \"{shown}\""))
    })
}

fn bytes_from(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let value = arguments.first().cloned().unwrap_or_default();
    if let Some(text) = value.as_string() {
        let encoding = encoding(arguments.get(1).unwrap_or(&JsValue::undefined()))?;
        return Ok(bytes::made(&encoding.decode(&text), context).into());
    }
    let Some(list) = value.as_object() else { return Err(type_error("value must be a string or an array")) };
    let length = list.get(js_string!("length"), context)?;
    if length.is_undefined() {
        return Err(type_error("value must be a string or an array"));
    }
    let mut octets = Vec::new();
    for index in 0..length.to_length(context)? {
        let number = list.get(index, context)?.to_u32(context)?;
        octets.push((number & 0xff) as u8);
    }
    Ok(bytes::made(&octets, context).into())
}

/// The part of `this` that the arguments `start` and `end` name.
fn part(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsString> {
    let text = this.require_object_coercible()?.to_string(context)?;
    let length = text.len();
    let mut place = |index: usize, default: usize| -> JsResult<usize> {
        let Some(value) = arguments.get(index).filter(|value| !value.is_undefined()) else { return Ok(default) };
        let number = value.to_number(context)?.trunc();
        #[allow(clippy::cast_precision_loss, reason = "strings are far shorter than 2^53")]
        let number = if number < 0.0 { number + length as f64 } else { number };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; NaN becomes 0")]
        Ok((number.max(0.0) as usize).min(length))
    };
    let (start, end) = (place(0, 0)?, place(1, length)?);
    Ok(text.get(start..end.max(start)).unwrap_or_default())
}

fn from_bytes(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let part = part(this, arguments, context)?;
    // A byte string is its own text already; what is no byte string is taken as its UTF-8.
    let octets = bytes::byte_string(&part).unwrap_or_else(|| bytes::utf8(&part));
    Ok(bytes::made(&octets, context).into())
}

fn to_bytes(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let part = part(this, arguments, context)?;
    Ok(bytes::byte_string(&part).map_or_else(JsValue::null, |octets| bytes::made(&octets, context).into()))
}

fn from_utf8(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let part = part(this, arguments, context)?;
    let text = bytes::byte_string(&part).and_then(|octets| String::from_utf8(octets).ok());
    Ok(text.map_or_else(JsValue::null, |text| JsString::from(text).into()))
}

fn to_utf8(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let part = part(this, arguments, context)?;
    Ok(bytes::made(&bytes::utf8(&part), context).into())
}

/// `String.prototype.toString`, with an encoding for the bytes.
fn to_string(this: &JsValue, arguments: &[JsValue], _: &mut Context) -> JsResult<JsValue> {
    let text = match (this.as_string(), this.as_object()) {
        (Some(text), _) => text,
        (None, Some(object)) => {
            let inner = object.downcast_ref::<JsString>().map(|text| text.clone());
            inner.ok_or_else(|| type_error("this is not a string"))?
        }
        _ => return Err(type_error("this is not a string")),
    };
    match arguments.first().filter(|value| !value.is_undefined()) {
        None => Ok(text.into()),
        Some(value) => {
            let encoding = encoding(value)?;
            let octets = bytes::byte_string(&text).unwrap_or_else(|| bytes::utf8(&text));
            Ok(encoding.encode(&octets).into())
        }
    }
}
