//! The short way of plain hits past the ordinary one: nobody can tell the difference.

use super::purge::admin;
use crate::harness::{Answer, Edge, Origin, Reply, binary, eventually};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;
use std::process::Command;

/// A field that the short way does not know.
const LONG: (&str, &str) = ("x-unknown", "1");

const LISTEN: &str = "listen = [\"http://127.0.0.1:0\"]";

fn config(origin: &Origin, policy: &str, behavior: &str) -> String {
    format!(
        "[trace]\nsample = 1\nbodies = true\n[origin.app]\nurl = \"{}\"\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"10m\", max = \"1d\" }}\n{policy}\n\
         [[behavior]]\npath = \"/closed/*\"\norigin = \"app\"\ndeny = [\"127.0.0.0/8\"]\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\n{behavior}\n",
        origin.url(),
    )
}

/// Answers of many kinds, told apart by what was asked for.
fn origin() -> Origin {
    Origin::start(|seen| match seen.target.split('?').next() {
        Some("/coded") => Answer::new(200, &[("cache-control", "max-age=600"), ("vary", "accept-encoding")], "c"),
        Some("/vary") => Answer::new(200, &[("cache-control", "max-age=600"), ("vary", "accept-language")], "v"),
        Some("/private") => Answer::new(200, &[("cache-control", "private")], "p"),
        Some("/gone") => Answer::new(404, &[], "g"),
        Some("/moved") => Answer::new(301, &[("location", "/")], ""),
        Some("/empty") => Answer::new(200, &[("cache-control", "max-age=600")], ""),
        Some("/marked") => Answer::new(
            200,
            &[
                ("cache-control", "max-age=600"),
                ("cdn-cache-control", "max-age=700"),
                ("via", "1.1 before"),
                ("x-cache", "Miss from other"),
                ("x-amz-cf-id", "other"),
                ("x-amz-cf-pop", "other"),
                ("cache-status", "other; hit"),
                ("age", "7"),
                ("content-type", "text/html"),
                ("x-one", "1"),
                ("x-two", "2"),
                ("x-one", "3"),
            ],
            "<p>marked",
        ),
        _ => Answer::new(200, &[("cache-control", "max-age=600"), ("content-type", "text/css")], &seen.target),
    })
}

fn configs() -> impl Strategy<Value = (String, String, String)> {
    let server = select(vec![
        "",
        "edge_location = { name = \"FRA\", region = \"eu-central-1\", server_ip = \"192.0.2.1\" }",
        "vendor = \"someone\"",
        "default_root_object = \"marked\"",
    ]);
    let policy = (
        select(vec!["query = \"all\"", "query = \"none\"", "query = { include = [\"a\"] }"]),
        select(vec!["", "headers = { include = [\"accept-language\"] }", "cookies = \"all\""]),
    );
    let behavior =
        subsequence(vec!["compress = false", "methods = \"all\"", "response_headers_policy = \"SimpleCORS\""], 0..=2);
    (server, policy, behavior).prop_map(|(server, (query, more), behavior)| {
        (server.to_owned(), format!("{query}\n{more}"), behavior.join("\n"))
    })
}

type Fields = Vec<(&'static str, &'static str)>;

fn requests() -> impl Strategy<Value = (&'static str, Fields)> {
    let targets = vec![
        "/",
        "/marked",
        "/marked?a=1&b=2",
        "/marked?b=2",
        "/coded",
        "/vary",
        "/private",
        "/gone",
        "/moved",
        "/empty",
        "/a/../b",
        "/%61",
        "/%2F",
        "/a;b",
        "//a",
        "/closed/a",
        "/closed%2Fa",
        "/?",
        "/%zz",
        "/a%00",
        "/..",
        "/b?c=%20\"",
    ];
    let fields = vec![
        ("accept-encoding", "gzip, br"),
        ("accept-encoding", "identity"),
        ("accept-language", "de"),
        ("cookie", "a=b"),
        ("origin", "http://other.test"),
        ("user-agent", "test"),
        ("connection", "keep-alive"),
        ("host", "Other.Test:80"),
        ("host", "bad host"),
        ("if-none-match", "*"),
        ("range", "bytes=0-0"),
        ("sec-fetch-site", "none"),
    ];
    (select(targets), subsequence(fields, 0..4))
}

fn hits_at_hand(edge: &Edge) -> u64 {
    let page = edge.admin("/metrics").text();
    let line = page.lines().find_map(|line| line.strip_prefix("edgehook_hits_at_hand_total "));
    line.unwrap_or_else(|| panic!("{page}")).parse().unwrap()
}

/// What must be the same: everything but the request's own id, fields of one name in their order.
fn comparable(reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut fields = reply.headers.clone();
    fields.retain(|(name, _)| name != "x-amz-cf-id" && name != "date");
    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
    // The page of an error tells the id, too.
    let body = if reply.status < 400 { reply.body.clone() } else { Vec::new() };
    if reply.status >= 400 {
        fields.retain(|(name, _)| name != "content-length");
    }
    (reply.status, fields, body)
}

/// The request's record, without what is its own: times, exchanges with the origin, and the field that tells the two ways apart.
fn recorded(edge: &Edge, reply: &Reply) -> Value {
    let id = reply.header("x-amz-cf-id");
    let (_, mut record) = eventually("there is a record", || {
        let found = super::requests::admin(edge, &format!("/requests/{id}"));
        (found.0 == 200 || id.is_empty()).then_some(found)
    });
    let Some(fields) = record.as_object_mut() else { return record };
    fields.retain(|name, _| !["id", "time", "took_us", "origins"].contains(&name.as_str()));
    for message in ["request", "response"] {
        let Some(headers) = record.pointer_mut(&format!("/{message}/headers")).and_then(Value::as_array_mut) else {
            continue;
        };
        headers.retain(|line| line[0] != LONG.0 && line[0] != "x-amz-cf-id");
        headers.sort_by_key(|line| line[0].as_str().map(str::to_owned));
    }
    if reply.status >= 400 {
        record["response"].take(); // the page of an error tells the id, too
    }
    record
}

#[test]
fn nobody_can_tell_it_from_the_ordinary_way() {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let mut taken = 0;
    for round in 0..8 {
        let drawn = configs().new_tree(&mut runner).unwrap().current();
        // The first is one that certainly has a short way.
        let plain = (round == 0).then(|| (String::new(), "query = \"all\"\n".to_owned(), String::new()));
        let (server, policy, behavior) = plain.unwrap_or(drawn);
        let origin = origin();
        let edge = Edge::with_server(&format!("{LISTEN}\n{server}"), &config(&origin, &policy, &behavior), &[]);
        for _ in 0..60 {
            let (target, fields) = requests().new_tree(&mut runner).unwrap().current();
            let long: Fields = fields.iter().copied().chain([LONG]).collect();
            let mut client = edge.client();
            client.request("GET", target, &long, b"");
            // A second may pass in between.
            eventually("both ways tell the same", || {
                let [ordinary, short] = [&long, &fields].map(|fields| {
                    let reply = edge.client().request("GET", target, fields, b"");
                    (comparable(&reply), recorded(&edge, &reply))
                });
                (ordinary == short).then_some(()).or_else(|| {
                    eprintln!("{server} {policy} {behavior}\n{target} {fields:?}\n{ordinary:?}\n{short:?}");
                    None
                })
            });
        }
        taken += hits_at_hand(&edge);
    }
    assert!(taken > 0, "the short way was taken");
}

#[test]
fn its_bytes_have_the_same_form() {
    let origin = origin();
    let edge = Edge::start(&config(&origin, "", ""), &[]);
    edge.get("/marked");
    let head = |fields: &str| {
        let mut client = edge.client();
        client.send(format!("GET /marked HTTP/1.1\r\nHost: www.example.com\r\n{fields}\r\n").as_bytes());
        let mut text = String::new();
        while !text.ends_with("<p>marked") {
            text.push_str(&String::from_utf8(client.some_bytes()).unwrap());
        }
        let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
        lines.retain(|line| !line.starts_with("X-Amz-Cf-Id: "));
        assert_eq!(lines[0], "HTTP/1.1 200 OK");
        lines.sort();
        lines
    };
    eventually("they are the same", || (head("X-Unknown: 1\r\n") == head("")).then_some(()));
    assert!(hits_at_hand(&edge) > 0);
}

/// A connection on which requests of all kinds follow one another.
#[test]
fn both_ways_share_a_connection() {
    let origin = origin();
    let edge = Edge::start(&config(&origin, "query = \"all\"", ""), &[]);
    let mut client = edge.client();
    for number in 0..3 {
        for fields in [&[][..], &[LONG], &[("connection", "keep-alive")]] {
            let reply = client.request("GET", "/shared", fields, b"");
            assert_eq!((reply.status, reply.text().as_str()), (200, "/shared"), "{number} {fields:?}");
        }
        assert_eq!(client.request("HEAD", "/shared", &[], b"").status, 200);
        assert_eq!(client.request("GET", &format!("/miss?{number}"), &[], b"").x_cache(), "Miss");
    }
    // Several at once, whole and in halves.
    let plain = b"GET /shared HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
    client.send(&plain.repeat(3));
    (0..3).for_each(|_| assert_eq!(client.reply(false).text(), "/shared"));
    let (first, second) = plain.split_at(20);
    client.send(first);
    client.send(&[second, first].concat());
    assert_eq!(client.reply(false).text(), "/shared");
    client.send(second);
    assert_eq!(client.reply(false).text(), "/shared");
    let before = hits_at_hand(&edge);
    assert!(before > 0);
    // Told to close, it closes, and nothing is answered behind that.
    client.send(b"GET /shared HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n");
    assert_eq!(client.reply(false).text(), "/shared");
    client.send(plain);
    assert!(client.is_closed());
    assert_eq!(hits_at_hand(&edge), before);
}

#[test]
fn purges_and_reloads_hold_for_it_too() {
    let origin = origin();
    let edge = Edge::start(&config(&origin, "", ""), &[]);
    edge.get("/purged");
    assert_eq!(edge.get("/purged").x_cache(), "Hit");
    let before = hits_at_hand(&edge);
    assert!(before > 0);
    let purged = Command::new(binary())
        .args(["purge", "--config", "edge.toml", "--admin", &admin(&edge), "/purged"])
        .current_dir(edge.folder())
        .status();
    assert!(purged.unwrap().success());
    assert_eq!(edge.get("/purged").x_cache(), "Miss");
    assert_eq!(edge.get("/purged").x_cache(), "Hit");
    edge.save_config(LISTEN, &config(&origin, "headers = { include = [\"accept-language\"] }", ""));
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("config applied: #2");
    let taken = hits_at_hand(&edge);
    assert_eq!(edge.get("/purged").x_cache(), "Hit");
    assert_eq!(hits_at_hand(&edge), taken, "a key with fields is none of its business");
}

/// The header of `[debug]` may have a name that browsers send as well.
#[test]
fn who_knows_the_debug_secret_is_told_all_the_same() {
    const SECRET: &str = "0123456789abcdef";
    let origin = origin();
    let debug = format!("[debug]\nheader = \"Sec-Why\"\nsecret = \"{SECRET}\"\n{}", config(&origin, "", ""));
    let edge = Edge::start(&debug, &[]);
    edge.get("/marked");
    assert!(edge.get("/marked").header("server-timing").is_empty());
    let told = edge.get_with("/marked", &[("sec-why", SECRET)]);
    assert_eq!((told.x_cache(), told.header("server-timing").is_empty()), ("Hit", false));
}

/// They are made when enough have come together or somebody asks, and come in the order of the requests.
#[test]
fn its_records_are_made_later() {
    let origin = origin();
    let edge = Edge::start(&config(&origin, "", ""), &[]);
    let ids = |count: usize| -> Vec<String> {
        let reply = |_| edge.get("/marked").header("x-amz-cf-id").to_owned();
        (0..count).map(reply).collect()
    };
    for count in [1, 2, 31, 32, 33, 70] {
        let mut asked = ids(count);
        asked.reverse();
        let told = super::requests::admin(&edge, "/requests?limit=1000").1;
        let told = told["requests"].as_array().unwrap();
        let told: Vec<&str> = told.iter().take(count).map(|record| record["id"].as_str().unwrap()).collect();
        assert_eq!(told, asked, "{count}");
    }
    let before = hits_at_hand(&edge);
    assert!(before >= 168, "{before}");
    // Those that a configuration answered are told after it is gone.
    let last = ids(3);
    edge.save_config(LISTEN, &config(&origin, "headers = { include = [\"accept-language\"] }", ""));
    edge.signal(nix::sys::signal::Signal::SIGHUP);
    edge.says("config applied: #2");
    for id in last {
        assert_eq!(super::requests::admin(&edge, &format!("/requests/{id}")).0, 200);
    }
}
