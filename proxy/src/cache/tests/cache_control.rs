//! Tests of `cache_control`.

use http::HeaderValue;
use proptest::{collection::vec, prelude::*};

use super::*;

fn parse(lines: &[&str]) -> CacheControl {
    let lines = lines.iter().map(|line| (header::CACHE_CONTROL, HeaderValue::from_str(line).unwrap()));
    CacheControl::parse(&lines.collect())
}

#[track_caller]
fn max_age(line: &str, seconds: Option<u64>) {
    assert_eq!(parse(&[line]).max_age, seconds, "{line}");
}

#[test]
fn max_age_in_all_spellings() {
    max_age("max-age=3600", Some(3600));
    max_age("MaX-aGe=3600", Some(3600));
    max_age("max-age=\"3600\"", Some(3600));
    max_age("max-age=003600", Some(3600));
    max_age("foo, max-age=1,", Some(1));
    max_age("max-age=2147483648", Some(MAX_SECONDS));
    max_age("max-age=99999999999999999999999", Some(MAX_SECONDS));
    for stale in ["3600.0", "-1", "a100", "100a", "'100'", "\"100", "+1", "", "\"\"", "1 2"] {
        max_age(&format!("max-age={stale}"), Some(0));
    }
    max_age("max-age", Some(0));
    max_age("max-age=100, max-age=1", Some(1));
    max_age("max-age =100", None);
    max_age("max-age= 100", None);
    max_age("xmax-age=100, max-agex=1", None);
    max_age("foo=\"max-age=100\"", None);
    max_age("foo=\"a\\\", max-age=100, b\"", None);
    max_age("foo=\"a\\\\\", max-age=100", Some(100));
    max_age("foo=\"open, max-age=100", None);
    assert_eq!(parse(&["foo=\"open", "max-age=5"]).max_age, Some(5), "a quote ends with its line");
}

#[test]
fn directives_of_all_lines_count() {
    let all = parse(&["public, NO-STORE", "must-revalidate,proxy-revalidate", "must-understand, s-maxage=7"]);
    assert!(all.public && all.no_store && all.must_revalidate && all.proxy_revalidate && all.must_understand);
    assert_eq!(all.s_maxage, Some(7));
    let stale = parse(&["stale-while-revalidate=3, stale-if-error=4"]);
    assert_eq!((stale.stale_while_revalidate, stale.stale_if_error), (Some(3), Some(4)));
    assert_eq!(parse(&["nothing, known=1", "", ",,"]), CacheControl::default());
}

#[test]
fn private_and_no_cache_may_name_fields() {
    assert_eq!(parse(&["private"]).private, Scope::Whole);
    assert_eq!(parse(&["private=\"A, b\""]).private.fields(), ["a", "b"]);
    assert_eq!(parse(&["private=a"]).private.fields(), ["a"]);
    assert_eq!(parse(&["private=\"a\", private=\"b\""]).private.fields(), ["a", "b"]);
    for whole in ["private=\"a\", private", "private, private=\"a\"", "private=\"\"", "private=\"a b\"", "private=\"a"]
    {
        assert_eq!(parse(&[whole]).private, Scope::Whole, "{whole}");
    }
    assert_eq!(parse(&["no-cache=\"set-cookie\""]).no_cache.fields(), ["set-cookie"]);
    assert_eq!(parse(&["no-cache"]).no_cache, Scope::Whole);
}

proptest! {
    #[test]
    fn no_line_is_too_odd(lines in vec(vec(prop_oneof![32_u8..127, 128_u8..=255, Just(b'\t')], 0..60), 0..4)) {
        let lines = lines.iter().map(|line| (header::CACHE_CONTROL, HeaderValue::from_bytes(line).unwrap()));
        CacheControl::parse(&lines.collect());
    }

    #[test]
    fn more_lines_are_never_more_permissive(
        one in "(max-age=[0-9]{1,3}|private|no-store|no-cache|, ){0,4}",
        two in "(s-maxage=1|max-age=[0-9]{1,3}|no-store|no-cache|, ){0,4}",
    ) {
        let (first, both) = (parse(&[&one]), parse(&[&one, &two]));
        prop_assert!(both.no_store >= first.no_store);
        prop_assert!(both.private != Scope::Absent || first.private == Scope::Absent);
        prop_assert!(first.max_age.is_none_or(|seconds| both.max_age.is_some_and(|least| least <= seconds)));
    }
}
