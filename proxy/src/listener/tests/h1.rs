//! HTTP/1.1 in cleartext: keep-alive, broken bodies, oversized heads, drain.

use std::io::ErrorKind;

use super::*;

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let running = start(Limits::default(), None);
    let mut viewer = running.viewer("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    read_until(&mut viewer, "hello").await;
    // Pipelined, and cut in the middle of a head.
    viewer.write_all(b"GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HT").await.unwrap();
    read_until(&mut viewer, "hello").await;
    viewer.write_all(b"TP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let last = read_until(&mut viewer, "hello").await;
    assert!(last.starts_with("HTTP/1.1 200 OK\r\n"), "{last}");
    assert!(last.contains("Content-Length: 5\r\n") && last.contains("Date: "), "{last}");
    assert_eq!(running.slots.open(), 1);
}

#[tokio::test]
async fn the_handler_sees_protocol_and_scheme() {
    let running = start(Limits::default(), None);
    let answer = running.exchange("GET /info HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("HTTP/1.1 http None"), "{answer}");
    let answer = running.exchange("GET /info HTTP/1.0\r\n\r\n").await;
    assert!(answer.ends_with("HTTP/1.0 http None"), "{answer}");
}

#[tokio::test]
async fn a_body_that_fails_never_ends_cleanly() {
    let running = start(Limits::default(), None);
    let answer = running.exchange("GET /broken-length HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.contains("Content-Length: 10\r\n") && answer.ends_with("\r\n\r\npart"), "{answer}");
    let answer = running.exchange("GET /broken HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.contains("chunked\r\n") && answer.ends_with("\r\n\r\n4\r\npart\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_fails_with_a_reset() {
    let running = start(Limits::default(), None);
    let mut viewer = running.viewer("GET /broken HTTP/1.0\r\n\r\n").await;
    let error = viewer.read_to_end(&mut Vec::new()).await.expect_err("a clean end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn oversized_heads_get_431() {
    let running = start(Limits { head_bytes: 1000, head_fields: 5, ..Limits::default() }, None);
    let head =
        |length: usize| format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {}\r\n\r\n", "x".repeat(length));
    let rest = head(0).len();
    assert!(running.exchange(&head(1000 - rest)).await.starts_with("HTTP/1.1 200"));
    assert!(running.exchange(&head(1001 - rest)).await.starts_with("HTTP/1.1 431"));
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nconnection: close\r\n{}\r\n", "x: y\r\n".repeat(count - 1));
    assert!(running.exchange(&fields(5)).await.starts_with("HTTP/1.1 200"));
    assert!(running.exchange(&fields(6)).await.starts_with("HTTP/1.1 431"));
    assert_eq!(running.site.requests.load(SeqCst), 2);
}

#[tokio::test]
async fn a_request_body_arrives_without_its_trailers() {
    let running = start(Limits::default(), None);
    let chunked = "POST /upload HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n0\r\nauthorization: x\r\n\r\n";
    let answer = running.exchange(chunked).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n5"), "{answer}");
    let broken = "POST /upload HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    let answer = running.exchange(broken).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn a_viewer_that_leaves_drops_the_work() {
    let running = start(Limits::default(), None);
    let viewer = running.viewer("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await;
    running.site.arrived.notified().await;
    drop(viewer);
    running.site.abandoned.cancelled().await;
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight() {
    let running = start(Limits::default(), None);
    let mut idle = running.viewer("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    read_until(&mut idle, "hello").await;
    running.site.arrived.notified().await;
    let mut busy = running.viewer("GET /gate HTTP/1.1\r\nhost: a\r\n\r\n").await;
    running.site.arrived.notified().await;
    running.begin_drain.cancel();
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0, "an idle connection was kept");
    running.site.gate.notify_one();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("Connection: close\r\n") && answer.ends_with("opened"), "{answer}");
    assert_eq!(running.ended.await.unwrap(), 0);
    assert!(TcpStream::connect(running.address).await.is_err(), "still listening");
}

#[tokio::test(start_paused = true)]
async fn draining_cuts_what_outlasts_the_grace() {
    let running = start(Limits::default(), None);
    let mut viewer = running.viewer("GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await;
    running.site.arrived.notified().await;
    running.begin_drain.cancel();
    assert_eq!(running.ended.await.unwrap(), 1);
    assert_eq!(viewer.read(&mut [0]).await.unwrap_or(0), 0);
    assert_eq!(running.slots.open(), 0);
}

/// Whole, byte by byte, and with a request behind it that must never be answered (security.md 2.0, 2.1).
#[tokio::test]
async fn what_others_read_differently_is_refused() {
    let head = |fields: &str| format!("POST /upload HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
    let chunked = |body: &str| format!("{}{body}", head("transfer-encoding: chunked"));
    let running = start(Limits::default(), None);
    for (refused, body) in [
        (head("content-length: 5\r\ntransfer-encoding: chunked"), false),
        (head("transfer-encoding: chunked\r\ntransfer-encoding: chunked"), false),
        (head("transfer-encoding: gzip, chunked"), false),
        (head("transfer-encoding: xchunked"), false),
        (head("transfer-encoding : chunked"), false),
        ("POST /upload HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), false),
        (head("content-length: 00001"), false),
        (head("content-length: +5"), false),
        (head("content-length: 5\r\ncontent-length: 5"), false),
        ("GET / HTTP/1.1\nhost: a\n\n".to_owned(), false),
        ("GET / HTTP/1.1\r\nhost: a\r\n\n".to_owned(), false),
        ("\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
        (head("x: a\r\n folded"), false),
        ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
        (chunked("1 \r\nx\r\n0\r\n\r\n"), true),
        (chunked("1;a\r\nx\r\n0\r\n\r\n"), true),
        (chunked("0;a=\"\r\n\r\n"), true),
        (chunked("0000000000000001\r\nx\r\n0\r\n\r\n"), true),
        (chunked("1\r\nxy\r\n0\r\n\r\n"), true),
        (chunked("1\r\nx\r\n0\r\nx : y\r\n\r\n"), true),
    ] {
        for part in [usize::MAX, 1] {
            let before = running.site.requests.load(SeqCst);
            let bytes = format!("{refused}GET /info HTTP/1.1\r\nhost: a\r\n\r\n");
            let mut viewer = TcpStream::connect(running.address).await.unwrap();
            viewer.set_nodelay(true).unwrap();
            for bytes in bytes.as_bytes().chunks(part) {
                // The listener may have heard enough.
                if viewer.write_all(bytes).await.is_err() {
                    break;
                }
            }
            let mut answer = Vec::new();
            // Closing with bytes unread resets; what was sent before still counts.
            let _ = viewer.read_to_end(&mut answer).await;
            let answer = String::from_utf8_lossy(&answer);
            assert!(!answer.contains("HTTP/1.1 200"), "{refused:?}: {answer}");
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{refused:?}: {answer}");
            assert_eq!(running.site.requests.load(SeqCst) - before, usize::from(body), "{refused:?}");
        }
    }
}
