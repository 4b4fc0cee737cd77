//! Host objects of CloudFront Functions: the modules `crypto`, `querystring`, `buffer` and `cloudfront`, and the globals that
//! come with a runtime version (cloudfront-functions.md 6).
//!
//! Everything here is native, runs inside the isolate and takes its memory from there; it is made before the snapshot, so a run
//! pays only for what it calls and finds it as it was. One file per module. What a run hands in (its hook) and takes out (the
//! origin that it asked for) goes through [`begin`] and [`directive`].
//!
//! Absent on purpose: loading of the function itself (`program`), checks of values (the contract's).

mod buffer;
mod buffer_numbers;
mod byte_strings;
mod bytes;
mod cbor;
mod cloudfront;
mod crypto;
mod cwt;
mod define;
pub(super) mod kvs;
mod origin;
mod querystring;
mod text;

use boa_engine::{Context, JsNativeError, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string};
use edgehook_contract::{
    HookPoint,
    viewer::{EdgeLocation, OriginDirective, Runtime},
};
use std::collections::BTreeMap;

/// What the host objects of a function depend on.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Which of them there are.
    pub(super) runtime: Runtime,
    /// `cf.edgeLocation`.
    pub(super) edge: Option<EdgeLocation>,
    /// Id of the key value store that the function is associated with.
    pub(super) store: Option<String>,
}

/// What of the host objects belongs to the present run; kept beside the context.
#[derive(Debug, Default)]
struct Run {
    /// `None` while the function is loaded.
    hook: Option<HookPoint>,
    /// The last origin call.
    directive: Option<OriginDirective>,
}

/// Default exports by specifier, kept beside the context.
#[derive(Debug, Default)]
struct Exports(BTreeMap<&'static str, JsObject>);

/// Makes the host objects of a runtime version.
pub(super) fn install(settings: &Settings, context: &mut Context) -> JsResult<()> {
    context.insert_data(Run::default());
    let mut exports = BTreeMap::new();
    match settings.runtime {
        Runtime::Js1 => byte_strings::install(context)?,
        Runtime::Js2 => {
            let buffer = buffer::install(context)?;
            exports.insert("buffer", buffer);
            text::install(context)?;
            exports.insert("cloudfront", cloudfront::module(settings, context)?);
        }
    }
    exports.insert("crypto", crypto::module(settings.runtime, context)?);
    exports.insert("querystring", querystring::module(context)?);
    context.insert_data(Exports(exports));
    context.register_global_callable(js_string!("require"), 1, NativeFunction::from_fn_ptr(require))
}

/// Forgets what the top level did with them: that belongs to loading, not to a run.
pub(super) fn loaded(context: &mut Context) {
    context.insert_data(Run::default());
    kvs::loaded(context);
}

/// Starts a run at `hook`. Everything else is as [`loaded`] left it.
pub(super) fn begin(hook: HookPoint, context: &mut Context) {
    if let Some(run) = context.host_defined_mut().get_mut::<Run>() {
        run.hook = Some(hook);
    }
}

/// The origin that the run asked for.
pub(super) fn directive(context: &mut Context) -> Option<OriginDirective> {
    context.host_defined_mut().get_mut::<Run>().and_then(|run| run.directive.take())
}

/// The default export of a module.
///
/// # Errors
/// There is no such module in this runtime version.
pub(super) fn export(specifier: &str, context: &Context) -> Result<JsObject, String> {
    let exports = context.get_data::<Exports>();
    if let Some(object) = exports.and_then(|exports| exports.0.get(specifier)) {
        return Ok(object.clone());
    }
    let shown: String = specifier.escape_default().take(64).collect();
    let known: Vec<&str> = exports.into_iter().flat_map(|exports| exports.0.keys().copied()).collect();
    Err(format!("there is no module \"{shown}\" here; there are {}", known.join(", ")))
}

fn require(_: &JsValue, arguments: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let Some(specifier) = arguments.first().and_then(JsValue::as_string) else {
        return Err(JsNativeError::typ().with_message("require takes the name of a module").into());
    };
    match export(&specifier.to_std_string_lossy(), context) {
        Ok(object) => Ok(object.into()),
        Err(message) => Err(JsNativeError::error().with_message(message).into()),
    }
}

/// An error object whose `String()` begins with `name`.
fn named_error(name: &str, message: String, context: &mut Context) -> JsResult<JsValue> {
    let error = JsNativeError::error().with_message(message).into_opaque(context);
    error.create_data_property_or_throw(js_string!("name"), JsString::from(name), context)?;
    Ok(error.into())
}

fn type_error(message: impl Into<std::borrow::Cow<'static, str>>) -> boa_engine::JsError {
    JsNativeError::typ().with_message(message).into()
}

#[cfg(test)]
mod tests;
