//! A request through all four hook points, and what of it the next one sees.

use crate::harness::{Answer, Edge, Origin, has_python};

pub(crate) const VIEWER_REQUEST: &str = "function handler(event) {
    var request = event.request;
    if (request.uri === '/old') {
        return { statusCode: 301, headers: { location: { value: '/new' } } };
    }
    request.uri = '/v1' + request.uri;
    request.headers['x-vq'] = { value: 'set at viewer-request for ' + event.viewer.ip };
    return request;
}";

pub(crate) const VIEWER_RESPONSE: &str = "async function handler(event) {
    event.response.headers['x-vs'] = { value: 'set at viewer-response for ' + event.request.uri };
    return event.response;
}";

const ORIGIN_REQUEST_JS: &str = "let calls = 0;
exports.handler = async (event) => {
    const request = event.Records[0].cf.request;
    calls += 1;
    request.headers['x-oq'] = [{ key: 'X-OQ', value: 'call ' + calls + ' to ' + request.origin.custom.domainName }];
    return request;
};";

const ORIGIN_RESPONSE_PYTHON: &str = "calls = 0

def lambda_handler(event, context):
    global calls
    calls += 1
    cf = event['Records'][0]['cf']
    response = cf['response']
    response['headers']['x-or'] = [{'key': 'X-OR', 'value': f\"call {calls}, {cf['config']['eventType']}\"}]
    response['headers']['cache-control'] = [{'value': 'max-age=60'}]
    return response
";

const ORIGIN_RESPONSE_JS: &str = "let calls = 0;
exports.handler = (event, context, callback) => {
    calls += 1;
    const cf = event.Records[0].cf;
    cf.response.headers['x-or'] = [{ value: 'call ' + calls + ', ' + cf.config.eventType }];
    cf.response.headers['cache-control'] = [{ value: 'max-age=60' }];
    callback(null, cf.response);
};";

/// A configuration with one behavior, whose hooks are the four named functions.
fn four_hooks(origin: &Origin, last: &str) -> String {
    format!(
        r#"
[origin.app]
url = "{}"
[cache_policy.pages]
ttl = {{ min = "0s", default = "0s", max = "1h" }}
headers = {{ include = ["x-vq"] }}
[function.vq]
runtime = "cloudfront-js-2.0"
file = "vq.js"
budget = "50ms"
[function.vs]
runtime = "cloudfront-js-2.0"
file = "vs.js"
budget = "50ms"
[function.oq]
runtime = "nodejs"
file = "oq.js"
{last}
[[behavior]]
path = "*"
origin = "app"
cache_policy = "pages"
viewer_request = "vq"
origin_request = "oq"
origin_response = "or"
viewer_response = "vs"
"#,
        origin.url()
    )
}

fn check_four_hooks(last: &str, files: &[(&str, &str)]) {
    let origin = Origin::start(|seen| Answer::ok(&format!("body of {}", seen.target)));
    let mut all = vec![("vq.js", VIEWER_REQUEST), ("vs.js", VIEWER_RESPONSE), ("oq.js", ORIGIN_REQUEST_JS)];
    all.extend_from_slice(files);
    let edge = Edge::start(&four_hooks(&origin, last), &all);

    let first = edge.get("/page");
    assert_eq!((first.status, first.text().as_str()), (200, "body of /v1/page"), "{first:?}");
    let seen = origin.only();
    assert_eq!(seen.header("x-vq"), Some("set at viewer-request for 127.0.0.1"));
    assert_eq!(seen.header("x-oq"), Some("call 1 to 127.0.0.1"));
    assert_eq!(first.header("x-or"), "call 1, origin-response");
    assert_eq!(first.header("x-vs"), "set at viewer-response for /v1/page");
    assert_eq!(first.x_cache(), "Miss");
    assert_eq!(first.header("cache-status"), "edge1; fwd=uri-miss; stored; ttl=60");

    let second = edge.get("/page");
    assert_eq!(second.text(), "body of /v1/page");
    assert_eq!(origin.count(), 1, "a hit does not ask the origin");
    assert_eq!(second.header("x-or"), "call 1, origin-response", "what origin-response left is stored");
    assert_eq!(second.header("x-vs"), "set at viewer-response for /v1/page", "viewer-response runs on a hit");
    assert_eq!(second.x_cache(), "Hit");
    assert!(second.header("cache-status").starts_with("edge1; hit; ttl="), "{second:?}");

    let generated = edge.get("/old");
    assert_eq!((generated.status, generated.header("location")), (301, "/new"));
    assert_eq!(generated.x_cache(), "FunctionGeneratedResponse");
    assert_eq!(generated.header("x-vs"), "", "viewer-response does not run on what viewer-request answered");
    assert_eq!(generated.header("cache-status"), "");
    assert_eq!(origin.count(), 1);
}

#[test]
fn four_hooks_with_javascript_at_the_origin() {
    check_four_hooks("[function.or]\nruntime = \"nodejs\"\nfile = \"or.js\"", &[("or.js", ORIGIN_RESPONSE_JS)]);
}

#[test]
fn four_hooks_with_python_at_the_origin() {
    if has_python() {
        check_four_hooks("[function.or]\nruntime = \"python\"\nfile = \"or.py\"", &[("or.py", ORIGIN_RESPONSE_PYTHON)]);
    }
}

#[test]
fn lambda_functions_run_at_all_four_hooks() {
    let names = ["viewer-request", "origin-request", "origin-response", "viewer-response"];
    let javascript = "exports.handler = async (event) => {
        const { config, request, response } = event.Records[0].cf;
        const message = response || request;
        message.headers['x-' + config.eventType] = [{ value: config.requestId }];
        return message;
    };";
    let origin = Origin::start(|seen| {
        let id = seen.header("x-origin-request").unwrap_or_default().to_owned();
        let viewer = seen.header("x-viewer-request").unwrap_or_default().to_owned();
        Answer::new(200, &[("x-seen-origin", &id), ("x-seen-viewer", &viewer)], "")
    });
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[cache_policy.p]\nttl = {{ min = \"0s\", default = \"0s\", max = \"1s\" }}\n\
         headers = {{ include = [\"x-viewer-request\"] }}\n[function.f]\nruntime = \"nodejs\"\nfile = \"f.js\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"p\"\n{}",
        origin.url(),
        names.map(|name| format!("{} = \"f\"\n", name.replace('-', "_"))).concat(),
    );
    let edge = Edge::start(&config, &[("f.js", javascript)]);
    let reply = edge.get("/");
    let id = reply.header("x-amz-cf-id").to_owned();
    assert_eq!((id.len(), reply.status), (56, 200), "{reply:?}");
    for header in ["x-seen-origin", "x-seen-viewer", "x-origin-response", "x-viewer-response"] {
        assert_eq!(reply.header(header), id, "one request id at all hooks: {header}");
    }
}

#[test]
fn origin_request_may_answer_in_the_origins_place_and_is_stored() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[function.oq]\nruntime = \"nodejs\"\nfile = \"oq.js\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\norigin_request = \"oq\"\n",
        origin.url()
    );
    let javascript =
        "let calls = 0; exports.handler = async () => ({ status: '200', body: 'AP8=', bodyEncoding: 'base64',
        headers: { 'cache-control': [{ value: 'max-age=60' }], 'x-calls': [{ value: String(++calls) }] } });";
    let edge = Edge::start(&config, &[("oq.js", javascript)]);
    let first = edge.get("/");
    assert_eq!((first.status, first.body.as_slice(), first.x_cache()), (200, &[0, 255][..], "LambdaGeneratedResponse"));
    let second = edge.get("/");
    assert_eq!((second.x_cache(), second.header("x-calls")), ("Hit", "1"));
    assert_eq!(origin.count(), 0);
}

#[test]
fn origin_request_may_send_the_request_elsewhere() {
    let (first, second) = (Origin::start(|_| Answer::ok("first")), Origin::start(|seen| Answer::ok(&seen.target)));
    let port = second.authority().rsplit_once(':').unwrap().1.to_owned();
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[function.oq]\nruntime = \"nodejs\"\nfile = \"oq.js\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\norigin_request = \"oq\"\n",
        first.url()
    );
    let javascript = format!(
        "exports.handler = async (event) => {{
            const request = event.Records[0].cf.request;
            const custom = request.origin.custom;
            if (request.uri !== '/stay') {{ custom.domainName = 'localhost'; custom.port = {port}; custom.path = '/prefix'; }}
            return request;
        }};"
    );
    let server = "listen = [\"http://127.0.0.1:0\"]";
    let refused = Edge::with_server(server, &config, &[("oq.js", &javascript)]);
    let reply = refused.get("/go");
    assert_eq!((reply.status, second.count()), (502, 0), "loopback is refused unless it is allowed: {reply:?}");
    let allowed = format!("{server}\nallow_private_origins = [\"localhost\"]");
    let edge = Edge::with_server(&allowed, &config, &[("oq.js", &javascript)]);
    assert_eq!(edge.get("/go").text(), "/prefix/go");
    assert_eq!(edge.get("/stay").text(), "first");
}

#[test]
fn viewer_response_is_skipped_for_errors_of_the_origin_but_origin_response_is_not() {
    let origin = Origin::start(|_| Answer::new(404, &[], "gone"));
    let config = four_hooks(&origin, "[function.or]\nruntime = \"nodejs\"\nfile = \"or.js\"");
    let files = [
        ("vq.js", VIEWER_REQUEST),
        ("vs.js", VIEWER_RESPONSE),
        ("oq.js", ORIGIN_REQUEST_JS),
        ("or.js", ORIGIN_RESPONSE_JS),
    ];
    let edge = Edge::start(&config, &files);
    for expected in ["Miss", "Hit"] {
        let reply = edge.get("/x");
        assert_eq!((reply.status, reply.x_cache(), reply.header("x-vs")), (404, expected, ""), "{reply:?}");
        assert_eq!(reply.header("x-or"), "call 1, origin-response");
    }
}

#[test]
fn console_output_is_logged_with_function_and_request() {
    let config = "[origin.site]\ndir = \".\"\n[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"f.js\"\nbudget = \"50ms\"\n\
                  [[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_request = \"f\"\n";
    let javascript = "function handler(event) { console.log('saw', event.request.uri); return event.request; }";
    let edge = Edge::start(config, &[("f.js", javascript), ("a.txt", "a")]);
    let reply = edge.get("/a.txt");
    assert_eq!(reply.text(), "a");
    let output = edge.says("saw /a.txt");
    let line = output.lines().find(|line| line.contains("saw /a.txt")).unwrap();
    assert!(line.contains("function=\"f\"") && line.contains(reply.header("x-amz-cf-id")), "{line}");
}
