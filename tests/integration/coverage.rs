//! `edgehook test --coverage`: which lines of functions the tests reached, for each kind of function.

use crate::harness::{binary, folder, has_python};
use serde_json::Value;
use std::{fs, path::Path, process::Command};

const CONFIG: &str = r#"version = 1
[origin.site]
url = "https://site.example.com"
[function.rewrite]
runtime = "cloudfront-js-2.0"
file = "functions/rewrite.js"
[function.modern]
runtime = "cloudfront-js-2.0"
file = "functions/modern.js"
[function.ask]
runtime = "nodejs"
file = "functions/ask.mjs"
[function.idle]
runtime = "nodejs"
file = "functions/idle.js"
PYTHON
[[behavior]]
path = "/lambda/*"
origin = "site"
viewer_request = "modern"
origin_request = "ask"
ORIGIN_RESPONSE
[[behavior]]
path = "*"
origin = "site"
viewer_request = "rewrite"
"#;

const PYTHON: &str = "[function.keep]\nruntime = \"python\"\nfile = \"functions/keep.py\"\n";

const REWRITE: &str = "\
'use strict';
var moved = { '/a': '/b' };
function handler(event) {
  var request = event.request;
  console.log('x'.repeat(9000), 'saw', request.uri);
  if (moved[request.uri])
    return { statusCode: 301, headers: { location: { value: moved[request.uri] } } };
  for (var name in request.querystring) {
    request.headers['x-' + name] = { value: '1' };
    delete request.querystring[name];
  }
  return request;
}
function never() {
  return 1;
}
";

const MODERN: &str = "\
import cf from 'cloudfront';
const slash = uri =>
  uri + '/';
const other = uri =>
  uri;
async function handler(event) {
  await null;
  event.request.uri = slash(event.request.uri);
  return event.request;
}
";

const ASK: &str = "\
import { tag } from './lib/tag.js';
let runs = 0;
export const handler = async event => {
  const request = event.Records[0].cf.request;
  runs++;
  if (runs > 1000) {
    throw new Error('too many');
  }
  tag(request);
  return request;
};
";

const TAG: &str = "\
exports.tag = function (request) {
  if (request.method === 'POST') {
    request.uri = '/posted';
  }
  request.headers['x-tag'] = [{ key: 'X-Tag', value: 'yes' }];
};
";

const IDLE: &str = "exports.handler = async () => {\n  return null;\n};\n";

const KEEP: &str = "\
\"\"\"Keeps.\"\"\"
from __future__ import annotations

import shelf


def lambda_handler(event, context):
    response = event['Records'][0]['cf']['response']
    if response['status'] == '404':
        response['status'] = '200'
    shelf.put(
        response,
    )
    return response
";

const SHELF: &str =
    "def put(response):\n    if not response:\n        raise ValueError()\n    return [x for x in response]\n";

const TESTS: &str = r#"
[[test]]
name = "plain"
function = "rewrite"
request = { uri = "/c" }
expect = { uri = "/c" }
[[test]]
name = "moved"
request = { uri = "/a" }
expect = { status = 301 }
[[test]]
name = "through lambda functions"
origin.site = { body = "x" }
request = { uri = "/lambda/x" }
expect = { status = 200, origin_request.uri = "/lambda/x/" }
"#;

fn project() -> tempfile::TempDir {
    let (python, response) = if has_python() { (PYTHON, "origin_response = \"keep\"") } else { ("", "") };
    folder(&[
        ("edge.toml", &CONFIG.replace("PYTHON", python).replace("ORIGIN_RESPONSE", response)),
        ("functions/rewrite.js", REWRITE),
        ("functions/modern.js", MODERN),
        ("functions/ask.mjs", ASK),
        ("functions/lib/tag.js", TAG),
        ("functions/idle.js", IDLE),
        ("functions/keep.py", KEEP),
        ("functions/shelf.py", SHELF),
        ("tests/site.toml", TESTS),
    ])
}

fn run(project: &Path, arguments: &[&str]) -> (i32, String) {
    let ran =
        Command::new(binary()).arg("test").args(arguments).current_dir(project).env("NO_COLOR", "1").output().unwrap();
    assert!(ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    (ran.status.code().unwrap(), String::from_utf8(ran.stdout).unwrap())
}

/// File, lines with code and missed lines.
fn files(report: &Value, function: &str) -> Vec<(String, Vec<u64>, Vec<u64>)> {
    let functions = report["functions"].as_array().unwrap();
    let found = functions.iter().find(|one| one["name"] == function).unwrap();
    let numbers = |value: &Value| value.as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    let file =
        |file: &Value| (file["file"].as_str().unwrap().to_owned(), numbers(&file["lines"]), numbers(&file["missed"]));
    found["coverage"]["files"].as_array().unwrap().iter().map(file).collect()
}

#[test]
fn every_kind_of_function_tells_what_was_reached() {
    let project = project();
    let (code, out) = run(project.path(), &["--coverage=lcov.info", "--json"]);
    assert_eq!(code, 0, "{out}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let one = |file: &str, lines: &[u64], missed: &[u64]| (file.to_owned(), lines.to_vec(), missed.to_vec());
    let rewrite = one("functions/rewrite.js", &[2, 4, 5, 6, 7, 8, 9, 10, 12, 15], &[9, 10, 15]);
    assert_eq!(files(&report, "rewrite"), [rewrite]);
    assert_eq!(files(&report, "modern"), [one("functions/modern.js", &[2, 3, 4, 5, 7, 8, 9], &[5])]);
    let ask = one("functions/ask.mjs", &[2, 3, 4, 5, 6, 7, 9, 10], &[7]);
    assert_eq!(files(&report, "ask"), [ask, one("functions/lib/tag.js", &[1, 2, 3, 5], &[3])]);
    assert_eq!(files(&report, "idle"), [one("functions/idle.js", &[1, 2], &[2])]);
    let lcov = fs::read_to_string(project.path().join("lcov.info")).unwrap();
    assert!(
        lcov.contains("SF:functions/lib/tag.js\nDA:1,1\nDA:2,1\nDA:3,0\nDA:5,1\nLF:4\nLH:3\nend_of_record\n"),
        "{lcov}"
    );
    if has_python() {
        let found = files(&report, "keep");
        let (file, lines, missed) = &found[0];
        assert_eq!((file.as_str(), missed.as_slice()), ("functions/keep.py", &[10][..]), "{lines:?}");
        assert!([2, 4, 7, 8, 9, 10, 13, 14].iter().all(|line| lines.contains(line)) || lines.len() > 5, "{lines:?}");
        assert_eq!((found[1].0.as_str(), found[1].2.as_slice()), ("functions/shelf.py", &[3][..]));
    }
}

#[test]
fn people_read_what_was_not_hit() {
    let project = project();
    let (code, out) = run(project.path(), &["--coverage"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("coverage 7/10 lines, not hit: 9, 10, 15\n"), "{out}");
    assert!(out.contains("coverage 7/8 lines, not hit: 7; tag.js 3/4 lines, not hit: 3\n"), "{out}");
    assert!(out.contains("idle     0 calls  coverage 1/2 lines, not hit: 2\n"), "{out}");
    // Without it nothing is said, and nothing is slower.
    let (_, out) = run(project.path(), &[]);
    assert!(!out.contains("coverage"), "{out}");
}

#[test]
fn a_failing_test_fails_all_the_same_and_counts_to_its_end() {
    let project = project();
    let tests = project.path().join("tests/site.toml");
    fs::write(&tests, fs::read_to_string(&tests).unwrap().replace("status = 301", "status = 302")).unwrap();
    let (code, out) = run(project.path(), &["--coverage"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("expected status = 302, got 301"), "{out}");
    assert!(out.contains("coverage 7/10 lines, not hit: 9, 10, 15\n"), "{out}");
}
