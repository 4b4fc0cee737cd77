//! The rules of ARCHITECTURE.md that can be tested: who may depend on whom, and what may be named where.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All Rust files below a folder of the repository.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let mut section = String::new();
    let mut names = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if ["dependencies", "build-dependencies"].contains(&section.as_str())
            && !line.trim_start().starts_with('#')
            && let Some((name, _)) = line.split_once('=')
        {
            names.push(name.trim().split('.').next().unwrap().to_owned());
        }
    }
    names
}

/// The crates by folder, with the crates of this workspace that each may depend on.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("engines/contract", &[][..]),
        ("engines/coverage", &[]),
        ("engines/protocol", &["edgehook-contract"]),
        ("engines/sandbox", &[]),
        ("engines/isolate", &[]),
        ("engines/kvs", &[]),
        (
            "engines/viewer",
            &["edgehook-contract", "edgehook-isolate", "edgehook-kvs", "edgehook-protocol", "edgehook-sandbox"],
        ),
        ("engines/lambda", &["edgehook-contract", "edgehook-protocol", "edgehook-sandbox"]),
        ("engines/lambda-js", &["edgehook-contract", "edgehook-protocol", "edgehook-sandbox"]),
        ("engines/lint", &[]),
        ("engines/provided", &["edgehook-protocol", "edgehook-sandbox"]),
        ("engines/python", &["edgehook-protocol", "edgehook-sandbox"]),
        ("config", &["edgehook-kvs"]),
    ])
}

#[test]
fn crates_depend_only_downwards() {
    for (folder, allowed) in allowed() {
        for name in dependencies(&format!("{folder}/Cargo.toml")) {
            let fine = !name.starts_with("edgehook") || allowed.contains(&name.as_str());
            assert!(fine, "{folder} must not depend on {name}");
        }
    }
}

#[test]
fn engines_are_named_only_where_they_run() {
    for folder in allowed().keys().chain(&["proxy"]) {
        for name in dependencies(&format!("{folder}/Cargo.toml")) {
            let boa =
                name.starts_with("boa_") && !["engines/viewer", "engines/lambda-js", "engines/lint"].contains(folder);
            let python = name.starts_with("pyo3") && *folder != "engines/python";
            assert!(!boa && !python, "{folder} must not depend on {name}");
        }
    }
}

#[test]
fn hyper_is_named_only_at_the_edges_of_the_proxy() {
    for file in rust_files("proxy/src") {
        let inside =
            file.starts_with(root().join("proxy/src/listener")) || file.starts_with(root().join("proxy/src/origin"));
        let text = fs::read_to_string(&file).unwrap();
        let named = text.lines().any(|line| line.contains("hyper::") || line.contains("hyper_util::"));
        assert!(inside || !named, "{} names hyper", file.display());
    }
}

#[test]
fn unsafe_code_is_only_where_it_is_allowed() {
    for folder in allowed().keys().chain(&["proxy"]) {
        if ["engines/isolate", "engines/sandbox"].contains(folder) {
            continue;
        }
        for file in rust_files(folder) {
            let text = fs::read_to_string(&file).unwrap();
            let found = text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                ["unsafe {", "unsafe fn ", "unsafe impl "].iter().any(|word| code.contains(word))
            });
            assert!(!found, "{} holds unsafe code", file.display());
        }
    }
}

#[test]
fn every_file_says_what_lives_in_it() {
    for folder in allowed().keys().chain(&["proxy", "tests"]) {
        for file in rust_files(folder) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//!"), "{} does not open with what lives there", file.display());
        }
    }
}
