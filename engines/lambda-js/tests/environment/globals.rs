//! What functions see around them: context, console, timers, `process`, `Buffer`, `querystring`.

use crate::harness::{Code, REQUEST};

/// The value of an expression within a handler, as JSON.
fn value(expression: &str) -> String {
    let source = format!("exports.handler = async (event, context) => {expression}");
    Code::js(&source).once().unwrap_or_else(|error| panic!("{expression}: {error:?}"))
}

#[test]
fn the_context() {
    let keys = r#"["callbackWaitsForEmptyEventLoop","succeed","fail","done","functionVersion","functionName","memoryLimitInMB","logGroupName","logStreamName","clientContext","identity","invokedFunctionArn","awsRequestId","tenantId","getRemainingTimeInMillis","xRayTraceId"]"#;
    assert_eq!(value("Object.keys(context)"), keys);
    let expected = format!(
        r#"["7","us-east-1.greeter","256","/aws/lambda/us-east-1.greeter","2026/01/02/[7]0123456789abcdef0123456789abcdef","arn:aws:lambda:us-east-1:000000000000:function:us-east-1.greeter:7","{REQUEST}",true]"#
    );
    let fields = "[context.functionVersion, context.functionName, context.memoryLimitInMB, context.logGroupName, \
                  context.logStreamName, context.invokedFunctionArn, context.awsRequestId, context.callbackWaitsForEmptyEventLoop]";
    assert_eq!(value(fields), expected);
    assert_eq!(value("((left) => left > 0 && left <= 10000)(context.getRemainingTimeInMillis())"), "true");
}

#[test]
fn row_93_time_that_has_run_out_is_negative() {
    let source = "exports.handler = async (event, context) => context.getRemainingTimeInMillis() < -1000";
    let mut environment = Code::js(source).ready();
    assert_eq!(environment.invoke_until("{}", 1_000).unwrap(), "true");
}

#[test]
fn the_process() {
    assert_eq!(value("process.env.GREETING"), "\"hällo\"");
    assert_eq!(
        value("[process.env.AWS_REGION, process.env._HANDLER, process.env.TZ]"),
        r#"["us-east-1","handler","UTC"]"#
    );
    assert_eq!(value("[process.env.AWS_EXECUTION_ENV]"), r#"["AWS_Lambda_nodejs22.x"]"#);
    assert_eq!(
        value("[typeof globalThis.host, global === globalThis, process.env.HOME ?? null]"),
        r#"["undefined",true,null]"#
    );
    assert_eq!(value("Object.keys(globalThis).includes('Buffer')"), "false");
    assert_eq!(value("new Date(2026, 0, 1).toISOString()"), "\"2026-01-01T00:00:00.000Z\"");
}

#[test]
fn the_console() {
    let source = r#"
        console.log('at the top');
        exports.handler = async () => {
            console.log('plain', 1, true, null, undefined, {a: 1, 'b-c': [1, 'two', {d: {e: {}}}]});
            console.info('%s is %d%% %j', 'it', 42, {x: 1}, 'rest');
            console.warn([], {}, [undefined, -0], new Map([['k', {v: 1}]]), new Set([1]), Buffer.from('hi'));
            console.error('two\nlines');
            console.debug(() => 1, class A {}, Symbol('s'), 10n, /x/g, new Date(0), new (class Point { x = 1 })());
            const loop = {}; loop.self = loop; console.log(loop, {get a() { return 1 }});
            console.log({text: 'a'.repeat(70), more: 1});
            console.log(new TypeError('shown'));
        }"#;
    let mut environment = Code::js(source).ready();
    assert_eq!(environment.invoke("{}").unwrap(), "null");
    let records = environment.records();
    assert_eq!(records[0], "INFO at the top");
    assert_eq!(records[1], "INFO plain 1 true null undefined { a: 1, 'b-c': [ 1, 'two', { d: [Object] } ] }");
    assert_eq!(records[2], "INFO it is 42% {\"x\":1} rest");
    assert_eq!(records[3], "WARN [] {} [ undefined, -0 ] Map(1) { 'k' => { v: 1 } } Set(1) { 1 } <Buffer 68 69>");
    assert_eq!(records[4], "ERROR two\rlines");
    assert_eq!(
        records[5],
        "DEBUG [Function (anonymous)] [class A] Symbol(s) 10n /x/g 1970-01-01T00:00:00.000Z Point { x: 1 }"
    );
    assert_eq!(records[6], "INFO { self: [Circular *1] } { a: [Getter] }");
    assert_eq!(records[7], format!("INFO {{\r  text: '{}',\r  more: 1\r}}", "a".repeat(70)));
    assert!(records[8].starts_with("INFO TypeError: shown\r    at <main> ("), "{}", records[8]);
}

#[test]
fn records_name_their_request() {
    let mut environment = Code::js("console.log('a'); exports.handler = async () => { console.log('b') }").ready();
    environment.invoke("{}").unwrap();
    let (_, log) = environment.end();
    let lines: Vec<&str> = log.lines().map(|line| line.split_once('\t').unwrap().1).collect();
    assert_eq!(lines, ["undefined\tINFO\ta", &format!("{REQUEST}\tINFO\tb")]);
}

#[test]
fn timers_run_in_order_and_can_be_stopped() {
    let source = "exports.handler = () => new Promise((done) => {
        const seen = [];
        const see = (name) => () => { seen.push(name) };
        setTimeout(see('second'), 4); setTimeout(see('first'), 1); setImmediate(see('immediate'));
        clearTimeout(setTimeout(see('never'), 1)); clearImmediate(setImmediate(see('never')));
        const stopped = setTimeout(see('never'), 2); clearTimeout(+stopped);
        Promise.resolve().then(see('microtask')); process.nextTick(see('tick')); queueMicrotask(see('queued'));
        let n = 0;
        const interval = setInterval((word) => {
            seen.push(word + ++n);
            if (n === 2) { clearInterval(interval); setTimeout(() => done(seen), 10) }
        }, 10, 'interval');
        see('now')();
    })";
    let seen = Code::js(source).once().unwrap();
    let after = |word: &str| seen.find(word).unwrap_or_else(|| panic!("{word} in {seen}"));
    assert!(seen.starts_with(r#"["now","microtask","tick","queued","#), "{seen}");
    let order = ["queued", "first", "interval1", "interval2"];
    assert!(order.is_sorted_by_key(|word| after(word)), "{seen}");
    assert!(after("first") < after("second") && after("second") < after("interval2"), "{seen}");
    assert!(after("immediate") < after("interval2"), "{seen}");
    assert!(!seen.contains("never") && !seen.contains("interval3"), "{seen}");
}

#[test]
fn buffers() {
    for (expression, expected) in [
        ("Buffer.from('aGk/Pg==', 'base64').toString()", "\"hi?>\""),
        ("Buffer.from('hi?>ÿ').toString('base64url')", "\"aGk_PsO_\""),
        ("Buffer.from('häl€o😀', 'utf8').toString('hex')", "\"68c3a46ce282ac6ff09f9880\""),
        ("Buffer.from('68c3a4', 'hex').toString()", "\"hä\""),
        ("new Buffer('hi').toString('base64')", "\"aGk=\""),
        ("Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString()", "\"ab\""),
        (
            "[Buffer.byteLength('€'), Buffer.isBuffer(Buffer.alloc(2)), Buffer.from([1, 2]).equals(Buffer.from([1, 2]))]",
            "[3,true,true]",
        ),
        ("Buffer.from('abc').slice(1).toString()", "\"bc\""),
        ("Buffer.from('a')", r#"{"type":"Buffer","data":[97]}"#),
        ("JSON.parse(Buffer.from(JSON.stringify({a: 'é'})).toString('utf-8')).a", "\"é\""),
        ("[atob('aGk='), btoa('hi'), require('buffer').Buffer === Buffer]", r#"["hi","aGk=",true]"#),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn querystring() {
    for (expression, expected) in [
        (
            "require('querystring').parse('a=1&b=x%20y+z&a=2&c&d=%zz%C3%A4')",
            r#"{"a":["1","2"],"b":"x y z","c":"","d":"%zzä"}"#,
        ),
        (
            "require('querystring').stringify({a: ['1', '2'], b: 'x y&', c: null, d: true, e: 1.5})",
            r#""a=1&a=2&b=x%20y%26&c=&d=true&e=1.5""#,
        ),
        ("require('querystring').parse('a:1;b:2', ';', ':')", r#"{"a":"1","b":"2"}"#),
        (
            "[require('node:querystring').escape('ä b'), require('querystring').unescape('%C3%A4')]",
            r#"["%C3%A4%20b","ä"]"#,
        ),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn the_time_of_a_test_stands_still_where_a_function_asks_for_the_present() {
    let source = "const loaded = Date.now();\n\
        exports.handler = async (event, context) => {\n\
        \x20 const before = Date.now();\n\
        \x20 await new Promise((done) => setTimeout(done, 5));\n\
        \x20 return [loaded, before, Date.now() - before, new Date().toISOString(), Date().slice(4, 15), new Date(0).getTime(), context.getRemainingTimeInMillis() > 1000];\n\
        };";
    let mut environment = Code::js(source).at(1_767_225_600_000).ready();
    let first = r#"[1767225600000,1767225600000,0,"2026-01-01T00:00:00.000Z","Jan 01 2026",0,true]"#;
    assert_eq!(environment.invoke("{}").unwrap(), first);
    environment.move_to(1_893_456_000_250);
    let second = r#"[1767225600000,1893456000250,0,"2030-01-01T00:00:00.250Z","Jan 01 2030",0,true]"#;
    assert_eq!(environment.invoke("{}").unwrap(), second);
}
