//! `cf.cwt`: CBOR web tokens under a MAC (RFC 8392, RFC 9052 section 6.2; cloudfront-functions.md 6.6).
//!
//! HMAC with SHA-256 alone, whole (algorithm 5) or cut to eight bytes (4). Claims such as `exp` are the script's to check.

use super::{
    buffer,
    bytes::{self, View},
    cbor::Item,
    crypto, define, type_error,
};
use boa_engine::{
    Context, JsError, JsNativeError, JsObject, JsResult, JsString, JsValue, js_string, object::builtins::JsArray,
    property::PropertyKey,
};

const TAG_MAC0: u64 = 17;
const TAG_CWT: u64 = 61;
/// Longest token, in bytes.
const TOKEN: usize = 1024;
/// Label of the algorithm in the headers.
const ALGORITHM: i128 = 1;
/// HMAC 256/64 and HMAC 256/256, with the bytes of their tags.
const ALGORITHMS: [(i128, usize); 2] = [(4, 8), (5, 32)];
/// Deepest payload that is written.
const DEPTH: u8 = 12;

/// The object.
pub(super) fn module(context: &mut Context) -> JsResult<JsObject> {
    let module = define::object(context);
    define::method(&module, "validateToken", 2, validate, context)?;
    define::method(&module, "generateToken", 2, generate, context)?;
    Ok(module)
}

fn invalid(what: &str) -> JsError {
    JsNativeError::error().with_message(format!("invalid token: {what}")).into()
}

fn key(options: &JsObject, context: &mut Context) -> JsResult<Vec<u8>> {
    let key = options.get(js_string!("key"), context)?;
    bytes::data(&key, "key", context)
}

fn mac(key: &[u8], protected: &[u8], payload: &[u8], length: usize) -> Vec<u8> {
    let structure = Item::List(vec![
        Item::Text("MAC0".to_owned()),
        Item::Bytes(protected.to_vec()),
        Item::Bytes(Vec::new()),
        Item::Bytes(payload.to_vec()),
    ]);
    let mut mac = crypto::hmac_sha256(key, &structure.to_bytes());
    mac.truncate(length);
    mac
}

fn tag_length(headers: &Item) -> Option<usize> {
    let Item::Map(pairs) = headers else { return None };
    let (_, algorithm) = pairs.iter().find(|(label, _)| *label == Item::Integer(ALGORITHM))?;
    ALGORITHMS.into_iter().find(|(known, _)| *algorithm == Item::Integer(*known)).map(|(_, length)| length)
}

fn validate(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let token = arguments.first().cloned().unwrap_or_default();
    let Some(view) = View::of(&token, context)? else { return Err(type_error("the token must be a Buffer")) };
    let Some(options) = arguments.get(1).and_then(JsValue::as_object) else {
        return Err(type_error("validateToken takes a token and {key}"));
    };
    let key = key(&options, context)?;
    let token = view.read(<[u8]>::to_vec)?;
    if token.len() > TOKEN {
        return Err(invalid("it is longer than 1,024 bytes"));
    }
    let mut item = Item::parse(&token).ok_or_else(|| invalid("it is not CBOR"))?;
    if let Item::Tagged(TAG_CWT, inner) = item {
        item = *inner;
    }
    let Item::Tagged(TAG_MAC0, inner) = item else { return Err(invalid("it is not a COSE_MAC0")) };
    let Item::List(parts) = *inner else { return Err(invalid("it is not a COSE_MAC0")) };
    let [Item::Bytes(protected), unprotected @ Item::Map(_), Item::Bytes(payload), Item::Bytes(tag)] = parts.as_slice()
    else {
        return Err(invalid("it is not a COSE_MAC0"));
    };
    let headers = if protected.is_empty() { Some(Item::Map(Vec::new())) } else { Item::parse(protected) };
    let headers = headers.ok_or_else(|| invalid("its protected headers are not CBOR"))?;
    let length = tag_length(&headers).ok_or_else(|| invalid("its algorithm is not HMAC 256/64 or 256/256"))?;
    let expected = mac(&key, protected, payload, length);
    // As long for a wrong tag as for a right one.
    let differs = expected.iter().zip(tag).fold(0, |differs, (a, b)| differs | (a ^ b));
    if expected.len() != tag.len() || differs != 0 {
        return Err(invalid("its tag is wrong"));
    }
    let claims = Item::parse(payload).filter(|claims| matches!(claims, Item::Map(_)));
    let claims = claims.ok_or_else(|| invalid("its payload is not a map"))?;
    let result = define::object(context);
    for (name, item) in [("protectedHeaders", &headers), ("unprotectedHeaders", unprotected), ("payload", &claims)] {
        let value = to_value(item, context)?;
        result.create_data_property_or_throw(JsString::from(name), value, context)?;
    }
    Ok(result.into())
}

fn to_value(item: &Item, context: &mut Context) -> JsResult<JsValue> {
    Ok(match item {
        #[allow(clippy::cast_precision_loss, reason = "a number is all that JavaScript has")]
        Item::Integer(number) => JsValue::from(*number as f64),
        Item::Bytes(bytes) => buffer::make(bytes, context)?.into(),
        Item::Text(text) => JsString::from(text.as_str()).into(),
        Item::List(items) => {
            let items = items.iter().map(|item| to_value(item, context)).collect::<JsResult<Vec<_>>>()?;
            JsArray::from_iter(items, context).into()
        }
        Item::Map(pairs) => {
            let object = define::object(context);
            for (label, item) in pairs {
                let name = match label {
                    Item::Text(text) => text.clone(),
                    Item::Integer(number) => number.to_string(),
                    _ => return Err(invalid("a map has a key that is neither text nor an integer")),
                };
                let value = to_value(item, context)?;
                object.create_data_property_or_throw(JsString::from(name), value, context)?;
            }
            object.into()
        }
        Item::Tagged(_, inner) => to_value(inner, context)?,
        Item::Flag(flag) => (*flag).into(),
        Item::Null => JsValue::null(),
        Item::Float(number) => (*number).into(),
    })
}

fn generate(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let refused = || type_error("generateToken takes {coseTag: \"MAC0\", key} and a payload, in either order");
    let first = arguments.first().and_then(JsValue::as_object).ok_or_else(refused)?;
    let second = arguments.get(1).and_then(JsValue::as_object).ok_or_else(refused)?;
    let (options, content) =
        if first.has_property(js_string!("coseTag"), context)? { (first, second) } else { (second, first) };
    let kind = options.get(js_string!("coseTag"), context)?;
    if kind.as_string().is_none_or(|kind| kind != js_string!("MAC0")) {
        return Err(type_error("coseTag must be \"MAC0\""));
    }
    let key = key(&options, context)?;
    let tagged = options.get(js_string!("cwtTag"), context)?.to_boolean();
    let claims = content.get(js_string!("payload"), context)?;
    // An object with `payload` holds headers too; any other is the claims themselves.
    let (mut protected, unprotected, claims) = if claims.is_object() {
        (headers(&content, "protected", context)?, headers(&content, "unprotected", context)?, claims)
    } else {
        (Vec::new(), Vec::new(), content.into())
    };
    let algorithm = protected.iter().position(|(label, _)| *label == Item::Integer(ALGORITHM));
    match algorithm {
        None => protected.insert(0, (Item::Integer(ALGORITHM), Item::Integer(5))),
        Some(at) => {
            // Written as a number or as its digits.
            if let Item::Text(text) = &protected[at].1 {
                protected[at].1 = text.parse().map_or(Item::Null, Item::Integer);
            }
        }
    }
    let protected = Item::Map(protected);
    let length = tag_length(&protected).ok_or_else(|| type_error("the algorithm must be 4 or 5"))?;
    let (protected, payload) = (protected.to_bytes(), from_value(&claims, DEPTH, context)?.to_bytes());
    let tag = mac(&key, &protected, &payload, length);
    let parts = vec![Item::Bytes(protected), Item::Map(unprotected), Item::Bytes(payload), Item::Bytes(tag)];
    let mut token = Item::Tagged(TAG_MAC0, Box::new(Item::List(parts)));
    if tagged {
        token = Item::Tagged(TAG_CWT, Box::new(token));
    }
    let token = token.to_bytes();
    if token.len() > TOKEN {
        return Err(type_error("the token is longer than 1,024 bytes"));
    }
    buffer::make(&token, context).map(Into::into)
}

/// The headers `name`, in either spelling.
fn headers(content: &JsObject, name: &str, context: &mut Context) -> JsResult<Vec<(Item, Item)>> {
    for spelling in [format!("{name}Headers"), name.to_owned()] {
        let value = content.get(JsString::from(spelling), context)?;
        if !value.is_undefined() {
            return match from_value(&value, DEPTH, context)? {
                Item::Map(pairs) => Ok(pairs),
                _ => Err(type_error(format!("{name} must be an object"))),
            };
        }
    }
    Ok(Vec::new())
}

fn from_value(value: &JsValue, depth: u8, context: &mut Context) -> JsResult<Item> {
    let Some(depth) = depth.checked_sub(1) else { return Err(type_error("the payload is nested too deeply")) };
    if let Some(number) = value.as_number() {
        #[allow(clippy::cast_possible_truncation, reason = "a whole number below 2^63")]
        let item = if number.fract() == 0.0 && number.abs() < 9.0e18 {
            Item::Integer(number as i128)
        } else {
            Item::Float(number)
        };
        return Ok(item);
    }
    if let Some(text) = value.as_string() {
        return Ok(Item::Text(text.to_std_string_lossy()));
    }
    if let Some(flag) = value.as_boolean() {
        return Ok(Item::Flag(flag));
    }
    if let Some(view) = View::of(value, context)? {
        return view.read(|bytes| Item::Bytes(bytes.to_vec()));
    }
    let Some(object) = value.as_object() else {
        return if value.is_null_or_undefined() {
            Ok(Item::Null)
        } else {
            Err(type_error("the payload holds what no token can"))
        };
    };
    if let Ok(list) = JsArray::from_object(object.clone()) {
        let length = list.length(context)?;
        if length > TOKEN as u64 {
            return Err(type_error("the payload is too long"));
        }
        let items = (0..length).map(|index| {
            let item = list.get(index, context)?;
            from_value(&item, depth, context)
        });
        return items.collect::<JsResult<Vec<_>>>().map(Item::List);
    }
    let mut pairs = Vec::new();
    for property in object.own_property_keys(context)? {
        let name = match &property {
            PropertyKey::Symbol(_) => continue,
            PropertyKey::String(name) => name.to_std_string_lossy(),
            other => other.to_string(),
        };
        let value = object.get(property, context)?;
        if value.is_undefined() {
            continue;
        }
        // Keys of claims are numbers in CBOR and text in JavaScript.
        let label = match name.parse::<i64>() {
            Ok(number) if number.to_string() == name => Item::Integer(number.into()),
            _ => Item::Text(name),
        };
        pairs.push((label, from_value(&value, depth, context)?));
    }
    Ok(Item::Map(pairs))
}
