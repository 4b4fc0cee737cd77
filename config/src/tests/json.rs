//! Configurations as JSON: they mean what the same keys mean as TOML, and their mistakes are told as exactly.

use super::*;
use crate::Effective;
use crate::section::in_file_order;
use toml::de::{DeTable, DeValue};

/// A configuration as JSON, its keys in the order of the file.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => serde_json::Value::from(text.as_ref()).to_string(),
        DeValue::Integer(digits) => i128::from_str_radix(digits.as_str(), digits.radix()).unwrap().to_string(),
        DeValue::Float(digits) => digits.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => panic!("{time}"),
        DeValue::Array(items) => {
            format!("[{}]", items.iter().map(|item| written(item.get_ref())).collect::<Vec<_>>().join(", "))
        }
        DeValue::Table(entries) => {
            let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                format!("{}: {}", serde_json::Value::from(key.as_ref()), written(value.get_ref()))
            };
            format!("{{{}}}", in_file_order(entries).into_iter().map(entry).collect::<Vec<_>>().join(",\n"))
        }
    }
}

fn translated(input: &str) -> String {
    written(&DeValue::Table(DeTable::parse(input).unwrap().into_inner()))
}

/// Fails unless the text has the same effect as JSON. Every configuration of these tests goes through here.
pub(super) fn says_the_same(input: &str, loaded: &Loaded) {
    let json = translated(input);
    let other = run_named("edge.json", &json, Mode::Serve).unwrap_or_else(|found| panic!("{json}\n{found}"));
    assert_eq!(Effective::of(&other).toml(), Effective::of(loaded).toml(), "{json}");
    let codes = |loaded: &Loaded| -> Vec<_> { loaded.for_cloudfront().iter().map(|found| found.code).collect() };
    assert_eq!(codes(&other), codes(loaded), "{json}");
}

#[test]
fn the_examples_mean_the_same() {
    for name in ["full.toml", "site.toml"] {
        let input = std::fs::read_to_string(examples().join(name)).unwrap();
        let loaded = run(&input, Mode::Check).unwrap();
        let json = translated(&input);
        let other = run_named("edge.jsonc", &json, Mode::Check).unwrap_or_else(|found| panic!("{json}\n{found}"));
        assert_eq!(Effective::of(&other).toml(), Effective::of(&loaded).toml());
    }
}

const SITE: &str = r#"{
  // A comment, and the schema, which is no key of ours.
  "$schema": "./.edgehook/schema.json",
  "origin": { "site": { "url": "http://a.example" } },
  "behavior": [{ "path": "*", "origin": "site", }], /* a comma too many */
}"#;

#[test]
fn comments_trailing_commas_and_the_schema_are_taken() {
    let loaded = run_named("edge.jsonc", SITE, Mode::Serve).unwrap();
    assert_eq!(loaded.config.origins.len(), 1);
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let marked = format!("\u{feff}{}", SITE.replace("http://a.example", "a.example")).replace('\n', "\r\n");
    let found = run_named("edge.jsonc", &marked, Mode::Serve).unwrap_err();
    let first = found.iter().next().unwrap();
    assert_eq!((first.line, first.column), (4, 32), "{found}");
}

fn found(input: &str) -> String {
    run_named("edge.json", input, Mode::Serve).unwrap_err().to_string()
}

#[test]
fn mistakes_have_line_caret_and_what_to_write() {
    let input = r#"{
  "server": { "hosst": ["a.example"], "$schema": "x" },
  "origin": { "site": { "url": "http://a.example", "read_timeout": "1 week", "ca": null } },
  "behavior": [
    { "path": "*", "origin": "sight", "path": "/x" }
  ]
}"#;
    insta::assert_snapshot!(found(input), @r#"
    error[E103]: unknown key `hosst`
     --> edge.json:2:16
      |
    2 |   "server": { "hosst": ["a.example"], "$schema": "x" },
      |                ^^^^^ not a key of [server]
      |
    help: did you mean "hosts"?   keys: listen, hosts, tls, name, vendor, user_agent, header_prefix, distribution_id, account_id, edge_location, default_root_object, state_dir, allow_private_origins, isolate_hosts, environments, drain_timeout

    error[E103]: unknown key `$schema`
     --> edge.json:2:40
      |
    2 |   "server": { "hosst": ["a.example"], "$schema": "x" },
      |                                        ^^^^^^^ not a key of [server]
      |
    help: keys: listen, hosts, tls, name, vendor, user_agent, header_prefix, distribution_id, account_id, edge_location, default_root_object, state_dir, allow_private_origins, isolate_hosts, environments, drain_timeout

    error[E107]: `read_timeout` must be a duration such as "250ms" or "5m", or a number of seconds
     --> edge.json:3:68
      |
    3 |   "origin": { "site": { "url": "http://a.example", "read_timeout": "1 week", "ca": null } },
      |                                                                    ^^^^^^^^ units are ms, s, m, h and d

    error[E106]: no key takes `null`
     --> edge.json:3:84
      |
    3 |   "origin": { "site": { "url": "http://a.example", "read_timeout": "1 week", "ca": null } },
      |                                                                                    ^^^^
      |
    help: leave the key out

    error[E102]: behavior refers to an unknown origin
     --> edge.json:5:30
      |
    5 |     { "path": "*", "origin": "sight", "path": "/x" }
      |                              ^^^^^^^ no [origin.sight]
      |
    help: did you mean "site"?   origins: site

    error[E109]: `path` is written twice
     --> edge.json:5:40
      |
    5 |     { "path": "*", "origin": "sight", "path": "/x" }
      |                                        ^^^^ stands above already
      |
    help: keep one of them

    6 errors, 0 warnings
    "#);
}

#[test]
fn what_is_no_json_is_told_where() {
    for (input, expected) in [
        ("", " --> edge.json:1:1\n"),
        ("[]", "the file must hold an object"),
        ("\n 7", " --> edge.json:2:2\n"),
        ("{", "Unterminated object"),
        ("{\"a\": 1} {}", " --> edge.json:1:10\n"),
        ("{a: 1}", "error[E101]: not valid JSON"),
        ("{'a': 1}", "error[E101]: not valid JSON"),
        ("{\"a\": 0x1F}", "error[E101]: not valid JSON"),
        ("{\"a\": +1}", "error[E101]: not valid JSON"),
        ("{\"a\": NaN}", "error[E101]: not valid JSON"),
        ("{\"a\": 01}", "error[E101]: not valid JSON"),
        ("{\"a\": 1 \"b\": 2}", "error[E101]: not valid JSON"),
        ("version = 1", "error[E101]: not valid JSON"),
    ] {
        let found = found(input);
        assert!(found.contains(expected) && found.contains("E101"), "{input}\n{found}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{{\"server\": {}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(!found(&nested(64)).contains("E101"));
    assert!(found(&nested(65)).contains("more than 64 objects and lists within each other"));
    assert!(found(&"[".repeat(1_000_000)).contains("more than 64"));
    assert!(found(&"{\"a\":".repeat(1_000_000)).contains("more than 64"));
}

#[test]
fn a_secret_is_masked_where_its_line_is_quoted() {
    let input = "{\"debug\": { \"header\": \"x-y\", \"secret\": \"abcdefghij\", \"colour\": 1 } }";
    let found = found(input);
    assert!(found.contains("E103") && !found.contains("abcdefghij"), "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_is_too_odd(input in "\\PC{0,200}") {
        let _ = run_named("edge.json", &input, Mode::Check);
    }

    #[test]
    fn no_edit_of_a_configuration_is_too_odd(at in 0..2000_usize, length in 0..40_usize, new in "[\\[\\]{}\",:0-9a-z\\\\ \n\u{e9}/*-]{0,6}") {
        let input = translated(&std::fs::read_to_string(examples().join("site.toml")).unwrap());
        let at = input.floor_char_boundary(at);
        let end = input.floor_char_boundary((at + length).min(input.len()));
        let edited = format!("{}{new}{}", &input[..at], &input[end..]);
        if let Err(found) = run_named("edge.json", &edited, Mode::Check) {
            prop_assert!(found.error_count() > 0 && !found.render(false).is_empty());
        }
    }
}
