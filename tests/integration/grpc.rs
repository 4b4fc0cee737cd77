//! gRPC calls through the whole edge, from a viewer over HTTP/2 to an origin over HTTP/2 (http-cache.md 6.9).

use crate::harness::{
    Answer, Edge, Origin,
    calls::{CallOrigin, Caller, Like, OriginCall, answer, finish, framed, send},
    eventually,
};
use bytes::Bytes;
use h2::Reason;
use nix::sys::signal::Signal;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use tokio::sync::mpsc;

const MIB: usize = 1 << 20;

fn config(url: &str, more: &str) -> String {
    format!(
        "[origin.app]\nurl = \"{url}\"\nconnection_timeout = \"1s\"\nmax_connections = 2\n[[behavior]]\npath = \"*\"\norigin = \"app\"\ngrpc = true\n{more}"
    )
}

fn edge(origin: &CallOrigin) -> Edge {
    Edge::start(&config(&origin.url(), ""), &[])
}

/// Answers every message with the same, and ends when there are no more.
async fn echo(mut call: OriginCall) {
    let mut stream = call.accept();
    while let Some(Ok(message)) = call.messages.next().await {
        stream.send_data(framed(&message), false).unwrap();
    }
    finish(&mut stream, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_to_the_origin_and_back() {
    let origin = CallOrigin::start(echo).await;
    let edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    for number in 0..3 {
        let fields = [("grpc-timeout", "20S"), ("x-meta-bin", "AAEC"), ("connection-id", "7")];
        let (head, messages, trailers) = caller.unary("/greet.Greeter/Hello?a=1", &fields, "hello").await;
        assert_eq!((messages, &trailers["grpc-status"]), (vec!["hello".to_owned()], &"0".parse().unwrap()), "{number}");
        let status = head["cache-status"].to_str().unwrap();
        assert!(status.contains("fwd=bypass") && !status.contains("stored"), "{status}");
        assert_eq!(
            (&head["content-type"], &head["x-origin"]),
            (&"application/grpc".parse().unwrap(), &"1".parse().unwrap())
        );
        assert!(!head.contains_key("content-length"));
    }
    let heads = origin.heads();
    assert_eq!((heads.len(), origin.connections()), (3, 1), "all calls share a connection");
    let (uri, fields) = (&heads[0].uri, &heads[0].headers);
    assert_eq!(uri.path_and_query().unwrap(), "/greet.Greeter/Hello?a=1");
    assert_eq!(uri.authority().unwrap().as_str(), origin.url().strip_prefix("http://").unwrap());
    assert_eq!(heads[0].method, "POST");
    for (name, value) in [
        ("te", "trailers"),
        ("grpc-timeout", "20S"),
        ("x-meta-bin", "AAEC"),
        ("content-type", "application/grpc+proto"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert!(fields["via"].to_str().unwrap().starts_with("2.0 ") && !fields.contains_key("host"));
    assert_eq!(fields["x-forwarded-host"], "www.example.com");
}

/// Message N+1 is sent when the answer to message N is there; the head of the answer comes before the end of the request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_speak_in_turn() {
    let origin = CallOrigin::start(echo).await;
    let edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    let mut call = caller.call("/chat", &[]).await;
    let mut answers = call.messages().await;
    for number in 0..20 {
        let text = format!("message {number}");
        call.say(&text, false);
        assert_eq!(answers.text().await, text);
    }
    call.say("last", true);
    assert_eq!(answers.text().await, "last");
    assert_eq!(answers.trailers().await["grpc-status"], "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_is_answered_with_many_as_they_come() {
    let (go_on, gate) = mpsc::channel::<()>(1);
    let gate = Arc::new(tokio::sync::Mutex::new(gate));
    let origin = CallOrigin::start(move |mut call| {
        let gate = Arc::clone(&gate);
        async move {
            let mut stream = call.accept();
            for number in 0..100 {
                gate.lock().await.recv().await;
                stream.send_data(framed(number.to_string().as_bytes()), false).unwrap();
            }
            finish(&mut stream, "0");
        }
    })
    .await;
    let edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    let mut call = caller.call("/watch", &[]).await;
    call.say("all", true);
    let mut answers = call.messages().await;
    for number in 0..100 {
        go_on.send(()).await.unwrap();
        assert_eq!(answers.text().await, number.to_string());
    }
    assert_eq!(answers.trailers().await["grpc-status"], "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_without_messages_comes_through() {
    let origin = CallOrigin::start(|mut call| async move { call.refuse("5") }).await;
    let edge = edge(&origin);
    let (head, messages, status) = Caller::connect(edge.address()).await.unary("/none", &[], "x").await;
    assert_eq!((messages.len(), &status["grpc-status"]), (0, &"5".parse().unwrap()));
    assert!(head.contains_key("x-amz-cf-id"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_is_heard_at_the_origin() {
    let (told, mut reasons) = mpsc::unbounded_channel();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let origin = CallOrigin::start(move |mut call| {
        let (told, arrived) = (told.clone(), arrived.clone());
        async move {
            if call.head.uri.path() == "/silent" {
                arrived.send(()).unwrap();
                told.send(call.is_reset().await).unwrap();
            } else {
                let mut stream = call.accept();
                stream.send_data(framed(b"one"), false).unwrap();
                let reason = std::future::poll_fn(|cx| stream.poll_reset(cx)).await.unwrap();
                told.send(reason).unwrap();
            }
        }
    })
    .await;
    let edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    for (path, more) in [("/silent", false), ("/silent", true), ("/talks", false), ("/talks", true)] {
        let mut call = caller.call(path, &[]).await;
        call.say("x", !more);
        if path == "/silent" {
            arrivals.recv().await.unwrap();
        } else {
            assert_eq!(call.messages().await.text().await, "one");
        }
        call.cancel();
        assert_eq!(reasons.recv().await, Some(Reason::CANCEL), "{path}, more to say: {more}");
    }
    assert_eq!(origin.connections(), 1, "the connection has other calls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_gives_up_is_heard_by_the_viewer() {
    let origin = CallOrigin::start(|mut call| async move {
        if call.head.uri.path() == "/early" {
            return call.reset(Reason::INTERNAL_ERROR);
        }
        let mut stream = call.accept();
        stream.send_data(framed(b"one"), false).unwrap();
        call.messages.text().await;
        stream.send_reset(Reason::CANCEL);
    })
    .await;
    let edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    let (_, messages, status) = caller.unary("/early", &[], "x").await;
    assert_eq!((messages.len(), &status["grpc-status"]), (0, &"14".parse().unwrap()));
    let mut call = caller.call("/late", &[]).await;
    let mut answers = call.messages().await;
    assert_eq!(answers.text().await, "one");
    call.say("go on", false);
    answers.reset().await;
    assert_eq!(caller.unary("/early", &[], "x").await.2["grpc-status"], "14", "other calls go on");
}

/// 8 MiB for a viewer who does not read: the origin is stopped long before it has sent them; then all of it arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_viewer_stops_the_origin_and_loses_nothing() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let message: Vec<u8> = (0..8 * MIB).map(|at| (at / 7) as u8).collect();
    let whole = Bytes::from(message.clone());
    let origin = CallOrigin::start(move |mut call| {
        let (counter, whole) = (Arc::clone(&counter), whole.clone());
        async move {
            if call.head.uri.path() == "/other" {
                return answer(&mut call, &["quick"]);
            }
            let mut stream = call.accept();
            send(&mut stream, framed(&whole), false, &counter).await;
            finish(&mut stream, "0");
        }
    })
    .await;
    let edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    let mut call = caller.call("/large", &[]).await;
    call.say("x", true);
    let mut body = call.head().await.into_body();
    // The viewer's window is what HTTP/2 begins with, 64 KiB; nothing of it is given back.
    let mut first = Vec::new();
    while first.len() < 65_535 {
        first.extend_from_slice(&body.data().await.unwrap().unwrap());
    }
    // A call beside it, on the same connection to the origin, is not held up.
    let other = Caller::connect(edge.address()).await;
    assert_eq!(other.unary("/other", &[], "x").await.1, ["quick"]);
    assert_eq!(origin.connections(), 1);
    assert!(sent.load(SeqCst) < MIB, "{}", sent.load(SeqCst));
    body.flow_control().release_capacity(first.len()).unwrap();
    while let Some(bytes) = body.data().await {
        let bytes = bytes.unwrap();
        body.flow_control().release_capacity(bytes.len()).unwrap();
        first.extend_from_slice(&bytes);
    }
    assert!(first[5..] == message);
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
}

/// The same the other way round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_origin_stops_the_viewer_and_loses_nothing() {
    let (go_on, gate) = mpsc::channel::<()>(1);
    let gate = Arc::new(tokio::sync::Mutex::new(gate));
    let origin = CallOrigin::start(move |mut call| {
        let gate = Arc::clone(&gate);
        async move {
            let mut stream = call.accept();
            stream.send_data(framed(b"ready"), false).unwrap();
            gate.lock().await.recv().await;
            let message = call.messages.next().await.unwrap().unwrap();
            let right = message.iter().enumerate().all(|(at, byte)| *byte == (at / 7) as u8);
            stream.send_data(framed(format!("{} {right}", message.len()).as_bytes()), false).unwrap();
            finish(&mut stream, "0");
        }
    })
    .await;
    let edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    let mut call = caller.call("/upload", &[]).await;
    let mut answers = call.messages().await;
    assert_eq!(answers.text().await, "ready");
    let message: Vec<u8> = (0..8 * MIB).map(|at| (at / 7) as u8).collect();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let sending = tokio::spawn(async move { send(&mut call.upload, framed(&message), true, &counter).await });
    eventually("something is sent", || (sent.load(SeqCst) > 65_535).then_some(()));
    // Another call goes there and back in the meantime; the origin's window, 64 KiB of its connection, is full.
    assert!(sent.load(SeqCst) < 4 * MIB, "{}", sent.load(SeqCst));
    go_on.send(()).await.unwrap();
    assert_eq!(answers.text().await, format!("{} true", 8 * MIB));
    assert_eq!(answers.trailers().await["grpc-status"], "0");
    sending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_outlives_a_reload() {
    let (first, second) = (CallOrigin::start(echo).await, CallOrigin::start(echo).await);
    let edge = edge(&first);
    let caller = Caller::connect(edge.address()).await;
    let mut call = caller.call("/chat", &[]).await;
    let mut answers = call.messages().await;
    call.say("before", false);
    assert_eq!(answers.text().await, "before");
    edge.save_config("listen = [\"http://127.0.0.1:0\"]", &config(&second.url(), ""));
    edge.signal(Signal::SIGHUP);
    edge.says("config applied: #2");
    call.say("after", false);
    assert_eq!(answers.text().await, "after");
    assert_eq!(caller.unary("/new", &[], "x").await.1, ["x"]);
    assert_eq!((first.heads().len(), second.heads().len()), (1, 1));
    call.say("end", true);
    assert_eq!(answers.text().await, "end");
    assert_eq!(answers.trailers().await["grpc-status"], "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_waits_for_a_call() {
    let origin = CallOrigin::start(echo).await;
    let mut edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    let mut call = caller.call("/chat", &[]).await;
    let mut answers = call.messages().await;
    edge.signal(Signal::SIGTERM);
    let address = edge.address();
    eventually("no more connections", || std::net::TcpStream::connect(address).is_err().then_some(()));
    call.say("still there", true);
    assert_eq!(answers.text().await, "still there");
    assert_eq!(answers.trailers().await["grpc-status"], "0");
    drop((caller, call, answers));
    assert_eq!(edge.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_told_as_a_status_of_grpc() {
    let plain = Origin::start(|_| Answer::ok("this is HTTP/1.1"));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let denies = "deny = [\"127.0.0.0/8\"]\n";
    let password = "basic_auth = \"passwords\"\n";
    for (url, more, expected) in [
        (refused.as_str(), "", "14"),
        (&plain.url(), "", "14"),
        (&plain.url(), denies, "7"),
        (&plain.url(), password, "16"),
        (&plain.url(), "viewer_protocol_policy = \"https-only\"\n", "7"),
    ] {
        let page = "[[custom_error_response]]\ncode = 502\npage = \"/sorry\"\n";
        let files = [("passwords", "u:$2y$04$abcdefghijklmnopqrstuu2CuWvSzhdPdyTy54fWKXMhJvJ3eGDZO")];
        let edge = Edge::start(&format!("{}{page}", config(url, more)), &files);
        let caller = Caller::connect(edge.address()).await;
        let (head, messages, status) = caller.unary("/x", &[], "x").await;
        assert_eq!(status["grpc-status"], expected, "{more}: {head:?}");
        assert!(messages.is_empty() && !status["grpc-message"].is_empty());
        assert_eq!(head["content-type"], "application/grpc");
        assert!(head["x-cache"].to_str().unwrap().starts_with("Error"), "{head:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_call_goes_the_ordinary_way() {
    let origin = Origin::start(|seen| Answer::cached(&seen.target));
    let edge = Edge::start(&config(&origin.url(), ""), &[]);
    assert_eq!(edge.get("/page").text(), "/page");
    assert_eq!(edge.get("/page").x_cache(), "Hit");
    let fields = [("content-type", "application/grpc")];
    assert_eq!(edge.client().request("POST", "/over-http1", &fields, b"x").status, 200);
    assert_eq!(origin.seen().iter().map(|seen| seen.target.clone()).collect::<Vec<_>>(), ["/page", "/over-http1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_setting_a_call_is_a_post_like_others() {
    let origin = Origin::start(|_| Answer::ok("a page"));
    let edge = Edge::start(&config(&origin.url(), "").replace("grpc = true\n", ""), &[]);
    let mut call = Caller::connect(edge.address()).await.call("/x", &[]).await;
    call.say("x", true);
    let response = call.head().await;
    assert_eq!((response.status().as_u16(), response.headers().contains_key("grpc-status")), (200, false));
    assert_eq!(origin.only().header("te"), None);
}

/// An origin that ends its connection in order after a call gets the next one on another, and who permits one stream one connection each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_or_are_full_are_followed_by_others() {
    let origin = CallOrigin::like(Like { goes_away: true, ..Like::default() }, echo).await;
    let edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    for _ in 0..5 {
        assert_eq!(caller.unary("/x", &[], "x").await.1, ["x"]);
    }
    assert!(origin.connections() >= 2, "{}", origin.connections());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_connection_is_joined_by_another_up_to_the_limit() {
    let origin = CallOrigin::like(Like { streams: Some(1), ..Like::default() }, echo).await;
    let edge = edge(&origin);
    let caller = Caller::connect(edge.address()).await;
    assert_eq!(caller.unary("/learn", &[], "x").await.1, ["x"], "from now on the edge knows how many there may be");
    let mut first = caller.call("/a", &[]).await;
    let mut one = first.messages().await;
    let mut second = caller.call("/b", &[]).await;
    let mut two = second.messages().await;
    first.say("1", false);
    second.say("2", false);
    assert_eq!((one.text().await, two.text().await), ("1".to_owned(), "2".to_owned()));
    assert_eq!(origin.connections(), 2);
    let (_, _, status) = caller.unary("/c", &[], "x").await;
    assert_eq!(status["grpc-status"], "14", "max_connections = 2");
    first.say("end", true);
    assert_eq!(one.text().await, "end");
    one.trailers().await;
    assert_eq!(caller.unary("/d", &[], "x").await.1, ["x"], "there is room again");
    assert_eq!(origin.connections(), 2);
}

/// A TLS server that offers this protocol; its certificate.
fn tls(protocol: &str) -> (tokio_rustls::TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    (tokio_rustls::TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_origin_has_to_choose_http2() {
    for (protocol, expected) in [("h2", "0"), ("http/1.1", "14"), ("", "14")] {
        let (acceptor, certificate) = tls(protocol);
        let origin = CallOrigin::like(Like { tls: Some(acceptor), ..Like::default() }, echo).await;
        let table = config(&origin.url(), "").replace("max_connections", "ca = \"ca.pem\"\nmax_connections");
        let edge = Edge::start(&table, &[("ca.pem", &certificate)]);
        let (_, _, status) = Caller::connect(edge.address()).await.unary("/x", &[], "x").await;
        assert_eq!(status["grpc-status"], expected, "{protocol}");
        assert_eq!(origin.heads().first().and_then(|head| head.uri.scheme_str()), (expected == "0").then_some("https"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_see_the_head_and_a_policy_loses_no_field_of_the_protocol() {
    let request =
        "function handler(event) { var r = event.request; r.headers['x-added'] = { value: r.method }; return r; }";
    let response =
        "function handler(event) { var r = event.response; r.headers['x-late'] = { value: '1' }; return r; }";
    let origin = CallOrigin::start(echo).await;
    let more = "viewer_request = \"f\"\nviewer_response = \"g\"\ncache_policy = \"CachingOptimized\"\norigin_request_policy = \"some\"\n\
                [function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\n[function.g]\nruntime = \"cloudfront-js-2.0\"\nfile = \"g.js\"\n\
                [origin_request_policy.some]\nheaders = { include = [\"x-added\"] }\n";
    let edge = Edge::start(&config(&origin.url(), more), &[("f.js", request), ("g.js", response)]);
    let caller = Caller::connect(edge.address()).await;
    let (head, messages, _) = caller.unary("/x", &[("grpc-encoding", "identity"), ("x-other", "1")], "x").await;
    assert_eq!((messages, &head["x-late"]), (vec!["x".to_owned()], &"1".parse().unwrap()));
    let fields = &origin.heads()[0].headers;
    assert_eq!(
        (&fields["x-added"], &fields["grpc-encoding"]),
        (&"POST".parse().unwrap(), &"identity".parse().unwrap())
    );
    assert!(!fields.contains_key("x-other") && fields["content-type"] == "application/grpc+proto");
}

/// A call is told apart in the log, and nothing of a call is stored or copied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_recorded_like_requests() {
    let origin = CallOrigin::start(echo).await;
    let copies = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&copies);
    let shadow = Origin::start(move |_| {
        *counted.lock().unwrap() += 1;
        Answer::ok("")
    });
    let table = config(&origin.url(), "shadow = \"copy\"\n");
    let table = format!(
        "{table}[origin.copy]\nurl = \"{}\"\n[access_log]\nfile = \"access.log\"\nformat = \"json\"\n",
        shadow.url()
    );
    let edge = Edge::start(&table, &[]);
    let caller = Caller::connect(edge.address()).await;
    assert_eq!(caller.unary("/x", &[], "x").await.1, ["x"]);
    let line = eventually("the line is written", || {
        let text = std::fs::read_to_string(edge.folder().join("access.log")).ok()?;
        text.lines().next().map(str::to_owned)
    });
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["sc-status"], &line["cs-protocol-version"]), (&"200".into(), &"HTTP/2.0".into()), "{line}");
    assert_eq!((line["cs-method"].as_str(), line["x-edge-result-type"].as_str()), (Some("POST"), Some("Miss")));
    assert_eq!(*copies.lock().unwrap(), 0);
}

/// An origin that answers the first bytes of every connection with these.
fn raw_origin(bytes: &'static [u8]) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                // The preface, SETTINGS and whatever came with them; then until the edge has enough.
                let mut sink = [0; 4096];
                let _ = tcp.read(&mut sink);
                let _ = tcp.write_all(bytes);
                while tcp.read(&mut sink).is_ok_and(|count| count > 0) {}
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h16_what_an_origin_does_wrong_over_http2_ends_calls_and_nothing_else() {
    const GOAWAY: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const PUSH: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 7, 5, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0x82, 0x86, 0x84];
    const WINDOW: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 255, 255, 255, 255];
    for bytes in [GOAWAY, PUSH, WINDOW, b"\0\0\0\x04\0\0\0\0\0garbage that is no frame", b"HTTP/1.1 200 OK\r\n\r\n"] {
        let edge = Edge::start(&config(&raw_origin(bytes), ""), &[]);
        let caller = Caller::connect(edge.address()).await;
        for _ in 0..2 {
            assert_eq!(caller.unary("/x", &[], "x").await.2["grpc-status"], "14", "{bytes:?}");
        }
    }
    let origin = CallOrigin::start(|mut call| async move {
        (0..10_000).for_each(|_| call.hint());
        answer(&mut call, &["after all"]);
    })
    .await;
    let edge = edge(&origin);
    assert_eq!(Caller::connect(edge.address()).await.unary("/x", &[], "x").await.1, ["after all"]);
}
