//! Connections: reuse, death while idle, limits, attempts, addresses.

use std::io;
use std::time::Duration;

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_connection_serves_again_after_each_kind_of_body() {
    let server = scripted(|_, mut tcp| async move {
        for answer in [
            OK,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.1 204 No\r\n\r\n",
            OK,
        ] {
            read_head(&mut tcp).await.unwrap();
            tcp.write_all(answer.as_bytes()).await.unwrap();
        }
        std::future::pending::<()>().await;
    })
    .await;
    let origin = server.origin();
    for body in ["ok", "ok", "", "ok"] {
        let response = get(&origin).await.unwrap();
        assert_eq!(drain(response.body).await, (body.to_owned(), None));
        assert_eq!(idle(&origin), 1);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_with_an_unread_body_is_closed() {
    let server = answering(OK, false).await;
    let origin = server.origin();
    drop(get(&origin).await.unwrap());
    assert_eq!(idle(&origin), 0);
    assert_eq!(drain(get(&origin).await.unwrap().body).await.0, "ok");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn excess_bytes_end_a_connection() {
    let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", false).await;
    let origin = server.origin();
    for _ in 0..3 {
        assert_eq!(drain(get(&origin).await.unwrap().body).await, ("ok".to_owned(), None));
    }
    assert_eq!(server.connections(), 3);
}

/// A server whose first connection answers once and dies at the second request, without a byte.
async fn dying() -> Scripted {
    scripted(|number, mut tcp| async move {
        read_head(&mut tcp).await.unwrap();
        tcp.write_all(OK.as_bytes()).await.unwrap();
        while read_head(&mut tcp).await.is_some() && number > 0 {
            tcp.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_a_get_nothing() {
    let server = dying().await;
    let origin = server.origin();
    for _ in 0..3 {
        assert_eq!(drain(get(&origin).await.unwrap().body).await, ("ok".to_owned(), None));
    }
    assert_eq!(server.connections(), 2);
}

/// A server that closes so many connections when it has read a request, and then answers.
async fn closing(count: usize) -> Scripted {
    scripted(move |number, mut tcp| async move {
        while read_head(&mut tcp).await.is_some() && number >= count {
            tcp.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn what_was_lost_on_a_new_connection_is_sent_once_more_and_no_more() {
    for method in [Method::GET, Method::HEAD] {
        let server = closing(1).await;
        assert_eq!(server.origin().send(request(method, "/")).await.unwrap().head.status, 200);
        assert_eq!(server.connections(), 2);
    }
    let server = closing(2).await;
    assert_eq!(get(&server.origin()).await.unwrap_err(), OriginError::Closed);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn the_leave_to_send_again_is_one_for_all_who_share_it() {
    let server = closing(1).await;
    let spent = Arc::default();
    let mut first = request(Method::GET, "/");
    first.again = SecondTry::unless(Arc::clone(&spent));
    assert_eq!(server.origin().send(first).await.unwrap().head.status, 200);
    assert!(spent.load(SeqCst));
    let server = closing(1).await;
    let mut second = request(Method::GET, "/");
    second.again = SecondTry::unless(spent);
    assert_eq!(server.origin().send(second).await.unwrap_err(), OriginError::Closed);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn other_methods_bodies_and_origins_without_retries_have_one_try() {
    for (method, body, attempts) in
        [(Method::DELETE, "", 3), (Method::OPTIONS, "", 3), (Method::GET, "x", 3), (Method::GET, "", 1)]
    {
        let server = closing(1).await;
        let settings = OriginSettings { connection_attempts: attempts, ..server.settings() };
        let mut sent = request(method.clone(), "/");
        if !body.is_empty() {
            (sent.body, sent.body_length) = (body::full(body), BodyLength::Known(1));
        }
        let origin = Origin::build("o", settings).unwrap();
        assert_eq!(origin.send(sent).await.unwrap_err(), OriginError::Closed, "{method}");
        assert_eq!(server.connections(), 1, "{method}");
    }
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let server = dying().await;
    let origin = server.origin();
    drain(get(&origin).await.unwrap().body).await;
    let mut post = request(Method::POST, "/");
    (post.body, post.body_length) = (body::full("x"), BodyLength::Known(1));
    assert_eq!(origin.send(post).await.unwrap_err(), OriginError::Closed);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_was_never_written_is_sent_on_another_connection_even_without_retries() {
    // A server outside of this runtime: it closes kept connections without this thread ever being told in between.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (close, closing) = std::sync::mpsc::channel::<std::sync::mpsc::Sender<()>>();
    let server = std::thread::spawn(move || {
        for _ in 0..3 {
            let (mut tcp, _) = listener.accept().unwrap();
            io::Read::read(&mut tcp, &mut [0; 4096]).unwrap();
            io::Write::write_all(&mut tcp, OK.as_bytes()).unwrap();
            let closed = closing.recv().unwrap();
            drop(tcp);
            closed.send(()).unwrap();
        }
    });
    let target =
        Target::Url { https: false, host: "127.0.0.1".into(), port: address.port(), path_prefix: String::new() };
    let settings = OriginSettings { connection_attempts: 1, ..OriginSettings::new(target) };
    let origin = Origin::build("o", settings).unwrap();
    for method in [Method::GET, Method::GET, Method::DELETE] {
        let body = origin.send(request(method, "/")).await.unwrap().body;
        assert_eq!(drain(body).await, ("ok".to_owned(), None));
        assert_eq!(idle(&origin), 1);
        let (closed, wait) = std::sync::mpsc::channel();
        close.send(closed).unwrap();
        wait.recv().unwrap(); // this thread sleeps, and with it all tasks
    }
    server.join().unwrap();
}

#[tokio::test]
async fn without_retries_a_request_that_was_written_is_not_written_again() {
    let server = dying().await;
    let mut settings = server.settings();
    settings.connection_attempts = 1;
    let origin = Origin::build("o", settings).unwrap();
    drain(get(&origin).await.unwrap().body).await;
    assert_eq!(get(&origin).await.unwrap_err(), OriginError::Closed);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_get_is_not_repeated_once_bytes_came() {
    let server = scripted(|_, mut tcp| async move {
        read_head(&mut tcp).await.unwrap();
        tcp.write_all(OK.as_bytes()).await.unwrap();
        read_head(&mut tcp).await.unwrap();
        tcp.write_all(b"HTTP/1.1 2").await.unwrap();
    })
    .await;
    let origin = server.origin();
    drain(get(&origin).await.unwrap().body).await;
    assert_eq!(get(&origin).await.unwrap_err(), OriginError::Closed);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_answer_before_the_requests_end_uses_the_connection_up() {
    let server = answering(OK, false).await;
    let origin = server.origin();
    let mut post = request(Method::POST, "/");
    let frames = stream::pending::<Result<Frame<Bytes>, BodyError>>();
    (post.body, post.body_length) = (StreamBody::new(frames).boxed_unsync(), BodyLength::Known(1_000_000));
    assert_eq!(drain(origin.send(post).await.unwrap().body).await, ("ok".to_owned(), None));
    assert_eq!(idle(&origin), 0);
}

#[tokio::test(start_paused = true)]
async fn idle_connections_are_closed_in_time() {
    let server = answering(OK, false).await;
    let origin = server.origin();
    drain(get(&origin).await.unwrap().body).await;
    assert_eq!(idle(&origin), 1);
    tokio::time::sleep(Duration::from_millis(4_900)).await;
    assert_eq!(idle(&origin), 1);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(idle(&origin), 0);
}

#[tokio::test(start_paused = true)]
async fn exchanges_beyond_the_limit_wait_and_then_give_up() {
    let server = answering(OK, false).await;
    let mut settings = server.settings();
    settings.max_connections = 1;
    let origin = Origin::build("o", settings).unwrap();
    let unread = get(&origin).await.unwrap();
    assert_eq!(get(&origin).await.unwrap_err(), OriginError::Busy);
    let waiting = tokio::spawn({
        let origin = origin.clone();
        async move { get(&origin).await.map(|response| response.head.status) }
    });
    drain(unread.body).await;
    assert_eq!(waiting.await.unwrap().unwrap(), 200);
}

#[tokio::test]
async fn a_refused_connection_is_an_error_at_once() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = Scripted { address, connections: Arc::default() };
    let error = get(&server.origin()).await.unwrap_err();
    assert!(matches!(error, OriginError::Connect(_)), "{error}");
}

#[tokio::test]
async fn a_dead_address_is_passed_over_and_a_name_is_resolved() {
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let server = answering(OK, false).await;
    let mut settings = server.settings();
    let Target::Url { host, .. } = &mut settings.target else { unreachable!() };
    *host = "origin.test".to_owned();
    settings.connection_attempts = 1;
    let origin = Origin::build("o", settings).unwrap();
    let Source::Server { endpoint, .. } = &origin.source else { unreachable!() };
    endpoint.connector().resolver().script([Err(io::Error::other("SERVFAIL")), Ok(vec![dead, server.address])]);
    assert_eq!(get(&origin).await.unwrap_err(), OriginError::Connect("SERVFAIL".to_owned()));
    // POST has one attempt; another address in the same attempt is no second sending.
    assert_eq!(origin.send(request(Method::POST, "/")).await.unwrap().head.status, 200);
}

#[test]
fn hosts_that_are_none_are_refused() {
    for host in ["", "a b", "a/b", "[::1", "user@a", ".a"] {
        let target = Target::Url { https: false, host: host.to_owned(), port: 80, path_prefix: String::new() };
        let error = Origin::build("o", OriginSettings::new(target)).unwrap_err();
        assert!(matches!(error, OriginBuildError::Host { .. }), "{host:?}: {error}");
    }
}
