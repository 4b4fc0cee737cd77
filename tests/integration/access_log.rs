//! The access log: a line for every answer, with what really went over the wire, and nothing that is secret.

use crate::harness::{Answer, Edge, Origin, eventually, folder};
use serde_json::Value;
use std::{collections::BTreeMap, fs};

const SECRET: &str = "a-secret-for-tests-only-0123456789abcdef";

fn config(origin: &Origin, log: &str) -> String {
    format!(
        "[access_log]\n{log}\n[origin.app]\nurl = \"{}\"\n[origin.down]\nurl = \"http://127.0.0.1:1\"\nconnection_attempts = 1\n\
         [authorizer.staff]\nsecret = \"{SECRET}\"\nalgorithms = [\"HS256\"]\ntoken = [\"query:token\", \"cookie:t\"]\n\
         [[behavior]]\npath = \"/staff/*\"\norigin = \"app\"\nauthorizer = \"staff\"\n\
         [[behavior]]\npath = \"/far/*\"\norigin = \"app\"\nallow = [\"192.0.2.0/24\"]\n\
         [[behavior]]\npath = \"/down/*\"\norigin = \"down\"\n\
         [[behavior]]\npath = \"/few/*\"\norigin = \"app\"\nrate_limit = {{ per = \"address\", rate = \"1/h\", burst = 1 }}\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\n",
        origin.url()
    )
}

/// Waits until the log has lines for all of these paths, and returns them by path; the last of each.
fn lines(edge: &Edge, name: &str, paths: &[&str]) -> BTreeMap<String, Value> {
    let file = edge.folder().join(name);
    eventually("the log has its lines", || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let by_path: BTreeMap<String, Value> =
            lines.map(|line| (line["cs-uri-stem"].as_str().unwrap().to_owned(), line)).collect();
        paths.iter().all(|path| by_path.contains_key(*path)).then_some(by_path)
    })
}

#[test]
fn a_line_for_every_answer() {
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/cut" => Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"),
        _ => Answer::cached("0123456789"),
    });
    let edge = Edge::start(&config(&origin, "file = \"log/access.log\""), &[]);
    let fields = [
        ("user-agent", "test \"agent\"\u{1F600}"),
        ("referer", "https://a.example/x?token=canary"),
        ("cookie", "t=canary"),
        ("x-forwarded-for", "198.51.100.1"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let first = edge.get_with("/a?b=1&token=canary", &fields);
    assert_eq!((first.status, first.x_cache()), (200, "Miss"));
    edge.get("/hit");
    edge.get("/hit");
    edge.get_with("/hit", &[("range", "bytes=2-5")]);
    let mut client = edge.client();
    client.request("HEAD", "/head", &[], b"");
    client.request("POST", "/post", &[], b"12345");
    for path in ["/staff/x?token=canary", "/far/x", "/down/x", "/few/x", "/few/x", "/cut"] {
        edge.get(path);
    }
    edge.client().request("PROPFIND", "/odd", &[], b"");
    let all = ["/a", "/hit", "/head", "/post", "/staff/x", "/far/x", "/down/x", "/few/x", "/cut", "/odd"];
    let seen = eventually("the range is logged", || {
        let seen = lines(&edge, "log/access.log", &all);
        (seen["/hit"]["sc-status"] == "206").then_some(seen)
    });
    let of = |path: &str, name: &str| seen[path][name].as_str().unwrap().to_owned();
    for (path, status, result, detailed, outcome, behavior) in [
        ("/a", "200", "Miss", "Miss", "miss", "*"),
        ("/hit", "206", "Hit", "Hit", "hit", "*"),
        ("/staff/x", "401", "Error", "Error", "generated", "/staff/*"),
        ("/far/x", "403", "Error", "InvalidRequestBlocked", "error", "/far/*"),
        ("/down/x", "502", "Error", "OriginConnectError", "error", "/down/*"),
        ("/few/x", "429", "LimitExceeded", "LimitExceeded", "generated", "/few/*"),
        ("/cut", "200", "Error", "OriginReadError", "uncacheable", "*"),
        ("/odd", "501", "Error", "InvalidRequestMethod", "error", "*"),
    ] {
        let names = ["sc-status", "x-edge-result-type", "x-edge-detailed-result-type", "cache-behavior-path-pattern"];
        assert_eq!(names.map(|name| of(path, name)), [status, result, detailed, behavior], "{path}");
        if path != "/cut" {
            assert_eq!(of(path, "outcome"), outcome, "{path}");
        }
    }
    assert_eq!((of("/hit", "sc-range-start"), of("/hit", "sc-range-end")), ("2".to_owned(), "5".to_owned()));
    assert_eq!(of("/a", "x-edge-request-id"), first.header("x-amz-cf-id"));
    assert_eq!(of("/a", "cs-uri-query"), "b=1&token=***");
    assert_eq!(of("/a", "cs(Referer)"), "https://a.example/x?token=***");
    assert_eq!((of("/a", "cs(Cookie)"), of("/a", "x-forwarded-for")), ("-".to_owned(), "198.51.100.1".to_owned()));
    assert_eq!(of("/a", "cs(User-Agent)"), "test \"agent\"\u{1F600}");
    assert_eq!(of("/a", "connection-id").len(), 16);
    assert_eq!(of("/post", "connection-id"), of("/head", "connection-id"), "the same connection");
    assert_ne!(of("/a", "connection-id"), of("/head", "connection-id"), "another one");
    assert_eq!(of("/a", "trace-id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((of("/a", "c-ip"), of("/a", "cs-protocol")), ("127.0.0.1".to_owned(), "http".to_owned()));
    assert_eq!((of("/head", "sc-content-len"), of("/head", "cs-method")), ("10".to_owned(), "HEAD".to_owned()));
    let number = |path: &str, name: &str| of(path, name).parse::<f64>().unwrap();
    assert!(number("/a", "time-taken") >= number("/a", "time-to-first-byte"));
    assert!(number("/a", "sc-bytes") - number("/head", "sc-bytes") >= 9.0, "a body is counted when it was sent");
    assert!(number("/post", "cs-bytes") >= 5.0 + "POST /post HTTP/1.1\r\n\r\n".len() as f64);
    let text = fs::read_to_string(edge.folder().join("log/access.log")).unwrap();
    assert!(!text.contains("canary"), "{text}");
    let page = edge.admin("/metrics").text();
    let counted = |name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse::<usize>().unwrap()
    };
    assert_eq!(counted("edgehook_access_log_lines_total"), text.lines().count());
    assert_eq!(counted("edgehook_access_log_dropped_total"), 0);
}

#[test]
fn viewers_who_leave_are_logged() {
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/long" => Answer::ok(&"x".repeat(64 << 20)),
        _ => {
            let (never, gate) = std::sync::mpsc::channel();
            std::mem::forget(never);
            Answer::ok("late").after(gate)
        }
    });
    let edge = Edge::start(&config(&origin, "file = \"access.log\""), &[]);
    let mut client = edge.client();
    client.send(b"GET /long HTTP/1.1\r\nhost: www.example.com\r\n\r\n");
    assert_eq!(client.head().status, 200);
    drop(client);
    let mut client = edge.client();
    client.send(b"GET /never HTTP/1.1\r\nhost: www.example.com\r\n\r\n");
    eventually("the origin is asked", || (origin.count() == 2).then_some(()));
    drop(client);
    let seen = lines(&edge, "access.log", &["/long", "/never"]);
    let words = |path: &str| {
        ["sc-status", "x-edge-result-type", "x-edge-detailed-result-type"].map(|name| seen[path][name].clone())
    };
    assert_eq!(words("/long"), ["200", "Error", "ClientCommError"]);
    assert_eq!(words("/never"), ["000", "Error", "ClientHungUpRequest"]);
}

#[test]
fn a_file_that_is_moved_away_is_begun_anew_at_sighup() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let edge = Edge::start(&config(&origin, "file = \"access.log\"\nformat = \"cloudfront\""), &[]);
    let (file, moved) = (edge.folder().join("access.log"), edge.folder().join("access.log.1"));
    let wait = |file: &std::path::Path, path: &str| {
        eventually("the line is there", || {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.contains(&format!("\t{path}\t")).then_some(text)
        })
    };
    edge.get("/before");
    let text = wait(&file, "/before");
    assert!(text.starts_with("#Version: 1.0\n#Fields: date time x-edge-location "), "{text}");
    assert_eq!(text.lines().last().unwrap().split('\t').count(), 33);
    fs::rename(&file, &moved).unwrap();
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("config applied: #2");
    edge.get("/after");
    let text = wait(&file, "/after");
    assert!(text.starts_with("#Version: 1.0\n") && !text.contains("/before"), "{text}");
    assert!(!fs::read_to_string(&moved).unwrap().contains("/after"));
    // Moved away once more, by somebody who has also broken the configuration.
    fs::rename(&file, &moved).unwrap();
    edge.save("edge.toml", "nonsense = 1\n");
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("config not applied");
    edge.get("/later");
    wait(&file, "/later");
}

#[test]
fn a_reload_turns_the_log_on_and_off_and_the_end_waits_for_it() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let server = "listen = [\"http://127.0.0.1:0\"]";
    let with = config(&origin, "file = \"access.log\"");
    let without = with.replacen("[access_log]\nfile = \"access.log\"\n", "", 1);
    let mut edge = Edge::with_server(server, &without, &[]);
    edge.get("/none");
    edge.save_config(server, &with);
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("config applied: #2");
    edge.get("/one");
    lines(&edge, "access.log", &["/one"]);
    edge.save_config(server, &with.replace("access.log", "edge.toml/x"));
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("[access_log] file:");
    edge.get("/two");
    lines(&edge, "access.log", &["/two"]);
    for number in 0..50 {
        edge.get(&format!("/last{number}"));
    }
    edge.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(edge.end(), Some(0));
    let text = fs::read_to_string(edge.folder().join("access.log")).unwrap();
    assert_eq!((text.matches("/last").count(), text.contains("/none")), (50, false), "{text}");
}

#[test]
fn lines_on_standard_output_and_a_place_that_cannot_be_written() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let edge = Edge::start(&config(&origin, "file = \"-\""), &[]);
    edge.get("/shown");
    edge.says("\"cs-uri-stem\":\"/shown\"");
    let text = format!(
        "version = 1\n[server]\nlisten = [\"http://127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n{}",
        config(&origin, "file = \"taken/access.log\"")
    );
    let folder = folder(&[("edge.toml", &text), ("taken", "a file")]);
    let mut serve = std::process::Command::new(crate::harness::binary());
    let output = serve.args(["serve", "--config", "edge.toml"]).current_dir(folder.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && errors.contains("[access_log] file:"), "{errors}");
}
