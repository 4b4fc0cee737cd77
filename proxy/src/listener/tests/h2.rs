//! HTTP/2 with prior knowledge: requests, broken bodies, control floods, drain.

use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

/// An HTTP/2 viewer; the token is cancelled when its connection ends.
async fn connect(running: &Running) -> (SendRequest<Body>, CancellationToken) {
    let tcp = TcpStream::connect(running.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await.unwrap();
    let ended = CancellationToken::new();
    let guard = ended.clone().drop_guard();
    tokio::spawn(async move {
        let _guard = guard;
        let _ended = connection.await;
    });
    (sender, ended)
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://a.test{path}")).body(body::empty()).unwrap()
}

#[tokio::test]
async fn prior_knowledge_is_understood() {
    let running = start(Limits::default(), None);
    let (mut sender, _) = connect(&running).await;
    let response = sender.send_request(get("/info")).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "HTTP/2.0 http None");
    let mut upload = get("/upload");
    *upload.body_mut() = body::full(vec![0; 100_000]);
    let response = sender.send_request(upload).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "100000");
    assert_eq!(running.slots.open(), 1, "both on one connection");
}

#[tokio::test]
async fn a_body_that_fails_resets_its_stream_only() {
    let running = start(Limits::default(), None);
    let (mut sender, _) = connect(&running).await;
    for path in ["/broken", "/broken-length"] {
        let response = sender.send_request(get(path)).await.unwrap();
        assert!(response.into_body().collect().await.is_err(), "{path} ended cleanly");
    }
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stalled_stream_holds_little() {
    let running = start(Limits::default(), None);
    let (mut sender, _) = connect(&running).await;
    let response = sender.send_request(get("/endless")).await.unwrap();
    // Another stream is served meanwhile, so what is produced now is what a stalled stream costs.
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
    let produced = running.site.produced.load(SeqCst);
    assert!(produced < 8 * 1024 * 1024, "{produced} bytes");
    drop(response);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_read_ends_the_connection() {
    let running = start(Limits::default(), None);
    let (mut sender, ended) = connect(&running).await;
    let response = sender.send_request(get("/endless")).await.unwrap();
    ended.cancelled().await;
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_control_flood_ends_the_connection() {
    let running = start(Limits::default(), None);
    let mut viewer = running.viewer("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    viewer.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let (mut reader, mut writer) = viewer.into_split();
    let flood = tokio::spawn(async move {
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        while writer.write_all(&ping.repeat(100)).await.is_ok() {}
    });
    let mut sink = vec![0; 65536];
    while reader.read(&mut sink).await.is_ok_and(|count| count > 0) {}
    flood.await.unwrap();
}

#[tokio::test]
async fn draining_sends_goaway_and_finishes_streams() {
    let running = start(Limits::default(), None);
    let (mut sender, ended) = connect(&running).await;
    let pending = sender.send_request(get("/gate"));
    running.site.arrived.notified().await;
    running.begin_drain.cancel();
    running.site.gate.notify_one();
    let response = pending.await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "opened");
    ended.cancelled().await;
    assert_eq!(running.ended.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_told_goodbye() {
    let running = start(Limits::default(), None);
    let began = tokio::time::Instant::now();
    let (mut sender, ended) = connect(&running).await;
    assert_eq!(sender.send_request(get("/")).await.unwrap().status(), 200);
    ended.cancelled().await;
    assert_eq!(began.elapsed().as_secs(), 60);
}

/// Its messages come when they come; the same body of another request is too slow, and so is a call's where it is not served as one.
#[tokio::test(start_paused = true)]
async fn a_call_may_be_silent() {
    let running = start(Limits::default(), None);
    let (mut sender, _) = connect(&running).await;
    for (path, kind, status) in
        [("/call", "application/grpc", 200), ("/upload", "application/grpc", 408), ("/upload", "text/plain", 408)]
    {
        let pieces = stream::unfold(0, |number| async move {
            tokio::time::sleep(Duration::from_secs(60 * number)).await;
            (number < 3).then(|| (Ok(Frame::data(Bytes::from_static(b"x"))), number + 1))
        });
        let request = Request::post(format!("http://a.test{path}")).header("content-type", kind);
        let request = request.body(StreamBody::new(pieces).boxed_unsync()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status, "{path} {kind}");
    }
}
