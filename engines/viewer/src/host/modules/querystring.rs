//! `querystring`: parse, stringify, escape, unescape (cloudfront-functions.md 6.2).

use super::{bytes, define, type_error};
use boa_engine::{
    Context, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string, object::builtins::JsArray,
    property::PropertyKey,
};

/// Parameters that `parse` reads unless told otherwise.
const MAX_KEYS: f64 = 1000.0;

/// The module.
pub(super) fn module(context: &mut Context) -> JsResult<JsObject> {
    let module = define::object(context);
    define::method(&module, "parse", 4, parse, context)?;
    define::method(&module, "decode", 4, parse, context)?;
    let keys = context.intrinsics().constructors().object().constructor().get(js_string!("keys"), context)?;
    let keys = keys.as_object().ok_or_else(|| type_error("no Object.keys"))?;
    for name in ["stringify", "encode"] {
        let native = NativeFunction::from_copy_closure_with_captures(
            |_, arguments, keys: &JsObject, context| stringify(arguments, keys, context),
            keys.clone(),
        );
        define::closure(&module, name, 4, native, context)?;
    }
    define::method(&module, "escape", 1, escape, context)?;
    define::method(&module, "unescape", 1, unescape, context)?;
    Ok(module)
}

/// The separators and the option `name`, if it is a function.
fn settings(
    arguments: &[JsValue],
    function: JsString,
    context: &mut Context,
) -> JsResult<(Vec<u8>, Vec<u8>, Option<JsObject>)> {
    let separator = separator(arguments.get(1), b"&", context)?;
    let equals = self::separator(arguments.get(2), b"=", context)?;
    let option = match arguments.get(3).and_then(JsValue::as_object) {
        None => None,
        Some(options) => {
            let value = options.get(function.clone(), context)?;
            if value.is_undefined() {
                None
            } else {
                let callable = value.as_callable();
                Some(callable.ok_or_else(|| {
                    type_error(format!("option {} must be a function", function.to_std_string_lossy()))
                })?)
            }
        }
    };
    Ok((separator, equals, option))
}

fn separator(value: Option<&JsValue>, default: &[u8], context: &mut Context) -> JsResult<Vec<u8>> {
    let text = match value {
        Some(value) if !value.is_null_or_undefined() => bytes::utf8(&value.to_string(context)?),
        _ => Vec::new(),
    };
    Ok(if text.is_empty() { default.to_vec() } else { text })
}

fn parse(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let result = define::object(context);
    let Some(text) = arguments.first().and_then(JsValue::as_string) else { return Ok(result.into()) };
    let (separator, equals, decoder) = settings(arguments, js_string!("decodeURIComponent"), context)?;
    let most = match arguments.get(3).and_then(JsValue::as_object) {
        None => MAX_KEYS,
        Some(options) => {
            let value = options.get(js_string!("maxKeys"), context)?;
            if value.is_undefined() { MAX_KEYS } else { value.to_number(context)? }
        }
    };
    let text = bytes::utf8(&text);
    let mut count = 0.0;
    let mut rest = Some(text.as_slice());
    while let Some(piece) = rest {
        let (segment, after) = split(piece, &separator);
        rest = after;
        if segment.is_empty() {
            continue;
        }
        let (name, value) = split(segment, &equals);
        let name = decoded(name, decoder.as_ref(), context)?;
        let value = decoded(value.unwrap_or_default(), decoder.as_ref(), context)?;
        add(&result, name, value, context)?;
        count += 1.0;
        if most > 0.0 && count >= most {
            break;
        }
    }
    Ok(result.into())
}

/// What stands in front of the first `separator`, and behind it if there is one.
fn split<'a>(text: &'a [u8], separator: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    match text.windows(separator.len()).position(|window| window == separator) {
        None => (text, None),
        Some(at) => (&text[..at], Some(&text[at + separator.len()..])),
    }
}

/// Adds a value under a name: the first as it is, from the second on as an array.
fn add(result: &JsObject, name: JsString, value: JsString, context: &mut Context) -> JsResult<()> {
    let key = PropertyKey::from(name);
    if !result.has_own_property(key.clone(), context)? {
        result.create_data_property_or_throw(key, value, context)?;
        return Ok(());
    }
    let known = result.get(key.clone(), context)?;
    match known.as_object().map(JsArray::from_object) {
        Some(Ok(list)) => {
            let length = list.length(context)?;
            list.create_data_property_or_throw(length, value, context)?;
        }
        _ => {
            let list = JsArray::from_iter([known, value.into()], context);
            result.create_data_property_or_throw(key, list, context)?;
        }
    }
    Ok(())
}

fn decoded(text: &[u8], decoder: Option<&JsObject>, context: &mut Context) -> JsResult<JsString> {
    match decoder {
        None => Ok(unescaped(text)),
        Some(decoder) => {
            let text = JsString::from(String::from_utf8_lossy(text).as_ref());
            decoder.call(&JsValue::undefined(), &[text.into()], context)?.to_string(context)
        }
    }
}

/// `%XX` as UTF-8, `+` as a space; what is no UTF-8 becomes U+FFFD.
fn unescaped(text: &[u8]) -> JsString {
    let digit = |at: usize| {
        text.get(at).and_then(|&byte| char::from(byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok())
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match (byte, digit(at), digit(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                at += 2;
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    JsString::from(String::from_utf8_lossy(&bytes).as_ref())
}

fn escaped(text: &JsString) -> JsString {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let bytes = bytes::utf8(text);
    let mut written = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"!'()*-._~".contains(&byte) {
            written.push(byte);
        } else {
            written.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
    bytes::latin1(&written)
}

/// `keys` is the engine's own `Object.keys`, whatever a script has made of that property.
fn stringify(arguments: &[JsValue], keys: &JsObject, context: &mut Context) -> JsResult<JsValue> {
    let Some(object) = arguments.first().and_then(JsValue::as_object) else { return Ok(js_string!().into()) };
    let (separator, equals, encoder) = settings(arguments, js_string!("encodeURIComponent"), context)?;
    let (separator, equals) =
        (String::from_utf8_lossy(&separator).into_owned(), String::from_utf8_lossy(&equals).into_owned());
    let encode = |text: JsString, context: &mut Context| -> JsResult<String> {
        let text = match &encoder {
            None => escaped(&text),
            Some(encoder) => encoder.call(&JsValue::undefined(), &[text.into()], context)?.to_string(context)?,
        };
        Ok(text.to_std_string_lossy())
    };
    let mut parts = Vec::new();
    // Only what enumeration shows.
    let names = keys.call(&JsValue::undefined(), &[object.clone().into()], context)?;
    for name in values(&names, context)? {
        let Some(name) = name.as_string() else { continue };
        let value = object.get(name.clone(), context)?;
        let name = encode(name, context)?;
        for value in values(&value, context)? {
            let value = encode(primitive(&value, context)?, context)?;
            parts.push(format!("{name}{equals}{value}"));
        }
    }
    Ok(JsString::from(parts.join(&separator)).into())
}

/// The members of an array, or the one value.
fn values(value: &JsValue, context: &mut Context) -> JsResult<Vec<JsValue>> {
    match value.as_object().map(JsArray::from_object) {
        Some(Ok(list)) => (0..list.length(context)?).map(|index| list.get(index, context)).collect(),
        _ => Ok(vec![value.clone()]),
    }
}

/// Numbers, booleans and strings as text; anything else is written as nothing.
fn primitive(value: &JsValue, context: &mut Context) -> JsResult<JsString> {
    if value.is_string() || value.is_boolean() || value.as_number().is_some_and(f64::is_finite) {
        value.to_string(context)
    } else {
        Ok(js_string!())
    }
}

fn escape(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let text = arguments.first().cloned().unwrap_or_default().to_string(context)?;
    Ok(escaped(&text).into())
}

fn unescape(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let text = arguments.first().cloned().unwrap_or_default().to_string(context)?;
    Ok(unescaped(&bytes::utf8(&text)).into())
}
