//! Results, errors, state, the context object (lambda-edge.md 5.4).

use crate::harness::{Code, REQUEST, gist, is_without_python};

/// The outcome of a handler with this body.
fn run(body: &str) -> Result<String, (String, String)> {
    let source = format!("import decimal, os, sys\ndef handler(event, context):\n    {body}\n");
    Code::python(&source).once().map_err(|error| (error.kind, error.message))
}

fn answers(body: &str, expected: &str) {
    assert_eq!(run(body).as_deref(), Ok(expected), "{body}");
}

fn fails(body: &str, kind: &str, message: &str) {
    assert_eq!(run(body), Err((kind.to_owned(), message.to_owned())), "{body}");
}

#[test]
fn results() {
    if is_without_python() {
        return;
    }
    answers("return {'status': '200', 'n': [1, 2.5, True, None]}", r#"{"status": "200", "n": [1, 2.5, true, null]}"#);
    answers("pass", "null");
    answers("return decimal.Decimal(200)", "200");
    answers("return [decimal.Decimal('1E+2'), decimal.Decimal('1.5'), decimal.Decimal('-3')]", "[100, 1.5, -3]");
    answers("return b'{\"raw\": 1}'", r#"{"raw": 1}"#);
    answers("return float('nan')", "NaN");
    answers("os.environ['AWS_EXECUTION_ENV'] = 'AWS_Lambda_python3.11'; return 'é'", r#""\u00e9""#);
    answers("os.environ['AWS_EXECUTION_ENV'] = 'AWS_Lambda_python3.12'; return 'é'", "\"é\"");
}

#[test]
fn results_that_cannot_be_written() {
    if is_without_python() {
        return;
    }
    fails(
        "return {1, 2}",
        "Runtime.MarshalError",
        "unable to marshal the result: Object of type set is not JSON serializable",
    );
    for body in ["return {'a': b'x'}", "a = []; a.append(a); return a", "return bytearray(b'1')", "return lambda: 1"] {
        assert_eq!(run(body).unwrap_err().0, "Runtime.MarshalError", "{body}");
    }
    let cycle = "unable to marshal the result: Circular reference detected";
    fails("a = {}; a['b'] = [a]; return a", "Runtime.MarshalError", cycle);
    // Where a cycle would end in a crash before it ends in a RecursionError.
    fails("sys.setrecursionlimit(10 ** 9); a = []; a.append(a); return a", "Runtime.MarshalError", cycle);
    let mut environment = Code::python("async def handler(event, context):\n    return 1\n").ready();
    assert_eq!(environment.invoke("{}").unwrap_err().kind, "Runtime.MarshalError");
    assert_eq!(environment.end().errors, "");
}

#[test]
fn a_result_beyond_a_message_is_an_error() {
    if is_without_python() {
        return;
    }
    assert_eq!(run("return 'x' * 9000000").unwrap_err().0, "Function.ResponseSizeTooLarge");
}

#[test]
fn errors_have_kind_message_and_trace() {
    if is_without_python() {
        return;
    }
    let source = "def inner():\n    raise ValueError('boom é')\n\ndef handler(event, context):\n    inner()\n";
    let error = Code::python(source).once().unwrap_err();
    assert_eq!(gist(&error), ("ValueError", "boom é"));
    assert_eq!(error.trace.len(), 4, "{error:?}");
    assert!(error.trace[0].ends_with("/index.py\", line 5, in handler"), "{error:?}");
    assert_eq!(error.trace[1], "    inner()");
    assert!(error.trace[2].ends_with("line 2, in inner"), "{error:?}");
    fails("class Odd(BaseException):\n        __str__ = None\n    raise Odd()", "Odd", "the exception cannot be shown");
    fails("raise Exception('\\ud800')", "Exception", "\\ud800");
    fails("return event['missing']", "KeyError", "'missing'");
    fails("return handler(event, context)", "RecursionError", "maximum recursion depth exceeded");
    fails("import missing_module", "ModuleNotFoundError", "No module named 'missing_module'");
}

#[test]
fn a_failure_leaves_the_environment_usable() {
    if is_without_python() {
        return;
    }
    let source = "n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n // event['by']\n";
    let mut environment = Code::python(source).ready();
    assert_eq!(environment.invoke(r#"{"by": 1}"#).unwrap(), "1");
    assert_eq!(environment.invoke(r#"{"by": 0}"#).unwrap_err().kind, "ZeroDivisionError");
    assert_eq!(environment.invoke("no JSON").unwrap_err().kind, "Runtime.UnmarshalError");
    // State lives as long as the process.
    assert_eq!(environment.invoke(r#"{"by": 1}"#).unwrap(), "3");
    let ended = environment.end();
    assert_eq!((ended.status, ended.output.as_str(), ended.errors.as_str()), (Some(0), "", ""));
}

#[test]
fn memory_is_bounded() {
    if is_without_python() {
        return;
    }
    let mut environment =
        Code::python("def handler(event, context):\n    return len('x' * event['n'])\n").memory(64).ready();
    assert_eq!(environment.invoke(r#"{"n": 300000000}"#).unwrap_err().kind, "MemoryError");
    assert_eq!(environment.invoke(r#"{"n": 3}"#).unwrap(), "3");
}

#[test]
fn unicode_and_big_events_pass_unharmed() {
    if is_without_python() {
        return;
    }
    let mut environment = Code::python("def handler(event, context):\n    return event\n").ready();
    let event: serde_json::Value = serde_json::json!({
        "text": "häl€o 😀 \u{0} \"quoted\"", "list": [1.5, -3, true, null], "z": {}, "a": [], "body": "0123456789abcdé".repeat(70_000),
    });
    let result: serde_json::Value = serde_json::from_str(&environment.invoke(&event.to_string()).unwrap()).unwrap();
    assert_eq!(result, event);
}

#[test]
fn row_93_time_that_has_run_out_is_none() {
    if is_without_python() {
        return;
    }
    let source = "def handler(event, context):\n    return context.get_remaining_time_in_millis()\n";
    let mut environment = Code::python(source).ready();
    assert_eq!(environment.invoke_until("{}", 1_000).unwrap(), "0");
}

#[test]
fn the_context() {
    if is_without_python() {
        return;
    }
    let fields = "return [context.aws_request_id, context.function_name, context.function_version, context.memory_limit_in_mb, \
                  context.invoked_function_arn, context.log_group_name, context.log_stream_name, context.tenant_id, \
                  context.client_context, context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]";
    let expected = format!(
        r#"["{REQUEST}", "us-east-1.greeter", "7", "256", "arn:aws:lambda:us-east-1:000000000000:function:us-east-1.greeter:7", "/aws/lambda/us-east-1.greeter", "2026/01/02/[7]0123456789abcdef0123456789abcdef", null, null, null, null]"#
    );
    answers(fields, &expected);
    answers("return 0 < context.get_remaining_time_in_millis() <= 10000", "true");
    answers(
        "return [os.environ['GREETING'], os.environ['AWS_REGION'], os.environ['_HANDLER']]",
        r#"["h\u00e4llo", "us-east-1", "handler"]"#,
    );
    answers("return os.read(0, 1).decode()", "\"\"");
}

#[test]
fn exit_ends_the_process() {
    if is_without_python() {
        return;
    }
    for (call, status, errors) in
        [("sys.exit(3)", 3, ""), ("exit()", 0, ""), ("sys.exit('why')", 1, "why\n"), ("os._exit(4)", 4, "")]
    {
        let source = format!("import os, sys\ndef handler(event, context):\n    print('bye')\n    {call}\n");
        let mut environment = Code::python(&source).ready();
        environment.begin("{}");
        assert_eq!(environment.receive(), None, "{call}");
        let ended = environment.end();
        assert_eq!(
            (ended.status, ended.output.as_str(), ended.errors.as_str()),
            (Some(status), "bye\n", errors),
            "{call}"
        );
    }
}
