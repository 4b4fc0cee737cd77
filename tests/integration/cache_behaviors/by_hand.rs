//! Settings written by hand: whatever a profile does, a configuration can do or undo key by key (http-cache.md section 1).

use super::{NOT_REUSED, REUSED};
use crate::{
    caching_rules::{STRICT, check},
    harness::{Answer, Edge, Origin},
};

const COOKIE: &str = "cache-control: max-age=60 ~ set-cookie: a=b";
const WISH: &str = "GET | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ~ cache-control: no-cache | 200 ~ cache-control: max-age=60 |";
const LANGUAGES: &str = "GET ~ accept-language: en, de | 200 ~ cache-control: max-age=60 ~ vary: accept-language | 200 1 miss\n\
     GET ~ accept-language: de, en | 200 ~ cache-control: max-age=60 ~ vary: accept-language |";

#[test]
fn the_text_of_the_rfcs_over_the_default_profile() {
    let cache = "[cache]\nheuristics = true\npoison_guard = false\nrequest_directives = \"honour\"\nset_cookie = \"store\"\n\
                 post_reuse = true\nvary_language = \"normalised\"\ntag_fields = \"forward\"\nforward = \"all\"\n\
                 stale_retry = \"0s\"\nerror_ttl = { \"404\" = \"0s\" }\n";
    check(
        cache,
        &[
            ("heuristics", &REUSED.replace("{}", "last-modified: PAST")),
            ("errors of odd requests", "GET | 400 ~ cache-control: max-age=60 | 400 1 miss\nGET | 200 | 400 1 hit"),
            ("wishes", &format!("{WISH} 200 2 miss")),
            (
                "cookies",
                &format!(
                    "GET | 200 ~ {COOKIE} | 200 1 miss ~ set-cookie: a=b\nGET | 200 | 200 1 hit ~ set-cookie: a=b"
                ),
            ),
            (
                "post",
                "POST | 200 ~ cache-control: max-age=60 ~ content-location: /post | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            ("languages", &format!("{LANGUAGES} 200 1 hit")),
            (
                "tags",
                "GET | 200 ~ cache-control: max-age=60 ~ surrogate-key: a | 200 1 miss ~ surrogate-key: a\nGET | 200 | 200 1 hit ~ surrogate-key: a",
            ),
            (
                "fields",
                "GET ~ x-a: 1 ~ cookie: a=b | 200 ~ cache-control: max-age=60 | 200 1 miss | x-a: 1 ~ cookie: a=b",
            ),
            (
                "a failing origin",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 9 | 200 1 miss\nGET | 503 | 200 1 miss\nGET | 200 | 200 3 miss",
            ),
            ("404", "GET | 404 | 404 1 miss\nGET | 200 | 200 2 miss"),
        ],
    );
}

#[test]
fn the_default_settings_over_the_strict_profile() {
    let cache = format!(
        "{STRICT}heuristics = false\npoison_guard = true\nrequest_directives = \"ignore\"\nset_cookie = \"auto\"\n\
         post_reuse = false\nvary_language = \"syntax\"\ntag_fields = \"strip\"\nstale_retry = \"10s\"\n\
         error_ttl = {{ \"404\" = \"10s\" }}\n"
    );
    check(
        &cache,
        &[
            ("heuristics", &NOT_REUSED.replace("{}", "last-modified: PAST")),
            ("errors of odd requests", "GET | 400 ~ cache-control: max-age=60 | 400 1 miss\nGET | 200 | 200 2 miss"),
            ("wishes", &format!("{WISH} 200 1 hit")),
            (
                "post",
                "POST | 200 ~ cache-control: max-age=60 ~ content-location: /post | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            ("languages", &format!("{LANGUAGES} 200 2 miss")),
            (
                "tags",
                "GET | 200 ~ cache-control: max-age=60 ~ surrogate-key: a | 200 1 miss ~ !surrogate-key\nGET | 200 | 200 1 hit ~ !surrogate-key",
            ),
            (
                "a failing origin",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 9 | 200 1 miss\nGET | 503 | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            ("404", "GET | 404 | 404 1 miss\nGET | 200 | 404 1 hit"),
        ],
    );
}

#[test]
fn what_neither_profile_does() {
    check(
        "[cache]\nhead_fill = true\nerror_caching = \"cloudfront\"\ndeception_armor = true\nstale_on_5xx = \"off\"\n",
        &[
            ("head", "HEAD | 200 ~ cache-control: max-age=60 | 200 miss\nGET | 200 | 200 1 hit"),
            (
                "403 with a lifetime",
                "GET | 403 ~ cache-control: max-age=1 ~ age: 5 | 403 1 miss\nGET | 200 | 403 1 hit",
            ),
            ("403 without", "GET | 403 | 403 1 miss\nGET | 200 | 200 2 miss"),
            (
                "a page that calls itself a style",
                "GET /x.css | 200 ~ cache-control: max-age=60 ~ content-type: text/html | 200 1 miss\n\
                 GET /x.css | 200 ~ cache-control: max-age=60 ~ content-type: text/css | 200 2 miss\nGET /x.css | 200 | 200 2 hit",
            ),
            ("an error goes out", "GET | 200 ~ cache-control: max-age=1 ~ age: 9 | 200 1 miss\nGET | 503 | 503 2 miss"),
        ],
    );
}

#[test]
fn encoded_delimiters_are_refused_where_files_are_served() {
    let origin = Origin::start(|_| Answer::cached("file"));
    let config = format!(
        "[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"/files/*\"\norigin = \"app\"\ncache.reject_encoded_delimiters = true\n\
         [[behavior]]\npath = \"*\"\norigin = \"app\"\n",
        origin.url()
    );
    let edge = Edge::start(&config, &[]);
    for path in ["a%2fb", "a%5Cb", "a;b", "a%3Bb", "a%3fb", "a%23b", "a%2500"] {
        assert_eq!(edge.get(&format!("/files/{path}")).status, 400, "{path}");
    }
    assert_eq!(origin.count(), 0);
    assert_eq!((edge.get("/files/a%41-b").status, edge.get("/other/a%2fb").status), (200, 200));
}
