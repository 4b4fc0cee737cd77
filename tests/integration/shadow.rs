//! Mirroring: a second origin gets what the first gets, and nothing that it does can be noticed.

use crate::harness::{Answer, Edge, Origin, eventually};
use std::sync::{Mutex, mpsc};

fn edge(site: &Origin, shadow: &str, more: &str) -> Edge {
    let config = format!(
        "[origin.site]\nurl = \"{}\"\nheaders = {{ x-secret = \"site\" }}\n[origin.next]\nurl = \"{shadow}\"\nheaders = {{ x-next = \"1\" }}\nread_timeout = \"120s\"\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"60s\", max = \"1h\" }}\n\
         [[behavior]]\npath = \"/pass/*\"\norigin = \"site\"\ncache_policy = \"CachingDisabled\"\nshadow = \"next\"\n{more}\n\
         [[behavior]]\npath = \"*\"\norigin = \"site\"\ncache_policy = \"p\"\nshadow = \"next\"\n",
        site.url()
    );
    Edge::start(&config, &[])
}

/// Answered, failed and left out, over all behaviors.
fn counts(edge: &Edge) -> [u64; 3] {
    let output = edge.output();
    let admin = output.lines().find_map(|line| line.trim_start().strip_prefix("admin")).unwrap().trim().to_owned();
    let address = admin.strip_prefix("http://").unwrap().parse().unwrap();
    let status = crate::harness::Client::connect(address).request("GET", "/status", &[("host", "localhost")], b"");
    let status: serde_json::Value = serde_json::from_str(&status.text()).unwrap();
    let behaviors = status["behaviors"].as_array().unwrap().clone();
    ["answered", "failed", "left_out"]
        .map(|key| behaviors.iter().map(|each| each["shadow"][key].as_u64().unwrap()).sum())
}

fn until(edge: &Edge, expected: [u64; 3]) {
    eventually(&format!("{expected:?} copies"), || (counts(edge) == expected).then_some(()));
}

#[test]
fn the_shadow_gets_what_the_origin_gets_and_its_answers_go_nowhere() {
    let site = Origin::start(|_| Answer::cached("site"));
    let next =
        Origin::start(|_| Answer::new(500, &[("set-cookie", "shadow=1"), ("cache-control", "max-age=99")], "shadow"));
    let edge = edge(&site, &next.url(), "");
    for expected in ["Miss", "Hit", "Hit"] {
        let reply = edge.get("/page");
        assert_eq!((reply.status, reply.text().as_str(), reply.x_cache()), (200, "site", expected));
        assert!(reply.headers.iter().all(|(name, _)| name != "set-cookie"));
    }
    until(&edge, [1, 0, 0]);
    let reply = edge.client().request("POST", "/pass/form?a=1", &[("x-a", "b")], b"hello");
    assert_eq!(reply.text(), "site");
    until(&edge, [2, 0, 0]);
    let (first, second) = (site.seen().pop().unwrap(), next.seen().pop().unwrap());
    assert_eq!((second.method.as_str(), second.target.as_str()), ("POST", "/pass/form?a=1"));
    assert_eq!((&second.body, &first.body), (&b"hello".to_vec(), &b"hello".to_vec()));
    assert_eq!(
        (second.header("x-a"), second.header("x-next"), second.header("x-secret")),
        (Some("b"), Some("1"), None)
    );
    assert_eq!(second.header("host"), Some(next.authority().as_str()));
    assert_eq!((first.header("x-secret"), first.header("x-next")), (Some("site"), None));
}

#[test]
fn bodies_without_a_length_are_copied_and_long_ones_left_out() {
    let site = Origin::start(|seen| Answer::ok(&seen.body.len().to_string()));
    let next = Origin::start(|_| Answer::ok("x"));
    let edge = edge(&site, &next.url(), "");
    let mut client = edge.client();
    client.send(
        b"PUT /pass/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    );
    assert_eq!(client.reply(false).text(), "11");
    until(&edge, [1, 0, 0]);
    assert_eq!(next.only().body, b"hello world");
    let limit = vec![b'x'; 64 * 1024];
    assert_eq!(edge.client().request("PUT", "/pass/x", &[], &limit).text(), limit.len().to_string());
    until(&edge, [2, 0, 0]);
    assert_eq!(next.seen()[1].body.len(), limit.len());
    let past = vec![b'x'; 64 * 1024 + 1];
    assert_eq!(edge.client().request("PUT", "/pass/x", &[], &past).text(), past.len().to_string());
    until(&edge, [2, 0, 1]);
    let mut chunked =
        format!("PUT /pass/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", past.len())
            .into_bytes();
    chunked.extend_from_slice(&past);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let mut client = edge.client();
    client.send(&chunked);
    assert_eq!(client.reply(false).text(), past.len().to_string());
    until(&edge, [2, 0, 2]);
    assert_eq!(next.count(), 2);
}

#[test]
fn a_shadow_that_is_down_or_hangs_is_not_noticed_and_bounded() {
    let site = Origin::start(|_| Answer::ok("site"));
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = edge(&site, &format!("http://{unused}"), "");
    assert_eq!(down.get("/pass/x").text(), "site");
    until(&down, [0, 1, 0]);

    let gates: Mutex<Vec<mpsc::Sender<()>>> = Mutex::new(Vec::new());
    let gates = std::sync::Arc::new(gates);
    let held = gates.clone();
    let hanging = Origin::start(move |_| {
        let (open, gate) = mpsc::channel();
        held.lock().unwrap().push(open);
        Answer::ok("late").after(gate)
    });
    let edge = edge(&site, &hanging.url(), "");
    let mut client = edge.client();
    for _ in 0..80 {
        assert_eq!(client.request("GET", "/pass/x", &[], b"").text(), "site");
    }
    // 64 at a time; whoever finds no room is left out.
    until(&edge, [0, 0, 16]);
    eventually("64 copies are out", || (hanging.count() == 64).then_some(()));
    gates.lock().unwrap().clear();
    until(&edge, [64, 0, 16]);
}

#[test]
fn a_share_of_requests_is_copied() {
    let site = Origin::start(|_| Answer::ok("site"));
    let next = Origin::start(|_| Answer::ok("x"));
    let none = edge(&site, &next.url(), "shadow_percent = 0");
    let some = edge(&site, &next.url(), "shadow_percent = 50");
    let (mut idle, mut busy) = (none.client(), some.client());
    for _ in 0..200 {
        idle.request("GET", "/pass/x", &[], b"");
        busy.request("GET", "/pass/x", &[], b"");
    }
    assert_eq!(counts(&none), [0, 0, 0]);
    // Seven standard deviations to either side; copies under way are not counted yet.
    let copied = eventually("half of them", || {
        let [answered, failed, left_out] = counts(&some);
        let copied = answered + failed + left_out;
        (copied >= 50).then_some(copied)
    });
    assert!(copied <= 150, "{copied}");
}
