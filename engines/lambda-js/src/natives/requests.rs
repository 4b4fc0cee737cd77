//! Requests of functions, for `http`, `https` and `fetch`: from scripts to `network`.

use super::{bytes, callable, event_loop, string, text};
use crate::network::{Incoming, Outgoing};
use boa_engine::{
    Context, JsArgs as _, JsResult, JsValue,
    object::{JsObject, builtins::JsArray},
};

/// `startRequest(method, address, path, fields, view, callback)`: its number.
pub(super) fn start_request(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let [method, address, path] = [0, 1, 2].map(|index| string(arguments, index, context));
    let fields = pairs(arguments.get_or_undefined(3), context)?;
    let body = bytes::taken(arguments, 4, context)?;
    let callback = callable(arguments.get_or_undefined(5))?;
    let request = Outgoing { method: method?, address: address?, path: path?, fields, body };
    Ok(event_loop(context).network().start(request, callback).into())
}

/// The scripts give an array of two-element arrays.
fn pairs(value: &JsValue, context: &mut Context) -> JsResult<Vec<(String, String)>> {
    let list = JsArray::from_object(callable_or_object(value)?)?;
    let mut pairs = Vec::new();
    for index in 0..list.length(context)? {
        let pair = list.at(i64::try_from(index).unwrap_or(i64::MAX), context)?;
        let pair = callable_or_object(&pair)?;
        let mut side = |index: u32| -> JsResult<String> {
            Ok(pair.get(index, context)?.to_string(context)?.to_std_string_lossy())
        };
        pairs.push((side(0)?, side(1)?));
    }
    Ok(pairs)
}

fn callable_or_object(value: &JsValue) -> JsResult<JsObject> {
    value.as_object().ok_or_else(|| boa_engine::JsNativeError::typ().with_message("not an object").into())
}

/// `wantBody(id)`.
pub(super) fn want_body(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let id = arguments.get_or_undefined(0).to_u32(context)?;
    event_loop(context).network().want(id);
    Ok(JsValue::undefined())
}

/// `abandonRequest(id)`.
pub(super) fn abandon_request(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let id = arguments.get_or_undefined(0).to_u32(context)?;
    event_loop(context).network().abandon(id);
    Ok(JsValue::undefined())
}

/// Gives a callback what came of its request.
pub(crate) fn deliver(callback: &JsObject, incoming: Incoming, context: &mut Context) -> JsResult<()> {
    let [kind, first, second] = match incoming {
        Incoming::Head { status, fields } => {
            let fields: Vec<JsValue> = fields
                .iter()
                .map(|(name, value)| JsArray::from_iter([text(name), text(value)], context).into())
                .collect();
            [text("head"), status.into(), JsArray::from_iter(fields, context).into()]
        }
        Incoming::Chunk(chunk) => [text("chunk"), bytes::given(&chunk, context)?, JsValue::undefined()],
        Incoming::End => [text("end"), JsValue::undefined(), JsValue::undefined()],
        Incoming::Failed { code, message } => [text("failed"), text(code), text(&message)],
    };
    callback.call(&JsValue::undefined(), &[kind, first, second], context).map(drop)
}
