//! How long an answer counts: directives, dates, ages, guesses, and fields for caches like this one.

use super::{NOT_REUSED, REUSED, all, each};
use crate::caching_rules::{STRICT, check};

#[test]
fn lifetimes_that_can_be_read() {
    each(
        STRICT,
        "lifetime",
        REUSED,
        &[
            "cache-control: max-age=3600",
            "cache-control: MAX-AGE=3600",
            "cache-control: Max-aGe=3600",
            "cache-control: max-age=\"3600\"",
            "cache-control: max-age=003600",
            "cache-control: max-age=2147483647",
            "cache-control: max-age=2147483648",
            "cache-control: max-age=4294967295",
            "cache-control: max-age=4294967296",
            "cache-control: max-age=18446744073709551616",
            "cache-control: max-age=99999999999999999999999999",
            "cache-control: max-age=3600, max-age=7200",
            "cache-control: foo, max-age=3600",
            "cache-control: max-age=3600, foo=bar",
            "cache-control: foo=\"max-age=0\", max-age=3600",
            "cache-control: foo=\"a\\\", max-age=0\", max-age=3600",
            "cache-control: foo=\"max-age=0, no-store, private\", max-age=3600",
            "cache-control: ,, max-age=3600 ,",
            "cache-control: foo ~ cache-control: max-age=3600",
            "cache-control: s-maxage=3600",
            "cache-control: S-MaxAge=3600",
            "cache-control: s-maxage=3600, max-age=0",
            "cache-control: max-age=0, s-maxage=3600",
            "cache-control: max-age=3600 ~ expires: PAST",
            "cache-control: max-age=3600 ~ expires: 0",
            "cache-control: max-age=3600 ~ expires: IMF(-3600) ~ expires: nonsense",
            "cache-control: s-maxage=3600 ~ expires: PAST",
            "expires: IMF(3600)",
            "expires: RFC850(3600)",
            "expires: ASCTIME(3600)",
            "expires: Fri, 01 Jan 2100 00:00:00 gmt",
            "expires: fri, 01 jan 2100 00:00:00 GMT",
            "expires: IMF(3600) ~ date: nonsense",
            "expires: IMF(3600) ~ date: IMF(0)",
            "expires: PAST ~ date: Mon, 31 Oct 2022 00:00:00 GMT",
            "expires: IMF(3600) ~ pragma: no-cache",
            "cache-control: max-age=3600 ~ date: IMF(-7200)",
            "cache-control: max-age=3600 ~ vary:",
            "cache-control: max-age=3600, immutable",
            "cache-control: max-age=3600, proxy-revalidate",
            "cache-control: max-age=3600, must-revalidate",
            "cache-control: max-age=3600 ~ surrogate-control: no-store",
            "cache-control: max-age=3600 ~ content-disposition: attachment",
        ],
    );
}

#[test]
fn lifetimes_that_are_none() {
    each(
        STRICT,
        "no lifetime",
        NOT_REUSED,
        &[
            "cache-control: max-age=0",
            "cache-control: max-age=-3600",
            "cache-control: max-age=+3600",
            "cache-control: max-age=3600.0",
            "cache-control: max-age=3600.5",
            "cache-control: max-age=0x10",
            "cache-control: max-age=a3600",
            "cache-control: max-age=3600a",
            "cache-control: max-age='3600'",
            "cache-control: max-age=",
            "cache-control: max-age",
            "cache-control: max-age =3600",
            "cache-control: max-age= 3600",
            "cache-control: max-age=3600 s-maxage=1",
            "cache-control: max-age=3600, max-age=0",
            "cache-control: max-age=3600 ~ cache-control: max-age=0",
            "cache-control: max-age=0, foo=\"max-age=3600\"",
            "cache-control: foo=\"bar\\\", max-age=3600\"",
            "cache-control: max-age=3600, s-maxage=0",
            "cache-control: s-maxage=a",
            "cache-control: max-age:3600",
            "expires: 0",
            "expires: -1",
            "expires:",
            "expires: PAST",
            "expires: IMF(0) ~ date: IMF(0)",
            "expires: Fri, 01 Jan 2100 00:00:00",
            "expires: Fri, 01 Jan 2100 00:00:00 UTC",
            "expires: Fri, 01 Jan 2100 00:00:00 EST",
            "expires: Fri, 01 Jan 2100 00:00:00 +0000",
            "expires: Fri, 1 Jan 2100 00:00:00 GMT",
            "expires: Fri 01 Jan 2100 00:00:00 GMT",
            "expires: Fri, 01-Jan-2100 00:00:00 GMT",
            "expires: Fri, 01 Jan 99 00:00:00 GMT",
            "expires: Fri, 01  Jan 2100 00:00:00 GMT",
            "expires: Fri, 01 Jan 2100  00:00:00 GMT",
            "expires: Fri, 01 Jan 2100 0:00:00 GMT",
            "expires: Fri, 01 Jan 2100 00.00.00 GMT",
            "expires: Fri, 01 Jan 2100 24:00:00 GMT",
            "expires: Fri, 32 Jan 2100 00:00:00 GMT",
            "expires: 2100-01-01T00:00:00Z",
            "expires: 4102444800",
            "expires: \"Fri, 01 Jan 2100 00:00:00 GMT\"",
            "expires: IMF(3600) ~ expires: IMF(3600)",
            "expires: IMF(3600), IMF(3600)",
            "expires: IMF(3600) ~ date: FUTURE",
            "x-a: 1",
            "cache-control: public",
            "cache-control: must-revalidate",
            "pragma: max-age=3600",
            "surrogate-control: max-age=3600",
        ],
    );
}

#[test]
fn ages_that_count_and_ages_that_do_not() {
    each(
        STRICT,
        "old",
        "GET | 200 ~ cache-control: max-age=3600 ~ {} | 200 1 miss\nGET | 200 | 200 2 miss",
        &[
            "age: 3600",
            "age: 7200",
            "age: 007200",
            "age: 2147483647",
            "age: 2147483648",
            "age: 2147483649",
            "age: 4294967296",
            "age: 99999999999999999999999",
            "age: 7200, 0",
            "age: 7200 ~ age: 0",
            "age: 7200, 7200",
        ],
    );
    each(
        STRICT,
        "not old",
        "GET | 200 ~ cache-control: max-age=3600 ~ {} | 200 1 miss\nGET | 200 | 200 1 hit",
        &[
            "age: 0",
            "age: 3000",
            "age: abc",
            "age: 7200a",
            "age: a7200",
            "age: -7200",
            "age: +7200",
            "age: 7200.0",
            "age: 7200;foo=bar",
            "age: 7200; 0",
            "age: \"7200\"",
            "age:",
            "age: 0, 7200",
            "age: 0 ~ age: 7200",
            "date: IMF(-7200)",
        ],
    );
    check(
        STRICT,
        &[
            (
                "age is told",
                "GET | 200 ~ cache-control: max-age=3600 | 200 1 miss ~ !age\nGET | 200 | 200 1 hit ~ age: 0",
            ),
            (
                "age goes on",
                "GET | 200 ~ cache-control: max-age=3600 ~ age: 30 | 200 1 miss ~ age: 30\nGET | 200 | 200 1 hit ~ age: 30",
            ),
            (
                "age of what is no age",
                "GET | 200 ~ cache-control: max-age=3600 ~ age: 30.5 | 200 1 miss ~ age: 0\nGET | 200 | 200 1 hit ~ age: 0",
            ),
            (
                "date stays",
                "GET | 200 ~ cache-control: max-age=3600 ~ date: PAST | 200 1 miss ~ date: PAST\nGET | 200 | 200 1 hit ~ date: PAST",
            ),
            (
                "an odd date stays",
                "GET | 200 ~ cache-control: max-age=3600 ~ date: yesterday | 200 1 miss ~ date: yesterday\nGET | 200 | 200 1 hit ~ date: yesterday",
            ),
            (
                "expires stays",
                "GET | 200 ~ expires: FUTURE | 200 1 miss ~ expires: FUTURE\nGET | 200 | 200 1 hit ~ expires: FUTURE",
            ),
        ],
    );
}

#[test]
fn lifetimes_that_are_guessed() {
    let mut rows = Vec::new();
    for status in ["200", "203", "204", "300", "301", "308", "404", "405", "410", "414", "501"] {
        let body = |number: u8| if status == "204" { String::new() } else { format!(" {number}") };
        let script =
            format!("GET | {status} ~ last-modified: PAST | {status}{0} miss\nGET | 200 | {status}{0} hit", body(1));
        rows.push((format!("guessed {status}"), script));
    }
    for status in ["201", "202", "302", "307", "400", "403", "406", "409", "412", "500", "502", "503", "504", "599"] {
        let plain = format!("GET | {status} ~ last-modified: PAST | {status} 1 miss\nGET | 200 | 200 2 miss");
        let public = format!(
            "GET | {status} ~ last-modified: PAST ~ cache-control: public | {status} 1 miss\nGET | 200 | {status} 1 hit"
        );
        rows.extend([(format!("not guessed {status}"), plain), (format!("public {status}"), public)]);
    }
    all(STRICT, &rows);
    check(
        STRICT,
        &[
            ("of a query too", "GET ?a=b | 200 ~ last-modified: PAST | 200 1 miss\nGET ?a=b | 200 | 200 1 hit"),
            ("just changed", "GET | 200 ~ last-modified: IMF(-5) | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("no date", "GET | 200 ~ last-modified: long ago | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("from the future", "GET | 200 ~ last-modified: FUTURE | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("a day at most", "GET | 200 ~ last-modified: PAST ~ age: 86400 | 200 1 miss\nGET | 200 | 200 2 miss"),
            (
                "a stated one comes first",
                "GET | 200 ~ last-modified: PAST ~ cache-control: max-age=0 | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "not with a validator alone",
                "GET | 200 ~ etag: \"a\" | 200 1 miss\nGET | 304 ~ etag: \"a\" | 200 1 miss | if-none-match: \"a\"",
            ),
        ],
    );
}

#[test]
fn statuses_with_a_lifetime() {
    let mut rows = Vec::new();
    for status in [
        "200", "201", "202", "203", "205", "226", "299", "300", "301", "302", "303", "305", "307", "308", "399", "400",
        "402", "403", "404", "405", "406", "409", "410", "411", "413", "415", "416", "417", "418", "421", "422", "429",
        "451", "499", "500", "501", "502", "503", "504", "505", "599",
    ] {
        let kept = format!("GET | {status} ~ cache-control: max-age=60 | {status} 1 miss\nGET | 200 | {status} 1 hit");
        let old =
            format!("GET | {status} ~ cache-control: max-age=1 ~ age: 9 | {status} 1 miss\nGET | 200 | 200 2 miss");
        let directives = "cache-control: max-age=60, must-understand, no-store";
        let known = format!("GET | {status} ~ {directives} | {status} 1 miss\nGET | 200 | {status} 1 hit");
        let unknown = format!("GET | {status} ~ {directives} | {status} 1 miss\nGET | 200 | 200 2 miss");
        let registered = !["226", "299", "399", "418", "429", "451", "499", "599"].contains(&status);
        rows.extend([
            (format!("status {status}"), kept),
            (format!("stale {status}"), old),
            (format!("understood {status}"), if registered { known } else { unknown }),
        ]);
    }
    all(STRICT, &rows);
}

#[test]
fn what_becomes_of_age() {
    let with = |penalty: &str| format!("[cache]\nage_penalty = \"{penalty}\"\n");
    let script = |miss: &str, hit: &str, passed: &str| {
        format!(
            "GET | 200 ~ cache-control: max-age=60 ~ age: 30 ~ date: PAST | 200 1 miss ~ {miss}\nGET | 200 | 200 1 hit ~ {hit}\nGET /n | 200 ~ cache-control: no-store ~ age: 30 | 200 3 miss ~ {passed}"
        )
    };
    check(&with("off"), &[("told", &script("age: 30 ~ date: PAST", "age: 30 ~ date: PAST", "age: 30"))]);
    check(&with("drop-age"), &[("dropped", &script("!age ~ date: PAST", "!age ~ date: PAST", "!age"))]);
    check(&with("rewrite-date"), &[("rewritten", &script("!age", "!age", "!age"))]);
}

#[test]
fn targeted_fields() {
    let (kept, not_kept) = (
        "GET | 200 ~ cdn-cache-control: {} ~ cache-control: max-age=1 ~ age: 9 | 200 1 miss\nGET | 200 | 200 1 hit",
        "GET | 200 ~ cdn-cache-control: {} ~ cache-control: max-age=3600 ~ expires: FUTURE | 200 1 miss\nGET | 200 | 200 2 miss",
    );
    each(
        STRICT,
        "targeted, kept",
        kept,
        &[
            "max-age=3600",
            "max-age=3600, foo",
            "foo=\"bar\", max-age=3600",
            "foo=(1 2);a, max-age=3600",
            "max-age=3600;foo=bar",
            "max-age=1, max-age=3600",
            "s-maxage=3600",
            "s-maxage=3600, max-age=0",
            "max-age=3600, no-store=?0",
            "foo ~ cdn-cache-control: max-age=3600",
            "max-age=3600, must-understand, no-store",
            "  max-age=3600  ",
        ],
    );
    each(
        STRICT,
        "targeted, not kept",
        not_kept,
        &[
            "max-age=0",
            "max-age=-1",
            "max-age=3600, max-age=0",
            "no-store",
            "no-store, max-age=3600",
            "no-store;foo",
            "no-cache",
            "no-cache, max-age=3600",
            "private",
            "private, max-age=3600",
            "foo",
            "must-revalidate",
            "max-age=3600 ~ age: 3601",
        ],
    );
    // What cannot be read counts as not there: then Cache-Control decides.
    each(
        STRICT,
        "not readable",
        "GET | 200 ~ cdn-cache-control: {} ~ cache-control: max-age=3600 | 200 1 miss\nGET | 200 | 200 1 hit",
        &[
            "max-age=\"0\"",
            "max-age=0.5",
            "max-age=zero",
            "max-age=?0",
            "max-age",
            "max-age =0",
            "max-age= 0",
            "Max-Age=0",
            "MAX-AGE=0",
            "no-store=1",
            "no-store=\"x\"",
            "NO-STORE",
            "no-store,",
            "no-store; ",
            "no-store max-age=0",
            "no-store, &",
            "(no-store)",
            "",
        ],
    );
    each(
        STRICT,
        "not readable, not kept",
        "GET | 200 ~ cdn-cache-control: {} ~ cache-control: no-store | 200 1 miss\nGET | 200 | 200 2 miss",
        &["max-age=\"3600\"", "Max-Age=3600", "max-age=3600.0", "max-age=3600, &", "max-age=99999999999999999999"],
    );
    check(
        STRICT,
        &[
            (
                "viewers see it",
                "GET | 200 ~ cdn-cache-control: max-age=60 ~ cache-control: no-store | 200 1 miss ~ cdn-cache-control: max-age=60 ~ cache-control: no-store\nGET | 200 | 200 1 hit ~ cdn-cache-control: max-age=60 ~ cache-control: no-store",
            ),
            (
                "our own comes first",
                "GET | 200 ~ edgehook-cdn-cache-control: max-age=60 ~ cdn-cache-control: no-store | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            (
                "that of others means nothing",
                "GET | 200 ~ other-cdn-cache-control: no-store ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 | 200 1 hit ~ other-cdn-cache-control: no-store",
            ),
            (
                "stale while it says so",
                "GET | 200 ~ cdn-cache-control: max-age=1, stale-if-error=60 ~ age: 9 | 200 1 miss\nGET | 503 | 200 1 miss",
            ),
        ],
    );
}
