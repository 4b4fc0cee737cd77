//! Tests of `vary`.

use proptest::prelude::*;

use super::*;
use crate::cache::tests::fields;

#[track_caller]
fn same(vary: &str, stored: &[(&str, &str)], asked: &[(&str, &str)], expected: bool) {
    let variant = Variant::of(&fields(&[("vary", vary)]), &fields(stored), VaryLanguage::Syntax);
    assert_eq!(variant.matches(&fields(asked)), expected, "{vary}: {stored:?} and {asked:?}");
}

#[test]
fn values_are_compared_without_white_space() {
    same("foo", &[("foo", "1")], &[("foo", "1")], true);
    same("Foo", &[("foo", "1")], &[("FOO", "2")], false);
    same("foo", &[("foo", "1")], &[], false);
    same("foo", &[], &[], true);
    same("foo", &[], &[("foo", "")], false);
    same("foo", &[("foo", "1, 2")], &[("foo", "1  ,\t2")], true);
    same("foo", &[("foo", "1, 2")], &[("foo", "1"), ("foo", "2")], true);
    same("foo", &[("foo", "1, 2")], &[("foo", "2, 1")], false);
    same("foo", &[("foo", "1 2")], &[("foo", "1  2")], false);
    same("foo", &[("foo", "\"a,b\"")], &[("foo", "\"a, b\"")], false);
    same("foo", &[("foo", "A")], &[("foo", "a")], false);
    same("foo, bar", &[("foo", "1"), ("bar", "1")], &[("foo", "1"), ("bar", "2")], false);
    same("foo, foo", &[("foo", "1"), ("x", "1")], &[("foo", "1"), ("x", "2")], true);
    same("accept-language", &[("accept-language", "DE, en;q=0.5")], &[("accept-language", "de,EN;q=0.5")], true);
    same("accept-language", &[("accept-language", "de, en")], &[("accept-language", "en, de")], false);
}

#[test]
fn languages_may_be_compared_by_weight() {
    let same = |stored, asked| {
        let by = fields(&[("vary", "accept-language")]);
        let variant = Variant::of(&by, &fields(&[("accept-language", stored)]), VaryLanguage::Normalised);
        variant.matches(&fields(&[("accept-language", asked)]))
    };
    assert!(same("en, de", "de, en"));
    assert!(same("en;q=0.5, de, fr", "fr , DE, en;q=0.500"));
    assert!(same("en;q=1.0", "en"));
    assert!(!same("en, de", "en, de;q=0.9"));
    assert!(!same("en", "en, de"));
    assert!(!same("en", "en-GB"));
}

#[test]
fn codings_are_a_set() {
    let coding = |one, two, expected| {
        same("accept-encoding", &[("accept-encoding", one)], &[("accept-encoding", two)], expected)
    };
    coding("gzip, br", "br;q=0.5,GZIP", true);
    coding("gzip, br;q=0", "gzip", true);
    coding("gzip, br; q=0.000", "gzip", true);
    coding("gzip, br;q=0.001", "gzip", false);
    coding("gzip", "gzip, deflate", false);
    coding("*", "", false);
    same("accept-encoding", &[], &[("accept-encoding", "")], false);
}

#[test]
fn a_star_is_a_star_wherever_it_stands() {
    for lines in [&["*"][..], &[", *"], &["*, foo"], &["foo", "*"], &["foo bar"]] {
        let lines: Vec<(&str, &str)> = lines.iter().map(|line| ("vary", *line)).collect();
        assert!(Variant::is_unmatchable(&fields(&lines)), "{lines:?}");
    }
    for line in ["", ",", "foo, bar"] {
        assert!(!Variant::is_unmatchable(&fields(&[("vary", line)])), "{line}");
    }
    assert!(!Variant::of(&fields(&[]), &fields(&[]), VaryLanguage::Syntax).is_negotiated());
}

proptest! {
    #[test]
    fn a_request_matches_its_own_variant(vary in "[a-c, ]{0,8}", value in "[a,;q=0 \"\\\\]{0,12}") {
        let request = fields(&[("a", &value), ("accept-encoding", &value), ("accept-language", &value)]);
        let response = fields(&[("vary", &vary), ("vary", "accept-encoding, accept-language")]);
        if !Variant::is_unmatchable(&response) {
            let variant = Variant::of(&response, &request, VaryLanguage::Syntax);
            prop_assert!(variant.matches(&request));
            prop_assert_eq!(variant.counterpart(&request), variant);
        }
    }
}
