//! What requests get of what is stored: directives, conditions, validation, parts, stale answers.

use super::all;
use crate::caching_rules::{STRICT, check};
use crate::harness::{Answer, Edge, Origin, eventually};

#[test]
fn directives_of_requests() {
    let stored = "GET | 200 ~ cache-control: max-age=60 ~ age: 30 ~ etag: \"a\" ~ last-modified: PAST | 200 1 miss\n";
    let asks = |directives: &str, seen: &str| format!("{stored}GET ~ cache-control: {directives} | 200 | {seen}");
    let stale = "GET | 200 ~ cache-control: max-age=60 ~ age: 70 | 200 1 miss\n";
    let takes = |directives: &str, seen: &str| format!("{stale}GET ~ cache-control: {directives} | 200 | {seen}");
    check(
        STRICT,
        &[
            ("max-age 0", &asks("max-age=0", "200 2 miss")),
            ("max-age 29", &asks("max-age=29", "200 2 miss")),
            ("max-age 1000", &asks("max-age=1000", "200 1 hit")),
            ("MAX-AGE 0", &asks("MAX-AGE=0", "200 2 miss")),
            ("min-fresh 10", &asks("min-fresh=10", "200 1 hit")),
            ("min-fresh 40", &asks("min-fresh=40", "200 2 miss")),
            ("no-cache", &asks("no-cache", "200 2 miss | if-none-match: \"a\" ~ if-modified-since: PAST")),
            ("no-cache and more", &asks("max-age=1000, no-cache", "200 2 miss")),
            ("no-store", &asks("no-store", "200 1 hit")),
            ("only-if-cached", &asks("only-if-cached", "200 1 hit")),
            ("no-transform", &asks("no-transform", "200 1 hit")),
            ("unknown", &asks("max-stales=1, foo=\"no-cache\"", "200 1 hit")),
            ("max-stale", &takes("max-stale", "200 1 hit")),
            ("max-stale 100", &takes("max-stale=100", "200 1 hit")),
            ("max-stale 5", &takes("max-stale=5", "200 2 miss")),
            ("max-stale and max-age", &takes("max-stale=100, max-age=10", "200 2 miss")),
            (
                "max-stale where it may not",
                "GET | 200 ~ cache-control: max-age=60, must-revalidate ~ age: 70 | 200 1 miss\nGET ~ cache-control: max-stale | 200 | 200 2 miss",
            ),
            (
                "no-store keeps nothing",
                "GET ~ cache-control: no-store | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            ("pragma", &format!("{stored}GET ~ pragma: no-cache | 200 | 200 1 hit")),
            ("cookie", &format!("{stored}GET ~ cookie: a=b | 200 | 200 1 hit")),
            ("referer", &format!("{stored}GET ~ referer: http://a/ ~ user-agent: x ~ accept: y | 200 | 200 1 hit")),
        ],
    );
}

#[test]
fn entity_tags_and_dates_of_viewers() {
    let fresh = |etag: &str, asked: &str, seen: &str| {
        format!(
            "GET | 200 ~ cache-control: max-age=60 ~ etag: {etag} | 200 1 miss\nGET ~ if-none-match: {asked} | 200 | {seen}"
        )
    };
    let (same, other) = ("304 hit", "200 1 hit");
    check(
        STRICT,
        &[
            ("strong", &fresh("\"a\"", "\"a\"", "304 hit ~ etag: \"a\" ~ cache-control: max-age=60 ~ !content-type")),
            ("weak of the viewer", &fresh("\"a\"", "W/\"a\"", same)),
            ("weak of the origin", &fresh("W/\"a\"", "\"a\"", same)),
            ("both weak", &fresh("W/\"a\"", "W/\"a\"", same)),
            ("first of several", &fresh("\"a\"", "\"a\", \"b\"", same)),
            ("second of several", &fresh("\"a\"", "\"b\", \"a\"", same)),
            ("last of several", &fresh("\"a\"", "\"b\",\"c\" , W/\"a\"", same)),
            ("on a second line", &fresh("\"a\"", "\"b\" ~ if-none-match: \"a\"", same)),
            ("any", &fresh("\"a\"", "*", same)),
            (
                "any without a tag",
                "GET | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ~ if-none-match: * | 200 | 304 hit",
            ),
            ("another", &fresh("\"a\"", "\"b\"", other)),
            ("in capitals", &fresh("\"a\"", "\"A\"", other)),
            ("small w", &fresh("W/\"a\"", "w/\"a\"", other)),
            ("backslash", &fresh("W/\"a\"", "W\\\"a\"", other)),
            ("without slash", &fresh("W/\"a\"", "W\"a\"", other)),
            ("a comma within", &fresh("\"a,b\"", "\"x\", \"a,b\"", same)),
            ("half of one with a comma", &fresh("\"b\"", "\"a,b\"", other)),
            ("without quotes", &fresh("abc", "abc", same)),
            ("without quotes on one side", &fresh("abc", "\"abc\"", other)),
            ("beyond ASCII", &fresh("\"\u{fc}\"", "\"\u{fc}\"", same)),
            ("empty", &fresh("\"\"", "\"\"", same)),
            (
                "the tag counts, not the date",
                "GET | 200 ~ cache-control: max-age=60 ~ etag: \"a\" ~ last-modified: PAST | 200 1 miss\nGET ~ if-none-match: \"b\" ~ if-modified-since: FUTURE | 200 | 200 1 hit\nGET ~ if-none-match: \"a\" ~ if-modified-since: Sat, 01 Jan 2000 00:00:00 GMT | 200 | 304 hit",
            ),
            (
                "dates",
                "GET | 200 ~ cache-control: max-age=60 ~ last-modified: IMF(-1000) | 200 1 miss\nGET ~ if-modified-since: IMF(-1000) | 200 | 304 hit\nGET ~ if-modified-since: RFC850(-500) | 200 | 304 hit\nGET ~ if-modified-since: ASCTIME(-500) | 200 | 304 hit\nGET ~ if-modified-since: IMF(-1100) | 200 | 200 1 hit\nGET ~ if-modified-since: soon | 200 | 200 1 hit\nGET ~ if-modified-since: IMF(-500) ~ if-modified-since: IMF(-500) | 200 | 200 1 hit",
            ),
            (
                "dates without last-modified",
                "GET | 200 ~ cache-control: max-age=9000 ~ date: IMF(-1000) | 200 1 miss\nGET ~ if-modified-since: IMF(-999) | 200 | 304 hit\nGET ~ if-modified-since: IMF(-1100) | 200 | 200 1 hit",
            ),
            (
                "errors are not compared",
                "GET | 404 ~ cache-control: max-age=60 ~ etag: \"a\" | 404 1 miss\nGET ~ if-none-match: \"a\" | 200 | 404 1 hit",
            ),
            (
                "head",
                "GET | 200 ~ cache-control: max-age=60 ~ etag: \"a\" | 200 1 miss\nHEAD ~ if-none-match: \"a\" | 200 | 304 hit",
            ),
            (
                "what belongs to the origin",
                "GET | 200 ~ cache-control: max-age=60 ~ etag: \"a\" | 200 1 miss\nGET ~ if-match: \"a\" | 200 | 200 2 miss | if-match: \"a\"\nGET ~ if-unmodified-since: PAST | 412 | 412 3 miss | if-unmodified-since: PAST\nGET | 200 | 200 1 hit",
            ),
            (
                "nothing stored, and not quoted",
                "GET ~ if-none-match: abc | 304 ~ etag: abc | 304 miss | if-none-match: abc\nGET | 200 | 200 2 miss | !if-none-match",
            ),
            ("nothing stored, a date", "GET ~ if-modified-since: PAST | 304 | 304 miss | if-modified-since: PAST"),
        ],
    );
}

#[test]
fn validation_of_what_is_stale() {
    let old = |fields: &str, lines: &str| {
        format!("GET | 200 ~ cache-control: max-age=1 ~ age: 9 ~ {fields} | 200 1 miss\n{lines}")
    };
    check(
        STRICT,
        &[
            (
                "strong",
                &old("etag: \"a\"", "GET | 304 ~ etag: \"a\" | 200 1 miss | if-none-match: \"a\" ~ !if-modified-since"),
            ),
            ("weak", &old("etag: W/\"a\"", "GET | 304 ~ etag: W/\"a\" | 200 1 miss | if-none-match: W/\"a\"")),
            ("without quotes", &old("etag: abc", "GET | 304 ~ etag: abc | 200 1 miss | if-none-match: abc")),
            ("date", &old("last-modified: PAST", "GET | 304 | 200 1 miss | if-modified-since: PAST ~ !if-none-match")),
            (
                "both",
                &old(
                    "etag: \"a\" ~ last-modified: PAST",
                    "GET | 304 | 200 1 miss | if-modified-since: PAST ~ if-none-match: \"a\"",
                ),
            ),
            ("neither", &old("x-a: 1", "GET | 200 | 200 2 miss | !if-none-match ~ !if-modified-since")),
            (
                "renewed by age",
                &old(
                    "etag: \"a\"",
                    "GET | 304 ~ cache-control: max-age=60 ~ age: 30 | 200 1 miss ~ age: 30\nGET | 200 | 200 1 hit ~ age: 30",
                ),
            ),
            (
                "renewed by expires",
                &old(
                    "etag: \"a\"",
                    "GET | 304 ~ cache-control: x ~ expires: IMF(3600) | 200 1 miss\nGET | 200 | 200 1 hit",
                ),
            ),
            (
                "an old date does not stay",
                &old(
                    "etag: \"a\" ~ date: PAST",
                    "GET | 304 ~ cache-control: max-age=60 ~ date: FUTURE | 200 1 miss ~ date: FUTURE\nGET | 200 | 200 1 hit ~ date: FUTURE",
                ),
            ),
            (
                "fields that are not renewed",
                &old(
                    "etag: \"a\" ~ content-encoding: x ~ content-range: bytes 0-0/1",
                    "GET | 304 ~ cache-control: max-age=60 ~ content-encoding: y ~ content-range: bytes 9-9/9 ~ content-length: 77 | 200 1 miss ~ content-encoding: x ~ content-range: bytes 0-0/1 ~ content-length: 1\nGET | 200 | 200 1 hit ~ content-encoding: x ~ content-length: 1",
                ),
            ),
            (
                "fields that are",
                &old(
                    "etag: \"a\" ~ x-a: 1 ~ content-type: a/b ~ set-cookie: a=1 ~ content-location: /1 ~ content-security-policy: x ~ x-kept: 1",
                    "GET | 304 ~ cache-control: max-age=60 ~ x-a: 2 ~ content-type: c/d ~ set-cookie: a=2 ~ content-location: /2 ~ content-security-policy: y ~ x-new: 1 | 200 1 miss ~ x-a: 2\nGET | 200 | 200 1 hit ~ x-a: 2 ~ content-type: c/d ~ set-cookie: a=2 ~ content-location: /2 ~ content-security-policy: y ~ x-new: 1 ~ x-kept: 1",
                ),
            ),
            (
                "fields between hops",
                &old(
                    "etag: \"a\" ~ x-a: 1",
                    "GET | 304 ~ cache-control: max-age=60 ~ connection: x-a ~ x-a: 2 ~ keep-alive: x | 200 1 miss ~ x-a: 1 ~ !keep-alive",
                ),
            ),
            (
                "a 304 that forbids storing",
                &old(
                    "etag: \"a\"",
                    "GET | 304 ~ cache-control: no-store | 200 1 miss\nGET | 200 | 200 3 miss | !if-none-match",
                ),
            ),
        ],
    );
    check(
        STRICT,
        &[
            (
                "replaced",
                &old(
                    "etag: \"a\"",
                    "GET | 200 ~ etag: \"b\" ~ cache-control: max-age=60 | 200 2 miss\nGET | 200 | 200 2 hit ~ etag: \"b\"",
                ),
            ),
            ("gone", &old("etag: \"a\"", "GET | 404 | 404 2 miss\nGET | 200 | 200 3 miss | !if-none-match")),
            (
                "condition of the viewer, met",
                &old(
                    "etag: \"a\"",
                    "GET ~ if-none-match: \"a\" | 200 ~ etag: \"a\" ~ cache-control: max-age=60 | 304 miss",
                ),
            ),
            (
                "condition of the viewer, not met",
                &old(
                    "etag: \"a\"",
                    "GET ~ if-none-match: \"a\" | 200 ~ etag: \"b\" ~ cache-control: max-age=60 | 200 2 miss\nGET | 200 | 200 2 hit",
                ),
            ),
            (
                "no-cache is validated each time",
                "GET | 200 ~ cache-control: no-cache ~ etag: \"a\" | 200 1 miss\nGET | 304 ~ etag: \"a\" | 200 1 miss\nGET | 304 ~ etag: \"a\" | 200 1 miss | if-none-match: \"a\"",
            ),
            (
                "a 304 about two that would do",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" ~ vary: x | 200 1 miss\nGET ~ x: 2 | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" | 200 2 miss\nGET ~ x: 1 | 304 ~ cache-control: max-age=60 ~ etag: \"a\" ~ x-new: 1 | 200 1 miss\nGET ~ x: 3 | 200 | 200 2 hit ~ x-new: 1\nGET ~ x: 1 | 200 | 200 1 hit",
            ),
            (
                "a 304 about weak ones",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: W/\"a\" ~ vary: x | 200 1 miss\nGET ~ x: 2 | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: W/\"a\" | 200 2 miss\nGET ~ x: 1 | 304 ~ cache-control: max-age=60 ~ etag: W/\"a\" | 200 1 miss\nGET ~ x: 3 | 200 | 200 4 miss",
            ),
            (
                "immutable means nothing when stale",
                "GET | 200 ~ cache-control: max-age=1, immutable ~ age: 9 ~ etag: \"a\" | 200 1 miss\nGET | 304 | 200 1 miss | if-none-match: \"a\"",
            ),
        ],
    );
}

#[test]
fn a_304_that_fits_nothing_is_no_answer() {
    let origin = Origin::start(|seen| match seen.header("x-first") {
        Some(_) => Answer::new(200, &[("cache-control", "max-age=1"), ("age", "9"), ("etag", "\"a\"")], "one"),
        None => Answer::head_only("HTTP/1.1 304 X\r\netag: \"b\"\r\n\r\n"),
    });
    for profile in [STRICT, ""] {
        let config = format!("{profile}[origin.app]\nurl = \"{}\"\n", origin.url());
        let edge = Edge::start(&format!("{config}[[behavior]]\npath = \"*\"\norigin = \"app\"\n"), &[]);
        assert_eq!(edge.get("/never-stored").status, 502, "{profile}");
        if profile == STRICT {
            // What is stored is asked about, then the question is put without condition: neither answer is one.
            assert_eq!(edge.get_with("/stored", &[("x-first", "1")]).status, 200);
            // It is stored a moment after its last byte has gone out.
            let of_the_cache = [("cache-control", "only-if-cached, max-stale")];
            eventually("stored", || (edge.get_with("/stored", &of_the_cache).status == 200).then_some(()));
            let before = origin.count();
            assert_eq!(edge.get("/stored").status, 502);
            assert_eq!(origin.count(), before + 2);
        }
    }
}

#[test]
fn parts() {
    let whole = "GET | 200 ~ cache-control: max-age=60 ~ etag: \"a\" ~ x-a: 1 ~ last-modified: PAST ~ @body: 0123456789 | 200 0123456789 miss\n";
    let part = |range: &str, seen: &str| format!("{whole}GET ~ range: {range} | 200 | {seen}");
    check(
        STRICT,
        &[
            (
                "middle",
                &part(
                    "bytes=2-4",
                    "206 234 hit ~ content-range: bytes 2-4/10 ~ content-length: 3 ~ etag: \"a\" ~ x-a: 1",
                ),
            ),
            ("open", &part("bytes=7-", "206 789 hit ~ content-range: bytes 7-9/10")),
            ("suffix", &part("bytes=-2", "206 89 hit ~ content-range: bytes 8-9/10")),
            ("long suffix", &part("bytes=-99", "206 0123456789 hit ~ content-range: bytes 0-9/10")),
            ("past the end", &part("bytes=8-99", "206 89 hit ~ content-range: bytes 8-9/10")),
            ("one byte", &part("bytes=0-0", "206 0 hit ~ content-range: bytes 0-0/10")),
            ("BYTES", &part("BYTES=0-0", "206 0 hit")),
            ("nothing there", &part("bytes=10-", "416 hit ~ content-range: bytes */10")),
            ("no bytes", &part("bytes=-0", "416 hit ~ content-range: bytes */10")),
            ("backwards", &part("bytes=4-2", "200 0123456789 hit")),
            ("no unit", &part("2-4", "200 0123456789 hit")),
            ("other unit", &part("lines=2-4", "200 0123456789 hit")),
            ("no numbers", &part("bytes=a-b", "200 0123456789 hit")),
            ("empty set", &part("bytes=", "200 0123456789 hit")),
            ("tangled", &part("bytes=5-6,1-2", "200 0123456789 hit")),
            ("if-range holds", &part("bytes=0-1 ~ if-range: \"a\"", "206 01 hit")),
            ("if-range fails", &part("bytes=0-1 ~ if-range: \"b\"", "200 0123456789 hit")),
            ("if-range weak", &part("bytes=0-1 ~ if-range: W/\"a\"", "200 0123456789 hit")),
            ("if-range date", &part("bytes=0-1 ~ if-range: PAST", "206 01 hit")),
            ("if-range other date", &part("bytes=0-1 ~ if-range: FUTURE", "200 0123456789 hit")),
            ("condition first", &part("bytes=0-1 ~ if-none-match: \"a\"", "304 hit")),
            ("head has none", &format!("{whole}HEAD ~ range: bytes=0-1 | 200 | 200 hit ~ content-length: 10")),
            (
                "of an error",
                "GET | 404 ~ cache-control: max-age=60 ~ @body: 0123456789 | 404 0123456789 miss\nGET ~ range: bytes=0-1 | 200 | 404 0123456789 hit",
            ),
            (
                "a part is no whole",
                "GET ~ range: bytes=2-4 | 206 ~ cache-control: max-age=60 ~ content-range: bytes 2-4/10 ~ etag: \"a\" ~ @body: 234 | 206 234 miss\nGET | 200 ~ @body: 0123456789 | 200 0123456789 miss",
            ),
            (
                "a part nobody asked for",
                "GET | 206 ~ cache-control: max-age=60 ~ content-range: bytes 2-4/10 ~ @body: 234 | 206 234 miss\nGET | 200 ~ @body: x | 200 x miss",
            ),
        ],
    );
}

#[test]
fn when_the_origin_fails() {
    let old = |directives: &str, answer: &str, seen: &str| {
        format!("GET | 200 ~ cache-control: {directives} ~ age: 9 | 200 1 miss\nGET | {answer} | {seen}")
    };
    let mut rows = Vec::new();
    for status in ["500", "502", "503", "504"] {
        let error = format!("{status} 2 miss");
        rows.extend([
            (format!("{status} plain"), old("max-age=1", status, "200 1 miss")),
            (format!("{status} within"), old("max-age=1, stale-if-error=60", status, "200 1 miss")),
            (format!("{status} past"), old("max-age=1, stale-if-error=3", status, &error)),
            (format!("{status} never"), old("max-age=1, stale-if-error=0", status, &error)),
            (format!("{status} must-revalidate"), old("max-age=1, must-revalidate, stale-if-error=60", status, &error)),
            (format!("{status} proxy-revalidate"), old("max-age=1, proxy-revalidate", status, &error)),
            (format!("{status} s-maxage"), old("s-maxage=1", status, &error)),
            (format!("{status} s-maxage within"), old("s-maxage=1, stale-if-error=60", status, "200 1 miss")),
            (format!("{status} s-maxage while"), old("s-maxage=1, stale-while-revalidate=0", status, "200 1 miss")),
        ]);
    }
    for status in ["400", "401", "403", "404", "410", "429", "501", "505"] {
        let seen = format!("{status} 2 miss");
        rows.push((format!("passed on {status}"), old("max-age=1, stale-if-error=60", status, &seen)));
    }
    all(STRICT, &rows);
    check(
        STRICT,
        &[
            ("closed", &old("max-age=1", "close", "200 1 miss")),
            ("closed within", &old("max-age=1, stale-if-error=60", "close", "200 1 miss")),
        ],
    );
}
