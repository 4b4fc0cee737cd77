//! Groups of origins: when the second stands in for the first, and edges chained through `origin`.

use crate::harness::{Answer, Edge, Origin};
use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

/// An origin that answers with the status it was last told.
fn origin(name: &'static str) -> (Origin, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(200));
    let told = status.clone();
    let origin = Origin::start(move |seen| {
        let status = told.load(Ordering::SeqCst);
        Answer::new(status, &[("cache-control", "max-age=60")], &format!("{name} {} {}", seen.method, seen.target))
    });
    (origin, status)
}

/// Where nothing listens.
fn nowhere() -> String {
    format!("http://{}", std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

fn edge(first: &str, second: &str, group: &str, more: &str) -> Edge {
    let config = format!(
        "[origin.first]\nurl = \"{first}\"\nheaders = {{ x-first = \"1\" }}\n[origin.second]\nurl = \"{second}\"\nheaders = {{ x-second = \"2\" }}\n\
         [origin_group.both]\norigins = [\"first\", \"second\"]\n{group}\n{more}\n\
         [cache_policy.p]\nttl = {{ min = \"0s\", default = \"60s\", max = \"1h\" }}\n\
         [[behavior]]\npath = \"/cached/*\"\norigin = \"both\"\ncache_policy = \"p\"\n\
         [[behavior]]\npath = \"/first/*\"\norigin = \"first\"\ncache_policy = \"p\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"both\"\ncache_policy = \"CachingDisabled\"\n"
    );
    Edge::start(&config, &[("first.js", ORIGIN_REQUEST)])
}

const ORIGIN_REQUEST: &str = "exports.handler = async (event) => { const r = event.Records[0].cf.request; \
     r.headers['x-hook'] = [{ key: 'x-hook', value: r.origin.custom.customHeaders['x-first'] ? 'first' : 'second' }]; return r; };";

#[test]
fn statuses_of_the_list_lead_to_the_second_and_others_do_not() {
    let ((first, status), (second, _)) = (origin("first"), origin("second"));
    let edge = edge(&first.url(), &second.url(), "failover = [404, 503]", "");
    for (code, name) in
        [(200, "first"), (404, "second"), (503, "second"), (500, "first"), (502, "first"), (403, "first")]
    {
        status.store(code, Ordering::SeqCst);
        let reply = edge.get("/a?b=c");
        assert_eq!(reply.text(), format!("{name} GET /a?b=c"), "{code}");
        assert_eq!(reply.status, if name == "second" { 200 } else { code });
    }
    assert_eq!((first.count(), second.count()), (6, 2), "the first is asked every time");
}

#[test]
fn an_origin_that_is_down_breaks_off_or_talks_nonsense_is_stood_in_for() {
    let (second, _) = origin("second");
    for first in [
        nowhere(),
        Origin::start(|_| Answer::raw("")).url(),
        Origin::start(|_| Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx")).url(),
    ] {
        let edge = edge(&first, &second.url(), "", "");
        assert_eq!(edge.get("/x").text(), "second GET /x");
        assert_eq!(edge.client().request("HEAD", "/x", &[], b"").status, 200);
        assert_eq!(edge.client().request("OPTIONS", "/x", &[], b"").text(), "second OPTIONS /x");
    }
    let both_down = edge(&nowhere(), &nowhere(), "", "");
    assert_eq!(both_down.get("/x").status, 502);
}

#[test]
fn nothing_that_may_have_been_done_is_asked_of_the_second() {
    let ((first, status), (second, _)) = (origin("first"), origin("second"));
    let edge = edge(&first.url(), &second.url(), "", "");
    status.store(503, Ordering::SeqCst);
    for (method, body) in [("POST", &b"x"[..]), ("POST", b""), ("PUT", b"x"), ("DELETE", b"")] {
        let reply = edge.client().request(method, "/x", &[], body);
        assert_eq!((reply.status, reply.text()), (503, format!("first {method} /x")));
    }
    assert_eq!(second.count(), 0);
}

#[test]
fn each_gets_its_own_name_and_headers_and_the_hook_runs_for_both() {
    let ((first, status), (second, _)) = (origin("first"), origin("second"));
    let function = "[function.f]\nruntime = \"nodejs\"\nfile = \"first.js\"\n\
                    [[behavior]]\npath = \"/hook\"\norigin = \"both\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n";
    let edge = edge(&first.url(), &second.url(), "", function);
    status.store(500, Ordering::SeqCst);
    assert_eq!(edge.get("/hook").text(), "second GET /hook");
    let (one, two) = (first.only(), second.only());
    let of = |seen: &crate::harness::origin::Seen| {
        ["host", "x-first", "x-second", "x-hook"].map(|name| seen.header(name).unwrap_or("-").to_owned())
    };
    assert_eq!(of(&one), [first.authority(), "1".to_owned(), "-".to_owned(), "first".to_owned()]);
    assert_eq!(of(&two), [second.authority(), "-".to_owned(), "2".to_owned(), "second".to_owned()]);
}

#[test]
fn what_the_second_answers_is_stored_for_the_group_and_not_for_the_first() {
    let ((first, status), (second, _)) = (origin("first"), origin("second"));
    let edge = edge(&first.url(), &second.url(), "", "");
    status.store(503, Ordering::SeqCst);
    let reply = edge.get("/cached/x");
    assert_eq!((reply.text().as_str(), reply.x_cache()), ("second GET /cached/x", "Miss"));
    status.store(200, Ordering::SeqCst);
    let reply = edge.get("/cached/x");
    assert_eq!((reply.text().as_str(), reply.x_cache()), ("second GET /cached/x", "Hit"));
    assert_eq!(edge.get("/first/x").text(), "first GET /first/x");
}

#[test]
fn a_failing_first_is_left_alone_for_a_while() {
    let ((first, status), (second, _)) = (origin("first"), origin("second"));
    let edge = edge(&first.url(), &second.url(), "skip_primary_for = \"1h\"", "");
    assert_eq!(edge.get("/x").text(), "first GET /x");
    status.store(503, Ordering::SeqCst);
    for _ in 0..10 {
        assert_eq!(edge.get("/x").text(), "second GET /x");
    }
    assert_eq!((first.count(), second.count()), (2, 10));
    assert_eq!(
        edge.client().request("POST", "/x", &[], b"x").status,
        503,
        "who cannot be sent on still goes to the first"
    );
}

#[test]
fn the_first_is_the_last_resort_of_a_group_whose_second_is_down() {
    let (first, status) = origin("first");
    let edge = edge(&first.url(), &nowhere(), "skip_primary_for = \"1h\"", "");
    status.store(503, Ordering::SeqCst);
    assert_eq!(edge.get("/x").status, 502, "the second's failure");
    status.store(200, Ordering::SeqCst);
    assert_eq!(edge.get("/x").text(), "first GET /x");
}

#[test]
fn a_variant_may_have_a_group() {
    let ((first, status), (second, _)) = (origin("first"), origin("second"));
    let experiment = "[experiment.e]\nmatch = \"/first/*\"\nassign = \"hash:address\"\nvariants = { a = { weight = 1, origin = \"both\" } }\n";
    let edge = edge(&first.url(), &second.url(), "", experiment);
    status.store(503, Ordering::SeqCst);
    assert_eq!(edge.get("/first/x").text(), "second GET /first/x");
}

/// Origin shield: two edges share a third, and the origin is asked once.
#[test]
fn edges_can_be_chained() {
    let (origin, _) = origin("origin");
    let config = |url: &str| {
        format!(
            "[origin.up]\nurl = \"{url}\"\n[cache_policy.p]\nquery = \"all\"\nttl = {{ min = \"0s\", default = \"60s\", max = \"1h\" }}\n\
             [[behavior]]\npath = \"*\"\norigin = \"up\"\ncache_policy = \"p\"\n"
        )
    };
    let shield = Edge::start(&config(&origin.url()), &[]);
    let outer = [0; 2].map(|_| Edge::start(&config(&format!("http://{}", shield.address())), &[]));
    let replies = [&outer[0], &outer[1], &outer[0]].map(|edge| edge.get("/x?a=b"));
    assert!(replies.iter().all(|reply| reply.status == 200 && reply.text() == "origin GET /x?a=b"), "{replies:?}");
    assert_eq!(replies.each_ref().map(crate::harness::Reply::x_cache), ["Miss", "Miss", "Hit"]);
    assert_eq!(origin.count(), 1);
    let told: Vec<&String> =
        replies[1].headers.iter().filter(|(name, _)| name == "cache-status").map(|(_, value)| value).collect();
    assert!(
        told.len() == 2 && told[0].contains("hit") && told[1].contains("fwd=uri-miss"),
        "the shield's part first: {told:?}"
    );
}
