//! Tests of `conditional`.

use super::*;
use crate::cache::tests::fields;

const RECEIVED: i64 = 1_700_000_000; // Tue, 14 Nov 2023 22:13:20 GMT
const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
const AT: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

#[track_caller]
fn not_modified(request: &[(&str, &str)], stored: &[(&str, &str)], expected: bool) {
    let result = is_not_modified(&fields(request), &fields(stored), RECEIVED, RECEIVED + 5);
    assert_eq!(result, expected, "{request:?} {stored:?}");
}

#[test]
fn entity_tags() {
    let tag = |wanted, stored, expected| not_modified(&[("if-none-match", wanted)], &[("etag", stored)], expected);
    tag("\"a\"", "\"a\"", true);
    tag("\"a\"", "\"b\"", false);
    tag("W/\"a\"", "\"a\"", true);
    tag("\"a\"", "W/\"a\"", true);
    tag("w/\"a\"", "\"a\"", false);
    tag("\"x\", \"a\"", "\"a\"", true);
    tag("\"x, \\\"\", \"a\"", "\"a\"", true);
    tag("\"x,\"a\"", "\"a\"", false);
    tag("*", "\"a\"", true);
    tag("a", "a", true);
    tag("a", "\"a\"", false);
    not_modified(&[("if-none-match", "*")], &[], true);
    not_modified(&[("if-none-match", "\"a\"")], &[], false);
    not_modified(&[("if-none-match", "\"x\""), ("if-none-match", "\"a\"")], &[("etag", "\"a\"")], true);
    not_modified(&[("if-none-match", "\"b\""), ("if-modified-since", AT)], &[("etag", "\"a\"")], false);
    not_modified(&[], &[("etag", "\"a\"")], false);
}

#[test]
fn dates() {
    let since =
        |since, stored: &[(&str, &str)], expected| not_modified(&[("if-modified-since", since)], stored, expected);
    since(AT, &[("last-modified", AT)], true);
    since(AT, &[("last-modified", BEFORE)], true);
    since(BEFORE, &[("last-modified", AT)], false);
    since("Tuesday, 14-Nov-23 22:13:20 GMT", &[("last-modified", AT)], true);
    since("Tue Nov 14 22:13:20 2023", &[("last-modified", AT)], true);
    since(BEFORE, &[("date", AT)], false);
    since(AT, &[("date", AT)], true);
    since(BEFORE, &[], false);
    since(AT, &[], true);
    since("nonsense", &[("last-modified", AT)], false);
}

#[test]
fn a_304_speaks_of_what_is_stored_or_not() {
    let named = |stored: &[&[(&str, &str)]], answer: &[(&str, &str)]| {
        let stored: Vec<HeaderMap> = stored.iter().map(|list| fields(list)).collect();
        confirmed(stored.iter(), &fields(answer))
    };
    let (a, weak_a, b, dated) =
        ([("etag", "\"a\"")], [("etag", "W/\"a\"")], [("etag", "\"b\"")], [("last-modified", AT)]);
    assert_eq!(named(&[&a], &[]), Some(0));
    assert_eq!(named(&[&a], &a), Some(0));
    assert_eq!(named(&[&weak_a], &weak_a), Some(0));
    assert_eq!(named(&[&a], &b), None);
    assert_eq!(named(&[&b, &a], &a), Some(1));
    assert_eq!(named(&[&weak_a, &a], &a), Some(1), "the strong one before the weak one");
    assert_eq!(named(&[&b, &weak_a], &a), Some(1));
    assert_eq!(named(&[&b, &a], &[]), None, "which of the two?");
    assert_eq!(named(&[&dated, &a], &dated), Some(0));
    assert_eq!(named(&[&dated], &b), None);
    assert_eq!(named(&[], &a), None);
    assert_eq!(Validators::of([fields(&[("date", AT)])].iter()), None);
}

#[test]
fn our_conditions_replace_the_viewers() {
    let mut request = fields(&[("if-none-match", "x"), ("if-modified-since", "y"), ("if-range", "z"), ("a", "b")]);
    Validators::of([fields(&[("last-modified", AT)])].iter()).unwrap().apply(&mut request);
    assert_eq!(request, fields(&[("if-modified-since", AT), ("a", "b")]));
    let several = [fields(&[("etag", "\"a\""), ("last-modified", AT)]), fields(&[("etag", "W/\"b\"")])];
    Validators::of(several.iter()).unwrap().apply(&mut request);
    assert_eq!(request, fields(&[("if-none-match", "\"a\", W/\"b\""), ("a", "b")]));
}

#[test]
fn whole_fields_are_merged() {
    let mut stored =
        fields(&[("a", "1"), ("a", "2"), ("b", "1"), ("content-length", "5"), ("content-encoding", "gzip")]);
    merge(
        &mut stored,
        &fields(&[("a", "3"), ("c", "1"), ("c", "2"), ("content-length", "0"), ("content-encoding", "br")]),
    );
    let merged = fields(&[
        ("a", "3"),
        ("b", "1"),
        ("c", "1"),
        ("c", "2"),
        ("content-length", "5"),
        ("content-encoding", "gzip"),
    ]);
    assert_eq!(stored, merged);
}

#[test]
fn a_head_describes_what_has_the_same_validators_and_length() {
    let stored = fields(&[("etag", "\"a\""), ("last-modified", AT)]);
    let same = |list: &[(&str, &str)]| describes(&fields(list), &stored, 5);
    assert!(same(&[("etag", "\"a\""), ("last-modified", AT)]));
    assert!(same(&[("etag", "\"a\""), ("last-modified", AT), ("content-length", "5"), ("x", "y")]));
    assert!(!same(&[("etag", "\"a\""), ("last-modified", AT), ("content-length", "6")]));
    assert!(!same(&[("etag", "\"b\""), ("last-modified", AT)]));
    assert!(!same(&[("etag", "\"a\"")]));
    assert!(describes(&fields(&[]), &fields(&[]), 0));
}
