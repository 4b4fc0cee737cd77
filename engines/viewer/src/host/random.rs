//! `Math.random` from host entropy.
//!
//! The engine's own generator is a thread-local that rewinding would set back, so that every run would draw the same numbers.

use boa_engine::{
    Context, JsNativeError, JsResult, JsValue, NativeFunction, js_string, object::FunctionObjectBuilder,
    property::PropertyDescriptor,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// The generator of the current run, kept beside the context.
struct Generator(StdRng);

/// Replaces `Math.random`. Until a run seeds it, it draws from entropy of the system, which is then part of the snapshot.
pub(super) fn install(context: &mut Context) -> JsResult<()> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).map_err(|_| JsNativeError::error().with_message("no random numbers"))?;
    seed(context, entropy);
    let function = NativeFunction::from_fn_ptr(random);
    let function = FunctionObjectBuilder::new(context.realm(), function).name(js_string!("random")).build();
    let math = context.global_object().get(js_string!("Math"), context)?;
    if let Some(math) = math.as_object() {
        let property =
            PropertyDescriptor::builder().value(function).writable(true).enumerable(false).configurable(true);
        math.define_property_or_throw(js_string!("random"), property, context)?;
    }
    Ok(())
}

/// Starts the numbers of one run.
pub(super) fn seed(context: &mut Context, entropy: [u8; 32]) {
    context.insert_data(Generator(StdRng::from_seed(entropy)));
}

fn random(_: &JsValue, _: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let Some(mut generator) = context.remove_data::<Generator>() else { return Ok(JsValue::from(0.5)) };
    let value: f64 = generator.0.random();
    context.insert_data(*generator);
    Ok(JsValue::from(value))
}
