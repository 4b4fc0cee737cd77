//! Request bodies that Lambda functions see and replace (lambda-edge.md 2.5, rows 45 to 49 of 13), and response bodies that
//! they leave, empty or replace (3.5, rows 41 to 44).

use crate::harness::{self, Answer, Edge, Origin, engine};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::sync::mpsc;

const SHOW_JS: &str = "exports.handler = async (event) => {
    const request = event.Records[0].cf.request, body = request.body;
    const size = body === undefined ? 'none' : Buffer.from(body.data, 'base64').length;
    console.log('the function saw', size);
    request.headers['x-seen'] = [{ value: [size, body?.inputTruncated, body?.action, body?.encoding].join(' ') }];
    const wanted = request.headers['x-replace'];
    if (wanted) Object.assign(request.body, JSON.parse(wanted[0].value));
    return request;
};";

const SHOW_PYTHON: &str = "import base64
import json


def lambda_handler(event, context):
    request = event['Records'][0]['cf']['request']
    body = request.get('body')
    if body is None:
        shown = 'none   '
    else:
        size = len(base64.b64decode(body['data']))
        shown = f\"{size} {str(body['inputTruncated']).lower()} {body['action']} {body['encoding']}\"
    request['headers']['x-seen'] = [{'value': shown}]
    if 'x-replace' in request['headers']:
        body.update(json.loads(request['headers']['x-replace'][0]['value']))
    return request
";

fn engines(check: impl Fn(&str, &str)) {
    for kind in harness::engines() {
        check(kind, engine::of(kind, SHOW_JS, SHOW_PYTHON));
    }
}

/// An edge with the function at viewer-request below `/vq`, at origin-request below `/oq`, and at both without the body.
fn edge(origin: &Origin, kind: &str, source: &str) -> Edge {
    let mut config =
        format!("[origin.app]\nurl = \"{}\"\n{}", origin.url(), engine::function(kind, "timeout = \"30s\""));
    for (path, key, value) in [
        ("/vq", "viewer_request", "{ function = \"f\", include_body = true }"),
        ("/oq", "origin_request", "{ function = \"f\", include_body = true }"),
        ("/plain", "viewer_request", "\"f\""),
    ] {
        config.push_str(&format!("[[behavior]]\npath = \"{path}*\"\norigin = \"app\"\n{key} = {value}\n"));
    }
    config.push_str("[[behavior]]\npath = \"*\"\norigin = \"app\"\n");
    Edge::start(&config, &[(engine::file(kind), &engine::code(kind, source))])
}

#[test]
fn bodies_are_shown_up_to_the_limit_and_go_on_whole() {
    engines(|kind, source| {
        let origin = Origin::start(|_| Answer::ok("fine"));
        let edge = edge(&origin, kind, source);
        let mut client = edge.client();
        for (path, length, seen) in [
            ("/vq", 100 * 1024, "40960 true read-only base64"),
            ("/vq", 40_960, "40960 false read-only base64"),
            ("/vq", 40_961, "40960 true read-only base64"),
            ("/oq", 1_500_000, "1048576 true read-only base64"),
            ("/oq", 1_048_576, "1048576 false read-only base64"),
            ("/vq", 0, "0 false read-only base64"),
            ("/plain", 100, "none   "),
        ] {
            let body: Vec<u8> = (0..length).map(|index: usize| index.to_le_bytes()[0] ^ 0x5a).collect();
            let reply = client.request("POST", path, &[], &body);
            assert_eq!(reply.status, 200, "{kind} {path} {length}: {reply:?}");
            let got = origin.seen().pop().unwrap();
            assert_eq!(got.header("x-seen"), Some(seen.trim_end()), "{kind} {path} {length}");
            assert!(got.body == body, "{kind} {path}: {} of {length} bytes reached the origin", got.body.len());
        }
        let reply = client.request("GET", "/vq", &[], b"");
        assert_eq!(reply.status, 200);
        assert_eq!(edge.get("/oq").status, 200);
    });
}

#[test]
fn replaced_bodies_reach_the_origin_with_their_length() {
    engines(|kind, source| {
        let origin = Origin::start(|_| Answer::ok("fine"));
        let edge = edge(&origin, kind, source);
        let mut client = edge.client();
        for (replace, expected) in [
            (r#"{"action": "replace", "encoding": "text", "data": "a new body"}"#, "a new body"),
            (r#"{"action": "replace", "data": "bmV3"}"#, "new"),
            (r#"{"action": "replace", "encoding": "text", "data": ""}"#, ""),
            (r#"{"action": "read-only", "data": "bmV3"}"#, "the old body"),
            (r#"{"data": "bmV3"}"#, "the old body"),
        ] {
            for path in ["/vq", "/oq"] {
                let reply = client.request("POST", path, &[("x-replace", replace)], b"the old body");
                assert_eq!(reply.status, 200, "{kind} {path} {replace}: {reply:?}");
                let got = origin.seen().pop().unwrap();
                assert_eq!(String::from_utf8_lossy(&got.body), expected, "{kind} {path} {replace}");
                assert_eq!(got.header("content-length"), Some(expected.len().to_string().as_str()), "{kind} {replace}");
                assert_eq!(got.header("transfer-encoding"), None);
            }
        }
        let before = origin.count();
        for replace in [r#"{"action": "append"}"#, r#"{"action": "replace", "encoding": "hex"}"#] {
            for path in ["/vq", "/oq"] {
                let reply = client.request("POST", path, &[("x-replace", replace)], b"the old body");
                assert_eq!((reply.status, reply.x_cache()), (502, "LambdaValidationError"), "{kind} {replace}");
            }
        }
        assert_eq!(origin.count(), before);
    });
}

#[test]
fn the_tail_of_an_upload_streams_past_the_function() {
    let origin = Origin::start(|_| Answer::ok("fine"));
    let edge = edge(&origin, "nodejs", SHOW_JS);
    let mut client = edge.client();
    client.send(b"POST /vq HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = [b"a001\r\n".to_vec(), vec![b'x'; 0xa001], b"\r\n".to_vec()].concat();
    client.send(&chunk);
    // The function has run by the time its log says so, while the upload is not over.
    edge.says("the function saw 40960");
    client.send(&chunk);
    client.send(b"0\r\n\r\n");
    assert_eq!(client.reply(false).status, 200);
    assert_eq!(origin.only().body.len(), 2 * 0xa001);
}

/// An edge with one function at origin-response.
fn at_origin_response(origin: &Origin, kind: &str, more: &str, source: &str) -> Edge {
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n{}[[behavior]]\npath = \"*\"\norigin = \"app\"\norigin_response = \"f\"\n",
        origin.url(),
        engine::function(kind, more)
    );
    Edge::start(&config, &[(engine::file(kind), &engine::code(kind, source))])
}

/// A handler in Python that gives back the response, with these lines before it.
fn python_response(lines: &str) -> String {
    format!(
        "def lambda_handler(event, context):\n    cf = event['Records'][0]['cf']\n    response, uri = cf['response'], cf['request']['uri']\n{lines}    return response\n"
    )
}

const GZIPPED: [(&str, &str); 4] =
    [("content-encoding", "gzip"), ("etag", "\"strong\""), ("accept-ranges", "bytes"), ("cache-control", "no-store")];

#[test]
fn row_44_a_replaced_body_loses_what_described_the_old_one() {
    let source = "exports.handler = async (event) => {
        const { response, request } = event.Records[0].cf;
        response.body = 'new';
        if (request.uri === '/own') response.headers.etag = [{ value: '\"mine\"' }];
        return response;
    };";
    let origin = Origin::start(|_| Answer::new(200, &GZIPPED, "packed"));
    let python = python_response(
        "    response['body'] = 'new'\n    if uri == '/own':\n        response['headers']['etag'] = [{'value': '\"mine\"'}]\n",
    );
    for kind in harness::engines() {
        let source = engine::of(kind, source, &python);
        let edge = at_origin_response(&origin, kind, "", source);
        let reply = edge.get("/");
        assert_eq!((reply.text().as_str(), reply.header("content-length")), ("new", "3"), "{kind}");
        let gone = ["content-encoding", "etag", "accept-ranges"].map(|name| reply.header(name));
        assert_eq!(gone, ["", "", ""], "{kind}");
        assert_eq!(edge.get("/own").header("etag"), "\"mine\"", "{kind}");
        let edge = at_origin_response(&origin, kind, "replaced_body_headers = \"keep\"", source);
        let reply = edge.get("/");
        assert_eq!((reply.header("content-encoding"), reply.header("etag")), ("gzip", "\"strong\""), "{kind}");
    }
}

#[test]
fn row_42_an_untouched_body_streams() {
    let javascript = "exports.handler = async (event) => event.Records[0].cf.response;";
    for kind in harness::engines() {
        streams(kind, engine::of(kind, javascript, &python_response("")));
    }
}

fn streams(kind: &str, source: &str) {
    let (release, gate) = mpsc::channel();
    let gate = std::sync::Mutex::new(Some(gate));
    let origin = Origin::start(move |_| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\ncache-control: no-store\r\n\r\nfirst";
        Answer::raw(head).wait(gate.lock().unwrap().take().unwrap()).then("again")
    });
    let edge = at_origin_response(&origin, kind, "", source);
    let mut client = edge.client();
    client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    // The first half arrives while the origin still holds the second back.
    let mut got = client.head().body;
    while !got.ends_with(b"first") {
        got.extend(client.some_bytes());
    }
    release.send(()).unwrap();
    while !got.ends_with(b"again") {
        got.extend(client.some_bytes());
    }
}

#[test]
fn row_27_transfer_encoding_is_shown_and_may_not_go() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncache-control: no-store\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    let origin = Origin::start(move |_| Answer::raw(chunked));
    let source = "exports.handler = async (event) => {
        const { response, request } = event.Records[0].cf;
        if (request.uri === '/fresh') return { status: 200, headers: {} };
        response.headers['x-te'] = [{ value: response.headers['transfer-encoding'][0].value }];
        if (request.uri === '/replaced') response.body = 'new';
        return response;
    };";
    let python = python_response(
        "    if uri == '/fresh':\n        return {'status': 200, 'headers': {}}\n    headers = response['headers']\n    \
         headers['x-te'] = [{'value': headers['transfer-encoding'][0]['value']}]\n    \
         if uri == '/replaced':\n        response['body'] = 'new'\n",
    );
    for kind in harness::engines() {
        let edge = at_origin_response(&origin, kind, "", engine::of(kind, source, &python));
        let kept = edge.get("/kept");
        assert_eq!((kept.header("x-te"), kept.text().as_str()), ("chunked", "abc"), "{kind}");
        let replaced = edge.get("/replaced");
        assert_eq!((replaced.header("content-length"), replaced.text().as_str()), ("3", "new"), "{kind}");
        let fresh = edge.get("/fresh");
        assert_eq!((fresh.status, fresh.x_cache()), (502, "LambdaValidationError"), "{kind}");
    }
}

#[test]
fn row_41_binary_bodies_arrive_as_they_are() {
    let bytes: Vec<u8> = (0..=255).collect();
    let source = format!(
        "exports.handler = async () => ({{ status: 200, bodyEncoding: 'base64', body: '{}' }});",
        STANDARD.encode(&bytes)
    );
    let origin = Origin::start(|_| Answer::ok("never"));
    let python = format!(
        "def lambda_handler(event, context):\n    return {{'status': 200, 'bodyEncoding': 'base64', 'body': '{}'}}\n",
        STANDARD.encode(&bytes)
    );
    for (kind, hook) in
        harness::engines().into_iter().flat_map(|kind| [(kind, "viewer_request"), (kind, "origin_request")])
    {
        let config = format!(
            "[origin.app]\nurl = \"{}\"\n{}[[behavior]]\npath = \"*\"\norigin = \"app\"\n{hook} = \"f\"\n",
            origin.url(),
            engine::function(kind, "")
        );
        let source = engine::code(kind, engine::of(kind, &source, &python));
        let edge = Edge::start(&config, &[(engine::file(kind), &source)]);
        assert_eq!(edge.get("/").body, bytes, "{kind} {hook}");
    }
}
