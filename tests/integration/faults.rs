//! Functions that fail: what the viewer gets, what the log says, and that nobody else notices.

use crate::harness::{Answer, Edge, Origin, has_python};

const GOOD: &str =
    "function handler(event) { event.request.headers['x-good'] = { value: '1' }; return event.request; }";

/// An edge with one viewer-request function per path, `/NAME`, and a good one for everything else.
fn viewers(origin: &Origin, functions: &[(&str, &str)], more: &str) -> Edge {
    let mut config = format!("[origin.app]\nurl = \"{}\"\n", origin.url());
    let mut files = vec![("good.js".to_owned(), GOOD)];
    config.push_str("[function.good]\nruntime = \"cloudfront-js-2.0\"\nfile = \"good.js\"\nbudget = \"50ms\"\n");
    let mut behaviors = String::new();
    for (name, source) in functions {
        files.push((format!("{name}.js"), source));
        config.push_str(&format!("[function.{name}]\nruntime = \"cloudfront-js-2.0\"\nfile = \"{name}.js\"\n{more}\n"));
        behaviors
            .push_str(&format!("[[behavior]]\npath = \"/{name}\"\norigin = \"app\"\nviewer_request = \"{name}\"\n"));
    }
    behaviors.push_str(
        "[[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\nviewer_request = \"good\"\n",
    );
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    Edge::start(&format!("{config}{behaviors}"), &files)
}

#[test]
fn hostile_functions_beside_a_healthy_one() {
    let origin = Origin::start(|seen| Answer::ok(seen.header("x-good").unwrap_or("0")));
    let functions = [
        ("syntax", "function handler(event) {\n  return event.request;\n}}"),
        ("throws", "function handler(event) {\n  var x;\n  return x.uri;\n}"),
        ("loops", "function handler(event) { for (;;) {} }"),
        ("regex", "function handler(event) { return /^(a+)+$/.test('a'.repeat(40) + '!'); }"),
        ("allocates", "function handler(event) { return 'x'.repeat(Math.pow(2, 30)); }"),
        ("grows", "function handler(event) { var a = []; for (;;) { a.push(new Array(1000).fill(a.length)); } }"),
        ("recursion", "function handler() { var p = new Proxy({}, {}); p.__proto__ = p; return p.zzz; }"),
        ("pending", "function handler(event) { return new Promise(function () {}); }"),
        ("nothing", "var x = 1;"),
    ];
    let edge = viewers(&origin, &functions, "budget = \"5ms\"");
    for (name, _) in functions {
        let reply = edge.get(&format!("/{name}"));
        assert_eq!((reply.status, reply.x_cache()), (503, "FunctionExecutionError"), "{name}: {reply:?}");
        assert!(reply.text().contains(reply.header("x-amz-cf-id")), "the page names the request");
        assert!(!reply.text().contains("uri"), "the page shows nothing of the script");
        let healthy = edge.get("/fine");
        assert_eq!((healthy.status, healthy.text().as_str()), (200, "1"), "after {name}");
    }
    for expected in
        ["function=\"throws\"", "TypeError", "(line 3", "syntax.js:3:", "bytes of memory per run", "µs of CPU time"]
    {
        edge.says(expected);
    }
    assert_eq!(origin.count(), functions.len(), "only healthy requests went on");
}

#[test]
fn invalid_results_are_502() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let functions = [
        ("string", "function handler(event) { return 'x'; }"),
        ("event", "function handler(event) { return event; }"),
        ("host", "function handler(event) { event.request.headers.host.value = 'g'; return event.request; }"),
        (
            "forbidden",
            "function handler(event) { event.request.headers['x-edge-a'] = { value: '1' }; return event.request; }",
        ),
        (
            "split",
            "function handler(event) { event.request.headers['x-a'] = { value: '1\\r\\nx-b: 2' }; return event.request; }",
        ),
        ("status", "function handler(event) { return { statusCode: 99 }; }"),
        ("body", "function handler(event) { return { statusCode: 200, body: 'x'.repeat(40961) }; }"),
    ];
    let edge = viewers(&origin, &functions, "budget = \"50ms\"");
    for (name, _) in functions {
        let reply = edge.get(&format!("/{name}"));
        assert_eq!((reply.status, reply.x_cache()), (502, "FunctionValidationError"), "{name}: {reply:?}");
    }
    assert_eq!(origin.count(), 0);
    for expected in ["read-only header \"host\"", "header.disallowed", "%0D", "status.range", "40961 bytes"] {
        edge.says(expected);
    }
}

#[test]
fn a_bypassed_function_leaves_the_request_as_it_was() {
    let origin = Origin::start(|seen| Answer::ok(&seen.target));
    let functions =
        [("throws", "function handler() { throw new Error('no'); }"), ("bad", "function handler() { return 1; }")];
    let edge = viewers(&origin, &functions, "on_error = \"bypass\"");
    assert_eq!(edge.get("/throws").text(), "/throws");
    assert_eq!(edge.get("/bad").text(), "/bad");
    edge.says("function failed: Error: no");
}

/// An edge with one origin-request function per path.
fn lambdas(origin: &Origin, kind: &str, functions: &[(&str, &str)]) -> Edge {
    let suffix = if kind == "python" { "py" } else { "js" };
    let mut config = format!("[origin.app]\nurl = \"{}\"\n", origin.url());
    let (mut behaviors, mut files) = (String::new(), Vec::new());
    for (name, source) in functions {
        files.push((format!("{name}.{suffix}"), *source));
        config.push_str(&format!(
            "[function.{name}]\nruntime = \"{kind}\"\nfile = \"{name}.{suffix}\"\ntimeout = \"1s\"\n"
        ));
        behaviors
            .push_str(&format!("[[behavior]]\npath = \"/{name}\"\norigin = \"app\"\norigin_request = \"{name}\"\n"));
    }
    behaviors.push_str("[[behavior]]\npath = \"*\"\norigin = \"app\"\n");
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    Edge::start(&format!("{config}{behaviors}"), &files)
}

fn check_lambdas(kind: &str, failing: &[(&str, &str)], invalid: &[(&str, &str)], logged: &[&str]) {
    let origin = Origin::start(|_| Answer::ok("fine"));
    let all: Vec<(&str, &str)> = failing.iter().chain(invalid).copied().collect();
    let edge = lambdas(&origin, kind, &all);
    for (name, _) in failing {
        // Twice: a process that was lost is replaced.
        for _ in 0..2 {
            let reply = edge.get(&format!("/{name}"));
            assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"), "{name}: {reply:?}");
        }
    }
    for (name, _) in invalid {
        let reply = edge.get(&format!("/{name}"));
        assert_eq!((reply.status, reply.x_cache()), (502, "LambdaValidationError"), "{name}: {reply:?}");
    }
    assert_eq!(origin.count(), 0);
    assert_eq!(edge.get("/other").text(), "fine");
    for expected in logged {
        edge.says(expected);
    }
}

#[test]
fn javascript_lambda_failures() {
    check_lambdas(
        "nodejs",
        &[
            ("throws", "exports.handler = async () => { throw new TypeError('my words'); };"),
            ("hangs", "exports.handler = async () => { for (;;) {} };"),
            ("exits", "exports.handler = async () => { process.exit(3); };"),
            ("syntax", "exports.handler = async () => { return 1; }}"),
            ("absent", "exports.other = 1;"),
            ("imports", "const fs = require('net'); exports.handler = async () => 1;"),
        ],
        &[
            ("null", "exports.handler = async () => null;"),
            ("empty", "exports.handler = async () => ({});"),
            ("status", "exports.handler = async () => ({ status: '99' });"),
        ],
        &[
            "TypeError: my words",
            "Task timed out after 1.00 seconds",
            "exit status: 3",
            "Runtime.UserCodeSyntaxError",
            "Runtime.HandlerNotFound",
            "kind.unknown",
        ],
    );
}

#[test]
fn python_lambda_failures() {
    if !has_python() {
        return;
    }
    check_lambdas(
        "python",
        &[
            ("raises", "def lambda_handler(event, context):\n    raise ValueError('my words')\n"),
            ("hangs", "import time\n\ndef lambda_handler(event, context):\n    time.sleep(600)\n"),
            ("exits", "import os\n\ndef lambda_handler(event, context):\n    os._exit(3)\n"),
            ("syntax", "def lambda_handler(event, context)\n    return 1\n"),
        ],
        &[
            ("none", "def lambda_handler(event, context):\n    return None\n"),
            (
                "split",
                "def lambda_handler(event, context):\n    r = event['Records'][0]['cf']['request']\n    r['headers']['x-a'] = [{'value': 'a\\r\\nb: c'}]\n    return r\n",
            ),
        ],
        &[
            "ValueError: my words",
            "Task timed out after 1.00 seconds",
            "exit status: 3",
            "Runtime.UserCodeSyntaxError",
            "%0D",
        ],
    );
}

#[test]
fn those_who_waited_for_a_failing_function_get_the_same_answer() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let source =
        "exports.handler = async () => { await new Promise((r) => setTimeout(r, 300)); throw new Error('boom'); };";
    let edge = lambdas(&origin, "nodejs", &[("slow", source)]);
    let replies: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10).map(|_| scope.spawn(|| edge.get("/slow"))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for reply in replies {
        assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"), "{reply:?}");
    }
}

#[test]
fn a_rewritten_path_cannot_climb_or_confuse() {
    let origin = Origin::start(|seen| Answer::ok(&seen.target));
    let source =
        |uri: &str| format!("function handler(event) {{ event.request.uri = '{uri}'; return event.request; }}");
    let (up, half, dots) = (source("/../admin"), source("/a%zz"), source("/a/./%62/../c"));
    let edge = viewers(&origin, &[("up", &up), ("half", &half), ("dots", &dots)], "budget = \"50ms\"");
    for name in ["up", "half"] {
        let reply = edge.get(&format!("/{name}"));
        assert_eq!((reply.status, reply.x_cache()), (502, "FunctionValidationError"), "{name}: {reply:?}");
    }
    assert_eq!(edge.get("/dots").text(), "/a/c");
    assert_eq!(origin.count(), 1);
}

#[test]
fn text_of_a_function_cannot_forge_log_lines() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let source = "function handler() { throw new Error('a\\n2026-01-01 ERROR forged\\u001b[2J'); }";
    let edge = viewers(&origin, &[("forge", source)], "");
    assert_eq!(edge.get("/forge").status, 503);
    let log = edge.says("forged");
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01")) && !log.contains('\u{1b}'), "{log}");
}

#[test]
fn a_large_upload_gets_the_answer_that_a_function_gives_without_reading_it() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let source = "function handler() { return { statusCode: 413, body: 'too much' }; }";
    let edge = viewers(&origin, &[("upload", source)], "budget = \"50ms\"");
    for _ in 0..5 {
        let reply = edge.client().request("POST", "/upload", &[], &vec![b'x'; 900_000]);
        assert_eq!((reply.status, reply.text().as_str()), (413, "too much"));
    }
}
