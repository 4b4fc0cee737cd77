//! `edge.json` and `edge.jsonc` in the place of `edge.toml`: found, served, watched, and told of by line.

use crate::harness::{Edge, binary, edge::folder, eventually};
use std::{fs, path::Path, process::Command};

const CONFIG: &str = r#"{
  // What editors know the keys from.
  "$schema": "./.edgehook/schema.json",
  "server": { "listen": ["http://127.0.0.1:0"] },
  "admin": { "listen": "127.0.0.1:0" },
  "origin": { "site": { "dir": "site" } },
  "cache_policy": { "p": { "ttl": { "default": "60s" }, "query": { "include": ["page"] } } },
  "behavior": [
    { "path": "*", "origin": "site", "cache_policy": "p" },
  ],
}
"#;

fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let ran = Command::new(binary()).args(arguments).current_dir(folder).env("NO_COLOR", "1").output().unwrap();
    (ran.status.code().unwrap(), String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap())
}

#[test]
fn every_verb_finds_it_here_or_above() {
    for name in ["edge.json", "edge.jsonc"] {
        let project = folder(&[(name, CONFIG), ("site/a.txt", "a"), ("below/x", ""), ("tests/t.toml", TEST)]);
        let (code, shown) = run(project.path(), &["check", "--deny", "warnings"]);
        assert_eq!((code, shown.as_str()), (0, &*format!("{name}: ok  1 behavior · 1 origin · 0 functions\n")));
        let (code, shown) = run(&project.path().join("below"), &["check"]);
        assert!(code == 0 && shown.contains(&format!("/{name}: ok")), "{shown}");
        let (code, shown) = run(project.path(), &["test"]);
        assert!(code == 0 && shown.contains("1 passed, 0 failed"), "{shown}");
        let (code, shown) = run(project.path(), &["explain", "--offline", "http://localhost/a.txt?page=1"]);
        assert!(
            code == 0 && shown.contains(&format!("({name}:9)")) && shown.contains(&format!("({name}:7)")),
            "{shown}"
        );
        let (code, shown) = run(project.path(), &["schema"]);
        let schema: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert!(code == 0 && schema["properties"]["$schema"].is_object());
    }
}

const TEST: &str =
    "[[test]]\nname = \"a\"\norigin.site = { body = \"x\" }\nrequest.uri = \"/a\"\nexpect.body = \"x\"\n";

#[test]
fn two_side_by_side_are_refused_unless_one_is_named() {
    let project = folder(&[("edge.json", CONFIG), ("edge.toml", "version = 1\n"), ("site/a.txt", "a")]);
    for verb in ["check", "serve", "dev", "test", "tail"] {
        let (code, shown) = run(project.path(), &[verb]);
        let expected = "there are both edge.toml and edge.json; remove one of them, or name one with --config FILE";
        assert!(code == 2 && shown.contains(expected), "{verb}: {code} {shown}");
    }
    let (code, shown) = run(project.path(), &["dev", "."]);
    assert!(code == 2 && shown.contains("there are both ./edge.toml and ./edge.json"), "{shown}");
    let (code, shown) = run(project.path(), &["doctor"]);
    assert!(code == 1 && shown.contains("there are both edge.toml and edge.json"), "{shown}");
    assert_eq!(run(project.path(), &["check", "--config", "edge.json"]).0, 0);
}

#[test]
fn it_is_served_and_read_again_when_it_is_saved() {
    let edge = Edge::run(folder(&[("edge.json", CONFIG), ("site/a.txt", "a")]), &["dev", ".", "--port", "0"]);
    assert_eq!((edge.get("/a.txt").text().as_str(), edge.get("/a.txt").x_cache()), ("a", "Hit"));
    edge.save("edge.json", &CONFIG.replace("\"cache_policy\": \"p\" }", "\"cache_policy\": \"CachingDisabled\" }"));
    eventually("the change is live", || (edge.get("/a.txt").x_cache() == "Miss").then_some(()));
    edge.save("edge.json", &CONFIG.replace("\"origin\": \"site\"", "\"origin\": \"sight\""));
    let shown = edge.says("did you mean \"site\"?");
    assert!(shown.contains("--> ") && shown.contains("edge.json:9:30"), "{shown}");
    edge.says("still serving");
    assert_eq!(edge.get("/a.txt").text(), "a");
}

#[test]
fn a_named_one_is_served() {
    let project = folder(&[("conf/site.jsonc", CONFIG), ("conf/site/a.txt", "a")]);
    let edge = Edge::run(project, &["serve", "--config", "conf/site.jsonc"]);
    assert_eq!(edge.get("/a.txt").text(), "a");
    assert!(fs::read_dir(edge.folder().join("conf/.edgehook")).is_ok());
}
