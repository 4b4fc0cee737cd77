//! The cache as viewers and origins see it. The rules themselves have their tables beside the code.

use crate::harness::{Answer, Edge, Origin, Reply, eventually};
use std::{
    sync::{Mutex, mpsc},
    thread,
};

fn edge(origin: &Origin, policy: &str) -> Edge {
    Edge::start(
        &format!(
            "[origin.app]\nurl = \"{}\"\n[cache_policy.p]\n{policy}\n[[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\n",
            origin.url()
        ),
        &[],
    )
}

const DECLARED: &str = "ttl = { min = \"0s\", default = \"0s\", max = \"1h\" }\nquery = \"all\"";

fn outcome(reply: &Reply) -> (&str, bool) {
    (reply.x_cache(), reply.header("cache-status").contains("; stored"))
}

#[test]
fn a_hundred_concurrent_misses_make_one_origin_request() {
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(Some(gate));
    let origin = Origin::start(move |_| Answer::cached("the one body").after(gate.lock().unwrap().take().unwrap()));
    let edge = edge(&origin, DECLARED);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..100)
            .map(|_| {
                let mut client = edge.client();
                client.send(b"GET /hot HTTP/1.1\r\nhost: www.example.com\r\n\r\n");
                scope.spawn(move || client.reply(false))
            })
            .collect();
        eventually("the origin is asked", || (origin.count() == 1).then_some(()));
        drop(open);
        let replies: Vec<Reply> = waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(replies.iter().all(|reply| reply.status == 200 && reply.text() == "the one body" && reply.complete));
    });
    assert_eq!(origin.count(), 1);
    assert_eq!(edge.get("/hot").x_cache(), "Hit");
}

#[test]
fn what_may_be_stored_is_stored() {
    for (headers, first, second) in [
        (&[("cache-control", "max-age=60")][..], ("Miss", true), "Hit"),
        (&[("cache-control", "no-store")], ("Miss", false), "Miss"),
        (&[("cache-control", "private, max-age=60")], ("Miss", false), "Miss"),
        (&[], ("Miss", false), "Miss"),
        (&[("cache-control", "max-age=60"), ("vary", "*")], ("Miss", false), "Miss"),
        (&[("expires", "Fri, 01 Jan 2100 00:00:00 GMT")], ("Miss", true), "Hit"),
        // Kept for a failing origin, never served fresh.
        (&[("expires", "Fri, 01 Jan 1999 00:00:00 GMT")], ("Miss", true), "Miss"),
    ] {
        let origin = Origin::start(move |_| Answer::new(200, headers, "x"));
        let edge = edge(&origin, DECLARED);
        assert_eq!(outcome(&edge.get("/")), first, "{headers:?}");
        assert_eq!(edge.get("/").x_cache(), second, "{headers:?}");
    }
}

#[test]
fn lifetimes_are_clamped_by_the_policy() {
    let origin = Origin::start(|seen| Answer::new(200, &[("cache-control", seen.target.trim_start_matches('/'))], "x"));
    let edge = edge(&origin, "ttl = { min = \"10s\", default = \"20s\", max = \"30s\" }");
    for (declared, expected) in [("max-age=1", 10), ("max-age=25", 25), ("max-age=1000", 30), ("public", 20)] {
        let reply = edge.get(&format!("/{declared}"));
        let status = reply.header("cache-status").to_owned();
        assert!(status.contains(&format!("stored; ttl={expected}")), "{declared}: {status}");
    }
}

#[test]
fn the_key_is_what_the_policy_says_and_nothing_else_goes_on() {
    let origin = Origin::start(|seen| {
        let shown =
            format!("{} {:?} {:?} {:?}", seen.target, seen.header("x-in"), seen.header("x-out"), seen.header("cookie"));
        Answer::cached(&shown)
    });
    let policy = "ttl = { min = \"0s\", default = \"0s\", max = \"1h\" }\nquery = { include = [\"page\"] }\n\
                  headers = { include = [\"x-in\"] }\ncookies = { include = [\"lang\"] }";
    let edge = edge(&origin, policy);
    let first = edge.get_with("/?page=1&utm=a", &[("x-in", "1"), ("x-out", "1"), ("cookie", "lang=de; id=7")]);
    assert_eq!(first.text(), "/?page=1 Some(\"1\") None Some(\"lang=de\")");
    let same = edge.get_with("/?utm=b&page=1", &[("x-in", "1"), ("x-out", "2"), ("cookie", "id=8; lang=de")]);
    assert_eq!(same.x_cache(), "Hit");
    for other in [
        edge.get_with("/?page=2", &[("x-in", "1"), ("cookie", "lang=de")]),
        edge.get_with("/?page=1", &[("x-in", "2"), ("cookie", "lang=de")]),
        edge.get_with("/?page=1", &[("x-in", "1"), ("cookie", "lang=fr")]),
        edge.get_with("/?page=1", &[("x-in", "1"), ("cookie", "lang=de"), ("host", "other.example.com")]),
    ] {
        assert_eq!(other.x_cache(), "Miss", "{other:?}");
    }
}

#[test]
fn vary_keeps_variants_apart() {
    let origin = Origin::start(|seen| {
        let language = seen.header("accept-language").unwrap_or("none").to_owned();
        Answer::new(200, &[("cache-control", "max-age=60"), ("vary", "Accept-Language")], &language)
    });
    let edge = edge(&origin, &format!("{DECLARED}\nheaders = \"none\""));
    let ask = |language: &str| edge.get_with("/", &[("accept-language", language)]);
    assert_eq!(ask("en").x_cache(), "Miss");
    assert_eq!(ask("en").x_cache(), "Hit");
    assert_eq!(ask("fr").header("cache-status").split(';').nth(1), Some(" fwd=vary-miss"));
    assert_eq!(ask("fr").x_cache(), "Hit");
    assert_eq!(ask("en").x_cache(), "Hit");
}

#[test]
fn stale_answers_are_revalidated() {
    let origin = Origin::start(|seen| {
        let headers = [("cache-control", "max-age=0"), ("etag", "\"v1\""), ("x-count", seen.target.as_str())];
        match seen.header("if-none-match") {
            Some("\"v1\"") => Answer::raw(
                "HTTP/1.1 304 Not Modified\r\netag: \"v1\"\r\ncache-control: max-age=60\r\nx-new: yes\r\n\r\n",
            ),
            _ => Answer::new(200, &headers, "body"),
        }
    });
    let edge = edge(&origin, DECLARED);
    assert_eq!(edge.get("/").x_cache(), "Miss");
    let refreshed = edge.get("/");
    assert_eq!((refreshed.status, refreshed.text().as_str(), refreshed.x_cache()), (200, "body", "RefreshHit"));
    assert_eq!(refreshed.header("x-new"), "yes", "the 304's fields are merged");
    assert!(refreshed.header("cache-status").contains("fwd=stale; fwd-status=304; stored"), "{refreshed:?}");
    assert_eq!(edge.get("/").x_cache(), "Hit", "fresh again");
    assert_eq!(origin.count(), 2);
    let conditional = edge.get_with("/", &[("if-none-match", "\"v1\"")]);
    assert_eq!((conditional.status, conditional.body.len()), (304, 0));
    assert_eq!(origin.count(), 2, "a viewer's condition is answered from the store");
}

#[test]
fn last_modified_validates_too() {
    const DATE: &str = "Sat, 01 Nov 2025 00:00:00 GMT";
    let origin = Origin::start(|seen| match seen.header("if-modified-since") {
        Some(DATE) => Answer::raw("HTTP/1.1 304 Not Modified\r\ncache-control: max-age=60\r\n\r\n"),
        _ => Answer::new(200, &[("cache-control", "max-age=0"), ("last-modified", DATE)], "body"),
    });
    let edge = edge(&origin, DECLARED);
    assert_eq!(edge.get("/").x_cache(), "Miss");
    assert_eq!(edge.get("/").x_cache(), "RefreshHit");
}

#[test]
fn head_is_answered_from_a_stored_get_and_ranges_from_a_stored_body() {
    let origin = Origin::start(|_| Answer::cached("0123456789"));
    let edge = edge(&origin, DECLARED);
    edge.get("/");
    let head = edge.client().request("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.header("content-length"), head.x_cache()), (200, "10", "Hit"));
    let range = edge.get_with("/", &[("range", "bytes=2-4")]);
    assert_eq!((range.status, range.text().as_str(), range.header("content-range")), (206, "234", "bytes 2-4/10"));
    assert_eq!(origin.count(), 1);
}

#[test]
fn age_counts_on_from_the_origins() {
    let origin = Origin::start(|_| Answer::new(200, &[("cache-control", "max-age=60"), ("age", "40")], "x"));
    let edge = edge(&origin, DECLARED);
    edge.get("/");
    let age: u64 = edge.get("/").header("age").parse().unwrap();
    assert!((40..50).contains(&age), "{age}");
}

#[test]
fn unsafe_methods_write_through_and_invalidate() {
    let origin =
        Origin::start(|seen| Answer::cached(&format!("{} {}", seen.method, String::from_utf8_lossy(&seen.body))));
    let edge = edge(&origin, DECLARED);
    assert_eq!(edge.get("/a").x_cache(), "Miss");
    assert_eq!(edge.get("/a").x_cache(), "Hit");
    let posted = edge.client().request("POST", "/a", &[("content-type", "text/plain")], b"hello");
    assert_eq!((posted.text().as_str(), posted.x_cache()), ("POST hello", "Miss"));
    assert_eq!(edge.get("/a").x_cache(), "Miss", "gone with the POST");
    assert_eq!(origin.seen()[1].header("content-type"), Some("text/plain"));
}

#[test]
fn set_cookie_is_never_shared() {
    let origin = Origin::start(|_| Answer::new(200, &[("cache-control", "max-age=60"), ("set-cookie", "id=1")], "x"));
    let edge = edge(&origin, DECLARED);
    let (first, second) = (edge.get("/"), edge.get("/"));
    assert_eq!((second.x_cache(), second.header("set-cookie")), ("Hit", ""), "{first:?} {second:?}");
    let keyed = "ttl = { min = \"0s\", default = \"0s\", max = \"1h\" }\ncookies = \"all\"";
    let edge = self::edge(&origin, keyed);
    assert_eq!(edge.get("/").header("set-cookie"), "id=1");
    assert_eq!(edge.get("/").x_cache(), "Miss");
}

#[test]
fn stale_is_served_while_the_origin_fails() {
    let origin = Origin::start(|seen| {
        if seen.header("if-none-match").is_some() {
            Answer::raw("")
        } else {
            Answer::new(200, &[("cache-control", "max-age=0"), ("etag", "\"1\"")], "old")
        }
    });
    let edge = edge(&origin, DECLARED);
    edge.get("/");
    let stale = edge.get("/");
    assert_eq!((stale.status, stale.text().as_str()), (200, "old"), "{stale:?}");
    assert!(stale.header("cache-status").contains("detail=stale-error"), "{stale:?}");
}
