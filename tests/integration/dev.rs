//! `edgehook dev`: the demo, one line per request, and what a save does.

use crate::harness::{Edge, binary, edge::folder, has_python};
use std::{fs, io::Write as _, process::Command};

#[test]
fn what_a_killed_demo_left_is_taken_away() {
    let scratch = tempfile::tempdir().unwrap();
    let left = scratch.path().join("edgehook-demo-left");
    fs::create_dir_all(left.join("functions")).unwrap();
    let own = |path: &std::path::Path| {
        let names = fs::read_dir(path).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("edgehook-demo-")).count()
    };
    let place = scratch.path().to_owned();
    let edge = Edge::run_in(folder(&[]), scratch, &["dev", "--port", "0"], &[]);
    assert_eq!(edge.get("/").status, 200);
    assert!(!left.exists());
    assert_eq!(own(&place), 1);
}

#[test]
fn the_demo_runs_where_there_is_no_configuration() {
    let edge = Edge::run(folder(&[]), &["dev", "--port", "0"]);
    let first = edge.get("/");
    assert_eq!((first.status, first.x_cache(), first.header("x-edgehook-dev")), (200, "Miss", "1"), "{first:?}");
    let second = edge.get("/");
    assert_eq!(second.x_cache(), "Hit");
    assert_eq!(first.header("x-demo-stored-at"), second.header("x-demo-stored-at"));
    assert_eq!(edge.get("/old-page").header("location"), "/new-page");
    assert_eq!(edge.get("/plain/hello.txt").header("x-demo-viewer"), "");
    let output = edge.says("GET  /old-page          301  generated");
    let line = |what: &str| {
        output.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what} in\n{output}")).to_owned()
    };
    let miss = line("200  miss");
    for part in ["route ", "ask ", "site ", "keep ", "stored 30s", "finish ", "%", " ms"] {
        assert!(miss.contains(part), "{part} in {miss}");
    }
    let hit = line("200  hit");
    assert!(
        hit.contains("age 0") && hit.contains("route ") && hit.contains("finish ") && !hit.contains("ask "),
        "{hit}"
    );
    assert_eq!(output.contains("python     not used"), !has_python(), "{output}");
}

const CONFIG: &str = "version = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n[origin.site]\ndir = \"site\"\n\
[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"functions/f.js\"\nbudget = \"50ms\"\n\
[function.g]\nruntime = \"nodejs\"\nfile = \"functions/g.js\"\n\
[[behavior]]\npath = \"*\"\norigin = \"site\"\nviewer_response = \"f\"\norigin_response = \"g\"\n";

fn viewer(version: &str) -> String {
    format!(
        "function handler(event) {{\n  event.response.headers['x-f'] = {{ value: '{version}' }};\n  return event.response;\n}}\n"
    )
}

fn lambda(version: &str) -> String {
    format!(
        "exports.handler = async (event) => {{ const r = event.Records[0].cf.response;\n  r.headers['x-g'] = [{{ value: '{version}' }}];\n  return r; }};\n"
    )
}

fn project() -> Edge {
    let (f, g) = (viewer("1"), lambda("1"));
    let files = [("edge.toml", CONFIG), ("functions/f.js", &f), ("functions/g.js", &g), ("site/a.txt", "a")];
    Edge::run(folder(&files), &["dev", "--port", "0"])
}

#[test]
fn a_saved_function_or_configuration_is_live() {
    let edge = project();
    let shown = |edge: &Edge| {
        let reply = edge.get("/a.txt");
        (reply.header("x-f").to_owned(), reply.header("x-g").to_owned())
    };
    assert_eq!(shown(&edge), ("1".to_owned(), "1".to_owned()));
    edge.save("functions/f.js", &viewer("2"));
    let output = edge.says("reloaded functions/f.js (#2)");
    assert!(output.contains("cache kept"), "{output}");
    assert_eq!(shown(&edge), ("2".to_owned(), "1".to_owned()));
    edge.save("functions/g.js", &lambda("2"));
    edge.says("reloaded functions/g.js (#3)");
    assert_eq!(shown(&edge), ("2".to_owned(), "2".to_owned()));
    edge.save("site/a.txt", "changed");
    edge.says("changed site/a.txt");
    assert_eq!(edge.get("/a.txt").text(), "changed");
    edge.save("edge.toml", &CONFIG.replace("viewer_response = \"f\"\n", ""));
    edge.says("(#4)");
    assert_eq!(shown(&edge), (String::new(), "2".to_owned()));
}

#[test]
fn a_broken_save_keeps_the_last_good_version() {
    let edge = project();
    edge.save("functions/f.js", "function handler(event) {\n  return event.response;\n}}\n");
    let output = edge.says("not applied; still serving #1");
    assert!(output.contains("functions/f.js:3:") && output.contains("SyntaxError"), "{output}");
    assert_eq!(edge.get("/a.txt").header("x-f"), "1");
    edge.save("functions/f.js", &viewer("2"));
    edge.says("reloaded functions/f.js (#2)");
    edge.save("edge.toml", &CONFIG.replace("origin = \"site\"", "origin = \"sight\""));
    let output = edge.says("not applied; still serving #2");
    assert!(output.contains("did you mean \"site\"?"), "{output}");
    assert_eq!(edge.get("/a.txt").header("x-f"), "2");
    edge.save("edge.toml", CONFIG);
    edge.says("reloaded edge.toml (#3)");
}

#[test]
fn a_function_that_is_broken_from_the_start_can_be_mended() {
    let (bad, g) = ("function handler(event) {", lambda("1"));
    let files = [("edge.toml", CONFIG), ("functions/f.js", bad), ("functions/g.js", &g), ("site/a.txt", "a")];
    let edge = Edge::run(folder(&files), &["dev", "--port", "0"]);
    edge.says("503 until it is mended");
    let reply = edge.get("/a.txt");
    assert_eq!((reply.status, reply.x_cache()), (503, "FunctionExecutionError"));
    edge.save("functions/f.js", &viewer("1"));
    edge.says("reloaded functions/f.js (#2)");
    assert_eq!(edge.get("/a.txt").header("x-f"), "1");
}

#[test]
fn bound_ports_are_written_for_scripts() {
    let edge = project();
    let text = fs::read_to_string(edge.folder().join(".edgehook/dev.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["proxy"][0], format!("http://{}", edge.address()));
    assert!(json["proxy"][1].as_str().unwrap().starts_with("https://127.0.0.1:"));
}

#[test]
fn interrupt_ends_it() {
    let mut edge = project();
    edge.signal(nix::sys::signal::Signal::SIGINT);
    assert_eq!(edge.end(), Some(130));
}

const COUNTRIES: &str = "version = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n[origin.site]\ndir = \"site\"\n\
[origin.app]\nurl = \"http://app.invalid:8080/base\"\nheaders = { x-own = \"1\" }\n\
[origin_request_policy.places]\nheaders = { include = [\"cloudfront-viewer-country\"] }\n\
[dev]\norigin = { site = \"echo\" }\n\
[[behavior]]\npath = \"/app/*\"\norigin = \"app\"\ncache_policy = \"CachingDisabled\"\norigin_request_policy = \"places\"\n\
[[behavior]]\npath = \"*\"\norigin = \"site\"\ncache_policy = \"CachingOptimized\"\n";

fn dev(config: &str, arguments: &[&str]) -> Edge {
    let files = [("edge.toml", config), ("site/a.txt", "a"), ("other/a.txt", "b")];
    Edge::run(folder(&files), &[&["dev", "--port", "0"], arguments].concat())
}

#[test]
fn origins_that_are_not_there_and_those_called_echo_answer_with_the_request() {
    let edge = dev(COUNTRIES, &["--geo", "fr"]);
    let output = edge.says("Times are UTC");
    assert!(output.contains("app → built-in echo server (app.invalid did not resolve)"), "{output}");
    assert!(output.contains("site → built-in echo server\n"), "{output}");
    assert!(output.contains("  viewers    all in FR (--geo)\n"), "{output}");
    let reply = edge.get("/app/x?y=1");
    let told: serde_json::Value = serde_json::from_str(&reply.text()).unwrap();
    let field = |name: &str| told["headers"][name].clone();
    assert_eq!(
        (&told["origin"], &told["method"], &told["path"]),
        (&"app".into(), &"GET".into(), &"/base/app/x".into())
    );
    assert_eq!((field("host"), field("x-own")), ("app.invalid:8080".into(), "1".into()), "{told:#}");
    assert_eq!(field("cloudfront-viewer-country"), "FR", "all viewers are where they are said to be");
    // An echo is stored as the policy says, and what was saved since then is put in its place.
    assert_eq!(
        (edge.get("/a.txt").x_cache().to_owned(), edge.get("/a.txt").x_cache().to_owned()),
        ("Miss".into(), "Hit".into())
    );
    edge.save("edge.toml", &COUNTRIES.replace("[dev]\norigin = { site = \"echo\" }\n", ""));
    edge.says("reloaded edge.toml");
    assert_eq!(edge.get("/a.txt").text(), "a");
}

#[test]
fn the_command_line_replaces_and_slows_origins_also_after_a_save() {
    let edge = dev(COUNTRIES, &["--origin", "site=other", "--latency", "app=1ms", "--latency", "site=50ms"]);
    let output = edge.says("Times are UTC");
    assert!(output.contains("site → ./other (folder)  +50 ms (--latency)"), "{output}");
    assert!(!output.contains("--no-cache") && !output.contains("--geo"), "{output}");
    assert_eq!(edge.get("/a.txt").text(), "b");
    edge.save("edge.toml", &COUNTRIES.replace("CachingOptimized", "CachingDisabled"));
    edge.says("reloaded edge.toml");
    assert_eq!(edge.get("/a.txt").text(), "b");
    let output = edge.says("200  bypass");
    let took = output.lines().rev().find(|line| line.contains("bypass")).unwrap();
    let took: f64 = took.split("  site ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(took >= 50.0, "{output}");
}

#[test]
fn what_the_command_line_cannot_mean_is_said() {
    for (argument, said) in [
        ("--origin=sight=echo", "there is no origin \"sight\"; origins: site, app"),
        ("--origin=site", "write --origin NAME=DIR|echo|URL"),
        ("--origin=site=nowhere", "\"nowhere\" is no folder; write a folder, \"echo\" or a URL"),
        ("--origin=site=ftp://x", "\"ftp://x\": must begin with http:// or https://"),
        ("--latency=app=long", "\"long\" is no time; write --latency app=200ms"),
        ("--latency=none=1s", "there is no origin \"none\""),
        ("--geo=France", "\"France\" is no country"),
    ] {
        let project = folder(&[("edge.toml", COUNTRIES), ("site/a.txt", "a")]);
        let ran = Command::new(binary()).args(["dev", argument]).current_dir(project.path()).output().unwrap();
        let errors = String::from_utf8(ran.stderr).unwrap();
        assert!(ran.status.code() == Some(2) && errors.contains(said), "{argument}: {errors}");
    }
}

#[test]
fn the_cache_can_be_switched_off() {
    let edge = dev(COUNTRIES, &["--no-cache", "--origin", "site=echo"]);
    edge.says("  cache      off: every request goes to its origin (--no-cache)\n");
    for _ in 0..2 {
        let reply = edge.get("/a.txt");
        assert_eq!(reply.x_cache(), "Miss");
        assert!(reply.header("cache-status").contains("fwd=bypass; detail=paused"), "{reply:?}");
    }
    edge.says("bypass       site");
}

#[test]
fn keys_of_the_terminal() {
    let test = "[[test]]\nname = \"a\"\norigin.site = { status = 200 }\nrequest = { uri = \"/a.txt\" }\nexpect = { status = 200 }\n";
    let project = folder(&[("edge.toml", COUNTRIES), ("site/a.txt", "a"), ("tests/site.toml", test)]);
    let (mut edge, mut terminal) = Edge::run_on_terminal(project, &["dev", "--port", "0"]);
    edge.says("keys: [t]ests  [c]lear cache  [p]ause cache  [r]eload  [q]uit");
    let mut press = |key: &str| terminal.write_all(key.as_bytes()).unwrap();
    let outcome = |edge: &Edge| edge.get("/a.txt").header("cache-status").to_owned();
    assert!(outcome(&edge).contains("fwd=uri-miss") && outcome(&edge).contains("; hit"));
    press("x");
    press("p");
    edge.says("cache paused");
    assert!(outcome(&edge).contains("detail=paused"));
    press("p");
    edge.says("cache in use");
    assert!(outcome(&edge).contains("; hit"), "what was stored is still there");
    press("c");
    edge.says("cache cleared");
    assert!(outcome(&edge).contains("fwd=uri-miss"));
    press("r");
    edge.says("reloaded edge.toml (#2)");
    press("t");
    let output = edge.says("tests passed");
    assert!(output.contains("1 passed"), "{output}");
    press("q");
    assert_eq!(edge.end(), Some(0));
}
