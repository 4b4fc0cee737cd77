//! `edgehook init` writes a project that passes, serves, and is never overwritten.

use crate::harness::{Edge, binary, edge::folder};
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
    let edge = Edge::run(folder, &["dev", "demo", "--port", "0"]);
    assert_eq!(edge.get("/").text(), "mine");
    assert_eq!(edge.get("/about/").status, 200);
}

#[test]
fn a_file_in_the_way_is_an_error() {
    let folder = folder(&[("taken", "x")]);
    let output = Command::new(binary()).args(["init", "taken"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("taken"));
}
