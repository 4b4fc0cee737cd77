//! Vectors on what stands around functions: protocols, error pages, overload, logs, and the fields about viewers.

use super::PRELUDE;
use crate::{
    harness::{Answer, Client, Edge, Origin, edge::folder, mmdb},
    listeners::tls,
};
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

const FUNCTION: &str = "[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\nbudget = \"50ms\"\n";

fn config(origin: &Origin, rest: &str) -> String {
    format!("[origin.app]\nurl = \"{}\"\n{FUNCTION}{rest}", origin.url())
}

fn behavior(path: &str, rest: &str) -> String {
    format!("[[behavior]]\npath = \"{path}\"\norigin = \"app\"\n{rest}\n")
}

async fn over_http2(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    requests: Vec<Request<Full<Bytes>>>,
) -> Vec<Response<Bytes>> {
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let mut responses = Vec::new();
    for mut request in requests {
        *request.version_mut() = Version::HTTP_2;
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        responses.push(Response::from_parts(head, body.collect().await.unwrap().to_bytes()));
    }
    responses
}

/// The head of the answer as it came.
fn raw_head(edge: &Edge, target: &str) -> String {
    let mut client: Client = edge.client();
    client.send(format!("GET {target} HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\n\r\n").as_bytes());
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        bytes.extend(client.some_bytes());
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn row_40_spelling_of_names_and_the_phrase_of_a_status() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = "function handler(event) { const r = event.request;
        if (r.uri === '/made') { return { statusCode: 299, statusDescription: 'My Own', headers: { 'x-a-b': { value: r.headers.host.value } } }; }
        r.headers['x-a-b'] = { value: '1' }; return r; }";
    let respond = "function handler(event) { const p = event.response;
        if (event.request.uri === '/phrase') { p.statusCode = 201; p.statusDescription = 'Done it'; }
        if (event.request.uri === '/status') { p.statusCode = 404; }
        return p; }";
    let more = "[function.g]\nruntime = \"cloudfront-js-2.0\"\nfile = \"g.js\"\nbudget = \"50ms\"\n";
    let hooks = behavior("*", "cache_policy = \"CachingDisabled\"\nviewer_request = \"f\"\nviewer_response = \"g\"");
    let edge = Edge::start(&config(&origin, &(more.to_owned() + &hooks)), &[("f.js", source), ("g.js", respond)]);

    let head = raw_head(&edge, "/made");
    assert!(head.starts_with("HTTP/1.1 299 My Own\r\n") && head.contains("\r\nX-A-B: www.example.com\r\n"), "{head}");
    assert!(raw_head(&edge, "/phrase").starts_with("HTTP/1.1 201 Done it\r\n"));
    assert!(raw_head(&edge, "/status").starts_with("HTTP/1.1 404 Not Found\r\n"), "the phrase goes with the status");
    let sent = origin.seen().pop().unwrap();
    assert!(sent.lines.contains(&b"X-A-B: 1".to_vec()), "{sent:?}");

    let stream = TcpStream::connect(edge.address()).await.unwrap();
    let uri = format!("http://{}/made", edge.address());
    let response = over_http2(stream, vec![Request::get(uri).body(Full::default()).unwrap()]).await.remove(0);
    // On the wire of HTTP/2 names are in lower case, or the library would have refused them; `host` is `:authority`.
    assert_eq!(
        (response.status().as_u16(), response.headers()["x-a-b"].to_str().unwrap()),
        (299, edge.address().to_string().as_str())
    );
}

#[test]
fn rows_66_77_error_pages() {
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/bad" => Answer::new(500, &[], "bad"),
        "/missing" => Answer::new(404, &[], "missing"),
        _ => Answer::cached("the page"),
    });
    let source = "function handler(event) { const r = event.request;
        if (event.response) { event.response.headers['x-ran'] = { value: '1' }; return event.response; }
        return r.uri === '/made' ? { statusCode: 404, body: 'of the function' } : r; }";
    let pages = "[[custom_error_response]]\ncode = 404\npage = \"/page\"\nresponse_code = 404\n\
                 [[custom_error_response]]\ncode = 500\npage = \"/page\"\nresponse_code = 200\n";
    let hooks = behavior("*", "viewer_request = \"f\"\nviewer_response = \"f\"");
    let edge = Edge::start(&config(&origin, &(pages.to_owned() + &hooks)), &[("f.js", source)]);
    let reply = edge.get("/made");
    assert_eq!(
        (reply.status, reply.text().as_str(), reply.x_cache()),
        (404, "of the function", "FunctionGeneratedResponse")
    );
    assert_eq!(origin.count(), 0);
    for (target, status) in [("/bad", 200), ("/missing", 404)] {
        let reply = edge.get(target);
        assert_eq!((reply.status, reply.text().as_str(), reply.header("x-ran")), (status, "the page", ""), "{target}");
    }
    assert_eq!(edge.get("/page").header("x-ran"), "1");
}

#[test]
fn row_101_logs_are_cut_at_their_limit() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = "function handler(event) {
        const piece = event.request.uri === '/wide' ? '\\u00e9' : 'Q';
        for (let i = 0; i < 20; i++) { console.log(piece.repeat(1023)); }
        return event.request; }";
    let edge = Edge::start(&config(&origin, &behavior("*", "viewer_request = \"f\"")), &[("f.js", source)]);
    // Bytes: ten lines of 1023, and 10 of the next; of two-byte characters five lines, and 5 characters of the next.
    for (target, piece, expected) in [("/q", 'Q', 10_240), ("/wide", 'é', 5_120)] {
        let reply = edge.get(target);
        assert_eq!(reply.status, 200);
        let id = reply.header("x-amz-cf-id").to_owned();
        edge.says(&format!("{id} END"));
        let output = edge.output();
        let lines = output.lines().filter(|line| line.contains(&id) && line.contains(piece));
        let count: usize = lines.map(|line| line.chars().filter(|found| *found == piece).count()).sum();
        // The id may hold a Q in each line.
        let in_id = id.chars().filter(|found| *found == piece).count();
        assert_eq!((count - expected) % in_id.max(1), 0, "{target}: {count}");
        assert!(count >= expected && count <= expected + 40 * in_id, "{target}: {count}");
    }
}

#[test]
fn row_123_overload_is_throttled() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = "function handler(event) { for (let i = 0; i < 20000; i++) {} return { statusCode: 200 }; }";
    let server = "listen = [\"http://127.0.0.1:0\"]\nisolate_hosts = 1";
    let edge =
        Edge::with_server(server, &config(&origin, &behavior("*", "viewer_request = \"f\"")), &[("f.js", source)]);
    // All ask before anyone listens to an answer: more than may wait for the one host.
    let mut viewers: Vec<Client> = (0..600).map(|_| edge.client()).collect();
    for viewer in &mut viewers {
        viewer.send(b"GET / HTTP/1.1\r\nhost: www.example.com\r\n\r\n");
    }
    let words: Vec<(u16, String)> = viewers
        .iter_mut()
        .map(|viewer| viewer.reply(false))
        .map(|reply| (reply.status, reply.x_cache().to_owned()))
        .collect();
    let count = |status, word: &str| words.iter().filter(|(known, said)| *known == status && said == word).count();
    assert!(count(503, "FunctionThrottledError") > 0, "{words:?}");
    assert!(count(200, "FunctionGeneratedResponse") > 0, "{words:?}");
    let status: Value = serde_json::from_str(&edge.admin("/status").text()).unwrap();
    assert_eq!(status["functions"]["f"]["FunctionThrottles"], count(503, "FunctionThrottledError"));
}

#[test]
fn every_violation_is_an_error_in_the_log() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = "function handler(event) { const r = event.request;
        r.method = 'POST'; r.uri = 'new'; r.querystring = 'a b'; r.headers.host.value = 'G'; r.headers['x-cache'] = { value: '1' };
        r.headers['x-a'] = '1'; r.cookies.c = { value: 1 }; return r; }";
    let edge = Edge::start(&config(&origin, &behavior("*", "viewer_request = \"f\"")), &[("f.js", source)]);
    let reply = edge.get("/");
    assert_eq!((reply.status, reply.x_cache()), (502, "FunctionValidationError"));
    for text in [
        "field.type: request.headers[\"x-a\"] must be an object",
        "field.type: request.cookies[\"c\"].value must be a string",
        "request.read-only: request.method may not change",
        "uri.format: request.uri must begin with",
        "query.format: request.querystring holds",
        "header.read-only: read-only header \"host\"",
        "header.disallowed: header \"x-cache\"",
    ] {
        let said = edge.says(text);
        let line = said.lines().find(|line| line.contains(text)).unwrap();
        assert!(line.contains("function failed: "), "{line}");
        assert!(line.contains(reply.header("x-amz-cf-id")) && line.contains("ERROR"), "{line}");
    }
    assert!(!reply.text().contains("x-cache"), "the viewer is told nothing of it");
}

#[test]
fn paths_and_queries_beyond_ascii() {
    let origin = Origin::start(|_| Answer::ok("x"));
    let source = format!(
        "{PRELUDE}function handler(event) {{ const r = event.request; return r.uri.startsWith('/say') ? say(r.uri + '?' + r.rawQueryString()) : r; }}"
    );
    let edge = Edge::start(
        &config(&origin, &behavior("*", "cache_policy = \"CachingDisabled\"\nviewer_request = \"f\"")),
        &[("f.js", &source)],
    );
    let ask = |target: &[u8]| {
        let mut client = edge.client();
        client.send(&[b"GET ", target, b" HTTP/1.1\r\nhost: www.example.com\r\n\r\n"].concat());
        client.reply(false)
    };
    // Bytes that are no UTF-8 are no target; what is UTF-8 is either refused or arrives escaped.
    assert_eq!(ask(b"/say/caf\xe9").status, 400);
    assert_eq!(ask(b"/say?caf\xe9").status, 400);
    let reply = ask("/say/é".as_bytes());
    assert!(reply.status == 400 || reply.text() == "/say/%C3%A9?undefined", "{} {}", reply.status, reply.text());
    assert_eq!(ask(b"/say/%e9%C3%A9?q=%e9").text(), "/say/%E9%C3%A9?q=%e9");
    assert_eq!(ask(b"/%e9?q=%e9").status, 200);
    assert_eq!(origin.only().target, "/%E9?q=%e9");
}

const ABOUT: [&str; 7] = ["address", "asn", "ja3-fingerprint", "ja4-fingerprint", "tls", "http-version", "country"];

/// An edge over TLS that is asked for every field at `/asked` and for none elsewhere.
fn edge_that_knows(origin: &Origin) -> Edge {
    let source = "function handler(event) { const h = event.request.headers;
        const names = Object.keys(h).filter((name) => name.startsWith('cloudfront-')).map((name) => name + '=' + h[name].value);
        h['x-function'] = { value: names.join(' ') }; return event.request; }";
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let databases = folder(&[]);
    let write = |name: &str, kind: &str, record: Value| {
        let file = databases.path().join(name);
        std::fs::write(&file, mmdb::database(kind, &[("127.0.0.0", 8, record)])).unwrap();
        file.display().to_string()
    };
    let places = write("places.mmdb", "GeoLite2-City", json!({ "country": { "iso_code": "FR" } }));
    let networks = write("networks.mmdb", "GeoLite2-ASN", json!({ "autonomous_system_number": 4_200_000_001_u32 }));
    let names: Vec<String> = ABOUT.iter().map(|name| format!("\"cloudfront-viewer-{name}\"")).collect();
    let rest = format!(
        "[geo]\ndatabase = \"{places}\"\nasn_database = \"{networks}\"\n\
         [origin_request_policy.about]\nheaders = {{ viewer_and = [{}, \"cloudfront-forwarded-proto\"] }}\n",
        names.join(", ")
    ) + &behavior(
        "/asked",
        "cache_policy = \"CachingDisabled\"\norigin_request_policy = \"about\"\nviewer_request = \"f\"",
    ) + &behavior(
        "*",
        "cache_policy = \"CachingDisabled\"\norigin_request_policy = \"AllViewer\"\nviewer_request = \"f\"",
    );
    let server = "listen = [\"https://127.0.0.1:0\"]\ntls = { cert = \"site.crt\", key = \"site.key\" }";
    let files = [("f.js", source), ("site.crt", &made.cert.pem()), ("site.key", &made.signing_key.serialize_pem())];
    Edge::with_server(server, &config(origin, &rest), &files)
}

#[tokio::test]
async fn fields_about_viewers_come_where_a_policy_asks_and_only_there() {
    let origin = Origin::start(|seen| {
        let fields: serde_json::Map<String, Value> = seen
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with("cloudfront-"))
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        Answer::new(
            200,
            &[("x-function", seen.header("x-function").unwrap_or_default())],
            &Value::Object(fields).to_string(),
        )
    });
    let edge = edge_that_knows(&origin);
    let forged = |path: &str| {
        let request = Request::get(format!("https://localhost{path}")).header("cloudfront-viewer-country", "XX");
        request.header("cloudfront-viewer-tls", "none").body(Full::default()).unwrap()
    };
    let stream = tls(edge.listener("https"), &edge.folder().join("site.crt"), "h2").await;
    let port = stream.get_ref().0.local_addr().unwrap().port();
    let responses = over_http2(stream, vec![forged("/asked"), forged("/asked"), forged("/other")]).await;
    let [first, again, other] = responses.as_slice() else { panic!("{responses:?}") };
    let at_origin = |response: &Response<Bytes>| serde_json::from_slice::<Value>(response.body()).unwrap();
    let about = |response: &Response<Bytes>, name: &str| {
        at_origin(response)[format!("cloudfront-viewer-{name}")].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(about(first, "address"), format!("127.0.0.1:{port}"));
    assert_eq!(
        (about(first, "asn"), about(first, "country"), about(first, "http-version")),
        ("4200000001".to_owned(), "FR".to_owned(), "2.0".to_owned())
    );
    assert_eq!((about(first, "ja3-fingerprint").len(), about(first, "ja4-fingerprint").len()), (32, 36));
    assert!(
        about(first, "tls").starts_with("TLSv1.3:") && about(first, "tls").ends_with(":fullHandshake"),
        "{first:?}"
    );
    assert!(about(again, "tls").ends_with(":connectionReused"), "{again:?}");
    assert_eq!(at_origin(first)["cloudfront-forwarded-proto"], "https");
    // The function saw the same, and nothing of what the viewer had made up.
    let seen = first.headers()["x-function"].to_str().unwrap();
    assert_eq!(seen.split(' ').count(), ABOUT.len() + 1, "{seen}");
    for name in ABOUT {
        assert!(seen.contains(&format!("cloudfront-viewer-{name}={}", about(first, name))), "{name}: {seen}");
    }
    assert_eq!(
        (at_origin(other), other.headers()["x-function"].to_str().unwrap()),
        (json!({}), ""),
        "nobody asks here"
    );
}
