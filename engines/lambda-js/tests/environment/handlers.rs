//! Every style of answering (lambda-edge.md 5.2), state, and how invocations fail.

use crate::harness::{Code, REQUEST, gist};

fn answers(source: &str, expected: &str) {
    assert_eq!(Code::js(source).once().as_deref(), Ok(expected), "{source}");
}

fn fails(source: &str, kind: &str, message: &str) -> Vec<String> {
    let error = Code::js(source).once().unwrap_err();
    assert_eq!(gist(&error), (kind, message), "{source}");
    error.trace
}

#[test]
fn promises() {
    answers("exports.handler = async (event) => ({a: 1})", r#"{"a":1}"#);
    answers("exports.handler = async () => {}", "null");
    answers("exports.handler = () => ({then(resolve) { resolve(7) }})", "7");
    answers("exports.handler = () => new Promise((done) => setTimeout(done, 5, 'late'))", r#""late""#);
    answers("exports.handler = async () => { await null; await new Promise(setImmediate); return [1] }", "[1]");
}

#[test]
fn callbacks() {
    answers("exports.handler = (e, c, cb) => cb(null, {a: 1})", r#"{"a":1}"#);
    answers("exports.handler = (e, c, cb) => { setTimeout(() => cb(null, 'late'), 5) }", r#""late""#);
    answers("exports.handler = (e, c, cb) => { cb(null, 'a'); cb(null, 'b'); cb(new Error('c')) }", r#""a""#);
    answers("exports.handler = async (e, c, cb) => { setTimeout(() => cb(null, 'cb'), 5) }", r#""cb""#);
    answers("exports.handler = (e, c, cb) => setTimeout(() => cb(null, 'handle'), 5)", r#""handle""#);
    answers("exports.handler = (e, c, cb) => ({plain: true})", r#"{"plain":true}"#);
    answers("exports.handler = (e, c, cb) => { cb() }", "null");
    answers("exports.handler = (e, c, cb) => {}", "null");
}

#[test]
fn context_methods() {
    answers("exports.handler = (e, c) => { c.succeed(1) }", "1");
    answers("exports.handler = (e, c) => { setTimeout(() => c.done(null, {b: 2}), 2) }", r#"{"b":2}"#);
    fails("exports.handler = (e, c) => { c.fail(new RangeError('no')) }", "RangeError", "no");
    fails("exports.handler = (e, c) => { c.done('text') }", "string", "text");
}

#[test]
fn synchronous_results_count_and_warn_once() {
    let mut environment = Code::js("exports.handler = (event, context) => ({n: event.n})").ready();
    assert_eq!(environment.invoke(r#"{"n":1}"#).unwrap(), r#"{"n":1}"#);
    assert_eq!(environment.invoke(r#"{"n":2}"#).unwrap(), r#"{"n":2}"#);
    let records = environment.records();
    assert_eq!(records.len(), 1);
    assert!(records[0].starts_with("WARN the handler returned its result synchronously"), "{records:?}");
}

#[test]
fn a_callback_waits_for_the_loop_unless_told_otherwise() {
    let source = "let fired = 0;
        exports.handler = (event, context, callback) => {
            if (event.ask) return callback(null, fired);
            context.callbackWaitsForEmptyEventLoop = event.wait;
            setTimeout(() => { fired += 1 }, 20);
            const result = {fired: 'not yet'};
            setTimeout(() => { result.fired = fired }, 25);
            callback(null, result);
        }";
    let mut environment = Code::js(source).ready();
    assert_eq!(environment.invoke(r#"{"wait":true}"#).unwrap(), r#"{"fired":1}"#);
    assert_eq!(environment.invoke(r#"{"wait":false}"#).unwrap(), r#"{"fired":"not yet"}"#);
    // The timers that were left run within the next invocation, which waits for them.
    assert_eq!(environment.invoke(r#"{"ask":true}"#).unwrap(), "1");
    assert_eq!(environment.invoke(r#"{"ask":true}"#).unwrap(), "2");
}

#[test]
fn errors_have_kind_message_and_trace() {
    let trace = fails(
        "function inner() { throw new TypeError('boom') }\nexports.handler = async () => { await 0; inner() }",
        "TypeError",
        "boom",
    );
    assert_eq!(trace[0], "TypeError: boom");
    assert!(trace[1].contains("at inner (") && trace[1].contains("index.js:1:"), "{trace:?}");
    assert!(!trace.iter().any(|line| line.contains("edgehook:")), "{trace:?}");
    fails("exports.handler = () => { undefined.x }", "TypeError", "cannot convert 'null' or 'undefined' to object");
    fails("exports.handler = (e, c, cb) => cb(new Error('no'))", "Error", "no");
    assert!(fails("exports.handler = (e, c, cb) => cb('text')", "string", "text").is_empty());
    fails("exports.handler = () => Promise.reject(42)", "number", "42");
    fails("class Odd extends Error { name = 'Odd' }; exports.handler = () => { throw new Odd('x') }", "Odd", "x");
}

#[test]
fn columns_count_from_the_beginning_of_the_line() {
    let source = "const fail = () => { throw new Error('x') }; exports.handler = async () => fail()";
    let places = |source: &str, line: u32| -> Vec<String> {
        let trace = fails(source, "Error", "x");
        let of_line = |place: &String| {
            let (_, place) = place.rsplit_once("index.js:")?;
            place.strip_prefix(&format!("{line}:")).map(str::to_owned)
        };
        trace.iter().filter_map(of_line).collect()
    };
    let first = places(source, 1);
    assert!(first.len() >= 2, "{first:?}");
    assert_eq!(first, places(&format!("\n{source}"), 2));
}

#[test]
fn results_that_cannot_be_written() {
    for source in [
        "exports.handler = async () => { const a = {}; a.a = a; return a }",
        "exports.handler = async () => ({n: 1n})",
        "exports.handler = async () => ({toJSON() { throw new Error('mine') }})",
    ] {
        assert_eq!(Code::js(source).once().unwrap_err().kind, "Runtime.MarshalError", "{source}");
    }
    answers("exports.handler = async () => () => 1", "null");
    answers("exports.handler = async () => Symbol('s')", "null");
    answers(
        "exports.handler = async () => ({d: new Date(0), u: undefined, n: NaN})",
        r#"{"d":"1970-01-01T00:00:00.000Z","n":null}"#,
    );
}

#[test]
fn a_promise_that_never_settles() {
    for source in [
        "exports.handler = () => new Promise(() => {})",
        "exports.handler = async (e, c, cb) => { await new Promise(() => {}) }",
    ] {
        assert_eq!(Code::js(source).once().unwrap_err().kind, "Runtime.NodeJsExit", "{source}");
    }
    // An interval that is not waited for does not keep the loop alive.
    let source = "exports.handler = () => { setInterval(() => {}, 60000).unref(); return new Promise(() => {}) }";
    assert_eq!(Code::js(source).once().unwrap_err().kind, "Runtime.NodeJsExit");
}

#[test]
fn state_lives_as_long_as_the_process() {
    let mut environment = Code::js("let n = 0; exports.handler = async () => ++n").ready();
    for expected in ["1", "2", "3"] {
        assert_eq!(environment.invoke("{}").unwrap(), expected);
    }
    let (status, log) = environment.end();
    assert_eq!((status.code(), log.as_str()), (Some(0), ""));
}

#[test]
fn a_failure_leaves_the_environment_usable() {
    let source = "exports.handler = async (event) => { if (event.deep) { (function f() { f() })() } return 'ok' }";
    let mut environment = Code::js(source).ready();
    let error = environment.invoke(r#"{"deep":1}"#).unwrap_err();
    assert_eq!(gist(&error), ("RangeError", "Maximum call stack size exceeded"));
    assert_eq!(environment.invoke("{}").unwrap(), r#""ok""#);
    assert_eq!(environment.invoke("no JSON").unwrap_err().kind, "Runtime.UnmarshalError");
    assert_eq!(environment.invoke("{}").unwrap(), r#""ok""#);
}

#[test]
fn runaway_recursion_of_every_sort_is_an_error() {
    for body in [
        "const f = () => f(); f()",
        "const f = () => [1].map(f); f()",
        "const o = {get a() { return this.a }}; o.a",
        "const f = () => new Promise(f); f()",
        "const f = (x) => x.replace(/x/, f); f('x')",
        "class A { constructor() { new A() } }; new A()",
        "const o = {toJSON() { return JSON.stringify(o) }}; JSON.stringify(o)",
        "const f = () => Reflect.apply(f, null, []); f()",
        "const p = new Proxy({}, {get: (t, k, r) => r[k]}); p.a",
        "const f = () => { for (const x of {[Symbol.iterator]: f}); }; f()",
        "function* g() { yield* g() }; [...g()]",
        "const a = [1, 2]; const f = () => a.sort(f); f()",
    ] {
        let error = Code::js(&format!("exports.handler = async () => {{ {body} }}")).once().expect_err(body);
        assert_eq!(error.kind, "RangeError", "{body}: {error:?}");
    }
    // After an `await` the engine abandons the function without a word.
    let source = "exports.handler = async () => { await 0; const f = () => f(); f() }";
    assert_eq!(Code::js(source).once().unwrap_err().kind, "Runtime.NodeJsExit");
}

#[test]
fn unhandled_rejections_and_uncaught_exceptions_end_the_environment() {
    for (body, status, title) in [
        ("Promise.reject(new TypeError('lost'))", 128, "Unhandled Promise Rejection"),
        ("setTimeout(() => { throw new TypeError('lost') }, 1)", 129, "Uncaught Exception"),
    ] {
        let source =
            format!("exports.handler = () => {{ {body}; return new Promise((done) => setTimeout(done, 60000)) }}");
        let mut environment = Code::js(&source).ready();
        environment.begin("{}");
        assert_eq!(environment.receive(), None, "{body}");
        let (ended, log) = environment.end();
        assert_eq!(ended.code(), Some(status), "{body}");
        assert!(log.contains(&format!("\t{REQUEST}\tERROR\t{title}\t{{")) && log.contains("lost"), "{log}");
    }
    // A rejection that is handled in time is none.
    answers("exports.handler = async () => { const p = Promise.reject(1); p.catch(() => {}); await 0; return 2 }", "2");
    // Beside an outcome it is a line in the log.
    let mut environment =
        Code::js("exports.handler = async () => { Promise.reject(new Error('x')); return 1 }").ready();
    assert_eq!(environment.invoke("{}").unwrap(), "1");
    assert!(environment.records()[0].starts_with("ERROR Unhandled Promise Rejection"));
}

#[test]
fn exit_ends_the_process() {
    for (call, code) in [("process.exit(3)", 3), ("process.exit()", 0)] {
        let mut environment =
            Code::js(&format!("exports.handler = async () => {{ console.log('bye'); {call} }}")).ready();
        environment.begin("{}");
        assert_eq!(environment.receive(), None);
        let (status, log) = environment.end();
        assert_eq!(status.code(), Some(code));
        assert!(log.ends_with("\tINFO\tbye\n"), "{log}");
    }
}

#[test]
fn unicode_and_big_events_pass_unharmed() {
    let mut environment = Code::js("exports.handler = async (event) => event").ready();
    let event = r#"{"text":"häl€o 😀 \u0000 \"quoted\"","list":[1.5,-3,1e21,true,null],"z":{},"a":[]}"#;
    let mut parsed: serde_json::Value = serde_json::from_str(&environment.invoke(event).unwrap()).unwrap();
    assert_eq!(parsed["text"], "häl€o 😀 \0 \"quoted\"");
    parsed["list"].take();
    assert_eq!(parsed.as_object().unwrap().keys().collect::<Vec<_>>(), ["text", "list", "z", "a"]);
    let big = format!(r#"{{"body":"{}"}}"#, "0123456789abcdé".repeat(70_000));
    assert_eq!(environment.invoke(&big).unwrap(), big);
}

#[test]
fn a_result_beyond_a_message_is_an_error() {
    let mut environment = Code::js("exports.handler = async (e) => 'x'.repeat(e.n)").ready();
    assert_eq!(environment.invoke(r#"{"n":9000000}"#).unwrap_err().kind, "Function.ResponseSizeTooLarge");
    assert_eq!(environment.invoke(r#"{"n":2}"#).unwrap(), r#""xx""#);
}

#[test]
fn memory_is_bounded() {
    let mut environment =
        Code::js("exports.handler = async () => { const a = []; for (;;) a.push([1, 2, 3]) }").memory(64).ready();
    environment.begin("{}");
    assert_eq!(environment.receive(), None);
    assert_eq!(environment.wait().code(), None, "it was killed by a signal");
}
