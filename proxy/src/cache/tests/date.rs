//! Tests of `date`.

use proptest::prelude::*;

use super::*;

/// 2023-11-14.
const NOW: i64 = 1_700_000_000;

#[track_caller]
fn reads(text: &str, seconds: i64) {
    assert_eq!(parse(text.as_bytes(), NOW), Some(seconds), "{text}");
}

#[test]
fn the_three_forms() {
    reads("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777);
    reads("sUN, 06 nOV 1994 08:49:37 gmt", 784_111_777);
    reads("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777);
    reads("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777);
    reads("Sun Nov  6 08:49:37 1994", 784_111_777);
    reads("Sun Nov 16 08:49:37 1994", 784_975_777);
    reads("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    reads("Wed, 31 Dec 1969 23:59:59 GMT", -1);
    reads("Thu, 29 Feb 2024 00:00:00 GMT", 1_709_164_800);
    reads("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799);
    reads("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800);
}

#[test]
fn two_digits_mean_the_nearer_century() {
    reads("Friday, 01-Jan-73 00:00:00 GMT", 3_250_454_400); // 2073, less than 50 years ahead
    reads("Sunday, 31-Dec-73 00:00:00 GMT", 126_144_000); // 1973
    reads("Friday, 01-Jan-74 00:00:00 GMT", 126_230_400); // 1974
}

#[test]
fn nothing_near_them() {
    for text in [
        "",
        "0",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "Sun, 06  Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994  08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08.49.37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:37:00 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun, 06 Nov +994 08:49:37 GMT",
        "Sun, 29 Feb 1900 00:00:00 GMT",
    ] {
        assert_eq!(parse(text.as_bytes(), NOW), None, "{text}");
    }
}

#[test]
fn several_lines_are_no_date() {
    let date = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
    let mut headers = HeaderMap::new();
    assert_eq!(of(&headers, http::header::EXPIRES, NOW), None);
    headers.append("expires", date.clone());
    assert_eq!(of(&headers, http::header::EXPIRES, NOW), Some(784_111_777));
    headers.append("expires", date);
    assert_eq!(of(&headers, http::header::EXPIRES, NOW), None);
}

proptest! {
    #[test]
    fn what_is_written_is_read(seconds in 0_u64..253_402_300_800) {
        let wall = UNIX_EPOCH + Duration::from_secs(seconds);
        let text = format(wall);
        prop_assert_eq!(parse(text.as_bytes(), NOW), Some(unix(wall)));
    }

    #[test]
    fn nothing_panics(text in prop::collection::vec(any::<u8>(), 0..40), now in 0..253_402_300_799_i64) {
        parse(&text, now);
    }

    #[test]
    fn nearly_dates_do_not_panic(
        text in "(Sun|Sunday),? ?[0-9 ]{1,2}[- ](Nov|nov)[- ][0-9]{2,4} [0-9]{2}:[0-9]{2}:[0-9]{2}( GMT)?",
    ) {
        parse(text.as_bytes(), NOW);
    }
}
