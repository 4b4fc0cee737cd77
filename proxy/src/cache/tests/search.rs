//! Tests of `search`.

use super::*;
use crate::cache::tests::fields;

fn says(value: &str) -> Option<NoVarySearch> {
    NoVarySearch::of(&fields(&[("no-vary-search", value)]))
}

fn simplified(value: &str, query: &str) -> String {
    says(value).unwrap().simplify(query)
}

#[test]
fn what_is_left_of_a_query() {
    for (value, query, expected) in [
        ("params=(\"utm\" \"ref\")", "id=1&utm=x&ref=y", "id=1"),
        ("params=(\"utm\")", "utm=x&id=1&utm=y", "id=1"),
        ("params", "a=1&b=2", ""),
        ("params, except=(\"id\")", "a=1&id=2&b=3", "id=2"),
        ("except=(\"id\")", "a=1&id=2", "id=2"),
        ("key-order", "b=1&a=2&b=0", "a=2&b=1&b=0"),
        ("key-order, params=(\"x\")", "b=1&x&a=2", "a=2&b=1"),
        ("key-order=?0, params=(\"x\")", "b=1&x&a=2", "b=1&a=2"),
        ("params=(\"a b\")", "a+b=1&a%20b=2&c=%41", "c=A"),
        ("params=(\"a%20b\")", "a+b=1&c=3", "c=3"),
        ("params=(\"x\")", "a&b=&&=c", "a=&b=&=c"),
        ("params=(\"x\")", "a=1%262&b=%C3%A9", "a=1%262&b=%C3%A9"),
        ("params=(\"x\");foo, bar", "x=1&a=1", "a=1"),
    ] {
        assert_eq!(simplified(value, query), expected, "{value} {query}");
    }
}

#[test]
fn values_that_say_nothing() {
    for value in [
        "",
        "params=?0",
        "key-order=?0",
        "foo",
        "params=utm",
        "params=\"utm\"",
        "params=(utm)",
        "params=(1)",
        "params=(\"a\"), except=(\"b\")",
        "params=?0, except=(\"b\")",
        "except=\"a\"",
        "key-order=1",
        "params=(\"a\"",
    ] {
        assert_eq!(says(value), None, "{value}");
    }
}

#[test]
fn the_newest_value_counts_and_none_is_mistaken_for_an_older_one() {
    let searches = Searches::default();
    let learn = |value: Option<&str>| {
        let fields = fields(&value.map(|value| ("no-vary-search", value)).into_iter().collect::<Vec<_>>());
        searches.learn(b"path", "/path", &fields);
        searches.known(b"path")
    };
    assert!(learn(None).is_none(), "nothing to remember");
    let first = learn(Some("params=(\"a\")")).unwrap();
    assert_eq!(learn(Some("params=(\"a\")")).unwrap().number, first.number);
    assert_eq!(first.simplify(Some("a=1")), None);
    let gone = learn(None).unwrap();
    assert_eq!(gone.simplify(Some("a=1")).as_deref(), Some("a=1"));
    let again = learn(Some("params=(\"a\")")).unwrap();
    assert!(first.number != gone.number && gone.number != again.number && first.number != again.number);
    assert!(searches.known(b"other").is_none());
}

proptest::proptest! {
    #[test]
    fn simplifying_twice_changes_nothing(query in "[a-c=&+%0-9]{0,24}") {
        for value in ["params=(\"a\")", "key-order", "params, except=(\"a\" \"b\")"] {
            let once = simplified(value, &query);
            proptest::prop_assert_eq!(&simplified(value, &once), &once);
        }
    }
}
