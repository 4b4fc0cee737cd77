//! Tests of `purge::table`.

use std::time::Duration;

use super::*;
use crate::cache::{
    key::UrlParts,
    tags::{TagRules, Tags},
    tests::fields,
};

const URL: UrlParts<'_> = UrlParts { scheme: "https", host: "h", path: "/", query: "" };
const AT: SystemTime = SystemTime::UNIX_EPOCH;

fn url<'a>(scheme: &'a str, host: &'a str, path: &'a str, query: &'a str) -> UrlParts<'a> {
    UrlParts { scheme, host, path, query }
}

fn tags(text: &str) -> Tags {
    Tags::of(&fields(&[("surrogate-key", text), ("cache-tag", text)]), &TagRules::default(), &URL).unwrap()
}

/// Whether a purge by `scope` covers `https://a:8080/x/y.jpg?q=1` with the tags `Red` and `blue`.
fn covers(scope: Scope) -> bool {
    let mut table = Table::default();
    table.enter(7, &scope, Kind::Hard, AT);
    let tags =
        Tags::of(&fields(&[("surrogate-key", "Red"), ("cache-tag", "Blue")]), &TagRules::default(), &URL).unwrap();
    let subject = Subject { url: url("https", "a:8080", "/x/y.jpg", "q=1"), tags: Some(&tags) };
    assert_eq!(table.judge(&subject, 7), Verdict::Keep, "fetched after it");
    table.judge(&subject, 6) == Verdict::Gone
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn scopes() {
    assert!(covers(Scope::All));
    for (host, expected) in [("a:8080", true), ("a", true), ("b", false), ("a:1", false)] {
        assert_eq!(covers(Scope::Host(host.to_owned())), expected, "{host}");
    }
    let exact = |scheme: Option<&str>, host: Option<&str>, target: &str| {
        let (scheme, host) = (scheme.map(str::to_owned), host.map(str::to_owned));
        covers(Scope::Url { scheme, host, target: target.to_owned() })
    };
    assert!(exact(Some("https"), Some("a:8080"), "/x/y.jpg?q=1"));
    assert!(exact(None, Some("a:8080"), "/x/y.jpg?q=1"));
    assert!(exact(None, None, "/x/y.jpg?q=1"));
    assert!(exact(Some("https"), None, "/x/y.jpg?q=1"));
    assert!(!exact(Some("http"), Some("a:8080"), "/x/y.jpg?q=1"));
    assert!(!exact(None, Some("a"), "/x/y.jpg?q=1"), "another port is another host");
    assert!(!exact(None, None, "/x/y.jpg"), "queries count");
    for (tag, expected) in [("Red", true), ("red", false), ("BLUE", true), ("Re", false), ("*", false)] {
        assert_eq!(covers(Scope::Tag(tag.to_owned())), expected, "{tag}");
    }
}

#[test]
fn patterns() {
    let pattern = |scheme: Option<&str>, host: Option<&str>, path: &str, query: Option<&str>| {
        let (scheme, host) = (scheme.map(str::to_owned), host.map(str::to_owned));
        covers(Scope::Pattern { scheme, host, path: path.to_owned(), query: query.map(str::to_owned) })
    };
    assert!(pattern(None, None, "/x/*", None));
    assert!(pattern(None, None, "*.jpg", None), "any query");
    assert!(pattern(Some("https"), Some("*:8080"), "/*/y.*", Some("q=*")));
    assert!(!pattern(None, None, "/x", None));
    assert!(!pattern(Some("http"), None, "/x/*", None));
    assert!(!pattern(None, Some("b*"), "/x/*", None));
    assert!(!pattern(None, None, "/x/*", Some("")));
}

#[test]
fn soft_purges_expire_and_hard_ones_win() {
    let mut table = Table::default();
    let (early, late) = (AT + Duration::from_secs(5), AT + Duration::from_secs(9));
    let subject_tags = tags("a b");
    let subject = Subject { url: url("http", "h", "/", ""), tags: Some(&subject_tags) };
    table.enter(1, &Scope::Tag("a".to_owned()), Kind::Soft, late);
    assert_eq!(table.judge(&subject, 0), Verdict::Expired(late));
    table.enter(2, &Scope::Tag("b".to_owned()), Kind::Soft, early);
    assert_eq!(table.judge(&subject, 0), Verdict::Expired(early), "the first of several");
    assert_eq!(table.judge(&subject, 1), Verdict::Expired(early));
    table.enter(3, &Scope::Host("h".to_owned()), Kind::Hard, late);
    assert_eq!(table.judge(&subject, 2), Verdict::Gone);
    table.enter(4, &Scope::Host("h".to_owned()), Kind::Soft, late);
    assert_eq!(table.judge(&subject, 2), Verdict::Gone, "a later soft purge takes nothing back");
    assert_eq!(table.judge(&subject, 3), Verdict::Expired(late));
    assert_eq!(table.judge(&subject, 4), Verdict::Keep);
}

#[test]
fn a_head_that_has_not_come_has_no_tags_yet() {
    let mut table = Table::default();
    table.enter(1, &Scope::Tag("a".to_owned()), Kind::Hard, AT);
    let subject = Subject { url: url("http", "h", "/", ""), tags: None };
    assert_eq!(table.judge(&subject, 0), Verdict::Keep);
}

#[test]
fn what_is_retired_is_forgotten_and_what_was_not_held_against_it_is_gone() {
    let mut table = Table::default();
    for (number, scope) in [
        (1, Scope::All),
        (2, Scope::Tag("a".to_owned())),
        (3, Scope::Host("h".to_owned())),
        (4, Scope::Url { scheme: None, host: None, target: "/".to_owned() }),
        (5, Scope::Pattern { scheme: None, host: None, path: "/*".to_owned(), query: None }),
        (6, Scope::Tag("b".to_owned())),
    ] {
        table.enter(number, &scope, Kind::Hard, AT);
    }
    table.retire(5);
    assert_eq!((table.tags.len(), table.hosts.len(), table.urls.len(), table.patterns()), (2, 0, 0, 0));
    let none = Tags::default();
    let subject = Subject { url: url("http", "h", "/", ""), tags: Some(&none) };
    assert_eq!(table.judge(&subject, 4), Verdict::Gone);
    assert_eq!(table.judge(&subject, 5), Verdict::Keep);
    let named = tags("b");
    assert_eq!(table.judge(&Subject { tags: Some(&named), ..subject }, 5), Verdict::Gone);
    table.retire(3);
    assert_eq!(table.retired(), 5, "it never goes back");
}

#[test]
fn the_same_pattern_again_takes_no_more_room() {
    let mut table = Table::default();
    let scope = Scope::Pattern { scheme: None, host: text("h"), path: "/*".to_owned(), query: None };
    for number in 1..100 {
        table.enter(number, &scope, Kind::Hard, AT);
    }
    assert_eq!(table.patterns(), 1);
    table.enter(100, &scope, Kind::Soft, AT);
    let none = Tags::default();
    let subject = Subject { url: url("http", "h", "/", ""), tags: Some(&none) };
    assert_eq!(table.judge(&subject, 98), Verdict::Gone, "a soft purge does not hide a hard one");
}

#[test]
fn a_group_is_purged_for_one_origin_alone() {
    let rules = TagRules { groups: true, ..TagRules::default() };
    let tags = Tags::of(&fields(&[("cache-groups", "\"a\""), ("surrogate-key", "a")]), &rules, &URL).unwrap();
    let subject = Subject { url: URL, tags: Some(&tags) };
    let scope = |scheme: &str, host: &str, group: &str| Scope::Group {
        scheme: scheme.to_owned(),
        host: host.to_owned(),
        group: group.to_owned(),
    };
    for (other, expected) in [
        (scope("http", "h", "a"), Verdict::Keep),
        (scope("https", "h:8443", "a"), Verdict::Keep),
        (scope("https", "h", "A"), Verdict::Keep),
        (scope("https", "h", "a"), Verdict::Gone),
    ] {
        let mut table = Table::default();
        table.enter(1, &other, Kind::Hard, AT);
        assert_eq!(table.judge(&subject, 0), expected, "{other:?}");
    }
}
