//! The engines that Lambda functions run on, by the names that tests give them: `nodejs` (boa), `node` (Node.js), `python`
//! (embedded) and `provided` (here a small runtime in Python around the function's source).

use super::has_python;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A client of the Lambda Runtime API, which the function's source is put into.
const RUNTIME: &str = include_str!("../fixtures/runtime.py");

/// Those that work here; each that does not is told.
pub(crate) fn engines() -> Vec<&'static str> {
    [javascript_engines(), python_engines()].concat()
}

/// Those of them that run JavaScript.
pub(crate) fn javascript_engines() -> Vec<&'static str> {
    if has_node() { vec!["nodejs", "node"] } else { vec!["nodejs"] }
}

/// Those of them that run Python.
pub(crate) fn python_engines() -> Vec<&'static str> {
    let mut found = Vec::new();
    if has_python() {
        found.push("python");
    }
    if python().is_some() {
        found.push("provided");
    }
    found
}

/// Whether Node.js can be run. Without: the test that asks says so and is skipped, unless `EDGEHOOK_REQUIRE_NODE` is set.
fn has_node() -> bool {
    let works = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !works {
        assert!(std::env::var_os("EDGEHOOK_REQUIRE_NODE").is_none(), "node does not run");
        eprintln!("SKIPPED: Node.js is not installed");
    }
    works
}

/// The interpreter of Python, where there is one.
pub(crate) fn python() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
        output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    });
    if found.is_none() {
        assert!(std::env::var_os("EDGEHOOK_REQUIRE_PYTHON").is_none(), "python3 does not run");
        eprintln!("SKIPPED: python3 is not installed");
    }
    found.as_deref()
}

/// `[function.f]` on this engine, with more of its lines.
pub(crate) fn function(kind: &str, more: &str) -> String {
    let (runtime, engine) = if kind == "node" { ("nodejs", "engine = \"node\"\n") } else { (kind, "") };
    format!("[function.f]\nruntime = \"{runtime}\"\n{engine}file = \"{}\"\n{more}\n", file(kind))
}

/// The file that [`function`] names.
pub(crate) fn file(kind: &str) -> &'static str {
    match kind {
        "python" => "f.py",
        "provided" => "bootstrap",
        _ => "f.js",
    }
}

/// What is in it.
pub(crate) fn code(kind: &str, source: &str) -> String {
    if kind != "provided" {
        return source.to_owned();
    }
    let python = python().expect("tests of `provided` ask whether there is Python");
    RUNTIME.replace("#!/usr/bin/env python3", &format!("#!{}", python.display())).replace("# THE FUNCTION", source)
}

/// The source in the language of the engine.
pub(crate) fn of<'a>(kind: &str, javascript: &'a str, python: &'a str) -> &'a str {
    if matches!(kind, "python" | "provided") { python } else { javascript }
}
