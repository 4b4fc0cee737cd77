//! Trailers of origins: who gets them, on a miss, on a hit and after a restart, and which are dropped.

use crate::harness::{Answer, Edge, Origin, eventually};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use nix::sys::signal::Signal;

const ANSWER: &str = "HTTP/1.1 200 X\r\ncache-control: max-age=600\r\ntransfer-encoding: chunked\r\n\
    trailer: x-checksum, set-cookie\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\
    x-checksum: abc\r\nset-cookie: a=b\r\ncontent-length: 3\r\ncache-control: no-store\r\n\r\n";

fn origin() -> Origin {
    Origin::start(|_| Answer::head_only(ANSWER))
}

fn config(origin: &Origin, more: &str) -> String {
    format!("{more}[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url())
}

/// All bytes of an answer, its lines in lower case.
fn raw(edge: &Edge, fields: &str) -> String {
    let mut client = edge.client();
    client.send(format!("GET / HTTP/1.1\r\nhost: site.test\r\nconnection: close\r\n{fields}\r\n").as_bytes());
    let mut bytes = Vec::new();
    while !client.is_closed() {
        bytes.extend(client.some_bytes());
    }
    String::from_utf8(bytes).unwrap().to_ascii_lowercase()
}

const TAKES: &str = "te: trailers\r\n";

/// What a viewer gets who takes trailers.
#[track_caller]
fn has_them(answer: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-length"), "{answer}");
    assert!(head.lines().any(|line| line.starts_with("trailer: x-checksum")), "{answer}");
    assert!(body.ends_with("\r\n0\r\nx-checksum: abc\r\n\r\n"), "{answer}");
    assert!(!answer.contains("set-cookie: a=b") && !answer.contains("no-store"), "{answer}");
}

/// What any other viewer gets.
#[track_caller]
fn has_none(answer: &str) {
    assert!(!answer.contains("x-checksum"), "{answer}");
    assert!(answer.contains("hello"), "{answer}");
}

#[test]
fn they_go_to_those_who_take_them() {
    let origin = origin();
    for more in ["", "[cache]\nprofile = \"strict-rfc\"\n"] {
        let edge = Edge::start(&config(&origin, more), &[]);
        let before = origin.count();
        has_them(&raw(&edge, TAKES));
        eventually("it is stored", || raw(&edge, TAKES).contains("x-cache: hit").then_some(()));
        assert_eq!(origin.count(), before + 1);
        has_them(&raw(&edge, TAKES));
        let plain = raw(&edge, "");
        assert!(plain.contains("content-length: 11"), "{plain}");
        has_none(&plain);
        let part = raw(&edge, "te: trailers\r\nrange: bytes=0-4\r\n");
        assert!(part.contains("content-length: 5") && part.starts_with("http/1.1 206"), "{part}");
        has_none(&part);
        assert_eq!(origin.count(), before + 1);
    }
}

#[test]
fn they_are_not_sent_unasked_on_a_miss_but_are_stored() {
    let origin = origin();
    let edge = Edge::start(&config(&origin, ""), &[]);
    has_none(&raw(&edge, ""));
    eventually("it is stored", || raw(&edge, "").contains("x-cache: hit").then_some(()));
    has_them(&raw(&edge, TAKES));
    assert_eq!(origin.count(), 1);
}

#[test]
fn they_survive_a_restart_on_disk() {
    let origin = origin();
    let disk = "[cache]\nmemory = \"16MiB\"\n[cache.disk]\npath = \"store\"\nsize = \"64MiB\"\n";
    let mut edge = Edge::start(&config(&origin, disk), &[]);
    eventually("it is stored", || raw(&edge, TAKES).contains("x-cache: hit").then_some(()));
    edge.signal(Signal::SIGTERM);
    edge.end();
    let edge = edge.again();
    let answer = raw(&edge, TAKES);
    assert!(answer.contains("x-cache: hit"), "{answer}");
    has_them(&answer);
}

#[test]
fn they_outlive_a_confirmation() {
    let origin = Origin::start(|seen| match seen.header("if-none-match") {
        Some(_) => Answer::head_only("HTTP/1.1 304 X\r\netag: \"a\"\r\ncache-control: max-age=600\r\n\r\n"),
        None => Answer::head_only(&ANSWER.replace("max-age=600", "max-age=600\r\nage: 700\r\netag: \"a\"")),
    });
    let edge = Edge::start(&config(&origin, ""), &[]);
    has_them(&raw(&edge, TAKES));
    eventually("it is confirmed", || raw(&edge, TAKES).contains("x-cache: hit").then_some(()));
    has_them(&raw(&edge, TAKES));
}

#[test]
fn a_cut_body_has_none() {
    let origin = Origin::start(|_| {
        let end = ANSWER.find("6\r\n world").unwrap();
        Answer::raw(&ANSWER.as_bytes()[..end + 5])
    });
    let edge = Edge::start(&config(&origin, ""), &[]);
    let answer = raw(&edge, TAKES);
    assert!(
        answer.contains("hello") && !answer.contains("x-checksum: abc") && !answer.ends_with("0\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn http2_gets_them_unasked() {
    let origin = origin();
    let edge = Edge::start(&config(&origin, ""), &[]);
    let tcp = tokio::net::TcpStream::connect(edge.address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let request = hyper::Request::get("http://site.test/").body(Empty::<bytes::Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().unwrap();
        assert_eq!((trailers.len(), trailers["x-checksum"].as_bytes()), (1, &b"abc"[..]));
        assert_eq!(body.to_bytes(), "hello world");
    }
}
