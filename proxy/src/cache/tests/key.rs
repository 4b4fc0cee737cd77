//! Tests of `key`.

use http::HeaderValue;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::cache::tests::fields;
use crate::cache::{TagRules, policy::Ttl};

fn policy(query: Selection, headers: Selection, cookies: Selection) -> CachePolicy {
    let ttl = Ttl { min: Default::default(), default: Default::default(), max: std::time::Duration::from_secs(1) };
    CachePolicy {
        ttl,
        query,
        headers,
        cookies,
        tags: TagRules::default(),
        normalise: Default::default(),
        rules: Default::default(),
    }
}

fn all() -> CachePolicy {
    policy(Selection::All, Selection::All, Selection::All)
}

fn some(names: &[&str]) -> Selection {
    Selection::Include(names.iter().map(ToString::to_string).collect())
}

fn but(names: &[&str]) -> Selection {
    Selection::Exclude(names.iter().map(ToString::to_string).collect())
}

fn input<'a>(query: Option<&'a str>, headers: &'a HeaderMap) -> KeyInput<'a> {
    KeyInput { namespace: "", scheme: "https", host: "a.test", path: "/", query, headers, buckets: &[] }
}

#[track_caller]
fn query(selection: Selection, query: Option<&str>, forwarded: Option<&str>) {
    let policy = policy(selection, Selection::None, Selection::None);
    let keyed = KeyedRequest::new(&policy, &input(query, &HeaderMap::new()));
    assert_eq!(keyed.query.as_deref(), forwarded);
}

#[test]
fn the_query_keeps_order_and_bytes() {
    query(Selection::None, Some("a=1"), None);
    query(Selection::All, Some("b=2&a=1&&a=%41"), Some("b=2&a=1&&a=%41"));
    query(some(&["a", "c"]), Some("c&b=2&a=1&a=0"), Some("c&a=1&a=0"));
    query(but(&["b"]), Some("c&b=2&b&a=1;b=3"), Some("c&a=1;b=3"));
    query(some(&["a"]), Some("%61=1&A=1"), None);
    query(Selection::All, Some(""), Some(""));
    query(some(&["a"]), Some(""), None);
    query(Selection::All, None, None);
}

#[test]
fn cookies_are_sorted_in_the_key_and_not_for_the_origin() {
    let keyed = |selection, line: &str| {
        KeyedRequest::new(
            &policy(Selection::None, Selection::None, selection),
            &input(None, &fields(&[("cookie", line)])),
        )
    };
    let one = keyed(some(&["a", "b"]), "b=2; x=9;a=1");
    let two = keyed(some(&["a", "b"]), "a=1; b=2; y=8");
    assert_eq!(one.cookies.as_deref(), Some("b=2; a=1"));
    assert_eq!(two.cookies.as_deref(), Some("a=1; b=2"));
    assert_eq!(one.key, two.key);
    assert_ne!(keyed(Selection::All, "a=1; a=2").key, keyed(Selection::All, "a=2; a=1").key);
    assert_eq!(keyed(but(&["a"]), "a=1; b").cookies.as_deref(), Some("b"));
    assert_eq!(keyed(some(&["a"]), "b=1").cookies, None);
    assert_eq!(keyed(Selection::None, "a=1").cookies, None);
}

#[test]
fn a_cookie_that_is_no_text_is_neither_keyed_nor_forwarded() {
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, HeaderValue::from_bytes(b"a=\xff; b=1").unwrap());
    let keyed = KeyedRequest::new(&all(), &input(None, &headers));
    assert_eq!(keyed.cookies.as_deref(), Some("b=1"));
}

#[test]
fn fields_are_named_in_any_case_and_some_are_never_keyed() {
    let headers =
        fields(&[("accept", "x"), ("x-b", "1"), ("x-b", "2"), ("range", "bytes=0-1"), ("cookie", "a=1"), ("te", "x")]);
    let keyed =
        |selection| KeyedRequest::new(&policy(Selection::None, selection, Selection::None), &input(None, &headers));
    assert_eq!(keyed(some(&["ACCEPT", "Range", "missing"])).headers, ["accept"]);
    assert_eq!(keyed(Selection::All).headers, ["accept", "x-b"]);
    assert_eq!(keyed(but(&["X-B"])).headers, ["accept"]);
    assert_eq!(keyed(Selection::None).headers, [""; 0]);
}

#[test]
fn every_part_counts() {
    let headers = HeaderMap::new();
    let plain = input(Some("q"), &headers);
    let with = fields(&[("x", "1")]);
    let variants = [
        plain,
        KeyInput { namespace: "staging", ..plain },
        KeyInput { scheme: "http", ..plain },
        KeyInput { host: "b.test", ..plain },
        KeyInput { path: "/a", ..plain },
        KeyInput { query: Some("r"), ..plain },
        KeyInput { query: None, ..plain },
        KeyInput { headers: &with, ..plain },
        KeyInput { buckets: &[("ab", "a")], ..plain },
        KeyInput { buckets: &[("a", "ba")], ..plain },
    ];
    let keys: Vec<Key> = variants.iter().map(|input| KeyedRequest::new(&all(), input).key).collect();
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(keys.iter().filter(|other| *other == key).count(), 1, "variant {index}");
        assert_eq!(key.url() == keys[0].url(), index == 0 || index > 6, "the URL ends behind the query: {index}");
    }
    assert!(!format!("{:?}", keys[0]).contains("test"), "a key does not tell what is in it");
}

type Parts = (String, String, String, Option<String>, Vec<(String, String)>, Vec<(String, String)>);

/// Few letters, so that parts often flow into one another.
fn parts() -> impl Strategy<Value = Parts> {
    let pairs = || vec(("[ab]{1,2}", "[ab:=]{0,2}"), 0..3);
    ("[a/]{0,3}", "[a/]{0,3}", "[a/?&=]{0,3}", proptest::option::of("[ab&=]{1,4}"), pairs(), pairs())
}

proptest! {
    #[test]
    fn different_requests_have_different_keys(one in parts(), two in parts()) {
        fn key((namespace, host, path, query, headers, buckets): &Parts) -> (Key, Vec<(String, Vec<String>)>) {
            let pairs = |list: &[(String, String)]| -> HeaderMap {
                let list: Vec<(&str, &str)> = list.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
                fields(&list)
            };
            let map = pairs(headers);
            let buckets: Vec<(&str, &str)> = buckets.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let input = KeyInput {
                namespace, scheme: "http", host, path, query: query.as_deref(), headers: &map, buckets: &buckets,
            };
            let mut shown: Vec<(String, Vec<String>)> = map.keys().map(|name| {
                (name.to_string(), map.get_all(name).iter().map(|v| v.to_str().unwrap().to_owned()).collect())
            }).collect();
            shown.sort();
            (KeyedRequest::new(&all(), &input).key, shown)
        }
        let ((first, first_fields), (second, second_fields)) = (key(&one), key(&two));
        let same = (&one.0, &one.1, &one.2, &one.3, &one.5) == (&two.0, &two.1, &two.2, &two.3, &two.5)
            && first_fields == second_fields;
        prop_assert_eq!(first == second, same);
    }

    #[test]
    fn what_is_keyed_is_what_is_forwarded(line in "[ab=;&% ]{0,12}", names in vec("[ab]{0,1}", 0..3)) {
        let selection = Selection::Include(names);
        let policy = policy(selection.clone(), Selection::None, selection);
        let headers = fields(&[("cookie", &line)]);
        let first = KeyedRequest::new(&policy, &input(Some(&line), &headers));
        let again = fields(&[("cookie", first.cookies.as_deref().unwrap_or(""))]);
        let second = KeyedRequest::new(&policy, &input(first.query.as_deref(), &again));
        prop_assert_eq!(first.key, second.key);
        prop_assert_eq!((first.query, first.cookies), (second.query, second.cookies));
    }
}

#[test]
fn a_url_is_read_back_from_its_key() {
    let headers = HeaderMap::new();
    for query in [None, Some(""), Some("a=1&b=\u{e4}")] {
        let input = KeyInput {
            namespace: "n",
            scheme: "https",
            host: "h:8080",
            path: "/p/q",
            query,
            headers: &headers,
            buckets: &[("v", "b")],
        };
        let key = KeyedRequest::new(&policy(Selection::All, Selection::None, Selection::None), &input).key;
        let expected = UrlParts { scheme: "https", host: "h:8080", path: "/p/q", query: query.unwrap_or("") };
        assert_eq!(key.url_parts(), expected);
        let again = Key::from_bytes(key.bytes()).unwrap();
        assert!(again == key && again.url_bytes() == key.url_bytes());
        assert_eq!(again.url_parts(), expected);
    }
    assert!(Key::from_bytes(b"").is_none() && Key::from_bytes(&[VERSION, 0, 0]).is_none());
}
