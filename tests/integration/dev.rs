//! `edgehook dev`: the demo, one line per request, and what a save does.

use crate::harness::{Edge, edge::folder, has_python};
use std::fs;

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
