//! `[experiment.NAME]` and `shadow`: what they mean, and what is refused.

use super::*;
use crate::{Assign, InCacheKey, SameSite};

fn experiment(keys: &str) -> String {
    format!("[experiment.e]\n{keys}{REST}")
}

const PLAIN: &str = "assign = \"cookie:ab\"\nvariants = { a = 1, b = 1 }\n";

#[test]
fn meaning_and_defaults() {
    let found = config(&experiment(PLAIN)).experiments["e"].clone();
    assert_eq!((found.scope.path.as_str(), &found.assign), ("*", &Assign::Cookie("ab".to_owned())));
    assert_eq!((found.cookie.path.as_str(), found.cookie.same_site), ("/", SameSite::Lax));
    assert_eq!((found.fallback.as_str(), found.in_cache_key), ("a", InCacheKey::Auto));
    assert_eq!((found.force_header, found.force_query, found.cookie.max_age), (None, None, None));
    assert!(!found.variants["a"].changes_what_is_stored());
}

#[test]
fn the_example_of_the_reference() {
    let source = std::fs::read_to_string(examples().join("full.toml")).unwrap();
    let config = config(&source);
    let found = &config.experiments["checkout"];
    assert_eq!(found.variants.keys().collect::<Vec<_>>(), ["control", "new"]);
    let new = &found.variants["new"];
    assert_eq!((new.weight, new.origin.as_deref()), (10, Some("app")));
    assert_eq!(new.headers, [("x-variant".to_owned(), "new".to_owned())]);
    assert!(new.changes_what_is_stored() && !found.variants["control"].changes_what_is_stored());
    let docs = &config.experiments["docs"];
    assert_eq!(docs.scope.headers, [("x-plan".to_owned(), vec!["pro".to_owned(), "team".to_owned()])]);
    assert_eq!(docs.scope.cookies, [("beta".to_owned(), vec!["*".to_owned()])]);
    assert_eq!((docs.assign.clone(), docs.force_query.as_deref()), (Assign::Address, Some("docs_variant")));
    let shadows: Vec<_> = config.behaviors.iter().filter(|behavior| behavior.shadow.is_some()).collect();
    assert_eq!((shadows[0].shadow.as_deref(), shadows[0].shadow_percent), (Some("site"), 5));
}

#[test]
fn what_only_viewer_response_does_is_not_stored() {
    let keys =
        "assign = \"hash:address\"\nvariants = { a = { weight = 1, functions = { viewer_response = \"f\" } } }\n";
    let function = "[function.f]\nruntime = \"cloudfront-js-2.0\"\nfile = \"functions/rewrite.js\"\n";
    let found = config(&format!("{function}{}", experiment(keys)));
    assert!(!found.experiments["e"].variants["a"].changes_what_is_stored());
}

#[test]
fn mistakes_have_their_codes() {
    for (keys, expected) in [
        ("variants = { a = 1 }\n", &["E110"][..]),
        ("assign = \"cookie:ab\"\n", &["E110"]),
        ("assign = \"cookie:a b\"\nvariants = { a = 1 }\n", &["E107"]),
        ("assign = \"hash:color\"\nvariants = { a = 1 }\n", &["E107"]),
        ("assign = \"hash:claim:sub\"\nvariants = { a = 1 }\n", &["E113"]),
        ("assign = \"hash:claim:\"\nvariants = { a = 1 }\n", &["E107"]),
        ("assign = \"hash:address\"\nvariants = { a = 0, b = 0 }\n", &["E107"]),
        ("assign = \"hash:address\"\nvariants = {}\n", &["E107"]),
        ("assign = \"hash:address\"\nvariants = { a = 1000001 }\n", &["E108"]),
        ("assign = \"hash:address\"\nvariants = { \"a;b\" = 1 }\n", &["E111"]),
        ("assign = \"hash:address\"\nvariants = { a = { origin = \"site\" } }\n", &["E110"]),
        ("assign = \"hash:address\"\nvariants = { a = { weight = 1, origin = \"none\" } }\n", &["E102"]),
        ("assign = \"hash:address\"\nvariants = { a = { weight = 1, headers = { host = \"x\" } } }\n", &["E111"]),
        (
            "assign = \"hash:address\"\nvariants = { a = { weight = 1, functions = { viewer_request = \"x\" } } }\n",
            &["E102"],
        ),
        ("assign = \"hash:address\"\nvariants = { a = { weight = 1, path = \"new\" } }\n", &["E107"]),
        ("assign = \"hash:address\"\nvariants = { a = { weight = 1, path = \"/a*b\" } }\n", &["E107"]),
        ("match = \"/a\"\nassign = \"hash:address\"\nvariants = { a = { weight = 1, path = \"/n/*\" } }\n", &["E113"]),
        (
            "match = \"/a*b*\"\nassign = \"hash:address\"\nvariants = { a = { weight = 1, path = \"/n/*\" } }\n",
            &["E113"],
        ),
        ("assign = \"hash:address\"\ncookie = { secure = true }\nvariants = { a = 1 }\n", &["E113"]),
        ("assign = \"cookie:c\"\ncookie = { same_site = \"none\" }\nvariants = { a = 1 }\n", &["E113"]),
        ("assign = \"cookie:c\"\ncookie = { max_age = \"401d\" }\nvariants = { a = 1 }\n", &["E108"]),
        ("assign = \"cookie:c\"\ncookie = { path = \"a\" }\nvariants = { a = 1 }\n", &["E107"]),
        ("fallback = \"c\"\nassign = \"hash:address\"\nvariants = { a = 1 }\n", &["E102"]),
        ("in_cache_key = \"yes\"\nassign = \"hash:address\"\nvariants = { a = 1 }\n", &["E107"]),
        ("match = { header = { x = [] } }\nassign = \"hash:address\"\nvariants = { a = 1 }\n", &["E107"]),
        ("match = { country = [\"FR\"] }\nassign = \"hash:address\"\nvariants = { a = 1 }\n", &["E113"]),
        ("match = { country = [] }\nassign = \"hash:address\"\nvariants = { a = 1 }\n", &["E113", "E107"]),
        ("match = { country = [\"fr\"] }\nassign = \"hash:address\"\nvariants = { a = 1 }\n", &["E113", "E107"]),
        ("force = { query = \"a&b\" }\nassign = \"hash:address\"\nvariants = { a = 1 }\n", &["E107"]),
    ] {
        assert_eq!(codes(&experiment(keys), Mode::Serve), expected, "{keys}");
    }
}

#[test]
fn a_claim_tells_viewers_apart() {
    let input = experiment("assign = \"hash:claim:sub\"\nvariants = { a = 1 }\n");
    let authorizer = "[authorizer.t]\nsecret = \"0123456789abcdef0123456789abcdef\"\nalgorithms = [\"HS256\"]\n";
    let found = config(&format!("{authorizer}{input}authorizer = \"t\"\n"));
    assert_eq!(found.experiments["e"].assign, Assign::Claim("sub".to_owned()));
}

#[test]
fn a_cookie_belongs_to_one_experiment() {
    let input = format!("[experiment.e]\n{PLAIN}[experiment.f]\n{PLAIN}{REST}");
    let report = check(&input);
    assert!(
        report.contains("error[E113]: two experiments use one cookie") && report.contains("edge.toml:5:10"),
        "{report}"
    );
}

#[test]
fn sharing_entries_between_variants_that_differ_is_warned_about() {
    let with = |variant: &str| {
        experiment(&format!("in_cache_key = false\nassign = \"hash:address\"\nvariants = {{ a = 1, b = {variant} }}\n"))
    };
    assert_eq!(codes(&with("{ weight = 1, headers = { x-b = \"1\" } }"), Mode::Serve), ["W206"]);
    assert_eq!(codes(&with("{ weight = 1, path = \"/b\" }"), Mode::Serve), [""; 0]);
    assert_eq!(codes(&with("1"), Mode::Serve), [""; 0]);
}

#[test]
fn shadows() {
    let with = |keys: &str| format!("[origin.s]\nurl = \"http://s\"\n{REST}{keys}\n");
    let found = config(&with("shadow = \"s\"")).behaviors[0].clone();
    assert_eq!((found.shadow.as_deref(), found.shadow_percent), (Some("s"), 100));
    assert_eq!(codes(&with("shadow = \"x\""), Mode::Serve), ["E102"]);
    assert_eq!(codes(&with("shadow = \"site\""), Mode::Serve), ["E113"]);
    assert_eq!(codes(&with("shadow_percent = 5"), Mode::Serve), ["E113"]);
    assert_eq!(codes(&with("shadow = \"s\"\nshadow_percent = 101"), Mode::Serve), ["E108"]);
}
