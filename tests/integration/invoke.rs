//! `edgehook invoke`: one call, what it changed, and what live traffic would have got.

use crate::harness::{binary, folder};
use regex::Regex;
use serde_json::Value;
use std::{path::Path, process::Command};
use tempfile::TempDir;

const CONFIG: &str = r#"version = 1
[origin.site]
url = "https://site.example.com"
[function.rewrite]
runtime = "cloudfront-js-2.0"
file = "rewrite.js"
budget = "50ms"
[function.headers]
runtime = "nodejs"
file = "headers.js"
[[behavior]]
path = "*"
origin = "site"
viewer_request = "rewrite"
origin_response = "headers"
"#;

const REWRITE: &str = "function handler(event) {\n\
    \x20 var request = event.request;\n\
    \x20 if (request.uri === '/broken') throw new Error('no such thing');\n\
    \x20 if (request.uri === '/via') { delete request.headers.via; return request; }\n\
    \x20 console.log('matched ' + request.uri);\n\
    \x20 request.uri += 'index.html';\n\
    \x20 request.headers['x-lang'] = { value: 'fr' };\n\
    \x20 return request;\n}\n";

const HEADERS: &str = "exports.handler = async (event) => {\n\
    \x20 const response = event.Records[0].cf.response;\n\
    \x20 response.headers['x-a'] = [{ key: 'X-A', value: '1' }];\n\
    \x20 return response;\n};\n";

fn project() -> TempDir {
    folder(&[("edge.toml", CONFIG), ("rewrite.js", REWRITE), ("headers.js", HEADERS)])
}

fn event(uri: &str, headers: &str) -> String {
    format!(
        "{{\"version\":\"1.0\",\"viewer\":{{\"ip\":\"192.0.2.9\"}},\"request\":{{\"method\":\"GET\",\"uri\":\"{uri}\",\"querystring\":{{}},\"headers\":{headers},\"cookies\":{{}}}}}}"
    )
}

fn run(project: &Path, arguments: &[&str]) -> (i32, String, String) {
    let ran = Command::new(binary())
        .arg("invoke")
        .args(arguments)
        .current_dir(project)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let even = Regex::new(r"\d+\.\d\d ms(  \d+ % of budget)?").unwrap();
    (ran.status.code().unwrap(), even.replace_all(&text(&ran.stdout), "T").into_owned(), text(&ran.stderr))
}

#[test]
fn what_a_function_changed() {
    let project = project();
    std::fs::write(project.path().join("e.json"), event("/shop/", "{\"host\":{\"value\":\"h\"}}")).unwrap();
    let (code, out, err) = run(project.path(), &["rewrite", "e.json"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        out,
        "function  rewrite at viewer-request\nconsole   matched /shop/\n          ~ uri: /shop/ → /shop/index.html\n\
         \x20         + headers.x-lang: fr\ncompute   T\nresult    valid\n"
    );
    let (code, out, _) = run(project.path(), &["headers"]);
    assert_eq!(code, 0);
    assert_eq!(
        out,
        "function  headers at origin-response   (event made up; give one in a file)\n          + headers.x-a: 1\n\
         time      T\nresult    valid\n"
    );
}

#[test]
fn amazons_words() {
    let project = project();
    std::fs::write(project.path().join("e.json"), event("/shop/", "{}")).unwrap();
    let (code, out, _) = run(project.path(), &["rewrite", "e.json", "--json"]);
    assert_eq!(code, 0);
    let result: Value = serde_json::from_str(&out).unwrap();
    let result = &result["TestResult"];
    assert_eq!(
        result.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["FunctionSummary", "ComputeUtilization", "FunctionExecutionLogs", "FunctionErrorMessage", "FunctionOutput"]
    );
    assert!(result["ComputeUtilization"].as_str().unwrap().parse::<u8>().is_ok());
    assert_eq!(result["FunctionExecutionLogs"][0], "matched /shop/");
    let output: Value = serde_json::from_str(result["FunctionOutput"].as_str().unwrap()).unwrap();
    assert_eq!(output["request"]["uri"], "/shop/index.html");
    let (code, out, _) = run(project.path(), &["headers", "--json"]);
    let returned: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &returned["headers"]["x-a"][0]["value"]), (0, &"1".into()));
}

#[test]
fn what_live_traffic_would_have_got() {
    let project = project();
    std::fs::write(project.path().join("broken.json"), event("/broken", "{}")).unwrap();
    std::fs::write(project.path().join("via.json"), event("/via", "{\"via\":{\"value\":\"1.1 x\"}}")).unwrap();
    let (code, out, _) = run(project.path(), &["rewrite", "broken.json"]);
    assert_eq!(code, 1);
    assert!(out.contains("result    503 on live traffic: Error: no such thing (line 3, column"), "{out}");
    let (code, out, _) = run(project.path(), &["rewrite", "via.json"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("result    502 on live traffic: ") && out.contains("via"), "{out}");
    assert!(out.contains("CloudFront's own function test does not check this and would pass"), "{out}");
    let (code, out, _) = run(project.path(), &["rewrite", "via.json", "--json"]);
    let result: Value = serde_json::from_str(&out).unwrap();
    assert!(code == 1 && result["TestResult"]["FunctionErrorMessage"].as_str().unwrap().contains("via"), "{out}");
}

#[test]
fn bad_input_is_told_with_its_place() {
    let project = project();
    std::fs::write(project.path().join("bad.json"), "{\n  \"version\":\n}").unwrap();
    std::fs::write(project.path().join("odd.json"), "{\"version\": \"1.0\"}").unwrap();
    for (arguments, expected) in [
        (&["rewrite", "bad.json"][..], "bad.json:3: expected an event in JSON"),
        (&["rewrite", "odd.json"], "odd.json:1: request: expected an object"),
        (&["rewrite", "none.json"], "none.json: "),
        (&["rewirte"], "there is no function \"rewirte\"; functions: rewrite, headers"),
        (&[], "name a function; functions: rewrite, headers"),
        (&["rewrite", "--hook", "x"], "\"x\" is no hook point; hook points: viewer-request"),
        (&["rewrite", "--hook", "origin-request"], ""),
    ] {
        let (code, out, err) = run(project.path(), arguments);
        if expected.is_empty() {
            assert_eq!(code, 2, "{out}{err}");
            continue;
        }
        assert_eq!(code, 2, "{arguments:?} {out}{err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}
