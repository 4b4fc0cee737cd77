//! The ready-made functions of `edge-functions/`, each through the engine that runs it.
//!
//! A case is `NAME.event.json` with `NAME.expected.json` beside it, as described in `edge-functions/README.md`.

use crate::harness::{binary, has_python};
use edgehook::app::{ENVIRONMENT_ROLE, HOST_ROLE};
use edgehook_contract::viewer::{Event, Judged, OriginChoice, Rules, Runtime, fields};
use edgehook_kvs::{Meta, Snapshot};
use edgehook_lambda::{Concurrency, Engine, Function, FunctionSettings, Identity, Launch, Reach, Request};
use edgehook_viewer::supervisor::{HostSettings, Hosts, Run, RunFailure, StoreId, Surroundings, ViewerFunction};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
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
            let event = Event::from_json(&event.to_string()).unwrap();
            let run = hosts.invoke(id, &event).await.unwrap();
            let actual = applied(&event, &run).unwrap_or_else(|problem| panic!("{name}/{case}: {problem}"));
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
            let invoked = function
                .invoke(Request { event: event.to_string().into_bytes(), id: "0-0".to_owned(), ..Request::default() })
                .await;
            let invoked = invoked.unwrap_or_else(|error| panic!("{name}/{case}: {error}"));
            let actual: Value = serde_json::from_slice(&invoked.result).unwrap();
            assert!(matches(&expected, &actual, |a, b| a == b), "{name}/{case}: {actual:#} is not {expected:#}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} cases ran");
}

fn settings(name: &str, source: &Path, python: bool) -> FunctionSettings {
    let (engine, handler) = if python {
        let program = Path::new(binary()).with_file_name("edgehook-python");
        let variables = vec![("LC_CTYPE".to_owned(), "C.UTF-8".to_owned())];
        (Engine::new(program, vec!["copies".into()], variables), "lambda_handler")
    } else {
        let arguments = vec![ENVIRONMENT_ROLE.into(), "copies".into()];
        (Engine::new(binary().into(), arguments, Vec::new()), "handler")
    };
    FunctionSettings {
        identity: Identity { name: name.to_owned(), version: "1".to_owned(), content: String::new() },
        account_id: "000000000000".to_owned(),
        log_stream: String::new(),
        launch: Launch::Engine(engine),
        root: source.parent().unwrap().to_owned(),
        file: source.to_owned(),
        source: fs::read(source).unwrap(),
        handler: handler.to_owned(),
        full_handler: handler.to_owned(),
        package: None,
        variables: Vec::new(),
        timeout: Duration::from_secs(30),
        memory: 128,
        layers: Vec::new(),
        network: "public".to_owned(),
        reach: Reach::default(),
        compat: "any".to_owned(),
        tmp_quota: 1 << 20,
        reserved_concurrency: None,
        provisioned_concurrency: 0,
        idle_timeout: Duration::from_secs(300),
        max_age: Duration::from_secs(300),
        freeze: true,
        clock: None,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// The result, judged under the strict rules, in the shape of an expected file.
fn applied(event: &Event, run: &Run) -> Result<Value, RunFailure> {
    let judged = run.judged(event, &RULES)?;
    let mut shown = judged.to_json();
    if let Judged::Request { origin: Some(origin), .. } = &judged {
        let OriginChoice::Update(update) = origin.as_ref() else { panic!("no case is about {origin:?}") };
        shown["origin"] = json!({ "domainName": update.domain_name });
    }
    // A phrase that the function did not write is not among what is expected.
    if let (Judged::Response { response, .. }, Some(shown)) = (&judged, shown.get_mut("response")) {
        shown["statusDescription"] = json!(response.reason);
    }
    Ok(shown)
}

/// One form for what means the same: a query as text or object, a body as text or object, absent or null members.
fn normal(value: &Value) -> Value {
    let mut value = value.clone();
    for part in ["request", "response"] {
        let Some(message) = value.get_mut(part).and_then(Value::as_object_mut) else { continue };
        if let Some(query) = message.get("querystring").and_then(Value::as_str) {
            let fields = fields::from_query(query).into_iter().map(|field| {
                let values = field.multi.as_ref().map(|items| items.iter().map(|item| json!({ "value": item.value })));
                let values = values.map(|values| values.collect::<Vec<_>>());
                (field.name, json!({ "value": field.first.value, "multiValue": values }))
            });
            let fields = fields.collect();
            message.insert("querystring".to_owned(), Value::Object(fields));
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

#[test]
fn the_folder_is_a_project_whose_tests_pass() {
    if !has_python() {
        return;
    }
    let output = Command::new(binary()).args(["test", "--json"]).current_dir(folder()).output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert!(report["passed"].as_u64() > Some(150) && report["failed"] == 0, "{report}");
}
