//! Between what tests say and what the edge has: requests out of steps, values out of answers, results compared.

use super::{
    cases::{FunctionCase, RequestStep, Subject, duration},
    engine::{Engine, Entrance, Scene},
    near::Reason,
    script::Asked,
};
use crate::{
    auth::{Tokens, places::Place as TokenPlace},
    gate,
    hooks::Invoked,
    record::{HookEvent, HookResult, fields_json, result_json},
    site::{Behavior, Site},
};
use edgehook_contract::{
    Family, Header, HookPoint, RequestMessage, ResponseMessage, lambda,
    viewer::{self, fields},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

/// Where viewers are unless a test says otherwise (RFC 5737).
const VIEWER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A text with `${name}` replaced by what was saved under the name; an unknown name stays.
pub(crate) fn filled(text: &str, saved: &BTreeMap<String, String>) -> String {
    if !text.contains("${") {
        return text.to_owned();
    }
    saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

fn target(step: &RequestStep) -> String {
    match &step.query {
        Some(query) if !query.is_empty() => format!("{}?{query}", step.uri),
        _ => step.uri.clone(),
    }
}

/// Headers and cookies of a step.
fn header_lines(step: &RequestStep, fill: &dyn Fn(&str) -> String) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| -> Result<(), String> {
        let name = HeaderName::try_from(name).map_err(|_| format!("{name:?} is no header name"))?;
        let value = HeaderValue::from_str(value).map_err(|_| format!("{value:?} is no header value"))?;
        headers.append(name, value);
        Ok(())
    };
    for (name, value) in &step.headers {
        add(name, &fill(value))?;
    }
    if !step.cookies.is_empty() {
        let cookies: Vec<String> = step.cookies.iter().map(|(name, value)| format!("{name}={}", fill(value))).collect();
        add("cookie", &cookies.join("; "))?;
    }
    Ok(headers)
}

/// The request of a step.
///
/// # Errors
/// It cannot be sent, or there is no token to be had for it.
pub(crate) fn entrance(
    engine: &Engine,
    site: &Arc<Site>,
    step: &RequestStep,
    saved: &BTreeMap<String, String>,
    now: u64,
) -> Result<Entrance, String> {
    let fill = |text: &str| filled(text, saved);
    let mut headers = header_lines(step, &fill)?;
    let written = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let host = step.host.as_ref().map(|host| fill(host)).or(written).unwrap_or_else(|| usual_host(engine));
    let mut target = fill(&target(step));
    if let Some(claims) = &step.jwt {
        let path = target.split('?').next().unwrap_or_default();
        let (authorizer, place) = authorizer_of(site, &host, path)?;
        let token = engine.token(&authorizer, &with_times(claims, now), now)?;
        place_token(&place, &token, &mut headers, &mut target)?;
    }
    target.parse::<http::Uri>().map_err(|error| format!("{target:?} cannot be asked for: {error}"))?;
    Ok(Entrance {
        method: Method::from_bytes(step.method.as_bytes()).map_err(|_| format!("{:?} is no method", step.method))?,
        scheme: step.scheme,
        host,
        target,
        headers,
        body: fill(&step.body).into(),
        viewer: step.ip.as_deref().and_then(|ip| ip.parse().ok()).unwrap_or(VIEWER),
        place: step.geo.clone(),
    })
}

/// The canonical host of the configuration.
pub(crate) fn usual_host(engine: &Engine) -> String {
    let host = engine.config().server.hosts.first().map_or("localhost", |host| host.trim_start_matches("*."));
    host.to_owned()
}

fn behavior_of(site: &Arc<Site>, host: &str, path: &str) -> Option<Arc<Behavior>> {
    let host = gate::Host::parse(host)?;
    let found = site.behaviors.iter().find(|behavior| {
        let served = behavior.hosts.is_empty() || behavior.hosts.iter().any(|pattern| pattern.matches(&host));
        served && behavior.path.matches(path)
    });
    found.cloned()
}

fn authorizer_of(site: &Arc<Site>, host: &str, path: &str) -> Result<(String, TokenPlace), String> {
    let behavior = behavior_of(site, host, path).ok_or("jwt: no behavior is for this path")?;
    match &behavior.admission.tokens {
        Some(Tokens::Any(authorizers) | Tokens::All(authorizers)) if !authorizers.is_empty() => {
            let place = authorizers[0].places.first().cloned().unwrap_or(TokenPlace::Bearer);
            Ok((authorizers[0].name.clone(), place))
        }
        _ => Err(format!("jwt: the behavior \"{}\" has no authorizer", behavior.path.as_str())),
    }
}

/// Times such as `"-1m"` in `exp`, `nbf` and `iat`, from now.
fn with_times(claims: &Value, now: u64) -> Value {
    let mut claims = claims.clone();
    for name in ["exp", "nbf", "iat"] {
        let Some(text) = claims.get(name).and_then(Value::as_str) else { continue };
        let (back, length) = match text.strip_prefix('-') {
            Some(length) => (true, length),
            None => (false, text.trim_start_matches('+')),
        };
        let Some(time) = duration(length) else { continue };
        let time = if back { now.saturating_sub(time.as_secs()) } else { now + time.as_secs() };
        claims[name] = json!(time);
    }
    claims
}

fn place_token(place: &TokenPlace, token: &str, headers: &mut HeaderMap, target: &mut String) -> Result<(), String> {
    let value = |text: String| HeaderValue::from_str(&text).map_err(|_| "the token cannot be sent".to_owned());
    match place {
        TokenPlace::Bearer => drop(headers.insert(header::AUTHORIZATION, value(format!("Bearer {token}"))?)),
        TokenPlace::Header(name) => drop(headers.insert(name.clone(), value(token.to_owned())?)),
        TokenPlace::Cookie(name) => drop(headers.append(header::COOKIE, value(format!("{name}={token}"))?)),
        TokenPlace::Query(name) => {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(&format!("{name}={token}"));
        }
    }
    Ok(())
}

/// The event of a test of one function.
///
/// # Errors
/// It cannot be made for this function.
pub(crate) fn event_of(engine: &Engine, case: &FunctionCase) -> Result<HookEvent, String> {
    let step = &case.request;
    let site = engine.site();
    let function = site.functions.get(&case.function);
    let hook = case.hook.unwrap_or_else(|| attached_hook(site, &case.function));
    if !hook.is_request() {
        return Err(format!("a test with `function` has a request only; write an event file for {}", hook.as_str()));
    }
    let mut headers = header_lines(step, &str::to_owned)?;
    let host = step.host.clone().unwrap_or_else(|| usual_host(engine));
    if !headers.contains_key(header::HOST) {
        headers.insert(header::HOST, HeaderValue::from_str(&host).map_err(|_| format!("{host:?} is no host"))?);
    }
    if let Some(place) = &step.geo {
        let country = HeaderValue::from_str(&place.country).map_err(|_| "geo: no country code".to_owned())?;
        headers.insert(HeaderName::from_static("cloudfront-viewer-country"), country);
    }
    let target = target(step);
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target, None),
    };
    let request = RequestMessage {
        method: step.method.clone(),
        uri: path,
        query,
        headers: headers
            .iter()
            .map(|(name, value)| Header { name: name.as_str().to_owned(), value: value.as_bytes().to_vec() })
            .collect(),
    };
    let (viewer_ip, request_id) = (step.ip.clone().unwrap_or_else(|| VIEWER.to_string()), "test".to_owned());
    if function.is_none_or(|function| function.family() == Family::Viewer) {
        let context = viewer::Context { request_id, ..viewer::Context::default() };
        return Ok(HookEvent::Viewer(Box::new(viewer::Event { hook, context, viewer_ip, request, response: None })));
    }
    let body = (!step.body.is_empty()).then(|| lambda::EventBody { data: step.body.clone().into(), truncated: false });
    let origin = (hook == HookPoint::OriginRequest).then(|| attached_origin(site, &case.function)).flatten();
    Ok(HookEvent::Lambda(Box::new(lambda::Event {
        hook,
        context: lambda::Context { request_id, ..lambda::Context::default() },
        client_ip: viewer_ip,
        request,
        body,
        origin,
        response: None,
        lower_case_keys: false,
    })))
}

/// The first hook point at which a behavior has this function.
pub(crate) fn attached_hook(site: &Site, function: &str) -> HookPoint {
    let at = |behavior: &Behavior| {
        let slots = [
            (&behavior.viewer_request, HookPoint::ViewerRequest),
            (&behavior.origin_request, HookPoint::OriginRequest),
            (&behavior.origin_response, HookPoint::OriginResponse),
            (&behavior.viewer_response, HookPoint::ViewerResponse),
        ];
        let mut slots = slots.into_iter();
        slots.find(|(slot, _)| slot.as_ref().is_some_and(|known| known.name == function)).map(|(_, hook)| hook)
    };
    site.behaviors.iter().find_map(|behavior| at(behavior)).unwrap_or(HookPoint::ViewerRequest)
}

fn attached_origin(site: &Site, function: &str) -> Option<lambda::Origin> {
    let has = |behavior: &&Arc<Behavior>| behavior.origin_request.as_ref().is_some_and(|known| known.name == function);
    let behavior = site.behaviors.iter().find(has).or(site.behaviors.first())?;
    Some(behavior.origin.description.clone())
}

/// What a function's result says about a subject.
///
/// # Errors
/// A function alone has no such thing.
pub(crate) fn of_function(subject: &Subject, invoked: &Invoked) -> Result<Option<Value>, String> {
    let result = invoked.messages().result;
    let (headers, status, body, request) = match &result {
        Some(HookResult::Request { message, body, .. }) => (&message.headers[..], None, body, Some(message)),
        Some(HookResult::Response { message, body }) => (&message.headers[..], Some(message.status), body, None),
        None => (&[][..], None, &None, None),
    };
    Ok(match subject {
        Subject::Status => status.map(Value::from),
        Subject::Header(name) => joined(headers.iter().filter(|line| line.name == *name).map(|line| &line.value[..])),
        Subject::Cookie(name) => {
            let cookies =
                if request.is_some() { fields::from_cookies(headers) } else { fields::from_set_cookies(headers) };
            cookies.iter().find(|cookie| cookie.name == *name).map(|cookie| cookie.first.value.clone().into())
        }
        Subject::Body => body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned().into()),
        Subject::Uri => request.map(|message| message.uri.clone().into()),
        Subject::Query => request.and_then(|message| message.query.clone()).map(Value::from),
        Subject::Method => request.map(|message| message.method.clone().into()),
        Subject::Utilization => invoked.record.utilization.map(Value::from),
        Subject::Logs => Some(invoked.record.logs.clone().into()),
        Subject::Error => invoked.record.failure.clone().map(Value::from),
        other => {
            return Err(format!("{other}: a function alone has none; leave `function` out to test the whole edge"));
        }
    })
}

fn joined<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Value> {
    let values: Vec<String> = values.map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    (!values.is_empty()).then(|| values.join(", ").into())
}

fn header_of(headers: &HeaderMap, name: &str) -> Option<Value> {
    joined(headers.get_all(name).iter().map(HeaderValue::as_bytes))
}

/// What an answer says about a subject.
///
/// # Errors
/// There is no such thing.
pub(crate) fn of_scene(subject: &Subject, scene: &Scene, asked: &[Asked]) -> Result<Option<Value>, String> {
    let told = &scene.told;
    Ok(match subject {
        Subject::Status => Some(scene.status.as_u16().into()),
        Subject::Header(name) => header_of(&scene.headers, name),
        Subject::Cookie(name) => set_cookie(&scene.headers, name).map(Value::from),
        Subject::Body => Some(String::from_utf8_lossy(&scene.body).into_owned().into()),
        Subject::Cache => Some(told.outcome.clone().into()),
        Subject::Age => {
            let age = scene.headers.get(header::AGE).and_then(|age| age.to_str().ok()?.parse::<u64>().ok());
            age.map(Value::from)
        }
        Subject::Hooks => Some(told.hooks.iter().map(|hook| Value::from(hook.hook.clone())).collect()),
        Subject::Origin => told.origins.last().map(|origin| origin.origin.clone().into()),
        Subject::OriginCalls => Some(asked.len().into()),
        Subject::OriginRequest(part) => asked.last().and_then(|asked| of_origin_request(part, asked)),
        Subject::Key(part) => {
            let key = told.key.as_deref().unwrap_or_default();
            let found = key.iter().find(|known| known.keyed && known.part.replacen(' ', ".", 1) == *part);
            found.map(|known| known.value.clone().into())
        }
        Subject::Utilization => told.hooks.iter().filter_map(|hook| hook.utilization).max().map(Value::from),
        Subject::Logs => Some(told.hooks.iter().flat_map(|hook| hook.console.clone()).collect::<Vec<String>>().into()),
        Subject::Error => told.failure.clone().map(Value::from),
        Subject::DenyReason => {
            let reason = told.admission.as_ref().and_then(|admission| admission.reason.clone());
            reason.map(|reason| reason.rsplit(": ").next().unwrap_or_default().to_owned().into())
        }
        Subject::Uri | Subject::Query | Subject::Method => {
            return Err(format!("{subject}: say `function` to test one alone, or expect origin_request.{subject}"));
        }
    })
}

fn set_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.map(fields::set_cookie_value);
    cookies.find(|(known, ..)| *known == name).map(|(_, value, _)| value.to_owned())
}

fn of_origin_request(part: &str, asked: &Asked) -> Option<Value> {
    let (path, query) = match asked.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (asked.target.as_str(), None),
    };
    match part {
        "method" => Some(asked.method.clone().into()),
        "uri" => Some(path.into()),
        "query" => query.map(Value::from),
        "origin" => Some(asked.origin.clone().into()),
        "body" => Some(String::from_utf8_lossy(&asked.body).into_owned().into()),
        _ => header_of(&asked.headers, part.strip_prefix("headers.")?),
    }
}

/// What a step saves.
pub(crate) fn saved(what: &str, scene: &Scene) -> Option<String> {
    match what.split_once(':') {
        Some(("cookie", name)) => set_cookie(&scene.headers, name),
        Some(("header", name)) => scene.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned),
        _ => Some(String::from_utf8_lossy(&scene.body).into_owned()),
    }
}

/// A value as it is written in TOML.
pub(crate) fn toml_literal(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml_literal).collect::<Vec<_>>().join(", ")),
        // JSON's escapes are TOML's.
        other => other.to_string(),
    }
}

/// What a function made of an event: the result in the shape of the event, or for Lambda functions what it returned.
pub(crate) fn result_of(event: &HookEvent, invoked: &Invoked) -> Value {
    let messages = invoked.messages();
    if let Some(returned) = messages.returned {
        return serde_json::from_slice(&returned).unwrap_or_default();
    }
    messages.result.map(|result| result_json(event, &result)).unwrap_or_default()
}

/// Whether a result is what was expected, or one of `anyOf`. Members without a value do not count.
pub(crate) fn same_result(expected: &Value, actual: &Value) -> bool {
    match expected.get("anyOf").and_then(Value::as_array) {
        Some(list) => list.iter().any(|expected| same_result(expected, actual)),
        None => {
            let (expected, actual) = (tidy(expected), tidy(actual));
            expected == actual || {
                // cftest and AWS's own examples write the message alone.
                let inner = ["request", "response"].iter().find_map(|name| actual.get(*name));
                inner.is_some_and(|inner| *inner == expected)
            }
        }
    }
}

/// One form for what means the same: a query as text or object, a body as text or object, members in order, none without value.
pub(crate) fn tidy(value: &Value) -> Value {
    let mut value = value.clone();
    even_out(&mut value);
    for part in ["request", "response"] {
        if let Some(message) = value.get_mut(part) {
            even_out(message);
        }
    }
    sorted(&value)
}

fn even_out(message: &mut Value) {
    let Some(message) = message.as_object_mut() else { return };
    // Lambda events have a query in text for good; a viewer function's has an object.
    let is_viewer =
        message.get("headers").and_then(Value::as_object).is_some_and(|headers| headers.values().all(Value::is_object));
    if let Some(query) = message.get("querystring").and_then(Value::as_str).filter(|_| is_viewer) {
        let fields = fields_json(&fields::from_query(query));
        message.insert("querystring".to_owned(), fields);
    }
    if let Some(data) = message.get("body").and_then(|body| body.get("data")).filter(|_| is_viewer).cloned() {
        message.insert("body".to_owned(), data);
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut members: Vec<(String, Value)> = map
                .iter()
                .map(|(name, value)| (name.clone(), sorted(value)))
                .filter(|(_, value)| says(value))
                .collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Whether a member says more than if it were not there.
fn says(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    }
}

/// Where two results differ, in at most ten lines.
pub(crate) fn differences(expected: &Value, actual: &Value) -> Vec<Reason> {
    let expected = match expected.get("anyOf").and_then(Value::as_array).and_then(|list| list.first()) {
        Some(first) => first,
        None => expected,
    };
    let (mut found, expected, actual) = (Vec::new(), tidy(expected), tidy(actual));
    differ("", &expected, &actual, &mut found);
    found.truncate(10);
    found
}

fn differ(path: &str, expected: &Value, actual: &Value, found: &mut Vec<Reason>) {
    let mut add = |sign: &str, value: &Value| {
        found.push(Reason { label: sign.to_owned(), text: format!("{path}: {value}") });
    };
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            let names = expected.keys().chain(actual.keys().filter(|name| !expected.contains_key(*name)));
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let null = Value::Null;
                differ(&path, expected.get(name).unwrap_or(&null), actual.get(name).unwrap_or(&null), found);
            }
        }
        (expected, actual) if expected == actual => {}
        (expected, Value::Null) => add("missing", expected),
        (Value::Null, actual) => add("not expected", actual),
        (expected, actual) => {
            add("expected", expected);
            add("got", actual);
        }
    }
}

/// Whether a cftest file's error is this one: the text that the function threw; of an error of the engine's own making the type.
pub(crate) fn same_error(expected: &str, actual: &str, exact: bool) -> bool {
    if actual.contains(expected) || exact {
        return actual.contains(expected);
    }
    let kind = |text: &str| {
        let text = text.trim_start_matches("Error: ");
        text.split(':').next().map(str::trim).filter(|kind| kind.ends_with("Error")).map(str::to_owned)
    };
    matches!((kind(expected), kind(actual)), (Some(expected), Some(actual)) if expected == actual && expected != "Error")
}

/// An event for a function without one: `GET /`, or at the response hooks an answer to it.
pub(crate) fn sample_event(engine: &Engine, function: &str, hook: HookPoint) -> HookEvent {
    let site = engine.site();
    let host = usual_host(engine);
    let request = RequestMessage {
        method: "GET".to_owned(),
        uri: "/".to_owned(),
        query: None,
        headers: vec![Header::new("host", host), Header::new("user-agent", "edgehook")],
    };
    let response = (!hook.is_request()).then(|| ResponseMessage {
        status: 200,
        reason: None,
        headers: vec![Header::new("content-type", "text/html")],
    });
    let (viewer_ip, request_id) = (VIEWER.to_string(), "sample".to_owned());
    if site.functions.get(function).is_none_or(|function| function.family() == Family::Viewer) {
        let context = viewer::Context { request_id, ..viewer::Context::default() };
        return HookEvent::Viewer(Box::new(viewer::Event { hook, context, viewer_ip, request, response }));
    }
    let at_origin = matches!(hook, HookPoint::OriginRequest | HookPoint::OriginResponse);
    HookEvent::Lambda(Box::new(lambda::Event {
        hook,
        context: lambda::Context { request_id, ..lambda::Context::default() },
        client_ip: viewer_ip,
        request,
        body: None,
        origin: at_origin.then(|| attached_origin(site, function)).flatten(),
        response,
        lower_case_keys: false,
    }))
}

/// The same event at another hook point.
///
/// # Errors
/// The event has not what is there.
pub(crate) fn at_hook(event: &mut HookEvent, wanted: HookPoint) -> Result<(), String> {
    let (hook, response) = match event {
        HookEvent::Viewer(event) if wanted.is_viewer() => (&mut event.hook, &mut event.response),
        HookEvent::Viewer(_) => return Err(format!("CloudFront Functions do not run at {}", wanted.as_str())),
        HookEvent::Lambda(event) => (&mut event.hook, &mut event.response),
    };
    if !wanted.is_request() && response.is_none() {
        return Err(format!("the event has no response, as there is one at {}", wanted.as_str()));
    }
    if wanted.is_request() {
        *response = None;
    }
    *hook = wanted;
    Ok(())
}
