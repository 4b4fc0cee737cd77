//! The JSON Schema and the parser agree, as far as a schema can.

use super::*;
use serde_json::Value;
use std::sync::LazyLock;

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = crate::schema();
    jsonschema::meta::validate(&schema).expect("a schema of its dialect");
    jsonschema::validator_for(&schema).expect("a schema that can be used")
});

fn problems(input: &str) -> Vec<String> {
    let value: Value = toml::from_str(input).expect("TOML");
    SCHEMA.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// What the parser takes, the schema takes. Every configuration of these tests goes through here.
pub(super) fn accepts(input: &str) {
    assert_eq!(problems(input), [""; 0], "{input}");
}

#[test]
fn the_examples_fit() {
    accepts(&std::fs::read_to_string(examples().join("full.toml")).unwrap());
    // The specification's own (experience.md 3.3).
    let site = std::fs::read_to_string(examples().join("site.toml")).unwrap();
    accepts(&site);
    let loaded = run(&site, Mode::Check).unwrap();
    assert!(loaded.warnings.iter().all(|warning| warning.code == crate::Code::Placeholder), "{}", loaded.warnings);
}

#[test]
fn mistakes_are_told() {
    for mistake in [
        "nonsense = 1",
        "version = 2",
        "[server]\nlisten = \"http://127.0.0.1:80\"",
        "[server]\ndrain_timeout = \"1 week\"",
        "[server]\ntls = { cert = \"a\" }",
        "[cache]\nmemory = \"12 parsecs\"",
        "[cache]\nset_cookie = \"never\"",
        "[origin.a]\nurl = \"http://a\"\nearly_data = true",
        "[origin.a]\nread_timout = 1",
        "[origin.a]\nconnection_attempts = 4",
        "[function.f]\nruntime = \"deno\"\nfile = \"f.js\"",
        "[function.f]\nruntime = \"nodejs\"",
        "[access_log]\nformat = \"json\"",
        "[[behavior]]\npath = \"*\"",
        "[[behavior]]\npath = \"*\"\norigin = \"a\"\nmethods = \"some\"",
        "[[behavior]]\npath = \"*\"\norigin = \"a\"\nviewer_request = { funktion = \"f\" }",
        "[authorizer.a]\nalgorithms = [\"none\"]",
        "[experiment.e]\nassign = \"hash:address\"\nvariants = { a = \"half\" }",
    ] {
        assert!(!problems(mistake).is_empty(), "{mistake}");
    }
    accepts("[cache]\nmemory = \"${CACHE_SIZE}\"\nset_cookie = \"${COOKIES}\"");
}

#[test]
fn every_key_is_described() {
    let schema = crate::schema();
    let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let mut count = 0;
    for (name, key) in tables.flat_map(|table| table["properties"].as_object().unwrap()) {
        assert!(key["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        count += 1;
    }
    let available = crate::keys().iter().filter(|key| key.availability == crate::Availability::Available).count();
    assert_eq!(count, available + 1, "and $schema");
}
