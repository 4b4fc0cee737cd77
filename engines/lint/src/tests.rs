//! Every rule: what it finds and where, and what it leaves alone.

use super::*;
use std::{fs, path::Path};

/// `CODE line:column what stands there`, one finding a line.
fn shown(source: &str, runtime: Runtime) -> Vec<String> {
    let show = |finding: &Finding| {
        let (line, column) = finding.place(source);
        format!("{} {line}:{column} {}", finding.code.as_str(), &source[finding.start..finding.end])
    };
    check(source, runtime).iter().map(show).collect()
}

/// What is found under 1.0 and under 2.0.
fn found(source: &str, in_1: &[&str], in_2: &[&str]) {
    assert_eq!(shown(source, Runtime::Js1), in_1, "1.0: {source}");
    assert_eq!(shown(source, Runtime::Js2), in_2, "2.0: {source}");
}

fn both(source: &str, findings: &[&str]) {
    found(source, findings, findings);
}

fn nothing(source: &str) {
    both(source, &[]);
}

#[test]
fn what_both_runtimes_have_is_left_alone() {
    nothing(
        "'use strict';
        var a = 2 ** 3, b = a ?? 1, c = `x${a}`, f = (x) => x + 1, g = function () { return this; };
        function handler(event, ...rest) {
            var request = event.request, o = { request, m() { return 1; }, ['k' + a]: 1, get x() { return 1; }, set x(v) {} };
            outer: for (var i = 0; i < 3; i++) { if (i) continue outer; }
            for (var k in o) { delete o[k]; }
            try { JSON.parse('{'); } catch (e) { console.log(e); } finally { a = 1; }
            var re = /(?<year>\\d+)[/'\"`]/gim, d = new Date(Date.now()), n = Number.MAX_SAFE_INTEGER;
            switch (a) { case 1: break; default: throw new TypeError('x'); }
            do { a--; } while (a > 0);
            return Promise.resolve(Object.keys(o).concat(Array.isArray([]), String.fromCharCode(65), Math.max(1, 2), request));
        }",
    );
}

#[test]
fn const_and_let() {
    found("const a = 1;\nlet b, c;", &["C001 1:1 const", "C001 2:1 let"], &[]);
    nothing("var a = { const: 1, let: 2 }; a.const = 3;");
}

#[test]
fn async_functions() {
    found("async function handler(e) { await e; }", &["C001 1:1 async", "C001 1:29 await"], &[]);
    found("var f = async (e) => e, g = async function () {};", &["C001 1:9 async", "C001 1:29 async"], &[]);
    found("var o = { async m() {} };", &["C001 1:11 async"], &[]);
    nothing("var async = 1, o = { async: async };");
}

#[test]
fn await_in_arguments() {
    let source = "async function f(x) { g(await x); return new G(1, [await x]); }";
    found(
        source,
        &["C001 1:1 async", "C002 1:25 await", "C001 1:25 await", "C002 1:52 await", "C001 1:52 await"],
        &["C002 1:25 await", "C002 1:52 await"],
    );
    let fine = "async function f(x) { var y = await g(x); return h(async function () { await y; }, [y][0]); }";
    assert_eq!(shown(fine, Runtime::Js2), [""; 0]);
    assert_eq!(shown("async function f(a, x) { a[0] = await x; await a.b(x); }", Runtime::Js2), [""; 0]);
}

#[test]
fn numeric_separators_and_bigint() {
    found("var a = 1_000 + 0xff_ff;", &["C001 1:9 1_000", "C001 1:17 0xff_ff"], &[]);
    both("var a = 10n;", &["C001 1:9 10n"]);
    nothing("var a_1 = 1000, b = '1_000';");
}

#[test]
fn for_of() {
    both("for (var x of\n [1]) { x; }", &["C001 1:12 of"]);
    nothing("var of = 1; for (var x in { of: of }) { x; }");
}

#[test]
fn destructuring() {
    both("var { a, b: [c] } = x, x;", &["C001 1:5 {"]);
    both("var a, b; [a, b] = [b, a];", &["C001 1:11 ["]);
    both("function f({ a }, [b]) {}", &["C001 1:12 {", "C001 1:19 ["]);
    nothing("var a = { b: [1] }, c = a.b[0];");
}

#[test]
fn default_parameters_and_spread() {
    both("function f(a, b = 1) {}\nvar g = (c = '=') => c;", &["C001 1:17 =", "C001 2:12 ="]);
    both("f(...[1]); var f, a = [...f], o = { ...a };", &["C001 1:3 ...", "C001 1:24 ...", "C001 1:37 ..."]);
    nothing("function f(a, ...rest) { return a === rest; }");
}

#[test]
fn classes_generators_and_super() {
    both("class A {}\nvar b = class {};", &["C001 1:1 class", "C001 2:9 class"]);
    both("function* g() { yield 1; }\nvar h = function* () {};", &["C001 1:1 function", "C001 2:9 function"]);
    both("var o = { m() { return super.m(); } };", &["C001 1:24 super"]);
    both("function F() { return new.target; }", &["C001 1:23 new"]);
    nothing("var o = { class: 1, super: 2, yield: 3 }; o.class = o.super;");
}

#[test]
fn catch_without_a_name() {
    both("try { try {} catch {} } catch (e) {}", &["C001 1:14 catch"]);
    both("p.catch(function () {}); var p;\ntry {} catch (e) { try {} catch\n{} }", &["C001 2:27 catch"]);
    nothing("try {} catch (e) {} /* catch {} */ 'catch {}';");
}

#[test]
fn regular_expressions() {
    both("var a = /x/s, b = /x/u;", &["C001 1:9 /", "C001 1:19 /"]);
    found("var a = /x/y;", &["C001 1:9 /"], &[]);
    both("var a = new RegExp('x', 'gu'), b = RegExp('x', 's');", &["C001 1:13 RegExp", "C001 1:36 RegExp"]);
    nothing("var a = /x/gim, b = new RegExp('x', 'g');");
}

#[test]
fn optional_chaining_and_logical_assignment() {
    both("var a; a?.b; a ?. [1]; a.c?.(1);", &["C001 1:9 ?.", "C001 1:16 ?.", "C001 1:27 ?."]);
    both("var a, b; a ||= b; a &&= b; a.x ??= b;", &["C001 1:13 ||=", "C001 1:22 &&=", "C001 1:33 ??="]);
    nothing("var a, b = a ? .5 : 1, c = a || b && a ?? 1;".replace(" ?? 1", "").as_str());
}

#[test]
fn modules() {
    found("import cf from 'cloudfront';\nfunction handler() { cf.kvs(); }", &["C001 1:1 import"], &[]);
    let named = "// import\nimport { createHash } from 'crypto';\nimport 'crypto';\nimport * as b from 'buffer';\nimport c from 'fs';\n\
                 createHash, b, c;";
    assert_eq!(
        shown(named, Runtime::Js2),
        ["C003 2:1 import", "C003 3:1 import", "C003 4:1 import", "C003 5:1 import"]
    );
    both("export function handler() {}", &["C003 1:1 export"]);
    both("var p = import('crypto');", &["C001 1:9 import"]);
    both("var fs = require('fs');", &["C003 1:10 require"]);
    found("var b = require('buffer');", &["C003 1:9 require"], &[]);
    nothing("var c = require('crypto'), q = require('querystring');");
    nothing("function require() {} require('fs');");
}

#[test]
fn globals_that_do_not_exist() {
    both("function handler(e) {\n  setTimeout(e, 1);\n}", &["C004 2:3 setTimeout"]);
    both(
        "var m = new Map(), p = process.env, u = new URL('x');",
        &["C004 1:13 Map", "C004 1:24 process", "C004 1:45 URL"],
    );
    found("Buffer.from('x'); atob('x');", &["C004 1:1 Buffer", "C004 1:19 atob"], &[]);
    both(
        "eval('1'); new Function('1'); Function('1');",
        &["C004 1:1 eval", "C004 1:16 Function", "C004 1:31 Function"],
    );
    nothing("function Map() {} new Map(); var o = { Set: 1, fetch: 2 }; o.Set = o.fetch;");
    nothing("var crypto = require('crypto'); crypto.createHash('md5');");
    nothing("if (typeof fetch === 'undefined') { console.log('none'); }");
}

#[test]
fn members_that_do_not_exist() {
    both("Object.fromEntries([]); Array.from('x');", &["C004 1:8 fromEntries", "C004 1:31 from"]);
    found(
        "Promise.all([]); Object.getOwnPropertyDescriptors({});",
        &["C004 1:9 all", "C004 1:25 getOwnPropertyDescriptors"],
        &[],
    );
    found("String.bytesFrom('aGk', 'base64url');", &[], &["C004 1:8 bytesFrom"]);
    both(
        "var a = [[1]]; a.flat(); 'x'.matchAll(/x/g); a.at(-1);",
        &["C004 1:18 flat", "C004 1:30 matchAll", "C004 1:48 at"],
    );
    found("'x'.replaceAll('x', 'y');", &["C004 1:5 replaceAll"], &[]);
    found("'x'.toUTF8();", &[], &["C004 1:5 toUTF8"]);
    found("Symbol.for('a'); Symbol.keyFor(x); var x;", &["C004 1:8 for", "C004 1:25 keyFor"], &[]);
    both("Object.create(null, {}); Object.create(null);", &["C004 1:8 create"]);
    nothing("var o = { flat: function () {}, at() {} }; o.flat(); o.at(1); Array.prototype.slice.call([]);");
    nothing("var Object = { fromEntries: 1 }; Object.fromEntries;");
}

#[test]
fn the_console() {
    both("console.log('a', 'b'); console.error('x');", &["C005 1:9 log", "C005 1:32 error"]);
    nothing("console.log('a'); var o = { console: { error: 1 } };");
}

#[test]
fn the_size_at_its_limit_and_one_byte_more() {
    let source = |bytes: usize| format!("var a = '{}';", "x".repeat(bytes - 11));
    assert_eq!(source(MAX_SOURCE).len(), MAX_SOURCE);
    nothing(&source(MAX_SOURCE));
    let large = check(&source(MAX_SOURCE + 1), Runtime::Js2);
    assert_eq!(large.len(), 1);
    assert_eq!(
        (large[0].code, large[0].message.as_str()),
        (Code::Size, "the source has 10241 bytes, CloudFront takes 10240")
    );
}

#[test]
fn the_words_are_those_of_amazons_parser() {
    let found = check("for (var x of []) {}", Runtime::Js2);
    assert_eq!(found[0].message, "Token \"of\" not supported in this version");
    assert_eq!(found[0].label, "no `for...of` in CloudFront Functions");
}

#[test]
fn row_97() {
    let source = "async function handler(event) {\n  const { request } = event;\n  for (const x of [request?.uri]) f(await x);\n  return request;\n}\nfunction f() {}";
    assert_eq!(shown(source, Runtime::Js2), ["C001 2:9 {", "C001 3:16 of", "C001 3:27 ?.", "C002 3:37 await"]);
}

#[test]
fn sources_that_do_not_parse_and_odd_ones_yield_no_panic() {
    nothing("function (");
    nothing("");
    nothing("\u{feff}var a = 'ä\u{2028}';");
    found("var x = `${(() => { const y = 1; return y; })()}`;", &["C001 1:27 y"], &[]);
}

/// The runtime that a ready-made function names in its first comment.
fn runtime(source: &str) -> Option<Runtime> {
    let named = |runtime: &Runtime| source.contains(&format!("runtime {}", runtime.as_str()));
    [Runtime::Js2, Runtime::Js1].into_iter().find(named)
}

#[test]
fn no_false_alarm_on_any_ready_made_function() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../edge-functions");
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(entry.path()).unwrap().flatten().map(|file| file.path()) {
            if file.extension().is_none_or(|kind| kind != "js") {
                continue;
            }
            let source = fs::read_to_string(&file).unwrap();
            let Some(runtime) = runtime(&source) else { continue };
            assert_eq!(shown(&source, runtime), [""; 0], "{}", file.display());
            checked += 1;
        }
    }
    assert!(checked >= 15, "{checked}");
}
