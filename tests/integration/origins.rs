//! Origins that misbehave, and bodies that stream.

use super::purge::admin;
use crate::harness::{Answer, Client, Edge, Origin, binary, eventually};
use std::{
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
};

fn edge(origin: &Origin, more: &str) -> Edge {
    Edge::start(
        &format!(
            "[origin.app]\nurl = \"{}\"\n{more}\n[cache_policy.p]\nttl = {{ min = \"0s\", default = \"60s\", max = \"1h\" }}\n\
             [[behavior]]\npath = \"/pass/*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\n\
             [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\n",
            origin.url()
        ),
        &[],
    )
}

#[test]
fn an_origin_that_is_down_is_502_with_a_reason() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = Edge::start(
        &format!("[origin.app]\nurl = \"http://{unused}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n"),
        &[],
    );
    let reply = edge.get("/");
    assert_eq!((reply.status, reply.x_cache(), reply.header("cache-control")), (502, "Error", "no-store"));
    let id = reply.header("x-amz-cf-id").to_owned();
    let log = edge.says(&id);
    assert!(log.contains("origin connect"), "{log}");
    assert!(!reply.text().contains("127.0.0.1"), "the page does not tell where the origin is");
}

#[test]
fn an_origin_that_answers_badly_is_502_and_nothing_is_stored() {
    for bytes in [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    ] {
        let origin = Origin::start(move |_| Answer::raw(bytes));
        let edge = edge(&origin, "");
        let reply = edge.get("/");
        assert_eq!((reply.status, reply.x_cache()), (502, "Error"), "{bytes:?}: {reply:?}");
        assert!(!reply.header("cache-status").contains("stored"), "{reply:?}");
    }
}

#[test]
fn an_origin_that_fails_is_left_alone_until_error_ttl_is_over_or_something_is_purged() {
    let healthy = Arc::new(AtomicBool::new(false));
    let state = healthy.clone();
    let answers = move |_: &crate::harness::Seen| {
        if state.load(Relaxed) { Answer::ok("well") } else { Answer::raw("nonsense\r\n\r\n") }
    };
    let origin = Origin::start(answers);
    let table = "[origin.app]\nurl = \"URL\"\n\
                 [[behavior]]\npath = \"/now/*\"\norigin = \"app\"\ncache.error_ttl = { \"502\" = \"0s\" }\n\
                 [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache.error_ttl = { \"502\" = \"1h\" }\n";
    let edge = Edge::start(&table.replace("URL", &origin.url()), &[]);
    for path in ["/a", "/now/a"] {
        assert_eq!(edge.get(path).status, 502, "{path}");
    }
    healthy.store(true, Relaxed);
    let asked = origin.count();
    let reply = edge.get("/a");
    assert_eq!((reply.status, reply.x_cache(), origin.count()), (502, "Error", asked));
    assert_eq!(edge.get("/b").text(), "well", "of others nothing is known");
    assert_eq!(edge.get("/now/a").text(), "well");
    let purge = ["purge", "--config", "edge.toml", "--admin", &admin(&edge), "/a"];
    assert!(Command::new(binary()).args(purge).current_dir(edge.folder()).status().unwrap().success());
    assert_eq!(edge.get("/a").text(), "well");
}

#[test]
fn an_origin_that_never_answers_is_504() {
    let (_open, gate) = mpsc::channel();
    let gate = Mutex::new(Some(gate));
    let origin = Origin::start(move |_| {
        let gate = gate.lock().unwrap().take();
        gate.map_or_else(|| Answer::ok("late"), |gate| Answer::ok("late").after(gate))
    });
    let edge = edge(&origin, "read_timeout = \"1s\"");
    let reply = edge.get("/pass/x");
    assert_eq!((reply.status, reply.x_cache()), (504, "Error"), "{reply:?}");
}

#[test]
fn a_body_that_is_cut_is_seen_to_be_cut_and_not_stored() {
    for (name, whole, closing) in [
        ("length", "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 10\r\n\r\nhello", false),
        ("length", "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 10\r\n\r\nhello", true),
        (
            "chunked",
            "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            false,
        ),
        (
            "chunked",
            "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            true,
        ),
    ] {
        let origin = Origin::start(move |_| if closing { Answer::raw(whole) } else { Answer::raw(whole).reset() });
        let edge = edge(&origin, "");
        for target in ["/cached", "/cached", "/pass/x"] {
            let mut client = edge.client();
            client.send(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
            // A reset may overtake the head; then there is an error instead of a cut body. Never a complete answer.
            let reply = client.reply(false);
            let cut = reply.status == 200 && !reply.complete;
            assert!(cut || reply.status == 502, "{name} {target}: {reply:?}");
            if cut {
                assert!(client.is_closed(), "{name} {target}");
            }
        }
        assert!(origin.count() >= 3, "{name}: nothing was stored");
    }
}

#[test]
fn the_first_byte_goes_on_before_the_last_has_come() {
    for target in ["/cached", "/pass/x"] {
        let (open, gate) = mpsc::channel();
        let gate = Mutex::new(Some(gate));
        let origin = Origin::start(move |_| {
            let head = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 10\r\n\r\nfirst";
            Answer::raw(head).wait(gate.lock().unwrap().take().unwrap()).then("-last")
        });
        let edge = edge(&origin, "");
        let mut client = edge.client();
        client.send(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        assert_eq!(client.head().status, 200);
        let mut body = client.some_bytes();
        assert!(b"first".starts_with(&body[..]) || body == b"first", "{body:?}");
        drop(open);
        while body.len() < 10 {
            body.extend(client.some_bytes());
        }
        assert_eq!(body, b"first-last", "{target}");
    }
}

#[test]
fn request_bodies_stream_through() {
    let origin =
        Origin::start(|seen| Answer::ok(&format!("{} {:?}", seen.body.len(), seen.header("transfer-encoding"))));
    let edge = edge(&origin, "");
    let large = vec![b'x'; 3 * 1024 * 1024];
    let sized = edge.client().request("POST", "/pass/x", &[], &large);
    assert_eq!(sized.text(), format!("{} None", large.len()));
    let mut client = edge.client();
    client.send(b"PUT /pass/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(client.reply(false).text(), "5 Some(\"chunked\")");
}

#[test]
fn a_viewer_that_does_not_read_stops_the_origin() {
    let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let count = written.clone();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let total = 512 * 1024 * 1024;
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {total}\r\n\r\n").as_bytes());
            let piece = vec![b'x'; 64 * 1024];
            while stream.write_all(&piece).is_ok() {
                count.fetch_add(piece.len(), std::sync::atomic::Ordering::SeqCst);
            }
        }
    });
    let config = format!(
        "[origin.app]\nurl = \"http://{address}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\n"
    );
    let edge = Edge::start(&config, &[]);
    let mut client = edge.client();
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.head().status, 200);
    // Quiet when nothing moves between two looks with a hundred other exchanges in between.
    let now = || written.load(std::sync::atomic::Ordering::SeqCst);
    eventually("the origin stands still", || {
        let before = now();
        for _ in 0..100 {
            assert_eq!(Client::connect(edge.address()).request("GET", "/", &[("expect", "x")], b"").status, 417);
        }
        (before == now()).then_some(())
    });
    assert!(now() < 64 * 1024 * 1024, "{} bytes were taken from the origin for a viewer that reads none", now());
}

#[test]
fn connections_to_the_origin_are_kept() {
    let origin = Origin::start(|seen| Answer::ok(&seen.nth.to_string()));
    let edge = edge(&origin, "");
    let replies: Vec<String> = (0..3).map(|_| edge.get("/pass/x").text()).collect();
    assert_eq!((replies, origin.connections()), (vec!["1".to_owned(), "2".to_owned(), "3".to_owned()], 1));
}

#[test]
fn what_the_origin_is_told() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let edge = edge(&origin, "headers = { x-secret = \"s3cret\" }");
    edge.get_with(
        "/a?b=1",
        &[("user-agent", "viewer"), ("accept", "a"), ("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "ftp")],
    );
    let seen = origin.only();
    assert_eq!(seen.target, "/a", "the query is not in the key of this policy");
    assert_eq!(seen.header("host"), Some(origin.authority().as_str()));
    assert_eq!(seen.header("user-agent"), Some("edgehook"));
    assert_eq!(seen.header("accept"), None);
    assert_eq!(seen.header("x-secret"), Some("s3cret"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"), "what viewers say of themselves is not keyed");
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some("www.example.com"));
    assert_eq!(seen.header("via"), Some("1.1 edge1 (edgehook)"));
    assert_eq!(seen.header("cdn-loop"), Some("edge1"));
    let fields = [("user-agent", "viewer"), ("cookie", "a=1"), ("x-forwarded-for", "198.51.100.1")];
    let all = edge.get_with("/pass/a?b=1", &fields);
    assert_eq!(all.status, 200);
    let seen = origin.seen().pop().unwrap();
    assert_eq!(
        (seen.target.as_str(), seen.header("user-agent"), seen.header("cookie")),
        ("/pass/a?b=1", Some("viewer"), Some("a=1"))
    );
    assert_eq!(seen.header("x-forwarded-for"), Some("198.51.100.1, 127.0.0.1"), "where nothing is stored");
}

#[test]
fn a_request_that_goes_in_circles_is_stopped() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let edge = edge(&origin, "");
    assert_eq!(edge.get_with("/pass/x", &[("cdn-loop", "edge1")]).status, 200);
    assert_eq!(edge.get_with("/pass/x", &[("cdn-loop", "edge1, other, edge1")]).status, 508);
}

#[test]
fn a_folder_is_an_origin_for_static_sites() {
    let files = [
        ("site/index.html", "<h1>home</h1>"),
        ("site/a/index.html", "a"),
        ("site/t.txt", "text"),
        ("secret.txt", "no"),
        ("site/.hidden/key", "no"),
        ("site/.well-known/x", "yes"),
    ];
    let config = "[origin.site]\ndir = \"site\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n";
    let edge = Edge::start(config, &files);
    let home = edge.get("/");
    assert_eq!(
        (home.status, home.text().as_str(), home.header("content-type")),
        (200, "<h1>home</h1>", "text/html; charset=utf-8")
    );
    assert_eq!(edge.get("/a/").text(), "a");
    assert_eq!(edge.get("/t.txt").header("content-type"), "text/plain; charset=utf-8");
    let tag = edge.get("/t.txt").header("etag").to_owned();
    assert_eq!(edge.get_with("/t.txt", &[("if-none-match", &tag)]).status, 304);
    for (target, status) in [
        ("/none", 404),
        ("/../secret.txt", 400),
        ("/%2e%2e/secret.txt", 400),
        ("/..%2fsecret.txt", 404),
        ("/.hidden/key", 404),
        ("/.well-known/x", 200),
        ("/a", 301),
    ] {
        assert_eq!(edge.get(target).status, status, "{target}");
    }
    assert_eq!(edge.client().request("POST", "/t.txt", &[], b"x").status, 405);
}

#[test]
fn traces_are_passed_on_or_made() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let edge = Edge::start(
        &format!(
            "[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"/all/*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\n\
             [[behavior]]\npath = \"*\"\norigin = \"app\"\n",
            origin.url()
        ),
        &[],
    );
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let fields = [("traceparent", given), ("tracestate", "vendor=1")];
    for path in ["/all/a", "/a"] {
        assert_eq!(edge.get_with(path, &fields).status, 200);
    }
    assert_eq!(edge.get_with("/a", &[("traceparent", "other")]).x_cache(), "Hit", "in no key");
    edge.get("/all/b");
    edge.get_with("/all/c", &[("traceparent", "<script>"), ("tracestate", "vendor=1")]);
    let told: Vec<(String, Option<String>)> = origin
        .seen()
        .iter()
        .map(|seen| (seen.header("traceparent").unwrap().to_owned(), seen.header("tracestate").map(str::to_owned)))
        .collect();
    assert_eq!(told.len(), 4);
    for (line, _) in &told[..2] {
        assert!(line.starts_with(&given[..36]) && line.ends_with("-01") && line != given, "{line}");
    }
    assert_eq!(
        (told[0].1.as_deref(), told[1].1.as_deref()),
        (Some("vendor=1"), None),
        "where all goes on, and only there"
    );
    for (line, state) in &told[2..] {
        assert!(line.starts_with("00-") && line.len() == 55 && line.ends_with("-00") && state.is_none(), "{line}");
    }
    assert_ne!(told[2].0, told[3].0);
}
