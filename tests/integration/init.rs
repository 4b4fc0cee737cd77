//! `edgehook init` writes a project that passes, serves, and is never overwritten.

use crate::harness::{Edge, binary, edge::folder, has_python};
use std::{fs, process::Command};

#[test]
fn a_project_that_works_at_once() {
    let folder = folder(&[("demo/site/index.html", "mine")]);
    let output = Command::new(binary()).args(["init", "demo"]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("wrote  demo/edge.toml") && shown.contains("kept   demo/site/index.html"), "{shown}");
    assert_eq!(fs::read_to_string(folder.path().join("demo/site/index.html")).unwrap(), "mine");
    let check = Command::new(binary())
        .args(["check", "--deny", "warnings"])
        .current_dir(folder.path().join("demo"))
        .output()
        .unwrap();
    assert!(check.status.success(), "{check:?}");
    let test = Command::new(binary()).arg("test").current_dir(folder.path().join("demo")).output().unwrap();
    let shown = String::from_utf8(test.stdout).unwrap();
    assert!(test.status.success() && shown.contains("4 passed, 0 failed"), "{shown}");
    for file in [
        "types/cloudfront-functions.d.ts",
        "types/lambda-edge.d.ts",
        "types/lambda_edge.pyi",
        "jsconfig.json",
        ".edgehook/schema.json",
        ".edgehook/tests.schema.json",
    ] {
        assert!(folder.path().join("demo").join(file).is_file(), "{file}");
    }
    let edge = Edge::run(folder, &["dev", "demo", "--port", "0"]);
    assert_eq!(edge.get("/").text(), "mine");
    assert_eq!(edge.get("/about/").status, 200);
}

#[test]
fn every_template_passes_its_own_tests_and_has_nothing_to_warn_of() {
    for template in ["site", "spa", "ab", "jwt", "api"] {
        let folder = folder(&[]);
        let run = |arguments: &[&str]| {
            let ran = Command::new(binary()).args(arguments).current_dir(folder.path()).env("NO_COLOR", "1").output();
            let ran = ran.unwrap();
            let shown = [ran.stdout, ran.stderr].concat();
            (ran.status.code(), String::from_utf8(shown).unwrap())
        };
        assert_eq!(run(&["init", "--template", template]).0, Some(0));
        let (code, shown) = run(&["check", "--deny", "warnings"]);
        assert_eq!(code, Some(0), "{template}: {shown}");
        let (code, shown) = run(&["test"]);
        assert!(code == Some(0) && shown.contains(" 0 failed in"), "{template}: {shown}");
    }
    let ran = Command::new(binary()).args(["init", "--template", "none"]).output().unwrap();
    let shown = String::from_utf8(ran.stderr).unwrap();
    assert!(ran.status.code() == Some(2) && shown.contains("site, spa, ab, jwt, api"), "{shown}");
}

#[test]
fn a_file_in_the_way_is_an_error() {
    let folder = folder(&[("taken", "x")]);
    let output = Command::new(binary()).args(["init", "taken"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("taken"));
}

#[test]
fn the_schema_is_printed_and_follows_an_upgrade() {
    let folder = folder(&[]);
    let run = |arguments: &[&str]| {
        let output = Command::new(binary()).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let printed = run(&["schema"]);
    assert_eq!(run(&["schema", "config"]), printed);
    let for_tests = run(&["schema", "tests"]);
    let schema: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(schema["properties"]["server"]["$ref"], "#/$defs/Server");
    let written: serde_json::Value = serde_json::from_str(&run(&["init", "--json"])).unwrap();
    assert_eq!((&written["schema"], &written["kept"]), (&1.into(), &serde_json::json!([])));
    assert!(written["wrote"].as_array().unwrap().contains(&"./.edgehook/schema.json".into()), "{written}");
    assert!(
        fs::read_to_string(folder.path().join("edge.toml")).unwrap().starts_with("#:schema ./.edgehook/schema.json\n")
    );
    let file = folder.path().join(".edgehook/schema.json");
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    fs::write(&file, "{}").unwrap();
    let tests = folder.path().join(".edgehook/tests.schema.json");
    assert_eq!(fs::read_to_string(&tests).unwrap(), for_tests);
    let case = fs::read_to_string(folder.path().join("tests/site.toml")).unwrap();
    assert!(case.starts_with("#:schema ../.edgehook/tests.schema.json\n"), "{case}");
    fs::write(&tests, "{}").unwrap();
    run(&["check"]);
    assert_eq!([&file, &tests].map(|file| fs::read_to_string(file).unwrap()), [printed, for_tests.clone()]);
    fs::remove_file(&tests).unwrap();
    run(&["check"]);
    assert_eq!(fs::read_to_string(&tests).unwrap(), for_tests, "a project of before has the one for the configuration");
    fs::remove_file(&file).unwrap();
    fs::remove_file(&tests).unwrap();
    run(&["check"]);
    assert!(!file.exists() && !tests.exists(), "where there was none, none is made");
}

/// What the types accept and refuse, as TypeScript's own compiler sees it. Run with a folder in which `npm install typescript
/// @types/aws-cloudfront-function@1.0.8 @types/aws-lambda@8.10.164` was run:
/// `EDGEHOOK_TYPESCRIPT=FOLDER cargo test -p edgehook --test integration -- --ignored init::types`
#[test]
#[ignore = "needs TypeScript"]
fn types_accept_what_runs_and_public_types_and_refuse_the_rest() {
    let typescript = std::path::PathBuf::from(std::env::var_os("EDGEHOOK_TYPESCRIPT").unwrap());
    let folder = folder(&[]);
    let init = Command::new(binary()).arg("init").current_dir(folder.path()).status().unwrap();
    assert!(init.success());
    let compile = |arguments: &[&str]| {
        let compiler = typescript.join("node_modules/.bin/tsc");
        let output = Command::new(compiler).args(arguments).current_dir(folder.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("functions/more.js", VIEWER);
    assert_eq!(compile(&["-p", "jsconfig.json"]), "");
    write("functions/bad.js", REFUSED);
    let report = compile(&["-p", "jsconfig.json"]);
    for (line, _) in REFUSED.lines().enumerate().filter(|(_, text)| text.contains("// ")) {
        assert!(report.contains(&format!("functions/bad.js({},", line + 1)), "line {}: {report}", line + 1);
    }
    // The same names, and values that move both ways.
    let types = fs::read_to_string(folder.path().join("types/cloudfront-functions.d.ts")).unwrap();
    let end = types.find("/** Lines for the function's log. */").unwrap();
    write("ours.d.ts", &types[..end].replace("AWSCloudFrontFunction", "Ours"));
    write("both.ts", BOTH_WAYS);
    let roots = typescript.join("node_modules/@types");
    let roots = roots.to_str().unwrap();
    std::os::unix::fs::symlink(typescript.join("node_modules"), folder.path().join("node_modules")).unwrap();
    let report = compile(&[
        "--noEmit",
        "--strict",
        "--lib",
        "es2023",
        "--skipLibCheck",
        "--typeRoots",
        roots,
        "--types",
        "aws-cloudfront-function,aws-lambda",
        "both.ts",
        "ours.d.ts",
        "types/lambda-edge.d.ts",
    ]);
    assert_eq!(report, "");
}

const VIEWER: &str = "import cf from 'cloudfront';
import crypto from 'crypto';
import querystring from 'querystring';
const store = cf.kvs();
/** @param {AWSCloudFrontFunction.Event} event */
async function handler(event) {
  const request = event.request;
  if (request.uri.endsWith('/')) request.uri += 'index.html';
  request.headers['x-a'] = { value: request.headers.host.value };
  const text = await store.get('a');
  console.log(text, event.viewer.ip, crypto.createHash('sha256').update(text).digest('hex'), querystring.parse('a=1'));
  cf.updateRequestOrigin({ domainName: 'a.example', hostHeader: 'b.example' });
  return request;
}
";

const REFUSED: &str = "/** @param {AWSCloudFrontFunction.Event} event */
function handler(event) {
  event.request.headers.host = { value: 'x' }; // read-only
  event.request.method = 'POST'; // read-only
  event.response.headers.via = { value: 'x' }; // read-only
  setTimeout(() => 1, 1); // not there
  fetch('x'); // not there
  document.title; // not there
  return event.request;
}
";

const BOTH_WAYS: &str = "import type * as L from 'aws-lambda';
declare const theirs: AWSCloudFrontFunction.Event; declare const ours: Ours.Event;
const a: Ours.Event = theirs; const b: AWSCloudFrontFunction.Event = ours;
const c: (e: AWSCloudFrontFunction.Event) => AWSCloudFrontFunction.Request = (e: Ours.Event): Ours.Request => e.request;
const d: (e: Ours.Event) => Ours.Response = (e: AWSCloudFrontFunction.Event): AWSCloudFrontFunction.Response => e.response;
declare const requestT: L.CloudFrontRequestEvent; declare const requestO: CloudFrontRequestEvent;
const e: CloudFrontRequestEvent = requestT; const f: L.CloudFrontRequestEvent = requestO;
declare const responseT: L.CloudFrontResponseEvent; declare const responseO: CloudFrontResponseEvent;
const g: CloudFrontResponseEvent = responseT; const h: L.CloudFrontResponseEvent = responseO;
declare const resultT: L.CloudFrontRequestResult; declare const resultO: CloudFrontRequestResult;
const i: CloudFrontRequestResult = resultT; const j: L.CloudFrontRequestResult = resultO;
declare const answerT: L.CloudFrontResponseResult; declare const answerO: CloudFrontResponseResult;
const k: CloudFrontResponseResult = answerT; const l: L.CloudFrontResponseResult = answerO;
export { a, b, c, d, e, f, g, h, i, j, k, l };
";

/// Holds the event that it is given, and its context, to the types: every key is declared and of its type, and what is not there need
/// not be.
const HELD: &str = r#"
import typing

def held(value, kind, place):
    origin = typing.get_origin(kind)
    if origin in (typing.NotRequired, typing.Required):
        return held(value, typing.get_args(kind)[0], place)
    if origin is typing.Literal:
        assert value in typing.get_args(kind), f"{place}: {value!r}"
    elif origin is list:
        assert isinstance(value, list), place
        [held(item, typing.get_args(kind)[0], place) for item in value]
    elif origin is dict:
        [held(item, typing.get_args(kind)[1], f"{place}.{key}") for key, item in value.items()]
    elif typing.is_typeddict(kind):
        declared = typing.get_type_hints(kind, include_extras=True)
        assert set(value) <= set(declared), f"{place}: {set(value) - set(declared)} not declared"
        assert kind.__required_keys__ <= set(value), f"{place}: lacks {kind.__required_keys__ - set(value)}"
        [held(item, declared[key], f"{place}.{key}") for key, item in value.items()]
    else:
        assert type(value) is kind, f"{place}: {value!r} is no {kind}"

def lambda_handler(event, context):
    types = {}
    exec(PYI, types)
    response = event["Records"][0]["cf"]["config"]["eventType"].endswith("response")
    held(event, types["CloudFrontResponseEvent" if response else "CloudFrontRequestEvent"], "event")
    for name in types["Context"].__annotations__:
        assert type(getattr(context, name)) is str, name
    assert context.get_remaining_time_in_millis() > 0
    return event["Records"][0]["cf"]["response" if response else "request"]
"#;

#[test]
fn the_types_for_python_are_those_of_its_events() {
    if !has_python() {
        return;
    }
    let project = folder(&[("site/index.html", "x")]);
    let run = |arguments: &[&str]| {
        let ran =
            Command::new(binary()).args(arguments).current_dir(project.path()).env("NO_COLOR", "1").output().unwrap();
        (ran.status.code(), String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap())
    };
    assert_eq!(run(&["init"]).0, Some(0));
    let types = fs::read_to_string(project.path().join("types/lambda_edge.pyi")).unwrap();
    let hooks = ["viewer-request", "origin-request", "origin-response", "viewer-response"];
    let held = |types: &str| {
        fs::write(project.path().join("held.py"), format!("PYI = r\"\"\"{types}\"\"\"\n{HELD}")).unwrap();
        hooks.map(|hook| run(&["invoke", "held", "--hook", hook]))
    };
    let config = "[origin.site]\ndir = \"site\"\n[function.held]\nruntime = \"python\"\nfile = \"held.py\"\n\
                  [[behavior]]\npath = \"*\"\norigin = \"site\"\norigin_request = { function = \"held\", include_body = true }\n";
    fs::write(project.path().join("held.py"), "").unwrap();
    fs::write(project.path().join("edge.toml"), config).unwrap();
    for (hook, (code, shown)) in hooks.iter().zip(held(&types)) {
        assert_eq!(code, Some(0), "{hook}: {shown}");
    }
    for (code, shown) in held(&types.replace("    querystring: str\n", "")) {
        assert!(code == Some(1) && shown.contains("{'querystring'} not declared"), "{shown}");
    }
}
