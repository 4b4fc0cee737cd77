//! Viewer functions through the engine: real isolate hosts, real sockets, the supervisor in between.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use edgehook_contract::{
    Header, HookPoint, RequestMessage, ResponseMessage,
    viewer::{Context, Event, OriginDirective, Query, Returned, ReturnedRequest},
};
use edgehook_protocol::viewer::{Outcome, Problem, ProblemKind};
use edgehook_viewer::supervisor::{CallError, FunctionId, HostSettings, Hosts, Run, Surroundings, ViewerFunction};
use std::time::Duration;

fn hosts(count: usize) -> Hosts {
    let mut settings = HostSettings::new(env!("CARGO_BIN_EXE_edgehook-isolate-host").into(), Vec::new());
    settings.hosts = count;
    Hosts::spawn(settings)
}

fn function(source: &str) -> ViewerFunction {
    ViewerFunction {
        name: "f".to_owned(),
        file: "f.js".to_owned(),
        source: source.as_bytes().to_vec(),
        // Generous: these tests are about results, and the machine may be busy.
        budget: Duration::from_millis(50),
        state_memory: ViewerFunction::STATE_MEMORY,
        memory: ViewerFunction::MEMORY,
        store: None,
        surroundings: Surroundings::default(),
    }
}

fn request(query: Option<&str>) -> Event {
    Event {
        hook: HookPoint::ViewerRequest,
        context: Context {
            distribution_domain_name: "www.example.com".to_owned(),
            distribution_id: "EDGEHOOK".to_owned(),
            request_id: "id==".to_owned(),
        },
        viewer_ip: "192.0.2.7".to_owned(),
        request: RequestMessage {
            method: "GET".to_owned(),
            uri: "/a".to_owned(),
            query: query.map(str::to_owned),
            headers: vec![
                Header::new("host", "www.example.com"),
                Header::new("accept", "a, b"),
                Header::new("x-t", "1"),
                Header::new("x-t", "2"),
                Header::new("cookie", "s=1; S=2; s=3"),
                Header::new("upgrade", "x"),
            ],
        },
        response: None,
    }
}

fn response() -> Event {
    let headers = vec![Header::new("set-cookie", "id=1; Secure; Path=/"), Header::new("x-o", "1")];
    let response = ResponseMessage { status: 200, reason: None, headers };
    Event { hook: HookPoint::ViewerResponse, response: Some(response), ..request(None) }
}

async fn deployed(hosts: &Hosts, source: &str) -> FunctionId {
    hosts.deploy(&function(source)).await.unwrap()
}

async fn run(source: &str, event: Event) -> Run {
    let hosts = hosts(1);
    let id = deployed(&hosts, source).await;
    hosts.invoke(id, &event).await.unwrap()
}

/// What the handler logged; the body of a handler is given.
async fn logged(body: &str, event: Event) -> Vec<String> {
    let run =
        run(&format!("function handler(event) {{ {body}; return event.response || event.request; }}"), event).await;
    assert!(matches!(run.outcome, Outcome::Returned(_)), "{:?}", run.outcome);
    run.logs
}

async fn failed(source: &str) -> Problem {
    match run(source, request(None)).await.outcome {
        Outcome::Failed(problem) => problem,
        other => panic!("{other:?}"),
    }
}

async fn invalid(body: &str) -> String {
    match run(&format!("function handler(event) {{ {body} }}"), request(None)).await.outcome {
        Outcome::Invalid(misread) => misread.violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        other => panic!("{other:?}"),
    }
}

async fn refused(source: &str) -> Problem {
    hosts(1).deploy(&function(source)).await.unwrap_err()
}

#[tokio::test]
async fn the_event_has_its_shape() {
    let lines = logged(
        "console.log(JSON.stringify(event)); console.log(event.request.rawQueryString(), event.context.eventType)",
        request(Some("ID=1&a=%41&b&a=x+y")),
    )
    .await;
    assert_eq!(
        lines[0],
        concat!(
            r#"{"version":"1.0","context":{"distributionDomainName":"www.example.com","distributionId":"EDGEHOOK","#,
            r#""eventType":"viewer-request","requestId":"id=="},"viewer":{"ip":"192.0.2.7"},"request":{"method":"GET","#,
            r#""uri":"/a","querystring":{"ID":{"value":"1"},"a":{"value":"%41","multiValue":[{"value":"%41"},"#,
            r#"{"value":"x+y"}]},"b":{"value":""}},"headers":{"host":{"value":"www.example.com"},"#,
            r#""accept":{"value":"a, b"},"x-t":{"value":"1","multiValue":[{"value":"1"},{"value":"2"}]}},"#,
            r#""cookies":{"s":{"value":"1","multiValue":[{"value":"1"},{"value":"3"}]},"S":{"value":"2"}}}}"#
        )
    );
    assert_eq!(lines[1], "ID=1&a=%41&b&a=x+y viewer-request");
    assert_eq!(logged("console.log(typeof event.request.rawQueryString())", request(None)).await, ["undefined"]);
}

#[tokio::test]
async fn the_response_event_has_its_shape() {
    let lines = logged("console.log(JSON.stringify(event.response), 'body' in event.response)", response()).await;
    assert_eq!(
        lines[0],
        concat!(
            r#"{"statusCode":200,"statusDescription":"OK","headers":{"x-o":{"value":"1"}},"#,
            r#""cookies":{"id":{"value":"1","attributes":"Secure; Path=/"}}} false"#
        )
    );
}

#[tokio::test]
async fn results_are_read_sync_and_async() {
    for source in [
        "function handler(event) { event.request.uri = '/b'; event.request.querystring = 'z=1'; return event.request; }",
        "async function handler(event) { await null; event.request.uri = '/b'; event.request.querystring = 'z=1'; return event.request; }",
        "const handler = async (event) => { event.request.uri = '/b'; event.request.querystring = 'z=1'; return event.request; };",
    ] {
        let Outcome::Returned(Returned::Request(returned)) = run(source, request(None)).await.outcome else {
            panic!("{source}")
        };
        assert_eq!(returned.uri.as_deref(), Some("/b"));
        assert_eq!(returned.query, Some(Query::Raw("z=1".to_owned())));
    }
    let source = "function handler() { return { statusCode: 302, headers: { location: { value: '/x' } } }; }";
    let Outcome::Returned(Returned::Response(returned)) = run(source, request(None)).await.outcome else { panic!() };
    assert_eq!((returned.status_code, returned.headers.unwrap()[0].first.value.as_str()), (302.0, "/x"));
}

#[tokio::test]
async fn results_of_a_wrong_type_are_named() {
    for (body, expected) in [
        ("return;", "json.not-object: handler must return a request or a response object, got undefined"),
        ("return null;", "json.not-object: handler must return a request or a response object, got null"),
        ("return 'x';", "json.not-object: handler must return a request or a response object, got a string"),
        ("return event;", "kind.unknown: handler must return event.request or event.response, not the whole event"),
        (
            "event.request.headers['x-a'] = '1'; return event.request;",
            "field.type: request.headers[\"x-a\"] must be an object with a string \"value\", got a string",
        ),
        (
            "event.request.headers['x-a'] = { value: 1 }; return event.request;",
            "field.type: request.headers[\"x-a\"].value must be a string, got a number",
        ),
        ("event.request.uri = 7; return event.request;", "field.type: request.uri must be a string, got a number"),
        (
            "event.request.cookies = null; return event.request;",
            "field.type: request.cookies must be an object, got null",
        ),
        ("return { statusCode: '200' };", "status.range: response.statusCode must be an integer, got a string"),
        (
            "return { statusCode: 200, body: { data: 'x' } };",
            "body.type: response.body.encoding must be \"text\" or \"base64\"",
        ),
    ] {
        assert_eq!(invalid(body).await, expected, "{body}");
    }
}

#[tokio::test]
async fn all_that_is_wrong_is_told_and_the_rest_is_read() {
    let body = "const r = event.request; r.uri = 7; r.querystring = null; r.headers['x-a'] = '1'; r.headers['x-b'] = { value: 2 };
        r.headers['x-c'] = { value: '1', multiValue: [{ value: 1 }, { value: '2' }, 3] }; r.headers.host = 5;
        r.headers['x-ok'] = { value: 'ok' }; r.cookies.s = {}; return r;";
    let run = run(&format!("function handler(event) {{ {body} }}"), request(Some("a=1"))).await;
    let Outcome::Invalid(misread) = run.outcome else { panic!("{:?}", run.outcome) };
    let texts: Vec<&str> = misread.violations.iter().map(|violation| violation.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "request.uri must be a string, got a number",
            "request.querystring must be an object, got null",
            "request.headers[\"host\"] must be an object with a string \"value\", got a number",
            "request.headers[\"x-a\"] must be an object with a string \"value\", got a string",
            "request.headers[\"x-b\"].value must be a string, got a number",
            "request.headers[\"x-c\"].multiValue[0].value must be a string, got a number",
            "request.headers[\"x-c\"].multiValue[2] must be an object with a string \"value\", got a number",
            "request.cookies[\"s\"].value must be a string, got undefined",
        ]
    );
    let Some(Returned::Request(rest)) = misread.rest else { panic!("{:?}", misread.rest) };
    assert_eq!((rest.uri, rest.query), (None, None), "as they were given");
    let headers: Vec<(&str, &str)> =
        rest.headers.as_ref().unwrap().iter().map(|field| (field.name.as_str(), field.first.value.as_str())).collect();
    assert_eq!(headers, [("host", "www.example.com"), ("accept", "a, b"), ("x-t", "1"), ("x-ok", "ok")]);
    let cookies: Vec<&str> = rest.cookies.as_ref().unwrap().iter().map(|field| field.name.as_str()).collect();
    assert_eq!(cookies, ["s", "S"]);
    // However many: no more than the limit.
    let many = "for (let i = 0; i < 900; i++) { event.request.headers['x-' + i] = i; } return event.request;";
    assert_eq!(invalid(many).await.lines().count(), 16);
}

#[tokio::test]
async fn reading_a_result_runs_none_of_its_code() {
    for (body, expected) in [
        (
            "return { get statusCode() { while (true) {} } };",
            "field.type: response.statusCode must be a plain value, got a getter or setter",
        ),
        (
            "Object.defineProperty(event.request.headers, 'x-a', { enumerable: true, get() { while (true) {} } }); return event.request;",
            "field.type: request.headers[\"x-a\"] must be a plain value, got a getter or setter",
        ),
        (
            "Object.defineProperty(event.request.headers.host, 'value', { get() { throw 1; } }); return event.request;",
            "field.type: request.headers[\"host\"].value must be a plain value, got a getter or setter",
        ),
        (
            "return new Proxy(event.request, { get() { while (true) {} } });",
            "field.type: the result must be a plain object, got a Proxy",
        ),
        (
            "event.request.cookies = new Proxy({}, { ownKeys() { while (true) {} } }); return event.request;",
            "field.type: request.cookies must be a plain object, got a Proxy",
        ),
        (
            "event.request.headers['x-a'] = new Proxy({ value: '1' }, {}); return event.request;",
            "field.type: request.headers[\"x-a\"] must be a plain object, got a Proxy",
        ),
        (
            "event.request.querystring.a = { value: '1', multiValue: new Proxy([], {}) }; return event.request;",
            "field.type: request.querystring[\"a\"].multiValue must be an array, got an object",
        ),
    ] {
        assert_eq!(invalid(body).await, expected, "{body}");
    }
    // What lies on prototypes is not the result's.
    let source = "function handler(event) { Object.prototype.statusCode = 200;
        Object.defineProperty(Object.prototype, 'attributes', { get() { while (true) {} } });
        Object.defineProperty(Object.prototype, 'multiValue', { get() { while (true) {} } });
        event.request.uri = '/b'; event.request.headers['x-a'] = { value: '1' }; return event.request; }";
    let outcome = run(source, request(Some("a=1"))).await.outcome;
    assert!(matches!(outcome, Outcome::Returned(Returned::Request(_))), "{outcome:?}");
}

#[tokio::test]
async fn parts_that_were_left_alone_are_not_sent_back() {
    let returned = async |body: &str| {
        let source = format!("function handler(event) {{ var r = event.request; {body}; return r; }}");
        let mut event = request(Some("a=1&b=2"));
        // Names that occur twice are lists, which are read whenever they are there.
        event.request.headers.retain(|header| !["x-t", "cookie"].contains(&header.name.as_str()));
        match run(&source, event).await.outcome {
            Outcome::Returned(Returned::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    };
    let untouched = returned("r.querystring.a.value").await;
    assert_eq!(untouched, ReturnedRequest::default());
    assert_eq!(returned("r = Object.assign({}, r)").await, ReturnedRequest::default());
    assert_eq!(returned("r.querystring.c = { value: '3' }; delete r.querystring.c").await, ReturnedRequest::default());
    for edit in [
        "q.a.value = '2'",
        "q.a = { value: '2' }",
        "delete q.a",
        "delete q.b; q.c = { value: '2' }",
        "q.c = { value: '1' }",
        "q[1] = { value: '1' }",
        "q.a.multiValue = [{ value: '1' }, { value: '2' }]",
        "q.a = q.b",
        "Object.defineProperty(q, 'a', { enumerable: false })",
    ] {
        let edited = returned(&format!("var q = r.querystring; {edit}")).await;
        assert!(matches!(&edited.query, Some(Query::Fields(_))), "{edit}: {edited:?}");
        assert_eq!((edited.headers, edited.cookies, edited.uri), (None, None, None), "{edit}");
    }
    // Maps in each other's places are not what was given there.
    let swapped = returned("r.cookies = r.querystring").await;
    assert_eq!(swapped.cookies.map(|fields| fields.len()), Some(2));
    // A response that a request function makes has nothing to be compared with.
    let source = "function handler(event) { return { statusCode: 200, headers: event.request.querystring }; }";
    let Outcome::Returned(Returned::Response(made)) = run(source, request(Some("a=1"))).await.outcome else { panic!() };
    assert_eq!(made.headers.map(|fields| fields.len()), Some(1));
}

#[tokio::test]
async fn the_event_is_made_of_plain_objects() {
    let body = "var q = event.request.querystring, d = Object.getOwnPropertyDescriptor(q, 'a');
        console.log(Object.keys(d), d.writable, d.enumerable, d.configurable, Object.keys(q), 'a' in q, q.hasOwnProperty('b'));
        console.log(Object.getPrototypeOf(q) === Object.prototype, Object.isExtensible(q), Reflect.ownKeys(q.a), q.a !== q.b);
        console.log(JSON.stringify({ ...q }), delete q.a, Reflect.ownKeys(q), JSON.stringify(q), JSON.stringify(event.viewer));
        q.z = q.b; q['0'] = { value: '1' }; console.log(Object.keys(q), Object.isFrozen(Object.freeze(q)));
        console.log(Object.getOwnPropertyNames(event.request), Object.keys(event.request), Object.keys(event))";
    assert_eq!(
        logged(body, request(Some("a=1&b=2"))).await,
        [
            "value,writable,enumerable,configurable true true true a,b true true",
            "true true value true",
            r#"{"a":{"value":"1"},"b":{"value":"2"}} true b {"b":{"value":"2"}} {"ip":"192.0.2.7"}"#,
            "0,b,z true",
            "method,uri,querystring,headers,cookies,rawQueryString method,uri,querystring,headers,cookies \
             version,context,viewer,request",
        ]
    );
}

#[tokio::test]
async fn console_lines_of_a_stopped_run_are_kept() {
    let source = "function handler() { console.log('before'); console.log('', 1); while (true) {} }";
    let stopped = run(source, request(None)).await;
    assert!(matches!(&stopped.outcome, Outcome::Failed(problem) if problem.kind == ProblemKind::Time), "{stopped:?}");
    assert_eq!(stopped.logs, ["before", " 1"]);
    let source = "console.log('top'); function handler() { console.log('in'); return 'x'.repeat(2 ** 30); }";
    assert_eq!(run(source, request(None)).await.logs, ["in"], "what the top level said belongs to loading");
    let many = run("function handler() { while (true) console.log(''); }", request(None)).await;
    assert!(matches!(&many.outcome, Outcome::Failed(_)) && many.logs.len() <= 10_240, "{}", many.logs.len());
}

#[tokio::test]
async fn failures_carry_message_and_line() {
    let thrown = failed("function handler(event) {\n  const x = null;\n  return x.uri;\n}").await;
    assert_eq!((thrown.kind, thrown.line), (ProblemKind::Threw, Some(3)), "{thrown:?}");
    assert!(thrown.message.starts_with("TypeError: "), "{thrown:?}");
    let inner =
        failed("function helper() {\n  throw new Error('boo');\n}\nfunction handler(event) {\n  helper();\n}").await;
    assert_eq!(inner.line, Some(2), "the line that threw, not the one that called");
    let unknown = failed("function handler(event) {\n\n  return nope(event);\n}").await;
    assert_eq!((unknown.line, unknown.column), (Some(3), Some(10)), "{unknown:?}");
    let own = failed("function handler(event) {\n  throw new Error('my words');\n}").await;
    assert_eq!((own.message.as_str(), own.line), ("Error: my words", Some(2)));
    let rejected = failed("async function handler(event) { throw new RangeError('later'); }").await;
    assert_eq!(rejected.message, "RangeError: later");
    assert_eq!(failed("function handler() { throw 'text'; }").await.message, "text");
    assert_eq!(failed("function handler() { return new Promise(() => {}); }").await.kind, ProblemKind::NeverSettled);
    assert_eq!(failed("function handler() { return eval('1'); }").await.kind, ProblemKind::Threw);
    assert_eq!(
        failed("function handler() { return setTimeout; }").await.message,
        "ReferenceError: setTimeout is not defined"
    );
}

#[tokio::test]
async fn a_stopped_run_has_its_line() {
    for (source, kind, lines) in [
        (
            "function handler(event) {\n  var n = 0;\n  while (true) {\n    n += event.request.uri.length;\n  }\n}",
            ProblemKind::Time,
            3..=4,
        ),
        (
            "function inner(list) {\n  for (;;) {\n    list.push('x'.repeat(1000) + list.length);\n  }\n}\n
             function handler(event) {\n  console.log('kept');\n  return inner([]);\n}",
            ProblemKind::Memory,
            2..=3,
        ),
        (
            "function handler(event) {\n  var s = 'a'.repeat(40) + '!';\n  var t = s;\n  return /^(a+)+$/.test(t);\n}",
            ProblemKind::Time,
            2..=4,
        ),
    ] {
        let hosts = hosts(1);
        let mut program = function(source);
        // Runs with a large budget are not retraced; the second loop has to reach its limit of memory in this one.
        program.budget = Duration::from_millis(5);
        program.memory = if kind == ProblemKind::Memory { 256 * 1024 } else { program.memory };
        // Where the machine is so busy that repeating a run takes twice as long as the run, its place stays unknown.
        let mut found = None;
        for _ in 0..50 {
            let id = hosts.deploy(&program).await.unwrap();
            let run = hosts.invoke(id, &request(None)).await.unwrap();
            let Outcome::Failed(problem) = &run.outcome else { panic!("{run:?}") };
            assert_eq!(problem.kind, kind, "{run:?}");
            assert_eq!(run.logs.len(), usize::from(kind == ProblemKind::Memory), "logged once: {run:?}");
            hosts.remove(id).await;
            found = problem.line;
            if found.is_some() {
                break;
            }
        }
        assert!(found.is_some_and(|line| lines.contains(&line)), "{source}: {found:?}");
    }
}

#[tokio::test]
async fn functions_that_cannot_be_loaded_are_refused_with_their_place() {
    let syntax = refused("function handler(event) {\n  return event.request;\n}}\n").await;
    assert_eq!((syntax.kind, syntax.line), (ProblemKind::Syntax, Some(3)), "{syntax:?}");
    let required = refused("\nvar c = require('fs');\nfunction handler(event) { return event.request; }").await;
    assert_eq!((required.kind, required.line), (ProblemKind::Threw, Some(2)), "{required:?}");
    assert!(required.message.contains("there is no module \"fs\""), "{required:?}");
    assert_eq!(refused("var x = 1;").await.kind, ProblemKind::NoHandler);
    assert_eq!(refused("throw new Error('top');\nfunction handler() {}").await.message, "Error: top");
    assert_eq!(refused("while (true) {}").await.kind, ProblemKind::Time);
}

#[tokio::test]
async fn modules_are_imported_and_handler_needs_no_export() {
    let body = "function handler(event) { console.log(crypto.createHash('md5').update('').digest('hex'), typeof cf.kvs); return event.request; }";
    for source in [
        format!("import crypto from 'crypto';\nimport cf from 'cloudfront';\n{body}"),
        format!("{body}\nimport crypto from \"crypto\"; import cf from 'cloudfront'"),
        format!("const crypto = require('crypto'), cf = require('cloudfront');\n{body}"),
        format!(
            "import crypto from 'crypto'; const cf = require('cloudfront');\nconst handler = async (event) => {{ {body} return handler(event); }};"
        ),
    ] {
        let run = run(&source, request(None)).await;
        assert_eq!(run.logs, ["d41d8cd98f00b204e9800998ecf8427e function"], "{source}: {run:?}");
        assert!(matches!(run.outcome, Outcome::Returned(_)), "{run:?}");
    }
    let thrown = failed("import cf from 'cloudfront';\nfunction handler() {\n  throw new Error('x');\n}").await;
    assert_eq!((thrown.message.as_str(), thrown.line), ("Error: x", Some(3)));
    let module = "import crypto from 'crypto';\nlet n = 0; async function handler(event) { n += 1; console.log(n); return event.request; }";
    let hosts = hosts(1);
    let id = deployed(&hosts, module).await;
    for _ in 0..2 {
        assert_eq!(hosts.invoke(id, &request(None)).await.unwrap().logs, ["1"], "module variables are rewound too");
    }
}

#[tokio::test]
async fn modules_that_are_not_to_be_had_are_refused() {
    let handler = "function handler(event) { return event.request; }";
    for (source, kind, message) in [
        (
            format!("import {{createHash}} from 'crypto';\n{handler}"),
            ProblemKind::Syntax,
            "only default imports exist here",
        ),
        (format!("import * as c from 'crypto';\n{handler}"), ProblemKind::Syntax, "only default imports exist here"),
        (format!("import 'crypto';\n{handler}"), ProblemKind::Syntax, "only default imports exist here"),
        (
            format!("import c, {{createHash}} from 'crypto';\n{handler}"),
            ProblemKind::Syntax,
            "only default imports exist here",
        ),
        (format!("import fs from 'fs';\n{handler}"), ProblemKind::Threw, "there is no module \"fs\" here"),
        (format!("export {handler}"), ProblemKind::Syntax, "export does not exist here"),
        (format!("export default {handler}"), ProblemKind::Syntax, "export does not exist here"),
        (format!("import c from 'crypto';\nawait null;\n{handler}"), ProblemKind::Syntax, "not at the top level"),
        ("import c from 'crypto';\nvar x = 1;".to_owned(), ProblemKind::NoHandler, "handler"),
        ("import handler from 'crypto';".to_owned(), ProblemKind::NoHandler, "handler"),
        (format!("import c from 'crypto';\nwith (c) {{}}\n{handler}"), ProblemKind::Syntax, ""),
        (
            format!("import cf from 'cloudfront';\nconst h = cf.kvs();\n{handler}"),
            ProblemKind::Threw,
            "KVSNamespaceNotFound",
        ),
    ] {
        let problem = refused(&source).await;
        assert!(problem.kind == kind && problem.message.contains(message), "{source}: {problem:?}");
    }
    let rejected = failed("async function handler() { await import('crypto'); }").await;
    assert_eq!(rejected.message, "TypeError: import() does not exist here");
}

#[tokio::test]
async fn origin_directives_travel_with_the_request() {
    let source = "import cf from 'cloudfront';
        function handler(event) { cf.selectRequestOriginById('a'); cf.updateRequestOrigin({ domainName: 'b.example' }); return event.request; }";
    let Outcome::Returned(Returned::Request(returned)) = run(source, request(None)).await.outcome else { panic!() };
    let Some(OriginDirective::Update(properties)) = returned.origin.map(|origin| *origin) else {
        panic!("the last call wins")
    };
    assert_eq!(properties.domain_name.as_deref(), Some("b.example"));
    let hosts = hosts(1);
    let sometimes = "import cf from 'cloudfront';
        function handler(event) { if (event.request.uri === '/a') { cf.selectRequestOriginById('a'); } return event.request; }";
    let id = deployed(&hosts, sometimes).await;
    for (uri, expected) in [("/a", true), ("/b", false), ("/a", true)] {
        let mut event = request(None);
        event.request.uri = uri.to_owned();
        let Outcome::Returned(Returned::Request(returned)) = hosts.invoke(id, &event).await.unwrap().outcome else {
            panic!()
        };
        assert_eq!(returned.origin.is_some(), expected, "nothing is left of the run before");
    }
}

#[tokio::test]
async fn nothing_is_carried_over_between_runs() {
    let hosts = hosts(1);
    let id = deployed(
        &hosts,
        "var count = 0; function handler(event) { count += 1; console.log(count, typeof globalThis.leak, [].leak);
         globalThis.leak = 1; Array.prototype.leak = 2; return event.request; }",
    )
    .await;
    for _ in 0..3 {
        assert_eq!(hosts.invoke(id, &request(None)).await.unwrap().logs, ["1 undefined undefined"]);
    }
}

#[tokio::test]
async fn time_stands_still_and_chance_does_not_repeat() {
    let body = "const a = Date.now(); for (let i = 0; i < 1e4; i++) {} console.log(Date.now() - a, Math.random())";
    let (first, second) = (logged(body, request(None)).await, logged(body, request(None)).await);
    assert!(first[0].starts_with("0 "));
    assert_ne!(first, second);
}

#[tokio::test]
async fn what_the_runtime_lacks_is_absent() {
    let names = "Atomics SharedArrayBuffer TypedArray setTimeout setInterval setImmediate queueMicrotask fetch XMLHttpRequest WebSocket
        performance process global window document Deno Bun structuredClone importScripts";
    let body = format!(
        "const found = `{names}`.split(/\\s+/).filter((name) => name in globalThis); console.log('found: ' + found);
         for (const make of [() => eval('1'), () => Function('return 1')(), () => new Function('return 1')(),
             () => (function () {{}}).constructor('return 1')(), () => (async () => {{}}).constructor('return 1')]) {{
             try {{ make(); console.log('ran'); }} catch (error) {{ console.log(error.name); }}
         }}"
    );
    let logs = logged(&body, request(None)).await;
    assert_eq!(logs[0], "found: ", "{logs:?}");
    assert_eq!(logs.len(), 6);
    assert!(logs[1..].iter().all(|line| line.ends_with("Error")), "{logs:?}");
}

#[tokio::test]
async fn a_source_that_nests_too_deeply_is_refused_with_its_place() {
    let nested =
        |depth: usize| format!("function handler(event) {{\n  return {}1{};\n}}", "(".repeat(depth), ")".repeat(depth));
    let problem = refused(&nested(64)).await;
    assert_eq!((problem.line, problem.column), (Some(2), Some(73)), "{problem:?}");
    assert!(problem.message.contains("nested more than 64 deep"), "{problem:?}");
    deployed(&hosts(1), &nested(63)).await;
}

/// The text of what was thrown is made within the budget, also where the script's own code makes it.
#[tokio::test]
async fn throwing_does_not_lengthen_a_run() {
    for body in [
        "throw { get message() { while (true) {} } };",
        "throw { get name() { return 'x'.repeat(2 ** 28); } };",
        "const a = { toString() { for (;;) {} } }; throw new Error('', { cause: a, get message() { return 1; } });",
        "throw 7n ** 99999n;",
        "throw new Proxy({}, { get() { for (;;) {} } });",
    ] {
        let run = run(&format!("function handler(event) {{ {body} }}"), request(None)).await;
        let Outcome::Failed(problem) = &run.outcome else { panic!("{run:?}") };
        assert!(run.cpu < Duration::from_millis(55), "{body}: {run:?}");
        assert!(!problem.message.contains("converting"), "{body}: {problem:?}");
    }
}

/// A function of some 10 KB is deployed, replaced and removed over and over while another one is called without a pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploying_and_removing_costs_no_call_of_others() {
    let hosts = hosts(2);
    let steady = deployed(&hosts, "function handler(event) { return event.request; }").await;
    let padding: String = (0..250).map(|n| format!("function f{n}(a) {{ return a + {n} * {n}; }}\n")).collect();
    assert!(padding.len() > 9_000);
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (hosts, over) = (hosts.clone(), over.clone());
            tokio::spawn(async move {
                let mut calls = 0;
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let run = hosts.invoke(steady, &request(None)).await.unwrap();
                    assert!(matches!(run.outcome, Outcome::Returned(_)), "{run:?}");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut last = None;
    for version in 0..15 {
        let source = format!("{padding}function handler(event) {{ console.log({version}); return event.request; }}");
        let id = deployed(&hosts, &source).await;
        assert_eq!(hosts.invoke(id, &request(None)).await.unwrap().logs, [version.to_string()]);
        if let Some(before) = last.replace(id) {
            hosts.remove(before).await;
        }
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    for caller in callers {
        assert!(caller.await.unwrap() > 10);
    }
}

#[tokio::test]
async fn hostile_functions_cost_their_own_budget_and_not_even_their_host() {
    let hosts = hosts(1);
    let good = deployed(&hosts, "function handler(event) { return event.request; }").await;
    let before = hosts.processes();
    for (source, kind) in [
        ("function handler() { while (true) {} }", ProblemKind::Time),
        ("function handler() { [1].forEach(function f() { [1, 1].forEach(f); }); }", ProblemKind::Stack),
        ("function handler() { return 'x'.repeat(2 ** 30); }", ProblemKind::Memory),
        ("function handler() { let p = new Proxy({}, {}); p.__proto__ = p; p.zzz; }", ProblemKind::Stack),
        ("function handler() { return /^(a+)+$/.test('a'.repeat(40) + '!'); }", ProblemKind::Time),
        ("function handler() { (function f() { Promise.resolve().then(f); })(); }", ProblemKind::Memory),
        ("async function handler() { (async function dive() { await dive(); })(); }", ProblemKind::Abort),
    ] {
        let bad = deployed(&hosts, source).await;
        let run = hosts.invoke(bad, &request(None)).await.unwrap();
        let Outcome::Failed(problem) = &run.outcome else { panic!("{source}: {run:?}") };
        assert_eq!(problem.kind, kind, "{source}: {problem:?}");
        let after = hosts.invoke(good, &request(None)).await.unwrap();
        assert!(matches!(after.outcome, Outcome::Returned(_)), "after {source}: {after:?}");
        hosts.remove(bad).await;
    }
    assert_eq!(hosts.processes(), before, "no host process was lost");
}

#[tokio::test]
async fn calls_behind_a_runaway_are_answered_elsewhere() {
    let hosts = hosts(2);
    let bad = deployed(&hosts, "function handler() { return /^(a+)+$/.test('a'.repeat(40) + '!'); }").await;
    let good = deployed(&hosts, "function handler(event) { return event.request; }").await;
    let mut calls = tokio::task::JoinSet::new();
    for index in 0..40 {
        let (hosts, id) = (hosts.clone(), if index % 20 == 0 { bad } else { good });
        calls.spawn(async move { (id == good, hosts.invoke(id, &request(None)).await) });
    }
    while let Some(done) = calls.join_next().await {
        let (is_good, result) = done.unwrap();
        if is_good {
            // A call may meet two dying hosts in a row; then it fails as an overload would, not with a wrong answer.
            assert!(result.is_err() || matches!(result.unwrap().outcome, Outcome::Returned(_)));
        } else {
            assert!(matches!(result.unwrap().outcome, Outcome::Failed(_)));
        }
    }
}

fn signal(process: u32, name: &str) {
    let sent = std::process::Command::new("kill").args([name, &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Brings a process to a standstill.
async fn stop(process: u32) {
    signal(process, "-STOP");
    let state = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("stat")).unwrap();
    // The signal has been sent; each thread stops when it gets to it.
    while !std::fs::read_dir(format!("/proc/{process}/task"))
        .unwrap()
        .flatten()
        .all(|task| state(task).contains(") T "))
    {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until so many host processes run, all of which hold every function.
async fn all_up(hosts: &Hosts, count: usize) {
    while hosts.ready() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_spare_takes_the_place_of_a_host_that_died() {
    let hosts = hosts(1);
    let id = deployed(&hosts, "function handler(event) { return event.request; }").await;
    for _ in 0..5 {
        all_up(&hosts, 2).await;
        let before = hosts.processes();
        edgehook_sandbox::kill_group(before[0]);
        // Nobody waits for the new process: what the dead one never read goes to the spare.
        for _ in 0..3 {
            let run = hosts.invoke(id, &request(None)).await.unwrap();
            assert!(matches!(run.outcome, Outcome::Returned(_)), "{run:?}");
        }
        all_up(&hosts, 2).await;
        assert_ne!(hosts.processes()[0], before[0]);
        assert_eq!(hosts.processes()[1], before[1], "the spare itself is not disturbed");
    }
}

#[tokio::test]
async fn a_host_that_stands_still_is_killed_and_its_unread_call_runs_elsewhere() {
    let hosts = hosts(1);
    let id = deployed(&hosts, "function handler(event) { return event.request; }").await;
    all_up(&hosts, 2).await;
    let before = hosts.processes();
    stop(before[0]).await;
    let run = hosts.invoke(id, &request(None)).await.unwrap();
    assert!(matches!(run.outcome, Outcome::Returned(_)), "{run:?}");
    all_up(&hosts, 2).await;
    assert_ne!(hosts.processes()[0], before[0]);
}

#[tokio::test]
async fn more_calls_than_may_wait_are_turned_away_at_once() {
    let mut settings = HostSettings::new(env!("CARGO_BIN_EXE_edgehook-isolate-host").into(), Vec::new());
    // So long that the host which stands still below is not killed for it.
    (settings.hosts, settings.silence) = (1, Duration::from_secs(600));
    let hosts = Hosts::spawn(settings);
    let id = deployed(&hosts, "function handler(event) { return event.request; }").await;
    all_up(&hosts, 2).await;
    let host = hosts.processes()[0];
    stop(host).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let hosts = hosts.clone();
        calls.spawn(async move { hosts.invoke(id, &request(None)).await });
    }
    // The first to end are those that were turned away; the others wait for the host.
    for _ in 0..300 - 256 {
        assert_eq!(calls.join_next().await.unwrap().unwrap(), Err(CallError::Throttled));
    }
    signal(host, "-CONT");
    while let Some(run) = calls.join_next().await {
        assert!(matches!(run.unwrap().unwrap().outcome, Outcome::Returned(_)));
    }
}

#[tokio::test]
async fn runaways_keep_to_the_spare() {
    let hosts = hosts(1);
    let bad = deployed(&hosts, "function handler() { while (true) {} }").await;
    let good = deployed(&hosts, "function handler(event) { return event.request; }").await;
    all_up(&hosts, 2).await;
    let first = hosts.invoke(bad, &request(None)).await.unwrap();
    assert!(matches!(first.outcome, Outcome::Failed(_)), "{first:?}");
    // With the first host at a standstill, only what runs elsewhere is answered.
    let host = hosts.processes()[0];
    stop(host).await;
    let second = hosts.invoke(bad, &request(None)).await.unwrap();
    assert!(matches!(&second.outcome, Outcome::Failed(problem) if problem.kind == ProblemKind::Time), "{second:?}");
    assert_eq!(hosts.processes()[0], host, "nobody asked the one that stands still");
    signal(host, "-CONT");
    let honest = hosts.invoke(good, &request(None)).await.unwrap();
    assert!(matches!(honest.outcome, Outcome::Returned(_)), "{honest:?}");
}

#[tokio::test]
async fn logs_are_cut_at_their_limit() {
    let lines = logged("for (let i = 0; i < 2000; i++) console.log('0123456789')", request(None)).await;
    assert_eq!(lines.iter().map(String::len).sum::<usize>(), 10_240);
    let lines = logged("console.log(new Error('x'), {}, [1, 2], Symbol('s'))", request(None)).await;
    assert_eq!(lines, ["Error: x [object Object] 1,2 Symbol(s)"]);
}

#[tokio::test]
async fn cpu_time_over_the_budget_is_a_failure() {
    let hosts = hosts(1);
    let mut slow = function("function handler(event) { for (let i = 0; i < 2e4; i++) {} return event.request; }");
    slow.budget = Duration::from_micros(100);
    let id = hosts.deploy(&slow).await.unwrap();
    let run = hosts.invoke(id, &request(None)).await.unwrap();
    assert!(matches!(&run.outcome, Outcome::Failed(problem) if problem.kind == ProblemKind::Time), "{run:?}");
    assert!(run.cpu > Duration::from_micros(100));
}
