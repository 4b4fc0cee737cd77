//! Every verb as its user sees it: the whole of what it prints for people, once where it succeeds and once where it fails,
//! with the exit code; and its JSON, as `proxy/schemas/verbs.json` publishes it.
//!
//! What people see is compared with the transcripts in `verbs/NAME.txt`: after each command its output, lines of standard error
//! behind `! `, and the exit code if it is not 0. What changes from run to run has become a word in capitals. After a change of
//! wording, `EDGEHOOK_BLESS=1 cargo nextest run -p edgehook --test integration -E 'test(verbs)'` writes them anew, for review.
//! Deliberately absent: what `edgehook test` tells people, whose whole output `tests.rs` compares.

mod terminal;

use crate::harness::{Answer, Edge, Origin, binary, eventually, folder, pem};
use regex::Regex;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};
use terminal::{Terminal, holds, schema};

const SITE: &str = "version = 1\n[server]\nlisten = [\"http://127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:1\"\n\
                    [origin.site]\ndir = \"site\"\n\
                    [function.rewrite]\nruntime = \"cloudfront-js-2.0\"\nfile = \"rewrite.js\"\nbudget = \"50ms\"\n\
                    [[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_request = \"rewrite\"\n";
const REWRITE: &str = "function handler(event) {\n\
    \x20 var request = event.request;\n\
    \x20 console.log('saw ' + request.uri);\n\
    \x20 if (request.uri === '/broken') return 7;\n\
    \x20 if (request.uri.endsWith('/')) request.uri += 'index.html';\n\
    \x20 return request;\n}\n";
const BROKEN: &str = "version = 1\n[origin.site]\ndir = \"site\"\n[[behavior]]\npath = \"*\"\norigin = \"sight\"\n";

/// A folder with a configuration that passes, and `broken.toml`, which does not.
fn project(more: &[(&str, &str)]) -> tempfile::TempDir {
    let files = [("edge.toml", SITE), ("broken.toml", BROKEN), ("rewrite.js", REWRITE), ("site/index.html", "hello\n")];
    folder(&[&files, more].concat())
}

#[test]
fn check() {
    let project = project(&[("unloadable.js", "function handler(event) {\n  return }}\n")]);
    fs::write(project.path().join("unloadable.toml"), SITE.replace("rewrite.js", "unloadable.js")).unwrap();
    let mut terminal = Terminal::new(project.path());
    terminal.types("check", 0);
    terminal.types("check --config broken.toml", 2);
    terminal.types("check --config unloadable.toml", 2);
    terminal.types("check --config nothing.toml", 2);
    terminal.types("check --config broken.toml --format github", 2);
    terminal.types("serve --config broken.toml", 2);
    terminal.types("dev --config broken.toml", 2);
    terminal.shows("check");
    assert_eq!(terminal.json("check", "check", 0)["ok"], true);
    assert_eq!(terminal.json("check", "check --show", 0)["config"]["trace"]["keep"], 1000);
    for broken in ["broken.toml", "unloadable.toml", "nothing.toml"] {
        let told = terminal.json("check", &format!("check --config {broken}"), 2);
        assert!(told["ok"] == false && told["problems"].as_array().unwrap().len() == 1, "{told:#}");
    }
}

#[test]
fn init() {
    let project = folder(&[("file", "in the way")]);
    let mut terminal = Terminal::new(project.path());
    terminal.types("init shop", 0);
    terminal.types("init shop", 0);
    terminal.types("init file", 2);
    terminal.shows("init");
    let told = terminal.json("init", "init other --template api", 0);
    assert!(told["kept"].as_array().unwrap().is_empty() && told["wrote"].as_array().unwrap().len() > 5, "{told:#}");
    assert_eq!(terminal.json("init", "init other --template api", 0)["kept"], told["wrote"]);
    terminal.no_json("init file", 2, "file: ");
}

#[test]
fn schema_and_completions() {
    let project = project(&[]);
    let mut terminal = Terminal::new(project.path());
    terminal.types("completions cobol", 2);
    terminal.types("schema --json", 2);
    terminal.types("schema nonsense", 2);
    terminal.shows("completions");
    let (code, printed, _) = terminal.run("schema");
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert!(jsonschema::meta::is_valid(&schema("verbs.json")), "so is what the verbs print");
    assert!(code == 0 && jsonschema::meta::is_valid(&printed), "a schema");
    let config: Value = toml::from_str(SITE).unwrap();
    assert!(jsonschema::is_valid(&printed, &config), "which a configuration passes");
    for (shell, begins) in [("bash", "_edgehook() {"), ("zsh", "#compdef edgehook"), ("fish", "# Print an optspec")] {
        let (code, script, _) = terminal.run(&format!("completions {shell}"));
        assert!(code == 0 && script.starts_with(begins) && script.contains("purge"), "{shell}: {script}");
    }
}

#[test]
fn doctor() {
    let project = project(&[]);
    let mut terminal = Terminal::new(project.path());
    terminal.types("doctor", 0);
    terminal.types("doctor --config broken.toml", 1);
    // What a machine has is its own affair, and whether Python was there when this was built.
    let own = Regex::new(
        r"(?m)^  (\S+(?: program)?) +(?:FOLDER/)?(active|starts|works|missing: .*|[0-9]+.*|/.*|x86_64.*|aarch64.*)$",
    )
    .unwrap();
    let python = Regex::new(r"(?m)^  python.*\n|^environments of Python functions\n(?:  .*\n)*").unwrap();
    terminal.transcript = own.replace_all(&terminal.transcript, "  $1 STATE").into_owned();
    terminal.transcript = python.replace_all(&terminal.transcript, "").into_owned();
    terminal.shows("doctor");
    terminal.json("doctor", "doctor", 0);
    let told = terminal.json("doctor", "doctor --config broken.toml", 1);
    assert!(told.to_string().contains("\"state\":\"broken\""), "{told:#}");
}

#[test]
fn reload_and_purge() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let site = |url: &str| format!("[origin.app]\nurl = \"{url}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n");
    let edge = Edge::start(&site(&origin.url()), &[]);
    let mut terminal = Terminal::at(&edge);
    assert_eq!((edge.get("/a").status, edge.get("/b").status), (200, 200));
    eventually("both are stored", || {
        let told = terminal.json("purge", "purge --all --dry-run --admin ADMIN", 0);
        (told["objects"] == 2).then_some(())
    });
    terminal.types("purge /a --dry-run --admin ADMIN", 0);
    terminal.types("purge /a --admin ADMIN", 0);
    terminal.types("purge --all --wait --admin ADMIN", 0);
    terminal.types("purge --admin ADMIN", 2);
    terminal.types("purge --group feed --admin ADMIN", 2);
    terminal.types("purge --all --admin http://127.0.0.1:1", 3);
    terminal.shows("purge");
    assert_eq!(terminal.json("purge", "purge /a --dry-run --admin ADMIN", 0)["dry_run"], true);
    assert_eq!(terminal.json("purge", "purge /a --soft --admin ADMIN", 0)["soft"], true);
    assert_eq!(terminal.json("purge", "purge --all --wait --admin ADMIN", 0)["objects"], 0);
    terminal.no_json("purge", 2, "nothing to purge");

    let mut terminal = Terminal::at(&edge);
    terminal.types("reload --admin ADMIN", 0);
    assert_eq!(terminal.json("reload", "reload --admin ADMIN", 0), json!({ "schema": 1, "config": 3 }));
    edge.save_config("listen = [\"http://127.0.0.1:0\"]", &site("nowhere"));
    terminal.types("reload --admin ADMIN", 2);
    terminal.types("reload --admin http://127.0.0.1:1", 3);
    terminal.shows("reload");
    terminal.no_json("reload --admin ADMIN", 2, "error");
}

#[test]
fn sign() {
    let keys = "[key_group.downloads]\nkeys = { K1 = \"rsa.pem\" }\n";
    let (public, private, other) = (pem("rsa.pub"), pem("rsa"), pem("p256"));
    let project = project(&[("rsa.pem", &public), ("rsa.key", &private), ("other.key", &other)]);
    fs::write(project.path().join("edge.toml"), format!("{SITE}{keys}")).unwrap();
    let mut terminal = Terminal::new(project.path());
    let url = "sign https://www.example.com/a?x=1 --expires 2000000000";
    let good = format!("{url} --key-group downloads --private-key rsa.key");
    terminal.types(&good, 0);
    terminal.types(&format!("{good} --cookies"), 0);
    terminal.types(&format!("{url} --key-group downloads --private-key other.key"), 2);
    terminal.types(&format!("{url} --key-group uploads --private-key rsa.key"), 2);
    terminal.types(&format!("{url} --key-group downloads --private-key missing.key"), 2);
    terminal.shows("sign");
    assert!(terminal.json("sign", &good, 0)["url"].as_str().unwrap().contains("Expires=2000000000"));
    assert_eq!(terminal.json("sign", &format!("{good} --cookies"), 0)["set_cookie"].as_array().unwrap().len(), 4);
    terminal.no_json(&format!("{url} --key-group uploads --private-key rsa.key"), 2, "there is no key group");
}

#[test]
fn jwt() {
    let authorizer = "[authorizer.staff]\nsecret = \"0123456789abcdef0123456789abcdef\"\nalgorithms = [\"HS256\"]\n\
                      issuer = \"https://id.example.com\"\naudience = \"shop\"\n";
    let project = project(&[]);
    fs::write(project.path().join("edge.toml"), format!("{SITE}{authorizer}")).unwrap();
    let mut terminal = Terminal::new(project.path());
    let times = "--claim iat=1900000000 --claim exp=1900003600";
    terminal.types(&format!("jwt mint --authorizer staff {times}"), 0);
    terminal.types("jwt mint --key staff.pem --kid k1", 0);
    terminal.types("jwt mint", 2);
    terminal.types("jwt mint --authorizer stuff", 2);
    let token = terminal.json("jwt_mint", &format!("jwt mint --authorizer staff {times}"), 0)["token"].clone();
    let token = token.as_str().unwrap();
    terminal.no_json("jwt mint --authorizer stuff", 2, "there is no authorizer");
    let inspect = format!("jwt inspect {token} --at");
    terminal.types(&format!("{inspect} 1900000010"), 0);
    terminal.types(&format!("{inspect} 1900009999"), 1);
    terminal.types("jwt inspect nothing", 1);
    terminal.types(&format!("{inspect} 1900000010 --authorizer stuff"), 2);
    terminal.transcript = terminal.normal(&terminal.transcript);
    terminal.shows("jwt");
    assert_eq!(terminal.json("jwt_inspect", &format!("{inspect} 1900000010"), 0)["verdict"], "accepted");
    assert_eq!(terminal.json("jwt_inspect", &format!("{inspect} 1900009999"), 1)["verdict"], "refused");
}

#[test]
fn kv() {
    let data = "{\"data\":[{\"key\":\"a\",\"value\":\"1\"},{\"key\":\"b\",\"value\":\"2\"}]}";
    let project = project(&[("data.json", data), ("bad.json", "{\"data\":[{\"key\":\"a\"}]}")]);
    fs::write(project.path().join("edge.toml"), format!("{SITE}[kvs.redirects]\n")).unwrap();
    let mut terminal = Terminal::new(project.path());
    for (arguments, code) in [
        ("import redirects data.json", 0),
        ("import redirects bad.json", 2),
        ("put redirects c 3", 0),
        ("put redirects c 3", 0),
        ("put reroutes c 3", 2),
        ("get redirects c", 0),
        ("get redirects d", 1),
        ("rm redirects c", 0),
        ("rm redirects c", 1),
        ("ls redirects", 0),
        ("ls reroutes", 2),
        ("ls", 0),
        ("export redirects", 0),
        ("export reroutes", 2),
    ] {
        terminal.types(&format!("kv {arguments}"), code);
    }
    terminal.shows("kv");
    assert_eq!(terminal.json("kv_get", "kv get redirects a", 0)["value"], "1");
    assert_eq!(terminal.json("kv_get", "kv get redirects d", 1)["value"], Value::Null);
    assert_eq!(terminal.json("kv_edit", "kv put redirects c 4", 0)["put"], 1);
    assert_eq!(terminal.json("kv_edit", "kv rm redirects c", 0)["removed"], 1);
    assert_eq!(terminal.json("kv_edit", "kv rm redirects c", 1)["removed"], 0);
    terminal.json("kv_edit", "kv import redirects data.json", 0);
    assert_eq!(terminal.json("kv_ls", "kv ls redirects", 0)["keys"], json!(["a", "b"]));
    assert_eq!(terminal.json("kv_ls", "kv ls", 0)["stores"][0]["keys"], 2);
    terminal.json("kv_export", "kv export redirects", 0);
    for refused in ["put reroutes c 3", "get reroutes c", "rm reroutes c", "ls reroutes", "export reroutes"] {
        terminal.no_json(&format!("kv {refused}"), 2, "reroutes");
    }
    terminal.no_json("kv import redirects bad.json", 2, "bad.json");
}

#[test]
fn experiment_status() {
    let origin = Origin::start(|_| Answer::cached("x"));
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[experiment.colour]\nassign = \"cookie:ab\"\nvariants = {{ control = 3, new = {{ weight = 1, \
         headers = {{ x-v = \"new\" }} }} }}\n[[behavior]]\npath = \"*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\n",
        origin.url()
    );
    let edge = Edge::start(&config, &[]);
    let mut terminal = Terminal::at(&edge);
    for _ in 0..2 {
        assert_eq!(edge.get_with("/", &[("cookie", "ab=new")]).status, 200);
    }
    let told = eventually("both are counted", || {
        let told = terminal.json("experiment_status", "experiment status --admin ADMIN", 0);
        (told["experiments"][0]["variants"][1]["requests"] == 2).then_some(told)
    });
    assert_eq!(told["experiments"][0]["sample_ratio"], json!({ "verdict": "too-few" }));
    terminal.types("experiment status colour --admin ADMIN", 0);
    terminal.types("experiment status color --admin ADMIN", 2);
    terminal.types("experiment status --admin http://127.0.0.1:1", 3);
    terminal.shows("experiment");
    terminal.no_json("experiment status color --admin ADMIN", 2, "experiments: colour");
}

#[test]
fn invoke_and_test() {
    let lambda =
        "exports.handler = async (event) => {\n  console.log('seen');\n  return event.Records[0].cf.request;\n};\n";
    let case = "[[test]]\nname = \"index\"\norigin.site = { status = 200 }\nrequest = { uri = \"/\" }\nexpect = { status = 200 }\n\
                [[test]]\nname = \"nothing\"\norigin.site = { status = 404 }\nrequest = { uri = \"/none\" }\nexpect = { status = 200 }\n";
    let event = |uri: &str| {
        format!(
            "{{\"version\":\"1.0\",\"context\":{{\"eventType\":\"viewer-request\"}},\"viewer\":{{\"ip\":\"1.2.3.4\"}},\
                 \"request\":{{\"method\":\"GET\",\"uri\":\"{uri}\",\"querystring\":{{}},\"headers\":{{}},\"cookies\":{{}}}}}}"
        )
    };
    let project = project(&[("origin.js", lambda), ("tests/site.toml", case), ("broken.json", &event("/broken"))]);
    let function = "[function.origin]\nruntime = \"nodejs\"\nfile = \"origin.js\"\n[function.thrower]\nruntime = \"nodejs\"\nfile = \"thrower.js\"\n";
    fs::write(project.path().join("thrower.js"), "exports.handler = async () => {\n  throw new Error('no');\n};\n")
        .unwrap();
    fs::write(project.path().join("edge.toml"), format!("{SITE}origin_request = \"origin\"\n{function}")).unwrap();
    let mut terminal = Terminal::new(project.path());
    terminal.types("invoke rewrite", 0);
    terminal.types("invoke rewrite broken.json", 1);
    terminal.types("invoke origin", 0);
    terminal.types("invoke thrower --hook origin-request", 1);
    terminal.types("invoke rewrote", 2);
    terminal.shows("invoke");
    assert_eq!(terminal.json("invoke", "invoke rewrite", 0)["TestResult"]["FunctionErrorMessage"], "");
    assert_eq!(terminal.json("invoke", "invoke rewrite broken.json", 1)["TestResult"]["FunctionOutput"], "");
    assert_eq!(terminal.json("invoke_lambda", "invoke origin", 0)["method"], "GET");
    terminal.no_json("invoke rewrote", 2, "there is no function");
    assert_eq!(
        terminal.json("invoke_lambda", "invoke thrower --hook origin-request", 1)["errorType"],
        "ExecutionError"
    );
    let told = terminal.json("test", "test", 1);
    assert_eq!((&told["passed"], &told["failed"]), (&json!(1), &json!(1)));
    assert_eq!(terminal.json("test", "test index", 0)["failed"], 0);
    terminal.no_json("test --config broken.toml", 2, "error[E102]");
}

#[test]
fn explain() {
    let project = project(&[]);
    let mut terminal = Terminal::new(project.path());
    terminal.types("explain --offline http://www.example.com/shop/?page=2 -H accept-encoding:br", 0);
    terminal.types("explain --offline http://www.example.com/broken", 0);
    terminal.types("explain --offline /shop", 2);
    terminal.types("explain --live http://www.example.com/ --admin http://127.0.0.1:1", 3);
    terminal.types("explain E102", 0);
    terminal.types("explain E999", 2);
    terminal.shows("explain");
    assert_eq!(terminal.json("explain", "explain --offline http://www.example.com/", 0)["outcome"], "miss");
    assert_eq!(terminal.json("explain", "explain --offline http://www.example.com/broken", 0)["outcome"], "error");
    terminal.no_json("explain --offline /shop", 2, "is no URL");
    assert_eq!(terminal.json("explain_code", "explain e102", 0)["code"], "E102");
    terminal.no_json("explain E999", 2, "there is no code E999");
}

#[test]
fn serve_and_trace() {
    let edge = recording();
    let mut terminal = Terminal::at(&edge);
    terminal.starts("serve", &edge, "admin");
    for path in ["/", "/broken"] {
        edge.get(path);
        let trace = format!("trace --url {path} --admin ADMIN");
        eventually("it is recorded", || (terminal.run(&trace).0 == 0).then_some(()));
        terminal.types(&trace, 0);
        assert_eq!(terminal.json("trace", &trace, 0)["target"], path);
    }
    terminal.types("trace --url /never --admin ADMIN", 1);
    terminal.types("trace --last --admin http://127.0.0.1:1", 3);
    terminal.shows("trace");
    terminal.no_json("trace --url /never --admin ADMIN", 1, "no record of such a request");
}

#[test]
fn dev() {
    let edge = Edge::run(project(&[]), &["dev", "--port", "0"]);
    edge.says("Ctrl-C ends");
    let mut terminal = Terminal::at(&edge);
    terminal.starts("dev --port 0", &edge, "Ctrl-C");
    terminal.types("dev nowhere", 2);
    terminal.shows("dev");
}

#[test]
fn tail() {
    let edge = recording();
    let mut terminal = Terminal::at(&edge);
    let follow = |more: &[&str]| {
        let address = format!("http://{}", edge.admin_address());
        let mut command = Command::new(binary());
        command
            .args(["tail", "--path", "/broken", "--admin", &address])
            .args(more)
            .current_dir(edge.folder())
            .env("NO_COLOR", "1");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (mut lines, (send, heard)) = (BufReader::new(child.stdout.take().unwrap()).lines(), mpsc::channel());
        let reading = thread::spawn(move || send.send(lines.next().unwrap().unwrap()).unwrap());
        // Nobody knows when it listens; ask until it has heard.
        let line = eventually("a request is told", || {
            edge.get("/broken");
            heard.try_recv().ok()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        reading.join().unwrap();
        line
    };
    let told = terminal.normal(&follow(&[]));
    let _ = writeln!(terminal.transcript, "$ edgehook tail --path /broken --admin ADMIN\n{told}");
    terminal.types("tail --admin http://127.0.0.1:1", 3);
    terminal.shows("tail");
    holds("tail", &serde_json::from_str(&follow(&["--json"])).unwrap());
    terminal.no_json("tail --admin http://127.0.0.1:1", 3, "no node answers");
}

/// A node that records every request.
fn recording() -> Edge {
    let project = project(&[]);
    let node = SITE.replace("127.0.0.1:1\"", "127.0.0.1:0\"") + "[trace]\nsample = 1\n";
    fs::write(project.path().join("edge.toml"), node).unwrap();
    Edge::run(project, &["serve", "--config", "edge.toml"])
}
