//! Corners of the RFCs that the other tables leave out: odd syntax, fields that come several times, ranges of what is stale,
//! conditions that meet nothing, addresses that are written differently.

use super::{NOT_REUSED, REUSED, by, each};
use crate::caching_rules::{STRICT, check};

#[test]
fn syntax_of_cache_control() {
    each(
        STRICT,
        "syntax, reused",
        REUSED,
        &[
            "cache-control: max-age=60, max-age=60",
            "cache-control: =0, max-age=60",
            "cache-control: \tmax-age=60\t",
            "cache-control: max-age=60,foo=\"\"",
            "cache-control: max-age=60, foo=\"\\\"\"",
            "cache-control: max-age=60, no-cache=x-a",
            "cache-control: max-age=60, no-cache=\"x-a,, x-b ,\"",
            "cache-control: max-age=60, private=x-a",
            "cache-control: ~ cache-control: max-age=60",
            "cache-control: max-age=60 ~ cache-control:",
            "cache-control: max-age=1, s-maxage=60 ~ age: 9",
            "cache-control: max-age=60, stale-while-revalidate=0",
            "cache-control: max-age=60, stale-if-error=x",
            "cache-control: max-age=60, s-maxage=60, max-stale=0, min-fresh=9999, only-if-cached",
            "cache-control: max-age=60, unheard-of(no-store)",
            "cache-control: max-age=60 ~ pragma: no-cache ~ pragma: no-store",
            "cache-control: max-age=60 ~ vary: , ,",
            "cache-control: max-age=60 ~ surrogate-control: max-age=0",
            "cache-control: public, max-age=60, immutable, must-revalidate",
            "expires: IMF(60) ~ cache-control: unheard-of",
            "expires: IMF(600) ~ age: 60",
        ],
    );
    each(
        STRICT,
        "syntax, not reused",
        NOT_REUSED,
        &[
            "cache-control: max-age=\"60",
            "cache-control: \"max-age=60\"",
            "cache-control: max-age=60;foo",
            "cache-control: max-age=60 foo",
            "cache-control: max-age=\"6 0\"",
            "cache-control: max-age=\"\"",
            "cache-control: max-age==60",
            "cache-control: max-age=1e3",
            "cache-control: max-age=60, max-age=x",
            "cache-control: max-age=60 ~ cache-control: max-age=0",
            "cache-control: max-age=60, no-cache=\"",
            "cache-control: max-age=60, private=\"x-a",
            "cache-control: max-age=60, no-cache=\"x-a\", no-cache",
            "cache-control: public ~ cache-control: private, max-age=60",
            "cache-control: foo=\"bar ~ cache-control: no-store, max-age=60",
            "cache-control: no-store, max-age=60 ~ expires: IMF(60)",
            "cache-control: s-maxage=0, max-age=60, public",
            "cache-control: max-age=0, immutable",
            "cache-control: max-age=x ~ expires: IMF(60)",
            "cache-control: max-age=x ~ last-modified: PAST",
            "expires: 0 ~ last-modified: PAST",
            "expires: IMF(60) ~ age: 60",
            "expires: IMF(60) ~ date: IMF(60)",
            "cache-control: no-cache ~ last-modified: PAST",
            "cache-control: private ~ last-modified: PAST",
        ],
    );
}

#[test]
fn guesses_and_ages() {
    check(
        STRICT,
        &[
            (
                "a tenth is left",
                "GET | 200 ~ last-modified: IMF(-100000) ~ age: 9000 | 200 1 miss\nGET | 200 | 200 1 hit ~ age: 9000",
            ),
            (
                "a tenth is over",
                "GET | 200 ~ last-modified: IMF(-100000) ~ age: 11000 | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "an age goes with a confirmation",
                "GET | 200 ~ cache-control: max-age=60 ~ age: 70 ~ etag: \"a\" | 200 1 miss\nGET | 304 ~ etag: \"a\" | 200 1 miss ~ age: 0\nGET | 200 | 200 1 hit ~ age: 0",
            ),
            (
                "a confirmation that is old itself",
                "GET | 200 ~ cache-control: max-age=60 ~ age: 70 ~ etag: \"a\" | 200 1 miss\nGET | 304 ~ etag: \"a\" ~ age: 80 | 200 1 miss\nGET | 304 ~ etag: \"a\" | 200 1 miss | if-none-match: \"a\"",
            ),
            (
                "a guess begins anew",
                "GET | 200 ~ last-modified: PAST ~ age: 90000 | 200 1 miss\nGET | 304 | 200 1 miss | if-modified-since: PAST\nGET | 200 | 200 1 hit",
            ),
            (
                "a confirmation that states a lifetime",
                "GET | 200 ~ etag: \"a\" | 200 1 miss\nGET | 304 ~ etag: \"a\" ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 | 200 1 hit ~ cache-control: max-age=60",
            ),
        ],
    );
}

#[test]
fn ranges_of_what_needs_asking() {
    let stale =
        "GET | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" ~ @body: 0123456789 | 200 0123456789 miss\n";
    let fresh = "GET | 200 ~ cache-control: max-age=60 ~ etag: \"a\" ~ @body: 0123456789 | 200 0123456789 miss\n";
    check(
        STRICT,
        &[
            (
                "stale and confirmed",
                &format!(
                    "{stale}GET ~ range: bytes=2-4 | 304 ~ cache-control: max-age=60 ~ etag: \"a\" | 206 234 miss ~ content-range: bytes 2-4/10 | if-none-match: \"a\" ~ !range\nGET | 200 | 200 0123456789 hit"
                ),
            ),
            (
                "stale and replaced",
                &format!(
                    "{stale}GET ~ range: bytes=2-4 | 200 ~ cache-control: max-age=60 ~ etag: \"b\" ~ @body: abcdefghij | 206 cde miss ~ content-range: bytes 2-4/10\nGET | 200 | 200 abcdefghij hit"
                ),
            ),
            (
                "stale and unreachable",
                &format!("{stale}GET ~ range: bytes=2-4 | close | 206 234 miss ~ content-range: bytes 2-4/10"),
            ),
            (
                "beyond the end of what is stale",
                &format!(
                    "{stale}GET ~ range: bytes=20- | 304 ~ cache-control: max-age=60 ~ etag: \"a\" | 416 miss ~ content-range: bytes */10"
                ),
            ),
            (
                "a 416 of the origin is nobody else's",
                "GET ~ range: bytes=50- | 416 ~ cache-control: max-age=60 ~ content-range: bytes */10 ~ @body: x | 416 x miss\nGET | 200 ~ @body: 0123456789 | 200 0123456789 miss",
            ),
            (
                "a range of nothing",
                "GET | 200 ~ cache-control: max-age=60 ~ @body: | 200 miss\nGET ~ range: bytes=0-1 | 200 | 200 hit",
            ),
            (
                "two lines of ranges",
                &format!("{fresh}GET ~ range: bytes=0-1 ~ range: bytes=2-3 | 200 | 200 0123456789 hit"),
            ),
            ("white space", &format!("{fresh}GET ~ range: bytes= 0-1 , | 200 | 206 01 hit")),
            (
                "a number too large",
                &format!("{fresh}GET ~ range: bytes=2-99999999999999999999999 | 200 | 206 23456789 hit"),
            ),
            (
                "one of two is there",
                &format!("{fresh}GET ~ range: bytes=2-3, 50-60 | 200 | 206 23 hit ~ content-range: bytes 2-3/10"),
            ),
            ("if-range without range", &format!("{fresh}GET ~ if-range: \"b\" | 200 | 200 0123456789 hit")),
            (
                "if-range and a condition that fails",
                &format!("{fresh}GET ~ range: bytes=0-1 ~ if-range: \"a\" ~ if-none-match: \"b\" | 200 | 206 01 hit"),
            ),
            (
                "a weak tag is no ground for a part",
                "GET | 200 ~ cache-control: max-age=60 ~ etag: W/\"a\" ~ @body: 0123456789 | 200 0123456789 miss\nGET ~ range: bytes=0-1 ~ if-range: W/\"a\" | 200 | 200 0123456789 hit",
            ),
            (
                "just the part that was asked for",
                "GET ~ range: bytes=2-4 | 206 ~ cache-control: max-age=60 ~ content-range: bytes 2-4/10 ~ etag: \"a\" ~ @body: 234 | 206 234 miss ~ content-range: bytes 2-4/10",
            ),
            (
                "the whole instead of a part",
                "GET ~ range: bytes=2-4 | 200 ~ cache-control: max-age=60 ~ etag: \"a\" ~ @body: 0123456789 | 206 234 miss ~ content-range: bytes 2-4/10\nGET | 200 | 200 0123456789 hit",
            ),
        ],
    );
}

#[test]
fn conditions_that_meet_nothing() {
    check(
        STRICT,
        &[
            (
                "a new answer to a condition is stored",
                "GET ~ if-none-match: \"x\" | 200 ~ cache-control: max-age=60 ~ etag: \"a\" | 200 1 miss | if-none-match: \"x\"\nGET | 200 | 200 1 hit ~ etag: \"a\"",
            ),
            (
                "a 304 for one viewer is no answer for others",
                "GET ~ if-none-match: \"x\" | 304 ~ cache-control: max-age=60 ~ etag: \"x\" | 304 miss\nGET | 200 | 200 2 miss | !if-none-match",
            ),
            (
                "a 412 is no answer for others",
                "GET ~ if-match: \"x\" | 412 ~ cache-control: max-age=60 | 412 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "any, and nothing stored",
                "GET ~ if-none-match: * | 200 ~ etag: \"a\" | 304 miss ~ etag: \"a\" | if-none-match: *",
            ),
            (
                "stale, and the viewer has the new one",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" | 200 1 miss\nGET ~ if-none-match: \"b\" | 200 ~ cache-control: max-age=60 ~ etag: \"b\" | 304 miss ~ etag: \"b\"\nGET | 200 | 200 2 hit",
            ),
            (
                "stale, and the viewer's date holds",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 9 ~ last-modified: PAST | 200 1 miss\nGET ~ if-modified-since: PAST | 304 ~ cache-control: max-age=60 | 304 miss | if-modified-since: PAST\nGET | 200 | 200 1 hit",
            ),
            (
                "an older copy of the viewer",
                "GET | 200 ~ cache-control: max-age=60 ~ last-modified: IMF(-100) ~ etag: \"a\" | 200 1 miss\nGET ~ if-modified-since: IMF(-200) | 200 | 200 1 hit",
            ),
            (
                "a tag list with odd members",
                "GET | 200 ~ cache-control: max-age=60 ~ etag: \"a\" | 200 1 miss\nGET ~ if-none-match: ,, \"x\",,\"a\" , | 200 | 304 hit",
            ),
            (
                "head with a date",
                "GET | 200 ~ cache-control: max-age=60 ~ last-modified: IMF(-100) | 200 1 miss\nHEAD ~ if-modified-since: IMF(-50) | 200 | 304 hit",
            ),
            (
                "a redirect with a tag",
                "GET | 301 ~ cache-control: max-age=60 ~ etag: \"a\" ~ location: /x | 301 1 miss\nGET ~ if-none-match: \"a\" | 200 | 301 1 hit",
            ),
        ],
    );
}

#[test]
fn wishes_in_odd_forms() {
    let stored = "GET | 200 ~ cache-control: max-age=60 ~ age: 30 ~ etag: \"a\" | 200 1 miss\n";
    let asks = |fields: &str, seen: &str| format!("{stored}GET ~ {fields} | 200 | {seen}");
    let (hit, miss) = ("200 1 hit", "200 2 miss");
    check(
        STRICT,
        &[
            ("two lines, one strict", &asks("cache-control: max-age=600 ~ cache-control: no-cache", miss)),
            ("the smaller age", &asks("cache-control: max-age=600, max-age=10", miss)),
            ("quoted age", &asks("cache-control: max-age=\"10\"", miss)),
            ("min-fresh beyond the lifetime", &asks("cache-control: min-fresh=600", miss)),
            ("max-stale does not matter when fresh", &asks("cache-control: max-stale=0", hit)),
            ("no-cache in quotes", &asks("cache-control: foo=\"no-cache\"", hit)),
            ("only-if-cached and max-age", &asks("cache-control: only-if-cached, max-age=600", hit)),
            (
                "only-if-cached of what is stale",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 9 | 200 1 miss\nHEAD ~ cache-control: only-if-cached | 200 | 504 hit",
            ),
            (
                "no-store of a validation",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" | 200 1 miss\nGET ~ cache-control: no-store | 304 ~ etag: \"a\" ~ cache-control: max-age=60 | 200 1 miss",
            ),
            ("an extension", &asks("cache-control: unheard-of=1", hit)),
            ("authorization", &asks("authorization: Basic x", hit)),
            ("te and trailers", &asks("te: trailers", hit)),
            ("accept", &asks("accept: application/json ~ accept-language: de ~ accept-encoding: gzip", hit)),
            ("early data", &asks("early-data: 1", hit)),
        ],
    );
}

#[test]
fn addresses() {
    check(
        STRICT,
        &[
            (
                "an empty query is not none",
                "GET | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ? | 200 | 200 2 miss",
            ),
            (
                "order of parameters counts",
                "GET ?a=1&b=2 | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ?b=2&a=1 | 200 | 200 2 miss",
            ),
            (
                "case of parameters counts",
                "GET ?a=1 | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ?A=1 | 200 | 200 2 miss",
            ),
            (
                "case of paths counts",
                "GET /a | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET /A | 200 | 200 2 miss",
            ),
            (
                "a slash at the end counts",
                "GET /a | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET /a/ | 200 | 200 2 miss",
            ),
            (
                "an unsafe method to another query",
                "GET ?a | 200 ~ cache-control: max-age=60 | 200 1 miss\nPOST ?b | 200 | 200 2 miss\nGET ?a | 200 | 200 1 hit",
            ),
            (
                "location with a query",
                "GET /t?a=1 | 200 ~ cache-control: max-age=60 | 200 1 miss\nPOST | 201 ~ location: /location-with-a-query/t?a=1#part | 201 2 miss\nGET /t?a=1 | 200 | 200 3 miss",
            ),
            (
                "both locations",
                "GET /t | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET /u | 200 ~ cache-control: max-age=60 | 200 2 miss\nPUT | 204 ~ location: /both-locations/t ~ content-location: /both-locations/u | 204 miss\nGET /t | 200 | 200 4 miss\nGET /u | 200 | 200 5 miss",
            ),
            (
                "a location that is none",
                "GET | 200 ~ cache-control: max-age=60 | 200 1 miss\nPOST | 201 ~ location: http://[:: | 201 2 miss\nGET | 200 | 200 3 miss",
            ),
            (
                "a safe method invalidates nothing",
                "GET | 200 ~ cache-control: max-age=60 | 200 1 miss\nOPTIONS | 200 | 200 2 miss\nHEAD | 200 | 200 hit\nGET | 200 | 200 1 hit",
            ),
            (
                "content-location names no other key",
                "GET /t | 200 ~ cache-control: max-age=60 ~ content-location: /content-location-names-no-other-key/u | 200 1 miss\nGET /u | 200 | 200 2 miss",
            ),
            (
                "a post's answer that is not found",
                "POST | 404 ~ cache-control: max-age=60 ~ content-location: /a-post's-answer-that-is-not-found | 404 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "a post of a post",
                "POST | 200 ~ cache-control: max-age=60 ~ content-location: http://www.example.com/a-post-of-a-post | 200 1 miss\nPOST | 200 | 200 2 miss\nGET | 200 | 200 3 miss",
            ),
            (
                "a post's answer that is private",
                "POST | 200 ~ cache-control: max-age=60, private ~ content-location: /a-post's-answer-that-is-private | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
        ],
    );
}

#[test]
fn more_of_negotiation() {
    let (hit, miss) = ("200 1 hit", "200 2 miss");
    check(
        STRICT,
        &[
            ("cookies differ", &by("cookie", " ~ cookie: a=1", " ~ cookie: a=2", miss)),
            ("cookies agree", &by("Cookie", " ~ cookie: a=1; b=2", " ~ cookie: a=1; b=2", hit)),
            ("agents differ", &by("user-agent", " ~ user-agent: x", " ~ user-agent: y", miss)),
            (
                "codings refused",
                &by("accept-encoding", " ~ accept-encoding: gzip, br;q=0", " ~ accept-encoding: gzip", hit),
            ),
            ("codings differ", &by("accept-encoding", " ~ accept-encoding: gzip", " ~ accept-encoding: br", miss)),
            ("codings absent", &by("accept-encoding", " ~ accept-encoding: gzip", "", miss)),
            ("a name nobody sends", &by("x-unheard-of", "", "", hit)),
            ("a long list", &by("a1, a2, a3, a4, a5, a6, a7, a8", " ~ a8: 1", " ~ a8: 2", miss)),
            (
                "head takes the variant",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=60 ~ vary: x ~ x-a: 1 | 200 1 miss\nGET ~ x: 2 | 200 ~ cache-control: max-age=60 ~ vary: x ~ x-a: 2 | 200 2 miss\nHEAD ~ x: 1 | 200 | 200 hit ~ x-a: 1\nHEAD ~ x: 2 | 200 | 200 hit ~ x-a: 2",
            ),
            (
                "another list of names later",
                "GET ~ x: 1 ~ y: 1 | 200 ~ cache-control: max-age=60 ~ vary: x | 200 1 miss\nGET ~ x: 2 ~ y: 1 | 200 ~ cache-control: max-age=60 ~ vary: x, y | 200 2 miss\nGET ~ x: 2 ~ y: 2 | 200 ~ cache-control: max-age=60 ~ vary: x, y | 200 3 miss\nGET ~ x: 1 ~ y: 9 | 200 | 200 1 hit\nGET ~ x: 2 ~ y: 1 | 200 | 200 2 hit",
            ),
            (
                "only the variant that is asked for is validated",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=60 ~ vary: x ~ etag: \"1\" | 200 1 miss\nGET ~ x: 2 | 200 ~ cache-control: max-age=1 ~ age: 9 ~ vary: x ~ etag: \"2\" | 200 2 miss\nGET ~ x: 2 | 304 ~ etag: \"2\" ~ vary: x ~ cache-control: max-age=60 | 200 2 miss\nGET ~ x: 1 | 200 | 200 1 hit\nGET ~ x: 2 | 200 | 200 2 hit",
            ),
        ],
    );
}

#[test]
fn fields_that_come_several_times_or_oddly() {
    let both = |fields: &str| {
        format!(
            "GET | 200 ~ cache-control: max-age=60 ~ {fields} | 200 1 miss ~ {fields}\nGET | 200 | 200 1 hit ~ {fields}"
        )
    };
    let without = |named: &str, gone: &str| {
        format!(
            "GET | 200 ~ cache-control: max-age=60 ~ connection: {named} ~ x-a: 1 ~ x-b: 1 | 200 1 miss ~ {gone}\nGET | 200 | 200 1 hit ~ {gone}"
        )
    };
    check(
        STRICT,
        &[
            ("beyond ascii", &both("x-a: gr\u{fc}n")),
            ("empty", &both("x-a:")),
            ("long", &both(&format!("x-a: {}", "y".repeat(7000)))),
            ("dots and marks", &both("x.a!b: c")),
            ("warnings", &both("warning: 112 - \"x\"")),
            ("named and absent", &without("x-c, close", "x-a: 1 ~ x-b: 1 ~ !x-c")),
            ("named in capitals", &without("X-A", "!x-a ~ x-b: 1")),
            ("named between empty members", &without(",,x-b,", "x-a: 1 ~ !x-b")),
            (
                "named in a confirmation",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" ~ x-a: 1 | 200 1 miss\nGET | 304 ~ cache-control: max-age=60 ~ connection: x-a ~ x-a: 2 ~ etag: \"a\" | 200 1 miss ~ x-a: 1\nGET | 200 | 200 1 hit ~ x-a: 1",
            ),
            (
                "no-cache names what a confirmation brings",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" ~ x-a: 1 | 200 1 miss\nGET | 304 ~ cache-control: max-age=60, no-cache=\"x-a\" ~ x-a: 2 ~ etag: \"a\" | 200 1 miss ~ x-a: 2\nGET | 200 | 200 1 hit ~ !x-a",
            ),
        ],
    );
}

#[test]
fn stale_answers_and_their_limits() {
    let old = |directives: &str, lines: &str| {
        format!("GET | 200 ~ cache-control: {directives} ~ age: 9 ~ etag: \"a\" | 200 1 miss\n{lines}")
    };
    check(
        STRICT,
        &[
            (
                "a 500 to a validation",
                &old(
                    "max-age=1",
                    "GET | 500 | 200 1 miss | if-none-match: \"a\"\nGET | 304 ~ etag: \"a\" ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 | 200 1 hit",
                ),
            ),
            (
                "an error does not renew",
                &old(
                    "max-age=1",
                    "GET | 503 ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 ~ cache-control: max-age=60 | 200 3 miss",
                ),
            ),
            ("must-revalidate gets the error", &old("max-age=1, must-revalidate", "GET | 500 | 500 2 miss")),
            (
                "a 4xx replaces",
                &old(
                    "max-age=1, stale-if-error=60",
                    "GET | 410 ~ cache-control: max-age=60 | 410 2 miss\nGET | 200 | 410 2 hit",
                ),
            ),
            (
                "proxy-revalidate and max-stale",
                &old("max-age=1, proxy-revalidate", "GET ~ cache-control: max-stale | 304 ~ etag: \"a\" | 200 1 miss"),
            ),
            (
                "s-maxage and max-stale",
                &old("s-maxage=1", "GET ~ cache-control: max-stale | 304 ~ etag: \"a\" | 200 1 miss"),
            ),
            (
                "no-cache and max-stale",
                &old("no-cache, max-age=60", "GET ~ cache-control: max-stale | 304 ~ etag: \"a\" | 200 1 miss"),
            ),
            (
                "targeted must-revalidate",
                "GET | 200 ~ cdn-cache-control: max-age=1, must-revalidate ~ cache-control: max-age=1 ~ age: 9 | 200 1 miss\nGET | 503 | 503 2 miss",
            ),
            (
                "targeted no-cache is validated",
                "GET | 200 ~ cdn-cache-control: no-cache ~ cache-control: max-age=60 ~ etag: \"a\" | 200 1 miss\nGET | 304 ~ etag: \"a\" | 200 1 miss | if-none-match: \"a\"",
            ),
            (
                "targeted and a confirmation",
                "GET | 200 ~ cdn-cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" | 200 1 miss\nGET | 304 ~ cdn-cache-control: max-age=60 ~ cache-control: no-store ~ etag: \"a\" | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            (
                "targeted no-cache with names",
                "GET | 200 ~ cdn-cache-control: max-age=60, no-cache=\"x-a\" ~ cache-control: max-age=60 ~ x-a: 1 | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
        ],
    );
}

#[test]
fn credentials() {
    let with = |directives: &str, seen: &str| {
        format!("GET ~ authorization: x | 200 ~ {directives} | 200 1 miss\nGET ~ authorization: y | 200 | {seen}\n")
    };
    check(
        STRICT,
        &[
            ("expires", &with("expires: FUTURE", "200 2 miss")),
            ("public and expires", &with("cache-control: public ~ expires: FUTURE", "200 1 hit")),
            ("immutable", &with("cache-control: max-age=60, immutable", "200 2 miss")),
            ("no-cache with names", &with("cache-control: max-age=60, no-cache=\"x\"", "200 2 miss")),
            ("a guess", &with("last-modified: PAST", "200 2 miss")),
            ("targeted public", &with("cdn-cache-control: max-age=60, public", "200 1 hit")),
            ("targeted without", &with("cdn-cache-control: max-age=60 ~ cache-control: public", "200 2 miss")),
            ("a 401", "GET ~ authorization: x | 401 ~ cache-control: max-age=60 | 401 1 miss\nGET | 200 | 200 2 miss"),
            (
                "a 401 of nobody",
                "GET | 401 ~ cache-control: max-age=60 ~ www-authenticate: Basic | 401 1 miss\nGET | 200 | 401 1 hit ~ www-authenticate: Basic",
            ),
            (
                "proxy credentials do not matter",
                "GET ~ proxy-authorization: x | 200 ~ cache-control: max-age=60 | 200 1 miss | !proxy-authorization\nGET | 200 | 200 1 hit",
            ),
        ],
    );
}
