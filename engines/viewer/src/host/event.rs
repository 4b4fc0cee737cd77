//! Builds the `event` object of CloudFront Functions (cloudfront-functions.md 2) from an event of the contract.

use boa_engine::{
    Context, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string,
    object::{FunctionObjectBuilder, builtins::JsArray},
    property::PropertyDescriptor,
};
use edgehook_contract::{
    HookPoint, RequestMessage, ResponseMessage, standard_phrase,
    viewer::{
        Event,
        fields::{self, Field, Item},
    },
};

/// The argument of `handler`.
pub(super) fn build(event: &Event, context: &mut Context) -> JsResult<JsObject> {
    let root = object(context);
    put(&root, js_string!("version"), js_string!("1.0"), context)?;
    let about = object(context);
    put(&about, js_string!("distributionDomainName"), text(&event.context.distribution_domain_name), context)?;
    put(&about, js_string!("distributionId"), text(&event.context.distribution_id), context)?;
    put(&about, js_string!("eventType"), text(event.hook.as_str()), context)?;
    put(&about, js_string!("requestId"), text(&event.context.request_id), context)?;
    put(&root, js_string!("context"), about, context)?;
    let viewer = object(context);
    put(&viewer, js_string!("ip"), text(&event.viewer_ip), context)?;
    put(&root, js_string!("viewer"), viewer, context)?;
    let request = request(&event.request, context)?;
    put(&root, js_string!("request"), request, context)?;
    if let Some(message) = event.response.as_ref().filter(|_| event.hook == HookPoint::ViewerResponse) {
        let response = response(message, context)?;
        put(&root, js_string!("response"), response, context)?;
    }
    Ok(root)
}

fn request(message: &RequestMessage, context: &mut Context) -> JsResult<JsObject> {
    let request = object(context);
    put(&request, js_string!("method"), text(&message.method), context)?;
    put(&request, js_string!("uri"), text(&message.uri), context)?;
    let query = message.query.as_deref().map(fields::from_query).unwrap_or_default();
    let query = field_map(&query, context)?;
    put(&request, js_string!("querystring"), query, context)?;
    let headers = field_map(&fields::from_headers(&message.headers, false), context)?;
    put(&request, js_string!("headers"), headers, context)?;
    let cookies = field_map(&fields::from_cookies(&message.headers), context)?;
    put(&request, js_string!("cookies"), cookies, context)?;
    add_raw_query(&request, message.query.as_deref(), context)?;
    Ok(request)
}

/// `request.rawQueryString()`: not enumerable, so that it does not show in JSON.
fn add_raw_query(request: &JsObject, query: Option<&str>, context: &mut Context) -> JsResult<()> {
    let value = query.map_or_else(JsValue::undefined, |query| text(query).into());
    let function = NativeFunction::from_copy_closure_with_captures(|_, _, value: &JsValue, _| Ok(value.clone()), value);
    let function = FunctionObjectBuilder::new(context.realm(), function).name(js_string!("rawQueryString")).build();
    let descriptor = PropertyDescriptor::builder().value(function).writable(true).enumerable(false).configurable(true);
    request.define_property_or_throw(js_string!("rawQueryString"), descriptor, context)?;
    Ok(())
}

fn response(message: &ResponseMessage, context: &mut Context) -> JsResult<JsObject> {
    let response = object(context);
    put(&response, js_string!("statusCode"), i32::from(message.status), context)?;
    let phrase = message.reason.as_deref().unwrap_or_else(|| standard_phrase(message.status));
    put(&response, js_string!("statusDescription"), text(phrase), context)?;
    let headers = field_map(&fields::from_headers(&message.headers, true), context)?;
    put(&response, js_string!("headers"), headers, context)?;
    let cookies = field_map(&fields::from_set_cookies(&message.headers), context)?;
    put(&response, js_string!("cookies"), cookies, context)?;
    Ok(response)
}

fn field_map(fields: &[Field], context: &mut Context) -> JsResult<JsObject> {
    let map = object(context);
    for field in fields {
        let entry = item(&field.first, context)?;
        if let Some(values) = &field.multi {
            let array = JsArray::new(context)?;
            for value in values {
                let value = item(value, context)?;
                array.push(value, context)?;
            }
            put(&entry, js_string!("multiValue"), array, context)?;
        }
        put(&map, text(&field.name), entry, context)?;
    }
    Ok(map)
}

fn item(item: &Item, context: &mut Context) -> JsResult<JsObject> {
    let object = object(context);
    put(&object, js_string!("value"), text(&item.value), context)?;
    if let Some(attributes) = &item.attributes {
        put(&object, js_string!("attributes"), text(attributes), context)?;
    }
    Ok(object)
}

fn object(context: &mut Context) -> JsObject {
    JsObject::with_object_proto(context.intrinsics())
}

fn text(text: &str) -> JsString {
    JsString::from(text)
}

/// Defines an ordinary property, whatever setters a script may have put on prototypes.
fn put(object: &JsObject, name: JsString, value: impl Into<JsValue>, context: &mut Context) -> JsResult<()> {
    object.create_data_property_or_throw(name, value, context)?;
    Ok(())
}
