//! What Lambda functions do to a whole request, over each engine (lambda-edge.md 2.8, 3.1; rows 11, 25, 63, 65 to 70, 94 and 98 of
//! 13), and their numbers at the admin API.

use crate::harness::{Answer, Client, Edge, Origin, engine, engines};
use serde_json::Value;

/// One function for all hooks: what it does depends on the path and on the hook.
const JAVASCRIPT: &str = "let calls = 0;
exports.handler = async (event, context) => {
    const { config, request, response } = event.Records[0].cf;
    const message = response || request;
    calls += 1;
    const generated = { status: '200', body: 'generated', headers: { 'cache-control': [{ value: 'max-age=60' }], 'x-calls': [{ value: String(calls) }] } };
    const hook = config.eventType;
    if (hook === 'viewer-request' && request.uri === '/vq-generated') return generated;
    if (hook === 'origin-request' && request.uri === '/oq-generated') return generated;
    if (hook === 'origin-response' && request.uri === '/found') {
        Object.assign(response, { status: '200', body: 'found after all' });
        response.headers['cache-control'] = [{ value: 'max-age=60' }];
    }
    if (hook === 'viewer-response') message.headers['strict-transport-security'] = [{ value: `max-age=${calls}` }];
    console.log('hook', hook, request.uri, config.requestId, context.awsRequestId);
    if (response) message.headers['x-' + hook] = [{ value: config.requestId }];
    return message;
};";

const PYTHON: &str = "calls = 0


def lambda_handler(event, context):
    global calls
    calls += 1
    cf = event['Records'][0]['cf']
    request, response = cf['request'], cf.get('response')
    message = response or request
    generated = {'status': '200', 'body': 'generated', 'headers': {'cache-control': [{'value': 'max-age=60'}], 'x-calls': [{'value': str(calls)}]}}
    hook = cf['config']['eventType']
    if hook == 'viewer-request' and request['uri'] == '/vq-generated':
        return generated
    if hook == 'origin-request' and request['uri'] == '/oq-generated':
        return generated
    if hook == 'origin-response' and request['uri'] == '/found':
        response.update({'status': '200', 'body': 'found after all'})
        response['headers']['cache-control'] = [{'value': 'max-age=60'}]
    if hook == 'viewer-response':
        message['headers']['strict-transport-security'] = [{'value': f'max-age={calls}'}]
    print('hook', hook, request['uri'], cf['config']['requestId'], context.aws_request_id)
    if response:
        message['headers']['x-' + hook] = [{'value': cf['config']['requestId']}]
    return message
";

fn all_hooks(origin: &Origin, kind: &str) -> Edge {
    let hooks = ["viewer_request", "origin_request", "origin_response", "viewer_response"];
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n{}[[behavior]]\npath = \"*\"\norigin = \"app\"\n{}",
        origin.url(),
        engine::function(kind, ""),
        hooks.map(|hook| format!("{hook} = \"f\"\n")).concat()
    );
    Edge::start(&config, &[(engine::file(kind), &engine::code(kind, engine::of(kind, JAVASCRIPT, PYTHON)))])
}

/// The hooks that the function saw for a path, in order.
fn hooks_of(edge: &Edge, path: &str) -> Vec<String> {
    let output = edge.output();
    let lines = output.lines().filter_map(|line| line.split_once("hook ")).map(|(_, rest)| rest);
    let words = lines.map(|line| line.split(' ').collect::<Vec<_>>());
    words.filter(|words| words.get(1) == Some(&path)).map(|words| words[0].to_owned()).collect()
}

#[test]
fn hooks_over_each_engine() {
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/missing" | "/found" => Answer::new(404, &[("cache-control", "max-age=60")], "missing"),
        _ => Answer::new(200, &[("cache-control", "max-age=60")], "from the origin"),
    });
    for kind in engines() {
        let edge = all_hooks(&origin, kind);
        // Row 70.
        let first = edge.get("/page");
        let id = first.header("x-amz-cf-id").to_owned();
        assert_eq!(
            (first.header("x-origin-response"), first.header("x-viewer-response")),
            (id.as_str(), id.as_str()),
            "{kind}"
        );
        // Rows 25 and 68: neither origin hook runs for a hit, and what viewer-response adds is new each time.
        let second = edge.get("/page");
        assert_eq!((first.x_cache(), second.x_cache()), ("Miss", "Hit"), "{kind}");
        let added = |reply: &crate::harness::Reply| reply.header("strict-transport-security").to_owned();
        assert!(added(&first).starts_with("max-age=") && added(&second) != added(&first), "{kind}: {second:?}");
        assert_ne!(second.header("x-viewer-response"), id, "{kind}: its own request id");
        // Row 11: a 404 becomes a 200, and is stored as one.
        for expected in ["Miss", "Hit"] {
            let reply = edge.get("/found");
            assert_eq!(
                (reply.status, reply.text().as_str(), reply.x_cache()),
                (200, "found after all", expected),
                "{kind}"
            );
        }
        // Row 65.
        let generated = edge.get("/oq-generated");
        assert_eq!(
            (generated.x_cache(), generated.text().as_str()),
            ("LambdaGeneratedResponse", "generated"),
            "{kind}"
        );
        let stored = edge.get("/oq-generated");
        assert_eq!((stored.x_cache(), stored.header("x-calls")), ("Hit", generated.header("x-calls")), "{kind}");
        // Row 66.
        let replies = [edge.get("/vq-generated"), edge.get("/vq-generated")];
        assert_ne!(replies[0].header("x-calls"), replies[1].header("x-calls"), "{kind}: never stored");
        assert_eq!(added(&replies[1]), "", "{kind}: viewer-response does not run");
        // Row 67.
        let missing = edge.get("/missing");
        assert_eq!((missing.status, added(&missing).as_str()), (404, ""), "{kind}");
        assert_ne!(missing.header("x-origin-response"), "", "{kind}");
        // What was printed last is there.
        assert_eq!(edge.get("/last").status, 200);
        edge.says("hook viewer-response /last");
        let all = ["viewer-request", "origin-request", "origin-response", "viewer-response"];
        assert_eq!(hooks_of(&edge, "/page"), [&all[..], &["viewer-request", "viewer-response"]].concat(), "{kind}");
        assert_eq!(hooks_of(&edge, "/missing"), all[..3], "{kind}");
        assert_eq!(hooks_of(&edge, "/oq-generated")[..2], ["viewer-request", "viewer-response"], "{kind}");
        assert_eq!(hooks_of(&edge, "/vq-generated"), [""; 0], "{kind}");
        row_94(&edge, kind, &id);
    }
}

/// Each invocation has a UUID of its own, which its START line names; it is not the request's id.
fn row_94(edge: &Edge, kind: &str, request: &str) {
    let output = edge.output();
    let line = output.lines().find(|line| line.contains("hook viewer-request /page")).unwrap();
    let words: Vec<&str> = line[line.find("hook ").unwrap()..].split(' ').collect();
    assert_eq!(words[3], request, "{kind}");
    let own = words[4];
    assert!(own.len() == 36 && own != request, "{kind}: {own}");
    assert!(output.contains(&format!("START RequestId: {own} Version: 1")), "{kind}");
    // The two ids are linked (4.3).
    let link = |line: &str| {
        line.contains(&format!("RequestId: {own} function=")) && line.contains(&format!("request=\"{request}\""))
    };
    crate::harness::eventually("a line has both", || edge.output().lines().any(link).then_some(()));
}

#[test]
fn row_63_another_origin_with_the_old_host() {
    let (first, second) = (
        Origin::start(|_| Answer::ok("first")),
        Origin::start(|seen| Answer::ok(seen.header("host").unwrap_or_default())),
    );
    let port = second.authority().rsplit_once(':').unwrap().1.to_owned();
    let javascript = format!(
        "exports.handler = async (event) => {{
            const request = event.Records[0].cf.request;
            Object.assign(request.origin.custom, {{ domainName: 'localhost', port: {port} }});
            return request;
        }};"
    );
    let python = format!(
        "def lambda_handler(event, context):\n    request = event['Records'][0]['cf']['request']\n    request['origin']['custom'].update({{'domainName': 'localhost', 'port': {port}}})\n    return request\n"
    );
    for kind in engines() {
        let config = format!(
            "[origin.app]\nurl = \"{}\"\n{}[[behavior]]\npath = \"*\"\norigin = \"app\"\norigin_request = \"f\"\n",
            first.url(),
            engine::function(kind, "")
        );
        let server = "listen = [\"http://127.0.0.1:0\"]\nallow_private_origins = [\"localhost\"]";
        let source = engine::code(kind, engine::of(kind, &javascript, &python));
        let edge = Edge::with_server(server, &config, &[(engine::file(kind), &source)]);
        assert_eq!(edge.get("/").text(), first.authority(), "{kind}: {}", edge.output());
    }
}

#[test]
fn row_98_a_top_level_that_runs_too_long() {
    let javascript = "const begun = Date.now(); while (Date.now() - begun < 11000); exports.handler = async () => ({ status: '200' });";
    let python =
        "import time\n\ntime.sleep(11)\n\n\ndef lambda_handler(event, context):\n    return {'status': '200'}\n";
    std::thread::scope(|scope| {
        for kind in engines() {
            scope.spawn(move || {
                let origin = Origin::start(|_| Answer::ok("never"));
                let edge = crate::lambda::edge(&origin, kind, "timeout = \"1s\"", engine::of(kind, javascript, python));
                edge.says("INIT_REPORT Init Duration: 10");
                edge.says("Phase: init\tStatus: timeout");
                let reply = edge.get("/");
                assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"), "{kind}");
                edge.says("Task timed out after 1.00 seconds");
            });
        }
    });
}

#[test]
fn a_function_that_could_not_be_loaded_is_tried_again() {
    let javascript = "const fs = require('fs');
        if (!fs.existsSync(process.env.LAMBDA_TASK_ROOT + '/now')) throw new Error('not yet');
        exports.handler = async () => ({ status: '200', body: 'loaded' });";
    let python = "import os\n\nif not os.path.exists(os.environ['LAMBDA_TASK_ROOT'] + '/now'):\n    raise RuntimeError('not yet')\n\n\ndef lambda_handler(event, context):\n    return {'status': '200', 'body': 'loaded'}\n";
    for kind in engines() {
        let origin = Origin::start(|_| Answer::ok("never"));
        let edge = crate::lambda::edge(&origin, kind, "", engine::of(kind, javascript, python));
        edge.says("not yet");
        std::fs::write(edge.folder().join("now"), "").unwrap();
        assert_eq!(edge.get("/").text(), "loaded", "{kind}: {}", edge.output());
    }
}

#[test]
fn numbers_of_a_function_over_each_engine() {
    let javascript = "exports.handler = async (event) => {
        if (event.Records[0].cf.request.uri === '/throw') throw new Error('no');
        await new Promise((resolve) => setTimeout(resolve, 20));
        return { status: '200' };
    };";
    let python = "import time\n\n\ndef lambda_handler(event, context):\n    if event['Records'][0]['cf']['request']['uri'] == '/throw':\n        raise ValueError('no')\n    time.sleep(0.02)\n    return {'status': '200'}\n";
    for kind in engines() {
        let origin = Origin::start(|_| Answer::ok("never"));
        let edge = crate::lambda::edge(&origin, kind, "reserved_concurrency = 2", engine::of(kind, javascript, python));
        for (path, status) in [("/", 200), ("/", 200), ("/throw", 503)] {
            assert_eq!(edge.get(path).status, status, "{kind} {path}");
        }
        let status: Value = serde_json::from_str(&edge.admin("/status").text()).unwrap();
        let counted =
            |name: &str| status["lambda"]["f"][name].as_f64().unwrap_or_else(|| panic!("{kind}: {name} in {status}"));
        assert_eq!((counted("invocations"), counted("errors"), counted("throttles")), (3.0, 1.0, 0.0), "{kind}");
        assert_eq!(
            (counted("concurrent"), counted("most_concurrent"), counted("environments")),
            (0.0, 1.0, 1.0),
            "{kind}"
        );
        assert_eq!((counted("cold_starts"), counted("init_ms")), (0.0, 0.0), "{kind}: it was warm");
        assert!(counted("duration_ms") >= 40.0 && counted("max_memory_kib") > 1000.0, "{kind}: {status}");
        // A second environment, for a request that finds none.
        let mut clients: [Client; 2] = [edge.client(), edge.client()];
        let mut cold = 0.0;
        for _ in 0..100 {
            for client in &mut clients {
                client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            }
            clients.iter_mut().for_each(|client| assert_eq!(client.reply(false).status, 200));
            let status: Value = serde_json::from_str(&edge.admin("/status").text()).unwrap();
            cold = status["lambda"]["f"]["cold_starts"].as_f64().unwrap();
            if cold > 0.0 {
                assert!(status["lambda"]["f"]["init_ms"].as_f64().unwrap() > 0.0, "{kind}: {status}");
                break;
            }
        }
        assert!(cold >= 1.0, "{kind}");
    }
}

#[test]
fn row_115_at_most_64_wait() {
    let javascript = "exports.handler = async (event) => {
        await new Promise((resolve) => setTimeout(resolve, event.Records[0].cf.request.uri === '/slow' ? 300 : 0));
        return { status: '200' };
    };";
    let python = "import time\n\n\ndef lambda_handler(event, context):\n    \
        time.sleep(0.3 if event['Records'][0]['cf']['request']['uri'] == '/slow' else 0)\n    return {'status': '200'}\n";
    for kind in engine::engines() {
        at_most_64_wait(kind, engine::of(kind, javascript, python));
    }
}

fn at_most_64_wait(kind: &str, source: &str) {
    let origin = Origin::start(|_| Answer::ok("never"));
    let edge = crate::lambda::edge(&origin, kind, "reserved_concurrency = 1", source);
    let mut slow = edge.client();
    slow.send(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    edge.says("START RequestId");
    let mut waiting: Vec<Client> = (0..80).map(|_| edge.client()).collect();
    for client in &mut waiting {
        client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    let statuses: Vec<u16> = waiting.iter_mut().map(|client| client.reply(false).status).collect();
    assert_eq!(slow.reply(false).status, 200);
    let answered = statuses.iter().filter(|status| **status == 200).count();
    assert!((1..=65).contains(&answered), "{answered} of 80 were answered");
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 80 - answered);
    let status: Value = serde_json::from_str(&edge.admin("/status").text()).unwrap();
    let counted = |name: &str| status["lambda"]["f"][name].as_u64().unwrap();
    assert_eq!((counted("throttles"), counted("invocations")), (80 - answered as u64, answered as u64 + 1));
}

/// Each request to one function takes the only place away from the other's environment.
fn come_and_go(count: usize, kind: &str, source: &str) {
    let origin = Origin::start(|_| Answer::ok("never"));
    let f = engine::function(kind, "");
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n{f}{}\
         [[behavior]]\npath = \"/g\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"g\"\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url(),
        f.replace("[function.f]", "[function.g]")
    );
    let server = "listen = [\"http://127.0.0.1:0\"]\nenvironments = 1";
    let edge = Edge::with_server(server, &config, &[(engine::file(kind), &engine::code(kind, source))]);
    let mut client = edge.client();
    let open = || std::fs::read_dir(format!("/proc/{}/fd", edge.process())).unwrap().count();
    let mut before = 0;
    for round in 0..count {
        let target = if round % 2 == 0 { "/f" } else { "/g" };
        assert_eq!(client.request("GET", target, &[], b"").text(), "1", "{kind}: a fresh one, round {round}");
        if round == 10 {
            before = open();
        }
    }
    crate::harness::eventually("one environment is left, and what it holds", || {
        let children = crate::lambda::children_of(edge.process());
        let living = children.into_iter().filter(|child| crate::lambda::is_environment(*child)).count();
        (living == 1 && open() <= before + 4).then_some(())
    });
    let run = std::fs::read_dir(edge.scratch()).unwrap().flatten().next().unwrap().path();
    let folders = std::fs::read_dir(&run).unwrap().count();
    assert!(folders <= 2, "{kind}: {folders} folders");
}

const COUNT_JS: &str = "let calls = 0; exports.handler = async () => ({ status: '200', body: String(++calls) });";
const COUNT_PYTHON: &str = "calls = 0\n\n\ndef lambda_handler(event, context):\n    global calls\n    calls += 1\n    return {'status': '200', 'body': str(calls)}\n";

#[test]
fn environments_come_and_go_without_a_trace() {
    for kind in engines() {
        come_and_go(40, kind, engine::of(kind, COUNT_JS, COUNT_PYTHON));
    }
}

/// `cargo test -p edgehook --test integration a_thousand_environments -- --ignored`
#[test]
#[ignore = "takes a minute"]
fn a_thousand_environments_come_and_go() {
    for kind in engines() {
        come_and_go(
            if matches!(kind, "nodejs" | "python") { 1_000 } else { 100 },
            kind,
            engine::of(kind, COUNT_JS, COUNT_PYTHON),
        );
    }
}
