//! Events and results of functions as JSON, in the shapes that the two families document: what records show, what `invoke` and
//! test cases read and write.
//!
//! For viewer functions this is the other way round of what isolate hosts build from the wire form (cloudfront-functions.md 2);
//! for Lambda functions the contract writes the event, and `read` takes it apart again.

mod read;

pub use read::read_event;

use super::trace::{HookEvent, HookResult};
use edgehook_contract::{
    RequestMessage, ResponseMessage, lambda,
    viewer::{OriginChoice, fields},
};
use serde_json::{Map, Value, json};

/// The event as JSON.
#[must_use]
pub fn event_json(event: &HookEvent) -> Value {
    match event {
        HookEvent::Viewer(event) => {
            let mut shown = json!({
                "version": "1.0",
                "context": {
                    "distributionDomainName": event.context.distribution_domain_name,
                    "distributionId": event.context.distribution_id,
                    "eventType": event.hook.as_str(),
                    "requestId": event.context.request_id,
                },
                "viewer": { "ip": event.viewer_ip },
                "request": viewer_request(&event.request),
            });
            if let Some(response) = &event.response {
                shown["response"] = viewer_response(response, None);
            }
            shown
        }
        // The contract writes JSON.
        HookEvent::Lambda(event) => serde_json::from_slice(&event.to_json()).unwrap_or_default(),
    }
}

/// What a run came to, as `{"request": …}` or `{"response": …}` in the shape of its event.
#[must_use]
pub fn result_json(event: &HookEvent, result: &HookResult) -> Value {
    match (event, result) {
        (HookEvent::Viewer(_), HookResult::Request { message, choice, .. }) => {
            let mut result = json!({ "request": viewer_request(message) });
            if let Some(choice) = choice {
                result["origin"] = chosen(choice);
            }
            result
        }
        (HookEvent::Viewer(_), HookResult::Response { message, body }) => {
            json!({ "response": viewer_response(message, body.as_deref()) })
        }
        (HookEvent::Lambda(event), HookResult::Request { message, origin, body, .. }) => {
            let after = lambda::Event {
                request: message.clone(),
                origin: origin.clone().or_else(|| event.origin.clone()),
                response: None,
                body: None,
                ..(**event).clone()
            };
            let mut request = cf(&after)["request"].take();
            if let Some(body) = body {
                request["body"] = json!({ "action": "replace", "data": text_or_base64(body) });
            }
            json!({ "request": request })
        }
        (HookEvent::Lambda(event), HookResult::Response { message, body }) => {
            let after = lambda::Event { response: Some(message.clone()), body: None, ..(**event).clone() };
            let mut response = cf(&after)["response"].take();
            if let Some(body) = body {
                response["body"] = text_or_base64(body);
            }
            json!({ "response": response })
        }
    }
}

/// The origin that a viewer function chose.
fn chosen(choice: &OriginChoice) -> Value {
    match choice {
        OriginChoice::Update(update) => match &update.domain_name {
            Some(name) => json!({ "domainName": name }),
            None => json!({}),
        },
        OriginChoice::Select(member) => json!({ "originId": member.id }),
        OriginChoice::Group { primary, secondary, .. } => json!({ "originIds": [primary.id, secondary.id] }),
    }
}

fn cf(event: &lambda::Event) -> Value {
    let mut event: Value = serde_json::from_slice(&event.to_json()).unwrap_or_default();
    event["Records"][0]["cf"].take()
}

/// Text as it is, anything else in base64.
pub(crate) fn text_or_base64(bytes: &[u8]) -> Value {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => BASE64_STANDARD.encode(bytes).into(),
    }
}

/// `event.request` of a viewer function.
#[must_use]
pub fn viewer_request(message: &RequestMessage) -> Value {
    json!({
        "method": message.method,
        "uri": message.uri,
        "querystring": fields_json(&fields::from_query(message.query.as_deref().unwrap_or_default())),
        "headers": fields_json(&fields::from_headers(&message.headers, false)),
        "cookies": fields_json(&fields::from_cookies(&message.headers)),
    })
}

/// `event.response` of a viewer function.
#[must_use]
pub fn viewer_response(message: &ResponseMessage, body: Option<&[u8]>) -> Value {
    let mut response = json!({
        "statusCode": message.status,
        "headers": fields_json(&fields::from_headers(&message.headers, true)),
        "cookies": fields_json(&fields::from_set_cookies(&message.headers)),
    });
    if let Some(reason) = &message.reason {
        response["statusDescription"] = json!(reason);
    }
    if let Some(body) = body.filter(|body| !body.is_empty()) {
        response["body"] = text_or_base64(body);
    }
    response
}

/// Fields as an object of `{value, multiValue?, attributes?}`.
pub(crate) fn fields_json(list: &[fields::Field]) -> Value {
    let item = |item: &fields::Item| match &item.attributes {
        None => json!({ "value": item.value }),
        Some(attributes) => json!({ "value": item.value, "attributes": attributes }),
    };
    let mut map = Map::new();
    for field in list {
        let mut shown = item(&field.first);
        if let Some(multi) = &field.multi {
            shown["multiValue"] = multi.iter().map(item).collect();
        }
        map.insert(field.name.clone(), shown);
    }
    Value::Object(map)
}
