//! Time in `edgehook test`: delays of origins that nobody really waits for, and the clock that functions see.

use crate::harness::{binary, engine, folder, now, token};
use serde_json::{Value, json};
use std::process::Command;

/// Plays these tests in a project with these further lines of configuration and files; all pass.
fn passes(config: &str, files: &[(&str, &str)], tests: &str) {
    let config = format!("version = 1\n[origin.site]\nurl = \"https://site.example.com\"\n{config}");
    let project = folder(&[&[("edge.toml", &*config), ("tests/site.toml", tests)], files].concat());
    let ran = Command::new(binary()).arg("test").current_dir(&project).env("NO_COLOR", "1").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
}

const PLAIN: &str = "[[behavior]]\npath = \"*\"\norigin = \"site\"\n";

#[test]
fn a_delay_passes_at_once_and_moves_no_clock() {
    let config = "[response_headers_policy.timed]\nserver_timing = 100\n\
        [[behavior]]\npath = \"*\"\norigin = \"site\"\nresponse_headers_policy = \"timed\"\n";
    passes(
        config,
        &[],
        r#"
[[test]]
name = "long, but not too long"
clock = 2027-03-01T12:00:00Z
origin.site = { delay = "30s", body = "late", headers = { cache-control = "max-age=10" } }
steps = [
  { get = "/a", expect = { body = "late", cache = "miss", headers.server-timing = { contains = "cdn-upstream-fbl;dur=30000.0," } } },
  { get = "/a", expect = { cache = "hit", age = 0, headers.server-timing = { matches = "cdn-downstream-fbl;dur=0.0$" } } },
  { get = "/b", expect = { cache = "miss", headers.date = { contains = "01 Mar 2027 12:00:00" } } },
  { advance = "9s" },
  { get = "/a", expect = { cache = "hit", age = 9 } },
]

[[test]]
name = "too long"
origin.site = [{ delay = "30001ms", body = "never" }, { fail = "timeout" }, { delay = "29s", fail = "reset" }]
steps = [
  { get = "/", expect = { status = 504, cache = "error", error = { contains = "no answer in time" } } },
  { get = "/2", expect = { status = 504, error = { contains = "no answer in time" } } },
  { get = "/3", expect.status = 502 },
]
"#,
    );
}

#[test]
fn what_is_stored_stands_in_for_a_slow_origin() {
    passes(
        PLAIN,
        &[],
        r#"
[[test]]
name = "after the soft deadline, while the fetch goes on"
origin.site = [
  { body = "one", headers = { cache-control = "max-age=60" } },
  { delay = "2500ms", body = "two", headers = { cache-control = "max-age=60" } },
]
steps = [
  { get = "/", expect.cache = "miss" },
  { advance = "61s" },
  { get = "/", expect = { cache = "stale", body = "one", age = 61, origin_calls = 1 } },
  { get = "/", expect = { cache = "stale", body = "one", origin_calls = 0 } },
  { get = "/", expect = { body = "two", age = 0, origin_calls = 0 } },
  { get = "/", expect = { cache = "hit", body = "two" } },
]

[[test]]
name = "before it the answer is worth the wait"
origin.site = [
  { body = "one", headers = { cache-control = "max-age=60" } },
  { delay = "999ms", body = "two", headers = { cache-control = "max-age=60" } },
]
steps = [
  { get = "/" },
  { advance = "61s" },
  { get = "/", expect = { cache = "expired", body = "two" } },
]

[[test]]
name = "a fetch that nobody waits for ends when time passes"
origin.site = [
  { body = "one", headers = { cache-control = "max-age=60, stale-while-revalidate=600" } },
  { delay = "20s", body = "two", headers = { cache-control = "max-age=60" } },
]
steps = [
  { get = "/" },
  { advance = "61s" },
  { get = "/", expect = { cache = "stale", body = "one", origin_calls = 1 } },
  { advance = "19s" },
  { get = "/", expect = { cache = "stale", body = "one", age = 80, origin_calls = 0 } },
  { advance = "11s" },
  # It came after 20 s, which are part of its age, and that was 10 s ago.
  { get = "/", expect = { cache = "hit", body = "two", age = 30, origin_calls = 0 } },
]

[[test]]
name = "an origin that never answers"
origin.site = [
  { body = "one", headers = { cache-control = "max-age=60" } },
  { fail = "timeout" },
]
steps = [
  { get = "/" },
  { advance = "61s" },
  { get = "/", expect = { cache = "stale", body = "one", origin_calls = 1 } },
  { advance = "30s" },
  { get = "/", expect = { cache = "stale", body = "one", origin_calls = 0 } },
]
"#,
    );
}

#[test]
fn requests_that_come_together_wait_for_a_slow_origin_as_long_as_real_ones() {
    passes(
        PLAIN,
        &[],
        r#"
[[test]]
name = "up to five seconds"
origin.site = [{ delay = "4999ms", body = "one", headers = { cache-control = "max-age=60" } }, { body = "two" }]
steps = [
  { parallel = [
    { get = "/", expect = { body = "one", origin_calls = 1 } },
    { get = "/", expect = { body = "one" } },
    { get = "/", expect = { body = "one" } },
  ] },
]

[[test]]
name = "and then ask for themselves"
origin.site = [{ delay = "5001ms", body = "one", headers = { cache-control = "max-age=60" } }, { body = "two" }]
steps = [
  { parallel = [
    { get = "/", expect = { body = "one", cache = "miss", origin_calls = 2 } },
    { get = "/", expect = { body = "two", cache = "uncacheable" } },
  ] },
  { get = "/", expect = { cache = "hit", body = "one" } },
]

[[test]]
name = "each of several origins takes its own time"
origin.site = [{ delay = "20s", body = "slow" }, { delay = "10s", body = "quick" }]
steps = [
  { parallel = [ { get = "/a", expect.body = { in = ["slow", "quick"] } }, { get = "/b", expect.body = { in = ["slow", "quick"] } } ] },
]
"#,
    );
}

#[test]
fn ranges_are_kept_by_the_clock() {
    passes(
        PLAIN,
        &[],
        r#"
[[test]]
name = "an object that came in answer to a request for a slice"
origin.site = { status = 206, headers = { etag = "\"a\"", content-range = "bytes 0-9/10", cache-control = "max-age=60" }, body = "0123456789" }
steps = [
  { get = "/", headers = { range = "bytes=2-5" }, expect = { status = 206, body = "2345", cache = "miss", origin_request.headers.range = "bytes=0-1048575" } },
  { advance = "60s" },
  { get = "/", headers = { range = "bytes=4-5" }, expect.origin_calls = 1 },
]

[[test]]
name = "fresh"
origin.site = { status = 206, headers = { etag = "\"a\"", content-range = "bytes 0-9/10", cache-control = "max-age=60" }, body = "0123456789" }
steps = [
  { get = "/", headers = { range = "bytes=2-5" } },
  { advance = "59s" },
  { get = "/", headers = { range = "bytes=4-5" }, expect = { status = 206, body = "45", cache = "hit", age = 59, origin_calls = 0 } },
]
"#,
    );
}

/// A function that lets in who has a token (in `x-token`, its payload alone) that has not expired, and tells the time.
const JAVASCRIPT: &str = "const loaded = new Date();\n\
    exports.handler = async (event) => {\n\
    \x20 const request = event.Records[0].cf.request;\n\
    \x20 const payload = JSON.parse(Buffer.from(request.headers['x-token'][0].value, 'base64').toString());\n\
    \x20 if (payload.exp < Date.now() / 1000) return { status: '401', body: 'expired at ' + new Date().toISOString() };\n\
    \x20 console.log('loaded ' + loaded.toISOString());\n\
    \x20 request.headers['x-now'] = [{ key: 'X-Now', value: new Date().toISOString() }];\n\
    \x20 return request;\n};\n";
const PYTHON: &str = "import base64, json\n\
    from datetime import datetime, timezone\n\
    from time import time\n\
    def shown(moment):\n\
    \x20   return moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z')\n\
    loaded = datetime.now(timezone.utc)\n\
    def handler(event, context):\n\
    \x20   request = event['Records'][0]['cf']['request']\n\
    \x20   payload = json.loads(base64.b64decode(request['headers']['x-token'][0]['value']))\n\
    \x20   if payload['exp'] < time():\n\
    \x20       return {'status': '401', 'body': 'expired at ' + shown(datetime.now(timezone.utc))}\n\
    \x20   print('loaded ' + shown(loaded))\n\
    \x20   request['headers']['x-now'] = [{'key': 'X-Now', 'value': shown(datetime.now(timezone.utc))}]\n\
    \x20   return request\n";

/// Attached at that hook, with a budget that a busy machine can keep.
fn attached(kind: &str, hook: &str) -> String {
    let function = engine::function(kind, "handler = \"handler\"\ntimeout = \"30s\"");
    let behavior = "[[behavior]]\npath = \"*\"\norigin = \"site\"\ncache_policy = \"CachingDisabled\"\n\
        origin_request_policy = \"AllViewer\"";
    format!("{function}{behavior}\n{hook} = \"f\"\n")
}

#[test]
fn lambda_functions_see_the_tests_clock() {
    // {"exp":1767225660}: a minute after the beginning of 2026.
    let tests = r#"
[[test]]
name = "a token expires"
origin.site = { body = "hello" }
steps = [
  { get = "/", headers = { x-token = "eyJleHAiOjE3NjcyMjU2NjB9" }, expect = { body = "hello", origin_request.headers.x-now = "2026-01-01T00:00:00.000Z" } },
  { advance = "60s" },
  { get = "/2", headers = { x-token = "eyJleHAiOjE3NjcyMjU2NjB9" }, expect = { status = 200, origin_request.headers.x-now = "2026-01-01T00:01:00.000Z" } },
  { advance = "1ms" },
  { get = "/3", headers = { x-token = "eyJleHAiOjE3NjcyMjU2NjB9" }, expect = { status = 401, body = "expired at 2026-01-01T00:01:00.001Z", origin_calls = 0 } },
]

[[test]]
name = "another test has another time"
clock = 2025-06-01T10:00:00Z
origin.site = { body = "hello" }
request = { uri = "/", headers = { x-token = "eyJleHAiOjE3NjcyMjU2NjB9" } }
expect = { status = 200, origin_request.headers.x-now = "2025-06-01T10:00:00.000Z" }

[[test]]
name = "the function alone"
function = "f"
clock = 2030-01-01T00:00:00Z
request = { uri = "/", headers = { x-token = "eyJleHAiOjE3NjcyMjU2NjB9" } }
expect = { status = 401, body = "expired at 2030-01-01T00:00:00.000Z" }
"#;
    // The clock of an executable that speaks the Runtime API is the machine's.
    for kind in engine::engines().into_iter().filter(|kind| *kind != "provided") {
        let source = engine::code(kind, engine::of(kind, JAVASCRIPT, PYTHON));
        passes(&attached(kind, "viewer_request"), &[(engine::file(kind), &source)], tests);
    }
}

#[test]
fn dates_of_node_are_as_ever_but_for_the_present() {
    let source = "const { statSync } = require('fs');\n\
        class Own extends Date { year() { return this.getUTCFullYear(); } }\n\
        const { now } = Date;\n\
        exports.handler = async () => ({ status: '200', body: JSON.stringify([\n\
        \x20 new Date() instanceof Date, statSync(__filename).mtime instanceof Date, Object.prototype.toString.call(new Date()),\n\
        \x20 Date.length, Date.name, now.name, now(), new Date(0).getTime(), new Date(2020, 1).getMonth(), Date.UTC(1970, 0), Date.parse('1970-01-01'),\n\
        \x20 new Own().year(), new Own(0).year(), new Own() instanceof Own, new Own() instanceof Date, Own.now(), new Date().constructor === Date,\n\
        \x20 typeof Date(), Date().slice(11, 15), JSON.stringify(new Date()), Object.keys(Date).length, util_types() ]) });\n\
        const util_types = () => require('util').types.isDate(new Date());\n";
    let expected = r#"[true,true,"[object Date]",7,"Date","now",1767225600000,0,1,0,0,2026,1970,true,true,1767225600000,true,"string","2026","\"2026-01-01T00:00:00.000Z\"",0,true]"#;
    let tests = format!(
        "[[test]]\nname = \"dates\"\norigin.site = {{ body = \"x\" }}\nrequest = {{ uri = \"/\" }}\nexpect = {{ body = '{expected}' }}\n"
    );
    for kind in engine::javascript_engines() {
        passes(&attached(kind, "origin_request"), &[(engine::file(kind), source)], &tests);
    }
}

#[test]
fn what_is_explained_for_later_is_decided_at_that_time() {
    const SECRET: &str = "a-secret-for-tests-only-0123456789abcdef";
    let config = format!(
        "version = 1\n[origin.site]\nurl = \"https://site.example.com\"\n[authorizer.staff]\nsecret = \"{SECRET}\"\n\
         algorithms = [\"HS256\"]\nissuer = \"https://issuer\"\naudience = \"edge\"\n{}authorizer = \"staff\"\n",
        attached("nodejs", "viewer_request").replace(
            "[[behavior]]",
            "[[behavior]]\npath = \"/open/*\"\norigin = \"site\"\nviewer_request = \"f\"\n[[behavior]]"
        )
    );
    let project = folder(&[("edge.toml", &*config), ("f.js", JAVASCRIPT)]);
    let expiring =
        |exp: u64| token("HS256", None, &json!({ "iss": "https://issuer", "aud": "edge", "exp": exp }), SECRET);
    let token = expiring(now() + 1800);
    let payload = token.split('.').nth(1).unwrap();
    let headers = [format!("authorization: Bearer {token}"), format!("x-token: {payload}")];
    let outcome = |url: &str, at: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["explain", "--offline", "--json", url, "-H", &headers[0], "-H", &headers[1]]).args(at);
        let ran = command.current_dir(&project).output().unwrap();
        let told: Value = serde_json::from_slice(&ran.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ran.stderr)));
        (
            told["outcome"].as_str().unwrap().to_owned(),
            told["status"].clone(),
            told["failure"].as_str().unwrap_or_default().to_owned(),
        )
    };
    for path in ["/open/x", "/x"] {
        let url = format!("https://www.example.com{path}");
        assert_eq!(outcome(&url, &[]).1, Value::Null, "{path} goes on to the cache now");
        assert_eq!(outcome(&url, &["--at", "+20m"]).1, Value::Null, "{path}");
        let (told, status, failure) = outcome(&url, &["--at", "+40m"]);
        assert_eq!((told.as_str(), status), ("generated", json!(401)), "{path}: {failure}");
    }
}
