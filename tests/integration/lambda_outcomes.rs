//! How handlers answer, fail and end, and what they find, over each engine (lambda-edge.md 5; rows 71 to 105 of 13).

use crate::{
    harness::{Answer, Edge, Origin, engine, engines, javascript_engines, python_engines},
    lambda::edge,
};

fn never() -> Origin {
    Origin::start(|_| Answer::ok("never"))
}

/// One case: its path, what the handler does, the status, and the body or a text of the log.
type Case = (&'static str, &'static str, u16, &'static str);

/// Handlers in JavaScript by path; `e`, `c` and `cb` are their parameters where they declare them.
const JAVASCRIPT: &[Case] = &[
    ("/71-throws", "() => { throw new TypeError('thrown here'); }", 503, "TypeError: thrown here"),
    ("/71-rejects", "async () => { throw new RangeError('rejected here'); }", 503, "RangeError: rejected here"),
    ("/71-calls", "(e, c, cb) => { cb(new Error('called back')); }", 503, "Error: called back"),
    ("/72", "(e, c, cb) => { cb('text'); }", 503, "Error Type: string"),
    ("/73", "(e, c, cb) => { cb(null, said('a')); cb(null, said('b')); }", 200, "a"),
    ("/74", "(e, c) => said('returned')", 200, "returned"),
    ("/75", "(e, c, cb) => { setTimeout(() => cb(null, said('later')), 20); return { status: 'a handle' }; }", 200, "later"),
    ("/76", "(e, c, cb) => said('plain')", 200, "plain"),
    ("/77", "(e, c, cb) => {}", 502, "json.not-object"),
    ("/78", "() => new Promise(() => {})", 503, "Runtime.NodeJsExit"),
    ("/80", "(e, c) => { c.done(null, said('done')); }", 200, "done"),
    ("/80-succeed", "(e, c) => { c.succeed(said('succeeded')); }", 200, "succeeded"),
    ("/80-fail", "(e, c) => { c.fail(new Error('failed')); }", 503, "Error: failed"),
    ("/5-bigint", "async () => ({ status: 200, body: 1n })", 503, "Runtime.MarshalError"),
    ("/5-function", "async () => () => {}", 502, "json.not-object"),
    ("/undefined", "async () => {}", 502, "json.not-object"),
    ("/6", "async (e, c, cb) => { setTimeout(() => cb(null, said('async and callback')), 20); }", 200, "async and callback"),
    ("/94", "async (e, c) => { console.log('awsRequestId', c.awsRequestId); return said(c.awsRequestId.length); }", 200, "36"),
    (
        "/91",
        "async (e, c) => said(Object.keys(c).join())",
        200,
        "callbackWaitsForEmptyEventLoop,succeed,fail,done,functionVersion,functionName,memoryLimitInMB,logGroupName,\
         logStreamName,clientContext,identity,invokedFunctionArn,awsRequestId,tenantId,getRemainingTimeInMillis,xRayTraceId",
    ),
    (
        "/91-values",
        "async (e, c) => said([c.functionName, c.functionVersion, c.memoryLimitInMB === '128', c.logGroupName, c.invokedFunctionArn])",
        200,
        "us-east-1.f,1,true,/aws/lambda/us-east-1.f,arn:aws:lambda:us-east-1:000000000000:function:us-east-1.f:1",
    ),
    (
        "/92",
        "async (e, c) => { const first = c.getRemainingTimeInMillis(); await new Promise((r) => setTimeout(r, 100));
          const passed = first - c.getRemainingTimeInMillis(); return said(first <= 10000 && first > 0 && passed >= 99); }",
        200,
        "true",
    ),
    ("/105", "async () => { console.log('one\\ntwo'); return said('printed'); }", 200, "printed"),
    // These end the process, so they come last.
    ("/81", "async () => { Promise.reject(new Error('nobody looks')); await new Promise((r) => setTimeout(r, 5000)); }", 503, "exit status 128"),
    ("/81-later", "async () => { setTimeout(() => { throw new Error('nobody catches'); }, 1); await new Promise((r) => setTimeout(r, 5000)); }", 503, "exit status 129"),
    ("/85", "async () => { process.exit(3); }", 503, "exit status 3"),
];

#[test]
fn handlers_in_javascript() {
    let mut source = "const said = (body) => ({ status: '200', body: String(body) });\nconst cases = {\n".to_owned();
    for (path, body, ..) in JAVASCRIPT {
        source.push_str(&format!("'{path}': {body},\n"));
    }
    // The number of declared parameters decides, so each style has a handler of its own.
    source.push_str(
        "};
        const chosen = (event) => cases[event.Records[0].cf.request.uri];
        let calls = 0;
        exports.handler = function (event, context, callback) { return chosen(event)(event, context, callback); };
        exports.two = function (event, context) { return chosen(event)(event, context); };",
    );
    for kind in javascript_engines() {
        let three = edge(&never(), kind, "", &source);
        let two = edge(&never(), kind, "handler = \"two\"", &source);
        for (path, body, status, text) in JAVASCRIPT {
            let edge = if body.contains("cb") { &three } else { &two };
            expect(kind, edge, path, *status, text);
        }
        two.says("the handler returned its result synchronously");
        assert_eq!(two.output().matches("returned its result synchronously").count(), 1, "{kind}: once");
        let log = two.says("one\n    two");
        assert!(log.contains("\tINFO\t"), "{kind}: {log}");
    }
}

fn expect(kind: &str, edge: &Edge, path: &str, status: u16, text: &str) {
    let reply = edge.get(path);
    assert_eq!(reply.status, status, "{kind} {path}: {reply:?}\n{}", edge.output());
    if status == 200 {
        assert_eq!(reply.text(), text, "{kind} {path}");
    } else {
        let class = if status == 502 { "LambdaValidationError" } else { "LambdaExecutionError" };
        assert_eq!(reply.x_cache(), class, "{kind} {path}");
        edge.says(text);
    }
}

#[test]
fn row_79_a_callback_waits_for_the_loop_unless_told_otherwise() {
    let source = "let fired = 0;
        exports.handler = (event, context, callback) => {
            if (event.Records[0].cf.request.uri === '/fired') return callback(null, { status: '200', body: String(fired) });
            context.callbackWaitsForEmptyEventLoop = event.Records[0].cf.request.uri === '/wait';
            setTimeout(() => { fired += 1; }, 300);
            const begun = Date.now();
            callback(null, { status: '200', get body() { return String(Date.now() - begun >= 299); } });
        };";
    for kind in javascript_engines() {
        let edge = edge(&never(), kind, "", source);
        assert_eq!(edge.get("/wait").text(), "true", "{kind}");
        assert_eq!(edge.get("/fired").text(), "1", "{kind}");
        assert_eq!(edge.get("/now").text(), "false", "{kind}");
        // Waiting callers let the timer of the call before run.
        assert_eq!(edge.get("/wait").text(), "true", "{kind}");
        assert_eq!(edge.get("/fired").text(), "3", "{kind}");
    }
}

const PYTHON: &[Case] = &[
    ("/71", "raise ValueError('raised here')", 503, "ValueError: raised here"),
    ("/99", "return {'status': decimal.Decimal(200), 'body': 'decimal'}", 200, "decimal"),
    ("/100", "return b'{\"status\": \"200\", \"body\": \"raw\"}'", 200, "raw"),
    ("/100-inner", "return {'status': '200', 'body': b'x'}", 503, "Runtime.MarshalError"),
    ("/101", "return {'status': '200', 'x': float('nan')}", 502, "json.unparsable"),
    ("/102", "return waits()", 503, "Runtime.MarshalError"),
    (
        "/91",
        "return said([context.function_name, context.function_version, context.memory_limit_in_mb == '128', context.log_group_name])",
        200,
        "['us-east-1.f', '1', True, '/aws/lambda/us-east-1.f']",
    ),
    (
        "/92",
        "first = context.get_remaining_time_in_millis()\n    time.sleep(0.1)\n    return said(0 < first <= 10000 and first - context.get_remaining_time_in_millis() >= 99)",
        200,
        "True",
    ),
    ("/94", "return said(len(context.aws_request_id))", 200, "36"),
    ("/105", "print('one\\rtwo')\n    return said('printed')", 200, "printed"),
    ("/85", "sys.exit(3)", 503, "exit status 3"),
];

#[test]
fn handlers_in_python() {
    let mut source = "import decimal\nimport sys\nimport time\n\n\ndef said(body):\n    return {'status': '200', 'body': str(body)}\n\n\nasync def waits():\n    pass\n\n\ncases = {}\n\n\n".to_owned();
    for (path, body, ..) in PYTHON {
        source.push_str(&format!("def case(event, context):\n    {body}\n\n\ncases['{path}'] = case\n\n\n"));
    }
    source.push_str("def lambda_handler(event, context):\n    return cases[event['Records'][0]['cf']['request']['uri']](event, context)\n");
    for kind in python_engines() {
        let edge = edge(&never(), kind, "", &source);
        for (path, _, status, text) in PYTHON {
            expect(kind, &edge, path, *status, text);
        }
        edge.says("one\n    two");
    }
}

#[test]
fn row_103_urllib_parse_is_there() {
    let source = "import urllib\n\n\ndef lambda_handler(event, context):\n    return {'status': '200', 'body': urllib.parse.quote('a b')}\n";
    if crate::harness::has_python() {
        assert_eq!(edge(&never(), "python", "", source).get("/").text(), "a%20b");
    }
}

/// A function that counts, prints, hangs and uses `/tmp`, by path.
const LIVES_JS: &str = "const fs = require('fs');
let calls = 0;
exports.handler = async (event) => {
    const uri = event.Records[0].cf.request.uri;
    const said = (body) => ({ status: '200', body: String(body) });
    calls += 1;
    if (uri === '/hang') for (;;);
    if (uri === '/sleep') await new Promise((resolve) => setTimeout(resolve, 60000));
    if (uri === '/write') fs.writeFileSync('/tmp/a', 'kept');
    if (uri === '/read') return said(fs.existsSync('/tmp/a') ? fs.readFileSync('/tmp/a', 'utf8') : 'none');
    if (uri === '/big' || uri === '/task') {
        const file = uri === '/big' ? '/tmp/big' : process.env.LAMBDA_TASK_ROOT + '/new';
        try { fs.writeFileSync(file, 'x'.repeat(2000000)); return said('possible'); } catch (error) { return said('refused'); }
    }
    if (uri === '/memory') { const hold = []; for (;;) hold.push(new Array(100000).fill(calls)); }
    return said(calls);
};";

const LIVES_PYTHON: &str = "import os
import time

calls = 0


def said(body):
    return {'status': '200', 'body': str(body)}


def lambda_handler(event, context):
    global calls
    uri = event['Records'][0]['cf']['request']['uri']
    calls += 1
    if uri == '/hang':
        while True:
            pass
    if uri == '/sleep':
        time.sleep(60)
    if uri == '/write':
        with open('/tmp/a', 'w') as file:
            file.write('kept')
    if uri == '/read':
        return said(open('/tmp/a').read() if os.path.exists('/tmp/a') else 'none')
    if uri in ('/big', '/task'):
        try:
            with open('/tmp/big' if uri == '/big' else os.environ['LAMBDA_TASK_ROOT'] + '/new', 'w') as file:
                file.write('x' * 2000000)
            return said('possible')
        except OSError:
            return said('refused')
    if uri == '/memory':
        hold = []
        while True:
            hold.append(bytearray(1000000))
            if len(hold) % 5 == 0:
                time.sleep(0.002)
    return said(calls)
";

#[test]
fn rows_83_and_86_to_90_environments_over_each_engine() {
    for kind in engines() {
        let more = "timeout = \"2s\"\ntmp = \"1MiB\"\nmemory = \"128MiB\"";
        let edge = edge(&never(), kind, more, engine::of(kind, LIVES_JS, LIVES_PYTHON));
        let text = |path: &str| {
            let reply = edge.get(path);
            assert_eq!(reply.status, 200, "{kind} {path}: {}", edge.output());
            reply.text()
        };
        assert_eq!(["/", "/", "/"].map(text), ["1", "2", "3"], "{kind}: row 87");
        assert_eq!([text("/read"), text("/write"), text("/read")], ["none", "5", "kept"], "{kind}: row 89");
        assert_eq!([text("/big"), text("/task"), text("/read")], ["refused", "refused", "kept"], "{kind}: row 90");
        for path in ["/hang", "/sleep"] {
            let reply = edge.get(path);
            assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"), "{kind} {path}");
            edge.says("Task timed out after 2.00 seconds");
            assert_eq!(text("/read"), "kept", "{kind}: row 89, after {path}");
        }
        assert_eq!(edge.get("/memory").status, 503, "{kind}: row 86");
        assert_eq!(text("/read"), "kept", "{kind}: the next request is served");
    }
}

#[test]
fn rows_95_to_97_functions_that_do_not_load() {
    let javascript = [
        ("require('./nothing'); exports.handler = async () => null;", "Runtime.ImportModuleError"),
        ("exports.other = async () => null;", "Runtime.HandlerNotFound"),
        ("exports.handler = 7;", "Runtime.HandlerNotFound"),
        ("exports.handler = async ( => null;", "Runtime.UserCodeSyntaxError"),
        ("throw new TypeError('at the top'); ", "TypeError"),
    ];
    for kind in javascript_engines() {
        for (source, expected) in javascript {
            let edge = edge(&never(), kind, "", source);
            let reply = edge.get("/");
            assert_eq!((reply.status, reply.x_cache()), (503, "LambdaExecutionError"), "{kind}: {source}");
            edge.says(&format!("Phase: init\tStatus: error\tError Type: {expected}"));
        }
    }
    let python = [
        ("import nothing_of_this_name\n", "Runtime.ImportModuleError"),
        ("def lambda_handler(event, context)\n    return None\n", "Runtime.UserCodeSyntaxError"),
        ("raise RuntimeError('at the top')\n", "RuntimeError"),
    ];
    for kind in python_engines() {
        for (source, expected) in python {
            let edge = edge(&never(), kind, "", source);
            assert_eq!(edge.get("/").status, 503, "{kind}: {source}");
            edge.says(&format!("Error Type: {expected}"));
        }
    }
    let once_js = "const fs = require('fs');
        if (!fs.existsSync('/tmp/second')) { fs.writeFileSync('/tmp/second', ''); throw new RangeError('first time'); }
        exports.handler = async () => ({ status: '200', body: 'works' });";
    let once_python = "import os\n\nif not os.path.exists('/tmp/second'):\n    open('/tmp/second', 'w').close()\n    raise RuntimeError('first time')\n\n\ndef lambda_handler(event, context):\n    return {'status': '200', 'body': 'works'}\n";
    for kind in engines() {
        let edge = edge(&never(), kind, "", engine::of(kind, once_js, once_python));
        assert_eq!(edge.get("/").text(), "works", "{kind}: row 97");
        edge.says("Phase: init\tStatus: error");
    }
}

#[test]
fn row_88_overlapping_calls_have_processes_of_their_own() {
    let javascript = "let calls = 0;
        exports.handler = async () => {
            calls += 1;
            await new Promise((resolve) => setTimeout(resolve, 1500));
            return { status: '200', body: String(calls) };
        };";
    let python = "import time\n\ncalls = 0\n\n\ndef lambda_handler(event, context):\n    global calls\n    calls += 1\n    time.sleep(1.5)\n    return {'status': '200', 'body': str(calls)}\n";
    for kind in engines() {
        let edge = edge(&never(), kind, "", engine::of(kind, javascript, python));
        let mut clients = [edge.client(), edge.client()];
        for client in &mut clients {
            client.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        }
        assert_eq!(clients.map(|mut client| client.reply(false).text()), ["1", "1"], "{kind}");
    }
}

#[test]
fn row_104_a_flood_of_output_over_each_engine() {
    let javascript = "exports.handler = async () => {
        const line = 'y'.repeat(99000);
        for (let at = 0; at < 300; at++) console.log(line);
        return { status: '200', body: 'done' };
    };";
    let python = "def lambda_handler(event, context):\n    for _ in range(300):\n        print('y' * 99000)\n    return {'status': '200', 'body': 'done'}\n";
    for kind in engines() {
        let edge = edge(&never(), kind, "timeout = \"30s\"", engine::of(kind, javascript, python));
        assert_eq!(edge.get("/").text(), "done", "{kind}");
        let log = edge.says("bytes of output beyond 1048576 were dropped");
        let kept = log.matches('y').count();
        assert!((900_000..=1_050_000).contains(&kept), "{kind}: {kept} bytes kept");
    }
}

#[test]
fn modules_and_packages_over_each_engine() {
    let files: [(&str, &str); 5] = [
        ("package.json", "{\"type\": \"module\"}"),
        (
            "f.js",
            "import { name } from './part.mjs';\nimport data from 'pack';\nexport const handler = async () => ({ status: '200', body: `${name} ${data.kind}` });",
        ),
        ("part.mjs", "export const name = 'part';"),
        (
            "node_modules/pack/package.json",
            "{\"name\": \"pack\", \"exports\": {\"import\": \"./x.mjs\", \"require\": \"./x.cjs\"}}",
        ),
        ("node_modules/pack/x.mjs", "export default { kind: 'imported' };"),
    ];
    for kind in javascript_engines() {
        let origin = never();
        let config = format!(
            "[origin.app]\nurl = \"{}\"\n{}[[behavior]]\npath = \"*\"\norigin = \"app\"\norigin_request = \"f\"\n",
            origin.url(),
            engine::function(kind, "")
        );
        let edge = Edge::start(&config, &files);
        assert_eq!(edge.get("/").text(), "part imported", "{kind}: {}", edge.output());
    }
}

#[test]
fn secrets_of_variables_reach_the_function_and_no_log() {
    let javascript = "exports.handler = async (event) => {
        if (event.Records[0].cf.request.uri === '/throw') throw new Error('no');
        return { status: '200', body: String(process.env.API_KEY === 'sesame-opens') };
    };";
    let python = "import os\n\n\ndef lambda_handler(event, context):\n    if event['Records'][0]['cf']['request']['uri'] == '/throw':\n        raise ValueError('no')\n    return {'status': '200', 'body': str(os.environ['API_KEY'] == 'sesame-opens').lower()}\n";
    for kind in engines() {
        let origin = never();
        let config = format!(
            "[origin.app]\nurl = \"{}\"\n{}[[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
            origin.url(),
            engine::function(kind, "env = { API_KEY = \"${file:secret.txt}\" }")
        );
        let source = engine::code(kind, engine::of(kind, javascript, python));
        let edge = Edge::start(&config, &[(engine::file(kind), &source), ("secret.txt", "sesame-opens\n")]);
        assert_eq!(edge.get("/").text(), "true", "{kind}: {}", edge.output());
        assert_eq!(edge.get("/throw").status, 503);
        edge.says("Status: error");
        assert!(!edge.output().contains("sesame"), "{}", edge.output());
        assert!(!edge.admin("/status").text().contains("sesame"));
    }
}

#[test]
fn no_folder_is_left_behind() {
    for kind in engines() {
        let source = engine::of(kind, LIVES_JS, LIVES_PYTHON);
        let mut edge = edge(&never(), kind, "", source);
        assert_eq!(edge.get("/write").status, 200);
        let left = |edge: &Edge| std::fs::read_dir(edge.scratch()).unwrap().count();
        assert_eq!(left(&edge), 1, "{kind}: one folder for all");
        edge.signal(nix::sys::signal::Signal::SIGTERM);
        edge.end();
        assert_eq!(left(&edge), 0, "{kind}");
        // One that is killed leaves its folder to the next.
        let mut edge = edge.again();
        assert_eq!(edge.get("/write").status, 200);
        edge.signal(nix::sys::signal::Signal::SIGKILL);
        edge.end();
        assert_eq!(left(&edge), 1, "{kind}");
        let edge = edge.again();
        assert_eq!(edge.get("/read").text(), "none", "{kind}: of another proxy");
        assert_eq!(left(&edge), 1, "{kind}");
    }
}
