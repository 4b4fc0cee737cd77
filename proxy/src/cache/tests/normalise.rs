//! Tests of `normalise`.

use proptest::prelude::*;

use super::*;

fn all() -> Normalise {
    Normalise {
        sort: true,
        dedupe: true,
        strip_tracking: true,
        signed_names: vec!["sig".to_owned()],
        codings: vec![Coding::Brotli, Coding::Gzip],
        best_match: vec![(header::ACCEPT_LANGUAGE, ["en", "de", "zh-Hant"].map(HeaderValue::from_static).to_vec())],
    }
}

#[test]
fn queries_are_left_alone_unless_asked() {
    let text = "b=2&a=1&utm_source=x&a=1&&c";
    assert_eq!(Normalise::default().query(text.to_owned()), text);
    let only = |change: fn(&mut Normalise)| {
        let mut normalise = Normalise::default();
        change(&mut normalise);
        normalise.query(text.to_owned())
    };
    assert_eq!(only(|it| it.sort = true), "&a=1&a=1&b=2&c&utm_source=x");
    assert_eq!(only(|it| it.dedupe = true), "b=2&a=1&utm_source=x&&c");
    assert_eq!(only(|it| it.strip_tracking = true), "b=2&a=1&a=1&&c");
}

#[test]
fn order_within_a_name_counts_and_signatures_are_sacred() {
    assert_eq!(all().query("a=2&b=1&a=1".to_owned()), "a=2&a=1&b=1");
    assert_eq!(all().query("b=1&a=1&sig=x&a=1".to_owned()), "b=1&a=1&sig=x&a=1");
    assert_eq!(all().query("b=1&a=1&signature=x".to_owned()), "a=1&b=1&signature=x");
    for tracking in ["utm_campaign=x", "gclid=1", "fbclid", "_ga=2", "mc_eid=3"] {
        assert_eq!(all().query(format!("{tracking}&a=1")), "a=1", "{tracking}");
    }
    assert_eq!(all().query("gclid_x=1".to_owned()), "gclid_x=1");
}

fn after(name: &'static str, value: Option<&'static str>) -> String {
    let mut headers = HeaderMap::new();
    if let Some(value) = value {
        headers.insert(name, HeaderValue::from_static(value));
    }
    all().fields(&mut headers);
    headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned()
}

#[test]
fn codings_fall_into_buckets() {
    for (offered, bucket) in [
        (Some("gzip, deflate, br, zstd"), "br,gzip"),
        (Some("GZIP;q=0.1"), "gzip"),
        (Some("br;q=0, gzip"), "gzip"),
        (Some("*"), "br,gzip"),
        (Some("br;q=0, *"), "gzip"),
        (Some("*;q=0"), "identity"),
        (Some("deflate"), "identity"),
        (Some(""), "identity"),
        (None, "identity"),
    ] {
        assert_eq!(after("accept-encoding", offered), bucket, "{offered:?}");
    }
}

#[test]
fn one_language_is_chosen() {
    for (wanted, chosen) in [
        (Some("de"), "de"),
        (Some("DE-at, en;q=0.5"), "de"),
        (Some("en;q=0.5, de"), "de"),
        (Some("fr, de;q=0.1"), "de"),
        (Some("fr"), "en"),
        (Some("de;q=0"), "en"),
        (Some("zh-Hant-x-private"), "zh-Hant"),
        (Some("zh"), "en"),
        (None, "en"),
    ] {
        assert_eq!(after("accept-language", wanted), chosen, "{wanted:?}");
    }
}

proptest! {
    #[test]
    fn doing_it_twice_changes_nothing(
        query in "([abu_tmgcli=%;+&]{0,6}&?){0,6}",
        coding in "[a-z*;=,. q01]{0,24}",
        language in "[a-zA-Z*;=,.\\- q01]{0,24}",
    ) {
        let once = all().query(query);
        prop_assert_eq!(all().query(once.clone()), once);
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(&coding).unwrap());
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(&language).unwrap());
        all().fields(&mut headers);
        let first = headers.clone();
        all().fields(&mut headers);
        prop_assert_eq!(headers, first);
    }
}
