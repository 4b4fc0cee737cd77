//! The ready-made functions of `edge-functions/`, each through the engine that runs it.
//!
//! A case is `NAME.event.json` with `NAME.expected.json` beside it, as described in `edge-functions/README.md`.

use crate::harness::{binary, has_python};
use edgehook::app::{ENVIRONMENT_ROLE, HOST_ROLE};
use edgehook_contract::{
    Header, HookPoint, RequestMessage, ResponseMessage,
    viewer::{self, Context, Event, OriginChoice, Returned, Rules, Runtime, fields},
};
use edgehook_kvs::{Meta, Snapshot};
use edgehook_lambda::{Concurrency, Function, FunctionSettings};
use edgehook_protocol::viewer::Outcome;
use edgehook_viewer::supervisor::{HostSettings, Hosts, StoreId, Surroundings, ViewerFunction};
use serde_json::{Map, Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const RULES: Rules = Rules { lenient: false, body_limit: 40_960 };

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("edge-functions")
}

/// A case: its name, the event, what is expected.
type Case = (String, Value, Value);

fn cases(function: &Path) -> Vec<Case> {
    let read = |file: &Path| -> Value { serde_json::from_slice(&fs::read(file).unwrap()).unwrap() };
    let mut cases: Vec<Case> = fs::read_dir(function.join("tests"))
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let file = entry.path();
            let name = file.file_name()?.to_str()?.strip_suffix(".event.json")?.to_owned();
            let expected = read(&file.with_file_name(format!("{name}.expected.json")));
            Some((name, read(&file), expected))
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    cases
}

/// The source files of all functions with their cases.
fn functions() -> Vec<(PathBuf, Vec<Case>)> {
    let mut found: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let source = ["js", "py"]
                .map(|kind| entry.path().join(format!("{name}.{kind}")))
                .into_iter()
                .find(|file| file.exists());
            (source.unwrap(), cases(&entry.path()))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn is_lambda(cases: &[Case]) -> bool {
    cases[0].1.get("Records").is_some()
}

/// Whether `actual` is what was expected, or one of `anyOf`.
fn matches(expected: &Value, actual: &Value, same: impl Fn(&Value, &Value) -> bool) -> bool {
    match expected.get("anyOf").and_then(Value::as_array) {
        None => same(expected, actual),
        Some(list) => list.iter().any(|expected| same(expected, actual)),
    }
}

#[test]
fn there_are_enough_of_them_and_each_has_cases() {
    let functions = functions();
    assert!(functions.len() >= 8);
    let python = functions.iter().filter(|(source, _)| source.extension().is_some_and(|kind| kind == "py"));
    assert!(python.count() >= 2);
    for (source, cases) in &functions {
        assert!(cases.len() >= 3, "{}", source.display());
    }
}

#[tokio::test]
async fn viewer_functions() {
    let hosts = Hosts::spawn(HostSettings::new(binary().into(), vec![HOST_ROLE.into()]));
    let mut count = 0;
    for (source, cases) in functions().into_iter().filter(|(_, cases)| !is_lambda(cases)) {
        let name = source.file_stem().unwrap().to_string_lossy().into_owned();
        let function = ViewerFunction {
            name: name.clone(),
            file: format!("{name}.js"),
            source: fs::read(&source).unwrap(),
            budget: Duration::from_millis(50),
            state_memory: ViewerFunction::STATE_MEMORY,
            memory: ViewerFunction::MEMORY,
            store: store(&hosts, source.parent().unwrap()).await,
            surroundings: surroundings(&source),
        };
        assert!(function.source.len() <= 10_240, "{name} is too large for CloudFront");
        let id = hosts.deploy(&function).await.unwrap();
        for (case, event, expected) in cases {
            let event = to_event(&event);
            let run = hosts.invoke(id, &event).await.unwrap();
            let Outcome::Returned(returned) = run.outcome else { panic!("{name}/{case}: {:?}", run.outcome) };
            let actual = applied(&event, &returned).unwrap_or_else(|problem| panic!("{name}/{case}: {problem}"));
            let same = |expected: &Value, actual: &Value| normal(expected) == normal(actual);
            assert!(matches(&expected, &actual, same), "{name}/{case}: {actual:#} is not {expected:#}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} cases ran");
}

/// The store of a function that has a `store.json`, published.
async fn store(hosts: &Hosts, folder: &Path) -> Option<(StoreId, String)> {
    let file = fs::read(folder.join("store.json")).ok()?;
    let file: Value = serde_json::from_slice(&file).unwrap();
    let entries = file["data"].as_array().unwrap().iter();
    let entries: Vec<(&str, &str)> = entries.map(|entry| (text(entry, "key"), text(entry, "value"))).collect();
    let id = hosts.add_store();
    hosts.publish(id, &Snapshot::encode(Meta::default(), entries.into_iter())).await.unwrap();
    Some((id, "0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10".to_owned()))
}

/// The runtime that the comment at a function's top names.
fn surroundings(source: &Path) -> Surroundings {
    let first = fs::read_to_string(source).unwrap().contains("runtime cloudfront-js-1.0");
    Surroundings { runtime: if first { Runtime::Js1 } else { Runtime::Js2 }, ..Surroundings::default() }
}

#[tokio::test]
async fn lambda_functions() {
    let (concurrency, mut count) = (Concurrency::new(10), 0);
    for (source, cases) in functions().into_iter().filter(|(_, cases)| is_lambda(cases)) {
        let python = source.extension().is_some_and(|kind| kind == "py");
        if python && !has_python() {
            continue;
        }
        let name = source.file_stem().unwrap().to_string_lossy().into_owned();
        let function = Function::new(settings(&name, &source, python), &concurrency);
        for (case, event, expected) in cases {
            let invoked = function.invoke(event.to_string().into_bytes(), "0-0".to_owned()).await;
            let invoked = invoked.unwrap_or_else(|error| panic!("{name}/{case}: {error}"));
            let actual: Value = serde_json::from_slice(&invoked.result).unwrap();
            assert!(matches(&expected, &actual, |a, b| a == b), "{name}/{case}: {actual:#} is not {expected:#}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} cases ran");
}

fn settings(name: &str, source: &Path, python: bool) -> FunctionSettings {
    let (program, arguments, variables, handler) = if python {
        let program = Path::new(binary()).with_file_name("edgehook-python");
        (program, Vec::new(), vec![("LC_CTYPE".to_owned(), "C.UTF-8".to_owned())], "lambda_handler")
    } else {
        (binary().into(), vec![ENVIRONMENT_ROLE.into()], Vec::new(), "handler")
    };
    FunctionSettings {
        name: name.to_owned(),
        version: "1".to_owned(),
        account_id: "000000000000".to_owned(),
        log_stream: String::new(),
        program,
        arguments,
        process_variables: variables,
        file: source.to_owned(),
        source: fs::read(source).unwrap(),
        handler: handler.to_owned(),
        variables: Vec::new(),
        timeout: Duration::from_secs(30),
        memory: 128,
        reserved_concurrency: None,
        idle_timeout: Duration::from_secs(300),
    }
}

/// The values of one field object: `multiValue` if there is one, else the value itself.
fn values(field: &Value) -> Vec<&Value> {
    match field.get("multiValue").and_then(Value::as_array) {
        Some(list) => list.iter().collect(),
        None => vec![field],
    }
}

fn pairs(fields: &Value) -> impl Iterator<Item = (&String, &Value)> {
    fields
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(name, field)| values(field).into_iter().map(move |item| (name, item)))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// From the JSON of an event to the messages that an edge would have at hand.
fn to_event(json: &Value) -> Event {
    let request = &json["request"];
    let mut headers: Vec<Header> = lines(&request["headers"]);
    let cookies: Vec<String> =
        pairs(&request["cookies"]).map(|(name, item)| format!("{name}={}", text(item, "value"))).collect();
    if !cookies.is_empty() {
        headers.push(Header::new("cookie", cookies.join("; ")));
    }
    let query: Vec<String> =
        pairs(&request["querystring"]).map(|(name, item)| format!("{name}={}", text(item, "value"))).collect();
    let response = json.get("response").map(|response| {
        let mut headers = lines(&response["headers"]);
        headers.extend(pairs(&response["cookies"]).map(|(name, item)| Header::new("set-cookie", cookie(name, item))));
        let status = u16::try_from(response["statusCode"].as_u64().unwrap()).unwrap();
        ResponseMessage { status, reason: response["statusDescription"].as_str().map(str::to_owned), headers }
    });
    Event {
        hook: if response.is_some() { HookPoint::ViewerResponse } else { HookPoint::ViewerRequest },
        context: Context {
            distribution_domain_name: text(&json["context"], "distributionDomainName").to_owned(),
            distribution_id: text(&json["context"], "distributionId").to_owned(),
            request_id: text(&json["context"], "requestId").to_owned(),
        },
        viewer_ip: text(&json["viewer"], "ip").to_owned(),
        request: RequestMessage {
            method: text(request, "method").to_owned(),
            uri: text(request, "uri").to_owned(),
            query: (!query.is_empty()).then(|| query.join("&")),
            headers,
        },
        response,
    }
}

fn lines(fields: &Value) -> Vec<Header> {
    pairs(fields).map(|(name, item)| Header::new(name.clone(), text(item, "value"))).collect()
}

fn cookie(name: &str, item: &Value) -> String {
    match text(item, "attributes") {
        "" => format!("{name}={}", text(item, "value")),
        attributes => format!("{name}={}; {attributes}", text(item, "value")),
    }
}

/// The result, applied under the strict rules, in the shape of an expected file.
fn applied(event: &Event, returned: &Returned) -> Result<Value, edgehook_contract::Violation> {
    Ok(match returned {
        Returned::Request(returned) => {
            let request = viewer::apply_request(&event.request, returned, &RULES)?;
            let query = fields::from_query(request.query.as_deref().unwrap_or_default());
            let origin = returned.origin.as_ref().map(|origin| origin.checked(&event.request)).transpose()?;
            let domain = match &origin {
                Some(OriginChoice::Update(update)) => json!({ "domainName": update.domain_name }),
                Some(other) => panic!("no case is about {other:?}"),
                None => Value::Null,
            };
            json!({ "origin": domain, "request": {
                "method": request.method,
                "uri": request.uri,
                "querystring": shown(&query),
                "headers": shown(&fields::from_headers(&request.headers, false)),
                "cookies": shown(&fields::from_cookies(&request.headers)),
            } })
        }
        Returned::Response(returned) => {
            let (response, body) = match &event.response {
                None => viewer::apply_generated(returned, &RULES).map(|(response, body)| (response, Some(body)))?,
                Some(given) => viewer::apply_response(given, returned, &RULES)?,
            };
            let body = body.filter(|body| !body.is_empty());
            json!({ "response": {
                "statusCode": response.status,
                "statusDescription": response.reason,
                "headers": shown(&fields::from_headers(&response.headers, true)),
                "cookies": shown(&fields::from_set_cookies(&response.headers)),
                "body": body.map(|body| String::from_utf8(body).unwrap()),
            } })
        }
    })
}

fn shown(list: &[fields::Field]) -> Value {
    let item = |item: &fields::Item| json!({ "value": item.value, "attributes": item.attributes });
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

/// One form for what means the same: a query as text or object, a body as text or object, absent or null members.
fn normal(value: &Value) -> Value {
    let mut value = value.clone();
    for part in ["request", "response"] {
        let Some(message) = value.get_mut(part).and_then(Value::as_object_mut) else { continue };
        if let Some(query) = message.get("querystring").and_then(Value::as_str) {
            let fields = shown(&fields::from_query(query));
            message.insert("querystring".to_owned(), fields);
        }
        if let Some(data) = message.get("body").and_then(|body| body.get("data")).cloned() {
            message.insert("body".to_owned(), data);
        }
    }
    without_nulls(&value)
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null() && value.as_str() != Some(""));
            // Sorted: the order of members says nothing.
            let mut members: Vec<(String, Value)> =
                kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}
