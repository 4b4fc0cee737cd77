//! Authorizers, key groups and what behaviors say about who is let in.

use std::time::Duration;

use super::*;
use crate::{Authorizers, ClaimMatcher, Comparison, KeySource, RatePer, TokenPlace};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn authorizer(keys: &str) -> String {
    format!("[authorizer.staff]\n{keys}{REST}")
}

fn behavior(keys: &str) -> String {
    let staff = format!("[authorizer.staff]\nsecret = \"{SECRET}\"\nalgorithms = [\"HS256\"]\n");
    let group = "[key_group.g]\nkeys = { K1 = \"keys/signer.pub.pem\" }\n";
    format!("{staff}{group}[origin.site]\ndir = \"site\"\n[[behavior]]\npath = \"*\"\norigin = \"site\"\n{keys}\n")
}

#[test]
fn an_authorizer_and_its_defaults() {
    let config = config(&authorizer("jwks = \"https://a.example/k\"\nalgorithms = [\"RS256\"]"));
    let staff = &config.authorizers["staff"];
    assert!(matches!(&staff.keys, KeySource::JwksUrl(url) if url.target == "/k"));
    assert_eq!(staff.token, [TokenPlace::Header("authorization".to_owned())]);
    assert_eq!((staff.leeway, staff.forward_token), (Duration::from_secs(30), None));
    assert_eq!((staff.refresh.every, staff.refresh.min_interval), (Duration::from_secs(600), Duration::from_secs(30)));
    assert_eq!((staff.refresh.on_unknown_kid, staff.refresh.keep_stale), (true, Duration::from_secs(86_400)));
}

#[test]
fn matchers() {
    let rules = "require = { a = \"x\", b = 3, c = true, d = \"< 4000\", e = \">=2.5\", f = { in = [1, \"y\"] }, g = { matches = \"^x\" }, h = { contains = \"z\" }, i = { absent = true } }";
    let config = config(&authorizer(&format!("secret = \"{SECRET}\"\nalgorithms = [\"HS256\"]\n{rules}")));
    let require: Vec<&ClaimMatcher> = config.authorizers["staff"].require.values().collect();
    assert_eq!(
        require,
        [
            &ClaimMatcher::Equals("x".into()),
            &ClaimMatcher::Equals(3.into()),
            &ClaimMatcher::Equals(true.into()),
            &ClaimMatcher::Compares(Comparison::Less, 4000.0),
            &ClaimMatcher::Compares(Comparison::AtLeast, 2.5),
            &ClaimMatcher::In(vec![1.into(), "y".into()]),
            &ClaimMatcher::Matches("^x".to_owned()),
            &ClaimMatcher::Contains("z".to_owned()),
            &ClaimMatcher::Absent,
        ]
    );
}

#[test]
fn matchers_that_cannot_be() {
    for rule in [
        "{ in = [] }",
        "{ matches = \"(\" }",
        "{ matches = \"(a{1000}){1000}\" }",
        "{ absent = false }",
        "\"> x\"",
        "[1]",
        "{}",
        "{ in = [1], contains = \"x\" }",
        "{ not = 1 }",
    ] {
        let input = format!("secret = \"{SECRET}\"\nalgorithms = [\"HS256\"]\nrequire = {{ a = {rule} }}");
        assert!(!codes(&authorizer(&input), Mode::Serve).is_empty(), "{rule}");
    }
}

#[test]
fn keys_and_algorithms_that_do_not_fit() {
    let pem = "public_key = \"keys/signer.pub.pem\"";
    for (input, expected) in [
        (format!("{pem}\nalgorithms = [\"ES256\"]"), &[][..]),
        ("algorithms = [\"ES256\"]".to_owned(), &["E110"]),
        (pem.to_owned(), &["E110"]),
        (format!("{pem}\nsecret = \"{SECRET}\"\nalgorithms = [\"ES256\"]"), &["E113"]),
        (format!("{pem}\nalgorithms = [\"HS256\"]"), &["E113"]),
        (format!("{pem}\nalgorithms = [\"ES256\", \"RS256\"]"), &["E113"]),
        (format!("{pem}\nalgorithms = [\"RS256\", \"PS256\"]"), &["E113"]),
        (format!("{pem}\nalgorithms = [\"none\"]"), &["E107"]),
        (format!("{pem}\nalgorithms = []"), &["E107"]),
        (format!("{pem}\nalgorithms = [\"ES256\"]\nrefresh = {{ every = \"1m\" }}"), &["E113"]),
        (format!("secret = \"{SECRET}\"\nalgorithms = [\"HS256\", \"RS256\"]"), &["E113"]),
        (format!("secret = \"{SECRET}\"\nalgorithms = [\"RS256\"]"), &["E113"]),
        (format!("secret = \"{SECRET}\"\nalgorithms = [\"HS384\"]"), &["E108"]),
        (format!("secret = \"{}\"\nalgorithms = [\"HS256\"]", &SECRET[1..]), &["E108"]),
        ("jwks = \"https://a/k\"\nalgorithms = [\"HS256\"]".to_owned(), &["E113"]),
        ("jwks = \"http://a.example/k\"\nalgorithms = [\"RS256\"]".to_owned(), &["E107"]),
        ("jwks = \"none.json\"\nalgorithms = [\"RS256\"]".to_owned(), &["E112"]),
        ("jwks = \"https://a/k\"\nalgorithms = [\"RS256\"]\nleeway = \"61s\"".to_owned(), &["E108"]),
        ("jwks = \"https://a/k\"\nalgorithms = [\"RS256\"]\nleeway = \"60s\"".to_owned(), &[]),
        ("jwks = \"https://a/k\"\nalgorithms = [\"RS256\"]\naudience = []".to_owned(), &["E107"]),
        ("jwks = \"https://a/k\"\nalgorithms = [\"RS256\"]\ntoken = []".to_owned(), &["E107"]),
        (
            "jwks = \"https://a/k\"\nalgorithms = [\"RS256\"]\nclaims_to_headers = { sub = \"Host\" }".to_owned(),
            &["E111"],
        ),
        (
            "jwks = \"https://a/k\"\nalgorithms = [\"RS256\"]\nclaims_to_headers = { sub = \"x-a\", b = \"X-A\" }"
                .to_owned(),
            &["E113"],
        ),
    ] {
        assert_eq!(codes(&authorizer(&input), Mode::Serve), expected, "{input}");
    }
}

#[test]
fn a_short_secret_is_not_shown() {
    let input = "[authorizer.a]\nsecret = \"hunter2\"\nalgorithms = [\"HS256\"]";
    assert_snapshot!(check_part(input), @r#"
    error[E108]: `secret` is too short
     --> edge.toml:2:10
      |
    2 | secret = "*******"
      |          ^^^^^^^^^ HS256 needs 32 bytes or more
      |
    help: openssl rand -hex 32 > secrets/token, and secret = "${file:secrets/token}"

    1 error, 0 warnings
    "#);
    let debug = format!("{:?}", config(&authorizer(&format!("secret = \"{SECRET}\"\nalgorithms = [\"HS256\"]"))));
    assert!(!debug.contains(SECRET));
}

#[test]
fn who_is_let_in() {
    let one = config(&behavior("authorizer = \"staff\"\ntrusted_key_groups = [\"g\", \"g\"]"));
    let admission = &one.behaviors[0].admission;
    assert_eq!(admission.authorizers, Some(Authorizers::All(vec!["staff".to_owned()])));
    assert_eq!(admission.trusted_key_groups, ["g"]);
    let any =
        config(&behavior("authorizer = { any = [\"staff\"] }\nrate_limit = { per = \"claim:sub\", rate = \"5/m\" }"));
    let admission = &any.behaviors[0].admission;
    assert_eq!(admission.authorizers, Some(Authorizers::Any(vec!["staff".to_owned()])));
    let limit = admission.rate_limit.as_ref().unwrap();
    assert_eq!((&limit.per, limit.count, limit.burst), (&RatePer::Claim("sub".to_owned()), 5, 5));
}

#[test]
fn admissions_that_do_not_pass() {
    for (keys, expected) in [
        ("authorizer = \"stuff\"", &["E102"][..]),
        ("authorizer = { any = [\"staff\"], all = [\"staff\"] }", &["E113"]),
        ("authorizer = {}", &["E113"]),
        ("authorizer = { all = [] }", &["E107"]),
        ("authorizer = [\"staff\"]", &["E106"]),
        ("trusted_key_groups = [\"x\"]", &["E102"]),
        ("trusted_key_groups = []", &["E107"]),
        ("basic_auth = \"none\"", &["E112"]),
        ("basic_auth = \"secrets/passwords\"\nauthorizer = \"staff\"", &["E113"]),
        ("rate_limit = { per = \"claim:sub\", rate = \"1/s\" }", &["E113"]),
        ("rate_limit = { per = \"address\" }", &["E110"]),
        ("rate_limit = { per = \"address\", rate = \"10\" }", &["E107"]),
        ("rate_limit = { per = \"address\", rate = \"10/s\", burst = 0 }", &["E108"]),
    ] {
        assert_eq!(codes(&behavior(keys), Mode::Serve), expected, "{keys}");
    }
}

#[test]
fn key_groups() {
    let group = |keys: &str| codes(&format!("[key_group.g]\n{keys}{REST}"), Mode::Serve);
    let five: Vec<String> = (1..=5).map(|n| format!("K{n} = \"keys/signer.pub.pem\"")).collect();
    assert_eq!(group(&format!("keys = {{ {} }}", five.join(", "))), [""; 0]);
    assert_eq!(group(&format!("keys = {{ {}, K6 = \"keys/signer.pub.pem\" }}", five.join(", "))), ["E108"]);
    assert_eq!(group("keys = {}"), ["E108"]);
    assert_eq!(group(""), ["E110"]);
    assert_eq!(group("keys = { K1 = \"none.pem\" }"), ["E112"]);
    assert_eq!(group("keys = { \"a b\" = \"keys/signer.pub.pem\" }"), ["E111"]);
}
