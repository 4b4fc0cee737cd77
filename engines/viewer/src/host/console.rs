//! `console`: what a function logs, bounded per run (cloudfront-functions.md 5.3 and 8).

use boa_engine::{
    Context, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string, object::ObjectInitializer,
    property::Attribute,
};

use super::guest::LOG;
use edgehook_protocol::wire::Wire as _;

/// Most log text of one run, in bytes.
const LIMIT: usize = 10_240;

/// Whether plain objects print as JSON (`validation = "lenient"`), kept beside the context, with the engine's own `JSON.stringify`.
struct Lenient(Option<JsObject>);

/// How much the current run has logged, kept beside the context. The lines themselves go out of the isolate at once, so that a run
/// which is stopped has not spoken in vain.
#[derive(Debug, Default)]
struct Log {
    bytes: usize,
}

/// Adds the global `console` with the one documented method and its aliases.
pub(super) fn install(lenient: bool, context: &mut Context) -> JsResult<()> {
    context.insert_data(Log::default());
    let stringify = context.intrinsics().objects().json().get(js_string!("stringify"), context)?;
    context.insert_data(Lenient(stringify.as_object().filter(|_| lenient)));
    let mut object = ObjectInitializer::new(context);
    for name in ["log", "info", "warn", "error", "debug"] {
        object.function(NativeFunction::from_fn_ptr(log), JsString::from(name), 1);
    }
    let console = object.build();
    context.register_global_property(js_string!("console"), console, Attribute::WRITABLE | Attribute::CONFIGURABLE)
}

/// Forgets how much was logged so far.
pub(super) fn reset(context: &mut Context) {
    context.insert_data(Log::default());
}

/// The JSON of a plain object or an array, where the function is treated leniently.
fn as_json(value: &JsValue, context: &mut Context) -> JsResult<Option<JsString>> {
    let stringify = context.get_data::<Lenient>().and_then(|lenient| lenient.0.clone());
    let (Some(stringify), Some(object)) = (stringify, value.as_object()) else { return Ok(None) };
    let ordinary = context.intrinsics().constructors().object().prototype();
    let plain = object.is_array() || object.prototype().is_none_or(|parent| JsObject::equals(&parent, &ordinary));
    if !plain {
        return Ok(None);
    }
    Ok(stringify.call(&JsValue::undefined(), std::slice::from_ref(value), context)?.as_string())
}

fn log(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let mut line = String::new();
    for (index, value) in arguments.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        // A symbol has no string form of its own; everything else prints as `String()` would.
        let text = match (value.as_symbol(), as_json(value, context)?) {
            (Some(symbol), _) => symbol.descriptive_string(),
            (None, Some(json)) => json,
            (None, None) => value.to_string(context)?,
        };
        line.push_str(&text.to_std_string_lossy());
    }
    let mut log = context.remove_data::<Log>().unwrap_or_default();
    let room = LIMIT - log.bytes;
    line.truncate(line.floor_char_boundary(room));
    // An empty line counts too, or there could be any number of them; a cut one ends the log.
    log.bytes = if line.len() < room { log.bytes + line.len().max(1) } else { LIMIT };
    context.insert_data(*log);
    if room > 0 {
        let mut record = vec![LOG];
        line.put(&mut record);
        // The output has room for many times the limit.
        let _ = edgehook_isolate::tell(&record);
    }
    Ok(JsValue::undefined())
}
