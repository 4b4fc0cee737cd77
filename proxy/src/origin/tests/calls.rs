//! Calls over HTTP/2: who may be silent for how long, and what becomes of connections.

use super::*;
use futures_util::future::join_all;
use futures_util::stream;
use h2::server::SendResponse;
use http_body::Frame;
use http_body_util::StreamBody;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What a server does with a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    /// Nothing.
    Nothing,
    /// Answers, sends one message and says no more.
    Begins,
    /// Answers and ends.
    Answers,
    /// The same, and then closes the connection.
    AnswersAndCloses,
}

async fn server(does: Does) -> Scripted {
    scripted(move |_, tcp| async move {
        let mut connection = h2::server::handshake(tcp).await.unwrap();
        let mut kept: Vec<Box<dyn std::any::Any + Send>> = Vec::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            kept.push(Box::new(request));
            if does != Does::Nothing {
                kept.push(Box::new(answer(&mut respond, does == Does::Begins)));
            }
            kept.push(Box::new(respond));
            if does == Does::AnswersAndCloses {
                // Until what was said is written.
                drop(tokio::time::timeout(Duration::from_millis(1), connection.accept()).await);
                return;
            }
        }
    })
    .await
}

fn answer(respond: &mut SendResponse<Bytes>, goes_on: bool) -> h2::SendStream<Bytes> {
    let mut stream = respond.send_response(::http::Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(b"hello"), !goes_on).unwrap();
    stream
}

fn call(body: Body, length: BodyLength, fields: &[(&'static str, &'static str)]) -> OriginRequest {
    OriginRequest {
        headers: crate::cache::tests::fields(fields),
        body,
        body_length: length,
        grpc: true,
        ..request(Method::POST, "/call")
    }
}

fn unary(fields: &[(&'static str, &'static str)]) -> OriginRequest {
    call(body::full("question"), BodyLength::Known(8), fields)
}

/// A viewer who says something after each of these waits, in seconds, and then is silent.
fn talks(waits: Vec<u64>) -> OriginRequest {
    let said = stream::unfold(waits.into_iter(), |mut waits| async move {
        let Some(wait) = waits.next() else { return std::future::pending().await };
        sleep(Duration::from_secs(wait)).await;
        Some((Ok(Frame::data(Bytes::from_static(b"x"))), waits))
    });
    call(StreamBody::new(said).boxed_unsync(), BodyLength::Unknown, &[])
}

#[tokio::test(start_paused = true)]
async fn the_head_is_waited_for_as_long_as_the_origin_or_the_call_says() {
    for (stated, seconds) in [("", 30), ("5S", 30), ("100S", 100), ("50M", 600), ("soon", 30)] {
        let server = server(Does::Nothing).await;
        let began = Instant::now();
        let fields = [("grpc-timeout", stated)];
        let fields = if stated.is_empty() { &[][..] } else { &fields[..] };
        assert_eq!(server.origin().send(unary(fields)).await.unwrap_err(), OriginError::ReadTimeout);
        assert_eq!(began.elapsed().as_secs(), seconds, "{stated}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_viewer_has_more_to_say_the_origin_need_not_answer_but_somebody_has_to_speak() {
    let server = server(Does::Nothing).await;
    let began = Instant::now();
    assert_eq!(server.origin().send(talks(vec![500, 500])).await.unwrap_err(), OriginError::ReadTimeout);
    assert_eq!(began.elapsed().as_secs(), 1600);
}

#[tokio::test(start_paused = true)]
async fn a_call_in_which_nobody_speaks_for_ten_minutes_ends() {
    for (request, seconds) in [(unary(&[]), 600), (talks(vec![500, 500]), 1600)] {
        let server = server(Does::Begins).await;
        let began = Instant::now();
        let response = server.origin().send(request).await.unwrap();
        assert_eq!(drain(response.body).await, ("hello".to_owned(), Some(BodyError::OriginTimeout)));
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
}

async fn drain(mut body: Body) -> (String, Option<BodyError>) {
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
            Err(error) => return (text, Some(error)),
        }
    }
    (text, None)
}

fn lines(origin: &Origin) -> usize {
    let Source::Server { endpoint, .. } = &origin.source else { panic!("no server") };
    endpoint.lines().count()
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_is_closed_after_its_time() {
    let server = server(Does::Answers).await;
    let origin = server.origin();
    for _ in 0..3 {
        let response = origin.send(unary(&[])).await.unwrap();
        sleep(Duration::from_secs(60)).await;
        assert_eq!(lines(&origin), 1, "there is a call");
        assert_eq!(drain(response.body).await, ("hello".to_owned(), None));
        sleep(Duration::from_millis(4_900)).await;
        assert_eq!(lines(&origin), 1);
    }
    assert_eq!(server.connections(), 1);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(lines(&origin), 0);
    assert!(origin.send(unary(&[])).await.is_ok());
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn who_comes_while_a_connection_is_made_waits_for_it() {
    let server = server(Does::Begins).await;
    let origin = server.origin();
    let responses = join_all((0..100).map(|_| origin.send(unary(&[])))).await;
    assert!(responses.iter().all(Result::is_ok));
    assert_eq!(server.connections(), 1);
    assert!(origin.send(unary(&[])).await.is_ok());
    assert_eq!(server.connections(), 2, "a hundred are as many as one has");
}

#[tokio::test]
async fn a_connection_that_was_closed_is_followed_by_another() {
    let server = server(Does::AnswersAndCloses).await;
    let origin = server.origin();
    let mut answered = 0;
    while server.connections() < 5 {
        match origin.send(unary(&[])).await {
            Ok(response) => answered += usize::from(drain(response.body).await.1.is_none()),
            Err(error) => assert_eq!(error, OriginError::Closed, "it went out as the connection was closed"),
        }
    }
    assert!(answered > 0);
}

#[tokio::test]
async fn a_failed_attempt_to_connect_is_everybodys_and_the_next_one_tries_again() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let gone = Scripted { address, connections: Arc::default() };
    let origin = gone.origin();
    for _ in 0..2 {
        for response in join_all((0..10).map(|_| origin.send(unary(&[])))).await {
            assert!(matches!(response, Err(OriginError::Connect(_))), "{response:?}");
        }
    }
}
