//! `edgehook test`: what it prints, what it finds, what it refuses.

use crate::harness::{binary, folder};
use regex::Regex;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

const REWRITE: &str = "function handler(event) {\n\
    \x20 var request = event.request;\n\
    \x20 console.log('saw ' + request.uri);\n\
    \x20 if (request.uri.startsWith('/old/')) {\n\
    \x20   return { statusCode: 301, headers: { location: { value: 'https://www.example.com/blog/' + request.uri.slice(5) } } };\n\
    \x20 }\n\
    \x20 return request;\n}\n";

const CONFIG: &str = r#"version = 1
[server]
hosts = ["www.example.com"]
name = "edge1"
[origin.site]
url = "https://site.example.com"
[origin.app]
url = "https://app.example.com"
[cache_policy.pages]
ttl = { min = "0s", default = "10m", max = "1d" }
query = { include = ["page"] }
headers = { include = ["accept-language"], normalize = { accept-language = ["en", "fr"] } }
[kvs.redirects]
file = "redirects.json"
[function.rewrite]
runtime = "cloudfront-js-2.0"
file = "rewrite.js"
budget = "50ms"
[function.lookup]
runtime = "cloudfront-js-2.0"
file = "lookup.js"
budget = "50ms"
kvs = "redirects"
[authorizer.staff]
jwks = "https://login.example.com/keys.json"
issuer = "https://login.example.com/"
audience = "edge"
algorithms = ["RS256", "ES256"]
claims_to_headers = { sub = "x-user-id" }
[experiment.checkout]
match = "/checkout*"
assign = "cookie:edge_ab"
variants = { control = 90, new = { weight = 10, origin = "app" } }
[[behavior]]
path = "/admin/*"
origin = "app"
cache_policy = "CachingDisabled"
authorizer = "staff"
[[behavior]]
path = "/kv/*"
origin = "site"
viewer_request = "lookup"
[[behavior]]
path = "*"
origin = "site"
cache_policy = "pages"
viewer_request = "rewrite"
"#;

const LOOKUP: &str = "import cf from 'cloudfront';\n\
    async function handler(event) {\n\
    \x20 const target = await cf.kvs().get(event.request.uri.slice(4));\n\
    \x20 return { statusCode: 302, headers: { location: { value: target } } };\n}\n";

fn project(tests: &str) -> TempDir {
    folder(&[
        ("edge.toml", CONFIG),
        ("rewrite.js", REWRITE),
        ("lookup.js", LOOKUP),
        ("redirects.json", r#"{"data":[{"key":"a","value":"/from-file"}]}"#),
        ("tests/site.toml", tests),
    ])
}

/// Exit code and output of `edgehook test`, times and shares evened out.
fn run(project: &Path, arguments: &[&str]) -> (i32, String, String) {
    let ran =
        Command::new(binary()).arg("test").args(arguments).current_dir(project).env("NO_COLOR", "1").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code().unwrap(), text(&ran.stdout), text(&ran.stderr))
}

/// What differs from run to run becomes the same.
fn even(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, with) in
        [(r"\d+\.\d\d ms", "T ms"), (r"\d+ % of budget", "P % of budget"), (r"in \d+\.\d\d s", "in T s")]
    {
        text = Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

fn specification() -> String {
    fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/fixtures/workbench/site.toml"),
    )
    .unwrap()
}

#[test]
fn the_example_of_the_specification_passes() {
    let project = project(&specification());
    let (code, out, err) = run(project.path(), &[]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(
        even(&out),
        " tests/site.toml\n\
         \x20 ✓ old blog paths redirect              rewrite  P % of budget  T ms\n\
         \x20 ✓ variant is sticky and cached apart   rewrite  P % of budget  T ms\n\
         \x20 ✓ staff area refuses an expired token  authorizer staff\n\
         \n functions  rewrite  4 calls  max T ms (P % of budget)\n 3 passed, 0 failed in T s\n"
    );
}

#[test]
fn a_failure_says_why() {
    let broken = specification().replacen(
        "edge_ab = \"${ab}\" }, expect = { cache = \"hit\"",
        "edge_ab = \"new\" }, expect = { cache = \"hit\"",
        1,
    );
    // A viewer who is drawn control, whatever the weights.
    let project = project(&broken);
    let config = CONFIG.replace("control = 90, new = { weight = 10,", "control = 1000000, new = { weight = 1,");
    fs::write(project.path().join("edge.toml"), config).unwrap();
    let (code, out, err) = run(project.path(), &["sticky"]);
    assert_eq!(code, 1, "{out}{err}");
    assert_eq!(
        even(&out),
        " tests/site.toml\n\
         \x20 ✗ variant is sticky and cached apart  step 2 of 4\n\
         \x20     expected cache = hit, got miss\n\
         \x20     reason  key differs from the stored entry in origin, experiment checkout\n\
         \x20     key     /checkout | origin=app | accept-language=en | experiment.checkout=new\n\
         \x20     near    /checkout | origin=site | accept-language=en   (stored 0 s ago)\n\
         \x20     hint    step 1 assigned \"control\"; step 2 sent cookie edge_ab=\"new\"\n\
         \x20     console saw /checkout\n\
         \x20     at      tests/site.toml:14\n\
         \n functions  rewrite  2 calls  max T ms (P % of budget)\n 0 passed, 1 failed in T s\n"
    );
}

#[test]
fn the_nearest_stored_answer_is_told() {
    let tests = r#"
[[test]]
name = "one page for all languages"
origin.site = { headers = { cache-control = "max-age=60" }, body = "x" }
steps = [
  { get = "/?page=1", headers = { accept-language = "fr-CA,fr;q=0.9" }, expect.key.header.accept-language = "fr" },
  { get = "/?page=1&utm_source=x", headers = { accept-language = "fr" }, expect.cache = "hit" },
  { get = "/?page=1", headers = { accept-language = "en" }, expect.cache = "hit" },
]
[[test]]
name = "not stored"
origin.site = { headers = { cache-control = "no-store" } }
request = { uri = "/" }
expect = { cache = "miss", origin_calls = 1 }
[[test]]
name = "negotiated"
origin.site = { headers = { cache-control = "max-age=60", vary = "x-color" } }
steps = [
  { get = "/", headers = { x-color = "red" } },
  { get = "/", headers = { x-color = "blue" }, expect.cache = "hit" },
]
"#;
    let (code, out, err) = run(project(tests).path(), &[]);
    assert_eq!(code, 1, "{out}{err}");
    for expected in [
        "reason  key differs from the stored entry in header accept-language",
        "key     / | page=1 | accept-language=en",
        "near    / | page=1 | accept-language=fr   (stored 0 s ago)",
        "hint    if `accept-language` does not change the answer, leave it out of cache_policy.pages.headers",
        "expected cache = miss, got uncacheable",
        "reason  the answer was not stored: no-store",
    ] {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
}

#[test]
fn everything_that_a_test_can_say() {
    let tests = r#"
[[test]]
name = "matchers"
origin.site = { status = 404, headers = { x-y = "abc", set-cookie = ["a=1; Path=/", "b=2"] }, body = "not there" }
request = { uri = "/x", method = "GET", headers = { accept-language = "en" }, query = { page = 2 } }
expect = { status = { in = [404, 410] }, headers = { x-y = { matches = "^a.c$" }, x-z = { absent = true } }, body = { contains = "not" }, cookie.a = "1", hooks = ["viewer-request"], logs = { contains = "saw /x" }, origin = "site", origin_request = { method = "GET", uri = "/x", query = "page=2", headers.x-forwarded-proto = "https" }, key = { path = "/x", query.page = "2" }, error = { absent = true }, utilization = "<= 100" }

[[test]]
name = "time, purges and ages"
clock = 2027-03-01T12:00:00Z
origin.site = [{ headers = { cache-control = "max-age=60", surrogate-key = "t1" }, body = "one" }, { body = "two", headers = { cache-control = "max-age=60" } }]
steps = [
  { get = "/", expect = { cache = "miss", headers.date = { contains = "01 Mar 2027 12:00:00" } } },
  { advance = "30s" },
  { get = "/", expect = { cache = "hit", age = 30, body = "one", origin_calls = 0 } },
  { purge = { tag = "t1" } },
  { get = "/", expect = { cache = "miss", body = "two" } },
  { purge = { url = "https://www.example.com/", soft = true } },
  { get = "/", expect = { origin_calls = 1 } },
  { purge = { all = true } },
  { get = "/", expect.cache = "miss" },
]

[[test]]
name = "requests that come together are one to the origin"
origin.site = { headers = { cache-control = "max-age=60" }, body = "x" }
steps = [
  { parallel = [
    { get = "/a", expect = { body = "x", origin_calls = 1 } },
    { get = "/a", expect = { body = "x" } },
    { get = "/a", expect = { body = "x" } },
  ] },
  { get = "/a", expect.cache = "hit" },
]

[[test]]
name = "origins that fail"
origin.site = [{ fail = "connect" }, { fail = "timeout" }, { fail = "reset" }, { delay = "31s" }, { body = "back" }]
steps = [
  { get = "/a", expect = { status = 502, cache = "error", error = { contains = "connect" } } },
  { get = "/b", expect.status = 504 },
  { get = "/c", expect.status = 502 },
  { get = "/d", expect.status = 504 },
  { get = "/e", expect = { status = 200, body = "back" } },
]

[[test]]
name = "tokens are minted"
behavior = "/admin/*"
origin.app = { body = "hello" }
steps = [
  { get = "/admin/", jwt = { sub = "u1" }, expect = { status = 200, origin_request.headers.x-user-id = "u1", cache = "bypass" } },
  { get = "/admin/", expect = { status = 401, deny_reason = "no token" } },
  { get = "/admin/", jwt = { aud = "other" }, expect.status = 401 },
]

[[test]]
name = "a store of its own"
function = "lookup"
kv.redirects = { a = "/from-test" }
request = { uri = "/kv/a" }
expect = { status = 302, headers.location = "/from-test" }

[[test]]
name = "the store of the file"
request = { uri = "/kv/a" }
expect = { status = 302, headers.location = "/from-file", cache = "generated", origin_calls = 0 }

[[test]]
name = "not now"
skip = "the origin is not ready"
request = { uri = "/" }
expect = { status = 500 }
"#;
    let (code, out, err) = run(project(tests).path(), &[]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("- not now") && out.contains("skipped: the origin is not ready"), "{out}");
    assert!(out.contains("7 passed, 0 failed, 1 skipped"), "{out}");
}

#[test]
fn an_origin_without_a_script_fails_the_test_by_name() {
    let tests = "[[test]]\nname = \"a\"\nrequest = { uri = \"/\" }\nexpect = { status = 502 }\n";
    let (code, out, _) = run(project(tests).path(), &[]);
    assert_eq!(code, 1);
    assert!(out.contains("origin \"site\" was asked, and the test declares no origin.site"), "{out}");
}

#[test]
fn reports_for_programs() {
    let project = project(&format!(
        "{}\n[[test]]\nname = \"wrong <one>\"\nfunction = \"rewrite\"\nrequest = {{ uri = \"/old/x\" }}\nexpect = {{ status = 200 }}\n",
        specification()
    ));
    let (code, out, _) = run(project.path(), &["--json", "--junit", "out.xml"]);
    assert_eq!(code, 1);
    let report: Value = serde_json::from_str(&out).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/test-report.json");
    let schema: Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
    jsonschema::validate(&schema, &report).unwrap();
    assert_eq!((&report["schema"], &report["passed"], &report["failed"]), (&1.into(), &3.into(), &1.into()));
    let failed = &report["suites"][0]["tests"][3];
    assert_eq!(failed["failure"]["text"], "expected status = 200, got 301");
    assert_eq!(failed["failure"]["line"], 28);
    let junit = fs::read_to_string(project.path().join("out.xml")).unwrap();
    assert!(junit.contains("<testsuites tests=\"4\" failures=\"1\" skipped=\"0\""), "{junit}");
    assert!(junit.contains("name=\"wrong &lt;one&gt;\""), "{junit}");
    assert!(junit.contains("tests/site.toml:28"), "{junit}");
}

#[test]
fn update_writes_what_came_and_keeps_comments() {
    let tests = "# a comment\n[[test]]\nname = \"a\"\nfunction = \"rewrite\"\nrequest = { uri = \"/old/x\" }\nexpect = { status = 200, headers.location = \"/nowhere\" } # why\n";
    let project = project(tests);
    let (code, _, err) = run(project.path(), &["--update"]);
    assert_eq!(code, 0, "{err}");
    let written = fs::read_to_string(project.path().join("tests/site.toml")).unwrap();
    assert_eq!(written, tests.replace("200", "301").replace("\"/nowhere\"", "\"https://www.example.com/blog/x\""));
    assert_eq!(run(project.path(), &[]).0, 0);
}

#[test]
fn events_and_cftest_files() {
    let event = |uri: &str| {
        format!(
            r#"{{"version":"1.0","context":{{"eventType":"viewer-request"}},"viewer":{{"ip":"192.0.2.9"}},"request":{{"method":"GET","uri":"{uri}","querystring":{{}},"headers":{{}},"cookies":{{}}}}}}"#
        )
    };
    let redirect =
        r#"{"response":{"statusCode":301,"headers":{"location":{"value":"https://www.example.com/blog/x"}}}}"#;
    let project = project("");
    let write = |name: &str, text: &str| {
        let file = project.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    fs::remove_file(project.path().join("tests/site.toml")).unwrap();
    write("tests/rewrite/old.event.json", &event("/old/x"));
    write("tests/rewrite/old.expected.json", redirect);
    write("tests/rewrite/plain.event.json", &event("/plain"));
    write("tests/rewrite/cf.json", &format!("{{\"event\":{},\"output\":{redirect}}}", event("/old/x")));
    let (code, out, err) = run(project.path(), &[]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("✓ rewrite/old") && out.contains("✓ rewrite/plain") && out.contains("✓ rewrite/cf"), "{out}");

    write("tests/rewrite/wrong.event.json", &event("/old/y"));
    write("tests/rewrite/wrong.expected.json", redirect);
    write("tests/lookup/absent.json", &format!("{{\"event\":{},\"error\":\"KeyNotFound\"}}", event("/kv/absent")));
    let (code, out, err) = run(project.path(), &[]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("expected response.headers.location.value: \"https://www.example.com/blog/x\""), "{out}");
    assert!(out.contains("got     response.headers.location.value: \"https://www.example.com/blog/y\""), "{out}");
    assert_eq!(run(project.path(), &["rewrite/wrong", "--update"]).0, 0);
    let (_, out, _) = run(project.path(), &["rewrite/"]);
    assert!(out.contains("4 passed, 0 failed"), "{out}");
}

#[test]
fn wording_of_expected_errors() {
    let project = project("");
    fs::remove_file(project.path().join("tests/site.toml")).unwrap();
    let event = r#"{"version":"1.0","context":{"eventType":"viewer-request"},"viewer":{"ip":"192.0.2.9"},"request":{"method":"GET","uri":"/x","querystring":{},"headers":{},"cookies":{}}}"#;
    fs::write(project.path().join("rewrite.js"), "function handler(event) { return event.none.such; }").unwrap();
    let case = format!("{{\"event\":{event},\"error\":\"TypeError: cannot get property \\\"such\\\" of undefined\"}}");
    fs::create_dir_all(project.path().join("tests/rewrite")).unwrap();
    fs::write(project.path().join("tests/rewrite/e.json"), case).unwrap();
    let (code, out, err) = run(project.path(), &["--function", "rewrite", "tests/rewrite"]);
    assert_eq!(code, 0, "{out}{err}");
    let (code, out, err) = run(project.path(), &["--exact-errors"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("expected the error \"TypeError: cannot get property"), "{out}");
}

#[test]
fn a_watched_test_runs_again_when_a_function_is_saved() {
    let tests =
        "[[test]]\nname = \"a\"\nfunction = \"rewrite\"\nrequest = { uri = \"/old/a\" }\nexpect = { status = 301 }\n";
    let project = project(tests);
    let mut child = Command::new(binary())
        .args(["test", "--watch"])
        .current_dir(project.path())
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut notices = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut until = |what: &str| out.by_ref().map(Result::unwrap).find(|line| line.contains(what)).unwrap();
    until("1 passed, 0 failed");
    let waiting = notices.next().unwrap().unwrap();
    assert!(waiting.contains("waiting for changes"), "{waiting}");
    fs::write(project.path().join("rewrite.js"), REWRITE.replace("301", "302")).unwrap();
    until("expected status = 301, got 302");
    until("0 passed, 1 failed");
    fs::write(project.path().join("rewrite.js"), REWRITE).unwrap();
    until("1 passed, 0 failed");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn malformed_files_are_refused_with_their_place() {
    for (name, text, expected) in [
        (
            "tests/site.toml",
            "[[test]]\nname = \"a\"\nrequest = { uri = 7 }\nexpect = { status = 200 }\n",
            "tests/site.toml:3: test[0].request.uri: expected text, found 7",
        ),
        ("tests/site.toml", "[[test]\n", "tests/site.toml:1:"),
        ("tests/x.event.json", "{\n  \"version\": \"1.0\",\n  oops\n}", "tests/x.event.json:3: expected JSON"),
        ("tests/x.event.json", "{}", "x.event.json:1: neither a CloudFront Functions event"),
        ("tests/x.expected.json", "{}", "x.expected.json:1: there is no"),
        (
            "tests/x.json",
            "{\"event\": {\"version\":\"1.0\",\"request\":{\"uri\":\"/\"}}}",
            "expected `output` or `error`",
        ),
    ] {
        let project = project(&specification());
        fs::write(project.path().join(name), text).unwrap();
        let (code, out, err) = run(project.path(), &[]);
        assert_eq!(code, 2, "{name} {out}{err}");
        assert!(err.contains(expected), "{name}: {err}");
    }
    let empty = folder(&[
        ("edge.toml", CONFIG),
        ("rewrite.js", REWRITE),
        ("lookup.js", LOOKUP),
        ("redirects.json", "{\"data\":[]}"),
    ]);
    let (code, _, err) = run(empty.path(), &[]);
    assert_eq!(code, 2);
    assert!(err.contains("no tests below"), "{err}");
    let (code, _, err) = run(project(&specification()).path(), &["no-such-name"]);
    assert_eq!(code, 2);
    assert!(err.contains("no test has a name with no-such-name"), "{err}");
}

/// The figure of the specification is 1,000 in 2 s of a release build; here a tenth of them only has to pass.
#[test]
fn many_cases() {
    let count = std::env::var("EDGEHOOK_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(100);
    let mut tests = String::new();
    for number in 0..count {
        tests.push_str(&format!(
            "[[test]]\nname = \"case {number}\"\norigin.site = {{ body = \"x\" }}\nrequest = {{ uri = \"/p/{number}\" }}\nexpect = {{ status = 200, body = \"x\", cache = \"miss\" }}\n"
        ));
    }
    let (code, out, err) = run(project(&tests).path(), &[]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains(&format!("{count} passed, 0 failed")), "{out}");
    eprintln!("{}", out.lines().last().unwrap_or_default());
}
