//! Lambda's Invoke API on the admin address, and traces (lambda-edge.md 8.5, 10.4; row 129 of 13).

use crate::harness::{Answer, Client, Edge, Origin, Reply, engine};
use base64::{Engine as _, engine::general_purpose::STANDARD};

fn edge(origin: &Origin, kind: &str, more: &str, source: &str) -> Edge {
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[function.viewer]\nruntime = \"cloudfront-js-2.0\"\nfile = \"viewer.js\"\n{}\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request = \"f\"\n",
        origin.url(),
        engine::function(kind, more)
    );
    let viewer = "function handler(event) { return event.request; }";
    Edge::start(&config, &[(engine::file(kind), &engine::code(kind, source)), ("viewer.js", viewer)])
}

fn invoke(edge: &Edge, name: &str, headers: &[(&str, &str)], event: &str) -> Reply {
    post(edge, &format!("/2015-03-31/functions/{name}/invocations"), headers, event)
}

fn post(edge: &Edge, target: &str, headers: &[(&str, &str)], event: &str) -> Reply {
    let token = crate::purge::token(edge);
    let own = [("host", "localhost"), ("authorization", token.as_str()), ("x-edgehook-admin", "1")];
    let address = edge.admin_address().parse().unwrap();
    Client::connect(address).request("POST", target, &[&own, headers].concat(), event.as_bytes())
}

const JAVASCRIPT: &str = "exports.handler = async (event, context) => {\n\
    console.log('was given', JSON.stringify(event));\n\
    if (event.fail) throw new TypeError('as asked');\n\
    if (event.exit) process.exit(3);\n\
    return { event, id: context.awsRequestId, trace: process.env._X_AMZN_TRACE_ID ?? null, w3c: process.env.TRACEPARENT ?? null };\n};\n";

const PYTHON: &str = "import os\nimport sys\n\n\ndef lambda_handler(event, context):\n    print('was given', event, flush=True)\n    \
    if event.get('fail'):\n        raise TypeError('as asked')\n    if event.get('exit'):\n        os._exit(3)\n    \
    return {'event': event, 'id': context.aws_request_id, 'trace': os.environ.get('_X_AMZN_TRACE_ID'), 'w3c': os.environ.get('TRACEPARENT')}\n";

#[test]
fn functions_are_invoked_as_lambda_does_it() {
    let origin = Origin::start(|_| Answer::ok("never"));
    for kind in engine::engines() {
        let edge = edge(&origin, kind, "", engine::of(kind, JAVASCRIPT, PYTHON));
        let tail = [("x-amz-log-type", "Tail")];
        let reply = invoke(&edge, "f", &tail, "{\"a\": [1, \"ä\"]}");
        assert_eq!(reply.status, 200, "{kind}: {}", edge.output());
        assert_eq!(reply.header("x-amz-executed-version"), "1");
        let answer: serde_json::Value = serde_json::from_str(&reply.text()).unwrap();
        assert_eq!(answer["event"], serde_json::json!({ "a": [1, "ä"] }));
        assert_eq!(answer["id"], reply.header("x-amzn-requestid"));
        let log = String::from_utf8(STANDARD.decode(reply.header("x-amz-log-result")).unwrap()).unwrap();
        for line in ["START RequestId", "was given", "END RequestId", "REPORT RequestId"] {
            assert!(log.contains(line), "{kind}: {line} in {log}");
        }
        let quiet = invoke(&edge, "us-east-1.f", &[], "{}");
        assert_eq!((quiet.status, quiet.header("x-amz-log-result")), (200, ""));

        let failed =
            invoke(&edge, "arn:aws:lambda:us-east-1:000000000000:function:us-east-1.f:1", &tail, "{\"fail\": true}");
        assert_eq!((failed.status, failed.header("x-amz-function-error")), (200, "Unhandled"), "{kind}");
        let error: serde_json::Value = serde_json::from_str(&failed.text()).unwrap();
        assert_eq!((&error["errorType"], &error["errorMessage"]), (&"TypeError".into(), &"as asked".into()), "{kind}");
        assert!(!failed.header("x-amz-log-result").is_empty());

        let exited = invoke(&edge, "f", &[], "{\"exit\": true}");
        assert_eq!((exited.status, exited.header("x-amz-function-error")), (200, "Unhandled"), "{kind}");
        let error: serde_json::Value = serde_json::from_str(&exited.text()).unwrap();
        assert_eq!(error["errorType"], "Runtime.ExitError");
        assert!(error["errorMessage"].as_str().unwrap().ends_with("exit status 3"), "{error}");
    }
}

#[test]
fn the_other_ways_to_invoke() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let edge = edge(&origin, "nodejs", "", JAVASCRIPT);
    let of = |kind| [("x-amz-invocation-type", kind)];
    let dry = invoke(&edge, "f", &of("DryRun"), "{\"dry\": 1}");
    assert_eq!((dry.status, dry.text().as_str()), (204, ""));
    let later = invoke(&edge, "f", &of("Event"), "{\"later\": 1}");
    assert_eq!((later.status, later.text().as_str()), (202, ""));
    edge.says("was given {\"later\":1}");
    assert!(!edge.output().contains("was given {\"dry\":1}"));
    assert_eq!(invoke(&edge, "f", &of("Other"), "{}").header("x-amzn-errortype"), "InvalidParameterValueException");
    let qualified = |version: &str| {
        post(&edge, &format!("/2015-03-31/functions/f/invocations?Qualifier={version}"), &[], "{}").status
    };
    assert_eq!((qualified("1"), qualified("2")), (200, 404));
}

#[test]
fn what_cannot_be_invoked_is_told_in_amazons_words() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let edge = edge(&origin, "nodejs", "reserved_concurrency = 0", JAVASCRIPT);
    for (name, event, status, kind) in [
        ("nobody", "{}", 404, "ResourceNotFoundException"),
        ("viewer", "{}", 404, "ResourceNotFoundException"),
        ("f:2", "{}", 404, "ResourceNotFoundException"),
        ("f", "{", 400, "InvalidRequestContentException"),
        ("f", "{}", 429, "TooManyRequestsException"),
    ] {
        let reply = invoke(&edge, name, &[], event);
        assert_eq!((reply.status, reply.header("x-amzn-errortype")), (status, kind), "{name} {event}");
    }
    let large = format!("\"{}\"", "x".repeat(6 * 1024 * 1024 - 1));
    assert_eq!(invoke(&edge, "f", &[], &large).status, 413);
}

/// Row 129.
#[test]
fn a_function_learns_of_the_trace_that_the_viewer_names() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let given = "Root=1-68a1b2c3-00112233445566778899aabb;Parent=c0ffee0012345678;Sampled=1";
    let w3c = "00-68a1b2c300112233445566778899aabb-c0ffee0012345678-01";
    let javascript = "exports.handler = async (event) => ({ status: 200, body: [\
        event.Records[0].cf.request.headers.traceparent?.[0].value, process.env._X_AMZN_TRACE_ID, process.env.TRACEPARENT].join(' ') });";
    let python = "import os\n\n\ndef lambda_handler(event, context):\n    \
        traced = event['Records'][0]['cf']['request']['headers'].get('traceparent', [{'value': ''}])[0]['value']\n    \
        return {'status': '200', 'body': ' '.join([traced, os.environ.get('_X_AMZN_TRACE_ID', ''), os.environ.get('TRACEPARENT', '')])}\n";
    for kind in engine::engines() {
        let edge = crate::lambda::edge(&origin, kind, "", engine::of(kind, javascript, python));
        let traced = edge.get_with("/", &[("x-amzn-trace-id", given)]).text();
        // A runtime of somebody else's copies the header, or does not.
        let expected = if kind == "provided" { format!("{w3c}  ") } else { format!("{w3c} {given} {w3c}") };
        assert_eq!(traced, expected, "{kind}");
        assert_eq!(edge.get("/").text().trim(), "", "{kind}: and nothing of it later");
    }
}

#[test]
fn logs_are_json_where_the_function_asks_for_it() {
    let origin = Origin::start(|_| Answer::ok("never"));
    let javascript = "exports.handler = async () => { console.debug('too low'); console.info('two\\nlines'); console.error('bad'); return {}; };";
    let python = "import logging\n\n\ndef lambda_handler(event, context):\n    logging.debug('too low')\n    logging.info('two\\nlines')\n    logging.error('bad')\n    return {}\n";
    for kind in engine::engines().into_iter().filter(|kind| *kind != "provided") {
        let records = |level: &str| {
            let more = format!("env = {{ AWS_LAMBDA_LOG_FORMAT = \"JSON\", AWS_LAMBDA_LOG_LEVEL = \"{level}\" }}");
            let edge = edge(&origin, kind, &more, engine::of(kind, javascript, python));
            let reply = invoke(&edge, "f", &[("x-amz-log-type", "Tail")], "{}");
            let log = String::from_utf8(STANDARD.decode(reply.header("x-amz-log-result")).unwrap()).unwrap();
            let records = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            let told = records.map(|record| {
                assert_eq!(record["requestId"], reply.header("x-amzn-requestid"), "{kind}");
                format!("{} {}", record["level"].as_str().unwrap(), record["message"].as_str().unwrap())
            });
            told.collect::<Vec<String>>()
        };
        assert_eq!(records("INFO"), ["INFO two\nlines", "ERROR bad"], "{kind}");
        assert_eq!(records("ERROR"), ["ERROR bad"], "{kind}");
        assert_eq!(records("DEBUG")[0], "DEBUG too low", "{kind}");
    }
}
