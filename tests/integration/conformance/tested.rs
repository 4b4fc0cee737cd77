//! Vectors on `TestFunction`: what is known of one run of a function on a test event.
//!
//! Row 119, the size of a source, is the lint's (`check.rs`), as CloudFront's own API is not there; the figure of row 120 is that of a
//! unit test beside `Run::utilization`.

use crate::harness::binary;
use edgehook::app::HOST_ROLE;
use edgehook_contract::viewer::{Event, Rules};
use edgehook_viewer::supervisor::{HostSettings, Hosts, Run, Surroundings, ViewerFunction};
use std::time::Duration;

const RULES: Rules = Rules { lenient: false, body_limit: 40_960 };
const BUDGET: Duration = Duration::from_millis(50);

const EVENT: &str = r#"{"version":"1.0","context":{"eventType":"viewer-request"},"viewer":{"ip":"192.0.2.7"},
    "request":{"method":"GET","uri":"/a","headers":{"host":{"value":"www.example.com"}}}}"#;

/// The run, and what it comes to: `FunctionOutput` or `FunctionErrorMessage`.
async fn tested(body: &str, event: &str) -> (Run, Result<String, String>) {
    let hosts = Hosts::spawn(HostSettings::new(binary().into(), vec![HOST_ROLE.into()]));
    let function = ViewerFunction {
        name: "f".to_owned(),
        file: "f.js".to_owned(),
        source: format!("function handler(event) {{ const r = event.request;\n{body}\nreturn r; }}").into_bytes(),
        budget: BUDGET,
        state_memory: ViewerFunction::STATE_MEMORY,
        memory: ViewerFunction::MEMORY,
        store: None,
        surroundings: Surroundings::default(),
    };
    let id = hosts.deploy(&function).await.unwrap();
    let event = Event::from_json(event).unwrap();
    let run = hosts.invoke(id, &event).await.unwrap();
    let judged = run.judged(&event, &RULES);
    let shown = judged.map(|judged| judged.to_json().to_string()).map_err(|failure| failure.to_string());
    (run, shown)
}

#[tokio::test]
async fn row_120_a_run_has_its_share_of_the_budget() {
    let (idle, _) = tested("", EVENT).await;
    let (busy, _) = tested("for (let i = 0; i < 100000; i++) {}", EVENT).await;
    assert!(busy.cpu > idle.cpu && busy.utilization(BUDGET) > idle.utilization(BUDGET), "{idle:?} {busy:?}");
    let budget = busy.cpu * 10 / 3;
    assert_eq!(busy.utilization(budget).to_string(), "30");
    let (over, message) = tested("while (true) {}", EVENT).await;
    assert_eq!(over.utilization(BUDGET), 100, "{message:?}");
}

#[tokio::test]
async fn row_121_the_message_names_what_is_wrong() {
    let (_, message) = tested("delete r.headers.host;", EVENT).await;
    let message = message.unwrap_err();
    assert!(message.contains("read-only header \"host\""), "{message}");
    let (_, message) = tested("r.uri = 7; r.headers['x-cache'] = { value: '1' }; r.headers['x-a'] = '1';", EVENT).await;
    let message = message.unwrap_err();
    assert_eq!(message.lines().count(), 3, "{message}");
    for part in
        ["request.uri must be a string", "request.headers[\"x-a\"] must be", "header \"x-cache\" is not allowed"]
    {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    let (_, message) = tested("r.missing.value = 1;", EVENT).await;
    let message = message.unwrap_err();
    assert!(message.starts_with("TypeError: ") && message.contains("(line 2"), "{message}");
}

#[tokio::test]
async fn output_and_logs_have_amazons_form() {
    let (run, output) = tested("console.log('one'); console.log('two\\nlines'); r.uri = '/b';", EVENT).await;
    assert_eq!(run.logs, ["one", "two\nlines"]);
    let output: serde_json::Value = serde_json::from_str(&output.unwrap()).unwrap();
    let expected = serde_json::json!({ "request": { "method": "GET", "uri": "/b", "querystring": {}, "cookies": {},
        "headers": { "host": { "value": "www.example.com" } } } });
    assert_eq!(output, expected);
}
