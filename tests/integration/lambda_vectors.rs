//! The rows of lambda-edge.md 13 that are about one result at one hook, over each engine.
//!
//! One function holds all cases and picks one by the header `x-case`, so that an engine needs one environment and not one
//! per row. The bodies are written in what JavaScript and Python have in common, with a few words translated.
//!
//! Where the other rows are: 4 and 106 to 112 in `lambda_provided`; 11, 25, 63, 65 to 68, 70, 94, 98 and 115 in `lambda_hooks`; 27,
//! 41, 42, 44 to 49 in `lambda_bodies`; 57 to 62 besides in `lambda_origins`; 69 in `failover`; 71 to 81, 83, 85 to 92, 95, 97, 99 to
//! 105 in `lambda_outcomes`; 82, 113, 115, 116 and 119 in `lambda_lifecycle`; 114 in `lambda`; 128 in `check`; 84, 96 and 117 in
//! the tests of `config`, which refuses such files; 93 in those of the environments. 118 and 120 to 127 are about versions, which do
//! not exist yet, and 129 about X-Ray's trace header, which is passed on as it is.

use crate::harness::{Answer, Client, Edge, Origin, Reply, engine, engines, eventually};

/// What becomes of the request.
#[derive(Clone, Copy)]
enum Expect {
    /// 502, with this code in the log.
    Invalid(&'static str),
    /// 503, with this text in the log.
    Failed(&'static str),
    /// This status and body.
    Is(u16, &'static str),
    /// The viewer's answer has this header.
    Has(&'static str, &'static str),
    /// The origin's request has this header; an empty value: it lacks it.
    Sends(&'static str, &'static str),
    /// The origin is asked for this.
    Asks(&'static str),
}

use Expect::{Asks, Failed, Has, Invalid, Is, Sends};

/// Number in lambda-edge.md 13, hooks, body of the case, expectation. In a body `r` is what the hook may return (response
/// or request), `cf` the event's part, `e` the event.
type Row = (&'static str, &'static str, &'static str, Expect);

const RESULTS: &[Row] = &[
    ("1", "vq oq or vs", "return null", Invalid("json.not-object")),
    ("1", "vq oq or vs", "return []", Invalid("json.not-object")),
    ("1", "vq oq or vs", "return 'x'", Invalid("json.not-object")),
    ("1", "vq oq or vs", "return 7", Invalid("json.not-object")),
    ("1", "vq oq or vs", "return {}", Invalid("kind.unknown")),
    ("2", "vq oq or vs", "return e", Invalid("kind.unknown")),
    ("3", "or vs", "return cf['request']", Invalid("kind.wrong-hook")),
    ("5", "vq oq or vs", "r['self'] = r\nreturn r", Failed("Runtime.MarshalError")),
    ("6", "vq oq or vs", "r['extra'] = {'a': [1]}\nreturn r", Is(200, "from the origin")),
    ("7", "vq oq", "return {'status': 200, 'body': 'x'}", Is(200, "x")),
    ("8", "vq oq", "return {'status': '199'}", Invalid("status.range")),
    ("8", "vq oq or", "return {'status': '600'}", Invalid("status.range")),
    ("8", "vq oq or", "return {'status': 'abc'}", Invalid("status.range")),
    ("8", "vq oq", "return {'status': 200.5}", Invalid("status.range")),
    ("9", "vq", "return {'status': '204', 'body': 'x'}", Invalid("body.with-204")),
    ("10", "oq", "return {'status': '204', 'body': 'x'}", Is(204, "")),
    ("11", "or", "r['status'] = '404'\nr['body'] = 'gone'\nreturn r", Is(404, "gone")),
    ("12", "vs", "r['status'] = '201'\nreturn r", Invalid("status.changed")),
    ("12", "vs", "r['body'] = 'x'\nreturn r", Invalid("body.not-here")),
    ("43", "or", "r['body'] = ''\nreturn r", Is(200, "")),
    ("40", "vq oq or", "return {'status': 200, 'body': 7}", Invalid("body.type")),
    ("40", "vq oq", "return {'status': 200, 'body': 'x', 'bodyEncoding': 'gzip'}", Invalid("body.type")),
    ("40", "vq oq", "return {'status': 200, 'body': '?', 'bodyEncoding': 'base64'}", Invalid("body.base64")),
    ("38", "vq", "return {'status': 200, 'body': repeat('x', 40961)}", Invalid("body.size")),
    ("39", "oq", "return {'status': 200, 'body': repeat('x', 1048577)}", Invalid("body.size")),
    ("108", "oq", "return {'status': 200, 'body': repeat('x', 6291550)}", Failed("Function.ResponseSizeTooLarge")),
];

const HEADERS: &[Row] = &[
    ("13", "vq oq or vs", "r['headers']['connection'] = [{'value': 'close'}]\nreturn r", Invalid("header.disallowed")),
    ("14", "vq oq or vs", "r['headers']['x-amz-cf-a'] = [{'value': '1'}]\nreturn r", Invalid("header.disallowed")),
    ("14", "vq oq or vs", "r['headers']['x-edge-a'] = [{'value': '1'}]\nreturn r", Invalid("header.disallowed")),
    ("14", "vq oq or vs", "r['headers']['x-real-ip'] = [{'value': '1'}]\nreturn r", Invalid("header.disallowed")),
    ("14", "vq oq or vs", "r['headers']['x-cache'] = [{'value': '1'}]\nreturn r", Invalid("header.disallowed")),
    ("14", "vq or vs", "r['headers']['x-forwarded-proto'] = [{'value': 'x'}]\nreturn r", Invalid("header.disallowed")),
    ("15", "oq", "r['headers']['x-amzn-trace-id'] = [{'value': 'a'}]\nreturn r", Sends("x-amzn-trace-id", "a")),
    (
        "16",
        "vq oq",
        "return {'status': 200, 'body': text('te' in r['headers'] || 'x-edge-b' in r['headers'])}",
        Is(200, "false"),
    ),
    ("17", "vq", "r['headers']['host'] = [{'value': 'other'}]\nreturn r", Invalid("header.read-only")),
    ("18", "oq", "r['headers']['host'] = [{'value': 'other'}]\nreturn r", Sends("host", "other")),
    ("19", "oq", "delete r['headers']['if-none-match']\nreturn r", Invalid("header.read-only")),
    ("20", "oq", "delete r['headers']['if-match']\nreturn r", Sends("if-match", "")),
    ("21", "oq", "r['headers']['accept-encoding'] = [{'value': 'br'}]\nreturn r", Invalid("header.read-only")),
    ("22", "vq", "r['headers']['host'][0]['key'] = 'HOST'\nreturn r", Is(200, "from the origin")),
    ("23", "vs", "r['headers']['content-length'] = [{'value': '1'}]\nreturn r", Invalid("header.read-only")),
    ("23", "vs", "delete r['headers']['content-length']\nreturn r", Invalid("header.read-only")),
    ("24", "vs", "r['headers']['warning'] = [{'value': '110'}]\nreturn r", Invalid("header.read-only")),
    ("26", "or", "delete r['headers']['content-length']\nreturn r", Has("content-length", "15")),
    (
        "28",
        "vq",
        "return {'status': 200, 'headers': {'content-length': [{'value': '0'}]}}",
        Invalid("header.read-only"),
    ),
    ("29", "vq", "r['headers']['x-a'] = [{'value': 'a\\r\\nb: c'}]\nreturn r", Invalid("%0D")),
    ("30", "vq", "r['headers']['x-a-b'] = [{'value': '1'}]\nreturn r", Sends("x-a-b", "1")),
    ("31", "vq oq", "r['headers']['x-a'] = [{'value': ['1', '2']}]\nreturn r", Sends("x-a", "1, 2")),
    ("32", "vq oq or vs", "r['headers']['x-a'] = {'value': '1'}\nreturn r", Invalid("header.not-array")),
    ("33", "vq oq or vs", "r['headers']['x-a'] = [{'value': 7}]\nreturn r", Invalid("header.value-type")),
    ("33", "vq oq or vs", "r['headers']['x-a'] = [{'value': null}]\nreturn r", Invalid("header.value-type")),
    (
        "34",
        "vq oq or vs",
        "r['headers']['x-a'] = [{'key': 'x-b', 'value': '1'}]\nreturn r",
        Invalid("header.key-mismatch"),
    ),
    (
        "35",
        "vq oq",
        "r['headers']['x-a'] = [{'value': '1'}]\nr['headers']['X-A'] = [{'value': '2'}]\nreturn r",
        Sends("x-a", "1, 2"),
    ),
    (
        "35",
        "or vs",
        "r['headers']['x-a'] = [{'value': '1'}]\nr['headers']['X-A'] = [{'value': '2'}]\nreturn r",
        Has("x-a", "1"),
    ),
    (
        "36",
        "vq oq",
        "return {'status': 200, 'headers': {'set-cookie': [{'value': 'a=1'}, {'value': 'b=2'}]}}",
        Has("set-cookie", "a=1"),
    ),
    (
        "37",
        "vq",
        "r['headers']['cloudfront-viewer-country'] = [{'value': 'FR'}]\nreturn r",
        Invalid("header.disallowed"),
    ),
];

const REQUESTS: &[Row] = &[
    ("50", "vq oq", "r['uri'] = 'index.html'\nreturn r", Invalid("uri.format")),
    ("50", "vq oq", "r['uri'] = '/a?b'\nreturn r", Invalid("uri.format")),
    ("50", "vq oq", "r['uri'] = '/a b'\nreturn r", Invalid("uri.format")),
    ("51", "vq oq", "r['uri'] = '/' + repeat('x', 8191)\nr['querystring'] = ''\nreturn r", Invalid("uri.length")),
    ("51", "vq oq", "r['uri'] = '/' + repeat('x', 8190)\nr['querystring'] = ''\nreturn r", Is(200, "from the origin")),
    ("52", "vq oq", "r['querystring'] = 'a b'\nreturn r", Invalid("query.format")),
    ("52", "vq oq", "r['querystring'] = 'a#b'\nreturn r", Invalid("query.format")),
    ("53", "vq", "r['uri'] = '/elsewhere'\nr['querystring'] = ''\nreturn r", Asks("/elsewhere")),
    ("54", "vq oq", "return r", Asks("?q=%E9")),
    ("55", "vq oq", "r['method'] = 'PUT'\nreturn r", Invalid("request.read-only")),
    ("55", "vq oq", "r['clientIp'] = '192.0.2.1'\nreturn r", Invalid("request.read-only")),
    ("55", "vq oq", "delete r['method']\ndelete r['clientIp']\ndelete r['querystring']\nreturn r", Asks("?q=%E9")),
    ("47", "vq oq", "return {'status': 200, 'body': text('body' in r)}", Is(200, "false")),
    ("56", "oq", "r['origin']['s3'] = {}\nreturn r", Invalid("origin.shape")),
    ("57", "oq", "r['origin']['custom']['domainName'] = '10.0.0.1'\nreturn r", Invalid("origin.field")),
    ("57", "oq", "r['origin']['custom']['domainName'] = 'a:80'\nreturn r", Invalid("origin.field")),
    ("58", "oq", "r['origin']['custom']['port'] = 81\nreturn r", Invalid("origin.field")),
    ("58", "oq", "r['origin']['custom']['port'] = 22\nreturn r", Invalid("origin.field")),
    ("59", "oq", "r['origin']['custom']['readTimeout'] = 3\nreturn r", Invalid("origin.field")),
    ("59", "oq", "r['origin']['custom']['readTimeout'] = 181\nreturn r", Invalid("origin.field")),
    ("59", "oq", "r['origin']['custom']['readTimeout'] = 61\nreturn r", Is(200, "from the origin")),
    ("60", "oq", "r['origin']['custom']['path'] = '/a/'\nreturn r", Invalid("origin.field")),
    ("60", "oq", "r['origin']['custom']['sslProtocols'] = ['TLSv9']\nreturn r", Invalid("origin.field")),
    (
        "61",
        "oq",
        "r['origin']['custom']['customHeaders'] = {'host': [{'value': 'x'}]}\nreturn r",
        Invalid("origin.header"),
    ),
    (
        "61",
        "oq",
        "r['origin']['custom']['customHeaders'] = {'x-case': [{'value': 'x'}]}\nreturn r",
        Invalid("origin.header"),
    ),
    ("61", "oq", "r['origin']['custom']['customHeaders'] = {'x-own': [{'value': 'x'}]}\nreturn r", Sends("x-own", "x")),
    (
        "62",
        "oq",
        "r['origin'] = {'s3': {'domainName': 'b.s3.amazonaws.com', 'path': '', 'authMethod': 'origin-access-identity', 'region': '', 'customHeaders': {}}}\nreturn r",
        Invalid("origin.field"),
    ),
    ("64", "oq", "delete r['origin']\nreturn r", Is(200, "from the origin")),
    ("64", "oq", "r['origin']['custom']['path'] = '/deep'\nreturn r", Asks("/deep/oq/")),
];

/// Source of the function with all `rows`.
fn javascript(rows: &[Row]) -> String {
    let mut source = "const repeat = (text, times) => text.repeat(times), text = String;\nconst cases = [\n".to_owned();
    for (.., body, _) in rows {
        source.push_str(&format!("(cf, r, e) => {{\n{body}\n}},\n"));
    }
    source.push_str(
        "];\nexports.handler = async (event) => {
            const { cf } = event.Records[0];
            return cases[Number(cf.request.headers['x-case'][0].value)](cf, cf.response || cf.request, event);
        };",
    );
    source
}

fn python(rows: &[Row]) -> String {
    let mut source =
        "repeat = lambda text, times: text * times\ntext = lambda value: str(value).lower()\ncases = []\n\n\n"
            .to_owned();
    for (.., body, _) in rows {
        let body = body.replace("delete ", "del ").replace("||", "or").replace("null", "None").replace('\n', "\n    ");
        source.push_str(&format!("def case(cf, r, e):\n    {body}\n\n\ncases.append(case)\n\n\n"));
    }
    source.push_str(
        "def lambda_handler(event, context):
    cf = event['Records'][0]['cf']
    case = cases[int(cf['request']['headers']['x-case'][0]['value'])]
    return case(cf, cf.get('response') or cf['request'], event)
",
    );
    source
}

fn edge(origin: &Origin, kind: &str, source: &str) -> Edge {
    let mut config = format!(
        "[origin.app]\nurl = \"{}\"\n{}",
        origin.url(),
        engine::function(kind, "timeout = \"30s\"\nmemory = \"1GiB\"")
    );
    for (hook, key) in
        [("vq", "viewer_request"), ("oq", "origin_request"), ("or", "origin_response"), ("vs", "viewer_response")]
    {
        config.push_str(&format!(
            "[[behavior]]\npath = \"/{hook}/*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\n{key} = \"f\"\n"
        ));
    }
    config.push_str("[[behavior]]\npath = \"*\"\norigin = \"app\"\n");
    Edge::start(&config, &[(engine::file(kind), &engine::code(kind, source))])
}

fn check(rows: &[Row]) {
    for kind in engines() {
        check_engine(kind, engine::of(kind, &javascript(rows), &python(rows)), rows);
    }
}

fn check_engine(kind: &str, source: &str, rows: &[Row]) {
    let origin = Origin::start(|_| Answer::ok("from the origin"));
    let edge = edge(&origin, kind, source);
    let mut client = edge.client();
    for (case, (row, hooks, body, expect)) in rows.iter().enumerate() {
        for hook in hooks.split(' ') {
            let before = origin.count();
            let reply = ask(&mut client, hook, case);
            let what = format!("row {row} at {hook} in {kind}: {body}: {reply:?}");
            let seen = origin.seen().get(before).cloned().unwrap_or_default();
            match *expect {
                Invalid(code) => {
                    assert_eq!((reply.status, reply.x_cache()), (502, "LambdaValidationError"), "{what}");
                    logged(&edge, &reply, code);
                }
                Failed(text) => {
                    assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"), "{what}");
                    logged(&edge, &reply, text);
                }
                Is(status, text) => assert_eq!((reply.status, reply.text().as_str()), (status, text), "{what}"),
                Has(name, value) => assert_eq!((reply.status, reply.header(name)), (200, value), "{what}"),
                Sends(name, value) => {
                    let values: Vec<&str> = seen
                        .headers
                        .iter()
                        .filter(|(known, _)| known == name)
                        .map(|(_, value)| value.as_str())
                        .collect();
                    assert_eq!((reply.status, values.join(", ").as_str()), (200, value), "{what}");
                }
                Asks(target) => assert!(reply.status == 200 && seen.target.contains(target), "{what} {seen:?}"),
            }
        }
    }
}

fn ask(client: &mut Client, hook: &str, case: usize) -> Reply {
    let case = case.to_string();
    let headers =
        [("x-case", case.as_str()), ("if-match", "\"m\""), ("if-none-match", "\"n\""), ("accept-encoding", "gzip")];
    client.request("GET", &format!("/{hook}/?q=%E9"), &headers, b"")
}

/// Waits for the line about this request's failure, which must hold `text`.
fn logged(edge: &Edge, reply: &Reply, text: &str) {
    let id = reply.header("x-amz-cf-id").to_owned();
    let found = |line: &str| line.contains(&id) && line.contains(text);
    eventually(&format!("{id} with {text:?}"), || edge.output().lines().any(found).then_some(()));
}

#[test]
fn results() {
    check(RESULTS);
}

#[test]
fn headers() {
    check(HEADERS);
}

#[test]
fn requests() {
    check(REQUESTS);
}
