//! Key value stores, whole: the file that seeds one, the verbs, the admin API, and the function that reads.

use crate::{
    harness::{Edge, binary, edge::folder, eventually},
    purge::admin,
};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

const CONFIG: &str = "[origin.site]\ndir = \".\"\n[kvs.redirects]\nfile = \"kv.json\"\n[kvs.other]\n\
                      [function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\nkvs = \"redirects\"\nbudget = \"50ms\"\n\
                      [[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_request = \"f\"\n";

const FUNCTION: &str = "import cf from 'cloudfront';
const store = cf.kvs();
async function handler(event) {
  const key = event.request.uri.slice(1);
  const count = await store.count();
  if (!(await store.exists(key))) return { statusCode: 404, body: 'none of ' + count };
  const value = await store.get(key);
  return { statusCode: 200, body: value + ' of ' + count };
}
";

const DATA: &str = "{\"data\":[{\"key\":\"a\",\"value\":\"1\"},{\"key\":\"b\",\"value\":\"2\"}]}";

fn edge() -> Edge {
    Edge::start(CONFIG, &[("f.js", FUNCTION), ("kv.json", DATA)])
}

fn kv_in(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary());
    command.arg("kv").args(arguments).current_dir(folder).env("NO_COLOR", "1").stdin(std::process::Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn kv(edge: &Edge, arguments: &[&str]) -> (Option<i32>, String, String) {
    let address = admin(edge);
    let mut all = arguments.to_vec();
    all.extend(["--admin", &address]);
    kv_in(edge.folder(), &all)
}

fn done(result: (Option<i32>, String, String)) -> String {
    assert_eq!(result.0, Some(0), "{result:?}");
    result.1.trim_end().to_owned()
}

#[test]
fn a_function_reads_what_the_file_says_and_sees_edits_at_once() {
    let edge = edge();
    assert_eq!(edge.get("/a").text(), "1 of 2");
    assert_eq!(done(kv(&edge, &["put", "redirects", "c", "3"])), "redirects: 1 put, 0 removed (#2)");
    // An edit is answered when the hosts have it, so the next request sees it; a second would be allowed.
    let (begun, mut seen) = (Instant::now(), String::new());
    while seen != "3 of 3" && begun.elapsed() < Duration::from_secs(1) {
        seen = edge.get("/c").text();
    }
    assert_eq!(seen, "3 of 3");
    assert_eq!(done(kv(&edge, &["rm", "redirects", "a", "b"])), "redirects: 0 put, 2 removed (#3)");
    assert_eq!(edge.get("/a").text(), "none of 1");
    assert_eq!(edge.get("/a").text(), "none of 1", "every host has it");
}

#[test]
fn edits_survive_being_killed_and_a_host_that_is_new() {
    let edge = edge();
    done(kv(&edge, &["put", "redirects", "a", "9"]));
    edge.signal(Signal::SIGKILL);
    let edge = edge.again();
    assert_eq!(edge.get("/a").text(), "9 of 2");
    done(kv(&edge, &["put", "redirects", "a", "10"]));
    for process in children(edge.process()) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), Signal::SIGKILL);
    }
    eventually("hosts are started again, with the store as it is", || {
        (edge.get("/a").text() == "10 of 2").then_some(())
    });
}

fn children(process: u32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let listed = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    listed.flat_map(|text| text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>()).collect()
}

#[test]
fn a_changed_file_replaces_the_content_and_says_what_is_lost() {
    let edge = edge();
    done(kv(&edge, &["put", "redirects", "c", "3"]));
    edge.signal(Signal::SIGHUP);
    edge.says("config applied: #2");
    assert_eq!(edge.get("/c").text(), "3 of 3", "the file is the one that was loaded");
    edge.save("kv.json", "{\"data\":[{\"key\":\"a\",\"value\":\"new\"}]}");
    edge.signal(Signal::SIGHUP);
    edge.says("config applied: #3");
    let said = edge.says("has changed and replaces its content; edits lost: 1");
    assert!(said.contains("kv.json"), "{said}");
    assert_eq!(edge.get("/a").text(), "new of 1");
    // A file that breaks the format changes nothing.
    edge.save("kv.json", "{\"data\":[{\"key\":\"a\"}]}");
    edge.signal(Signal::SIGHUP);
    edge.says("still serving #3");
    assert_eq!(edge.get("/a").text(), "new of 1");
}

#[test]
fn a_configuration_that_is_refused_leaves_the_content() {
    let edge = edge();
    edge.save("kv.json", "{\"data\":[]}");
    edge.save("f.js", "function handler( {");
    edge.signal(Signal::SIGHUP);
    edge.says("config not applied");
    assert_eq!(edge.get("/a").text(), "1 of 2");
}

#[test]
fn the_verbs_do_the_same_with_a_node_and_without() {
    let config = format!("version = 1\n{CONFIG}");
    let alone = folder(&[("edge.toml", &config), ("f.js", FUNCTION), ("kv.json", DATA)]);
    let node = edge();
    let through_file = |arguments: &[&str]| kv_in(alone.path(), arguments);
    let through_node = |arguments: &[&str]| kv(&node, arguments);
    std::fs::write(alone.path().join("more.json"), "{\"data\":[{\"key\":\"d\",\"value\":\"4\"}]}").unwrap();
    std::fs::write(node.folder().join("more.json"), "{\"data\":[{\"key\":\"d\",\"value\":\"4\"}]}").unwrap();
    for arguments in [
        &["get", "redirects", "a"][..],
        &["get", "redirects", "none"],
        &["put", "redirects", "a/ä?&", "x\ny"],
        &["get", "redirects", "a/ä?&"],
        &["put", "redirects", "a/ä?&", "x\ny"],
        &["ls", "redirects"],
        &["ls", "redirects", "--prefix", "a"],
        &["ls", "redirects", "--json"],
        &["ls", "--json"],
        &["ls"],
        &["rm", "redirects", "b", "none"],
        &["import", "redirects", "more.json", "--merge"],
        &["export", "redirects"],
        &["import", "redirects", "more.json", "--json"],
        &["export", "redirects"],
        &["get", "redirects", "d", "--json"],
        &["ls", "other"],
    ] {
        let (file, node) = (through_file(arguments), through_node(arguments));
        assert_eq!(file, node, "{arguments:?}");
    }
    assert_eq!(through_file(&["get", "redirects", "a"]).0, Some(1), "import replaced everything");
    assert_eq!(through_file(&["put", "other", "k", &"v".repeat(1_024)]).0, Some(0));
    for refused in
        [&["put", "other", "k", &"v".repeat(1_025)][..], &["put", "other", "", "v"], &["get", "nothing", "a"]]
    {
        let (file, node) = (through_file(refused), through_node(refused));
        assert_eq!((file.0, node.0), (Some(2), Some(2)), "{file:?} {node:?}");
        let told = |text: &str| {
            ["at most 1024 bytes, not 1025", "1 to 512 bytes, not 0", "stores: "].iter().any(|t| text.contains(t))
        };
        assert!(told(&file.2) && told(&node.2), "{file:?} {node:?}");
    }
}

#[test]
fn a_store_that_a_node_holds_is_asked_for_there() {
    let edge = edge();
    // The configuration says port 0, so the node cannot be found without being told where it is.
    let (code, _, error) = kv_in(edge.folder(), &["get", "redirects", "a"]);
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("a running process holds this store") && error.contains("--admin"), "{error}");
    assert_eq!(kv(&edge, &["get", "redirects", "a"]).1, "1\n");
    let nowhere = kv_in(edge.folder(), &["get", "redirects", "a", "--admin", "http://127.0.0.1:1"]);
    assert_eq!(nowhere.0, Some(3), "{nowhere:?}");
}

#[test]
fn the_admin_api_wants_a_token_for_values_and_keeps_the_limits() {
    let edge = edge();
    let address = admin(&edge).strip_prefix("http://").unwrap().parse().unwrap();
    let ask = |method: &str, target: &str, token: bool, body: &str| {
        let bearer =
            format!("Bearer {}", std::fs::read_to_string(edge.folder().join(".edgehook/admin-token")).unwrap().trim());
        let mut headers = vec![("host", "localhost"), ("content-type", "application/json"), ("x-edgehook-admin", "1")];
        if token {
            headers.push(("authorization", &bearer));
        }
        crate::harness::Client::connect(address).request(method, target, &headers, body.as_bytes())
    };
    for target in ["/kvs", "/kvs/redirects", "/kvs/redirects/value?key=a", "/kvs/redirects/edits"] {
        assert_eq!((ask("GET", target, false, "").status, ask("GET", target, true, "").status), (401, 200), "{target}");
    }
    let change = |count: usize| {
        let changes: Vec<String> =
            (0..count).map(|n| format!("{{\"put\":{{\"key\":\"k{n}\",\"value\":\"v\"}}}}")).collect();
        format!("{{\"changes\":[{}]}}", changes.join(","))
    };
    assert_eq!(ask("POST", "/kvs/redirects/edits", false, &change(1)).status, 401);
    assert_eq!(ask("POST", "/kvs/redirects/edits", true, &change(50)).status, 200);
    assert_eq!(ask("POST", "/kvs/redirects/edits", true, &change(51)).status, 422);
    assert_eq!(ask("POST", "/kvs/redirects/edits", true, "{\"changes\":[{\"drop\":1}]}").status, 422);
    assert_eq!(ask("PUT", "/kvs/redirects", true, "{\"data\":[{\"key\":\"\",\"value\":\"\"}]}").status, 422);
    assert_eq!(ask("GET", "/kvs/none", true, "").status, 404);
    let records: Value = serde_json::from_str(&ask("GET", "/kvs/redirects/edits?after=0", true, "").text()).unwrap();
    let sequences: Vec<&Value> = records["edits"].as_array().unwrap().iter().map(|edit| &edit["sequence"]).collect();
    assert_eq!(sequences, [1, 2]);
    assert!(!edge.output().contains("\"v\""), "values are in no log");
}

#[test]
fn a_function_reads_only_its_own_store() {
    let function = "import cf from 'cloudfront';
function handler(event) {
  let text = 'opened';
  try { cf.kvs('0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10'); } catch (error) { text = String(error); }
  return { statusCode: 200, body: text };
}
";
    let config = CONFIG.replace("[kvs.other]\n", "[kvs.other]\nid = \"0b9a4d3e-52c1-4f7e-9a53-0c5f0f1c7a10\"\n");
    let edge = Edge::start(&config, &[("f.js", function), ("kv.json", DATA)]);
    let text = edge.get("/").text();
    assert!(text.starts_with("KVSNamespaceNotFound"), "{text}");
}

#[test]
fn check_touches_no_store() {
    let config = format!("version = 1\n{CONFIG}");
    let folder = folder(&[("edge.toml", &config), ("f.js", FUNCTION), ("kv.json", DATA)]);
    let output = Command::new(binary()).arg("check").current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!folder.path().join(".edgehook/kvs").exists());
}
