//! Heads: what is written, what is accepted, what is refused, how long is waited.

use std::time::Duration;

use ::http::HeaderValue;

use super::*;

/// What `origin` puts on the wire for `request`, up to and including the body's end mark `end`.
async fn written(request: OriginRequest, prefix: &str, end: &'static str) -> String {
    let (seen, heard) = tokio::sync::oneshot::channel();
    let seen = Arc::new(std::sync::Mutex::new(Some(seen)));
    let server = scripted(move |_, mut tcp| {
        let seen = Arc::clone(&seen);
        async move {
            let mut bytes = Vec::new();
            while !bytes.ends_with(end.as_bytes()) {
                bytes.push(tcp.read_u8().await.unwrap());
            }
            tcp.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            let seen = seen.lock().unwrap().take();
            seen.unwrap().send(String::from_utf8(bytes).unwrap()).unwrap();
        }
    })
    .await;
    let mut settings = server.settings();
    let Target::Url { path_prefix, .. } = &mut settings.target else { unreachable!() };
    *path_prefix = prefix.to_owned();
    let origin = Origin::build("o", settings).unwrap();
    let response = origin.send(request).await.unwrap();
    assert_eq!((response.head.status.as_u16(), response.delimited), (204, Delimited::None));
    heard.await.unwrap().replace(&server.address.to_string(), "ORIGIN")
}

#[tokio::test]
async fn requests_are_written_anew() {
    let mut plain = request(Method::GET, "/a?b=c%20d");
    plain.headers.insert("accept", HeaderValue::from_static("*/*"));
    plain.headers.insert("transfer-encoding", HeaderValue::from_static("gzip"));
    plain.headers.insert("te", HeaderValue::from_static("trailers"));
    assert_eq!(
        written(plain, "/prefix/", "\r\n\r\n").await,
        "GET /prefix/a?b=c%20d HTTP/1.1\r\nAccept: */*\r\nHost: ORIGIN\r\n\r\n"
    );
    let mut known = request(Method::POST, "/");
    known.headers.insert("host", HeaderValue::from_static("v.test"));
    known.headers.insert("content-length", HeaderValue::from_static("00099"));
    (known.body, known.body_length) = (body::full("hello"), BodyLength::Known(5));
    assert_eq!(written(known, "", "hello").await, "POST / HTTP/1.1\r\nHost: v.test\r\nContent-Length: 5\r\n\r\nhello");
    for method in [Method::PUT, Method::GET] {
        let mut unknown = request(method.clone(), "/");
        (unknown.body, unknown.body_length) = (body::full("hello"), BodyLength::Unknown);
        assert_eq!(
            written(unknown, "", "0\r\n\r\n").await,
            format!("{method} / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: ORIGIN\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        );
    }
    let none = request(Method::POST, "/");
    assert_eq!(written(none, "", "\r\n\r\n").await, "POST / HTTP/1.1\r\nContent-Length: 0\r\nHost: ORIGIN\r\n\r\n");
}

#[tokio::test]
async fn a_target_that_is_none_is_not_sent() {
    let server = answering("HTTP/1.1 204 No Content\r\n\r\n", false).await;
    for path in ["x", "", "/a b", "/a\r\nx: y", "http://a.test/"] {
        let error = server.origin().send(request(Method::GET, path)).await.unwrap_err();
        assert!(matches!(error, OriginError::Unsendable(_)), "{path:?}: {error}");
    }
    assert_eq!(server.connections(), 0);
}

/// Checks what the answer to `method` looks like: status, length, body.
async fn check(method: Method, answer: &'static str, status: u16, delimited: Delimited, body: &str) {
    let server = answering(answer, true).await;
    let response = server.origin().send(request(method, "/")).await.unwrap();
    assert_eq!((response.head.status.as_u16(), response.delimited), (status, delimited), "{answer}");
    assert_eq!(drain(response.body).await, (body.to_owned(), None), "{answer}");
}

#[tokio::test]
async fn responses_are_read_by_their_framing() {
    check(Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, Delimited::Length(5), "hello").await;
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nx-t: 1\r\n\r\n";
    check(Method::GET, chunked, 200, Delimited::Chunked, "helloTRAILERS").await;
    let refused = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ncontent-length: 1\r\n\r\n";
    check(Method::GET, refused, 200, Delimited::Chunked, "hello").await;
    check(Method::GET, "HTTP/1.1 200 OK\r\n\r\nhello", 200, Delimited::Close, "hello").await;
    check(Method::GET, "HTTP/1.0 200 OK\r\n\r\nhello", 200, Delimited::Close, "hello").await;
    check(Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", 200, Delimited::None, "").await;
    check(Method::GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304, Delimited::None, "").await;
    check(Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", 204, Delimited::None, "").await;
    check(Method::GET, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, Delimited::Length(0), "").await;
    let informed = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n\
                    HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    check(Method::GET, informed, 200, Delimited::Length(2), "ok").await;
}

#[tokio::test]
async fn bad_heads_are_refused() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: foo\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    ] {
        let server = answering(answer, false).await;
        let origin = server.origin();
        let error = get(&origin).await.unwrap_err();
        assert!(matches!(error, OriginError::BadResponse(_)), "{answer:?}: {error}");
        assert_eq!(idle(&origin), 0, "{answer:?}: the connection was kept");
    }
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let server = scripted(|_, mut tcp| async move {
        read_head(&mut tcp).await.unwrap();
        tcp.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.unwrap();
        while tcp.write_all(&[b'x'; 1024]).await.is_ok() {}
    })
    .await;
    let error = get(&server.origin()).await.unwrap_err();
    assert!(matches!(error, OriginError::BadResponse(_)), "{error}");
}

#[tokio::test]
async fn a_connection_closed_before_the_heads_end_is_closed() {
    for (answer, connections) in [("", 2), ("HTTP/1.1 200 OK\r\ncontent-le", 1)] {
        let server = answering(answer, true).await;
        assert_eq!(get(&server.origin()).await.unwrap_err(), OriginError::Closed, "{answer:?}");
        assert_eq!(server.connections(), connections, "{answer:?}: only what was met with silence goes out once more");
    }
    let reset = scripted(|_, mut tcp| async move {
        read_head(&mut tcp).await.unwrap();
        tcp.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        tcp.set_zero_linger().unwrap();
    })
    .await;
    assert_eq!(get(&reset.origin()).await.unwrap_err(), OriginError::Closed);
}

#[tokio::test(start_paused = true)]
async fn silence_and_dribble_end_at_the_read_timeout() {
    let dribble = "HTTP/1.1 200 OK\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\nx: y\r\n\r\n";
    let informational = "HTTP/1.1 103 Early Hints\r\n\r\n";
    for answer in ["", dribble, informational] {
        let server = scripted(move |_, mut tcp| async move {
            read_head(&mut tcp).await.unwrap();
            let mut every = tokio::time::interval(Duration::from_secs(1));
            let whole = answer == informational;
            let pieces = if whole { vec![answer; 1000] } else { answer.split("").collect() };
            for piece in pieces {
                every.tick().await;
                if tcp.write_all(piece.as_bytes()).await.is_err() {
                    return;
                }
            }
            std::future::pending::<()>().await;
        })
        .await;
        let began = tokio::time::Instant::now();
        assert_eq!(get(&server.origin()).await.unwrap_err(), OriginError::ReadTimeout, "{answer:?}");
        assert_eq!(began.elapsed().as_secs(), 30, "{answer:?}");
    }
}
