//! What is read and written here against what the engine's own `JSON` makes of the same.

use super::{read, write};
use boa_engine::{Context, JsString, JsValue, Source, js_string};
use proptest::prelude::*;
use serde_json::{Value, json};

fn stringified(value: &JsValue, context: &mut Context) -> Option<String> {
    let json = context.global_object().get(js_string!("JSON"), context).unwrap().as_object().unwrap();
    let stringify = json.get(js_string!("stringify"), context).unwrap().as_callable().unwrap();
    let text = stringify.call(&JsValue::undefined(), std::slice::from_ref(value), context).ok()?;
    Some(text.as_string()?.to_std_string_lossy())
}

fn parsed(text: &str, context: &mut Context) -> JsValue {
    let json = context.global_object().get(js_string!("JSON"), context).unwrap().as_object().unwrap();
    let parse = json.get(js_string!("parse"), context).unwrap().as_callable().unwrap();
    parse.call(&JsValue::undefined(), &[JsString::from(text).into()], context).unwrap()
}

/// What `write` makes of the value of an expression, and what `JSON.stringify` does.
fn both(expression: &str) -> (Option<String>, Option<String>) {
    let context = &mut Context::default();
    let value = context.eval(Source::from_bytes(&format!("({expression})"))).unwrap();
    let written = write(&value, context);
    (written, stringified(&value, context))
}

#[test]
fn ordinary_values_are_written_as_stringify_writes_them() {
    let expressions = [
        "{}",
        "[]",
        "{a: 1, b: -0, c: 1.5, d: 1e21, e: 1e-7, f: NaN, g: Infinity, h: 5e-324, i: 2 ** 31, j: -(2 ** 31)}",
        "{b: undefined, a: Symbol(), [Symbol()]: 1, c: [undefined, Symbol(), null, true, false]}",
        "[1, 2, 3]",
        "[1, 2.5]",
        "[1, 'a', [], {}, [[[]]]]",
        "{10: 'a', 9: 'b', z: 'c', '-1': 'd', 4294967295: 'e', 'a b': 'f', '': 'g'}",
        r#"{'"\\\b\f\n\r\t\u0001\u001f\u007f\u0080\u00e9\u20ac\u{1f600}\ud800\udc00': '"\\\b\f\n\r\t\u0000\u007f\u0080\u00ff/\u2028'}"#,
        r"['\ud800', '\udc00', 'a\ud800b', '\ud83d\ude00\ude00']",
        "Object.create(null)",
        "Object.assign(Object.create(null), {a: [Object.create(null)]})",
        "{__proto__: null, a: 1}",
        "{['__proto__']: 1}",
        "JSON.parse('{\"__proto__\": {\"a\": 1}}')",
        "(() => { const o = {a: 1, b: 2, c: 3}; delete o.a; o.a = 4; return o; })()",
        "(() => { const o = {a: 1}; Object.defineProperty(o, 'b', {value: 2, enumerable: false}); return o; })()",
        "(() => { const o = {a: 'x'.repeat(3) + 'y', b: `${1}`.slice(0)}; return {o, p: o, q: [o, o]}; })()",
        "Object.freeze({a: 1, b: Object.seal({c: 2}), d: Object.preventExtensions([1])})",
        "{headers: {host: [{key: 'Host', value: 'a'}]}, status: '200'}",
    ];
    for expression in expressions {
        let (written, stringified) = both(expression);
        assert!(stringified.is_some(), "{expression}");
        assert_eq!(written, stringified, "{expression}");
    }
}

#[test]
fn what_could_run_code_or_is_odd_is_left_to_stringify() {
    let expressions = [
        "1",
        "'a'",
        "null",
        "undefined",
        "() => 1",
        "{a() {}}",
        "{get a() { return 1; }}",
        "{get a() { throw 1; }}",
        "{toJSON() { return 1; }}",
        "{toJSON: 1}",
        "[{a: {toJSON: () => 2}}]",
        "new Date(0)",
        "new (class A { a = 1 })",
        "new (class A { toJSON() { return 1; } })",
        "Object.create({toJSON() { return 7; }})",
        "new Proxy({}, {})",
        "new Proxy([1], {})",
        "{a: new Proxy({b: 1}, {get: () => 2})}",
        "[1, , 2]",
        "[1, 2, ,]",
        "Array(3)",
        "Object.assign([1], {a: 1})",
        "Object.freeze([1])",
        "Object.assign([1], {toJSON: () => 1})",
        "new (class extends Array {})",
        "{a: 1n}",
        "{a: Object(1n)}",
        "new String('a')",
        "{a: Object(1), b: Object('a'), c: Object(true)}",
        "new Map([[1, 2]])",
        "new Uint8Array(2)",
        "new Error('a')",
        "/a/",
        "Promise.resolve(1)",
        "(function () { return arguments; })(1, 2)",
        "(() => { const o = {}; o.o = o; return o; })()",
        "(() => { const a = []; a.push({a}); return a; })()",
        "(() => { const a = [1, 2]; Object.defineProperty(a, 0, {get: () => 3}); return a; })()",
        "(() => { let o = {}; for (let i = 0; i < 100; i += 1) o = {o}; return o; })()",
        "(() => { Object.prototype.toJSON = () => 1; return {a: 1}; })()",
        "(() => { Array.prototype.toJSON = () => 1; return {a: []}; })()",
        "(() => { Object.setPrototypeOf(Array.prototype, {toJSON: () => 1}); return [1]; })()",
        "(() => { const a = [1]; Object.setPrototypeOf(a, {toJSON: () => 1}); return a; })()",
    ];
    for expression in expressions {
        assert_eq!(both(expression).0, None, "{expression}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    let context = &mut Context::default();
    for text in ["", "{", "{}x", "[1,]", "{\"a\":}", "'a'", "\u{feff}{}", "nul", "1e999"] {
        assert!(read(text.as_bytes(), context).is_err(), "{text}");
    }
    assert!(read(b"\"\xff\"", context).is_err());
    let deep = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
    assert!(read(&deep(100), context).is_ok());
    assert!(read(&deep(100_000), context).is_err());
}

#[test]
fn what_is_read_can_be_changed_like_any_object() {
    let context = &mut Context::default();
    let event = json!({"headers": {"host": [{"key": "Host", "value": "a"}], "7": [], "via": []}, "a": {"headers": 1}});
    let event = read(event.to_string().as_bytes(), context).unwrap();
    context.register_global_property(js_string!("event"), event, Default::default()).unwrap();
    let script = "event.headers.host[0].value = 'b'; delete event.headers.via; event.headers.x = [{value: 'c'}];
        event.headers.host.push({value: 'd'}); event.b = Object.keys(event.headers).join(); event";
    let event = context.eval(Source::from_bytes(script)).unwrap();
    let expected = r#"{"headers":{"7":[],"host":[{"key":"Host","value":"b"},{"value":"d"}],"x":[{"value":"c"}]},"a":{"headers":1},"b":"7,host,x"}"#;
    assert_eq!(write(&event, context).unwrap(), expected);
    assert_eq!(stringified(&event, context).unwrap(), expected);
}

fn value() -> impl Strategy<Value = Value> {
    let names = prop_oneof![
        Just("headers".to_owned()),
        Just("value".to_owned()),
        Just("__proto__".to_owned()),
        "[0-9]{1,11}",
        any::<String>()
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Few digits: with many of them the reader may be off by the last bit.
        any::<i16>().prop_map(|number| Value::from(f64::from(number) / 16.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reading_is_parse_and_writing_is_stringify(value in value()) {
        let context = &mut Context::default();
        // In a list, so that there is something to write.
        let text = json!([value]).to_string();
        let (own, its) = (read(text.as_bytes(), context).unwrap(), parsed(&text, context));
        let expected = stringified(&its, context);
        prop_assert_eq!(stringified(&own, context), expected.clone());
        prop_assert_eq!(write(&own, context), expected.clone());
        prop_assert_eq!(write(&its, context), expected);
    }
}
