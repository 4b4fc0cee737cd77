//! Bodies: cut ones, stalled ones, back-pressure in both directions.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

#[tokio::test]
async fn a_cut_body_ends_with_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloXX",
    ] {
        let server = answering(answer, true).await;
        let origin = server.origin();
        let response = get(&origin).await.unwrap();
        assert_eq!(drain(response.body).await, ("hello".to_owned(), Some(BodyError::Origin)), "{answer:?}");
        assert_eq!(idle(&origin), 0);
    }
    let reset = scripted(|_, mut tcp| async move {
        read_head(&mut tcp).await.unwrap();
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await.unwrap();
        // The viewer's side must have read it: a reset throws away what has not been.
        let _one = tcp.read_u8().await;
        tcp.set_zero_linger().unwrap();
    })
    .await;
    let origin = reset.origin();
    let mut post = request(Method::POST, "/");
    let (go, went) = tokio::sync::oneshot::channel();
    let late = stream::once(async move { Ok(Frame::data(went.await.unwrap_or_default())) });
    (post.body, post.body_length) = (StreamBody::new(late).boxed_unsync(), BodyLength::Known(1));
    let mut body = origin.send(post).await.unwrap().body;
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "hello");
    go.send(Bytes::from_static(b"!")).unwrap();
    assert_eq!(drain(body).await, (String::new(), Some(BodyError::Origin)), "closed by a reset");
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_ends_at_the_read_timeout() {
    let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", false).await;
    let began = tokio::time::Instant::now();
    let response = get(&server.origin()).await.unwrap();
    assert_eq!(drain(response.body).await, ("hello".to_owned(), Some(BodyError::OriginTimeout)));
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_slow_but_steady_body_and_a_slow_reader_are_fine() {
    let server = scripted(|_, mut tcp| async move {
        read_head(&mut tcp).await.unwrap();
        tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").await.unwrap();
        let mut every = tokio::time::interval(Duration::from_secs(20));
        for byte in b"hello" {
            every.tick().await;
            tcp.write_all(&[*byte]).await.unwrap();
        }
        std::future::pending::<()>().await;
    })
    .await;
    let mut body = get(&server.origin()).await.unwrap().body;
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    tokio::time::advance(Duration::from_secs(1000)).await;
    let (rest, error) = drain(body).await;
    assert_eq!((String::from_utf8(first.to_vec()).unwrap() + &rest, error), ("hello".to_owned(), None));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_pauses_stalls_the_origin() {
    const LENGTH: u64 = 100 * 1024 * 1024;
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let server = scripted(move |_, mut tcp| {
        let counter = Arc::clone(&counter);
        async move {
            read_head(&mut tcp).await.unwrap();
            tcp.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n").as_bytes()).await.unwrap();
            let piece = vec![b'x'; 64 * 1024];
            let mut left = usize::try_from(LENGTH).unwrap();
            while left > 0 {
                let count = tcp.write(&piece[..left.min(piece.len())]).await.unwrap();
                counter.fetch_add(count as u64, SeqCst);
                left -= count;
            }
            std::future::pending::<()>().await;
        }
    })
    .await;
    let mut body = get(&server.origin()).await.unwrap().body;
    body.frame().await.unwrap().unwrap();
    // The paused clock moves only when nothing can be done: the origin is blocked.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stalled_at = taken.load(SeqCst);
    assert!(stalled_at < LENGTH / 2, "{stalled_at} bytes were taken for one chunk read");
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        read += frame.unwrap().into_data().unwrap().len() as u64;
    }
    assert!(read < LENGTH && taken.load(SeqCst) == LENGTH);
}

/// A request body of endless pieces, and how many bytes of it were taken.
fn endless() -> (Body, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    let piece = Bytes::from(vec![b'x'; 64 * 1024]);
    let pieces = stream::repeat_with(move || {
        counter.fetch_add(piece.len() as u64, SeqCst);
        Ok(Frame::data(piece.clone()))
    });
    (StreamBody::new(pieces).boxed_unsync(), taken)
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_does_not_read_stalls_the_viewer_and_times_out() {
    let server = scripted(|_, tcp| async move {
        std::future::pending::<()>().await;
        drop(tcp);
    })
    .await;
    let mut post = request(Method::POST, "/");
    let (body, taken) = endless();
    (post.body, post.body_length) = (body, BodyLength::Unknown);
    assert_eq!(server.origin().send(post).await.unwrap_err(), OriginError::ReadTimeout);
    assert!(taken.load(SeqCst) < 64 * 1024 * 1024, "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_viewer_is_not_the_origins_fault() {
    let server = scripted(|_, mut tcp| async move {
        read_head(&mut tcp).await.unwrap();
        tcp.read_exact(&mut [0; 5]).await.unwrap();
        tcp.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    })
    .await;
    let mut post = request(Method::POST, "/");
    let slow = stream::iter(b"hello").then(|byte| async move {
        tokio::time::sleep(Duration::from_secs(45)).await;
        Ok(Frame::data(Bytes::copy_from_slice(&[*byte])))
    });
    (post.body, post.body_length) = (StreamBody::new(slow).boxed_unsync(), BodyLength::Known(5));
    assert_eq!(server.origin().send(post).await.unwrap().head.status, 204);
}

#[tokio::test]
async fn a_viewers_broken_body_is_the_viewers() {
    let server = scripted(|_, mut tcp| async move {
        let _all = tcp.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let failing = |error| {
        let frames = [Ok(Frame::data(Bytes::from_static(b"he"))), Err(error)];
        StreamBody::new(stream::iter(frames)).boxed_unsync()
    };
    for (body, length, error) in [
        (failing(BodyError::Viewer), BodyLength::Known(5), BodyError::Viewer),
        (failing(BodyError::ViewerTooSlow), BodyLength::Unknown, BodyError::ViewerTooSlow),
        (body::full("he"), BodyLength::Known(5), BodyError::Viewer),
        (body::full("hello!"), BodyLength::Known(5), BodyError::Viewer),
    ] {
        let mut post = request(Method::POST, "/");
        (post.body, post.body_length) = (body, length);
        assert_eq!(server.origin().send(post).await.unwrap_err(), OriginError::ViewerBody(error));
    }
}
