//! Tests of `tags`.

use super::*;
use crate::cache::tests::fields;

fn read(list: &[(&str, &str)], field: Option<&str>) -> Vec<String> {
    let rules = TagRules { field: field.map(|name| name.parse().unwrap()), forward: false };
    Tags::of(&fields(list), &rules).unwrap().marked().map(str::to_owned).collect()
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
    let of = |text: &str| Tags::of(&fields(&[("surrogate-key", text)]), &rules);
    assert!(of(&"a".repeat(MAX_TAG)).is_ok());
    assert_eq!(of(&"a".repeat(MAX_TAG + 1)), Err(TooManyTags));
    let line = "tag ".repeat(MAX_FIELDS / 4);
    assert!(of(&line).is_ok());
    assert_eq!(of(&format!("{line}x")), Err(TooManyTags));
    let mut odd = HeaderMap::new();
    odd.insert("cache-tag", http::HeaderValue::from_bytes(b"\xe5").unwrap());
    assert_eq!(Tags::of(&odd, &rules), Err(TooManyTags));
}

#[test]
fn stripped_unless_forwarded() {
    let list = [("surrogate-key", "a"), ("cache-tag", "b"), ("x-tags", "c"), ("etag", "\"1\"")];
    let mut headers = fields(&list);
    TagRules { field: None, forward: true }.strip(&mut headers);
    assert_eq!(headers.len(), 4);
    TagRules::default().strip(&mut headers);
    assert_eq!(headers.len(), 2, "{headers:?}");
    TagRules { field: Some("x-tags".parse().unwrap()), forward: false }.strip(&mut headers);
    assert_eq!(headers.keys().collect::<Vec<_>>(), ["etag"]);
}

#[test]
fn what_can_be_purged() {
    assert!(is_tag("a b:c") && is_tag("x"));
    assert!(!is_tag("") && !is_tag(" a") && !is_tag("a\n") && !is_tag("ä") && !is_tag(&"a".repeat(MAX_TAG + 1)));
}
