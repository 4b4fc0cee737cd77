//! The `event` object of CloudFront Functions (cloudfront-functions.md 2).
//!
//! Its objects are made once, while loading, and are part of the snapshot ([`Form`]); a run fills in the values, straight
//! from the bytes of the frame. The rewind takes them out again.

use super::map::{Fields, Map, put};
use boa_engine::{
    Context, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string,
    object::FunctionObjectBuilder,
    property::{PropertyDescriptor, PropertyKey},
};
use edgehook_contract::{
    HookPoint, standard_phrase,
    viewer::{Runtime, fields},
};
use edgehook_protocol::event::{EventRef, RequestRef, ResponseRef};

/// An event without its values.
pub(super) struct Form {
    /// The argument at viewer-request.
    request_event: JsObject,
    /// The argument at viewer-response.
    response_event: JsObject,
    about: JsObject,
    viewer: JsObject,
    pub(super) request: Part,
    pub(super) response: Part,
    /// Holds what `rawQueryString()` returns; scripts never see it.
    raw_query: JsObject,
    fields: Fields,
}

/// The request or the response.
pub(super) struct Part {
    pub(super) object: JsObject,
    pub(super) headers: Map,
    pub(super) cookies: Map,
    /// The parameters of a request; empty for a response.
    pub(super) query: Map,
}

impl Form {
    /// An event for functions of this runtime version.
    pub(super) fn new(runtime: Runtime, context: &mut Context) -> JsResult<Self> {
        let about = record(&["distributionDomainName", "distributionId", "eventType", "requestId"], context);
        let viewer = record(&["ip"], context);
        let request = Part::new(&["method", "uri"], context)?;
        let response = Part::new(&["statusCode", "statusDescription"], context)?;
        put(&request.object, js_string!("querystring"), request.query.object().clone());
        for part in [&request, &response] {
            put(&part.object, js_string!("headers"), part.headers.object().clone());
            put(&part.object, js_string!("cookies"), part.cookies.object().clone());
        }
        let raw_query = JsObject::with_null_proto();
        if runtime == Runtime::Js2 {
            add_raw_query(&request.object, &raw_query, context);
        }
        let root = |context: &Context| {
            let root = record(&["version"], context);
            put(&root, js_string!("version"), js_string!("1.0"));
            put(&root, js_string!("context"), about.clone());
            put(&root, js_string!("viewer"), viewer.clone());
            put(&root, js_string!("request"), request.object.clone());
            root
        };
        let (request_event, response_event) = (root(context), root(context));
        put(&response_event, js_string!("response"), response.object.clone());
        let fields = Fields::new(context);
        Ok(Self { request_event, response_event, about, viewer, request, response, raw_query, fields })
    }

    /// The argument of `handler` for one run.
    pub(super) fn fill(&mut self, event: &EventRef<'_>, context: &mut Context) -> JsObject {
        put(&self.about, js_string!("distributionDomainName"), text(event.distribution_domain_name));
        put(&self.about, js_string!("distributionId"), text(event.distribution_id));
        put(&self.about, js_string!("eventType"), text(event.hook.as_str()));
        put(&self.about, js_string!("requestId"), text(event.request_id));
        put(&self.viewer, js_string!("ip"), text(event.viewer_ip));
        self.fill_request(&event.request, context);
        match event.response.as_ref().filter(|_| event.hook == HookPoint::ViewerResponse) {
            None => self.request_event.clone(),
            Some(response) => {
                self.fill_response(response, context);
                self.response_event.clone()
            }
        }
    }

    fn fill_request(&mut self, message: &RequestRef<'_>, context: &mut Context) {
        let Part { object, headers, cookies, query } = &mut self.request;
        put(object, js_string!("method"), text(message.method));
        put(object, js_string!("uri"), text(message.uri));
        let raw = message.query.map_or_else(JsValue::undefined, |query| text(query).into());
        put(&self.raw_query, js_string!("value"), raw);
        for (name, value) in fields::query_values(message.query.unwrap_or_default()) {
            query.add(name, value, None, &mut self.fields, context);
        }
        for (name, value) in fields::header_values(message.headers.iter(), false) {
            headers.add(name, &value, None, &mut self.fields, context);
        }
        for (_, line) in message.headers.iter().filter(|(name, _)| *name == "cookie") {
            for (name, value) in fields::cookie_values(&fields::line_text(line)) {
                cookies.add(name, value, None, &mut self.fields, context);
            }
        }
        self.request.finish(context);
    }

    fn fill_response(&mut self, message: &ResponseRef<'_>, context: &mut Context) {
        let Part { object, headers, cookies, .. } = &mut self.response;
        put(object, js_string!("statusCode"), i32::from(message.status));
        let phrase = message.reason.unwrap_or_else(|| standard_phrase(message.status));
        put(object, js_string!("statusDescription"), text(phrase));
        for (name, value) in fields::header_values(message.headers.iter(), true) {
            headers.add(name, &value, None, &mut self.fields, context);
        }
        for (_, line) in message.headers.iter().filter(|(name, _)| *name == "set-cookie") {
            let line = fields::line_text(line);
            let (name, value, attributes) = fields::set_cookie_value(&line);
            cookies.add(name, value, attributes, &mut self.fields, context);
        }
        self.response.finish(context);
    }
}

impl Part {
    fn new(names: &[&str], context: &mut Context) -> JsResult<Self> {
        let (headers, cookies, query) = (Map::new(context)?, Map::new(context)?, Map::new(context)?);
        Ok(Self { object: record(names, context), headers, cookies, query })
    }

    fn finish(&mut self, context: &mut Context) {
        for map in [&mut self.headers, &mut self.cookies, &mut self.query] {
            map.finish(context);
        }
    }
}

/// An object with these properties, which wait for their values.
fn record(names: &[&str], context: &Context) -> JsObject {
    let record = JsObject::with_object_proto(context.intrinsics());
    for name in names {
        put(&record, text(name), js_string!());
    }
    record
}

/// `request.rawQueryString()`: not enumerable, so that it does not show in JSON.
fn add_raw_query(request: &JsObject, raw_query: &JsObject, context: &Context) {
    let function = NativeFunction::from_copy_closure_with_captures(
        |_, _, holder: &JsObject, _| {
            let value = holder.borrow().properties().get(&PropertyKey::String(js_string!("value")));
            Ok(value.as_ref().and_then(PropertyDescriptor::value).cloned().unwrap_or_default())
        },
        raw_query.clone(),
    );
    let function = FunctionObjectBuilder::new(context.realm(), function).name(js_string!("rawQueryString")).build();
    let descriptor = PropertyDescriptor::builder().value(function).writable(true).enumerable(false).configurable(true);
    request.insert_property(PropertyKey::String(js_string!("rawQueryString")), descriptor);
}

fn text(text: &str) -> JsString {
    JsString::from(text)
}
