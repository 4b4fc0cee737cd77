//! Events and results as JSON, in the shapes of Amazon's `TestFunction` (cloudfront-functions.md 10): for test events and for
//! showing what a function did. Runs never meet JSON.

use super::{
    Context, Event, Judged,
    fields::{self, Field, Item},
};
use crate::{Header, HookPoint, RequestMessage, ResponseMessage, standard_phrase};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use std::fmt;

/// Why a JSON text is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError {
    /// The place: `request.uri`, or nothing where the text is no JSON.
    pub place: String,
    /// What is wrong there, or where in the text.
    pub problem: String,
}

impl fmt::Display for EventError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            write!(formatter, "{}", self.problem)
        } else {
            write!(formatter, "{} {}", self.place, self.problem)
        }
    }
}

impl std::error::Error for EventError {}

fn wrong<T>(place: impl Into<String>, problem: impl Into<String>) -> Result<T, EventError> {
    Err(EventError { place: place.into(), problem: problem.into() })
}

impl Event {
    /// Reads a test event. Missing `headers`, `querystring` and `cookies` are empty, as is what a test does not know of
    /// `context` and `viewer`; `querystring` may be a string. The hook is that of `context.eventType`, or else it is told by `response`.
    ///
    /// # Errors
    /// The first place that is no part of an event.
    pub fn from_json(text: &str) -> Result<Self, EventError> {
        let root: Value = match serde_json::from_str(text) {
            Ok(root) => root,
            Err(error) => return wrong("", format!("not JSON: {error}")),
        };
        let root = object(&root, "the event")?;
        if root.get("version").is_some_and(|version| version != "1.0") {
            return wrong("version", "must be \"1.0\"");
        }
        let empty = Value::Object(Map::new());
        let context = object(root.get("context").unwrap_or(&empty), "context")?;
        let viewer = object(root.get("viewer").unwrap_or(&empty), "viewer")?;
        let response = root.get("response").map(response).transpose()?;
        let hook = match (string(context, "context", "eventType")?.as_deref(), &response) {
            (Some("viewer-request") | None, None) => HookPoint::ViewerRequest,
            (Some("viewer-response") | None, Some(_)) => HookPoint::ViewerResponse,
            (Some("viewer-request"), Some(_)) => return wrong("response", "has no place in a viewer-request event"),
            (Some("viewer-response"), None) => return wrong("response", "is missing from a viewer-response event"),
            (Some(_), _) => return wrong("context.eventType", "must be \"viewer-request\" or \"viewer-response\""),
        };
        let Some(given) = root.get("request") else { return wrong("request", "is missing") };
        let about = |name| Ok(string(context, "context", name)?.unwrap_or_default());
        Ok(Self {
            hook,
            context: Context {
                distribution_domain_name: about("distributionDomainName")?,
                distribution_id: about("distributionId")?,
                request_id: about("requestId")?,
            },
            viewer_ip: string(viewer, "viewer", "ip")?.unwrap_or_default(),
            request: request(given)?,
            response,
        })
    }
}

fn object<'a>(value: &'a Value, place: &str) -> Result<&'a Map<String, Value>, EventError> {
    value.as_object().map_or_else(|| wrong(place, "must be an object"), Ok)
}

fn string(map: &Map<String, Value>, place: &str, name: &str) -> Result<Option<String>, EventError> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => wrong(format!("{place}.{name}"), "must be a string"),
    }
}

fn request(value: &Value) -> Result<RequestMessage, EventError> {
    let map = object(value, "request")?;
    let Some(method) = string(map, "request", "method")? else { return wrong("request.method", "is missing") };
    let Some(uri) = string(map, "request", "uri")?.filter(|uri| uri.starts_with('/')) else {
        return wrong("request.uri", "must be a path that begins with \"/\"");
    };
    let query = match map.get("querystring") {
        Some(Value::String(text)) => text.clone(),
        _ => {
            let fields = members(map, "request", "querystring")?;
            let pair = |(name, item): (String, Item)| format!("{name}={}", item.value);
            fields.into_iter().map(pair).collect::<Vec<_>>().join("&")
        }
    };
    let mut headers = lines(map, "request")?;
    let pair = |(name, item): (String, Item)| format!("{name}={}", item.value);
    let cookies: Vec<String> = members(map, "request", "cookies")?.into_iter().map(pair).collect();
    if !cookies.is_empty() {
        headers.push(Header::new("cookie", cookies.join("; ")));
    }
    Ok(RequestMessage { method, uri, query: (!query.is_empty()).then_some(query), headers })
}

fn response(value: &Value) -> Result<ResponseMessage, EventError> {
    let map = object(value, "response")?;
    let status = map.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let Some(status) = status.filter(|status| (100..600).contains(status)) else {
        return wrong("response.statusCode", "must be an integer 100 to 599");
    };
    let mut headers = lines(map, "response")?;
    for (name, item) in members(map, "response", "cookies")? {
        let attributes = item.attributes.filter(|attributes| !attributes.is_empty());
        let attributes = attributes.map(|attributes| format!("; {attributes}")).unwrap_or_default();
        headers.push(Header::new("set-cookie", format!("{name}={}{attributes}", item.value)));
    }
    Ok(ResponseMessage { status, reason: string(map, "response", "statusDescription")?, headers })
}

fn lines(map: &Map<String, Value>, place: &str) -> Result<Vec<Header>, EventError> {
    Ok(members(map, place, "headers")?.into_iter().map(|(name, item)| Header::new(name, item.value)).collect())
}

/// The values of one of the maps, in order.
fn members(map: &Map<String, Value>, place: &str, name: &str) -> Result<Vec<(String, Item)>, EventError> {
    let place = format!("{place}.{name}");
    let mut members = Vec::new();
    let Some(fields) = map.get(name).filter(|fields| !fields.is_null()) else { return Ok(members) };
    for (name, field) in object(fields, &place)? {
        let place = format!("{place}[{name:?}]");
        match field.get("multiValue") {
            None => members.push((name.clone(), item(field, &place)?)),
            Some(list) => {
                let Some(list) = list.as_array() else {
                    return wrong(format!("{place}.multiValue"), "must be an array");
                };
                for (index, value) in list.iter().enumerate() {
                    members.push((name.clone(), item(value, &format!("{place}.multiValue[{index}]"))?));
                }
            }
        }
    }
    Ok(members)
}

fn item(value: &Value, place: &str) -> Result<Item, EventError> {
    let map = object(value, place)?;
    let Some(value) = string(map, place, "value")? else {
        return wrong(place, "must be an object with a string \"value\"");
    };
    Ok(Item { value, attributes: string(map, place, "attributes")? })
}

impl Judged {
    /// `{"request": ...}` or `{"response": ...}`: what `FunctionOutput` holds as a text.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Request { request, .. } => json!({ "request": {
                "method": request.method,
                "uri": request.uri,
                "querystring": field_map(&fields::from_query(request.query.as_deref().unwrap_or_default())),
                "headers": field_map(&fields::from_headers(&request.headers, false)),
                "cookies": field_map(&fields::from_cookies(&request.headers)),
            } }),
            Self::Response { response, body } => {
                let phrase = response.reason.as_deref().unwrap_or_else(|| standard_phrase(response.status));
                let mut shown = json!({
                    "statusCode": response.status,
                    "statusDescription": phrase,
                    "headers": field_map(&fields::from_headers(&response.headers, true)),
                    "cookies": field_map(&fields::from_set_cookies(&response.headers)),
                });
                if let Some(bytes) = body.as_deref().filter(|body| !body.is_empty()) {
                    shown["body"] = match std::str::from_utf8(bytes) {
                        Ok(text) => json!({ "encoding": "text", "data": text }),
                        Err(_) => json!({ "encoding": "base64", "data": STANDARD.encode(bytes) }),
                    };
                }
                json!({ "response": shown })
            }
        }
    }
}

fn field_map(list: &[Field]) -> Value {
    let shown = |item: &Item| {
        let mut shown = json!({ "value": item.value });
        if let Some(attributes) = &item.attributes {
            shown["attributes"] = json!(attributes);
        }
        shown
    };
    let mut map = Map::new();
    for field in list {
        let mut entry = shown(&field.first);
        if let Some(multi) = &field.multi {
            entry["multiValue"] = multi.iter().map(shown).collect();
        }
        map.insert(field.name.clone(), entry);
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{
        "version": "1.0",
        "context": { "eventType": "viewer-response", "requestId": "id" },
        "viewer": { "ip": "192.0.2.7" },
        "request": { "method": "GET", "uri": "/a", "querystring": { "q": { "value": "1", "multiValue": [{ "value": "1" }, { "value": "2" }] } },
            "headers": { "Host": { "value": "h" } }, "cookies": { "s": { "value": "1" }, "t": { "value": "2" } } },
        "response": { "statusCode": 201, "statusDescription": "Made", "headers": {},
            "cookies": { "id": { "value": "1", "attributes": "Secure" } } } }"#;

    #[test]
    fn a_full_event_is_read() {
        let event = Event::from_json(FULL).unwrap();
        assert_eq!((event.hook, event.viewer_ip.as_str()), (HookPoint::ViewerResponse, "192.0.2.7"));
        assert_eq!(event.context.request_id, "id");
        assert_eq!(event.request.query.as_deref(), Some("q=1&q=2"));
        assert_eq!(event.request.headers, [Header::new("host", "h"), Header::new("cookie", "s=1; t=2")]);
        let response = event.response.unwrap();
        assert_eq!((response.status, response.reason.as_deref()), (201, Some("Made")));
        assert_eq!(response.headers, [Header::new("set-cookie", "id=1; Secure")]);
    }

    #[test]
    fn little_is_needed() {
        let event = Event::from_json(r#"{"request":{"method":"GET","uri":"/","querystring":"a=1&b"}}"#).unwrap();
        assert_eq!((event.hook, event.request.query.as_deref()), (HookPoint::ViewerRequest, Some("a=1&b")));
    }

    #[test]
    fn what_is_no_event_is_named() {
        for (text, place) in [
            ("{", ""),
            ("7", "the event"),
            ("{}", "request"),
            (r#"{"version":"2.0"}"#, "version"),
            (r#"{"request":{"uri":"/"}}"#, "request.method"),
            (r#"{"request":{"method":"GET"}}"#, "request.uri"),
            (r#"{"request":{"method":"GET","uri":"a"}}"#, "request.uri"),
            (r#"{"request":{"method":7,"uri":"/"}}"#, "request.method"),
            (r#"{"request":{"method":"GET","uri":"/","headers":[]}}"#, "request.headers"),
            (r#"{"request":{"method":"GET","uri":"/","headers":{"a":"1"}}}"#, r#"request.headers["a"]"#),
            (
                r#"{"request":{"method":"GET","uri":"/","cookies":{"a":{"multiValue":[{"value":1}]}}}}"#,
                r#"request.cookies["a"].multiValue[0].value"#,
            ),
            (r#"{"context":{"eventType":"origin-request"},"request":{}}"#, "context.eventType"),
            (r#"{"context":{"eventType":"viewer-response"},"request":{}}"#, "response"),
            (r#"{"context":{"eventType":"viewer-request"},"response":{"statusCode":200}}"#, "response"),
            (r#"{"response":{"statusCode":"200"}}"#, "response.statusCode"),
        ] {
            assert_eq!(Event::from_json(text).unwrap_err().place, place, "{text}");
        }
    }

    #[test]
    fn results_are_shown_as_amazon_shows_them() {
        let headers = vec![Header::new("host", "h"), Header::new("x-t", "1"), Header::new("x-t", "2")];
        let request = RequestMessage { method: "GET".to_owned(), uri: "/b".to_owned(), query: None, headers };
        let shown = Judged::Request { request, origin: None }.to_json();
        let expected = json!({ "request": { "method": "GET", "uri": "/b", "querystring": {}, "cookies": {}, "headers": {
            "host": { "value": "h" }, "x-t": { "value": "1", "multiValue": [{ "value": "1" }, { "value": "2" }] } } } });
        assert_eq!(shown, expected);
        let headers = vec![Header::new("set-cookie", "id=1; Secure"), Header::new("location", "/x")];
        let response = ResponseMessage { status: 302, reason: None, headers };
        let shown = Judged::Response { response, body: Some(b"\xff".to_vec()) }.to_json();
        let expected = json!({ "response": { "statusCode": 302, "statusDescription": "Found",
            "headers": { "location": { "value": "/x" } }, "cookies": { "id": { "value": "1", "attributes": "Secure" } },
            "body": { "encoding": "base64", "data": "/w==" } } });
        assert_eq!(shown, expected);
    }
}
