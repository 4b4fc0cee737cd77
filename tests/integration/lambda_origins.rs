//! Origins that Lambda functions choose (lambda-edge.md 2.6, rows 57 to 64 of 13).

use crate::harness::{Answer, Edge, Origin};

fn edge(origin: &Origin, server: &str, more: &str, source: &str) -> Edge {
    let config = format!(
        "[origin.app]\nurl = \"{}/base\"\nheaders = {{ x-secret = \"configured\" }}\n\
         [function.f]\nruntime = \"nodejs\"\nfile = \"f.js\"\n{more}\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url()
    );
    Edge::with_server(&format!("listen = [\"http://127.0.0.1:0\"]\n{server}"), &config, &[("f.js", source)])
}

fn port(origin: &Origin) -> String {
    origin.authority().rsplit_once(':').unwrap().1.to_owned()
}

#[test]
fn an_s3_origin_is_asked_at_the_endpoint() {
    let (app, store) = (Origin::start(|_| Answer::ok("app")), Origin::start(|_| Answer::ok("store")));
    let source = "exports.handler = async (event) => {
        const { request } = event.Records[0].cf;
        request.origin = { s3: { domainName: 'pics.s3.eu-west-1.amazonaws.com', region: '', path: '/2026',
            authMethod: 'none', customHeaders: { 'x-own': [{ key: 'X-Own', value: '1' }] } } };
        return request;
    };";
    let edge = edge(&app, "", &format!("[s3]\nendpoint = \"{}\"\n", store.url()), source);
    assert_eq!(edge.get("/cat.png?size=1").text(), "store");
    let seen = store.only();
    assert_eq!(seen.target, "/pics/2026/cat.png?size=1");
    assert_eq!((seen.header("x-own"), seen.header("x-secret")), (Some("1"), None));
    assert_eq!(seen.header("host"), Some(app.authority().as_str()), "row 63: the old Host goes to the new origin");
    assert_eq!(app.count(), 0);
}

#[test]
fn a_configured_s3_origin_is_shown_as_one_and_may_be_left() {
    let (store, other) = (Origin::start(|_| Answer::ok("store")), Origin::start(|_| Answer::ok("other")));
    let source = format!(
        "exports.handler = async (event) => {{
            const {{ request }} = event.Records[0].cf;
            request.headers['x-shown'] = [{{ value: JSON.stringify(request.origin) }}];
            if (request.uri === '/custom') request.origin = {{ custom: {{ domainName: 'localhost', port: {},
                protocol: 'http', path: '', customHeaders: {{}}, readTimeout: 30, keepaliveTimeout: 5,
                sslProtocols: ['TLSv1.2'] }} }};
            return request;
        }};",
        port(&other)
    );
    let config = format!(
        "[origin.app]\nurl = \"{}\"\ntype = \"s3\"\n[function.f]\nruntime = \"nodejs\"\nfile = \"f.js\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\norigin_request = \"f\"\n",
        store.url()
    );
    let server = "listen = [\"http://127.0.0.1:0\"]\nallow_private_origins = [\"127.0.0.0/8\", \"::1/128\"]";
    let edge = Edge::with_server(server, &config, &[("f.js", &source)]);
    assert_eq!(edge.get("/").text(), "store");
    let shown = r#"{"s3":{"authMethod":"none","customHeaders":{},"domainName":"127.0.0.1","path":"","region":""}}"#;
    assert_eq!(store.only().header("x-shown"), Some(shown));
    assert_eq!(edge.get("/custom").text(), "other");
}

#[test]
fn relaxed_rules_allow_an_address_and_any_port() {
    let (app, other) = (Origin::start(|_| Answer::ok("app")), Origin::start(|_| Answer::ok("other")));
    let source = format!(
        "exports.handler = async (event) => {{
            const {{ request }} = event.Records[0].cf;
            Object.assign(request.origin.custom, {{ domainName: '127.0.0.2', port: {}, readTimeout: 1 }});
            return request;
        }};",
        port(&other)
    );
    let private = "allow_private_origins = [\"127.0.0.0/8\"]";
    let strict = edge(&app, private, "", &source).get("/");
    assert_eq!((strict.status, strict.x_cache()), (502, "LambdaValidationError"));
    // The origin listens on 127.0.0.1 alone: that the connection is tried and refused shows that the rules let it pass.
    let relaxed = edge(&app, private, "origin_rules = \"relaxed\"", &source).get("/");
    assert_eq!((relaxed.status, relaxed.x_cache()), (502, "Error"));
    assert_eq!(app.count() + other.count(), 0);
}

#[test]
fn custom_headers_belong_to_the_origin_and_not_to_the_request() {
    let origin = Origin::start(|_| Answer::ok("app"));
    let source = "exports.handler = async (event) => {
        const { request } = event.Records[0].cf;
        const { customHeaders } = request.origin.custom;
        request.headers['x-shown'] = [{ value: customHeaders['x-secret'][0].value + ' ' + ('x-secret' in request.headers) }];
        if (request.uri === '/changed') customHeaders['x-secret'][0].value = 'changed';
        if (request.uri === '/moved') request.origin.custom.path = '';
        return request;
    };";
    let edge = edge(&origin, "", "", source);
    for (path, target, secret) in [
        ("/kept", "/base/kept", "configured"),
        ("/changed", "/base/changed", "changed"),
        ("/moved", "/moved", "configured"),
    ] {
        assert_eq!(edge.get(path).status, 200, "{path}");
        let seen = origin.seen().pop().unwrap();
        assert_eq!((seen.target.as_str(), seen.header("x-secret")), (target, Some(secret)));
        assert_eq!(seen.header("x-shown"), Some("configured false"));
    }
}
