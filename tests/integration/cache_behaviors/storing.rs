//! What is stored, which of its fields, for whom, and what takes it out again.

use super::{NOT_REUSED, REUSED, all, by, each};
use crate::caching_rules::{STRICT, check};

#[test]
fn what_may_not_be_stored() {
    each(
        STRICT,
        "not stored",
        NOT_REUSED,
        &[
            "cache-control: max-age=60, no-store",
            "cache-control: max-age=60, No-StOrE",
            "cache-control: no-store ~ expires: FUTURE",
            "cache-control: max-age=60 ~ cache-control: no-store",
            "cache-control: max-age=60, private",
            "cache-control: max-age=60, pRiVaTe",
            "cache-control: public, private, max-age=60",
            "cache-control: s-maxage=60, private",
            "cache-control: max-age=60, private=\"x-a\", private",
            "cache-control: max-age=60, no-store=\"x-a\"",
            "cache-control: max-age=60, no-cache",
            "cache-control: max-age=60, NO-cache",
            "cache-control: no-cache ~ expires: FUTURE",
            "cache-control: max-age=60 ~ vary: *",
            "cache-control: max-age=60 ~ vary: *, x-a",
            "cache-control: max-age=60 ~ vary: x-a, *",
            "cache-control: max-age=60 ~ vary: x-a,*",
            "cache-control: max-age=60 ~ vary: , *",
            "cache-control: max-age=60 ~ vary: *,*",
            "cache-control: max-age=60 ~ vary: x-a ~ vary: *",
            "cache-control: max-age=60 ~ vary: * ~ vary: x-a",
        ],
    );
    each(
        STRICT,
        "stored all the same",
        REUSED,
        &[
            "cache-control: max-age=60, no-stored",
            "cache-control: max-age=60, x-no-store",
            "cache-control: max-age=60, private2",
            "cache-control: max-age=60, foo=\"no-store\"",
            "cache-control: max-age=60, must-understand",
            "cache-control: max-age=60, must-understand, no-store",
            "cache-control: max-age=60, no-transform",
            "cache-control: max-age=60, public, public",
            "cache-control: max-age=60 ~ pragma: no-cache",
            "cache-control: max-age=60 ~ set-cookie: a=b",
            "cache-control: max-age=60 ~ content-encoding: unheard-of",
            "cache-control: max-age=60 ~ clear-site-data: \"cache\"",
        ],
    );
}

#[test]
fn which_fields_are_kept() {
    let both = |field: &str, kept: bool| {
        let (name, _) = field.split_once(':').unwrap();
        let hit = if kept { field.to_owned() } else { format!("!{name}") };
        format!("GET | 200 ~ cache-control: max-age=60 ~ {field} | 200 1 miss\nGET | 200 | 200 1 hit ~ {hit}")
    };
    let mut rows = Vec::new();
    for field in [
        "x-unheard-of: 1",
        "content-type: text/x-odd",
        "content-md5: abc",
        "content-location: /x",
        "content-language: de",
        "content-security-policy: default-src 'none'",
        "x-frame-options: deny",
        "set-cookie: a=b",
        "set-cookie2: a=b",
        "clear-site-data: \"cookies\"",
        "public-key-pins: x",
        "content-encoding: odd",
        "content-range: bytes 0-0/1",
        "warning: 199 - x",
        "accept-ranges: none",
        "retry-after: 1",
        "allow: GET",
        "www-authenticate: Basic",
        "link: </a>",
        "last-modified: PAST",
        "etag: \"a\"",
        "expires: FUTURE",
        "vary: x-b",
        "pragma: x",
        "server: x",
    ] {
        rows.push((format!("kept {}", field.split_once(':').unwrap().0), both(field, true)));
    }
    for field in [
        "keep-alive: timeout=5",
        "proxy-authenticate: Basic",
        "proxy-authentication-info: x",
        "proxy-authorization: x",
        "proxy-connection: close",
        "te: trailers",
        "upgrade: x",
    ] {
        rows.push((format!("not kept {}", field.split_once(':').unwrap().0), both(field, false)));
    }
    all(STRICT, &rows);
    check(
        STRICT,
        &[
            (
                "several in connection",
                "GET | 200 ~ cache-control: max-age=60 ~ connection: x-a, X-B ~ connection: x-c ~ x-a: 1 ~ x-b: 1 ~ x-c: 1 ~ x-d: 1 | 200 1 miss ~ !x-a ~ !x-b ~ !x-c ~ x-d: 1\nGET | 200 | 200 1 hit ~ !x-a ~ !x-b ~ !x-c ~ x-d: 1",
            ),
            (
                "no-cache with names",
                "GET | 200 ~ cache-control: max-age=60, no-cache=\"x-a, X-B\" ~ x-a: 1 ~ x-b: 1 ~ x-c: 1 | 200 1 miss ~ x-a: 1\nGET | 200 | 200 1 hit ~ !x-a ~ !x-b ~ x-c: 1",
            ),
            (
                "private with names",
                "GET | 200 ~ cache-control: max-age=60, private=\"set-cookie\" ~ set-cookie: a=b | 200 1 miss ~ set-cookie: a=b\nGET | 200 | 200 1 hit ~ !set-cookie",
            ),
            (
                "both with names",
                "GET | 200 ~ cache-control: max-age=60, private=\"x-a\", no-cache=\"x-b\" ~ x-a: 1 ~ x-b: 1 | 200 1 miss\nGET | 200 | 200 1 hit ~ !x-a ~ !x-b",
            ),
        ],
    );
}

#[test]
fn authorization() {
    let with = |directives: &str, seen: &str| {
        format!(
            "GET ~ authorization: x | 200 ~ cache-control: {directives} | 200 1 miss\nGET ~ authorization: x | 200 | {seen}"
        )
    };
    check(
        STRICT,
        &[
            ("max-age", &with("max-age=60", "200 2 miss")),
            ("proxy-revalidate", &with("max-age=60, proxy-revalidate", "200 2 miss")),
            ("public", &with("public, max-age=60", "200 1 hit")),
            ("must-revalidate", &with("must-revalidate, max-age=60", "200 1 hit")),
            ("s-maxage", &with("s-maxage=60", "200 1 hit")),
            ("public and private", &with("public, private, max-age=60", "200 2 miss")),
            (
                "what is stored answers it",
                "GET | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ~ authorization: x | 200 | 200 1 hit",
            ),
        ],
    );
}

#[test]
fn negotiated_answers() {
    let (hit, miss) = ("200 1 hit", "200 2 miss");
    check(
        STRICT,
        &[
            ("neither has it", &by("x", "", "", hit)),
            ("second has it", &by("x", "", " ~ x: 1", miss)),
            ("empty is not absent", &by("x", " ~ x:", "", miss)),
            ("case of the name", &by("X", " ~ x: 1", " ~ X: 1", hit)),
            ("case of the value", &by("x", " ~ x: a", " ~ x: A", miss)),
            ("named twice", &by("x, x", " ~ x: 1", " ~ x: 1", hit)),
            ("two lines", &by("x ~ vary: y", " ~ x: 1 ~ y: 2", " ~ x: 1 ~ y: 3", miss)),
            ("two lines, same", &by("x ~ vary: y", " ~ x: 1 ~ y: 2", " ~ y: 2 ~ x: 1", hit)),
            ("three", &by("x, y,z", " ~ x: 1 ~ y: 2 ~ z: 3", " ~ x: 1 ~ y: 2 ~ z: 3", hit)),
            ("third differs", &by("x, y,z", " ~ x: 1 ~ y: 2 ~ z: 3", " ~ x: 1 ~ y: 2 ~ z: 4", miss)),
            ("third is absent", &by("x, y,z", " ~ x: 1 ~ y: 2 ~ z: 3", " ~ x: 1 ~ y: 2", miss)),
            ("order of members", &by("x", " ~ x: a, b", " ~ x: b, a", miss)),
            ("white space", &by("x", " ~ x: a , b", " ~ x: a,b", hit)),
            ("lines and commas", &by("x", " ~ x: a ~ x: b", " ~ x: a, b", hit)),
            ("others do not count", &by("x", " ~ x: 1 ~ y: 1", " ~ x: 1 ~ y: 2", hit)),
            ("empty vary", &by("", "", " ~ x: 1", hit)),
            (
                "languages in any order",
                &by("accept-language", " ~ accept-language: en, de", " ~ accept-language: de, en", hit),
            ),
            (
                "languages by weight",
                &by("accept-language", " ~ accept-language: en, de;q=0.5", " ~ accept-language: de;q=0.5, en;q=1", hit),
            ),
            (
                "other weights",
                &by("accept-language", " ~ accept-language: en, de;q=0.5", " ~ accept-language: de, en;q=0.5", miss),
            ),
            (
                "three variants",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=60 ~ vary: x | 200 1 miss\nGET ~ x: 2 | 200 ~ cache-control: max-age=60 ~ vary: x | 200 2 miss\nGET ~ x: 3 | 200 ~ cache-control: max-age=60 ~ vary: x | 200 3 miss\nGET ~ x: 2 | 200 | 200 2 hit\nGET ~ x: 1 | 200 | 200 1 hit",
            ),
            (
                "an unsafe method takes all of them",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=60 ~ vary: x | 200 1 miss\nGET ~ x: 2 | 200 ~ cache-control: max-age=60 ~ vary: x | 200 2 miss\nPOST | 200 | 200 3 miss\nGET ~ x: 1 | 200 | 200 4 miss\nGET ~ x: 2 | 200 | 200 5 miss",
            ),
            (
                "a 304 for another variant",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=60 ~ vary: x ~ etag: \"1\" | 200 1 miss\nGET ~ x: 2 | 304 ~ cache-control: max-age=60 ~ vary: x ~ etag: \"1\" | 200 1 miss | if-none-match: \"1\" ~ x: 2\nGET ~ x: 2 | 200 | 200 1 hit\nGET ~ x: 1 | 200 | 200 1 hit",
            ),
            (
                "not negotiated any more",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=1 ~ age: 9 ~ vary: x | 200 1 miss\nGET ~ x: 1 | 200 ~ cache-control: max-age=60 | 200 2 miss\nGET ~ x: 2 | 200 | 200 2 hit",
            ),
        ],
    );
}

#[test]
fn unsafe_methods() {
    let mut cases = Vec::new();
    let stored = "GET | 200 ~ cache-control: max-age=60 | 200 1 miss\n";
    for method in ["POST", "PUT", "PATCH", "DELETE", "M-SEARCH", "LOCK", "UNHEARD-OF"] {
        let rows =
            |status: &str, after: &str| format!("{stored}{method} | {status} | {status} 2 miss\nGET | 200 | {after}");
        cases.extend([
            (format!("{method} done"), rows("200", "200 3 miss")),
            (format!("{method} elsewhere"), rows("302", "200 3 miss")),
            (format!("{method} refused"), rows("403", "200 1 hit")),
            (format!("{method} failed"), rows("503", "200 1 hit")),
        ]);
    }
    all(STRICT, &cases);
    let there = "GET /t | 200 ~ cache-control: max-age=60 | 200 1 miss\n";
    check(
        STRICT,
        &[
            ("trace is safe", &format!("{stored}TRACE | 200 | 200 2 miss\nGET | 200 | 200 1 hit")),
            (
                "absolute location",
                &format!(
                    "{there}POST | 201 ~ location: http://www.example.com/absolute-location/t | 201 2 miss\nGET /t | 200 | 200 3 miss"
                ),
            ),
            (
                "location of a failure",
                &format!(
                    "{there}POST | 500 ~ location: /location-of-a-failure/t | 500 2 miss\nGET /t | 200 | 200 1 hit"
                ),
            ),
            (
                "other port",
                &format!(
                    "{there}POST | 200 ~ location: http://www.example.com:81/other-port/t | 200 2 miss\nGET /t | 200 | 200 1 hit"
                ),
            ),
            (
                "other scheme",
                &format!(
                    "{there}PUT | 200 ~ content-location: https://www.example.com/other-scheme/t | 200 2 miss\nGET /t | 200 | 200 1 hit"
                ),
            ),
            (
                "location of a get",
                &format!(
                    "{there}GET | 200 ~ content-location: /location-of-a-get/t ~ location: /location-of-a-get/t | 200 2 miss\nGET /t | 200 | 200 1 hit"
                ),
            ),
            (
                "post elsewhere",
                "POST | 200 ~ cache-control: max-age=60 ~ content-location: /x | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "post for head",
                "POST | 200 ~ cache-control: max-age=60 ~ content-location: /post-for-head | 200 1 miss\nHEAD | 200 | 200 hit",
            ),
            (
                "post without a lifetime",
                "POST | 200 ~ last-modified: PAST ~ content-location: /post-without-a-lifetime | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "post that may not",
                "POST | 200 ~ cache-control: max-age=60, no-store ~ content-location: /post-that-may-not | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "put does not store",
                "PUT | 200 ~ cache-control: max-age=60 ~ content-location: /put-does-not-store | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
        ],
    );
}

#[test]
fn head() {
    let stored = "GET | 200 ~ cache-control: max-age=60 ~ etag: \"a\" ~ x-a: 1 | 200 1 miss\n";
    let stale = "GET | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" ~ x-a: 1 | 200 1 miss\n";
    check(
        STRICT,
        &[
            ("from the store", &format!("{stored}HEAD | 200 | 200 hit ~ content-length: 1 ~ x-a: 1 ~ etag: \"a\"")),
            ("keeps get", &format!("{stored}HEAD | 200 | 200 hit\nGET | 200 | 200 1 hit")),
            (
                "a failure changes nothing",
                &format!("{stored}HEAD ~ cache-control: no-cache | 410 | 410 miss\nGET | 200 | 200 1 hit"),
            ),
            (
                "renews",
                &format!(
                    "{stale}HEAD | 200 ~ cache-control: max-age=60 ~ etag: \"a\" ~ x-a: 2 | 200 miss\nGET | 200 | 200 1 hit ~ x-a: 2"
                ),
            ),
            (
                "another tag",
                &format!(
                    "{stored}HEAD ~ cache-control: no-cache | 200 ~ etag: \"b\" | 200 miss\nGET | 200 | 200 3 miss"
                ),
            ),
            ("stores nothing", "HEAD | 200 ~ cache-control: max-age=60 | 200 miss\nHEAD | 200 | 200 miss"),
        ],
    );
}

#[test]
fn default_profile() {
    let twice = |fields: &str, seen: &str| format!("GET | 200 ~ {fields} | 200 1 miss\nGET | 200 | {seen}");
    let (hit, miss) = ("200 1 hit", "200 2 miss");
    check(
        "",
        &[
            ("nothing said", &*twice("x-a: 1", miss)),
            ("no heuristic", &twice("last-modified: PAST", miss)),
            ("max-age", &twice("cache-control: max-age=60", hit)),
            (
                "cookies go to one viewer",
                "GET | 200 ~ cache-control: max-age=60 ~ set-cookie: a=b | 200 1 miss ~ !set-cookie\nGET | 200 | 200 1 hit ~ !set-cookie",
            ),
            (
                "cookies without a lifetime",
                "GET | 200 ~ set-cookie: a=b | 200 1 miss ~ set-cookie: a=b\nGET | 200 | 200 2 miss",
            ),
            (
                "own targeted field",
                "GET | 200 ~ edgehook-cdn-cache-control: max-age=60 ~ cache-control: no-store | 200 1 miss ~ !edgehook-cdn-cache-control\nGET | 200 | 200 1 hit ~ !edgehook-cdn-cache-control",
            ),
            (
                "the viewer's wishes",
                "GET | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ~ cache-control: no-cache | 200 | 200 1 hit\nGET ~ cache-control: max-age=0, no-store | 200 | 200 1 hit",
            ),
            ("only-if-cached", "GET ~ cache-control: only-if-cached | 200 | 200 1 miss"),
            ("404 for a while", "GET | 404 | 404 1 miss\nGET | 200 | 404 1 hit"),
            ("500 for a while", "GET | 500 | 500 1 miss\nGET | 200 | 500 1 hit"),
            ("404 that is private", "GET | 404 ~ cache-control: private | 404 1 miss\nGET | 200 | 200 2 miss"),
            ("errors of odd requests", "GET | 400 ~ cache-control: max-age=60 | 400 1 miss\nGET | 200 | 200 2 miss"),
            (
                "post is not reused",
                "POST | 200 ~ cache-control: max-age=60 ~ content-location: /post-is-not-reused | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
        ],
    );
    check(
        "",
        &[
            (
                "languages keep their order",
                "GET ~ accept-language: en, de | 200 ~ cache-control: max-age=60 ~ vary: accept-language | 200 1 miss | !accept-language",
            ),
            (
                "what is not keyed stays here",
                "GET ~ x-a: 1 ~ cookie: a=b ~ referer: http://x/ | 200 ~ cache-control: max-age=60 | 200 1 miss | !x-a ~ !cookie ~ !referer",
            ),
            (
                "tags stay here",
                "GET | 200 ~ cache-control: max-age=60 ~ surrogate-key: a ~ cache-tag: b ~ cache-groups: \"c\" | 200 1 miss ~ !surrogate-key ~ !cache-tag ~ cache-groups: \"c\"",
            ),
            (
                "stale on an error",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 9 | 200 1 miss\nGET | 503 | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            (
                "min-fresh and friends",
                "GET | 200 ~ cache-control: max-age=60 ~ age: 50 | 200 1 miss\nGET ~ cache-control: min-fresh=30 | 200 | 200 1 hit",
            ),
            (
                "authorization",
                "GET ~ authorization: x | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ~ authorization: y | 200 | 200 2 miss",
            ),
            (
                "vary on what the origin never sees",
                "GET ~ x-a: 1 | 200 ~ cache-control: max-age=60 ~ vary: x-a | 200 1 miss | !x-a",
            ),
        ],
    );
}
