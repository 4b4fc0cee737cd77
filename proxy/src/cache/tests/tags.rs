//! Tests of `tags`.

use super::*;
use crate::cache::tests::fields;

const URL: UrlParts<'_> = UrlParts { scheme: "https", host: "h:8443", path: "/", query: "" };

fn read(list: &[(&str, &str)], field: Option<&str>) -> Vec<String> {
    let rules = TagRules { field: field.map(|name| name.parse().unwrap()), forward: false, groups: false };
    Tags::of(&fields(list), &rules, &URL).unwrap().marked().map(str::to_owned).collect()
}

#[test]
fn each_field_has_its_separator_and_its_comparison() {
    assert_eq!(read(&[("surrogate-key", "a  B\tc,d")], None), ["=B", "=a", "=c,d"]);
    assert_eq!(read(&[("cache-tag", " One,two three,, ")], None), ["~one", "~two three"]);
    assert_eq!(read(&[("cache-tag", "a"), ("cache-tag", "b,A")], None), ["~a", "~b"]);
    assert_eq!(read(&[("x-tags", "P1,p2")], None), [""; 0]);
    assert_eq!(read(&[("x-tags", "P1,p2"), ("surrogate-key", "p1")], Some("x-tags")), ["=p1", "~p1", "~p2"]);
}

#[test]
fn a_purge_names_both_kinds() {
    let [exact, folded] = purged_forms("Shoe");
    assert_eq!((&*exact, &*folded), ("=Shoe", "~shoe"));
}

#[test]
fn limits() {
    let rules = TagRules::default();
    let of = |text: &str| Tags::of(&fields(&[("surrogate-key", text)]), &rules, &URL);
    assert!(of(&"a".repeat(MAX_TAG)).is_ok());
    assert_eq!(of(&"a".repeat(MAX_TAG + 1)), Err(TooManyTags));
    let line = "tag ".repeat(MAX_FIELDS / 4);
    assert!(of(&line).is_ok());
    assert_eq!(of(&format!("{line}x")), Err(TooManyTags));
    let mut odd = HeaderMap::new();
    odd.insert("cache-tag", http::HeaderValue::from_bytes(b"\xe5").unwrap());
    assert_eq!(Tags::of(&odd, &rules, &URL), Err(TooManyTags));
}

#[test]
fn stripped_unless_forwarded() {
    let list = [("surrogate-key", "a"), ("cache-tag", "b"), ("x-tags", "c"), ("etag", "\"1\"")];
    let mut headers = fields(&list);
    TagRules { field: None, forward: true, groups: false }.strip(&mut headers);
    assert_eq!(headers.len(), 4);
    TagRules::default().strip(&mut headers);
    assert_eq!(headers.len(), 2, "{headers:?}");
    TagRules { field: Some("x-tags".parse().unwrap()), forward: false, groups: false }.strip(&mut headers);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["etag"]);
}

#[test]
fn what_can_be_purged() {
    assert!(is_tag("a b:c") && is_tag("x"));
    assert!(!is_tag("") && !is_tag(" a") && !is_tag("a\n") && !is_tag("ä") && !is_tag(&"a".repeat(MAX_TAG + 1)));
}

#[test]
fn groups_belong_to_one_origin_and_are_lists_of_strings() {
    let rules = TagRules { groups: true, ..TagRules::default() };
    let read = |lines: &[&str]| -> Vec<String> {
        let lines: Vec<(&str, &str)> = lines.iter().map(|line| ("cache-groups", *line)).collect();
        Tags::of(&fields(&lines), &rules, &URL).unwrap().marked().map(str::to_owned).collect()
    };
    let both = ["@https://h:8443 A b", "@https://h:8443 a"];
    assert_eq!(read(&["\"a\";x=1, \"A b\"", "\"a\""]), both);
    assert_eq!(read(&["\"a\"", "\"A b\""]), both);
    for malformed in ["a", "\"a\", b", "\"a\", 1", "(\"a\")", "\"a", "'a'", ""] {
        assert!(read(&[malformed]).is_empty(), "{malformed}");
    }
    let off = Tags::of(&fields(&[("cache-groups", "\"a\"")]), &TagRules::default(), &URL).unwrap();
    assert_eq!(off, Tags::default());
    let (long, rules) = (format!("\"{}\"", "x".repeat(MAX_FIELDS)), TagRules { groups: true, ..TagRules::default() });
    assert_eq!(Tags::of(&fields(&[("cache-groups", &long)]), &rules, &URL), Err(TooManyTags));
    assert!(Tags::present(&fields(&[("cache-groups", "\"a\"")]), &rules));
    let invalidated = |text: &str| invalidated_groups(&fields(&[("cache-group-invalidation", text)]));
    assert_eq!(invalidated("\"a\", \"b\""), ["a", "b"]);
    assert!(invalidated("a").is_empty() && invalidated(&long).is_empty());
}
