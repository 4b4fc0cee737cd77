//! `on_error` with the path of a page: what viewers get of a function that fails, at each of the four hooks.

use crate::harness::{Answer, Edge, Origin, binary, eventually, folder};
use serde_json::Value;
use std::{fs, process::Command};

const PAGE: &str = "<h1>Sorry</h1>";

/// Throws, but for `?invalid`, where what it returns is no result.
const VIEWER: &str =
    "function handler(event) { if (event.request.querystring.invalid) { return 1; } throw new Error('no luck'); }";
const LAMBDA: &str = "exports.handler = async (event) => { \
     if (event.Records[0].cf.request.querystring === 'invalid') { return 1; } throw new Error('no luck'); };";

fn origin() -> Origin {
    Origin::start(|seen| match seen.target.split('?').next().unwrap() {
        "/errors/sorry.html" | "/own/sorry.html" => {
            let fields = [("cache-control", "max-age=60"), ("content-type", "text/html"), ("expires", "0")];
            Answer::new(200, &fields, PAGE)
        }
        "/errors/broken.html" => Answer::new(500, &[("cache-control", "no-store")], "stack trace"),
        _ => Answer::ok("fine"),
    })
}

const CONFIG: &str = "\
[access_log]\nfile = \"access.log\"
[trace]\nsample = 1
[function.v]\nruntime = \"cloudfront-js-2.0\"\nfile = \"v.js\"\non_error = \"/errors/sorry.html\"
[function.l]\nruntime = \"nodejs\"\nfile = \"l.js\"\non_error = \"/errors/sorry.html\"
[function.own]\nruntime = \"nodejs\"\nfile = \"l.js\"\non_error = \"/own/sorry.html\"
[function.gone]\nruntime = \"cloudfront-js-2.0\"\nfile = \"v.js\"\non_error = \"/errors/broken.html\"
[cache_policy.p]\nttl = { min = \"0s\", default = \"0s\", max = \"1h\" }\nquery = \"all\"
[[behavior]]\npath = \"/viewer-request\"\norigin = \"app\"\nviewer_request = \"v\"\ncache_policy = \"p\"
[[behavior]]\npath = \"/viewer-response\"\norigin = \"app\"\nviewer_response = \"v\"\ncache_policy = \"p\"
[[behavior]]\npath = \"/origin-request\"\norigin = \"app\"\norigin_request = \"l\"\ncache_policy = \"p\"
[[behavior]]\npath = \"/origin-response\"\norigin = \"app\"\norigin_response = \"l\"\ncache_policy = \"p\"
[[behavior]]\npath = \"/own/*\"\norigin = \"app\"\norigin_request = \"own\"\norigin_response = \"own\"\ncache_policy = \"p\"
[[behavior]]\npath = \"/gone\"\norigin = \"app\"\nviewer_request = \"gone\"
[[behavior]]\npath = \"/errors/*\"\norigin = \"app\"\nviewer_request = \"v\"\ncache_policy = \"p\"
[[behavior]]\npath = \"*\"\norigin = \"app\"\n";

fn edge(origin: &Origin) -> Edge {
    let config = format!("[origin.app]\nurl = \"{}\"\n{CONFIG}", origin.url());
    Edge::start(&config, &[("v.js", VIEWER), ("l.js", LAMBDA)])
}

fn pages(origin: &Origin, path: &str) -> usize {
    origin.seen().iter().filter(|seen| seen.target == path).count()
}

/// What was recorded, once there is so much.
fn records(edge: &Edge, count: usize) -> Vec<Value> {
    let token = fs::read_to_string(edge.folder().join(".edgehook/admin-token")).unwrap();
    let token = format!("Bearer {}", token.trim());
    eventually("the records are there", || {
        let list = edge.admin_with("/requests", &[("authorization", &token)]);
        let list: Value = serde_json::from_str(&list.text()).unwrap();
        let records = list["requests"].as_array().unwrap();
        (records.len() >= count).then(|| records.clone())
    })
}

#[test]
fn the_page_comes_with_the_status_of_the_failure_at_every_hook() {
    let origin = origin();
    let edge = edge(&origin);
    let hooks = ["viewer-request", "viewer-response", "origin-request", "origin-response"];
    for hook in hooks {
        let family = if hook.starts_with("viewer") { "Function" } else { "Lambda" };
        for (query, status, kind) in [("", 503, "ExecutionError"), ("?invalid", 502, "ValidationError")] {
            let reply = edge.get_with(&format!("/{hook}{query}"), &[("range", "bytes=0-1"), ("if-none-match", "*")]);
            assert_eq!((reply.status, reply.text().as_str()), (status, PAGE), "{hook}{query}");
            assert_eq!(reply.x_cache(), format!("{family}{kind}"), "{hook}{query}");
            let fields = (reply.header("content-type"), reply.header("cache-control"), reply.header("expires"));
            assert_eq!(fields, ("text/html", "no-store", ""), "{hook}{query}");
        }
    }
    assert_eq!(pages(&origin, "/errors/sorry.html"), 1, "then from the cache");
    let head = edge.client().request("HEAD", "/viewer-request", &[], b"");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (503, "14", 0));
    let posted = edge.client().request("POST", "/origin-request", &[], b"x");
    assert_eq!((posted.status, posted.text().as_str()), (503, PAGE));
    edge.says("function failed: Error: no luck");
}

#[test]
fn the_function_that_failed_is_not_run_for_its_page_which_is_kept_apart() {
    let origin = origin();
    let edge = edge(&origin);
    for _ in 0..2 {
        let reply = edge.get("/own/x");
        assert_eq!((reply.status, reply.text().as_str()), (503, PAGE));
    }
    assert_eq!(pages(&origin, "/own/sorry.html"), 1, "made once, without the function that is also in front of it");
    // Asked for itself it goes through the function, fails, and is its own page.
    let reply = edge.get("/own/sorry.html");
    assert_eq!((reply.status, reply.text().as_str()), (503, PAGE));
    assert_eq!(pages(&origin, "/own/sorry.html"), 1);
    for record in &records(&edge, 3) {
        assert_eq!(record["hooks"].as_array().unwrap().len(), 1, "{record:#}");
        let key = record["key"].as_array().unwrap();
        let left_out = key.iter().find(|part| part["part"] == "function own").unwrap();
        assert_eq!(left_out["value"], "left out");
    }
}

#[test]
fn a_page_that_cannot_be_had_leaves_the_error() {
    let origin = origin();
    let edge = edge(&origin);
    let reply = edge.get("/gone");
    assert_eq!((reply.status, reply.x_cache()), (503, "FunctionExecutionError"));
    assert!(reply.text().contains("could not be run") && !reply.text().contains("stack trace"), "{}", reply.text());
    let record = &records(&edge, 1)[0];
    let failure = record["failure"].as_str().unwrap();
    assert!(failure.ends_with("; the page /errors/broken.html cannot be had: its status is 500"), "{failure}");
    assert_eq!(record["error_page"], Value::Null);
    assert_eq!(edge.get("/other").text(), "fine");
}

#[test]
fn it_is_told_by_record_log_trace_and_explain() {
    let origin = origin();
    let edge = edge(&origin);
    edge.get("/viewer-request");
    let record = &records(&edge, 1)[0];
    assert_eq!((&record["outcome"], &record["error_page"]), (&"error".into(), &"/errors/sorry.html".into()));
    assert!(record["failure"].as_str().unwrap().contains("v at viewer-request: Error: no luck"), "{record:#}");
    let log = edge.folder().join("access.log");
    let line: Value = eventually("the log has its line", || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.lines().next().and_then(|line| serde_json::from_str(line).ok())
    });
    assert_eq!((&line["sc-status"], &line["x-edge-result-type"]), (&"503".into(), &"FunctionExecutionError".into()));
    let run = |arguments: &[&str]| {
        let address = format!("http://{}", edge.admin_address());
        let ran = Command::new(binary())
            .args(arguments)
            .args(["--admin", &address])
            .current_dir(edge.folder())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let page = "with /errors/sorry.html as the page";
    let traced = run(&["trace", "--last"]);
    assert!(traced.contains(page), "{traced}");
    let told = run(&["explain", "http://localhost/viewer-request"]);
    assert!(told.contains("503 error: v at viewer-request") && told.contains(page), "{told}");
}

#[test]
fn check_wants_a_path() {
    let site = "[origin.app]\nurl = \"http://127.0.0.1:1\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n";
    for (value, expected) in [
        ("errors/x.html", "words: fail, bypass, or the path of a page"),
        ("fial", "did you mean \"fail\"?   words: fail, bypass, or the path of a page"),
        ("/x?y", "a path that begins with `/`, percent-encoded, without a query"),
        ("/../x", "on_error: half an escape, or a path above the root"),
        ("/%zz", "on_error: half an escape, or a path above the root"),
    ] {
        let config =
            format!("{site}[function.v]\nruntime = \"cloudfront-js-2.0\"\nfile = \"v.js\"\non_error = \"{value}\"\n");
        let folder = folder(&[("edge.toml", &config), ("v.js", "function handler(event) { return event.request; }")]);
        let ran = Command::new(binary()).arg("check").current_dir(folder.path()).env("NO_COLOR", "1").output().unwrap();
        let shown = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.code() == Some(2) && shown.contains(expected), "{value}: {shown}");
    }
}
