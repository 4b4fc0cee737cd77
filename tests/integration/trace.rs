//! `edgehook trace` and `edgehook tail`, at a node that serves.

use crate::harness::{Answer, Edge, Origin, binary, eventually};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

const REWRITE: &str = "function handler(event) {\n\
    \x20 console.log('saw ' + event.request.uri);\n\
    \x20 if (event.request.uri === '/broken') throw new Error('no such thing');\n\
    \x20 if (event.request.uri === '/moved') return { statusCode: 302, headers: { location: { value: '/' } } };\n\
    \x20 if (event.request.uri === '/today') return { statusCode: 302, headers: { location: { value: new Date().toISOString().slice(0, 10) } } };\n\
    \x20 event.request.headers['x-lang'] = { value: 'fr' };\n\
    \x20 return event.request;\n}\n";

fn edge(origin: &Origin, trace: &str) -> Edge {
    let config = format!(
        "[trace]\n{trace}\n[origin.app]\nurl = \"{}\"\n\
         [function.rewrite]\nruntime = \"cloudfront-js-2.0\"\nfile = \"rewrite.js\"\nbudget = \"50ms\"\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"60s\", max = \"1h\" }}\nquery = {{ include = [\"page\"] }}\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\nviewer_request = \"rewrite\"\n",
        origin.url(),
    );
    Edge::start(&config, &[("rewrite.js", REWRITE)])
}

fn run(edge: &Edge, arguments: &[&str]) -> (i32, String, String) {
    let address = format!("http://{}", edge.admin_address());
    let ran = Command::new(binary())
        .args(arguments)
        .args(["--admin", &address])
        .current_dir(edge.folder())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code().unwrap(), text(&ran.stdout), text(&ran.stderr))
}

/// The record of the last request to this URL, once it is there.
fn traced(edge: &Edge, url: &str, more: &[&str]) -> String {
    eventually("it is recorded", || {
        let (code, out, _) = run(edge, &[&["trace", "--url", url], more].concat());
        (code == 0).then_some(out)
    })
}

const SCHEMA_LINE: &str = "#:schema ../.edgehook/tests.schema.json\n# Recorded ";

#[test]
fn the_whole_life_of_a_request() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let edge = edge(&origin, "sample = 1");
    let reply = edge.get("/shop?page=2&utm_source=x");
    let id = reply.header("x-amz-cf-id").to_owned();
    let page = traced(&edge, "/shop?page=2&utm_source=x", &[]);
    for expected in [
        "/shop?page=2&utm_source=x",
        &id,
        " 1 behavior        \"*\"  (edge.toml:",
        "viewer-request  rewrite ",
        "+ headers.x-lang: fr",
        "| saw /shop",
        "query page=2",
        "query utm_source not in the key: dropped: not in cache_policy.p.query  (edge.toml:",
        "cache           miss   uri-miss",
        "origin          app /shop?page=2   200 in ",
        "store           stored for ",
        "answer          200  miss in ",
    ] {
        assert!(page.contains(expected), "{expected}\n----\n{page}");
    }
    let (code, by_id, _) = run(&edge, &["trace", &id[..10]]);
    assert_eq!((code, by_id), (0, page.clone()));
    assert_eq!(run(&edge, &["trace", "--last"]).1, page);
    let json: Value = serde_json::from_str(&run(&edge, &["trace", "--last", "--json"]).1).unwrap();
    assert_eq!(json["id"], id);
    let (code, _, err) = run(&edge, &["trace", "no-such-request"]);
    assert!(code == 1 && err.contains("no record of this request"), "{err}");
    let nowhere = Command::new(binary()).args(["trace", "--last", "--admin", "http://127.0.0.1:1"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(3));
}

#[test]
fn recorded_requests_become_tests_that_pass() {
    let origin = Origin::start(|_| Answer::cached("hello"));
    let edge = edge(&origin, "sample = 1\nbodies = true");
    for path in ["/a?page=1", "/a?page=1", "/moved", "/today"] {
        edge.get(path);
        traced(&edge, path, &[]);
    }
    // The hit, once it is the last record.
    eventually("the hit is recorded", || {
        let record: Value = serde_json::from_str(&run(&edge, &["trace", "--url", "/a?page=1", "--json"]).1).ok()?;
        (record["outcome"] == "hit").then_some(())
    });
    traced(&edge, "/a?page=1", &["--save", "test"]);
    fs::create_dir(edge.folder().join(".edgehook")).unwrap_or_default();
    fs::write(edge.folder().join(".edgehook/tests.schema.json"), "{}").unwrap();
    traced(&edge, "/moved", &["--save", "test"]);
    let files = fs::read_dir(edge.folder().join("tests")).unwrap().map(|entry| entry.unwrap().path());
    let with_schema = files.filter(|file| fs::read_to_string(file).unwrap().starts_with(SCHEMA_LINE)).count();
    assert_eq!(with_schema, 1, "the one that was saved when there was a schema to name");
    traced(&edge, "/today", &["--save", "test"]);
    traced(&edge, "/moved", &["--save", "event"]);
    let saved = fs::read_dir(edge.folder().join("tests")).unwrap().count();
    assert_eq!(saved, 4, "three tests and a folder of events");
    let ran = Command::new(binary()).arg("test").current_dir(edge.folder()).env("NO_COLOR", "1").output().unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && out.contains("4 passed, 0 failed"),
        "{out}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
fn requests_are_followed_whether_they_are_sampled_or_not() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let edge = edge(&origin, "sample = 0");
    let address = format!("http://{}", edge.admin_address());
    let follow = |arguments: &[&str]| {
        let mut child = Command::new(binary())
            .arg("tail")
            .args(arguments)
            .args(["--admin", &address])
            .current_dir(edge.folder())
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        (BufReader::new(child.stdout.take().unwrap()).lines(), child)
    };
    let (mut failures, mut first) = follow(&["--status", "5xx"]);
    let (mut all, mut second) = follow(&["--json", "--path", "/b*"]);
    // Nobody knows when they listen; ask until both have heard.
    let asking = std::sync::atomic::AtomicBool::new(true);
    let line = std::thread::scope(|scope| {
        scope.spawn(|| {
            while asking.load(std::sync::atomic::Ordering::Relaxed) {
                edge.get("/plain");
                edge.get("/broken");
            }
        });
        let failed = failures.next().unwrap().unwrap();
        let broken = all.next().unwrap().unwrap();
        asking.store(false, std::sync::atomic::Ordering::Relaxed);
        (failed, broken)
    });
    first.kill().unwrap();
    second.kill().unwrap();
    let _ = (first.wait(), second.wait());
    assert!(line.0.contains("GET  /broken            503  error"), "{}", line.0);
    let record: Value = serde_json::from_str(&line.1).unwrap();
    assert_eq!((&record["target"], &record["status"]), (&"/broken".into(), &503.into()));
    let refused = Command::new(binary()).args(["tail", "--admin", "http://127.0.0.1:1"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(3));
}

#[test]
fn who_knows_the_debug_secret_is_told_key_and_timings_and_nobody_else_notices() {
    const SECRET: &str = "0123456789abcdef";
    let origin = Origin::start(|_| Answer::new(200, &[("cache-control", "max-age=60")], "hello"));
    let debug = format!("sample = 0\n[debug]\nheader = \"X-Why\"\nsecret = \"{SECRET}\"");
    let edge = edge(&origin, &debug);
    let told = edge.get_with("/a?page=2&x=1", &[("x-why", SECRET)]);
    let status = told.header("cache-status").to_owned();
    assert!(status.contains("; key=\"") && status.contains("query page=2") && !status.contains("x=1"), "{status}");
    let timing = told.header("server-timing").to_owned();
    for part in ["viewer-request;desc=\"rewrite\";dur=", "origin;desc=\"app\";dur=", "total;dur="] {
        assert!(timing.contains(part), "{timing}");
    }
    assert!(!told.header("x-amz-cf-id").is_empty());
    let record = traced(&edge, "/a?page=2&x=1", &[]);
    assert!(record.contains("cache key") && !record.contains(SECRET), "{record}");
    for headers in [&[][..], &[("x-why", "0123456789abcdeX")], &[("x-why", SECRET), ("x-why", SECRET)]] {
        let plain = edge.get_with("/a?page=2", headers);
        assert_eq!((plain.status, plain.header("server-timing"), plain.header("x-edgehook-detail")), (200, "", ""));
        assert!(!plain.header("cache-status").contains("key="), "{}", plain.header("cache-status"));
    }
    assert!(origin.seen().iter().all(|seen| seen.header("x-why").is_none()));
    let broken = edge.get_with("/broken", &[("x-why", SECRET)]);
    assert_eq!(broken.status, 503);
    assert!(broken.header("x-edgehook-detail").contains("no such thing"), "{}", broken.header("x-edgehook-detail"));
    assert!(edge.get("/broken").header("x-edgehook-detail").is_empty());
}
