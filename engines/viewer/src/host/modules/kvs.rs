//! `cf.kvs()`: handles of the function's key value store (cloudfront-functions.md 6.4).
//!
//! A read does not look anything up: it leaves a [`Read`] and a promise behind. Whoever drives the run answers what is waiting
//! through [`answer`], with the store as it is for this run, and goes on with the microtasks. So nothing in the isolate holds
//! on to memory of the store's.

use super::{buffer, define, named_error, type_error};
use boa_engine::{
    Context, Finalize, JsData, JsObject, JsResult, JsString, JsValue, NativeFunction, Trace,
    builtins::promise::ResolvingFunctions, js_string, object::builtins::JsPromise,
};
use edgehook_protocol::viewer::KvsReads;

/// A key value store at one moment.
pub(in crate::host) trait Store {
    /// The value of a key.
    fn get(&self, key: &str) -> Option<&str>;
    /// Number of keys.
    fn count(&self) -> usize;
    /// When it was made, in milliseconds since 1970.
    fn created(&self) -> u64;
    /// When it was last changed, in milliseconds since 1970.
    fn updated(&self) -> u64;
}

/// The id of the function's store, kept beside the context.
#[derive(Debug)]
struct Association(Option<String>);

/// Reads that wait for an answer, kept beside the context.
#[derive(Default)]
struct Waiting {
    reads: Vec<(Read, ResolvingFunctions)>,
    count: KvsReads,
}

enum Read {
    Get(JsString, Format),
    Exists(JsString),
    Meta,
    Count,
}

#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
    Bytes,
}

/// The native part of a handle.
#[derive(Debug, Trace, Finalize, JsData)]
struct Handle;

/// Adds `kvs` to the module `cloudfront`. `store`: the id of the store that the function is associated with.
pub(super) fn install(module: &JsObject, store: Option<&str>, context: &mut Context) -> JsResult<()> {
    context.insert_data(Association(store.map(str::to_ascii_lowercase)));
    context.insert_data(Waiting::default());
    let prototype = define::object(context);
    define::method(&prototype, "get", 1, get, context)?;
    define::method(&prototype, "exists", 1, exists, context)?;
    define::method(&prototype, "meta", 0, meta, context)?;
    define::method(&prototype, "count", 0, count, context)?;
    let native = NativeFunction::from_copy_closure_with_captures(
        |_, arguments, prototype: &JsObject, context| open(arguments, prototype, context),
        prototype,
    );
    define::closure(module, "kvs", 0, native, context)
}

/// Forgets what was read so far.
pub(super) fn loaded(context: &mut Context) {
    context.insert_data(Waiting::default());
}

/// What the reads of this run came to.
pub(in crate::host) fn reads(context: &Context) -> KvsReads {
    context.get_data::<Waiting>().map(|waiting| waiting.count).unwrap_or_default()
}

fn open(arguments: &[JsValue], prototype: &JsObject, context: &mut Context) -> JsResult<JsValue> {
    let own = context.get_data::<Association>().and_then(|association| association.0.clone());
    let Some(own) = own else {
        let message = "no key value store is associated with this function".to_owned();
        return Err(boa_engine::JsError::from_opaque(named_error("KVSNamespaceNotFound", message, context)?));
    };
    if let Some(id) = arguments.first().filter(|value| !value.is_undefined()) {
        let id = id.to_string(context)?.to_std_string_lossy();
        if id.to_ascii_lowercase() != own {
            let shown: String = id.chars().take(64).collect();
            let message = format!("the key value store {shown} is not associated with this function");
            return Err(boa_engine::JsError::from_opaque(named_error("KVSNamespaceNotFound", message, context)?));
        }
    }
    Ok(JsObject::from_proto_and_data(prototype.clone(), Handle).into())
}

/// Leaves a read waiting and returns its promise. What is wrong with the arguments rejects, it does not throw.
fn wait(this: &JsValue, read: Result<Read, &'static str>, context: &mut Context) -> JsResult<JsValue> {
    if !this.as_object().is_some_and(|object| object.is::<Handle>()) {
        return Err(type_error("this is not a key value store"));
    }
    let (promise, resolvers) = JsPromise::new_pending(context);
    let Some(waiting) = context.host_defined_mut().get_mut::<Waiting>() else {
        return Err(type_error("there are no key value stores"));
    };
    waiting.count.requests = waiting.count.requests.saturating_add(1);
    let refused = match read {
        Ok(read) => {
            waiting.reads.push((read, resolvers));
            None
        }
        Err(message) => {
            waiting.count.errors = waiting.count.errors.saturating_add(1);
            Some((resolvers, message))
        }
    };
    if let Some((resolvers, message)) = refused {
        let error = type_error(message).into_opaque(context)?;
        resolvers.reject.call(&JsValue::undefined(), &[error], context)?;
    }
    Ok(promise.into())
}

fn key(arguments: &[JsValue]) -> Result<JsString, &'static str> {
    arguments.first().and_then(JsValue::as_string).ok_or("the key must be a string")
}

fn get(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let format = match arguments.get(1).and_then(JsValue::as_object) {
        None => JsValue::undefined(),
        Some(options) => options.get(js_string!("format"), context)?,
    };
    let named = format.as_string().map(|format| format.to_std_string_lossy());
    let format = match named.as_deref() {
        None if format.is_undefined() => Ok(Format::Text),
        Some("string") => Ok(Format::Text),
        Some("json") => Ok(Format::Json),
        Some("bytes") => Ok(Format::Bytes),
        _ => Err("the format must be \"string\", \"json\" or \"bytes\""),
    };
    let read = key(arguments).and_then(|key| Ok(Read::Get(key, format?)));
    wait(this, read, context)
}

fn exists(this: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    wait(this, key(arguments).map(Read::Exists), context)
}

fn meta(this: &JsValue, _: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    wait(this, Ok(Read::Meta), context)
}

fn count(this: &JsValue, _: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    wait(this, Ok(Read::Count), context)
}

/// Settles the promises of all reads that wait; `false` when there were none. Without a `store` they are rejected.
///
/// # Errors
/// The engine failed; a script cannot make it so.
pub(in crate::host) fn answer(store: Option<&dyn Store>, context: &mut Context) -> JsResult<bool> {
    let Some(waiting) = context.host_defined_mut().get_mut::<Waiting>() else { return Ok(false) };
    let reads = std::mem::take(&mut waiting.reads);
    let any = !reads.is_empty();
    for (read, resolvers) in reads {
        let settled = match store {
            Some(store) => value(&read, store, context),
            None => Err(unavailable(context)?),
        };
        match settled {
            Ok(value) => resolvers.resolve.call(&JsValue::undefined(), &[value], context)?,
            Err(error) => {
                if let Some(waiting) = context.host_defined_mut().get_mut::<Waiting>() {
                    waiting.count.errors = waiting.count.errors.saturating_add(1);
                }
                resolvers.reject.call(&JsValue::undefined(), &[error], context)?
            }
        };
    }
    Ok(any)
}

fn unavailable(context: &mut Context) -> JsResult<JsValue> {
    let message = "key value stores cannot be read while the function is loaded, only in its handler".to_owned();
    named_error("Error", message, context)
}

fn value(read: &Read, store: &dyn Store, context: &mut Context) -> Result<JsValue, JsValue> {
    let found = match read {
        Read::Get(key, format) => {
            // A key with half a character in it is in no store.
            let text = key.to_std_string().ok();
            match text.as_deref().and_then(|text| store.get(text)) {
                Some(found) => formatted(found, *format, context),
                None => {
                    let shown: String = key.to_std_string_lossy().chars().take(64).collect();
                    let error = named_error("KeyNotFound", format!("the store has no key \"{shown}\""), context);
                    return Err(error.unwrap_or_default());
                }
            }
        }
        Read::Exists(key) => Ok(key.to_std_string().is_ok_and(|key| store.get(&key).is_some()).into()),
        Read::Count => Ok(buffer::number(store.count())),
        Read::Meta => about(store, context),
    };
    found.map_err(|error| error.into_opaque(context).unwrap_or_default())
}

fn formatted(text: &str, format: Format, context: &mut Context) -> JsResult<JsValue> {
    match format {
        Format::Text => Ok(JsString::from(text).into()),
        Format::Bytes => buffer::make(text.as_bytes(), context).map(Into::into),
        Format::Json => {
            let parse = context.intrinsics().objects().json().get(js_string!("parse"), context)?;
            let parse = parse.as_callable().ok_or_else(|| type_error("JSON.parse is no function any more"))?;
            parse.call(&JsValue::undefined(), &[JsString::from(text).into()], context)
        }
    }
}

fn about(store: &dyn Store, context: &mut Context) -> JsResult<JsValue> {
    let object = define::object(context);
    for (name, at) in [("creationDateTime", store.created()), ("lastUpdatedDateTime", store.updated())] {
        object.create_data_property_or_throw(JsString::from(name), JsString::from(timestamp(at)), context)?;
    }
    object.create_data_property_or_throw(js_string!("keyCount"), buffer::number(store.count()), context)?;
    Ok(object.into())
}

/// ISO 8601 with milliseconds, in UTC.
fn timestamp(millis: u64) -> String {
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    // Days since 0000-03-01, in cycles of 400 years (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn timestamps() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(timestamp(1_735_689_599_999), "2024-12-31T23:59:59.999Z");
    }
}
