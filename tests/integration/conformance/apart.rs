//! Vectors that need a configuration or a sequence of requests of their own.

use super::PRELUDE;
use crate::harness::{Answer, Edge, Origin};
use edgehook_contract::Header;

/// A configuration with one origin and these functions, all at `budget = "50ms"`.
fn config(origin: &Origin, functions: &[(&str, &str)], behaviors: &str) -> String {
    let mut config = format!(
        "[origin.app]\nurl = \"{}\"\n[cache_policy.c]\nttl = {{ min = \"0s\", default = \"60s\", max = \"60s\" }}\nquery = \"all\"\n",
        origin.url()
    );
    for (name, more) in functions {
        config.push_str(&format!("[function.{name}]\nfile = \"{name}.js\"\nbudget = \"50ms\"\n{more}\n"));
    }
    config + behaviors
}

const JS2: &str = "runtime = \"cloudfront-js-2.0\"";

fn behavior(path: &str, rest: &str) -> String {
    format!("[[behavior]]\npath = \"{path}\"\norigin = \"app\"\ncache_policy = \"c\"\n{rest}\n")
}

#[test]
fn row_8_only_ascii_letters_of_names_are_folded() {
    // The HTTP library refuses such a name on the wire, so this is as far out as it can be shown.
    assert_eq!(Header::new("TÈst-header", "1").name, "tÈst-header");
}

#[test]
fn rows_27_65_67_78_80_81_the_cache_and_the_hooks() {
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/missing" => Answer::new(404, &[("cache-control", "max-age=60")], "gone"),
        target => Answer::cached(target),
    });
    let request = "function handler(event) { const r = event.request;
        if (r.uri.startsWith('/rewritten')) { r.uri = '/new'; }
        if (r.uri === '/made') { return { statusCode: 200, body: String(Math.random()) }; }
        r.headers['x-g'] = { value: 'from the request hook' };
        return r; }";
    let response = "function handler(event) { const p = event.response;
        if (event.request.headers['x-f']) { throw new Error('asked to'); }
        p.headers['x-r'] = { value: String(Math.random()) };
        p.headers['x-saw'] = event.request.headers['x-g'];
        return p; }";
    let hooks = "viewer_request = \"vq\"\nviewer_response = \"vs\"";
    let behaviors = behavior("/new", "methods = [\"GET\"]") + &behavior("*", hooks);
    let config = config(&origin, &[("vq", JS2), ("vs", JS2)], &behaviors);
    let edge = Edge::start(&config, &[("vq.js", request), ("vs.js", response)]);

    // 27: the behavior stays, the key is that of the new path.
    assert_eq!((edge.get("/rewritten").text().as_str(), origin.only().target.as_str()), ("/new", "/new"));
    let again = edge.get("/rewritten-too");
    assert_eq!((again.x_cache(), again.text().as_str()), ("Hit", "/new"));
    assert!(!again.header("x-r").is_empty(), "the first behavior's functions run");
    // 65: never stored.
    let (first, second) = (edge.get("/made"), edge.get("/made"));
    assert_eq!((first.x_cache(), second.x_cache()), ("FunctionGeneratedResponse", "FunctionGeneratedResponse"));
    assert_ne!(first.text(), second.text());
    assert_eq!(origin.count(), 1);
    // 67: runs on hits, and its edits are not stored.
    let replies: Vec<_> = (0..3).map(|_| edge.get("/a")).collect();
    assert_eq!(replies.iter().map(|reply| reply.x_cache()).collect::<Vec<_>>(), ["Miss", "Hit", "Hit"]);
    assert_ne!(replies[1].header("x-r"), replies[2].header("x-r"));
    assert_eq!(replies[2].headers.iter().filter(|(name, _)| name == "x-r").count(), 1);
    // 80: what the request hook set is there.
    assert_eq!(replies[2].header("x-saw"), "from the request hook");
    // 78: not run for a stored error.
    for word in ["Miss", "Hit"] {
        let reply = edge.get("/missing");
        assert_eq!((reply.status, reply.x_cache(), reply.header("x-r")), (404, word, ""));
    }
    // 81: a failure of the response hook leaves what is stored.
    let failed = edge.get_with("/b", &[("x-f", "1")]);
    assert_eq!((failed.status, failed.x_cache()), (503, "FunctionExecutionError"));
    let served = edge.get("/b");
    assert_eq!((served.status, served.x_cache(), served.text().as_str()), (200, "Hit", "/b"));
}

#[test]
fn rows_85_86_87_98_102_functions_that_cannot_be_loaded() {
    let broken: [(&str, &str, &str); 7] = [
        ("b85", "function handler(event) {\n  return event.request;\n}}", "b85.js:3:"),
        ("b86", "throw new Error('at the top'); function handler(e) { return e.request; }", "at the top"),
        ("b87", "function other() {}", "no function named"),
        ("b87x", "export function handler(e) { return e.request; }", "export does not exist here"),
        (
            "b98",
            "import {createHash} from 'crypto';\nfunction handler(e) { return e.request; }",
            "only default imports",
        ),
        (
            "b102",
            "import cf from 'cloudfront';\nconst h = cf.kvs();\nfunction handler(e) { return e.request; }",
            "KVSNamespaceNotFound",
        ),
        (
            "await1",
            "import c from 'crypto';\nawait 1;\nfunction handler(e) { return e.request; }",
            "not at the top level",
        ),
    ];
    let origin = Origin::start(|_| Answer::cached("x"));
    let functions = broken.map(|(name, ..)| (name, JS2));
    let behaviors =
        broken.map(|(name, ..)| behavior(&format!("/{name}"), &format!("viewer_request = \"{name}\""))).concat();
    let files = broken.map(|(name, source, _)| (format!("{name}.js"), source));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, source)| (name.as_str(), *source)).collect();
    let edge = Edge::start(&config(&origin, &functions, &(behaviors + &behavior("*", ""))), &files);
    for (name, _, expected) in broken {
        edge.says(expected);
        let reply = edge.get(&format!("/{name}"));
        assert_eq!((reply.status, reply.x_cache()), (503, "FunctionExecutionError"), "{name}");
    }
    assert_eq!(origin.count(), 0, "failures are closed");
}

#[test]
fn rows_39_46_99_lenient_functions() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = "function handler(event) { const r = event.request; console.log({ a: 1 }, [1, { b: 2 }]);
        r.headers['X-A'] = { value: '1' }; r.headers.cookie = { value: 'a=1' }; return r; }";
    let lenient = format!("{JS2}\nvalidation = \"lenient\"");
    let behaviors =
        "[[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\nviewer_request = \"f\"\n";
    let edge = Edge::start(&config(&origin, &[("f", &lenient)], behaviors), &[("f.js", source)]);
    assert_eq!(edge.get("/").status, 200);
    let seen = origin.only();
    assert_eq!((seen.header("x-a"), seen.header("cookie")), (Some("1"), Some("a=1")));
    edge.says("{\"a\":1} [1,{\"b\":2}]");
}

#[test]
fn row_118_the_first_runtime() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = "var c = require('crypto');
        function handler(event) { return { statusCode: 200, statusDescription: 'OK', headers: {
            'x-a': { value: String.bytesFrom('aGk', 'base64url') },
            'x-b': { value: c.createHash('md5').update('').digest('base64url') },
            'x-c': { value: typeof Buffer + typeof atob + typeof event.request.rawQueryString } } }; }";
    let edge = Edge::start(
        &config(&origin, &[("f", "runtime = \"cloudfront-js-1.0\"")], &behavior("*", "viewer_request = \"f\"")),
        &[("f.js", source)],
    );
    let reply = edge.get("/");
    assert_eq!(
        (reply.header("x-a"), reply.header("x-b"), reply.header("x-c")),
        ("hi", "1B2M2Y8AsgTpgAmY7PhCfg", "undefinedundefinedundefined")
    );
}

#[test]
fn rows_94_122_chance_and_the_vendor() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = format!(
        "{PRELUDE}function handler(event) {{ if (event.request.uri === '/fail') {{ throw 'x'; }} return say(Math.random()); }}"
    );
    let server = "listen = [\"http://127.0.0.1:0\"]\nvendor = \"cloudfront\"";
    let edge = Edge::with_server(
        server,
        &config(&origin, &[("f", JS2)], &behavior("*", "viewer_request = \"f\"")),
        &[("f.js", &source)],
    );
    assert_ne!(edge.get("/").text(), edge.get("/").text());
    let reply = edge.get("/fail");
    assert_eq!(reply.header("x-cache"), "FunctionExecutionError from cloudfront");
    assert!(
        !reply.text().contains("handler") && reply.text().contains(reply.header("x-amz-cf-id")),
        "{}",
        reply.text()
    );
}

#[test]
fn an_untouched_request_is_forwarded_byte_for_byte() {
    use proptest::prelude::*;
    let origin = Origin::start(|_| Answer::ok("x"));
    let behaviors =
        "[[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\nviewer_request = \"f\"\n";
    let source = "function handler(event) { return event.request; }";
    let edge = Edge::start(&config(&origin, &[("f", JS2)], behaviors), &[("f.js", source)]);
    let byte = prop_oneof![4 => 0x21_u8..0x7f, 2 => 0x80_u8..=0xff, 1 => prop::sample::select(&b" ;=,\t"[..])];
    let value = prop::collection::vec(byte, 0..30).prop_map(|bytes| bytes.trim_ascii().to_vec());
    let name = prop_oneof![3 => "[Qq]-[a-z]{1,3}", 1 => Just("Cookie".to_owned()), 1 => Just("accept".to_owned())];
    let lines = prop::collection::vec((name, value), 0..10);
    let query = prop::option::of("[!$-;=?-~]{0,40}");
    let runner = ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(runner, |(lines in lines, query in query)| {
        let target = query.map_or_else(|| "/a".to_owned(), |query| format!("/a?{query}"));
        let mut bytes = format!("GET {target} HTTP/1.1\r\nhost: www.example.com\r\n").into_bytes();
        let line = |(name, value): &(String, Vec<u8>)| [name.as_bytes(), b": ", value].concat();
        for one in &lines {
            bytes.extend_from_slice(&line(one));
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        let mut client = edge.client();
        client.send(&bytes);
        prop_assert_eq!(client.reply(false).status, 200);
        let seen = origin.seen().pop().unwrap();
        prop_assert_eq!(&seen.target, &target);
        // Names take the capital letters of HTTP/1.1, and those of one name stay in their order.
        let named = |lines: Vec<Vec<u8>>, name: &str| -> Vec<Vec<u8>> {
            let is_named = |line: &Vec<u8>| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes())) && line.get(name.len()) == Some(&b':');
            lines.into_iter().filter(is_named).map(|line| line[name.len() + 1..].trim_ascii().to_vec()).collect()
        };
        for (name, _) in &lines {
            prop_assert_eq!(named(seen.lines.clone(), name), named(lines.iter().map(line).collect(), name), "{}", name);
        }
    });
}

#[test]
fn logs_have_amazons_form_and_functions_are_counted() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = "function handler(event) { const uri = event.request.uri;
        if (uri === '/silent') { return event.request; }
        console.log('first'); console.log('second');
        if (uri === '/throws') { throw new Error('x'); }
        if (uri === '/wrong') { return null; }
        return event.request; }";
    let server = "listen = [\"http://127.0.0.1:0\"]\ndistribution_id = \"E123\"";
    let edge = Edge::with_server(
        server,
        &config(&origin, &[("f", JS2)], &behavior("*", "viewer_request = \"f\"")),
        &[("f.js", source)],
    );
    let id = edge.get("/said").header("x-amz-cf-id").to_owned();
    for line in [" START DistributionID: E123", " first", " second", " END"] {
        edge.says(&format!("{id}{line}"));
    }
    let silent = edge.get("/silent").header("x-amz-cf-id").to_owned();
    assert_eq!(edge.get("/throws").status, 503);
    assert_eq!(edge.get("/wrong").status, 502);
    let reply = edge.admin("/status");
    let status: serde_json::Value = serde_json::from_str(&reply.text()).unwrap();
    let metrics = &status["functions"]["f"];
    for (name, count) in [
        ("FunctionInvocations", 4),
        ("FunctionExecutionErrors", 1),
        ("FunctionValidationErrors", 1),
        ("FunctionThrottles", 0),
        ("KvsReadRequests", 0),
    ] {
        assert_eq!(metrics[name], count, "{name}: {metrics}");
    }
    assert!(
        metrics["FunctionComputeUtilization"].as_f64().is_some_and(|average| (0.0..=100.0).contains(&average)),
        "{metrics}"
    );
    assert!(!edge.output().contains(&format!("{silent} START")), "a run that said nothing leaves no lines");
}

#[test]
fn where_the_edge_is() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let server = "listen = [\"http://127.0.0.1:0\"]\nedge_location = { name = \"FRA\", region = \"eu-central-1\", server_ip = \"192.0.2.1\" }";
    let source = format!("{PRELUDE}function handler(event) {{ return say(JSON.stringify(cf.edgeLocation)); }}");
    let edge = Edge::with_server(
        server,
        &config(&origin, &[("f", JS2)], &behavior("*", "viewer_request = \"f\"")),
        &[("f.js", &source)],
    );
    let reply = edge.get("/");
    assert_eq!(reply.text(), r#"{"name":"FRA","serverIp":"192.0.2.1","region":"eu-central-1"}"#);
    assert_eq!(reply.header("x-amz-cf-pop"), "FRA");
}

#[test]
fn a_function_that_always_fails_is_left_alone_where_that_is_wanted() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let broken = "function handler(event) { if (event.request.uri === '/well') { return event.request; } throw new Error('always'); }";
    let breaking = format!("{JS2}\ncircuit_breaker = true");
    let edge = Edge::start(
        &config(
            &origin,
            &[("f", &breaking), ("g", JS2)],
            &(behavior("/g", "viewer_request = \"g\"") + &behavior("*", "viewer_request = \"f\"")),
        ),
        &[("f.js", broken), ("g.js", broken)],
    );
    for path in ["/f", "/g"] {
        let words: Vec<String> = (0..25).map(|_| edge.get(path).x_cache().to_owned()).collect();
        let turned_away = words.iter().filter(|word| *word == "FunctionThrottledError").count();
        assert_eq!(turned_away, if path == "/f" { 5 } else { 0 }, "{path}: {words:?}");
    }
    assert_eq!(edge.get("/well").x_cache(), "FunctionThrottledError", "whatever it would do");
    edge.save("f.js", "function handler(event) { return event.request; }");
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    crate::harness::eventually("the new version is called", || (edge.get("/f").status == 200).then_some(()));
}

#[test]
fn row_79_a_redirect_to_https_comes_before_the_hooks() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = "function handler(event) { throw new Error('it ran'); }";
    let hooks = "viewer_request = \"f\"\nviewer_response = \"f\"\nviewer_protocol_policy = \"redirect-to-https\"";
    let edge = Edge::start(&config(&origin, &[("f", JS2)], &behavior("*", hooks)), &[("f.js", source)]);
    let reply = edge.get("/a?b=1");
    assert_eq!((reply.status, reply.header("location")), (301, "https://www.example.com/a?b=1"));
    assert_eq!((reply.x_cache(), origin.count()), ("Redirect", 0));
}
