//! `cloudfront`: key value stores, origins, the edge's location, tokens (cloudfront-functions.md 6.4 to 6.6).

use super::{Run, Settings, cwt, define, kvs, origin, type_error};
use boa_engine::{Context, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string};
use edgehook_contract::HookPoint;

/// The module.
pub(super) fn module(settings: &Settings, context: &mut Context) -> JsResult<JsObject> {
    let module = define::object(context);
    kvs::install(&module, settings.store.as_deref(), context)?;
    origin::install(&module, context)?;
    location(&module, settings, context)?;
    let tokens = cwt::module(context)?;
    module.create_data_property_or_throw(js_string!("cwt"), tokens, context)?;
    let tenant = tenant(context)?;
    module.create_data_property_or_throw(js_string!("distributionTenant"), tenant, context)?;
    Ok(module)
}

/// `edgeLocation`: at viewer-request the edge's, elsewhere empty.
fn location(module: &JsObject, settings: &Settings, context: &mut Context) -> JsResult<()> {
    let known = define::object(context);
    if let Some(edge) = &settings.edge {
        for (name, value) in [("name", &edge.name), ("serverIp", &edge.server_ip), ("region", &edge.region)] {
            known.create_data_property_or_throw(JsString::from(name), JsString::from(value.as_str()), context)?;
        }
    }
    let native = NativeFunction::from_copy_closure_with_captures(
        |_, _, known: &JsObject, context: &mut Context| {
            let here = context.get_data::<Run>().is_some_and(|run| run.hook == Some(HookPoint::ViewerRequest));
            Ok(if here { known.clone() } else { define::object(context) }.into())
        },
        known,
    );
    define::getter(module, "edgeLocation", native, context)
}

/// `distributionTenant`, which only multi-tenant distributions have.
fn tenant(context: &mut Context) -> JsResult<JsObject> {
    let tenant = define::object(context);
    for name in ["id", "parameters"] {
        let refuse = NativeFunction::from_fn_ptr(|_: &JsValue, _: &[JsValue], _: &mut Context| {
            Err(type_error("distributionTenant is not available: this is a standard distribution"))
        });
        define::getter(&tenant, name, refuse, context)?;
    }
    Ok(tenant)
}
