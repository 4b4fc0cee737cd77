//! What a configuration comes to: written back, it means the same, and no secret is in it.

use insta::assert_snapshot;
use toml::Value;

use super::{REST, examples, run};
use crate::{Effective, Mode};

fn shown(input: &str) -> String {
    Effective::of(&run(input, Mode::Serve).unwrap_or_else(|found| panic!("{found}\n{input}"))).toml()
}

/// Authorizers; what claims must be comes in the order of names.
fn authorizers(config: &crate::Config) -> String {
    let sorted = |authorizer: &crate::Authorizer| {
        let mut authorizer = authorizer.clone();
        authorizer.require.sort_keys();
        authorizer
    };
    format!("{:?}", config.authorizers.values().map(sorted).collect::<Vec<_>>())
}

/// What the text comes to, which means the same when it is read again.
fn stable(input: &str) -> String {
    let (first, text) = (run(input, Mode::Serve).unwrap().config, shown(input));
    let again = run(&text, Mode::Serve).unwrap_or_else(|found| panic!("{found}\n{text}")).config;
    for (one, other) in [
        (format!("{:?}", first.server), format!("{:?}", again.server)),
        (format!("{:?}", first.limits), format!("{:?}", again.limits)),
        (format!("{:?}", first.admin), format!("{:?}", again.admin)),
        (format!("{:?}", first.trace), format!("{:?}", again.trace)),
        (format!("{:?}", first.debug), format!("{:?}", again.debug)),
        (format!("{:?}", first.access_log), format!("{:?}", again.access_log)),
        (format!("{:?}", first.geo), format!("{:?}", again.geo)),
        (format!("{:?}", first.origins), format!("{:?}", again.origins)),
        (format!("{:?}", first.origin_groups), format!("{:?}", again.origin_groups)),
        (format!("{:?}", first.cache_policies), format!("{:?}", again.cache_policies)),
        (format!("{:?}", first.origin_request_policies), format!("{:?}", again.origin_request_policies)),
        (format!("{:?}", first.response_headers_policies), format!("{:?}", again.response_headers_policies)),
        (format!("{:?}", first.kvs), format!("{:?}", again.kvs)),
        (format!("{:?}", first.key_groups), format!("{:?}", again.key_groups)),
        (format!("{:?}", first.functions), format!("{:?}", again.functions)),
        (authorizers(&first), authorizers(&again)),
        (format!("{:?}", first.experiments), format!("{:?}", again.experiments)),
        (format!("{:?}", first.error_responses), format!("{:?}", again.error_responses)),
        (format!("{:?}", first.dev), format!("{:?}", again.dev)),
    ] {
        assert_eq!(one, other, "{text}");
    }
    for (one, other) in first.behaviors.iter().zip(&again.behaviors) {
        let rules = |behavior: &crate::Behavior| {
            let mut rules = behavior.cache.clone();
            rules.max_object.get_or_insert(first.cache.max_object);
            rules.keep.get_or_insert(first.cache.keep);
            rules.error_ttl.sort_by_key(|entry| entry.status);
            rules
        };
        let plain = |it: &crate::Behavior| crate::Behavior { line: 0, cache: rules(it), ..it.clone() };
        assert_eq!(plain(one), plain(other), "{text}");
    }
    assert_eq!(shown(&text), text);
    text
}

/// Keys of `written` that `shown` lacks.
fn missing(written: &Value, shown: Option<&Value>, path: &str, found: &mut Vec<String>) {
    match (written, shown) {
        (_, None) => found.push(path.to_owned()),
        (Value::Table(table), Some(Value::Table(shown))) => {
            for (key, value) in table {
                missing(value, shown.get(key), &format!("{path}.{key}"), found);
            }
        }
        (Value::Array(items), Some(Value::Array(shown))) => {
            for (index, item) in items.iter().enumerate() {
                missing(item, shown.get(index), &format!("{path}.{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_of_the_full_example_is_shown_and_means_the_same() {
    let source = std::fs::read_to_string(examples().join("full.toml")).unwrap();
    let text = stable(&source);
    let (written, shown): (Value, Value) = (toml::from_str(&source).unwrap(), toml::from_str(&text).unwrap());
    let mut found = Vec::new();
    missing(&written, Some(&shown), "", &mut found);
    // A certificate may stand alone, and headers about security are headers.
    found.retain(|path| path != ".server.tls" && !path.starts_with(".response_headers_policy.web.security"));
    assert_eq!(found, [] as [&str; 0], "{text}");
}

#[test]
fn profiles_and_what_replaces_them() {
    for table in [
        "profile = \"strict-rfc\"",
        "error_caching = \"cloudfront\"\nerror_ttl = { \"404\" = \"0s\", \"403\" = \"5s\" }",
        "error_ttl = { \"500\" = \"0s\" }\nstale_on_5xx = \"off\"\nadmit_after = \"off\"\nstale_soft_deadline = \"off\"",
    ] {
        stable(&format!("[cache]\n{table}{REST}"));
        stable(&format!("{REST}[behavior.cache]\n{table}\n"));
        stable(&format!("{REST}[behavior.cache]\nttl = {{ max = \"1h\" }}\n{table}\n"));
    }
}

#[test]
fn secrets_are_masked_wherever_they_stand() {
    let input = "[admin]\ntoken = \"a-secret-of-the-file\"\n[debug]\nheader = \"x-d\"\nsecret = \"${TOKEN}\"\n\
                 [origin.api]\nurl = \"http://${SITE}.example/${TOKEN}\"\nheaders = { x-key = \"another-secret\" }\n\
                 [function.f]\nruntime = \"nodejs\"\nfile = \"functions/add_headers.js\"\nenv = { KEY = \"a-third-secret\" }\n";
    let text = shown(&format!("{input}{REST}"));
    assert!(!text.contains("-secret") && !text.contains("from-the-environment"), "{text}");
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| ["token", "secret", "url", "x-key", "KEY"].iter().any(|key| line.starts_with(key)))
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    url_bytes = "8KiB"
    token = "(secret)"
    secret = "${TOKEN}"
    url = "http://${SITE}.example:80/${TOKEN}"
    x-key = "(secret)"
    url = "http://a.example:80"
    KEY = "(secret)"
    "#);
}

#[test]
fn an_echo_in_the_place_of_an_origin() {
    let text = stable(&format!("[dev]\norigin = {{ site = \"echo\" }}{REST}"));
    assert!(text.contains("[dev.origin]\nsite = \"echo\"\n"), "{text}");
}
