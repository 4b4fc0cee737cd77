//! Module forms, `require` and `import`, and functions that do not load.

use crate::harness::{Code, gist};

fn answers(code: Code, expected: &str) {
    assert_eq!(code.once().as_deref(), Ok(expected));
}

#[test]
fn every_module_form() {
    for (main, source) in [
        ("index.js", "exports.handler = async () => 1"),
        ("index.cjs", "module.exports = {handler: async () => 1}"),
        ("index.js", "#!/usr/bin/env node\n'use strict';\nmodule.exports.handler = async () => 1"),
        ("index.js", "exports.default = {handler: async () => 1}"),
        ("index.js", "export const handler = async () => 1"),
        ("index.mjs", "export async function handler() { return 1 }"),
        ("index.js", "export default {handler: async () => 1}"),
        ("index.js", "const handler = async () => 1;\nexport { handler }"),
        (
            "index.mjs",
            "const one = await new Promise((done) => setTimeout(done, 2, 1)); export const handler = async () => one",
        ),
    ] {
        answers(Code::new(main, source), "1");
    }
    answers(Code::js("exports.a = {b: async () => 2}").handler("a.b"), "2");
}

#[test]
fn files_beside_the_function() {
    let code = Code::js(
        "const {greet} = require('./lib/greet'); const settings = require('./settings.json');
         const again = require('./lib/greet.js'); const inner = require('./lib');
         exports.handler = async () => [greet(settings.who), again.count(), inner.up, require.main === module, __filename === '/var/task/index.js']",
    )
    .file("lib/greet.js", "let n = 0; exports.greet = (who) => { n += 1; return `hello ${who}` }; exports.count = () => n")
    .file("lib/index.js", "module.exports = {up: require('../settings').who}")
    .file("settings.json", r#"{"who":"wörld"}"#);
    answers(code, r#"["hello wörld",1,"wörld",true,true]"#);
}

#[test]
fn a_function_sees_its_files_where_lambda_has_them() {
    let code = Code::js(
        "const first = require('./lib/a'); const again = require(__dirname + '/lib/a.js');
         delete require.cache[require.resolve('./lib/a')]; const anew = require('/var/task/lib/a');
         exports.handler = async () => [first.at, first === again, first === anew, anew.at, module.id, process.cwd(),
             require.resolve('./lib/a'), Object.keys(require.cache).sort()]",
    )
    .file("lib/a.js", "exports.at = [__dirname, __filename, module.filename]");
    answers(
        code,
        r#"[["/var/task/lib","/var/task/lib/a.js","/var/task/lib/a.js"],true,false,["/var/task/lib","/var/task/lib/a.js","/var/task/lib/a.js"],"/var/task/index.js","/var/task","/var/task/lib/a.js",["/var/task/index.js","/var/task/lib/a.js"]]"#,
    );
}

#[test]
fn imports_of_every_form() {
    let code = Code::new(
        "index.mjs",
        "import qs, { stringify } from 'node:querystring'; import { one } from './one.mjs'; import two from './two.cjs';
         import { also } from './two.cjs'; import settings from './settings.json' with { type: 'json' };
         const three = await import('./three.js');
         export const handler = async () => [qs.parse('a=1').a, stringify({b: 2}), one, two.two, also, settings.who, three.default]",
    )
    .file("one.mjs", "export const one = 'one'")
    .file("two.cjs", "exports.two = 'two'; exports.also = 'also'")
    .file("three.js", "export default 'three'")
    .file("settings.json", r#"{"who":"me"}"#);
    answers(code, r#"["1","b=2","one","two","also","me","three"]"#);
}

#[test]
fn modules_that_are_not_there() {
    for (source, name) in [
        ("const net = require('net')", "'net': it is not available in the boa engine"),
        ("require('aws-sdk')", "'aws-sdk' in node_modules of the function's folder"),
        ("require('./missing')", "'./missing' in the function's folder"),
        ("require('../../etc/passwd')", "'../../etc/passwd' in the function's folder"),
        ("import net from 'node:net'", "'node:net': it is not available in the boa engine"),
        ("import x from './missing.mjs'", "'./missing.mjs' in the function's folder"),
    ] {
        let error = Code::js(&format!("{source}\nexport const handler = 1")).refused();
        let common = Code::js(&format!("{source}\nexports.handler = 1"));
        let error = if source.starts_with("import") { error } else { common.refused() };
        assert_eq!(error.kind, "Runtime.ImportModuleError", "{source}: {error:?}");
        assert!(error.message.contains(name), "{source}: {}", error.message);
    }
    // Code that can do without finds out as in Node.
    let source =
        "let net; try { net = require('net') } catch (error) { net = error.code }; exports.handler = async () => net";
    answers(Code::js(source), r#""MODULE_NOT_FOUND""#);
}

#[test]
fn syntax_errors_have_their_place() {
    for (main, source, place) in [
        ("index.js", "let a = ;", "/index.js:1:9)"),
        ("index.js", "'use strict';\nexports.handler = async () => {\n  return 1 +;\n}", "/index.js:3:13)"),
        ("index.js", "export const a = 1;\nlet 1x;", "/index.js:2:6)"),
        ("index.mjs", "export const = 1", "/index.mjs:1:14)"),
        ("index.js", "exports.handler = () => {", "/index.js:1:26)"),
    ] {
        let error = Code::new(main, source).refused();
        assert_eq!(error.kind, "Runtime.UserCodeSyntaxError", "{source}");
        assert!(error.message.ends_with(place), "{source}: {}", error.message);
    }
    let error = Code::js("require('./broken')").file("broken.js", "\n)").refused();
    assert!(error.kind == "Runtime.UserCodeSyntaxError" && error.message.ends_with("/broken.js:2:1)"), "{error:?}");
}

#[test]
fn functions_that_do_not_load() {
    let refused = |source: &str, handler: &str| {
        let error = Code::js(source).handler(handler).refused();
        let (kind, message) = gist(&error);
        (kind.to_owned(), message.rsplit('/').next().unwrap().to_owned())
    };
    let case = |kind: &str, message: &str| (kind.to_owned(), message.to_owned());
    let missing = case("Runtime.HandlerNotFound", "index.js: handler is undefined or not exported");
    assert_eq!(refused("exports.other = 1", "handler"), missing);
    assert_eq!(refused("export const other = 1", "handler"), missing);
    let kind = case("Runtime.HandlerNotFound", "index.js: handler is not a function");
    assert_eq!(refused("exports.handler = 1", "handler"), kind);
    assert_eq!(refused("", "../a.b").0, "Runtime.MalformedHandlerName");
    assert_eq!(refused("throw new RangeError('top')", "handler"), case("RangeError", "top"));
    assert_eq!(refused("export const a = 1; throw new RangeError('top')", "handler"), case("RangeError", "top"));
    assert_eq!(refused("throw 'text'", "handler"), case("string", "text"));
    assert_eq!(refused("await new Promise(() => {}); export {}", "handler").0, "Runtime.NodeJsExit");
    assert_eq!(
        refused("Promise.reject(new Error('x')); exports.handler = () => 1", "handler").0,
        "Runtime.UnhandledPromiseRejection"
    );
}
