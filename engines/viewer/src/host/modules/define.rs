//! Defining native functions on objects, in the way the language defines its own: writable, configurable, not enumerable.

use boa_engine::{
    Context, JsObject, JsResult, JsString, JsValue, NativeFunction,
    object::{FunctionObjectBuilder, builtins::JsFunction},
    property::{PropertyDescriptor, PropertyKey},
};

/// A native function under a name.
pub(super) fn function(name: JsString, length: usize, native: NativeFunction, context: &mut Context) -> JsFunction {
    FunctionObjectBuilder::new(context.realm(), native).name(name).length(length).build()
}

/// Defines `object.name` as the native function.
pub(super) fn method(
    object: &JsObject,
    name: &str,
    length: usize,
    native: fn(&JsValue, &[JsValue], &mut Context) -> JsResult<JsValue>,
    context: &mut Context,
) -> JsResult<()> {
    closure(object, name, length, NativeFunction::from_fn_ptr(native), context)
}

/// Defines `object.name` as a native function that carries something.
pub(super) fn closure(
    object: &JsObject,
    name: &str,
    length: usize,
    native: NativeFunction,
    context: &mut Context,
) -> JsResult<()> {
    let function = function(JsString::from(name), length, native, context);
    hidden(object, JsString::from(name), function, context)
}

/// Defines a property that enumeration does not show.
pub(super) fn hidden(
    object: &JsObject,
    name: impl Into<PropertyKey>,
    value: impl Into<JsValue>,
    context: &mut Context,
) -> JsResult<()> {
    let property = PropertyDescriptor::builder().value(value).writable(true).enumerable(false).configurable(true);
    object.define_property_or_throw(name, property, context)?;
    Ok(())
}

/// Defines an accessor without a setter.
pub(super) fn getter(object: &JsObject, name: &str, native: NativeFunction, context: &mut Context) -> JsResult<()> {
    let function = function(JsString::from(format!("get {name}")), 0, native, context);
    let property = PropertyDescriptor::builder().get(function).enumerable(true).configurable(true);
    object.define_property_or_throw(JsString::from(name), property, context)?;
    Ok(())
}

/// An ordinary object.
pub(super) fn object(context: &mut Context) -> JsObject {
    JsObject::with_object_proto(context.intrinsics())
}
