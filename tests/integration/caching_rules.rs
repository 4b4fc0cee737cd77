//! HTTP caching by the text of the RFCs: what the profile `strict-rfc` does with one origin and a sequence of requests.
//!
//! A case is a small script, one request a line: `request | origin's answer | what the viewer sees | what the origin saw`.
//! The first words are method, status, and `status body hit-or-miss`; fields follow behind `~`, and `!name` means that there
//! is none. The origin's body is the number of the line that it answers, or what its field `@body` says. Time passes by `Age`,
//! never by waiting; `IMF(60)`, `RFC850(-60)` and `ASCTIME(60)` are dates that many seconds from now.

use crate::harness::{Answer, Edge, Origin, Reply, eventually};
use std::{
    collections::HashMap,
    panic,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

pub(crate) const STRICT: &str = "[cache]\nprofile = \"strict-rfc\"\n";

/// Old by the clock of any machine that runs this.
const PAST: &str = "Tue, 01 Nov 2022 00:00:00 GMT";
const FUTURE: &str = "Fri, 01 Jan 2100 00:00:00 GMT";

struct Line {
    method: String,
    path: String,
    request: Vec<(String, String)>,
    answer: String,
    viewer: String,
    origin: String,
}

fn fields(text: &str) -> (String, Vec<(String, String)>) {
    let mut parts = text.split(" ~ ").map(str::trim);
    let first = parts.next().unwrap_or_default().to_owned();
    let field = |part: &str| match part.split_once(": ") {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (part.trim_end_matches(':').to_owned(), String::new()),
    };
    (first, parts.map(field).collect())
}

/// Writes out the dates that are relative to now.
fn dated(script: &str) -> String {
    let mut text = script.to_owned();
    for form in ["IMF(", "RFC850(", "ASCTIME("] {
        while let Some(start) = text.find(form) {
            let end = start + text[start..].find(')').unwrap();
            let seconds: i64 = text[start + form.len()..end].parse().unwrap();
            let now = SystemTime::now();
            let away = Duration::from_secs(seconds.unsigned_abs());
            let at = if seconds < 0 { now - away } else { now + away };
            text.replace_range(start..=end, &date(form, at));
        }
    }
    text
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`.
fn date(form: &str, at: SystemTime) -> String {
    let imf = httpdate::fmt_http_date(at);
    let parts: Vec<&str> = imf.split([' ', ',']).filter(|part| !part.is_empty()).collect();
    let [weekday, day, month, year, time, _] = parts[..] else { panic!("{imf}") };
    let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    match form {
        "IMF(" => imf.clone(),
        "RFC850(" => {
            let whole = weekdays.iter().find(|name| name.starts_with(weekday)).unwrap();
            format!("{whole}, {day}-{month}-{} {time} GMT", &year[2..])
        }
        _ => {
            let day: u8 = day.parse().unwrap();
            format!("{weekday} {month} {day:>2} {time} {year}")
        }
    }
}

fn lines(script: &str, base: &str) -> Vec<Line> {
    let script = dated(&script.replace("PAST", PAST).replace("FUTURE", FUTURE));
    let line = |text: &str| {
        let mut columns = text.split(" | ").map(|column| column.trim().to_owned());
        let (first, request) = fields(&columns.next().unwrap());
        let (method, path) = first.split_once(' ').unwrap_or((&first, ""));
        Line {
            method: method.to_owned(),
            path: format!("{base}{path}"),
            request,
            answer: columns.next().unwrap_or_default(),
            viewer: columns.next().unwrap_or_default(),
            origin: columns.next().unwrap_or_default(),
        }
    };
    script.lines().map(str::trim).filter(|text| !text.is_empty()).map(line).collect()
}

/// What the origin answers next, by path.
type Script = Arc<Mutex<HashMap<String, (usize, String)>>>;

fn answer(script: &Script, target: &str) -> Answer {
    let (number, text) = script.lock().unwrap().get(target).cloned().unwrap_or((0, "500".to_owned()));
    if text == "close" {
        return Answer::raw("");
    }
    let (status, list) = fields(&text);
    let body =
        list.iter().find(|(name, _)| name == "@body").map_or_else(|| number.to_string(), |(_, body)| body.clone());
    let list: Vec<(&str, &str)> =
        list.iter().filter(|(name, _)| name != "@body").map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let status: u16 = status.parse().unwrap();
    if matches!(status, 204 | 304) {
        let lines: String = list.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        return Answer::head_only(&format!("HTTP/1.1 {status} X\r\n{lines}\r\n"));
    }
    Answer::new(status, &list, &body)
}

#[track_caller]
fn holds(what: &str, expected: &str, seen: impl Fn(&str) -> Option<String>) {
    let (_, list) = fields(&format!("- ~ {expected}"));
    for (name, value) in list.iter().filter(|(name, _)| !name.is_empty()) {
        match name.strip_prefix('!') {
            Some(absent) => assert_eq!(seen(absent), None, "{what}: {absent}"),
            None => assert_eq!(seen(name).as_deref(), Some(value.as_str()), "{what}: {name}"),
        }
    }
}

fn run(edge: &Edge, origin: &Origin, script: &Script, name: &str, text: &str) {
    let base = format!("/{}", name.replace(' ', "-"));
    for (index, line) in lines(text, &base).into_iter().enumerate() {
        let what = format!("{name}, line {}", index + 1);
        script.lock().unwrap().insert(line.path.clone(), (index + 1, line.answer.clone()));
        let before = origin.count();
        let headers: Vec<(&str, &str)> =
            line.request.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let reply = edge.client().request(&line.method, &line.path, &headers, b"");
        let asked = origin.count() > before;
        let (seen, rest) = line.viewer.split_once(" ~ ").unwrap_or((&line.viewer, ""));
        let word = if asked { "miss" } else { "hit" };
        assert_eq!(format!("{} {} {word}", reply.status, reply.text()).replace("  ", " "), seen, "{what}: {reply:?}");
        assert!(reply.complete, "{what}: {reply:?}");
        let header = |reply: &Reply, name: &str| {
            reply.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        holds(&what, rest, |name| header(&reply, name));
        if asked && !line.origin.is_empty() {
            let last = origin.seen().last().cloned().unwrap();
            holds(&what, &line.origin, |name| last.header(name).map(str::to_owned));
        }
    }
}

pub(crate) fn check(config: &str, cases: &[(&str, &str)]) {
    let script: Script = Arc::default();
    let answers = script.clone();
    let origin = Origin::start(move |seen| answer(&answers, &seen.target));
    let edge = Edge::start(
        &format!("{config}[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url()),
        &[],
    );
    // All of them, so that one that fails does not hide the next.
    let fails = |(name, text): &&(&str, &str)| {
        panic::catch_unwind(panic::AssertUnwindSafe(|| run(&edge, &origin, &script, name, text))).is_err()
    };
    let failed: Vec<&str> = cases.iter().filter(fails).map(|(name, _)| *name).collect();
    assert!(failed.is_empty(), "{} of {} cases: {failed:?}", failed.len(), cases.len());
}

#[test]
fn freshness() {
    check(
        STRICT,
        &[
            ("max-age", "GET | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 | 200 1 hit ~ age: 0"),
            (
                "s-maxage first",
                "GET | 200 ~ cache-control: max-age=60, s-maxage=0 | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            ("expires", "GET | 200 ~ expires: FUTURE | 200 1 miss\nGET | 200 | 200 1 hit"),
            ("expires past", "GET | 200 ~ expires: PAST | 200 1 miss\nGET | 200 | 200 2 miss"),
            (
                "max-age before expires",
                "GET | 200 ~ cache-control: max-age=0 ~ expires: FUTURE | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            ("expires is no date", "GET | 200 ~ expires: 0 | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("expires twice", "GET | 200 ~ expires: FUTURE ~ expires: FUTURE | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("age counts", "GET | 200 ~ cache-control: max-age=60 ~ age: 60 | 200 1 miss\nGET | 200 | 200 2 miss"),
            (
                "age is no number",
                "GET | 200 ~ cache-control: max-age=60 ~ age: 100.5 | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            (
                "age of a list",
                "GET | 200 ~ cache-control: max-age=60 ~ age: 0, 100 | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            ("decimal", "GET | 200 ~ cache-control: max-age=60.0 | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("quoted", "GET | 200 ~ cache-control: max-age=\"60\" | 200 1 miss\nGET | 200 | 200 1 hit"),
            (
                "within quotes",
                "GET | 200 ~ cache-control: extension=\"max-age=60\" | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            ("space before equals", "GET | 200 ~ cache-control: max-age =60 | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("none", "GET | 200 | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("heuristic", "GET | 404 ~ last-modified: PAST | 404 1 miss\nGET | 200 | 404 1 hit"),
            ("heuristic status", "GET | 201 ~ last-modified: PAST | 201 1 miss\nGET | 200 | 200 2 miss"),
            (
                "heuristic public",
                "GET | 201 ~ last-modified: PAST ~ cache-control: public | 201 1 miss\nGET | 200 | 201 1 hit",
            ),
            ("any status", "GET | 599 ~ cache-control: max-age=60 | 599 1 miss\nGET | 200 | 599 1 hit"),
            ("error", "GET | 503 ~ cache-control: max-age=60 | 503 1 miss\nGET | 200 | 503 1 hit"),
            (
                "queries differ",
                "GET ?a | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ?b | 200 | 200 2 miss\nGET ?a | 200 | 200 1 hit",
            ),
        ],
    );
}

#[test]
fn targeted_fields() {
    check(
        STRICT,
        &[
            (
                "longer",
                "GET | 200 ~ cdn-cache-control: max-age=60 ~ cache-control: max-age=1 ~ age: 30 | 200 1 miss\nGET | 200 | 200 1 hit ~ cdn-cache-control: max-age=60",
            ),
            (
                "beats expires",
                "GET | 200 ~ cdn-cache-control: max-age=0 ~ expires: FUTURE | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "beats no-store",
                "GET | 200 ~ cdn-cache-control: max-age=60 ~ cache-control: no-store | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            (
                "no-store",
                "GET | 200 ~ cdn-cache-control: no-store ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "no-cache",
                "GET | 200 ~ cdn-cache-control: no-cache ~ cache-control: max-age=60 ~ etag: \"a\" | 200 1 miss\nGET | 304 ~ etag: \"a\" | 200 1 miss",
            ),
            ("age counts", "GET | 200 ~ cdn-cache-control: max-age=60 ~ age: 61 | 200 1 miss\nGET | 200 | 200 2 miss"),
            (
                "broken",
                "GET | 200 ~ cdn-cache-control: max-age=\"0\" ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
        ],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn permissions() {
    check(
        STRICT,
        &[
            ("no-store", "GET | 200 ~ cache-control: no-store, max-age=60 | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("private", "GET | 200 ~ cache-control: PRIVATE, max-age=60 | 200 1 miss\nGET | 200 | 200 2 miss"),
            (
                "private field",
                "GET | 200 ~ cache-control: private=\"x-a\", max-age=60 ~ x-a: 1 | 200 1 miss ~ x-a: 1\nGET | 200 | 200 1 hit ~ !x-a",
            ),
            (
                "no-cache field",
                "GET | 200 ~ cache-control: no-cache=\"x-a\", max-age=60 ~ x-a: 1 ~ x-b: 2 | 200 1 miss\nGET | 200 | 200 1 hit ~ !x-a ~ x-b: 2",
            ),
            (
                "no-cache",
                "GET | 200 ~ cache-control: no-cache, max-age=60 ~ etag: \"a\" | 200 1 miss\nGET | 304 | 200 1 miss | if-none-match: \"a\"",
            ),
            (
                "must-understand",
                "GET | 200 ~ cache-control: must-understand, no-store, max-age=60 | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            (
                "not understood",
                "GET | 299 ~ cache-control: must-understand, max-age=60 | 299 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "authorization",
                "GET ~ authorization: x | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ~ authorization: x | 200 | 200 2 miss",
            ),
            (
                "authorization public",
                "GET ~ authorization: x | 200 ~ cache-control: max-age=60, public | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            (
                "authorization must-revalidate",
                "GET ~ authorization: x | 200 ~ cache-control: max-age=60, must-revalidate | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            (
                "authorization s-maxage",
                "GET ~ authorization: x | 200 ~ cache-control: s-maxage=60 | 200 1 miss\nGET | 200 | 200 1 hit",
            ),
            (
                "cookies",
                "GET ~ cookie: a=b | 200 ~ cache-control: max-age=60 ~ set-cookie: c=d | 200 1 miss\nGET | 200 | 200 1 hit ~ set-cookie: c=d",
            ),
            (
                "pragma",
                "GET | 200 ~ cache-control: max-age=60 ~ pragma: no-cache | 200 1 miss\nGET ~ pragma: no-cache | 200 | 200 1 hit",
            ),
            (
                "unknown directive of a request",
                "GET ~ cache-control: nonsense | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET ~ cache-control: nonsense | 200 | 200 1 hit",
            ),
            (
                "connection fields",
                "GET | 200 ~ cache-control: max-age=60 ~ connection: x-a ~ x-a: 1 ~ x-b: 1 | 200 1 miss ~ !x-a\nGET | 200 | 200 1 hit ~ !x-a ~ x-b: 1",
            ),
            (
                "content-range on a 200",
                "GET | 200 ~ cache-control: max-age=60 ~ content-range: bytes 0-0/1 ~ content-md5: x | 200 1 miss\nGET | 200 | 200 1 hit ~ content-range: bytes 0-0/1 ~ content-md5: x",
            ),
            ("no body", "GET | 204 ~ cache-control: max-age=60 ~ x-a: 1 | 204 miss\nGET | 200 | 204 hit ~ x-a: 1"),
        ],
    );
}

#[test]
fn wishes_of_requests() {
    let stored = "GET | 200 ~ cache-control: max-age=60 ~ age: 30 ~ etag: \"a\" | 200 1 miss\n";
    let with = |line: &str| format!("{stored}{line}");
    check(
        STRICT,
        &[
            ("no-cache", &with("GET ~ cache-control: no-cache | 200 | 200 2 miss | if-none-match: \"a\"")),
            ("max-age", &with("GET ~ cache-control: max-age=29 | 200 | 200 2 miss")),
            ("max-age enough", &with("GET ~ cache-control: max-age=40 | 200 | 200 1 hit")),
            ("min-fresh", &with("GET ~ cache-control: min-fresh=31 | 200 | 200 2 miss")),
            ("no-store uses", &with("GET ~ cache-control: no-store | 200 | 200 1 hit")),
            (
                "no-store",
                "GET ~ cache-control: no-store | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 | 200 2 miss",
            ),
            (
                "max-stale",
                "GET | 200 ~ cache-control: max-age=60 ~ age: 70 | 200 1 miss\nGET ~ cache-control: max-stale=30 | 200 | 200 1 hit\nGET ~ cache-control: max-stale=5 | 200 | 200 3 miss",
            ),
        ],
    );
}

#[test]
fn validation() {
    let tagged = "GET | 200 ~ cache-control: max-age=1 ~ age: 9 ~ etag: \"a\" ~ x-a: 1 ~ x-b: 1 | 200 1 miss\n";
    let fresh = "GET | 200 ~ cache-control: max-age=60 ~ etag: W/\"a\" ~ last-modified: PAST | 200 1 miss\n";
    let after = |first: &str, line: &str| format!("{first}{line}");
    check(
        STRICT,
        &[
            (
                "renewed",
                &after(
                    tagged,
                    "GET | 304 ~ cache-control: max-age=60 ~ x-a: 2 ~ content-length: 99 | 200 1 miss ~ x-a: 2 ~ x-b: 1 ~ content-length: 1 | if-none-match: \"a\"\nGET | 200 | 200 1 hit ~ x-a: 2 ~ x-b: 1 ~ content-length: 1",
                ),
            ),
            ("another tag", &after(tagged, "GET | 200 ~ etag: \"b\" | 200 2 miss")),
            (
                "viewers condition on a stale one",
                &after(
                    tagged,
                    "GET ~ if-none-match: \"a\" | 304 ~ cache-control: max-age=60 ~ etag: \"a\" | 304 miss ~ etag: \"a\"",
                ),
            ),
            (
                "viewers tag unknown here",
                &after(tagged, "GET ~ if-none-match: \"z\" | 304 ~ etag: \"a\" | 200 1 miss | if-none-match: \"a\""),
            ),
            (
                "weak match",
                &after(fresh, "GET ~ if-none-match: \"a\" | 200 | 304 hit ~ etag: W/\"a\" ~ !content-length"),
            ),
            ("list", &after(fresh, "GET ~ if-none-match: \"x\", W/\"a\" | 200 | 304 hit")),
            (
                "tag before date",
                &after(fresh, "GET ~ if-none-match: \"x\" ~ if-modified-since: FUTURE | 200 | 200 1 hit"),
            ),
            (
                "date",
                &after(
                    fresh,
                    "GET ~ if-modified-since: Tuesday, 01-Nov-22 00:00:00 GMT | 200 | 304 hit\nGET ~ if-modified-since: Mon, 31 Oct 2022 00:00:00 GMT | 200 | 200 1 hit",
                ),
            ),
            ("nothing stored", "GET ~ if-none-match: \"q\" | 304 ~ etag: \"q\" | 304 miss | if-none-match: \"q\""),
            ("precondition", &after(fresh, "GET ~ if-match: \"b\" | 412 | 412 2 miss | if-match: \"b\"")),
            (
                "vary is validated too",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=1 ~ age: 5 ~ etag: \"a\" ~ vary: x | 200 1 miss\nGET ~ x: 1 | 304 ~ etag: \"a\" | 200 1 miss | x: 1 ~ if-none-match: \"a\"",
            ),
            (
                "replaced by what may not be stored",
                &after(
                    tagged,
                    "GET | 200 ~ cache-control: no-store | 200 2 miss\nGET | 200 | 200 3 miss | !if-none-match",
                ),
            ),
        ],
    );
}

#[test]
fn negotiation() {
    let by = |vary: &str, first: &str, second: &str, seen: &str| {
        format!(
            "GET{first} | 200 ~ cache-control: max-age=60 ~ vary: {vary} | 200 1 miss\nGET{second} | 200 ~ cache-control: max-age=60 ~ vary: {vary} | {seen}"
        )
    };
    check(
        STRICT,
        &[
            ("same", &by("x", " ~ x: 1", " ~ x: 1", "200 1 hit")),
            ("other", &by("x", " ~ x: 1", " ~ x: 2", "200 2 miss")),
            ("absent", &by("x", " ~ x: 1", "", "200 2 miss")),
            ("two fields", &by("x, y", " ~ x: 1 ~ y: 1", " ~ x: 1 ~ y: 2", "200 2 miss")),
            ("star", &by("*", "", "", "200 2 miss")),
            ("star behind", &by("x, *", " ~ x: 1", " ~ x: 1", "200 2 miss")),
            ("star in front", &by("*, x", " ~ x: 1", " ~ x: 1", "200 2 miss")),
            ("comma star", &by(", *", "", "", "200 2 miss")),
            ("spaces", &by("x", " ~ x: a, b", " ~ x: a,b", "200 1 hit")),
            ("lines", &by("x", " ~ x: a, b", " ~ x: a ~ x: b", "200 1 hit")),
            (
                "languages",
                &by("accept-language", " ~ accept-language: en, de", " ~ accept-language: DE, en", "200 1 hit"),
            ),
            (
                "codings",
                &by(
                    "accept-encoding",
                    " ~ accept-encoding: gzip, br",
                    " ~ accept-encoding: br;q=1, gzip;q=0.5",
                    "200 1 hit",
                ),
            ),
            (
                "both kept",
                "GET ~ x: 1 | 200 ~ cache-control: max-age=60 ~ vary: x | 200 1 miss\nGET ~ x: 2 | 200 ~ cache-control: max-age=60 ~ vary: x | 200 2 miss\nGET ~ x: 1 | 200 | 200 1 hit",
            ),
        ],
    );
}

#[test]
fn methods() {
    let stored = "GET | 200 ~ cache-control: max-age=60 ~ etag: \"a\" | 200 1 miss\n";
    let after = |lines: &str| format!("{stored}{lines}");
    let invalidating = |method: &str| after(&format!("{method} | 200 | 200 2 miss\nGET | 200 | 200 3 miss"));
    let failing = |method: &str| after(&format!("{method} | 500 | 500 2 miss\nGET | 200 | 200 1 hit"));
    check(
        STRICT,
        &[
            ("post", &invalidating("POST")),
            ("put", &invalidating("PUT")),
            ("delete", &invalidating("DELETE")),
            ("m-search", &invalidating("M-SEARCH")),
            ("redirecting", &after("POST | 303 ~ location: /elsewhere | 303 2 miss\nGET | 200 | 200 3 miss")),
            ("post failed", &failing("POST")),
            ("m-search failed", &failing("M-SEARCH")),
            ("options", &after("OPTIONS | 200 | 200 2 miss\nGET | 200 | 200 1 hit")),
            (
                "location",
                "GET /there | 200 ~ cache-control: max-age=60 | 200 1 miss\nPOST | 201 ~ location: location/there | 201 2 miss\nGET /there | 200 | 200 3 miss",
            ),
            (
                "content-location",
                "GET /there | 200 ~ cache-control: max-age=60 | 200 1 miss\nPUT | 200 ~ content-location: http://www.example.com/content-location/there | 200 2 miss\nGET /there | 200 | 200 3 miss",
            ),
            (
                "elsewhere",
                "GET /there | 200 ~ cache-control: max-age=60 | 200 1 miss\nPOST | 200 ~ location: http://other.example.com/elsewhere/there | 200 2 miss\nGET /there | 200 | 200 1 hit",
            ),
            (
                "reused",
                "POST | 200 ~ cache-control: max-age=60 ~ content-location: /reused | 200 1 miss\nGET | 200 | 200 1 hit\nPOST | 200 | 200 3 miss",
            ),
            ("not reused", "POST | 200 ~ cache-control: max-age=60 | 200 1 miss\nGET | 200 | 200 2 miss"),
            ("head from get", &after("HEAD | 200 | 200 hit ~ content-length: 1")),
            ("head brings nothing", "HEAD | 200 ~ cache-control: max-age=60 | 200 miss\nGET | 200 | 200 2 miss"),
            (
                "head renews",
                "GET | 200 ~ cache-control: max-age=1 ~ age: 5 ~ etag: \"a\" | 200 1 miss\nHEAD | 200 ~ cache-control: max-age=60 ~ etag: \"a\" ~ x-a: 1 | 200 miss\nGET | 200 | 200 1 hit ~ x-a: 1",
            ),
            (
                "head of another",
                &after("HEAD ~ cache-control: no-cache | 200 ~ etag: \"b\" | 200 miss\nGET | 200 | 200 3 miss"),
            ),
        ],
    );
}

#[test]
fn staleness() {
    let old = |directives: &str, lines: &str| {
        format!("GET | 200 ~ cache-control: {directives} ~ age: 9 | 200 1 miss\n{lines}")
    };
    check(
        STRICT,
        &[
            ("disconnected", &old("max-age=1", "GET | close | 200 1 miss ~ age: 9")),
            ("error", &old("max-age=1", "GET | 503 | 200 1 miss")),
            ("not an error", &old("max-age=1", "GET | 404 | 404 2 miss")),
            ("stale-if-error over", &old("max-age=1, stale-if-error=5", "GET | 503 | 503 2 miss")),
            ("stale-if-error within", &old("max-age=1, stale-if-error=60", "GET | 503 | 200 1 miss")),
            ("while revalidating over", &old("max-age=1, stale-while-revalidate=5", "GET | 200 | 200 2 miss")),
        ],
    );
}

#[test]
fn without_the_origin_there_is_no_answer_where_stale_is_forbidden() {
    for directives in ["max-age=1, must-revalidate", "max-age=1, proxy-revalidate", "no-cache", "s-maxage=1"] {
        let origin = Origin::start(move |seen| match seen.header("if-none-match") {
            None => Answer::new(200, &[("cache-control", directives), ("age", "9"), ("etag", "\"a\"")], "secret"),
            Some(_) => Answer::raw(""),
        });
        let edge = Edge::start(
            &format!(
                "{STRICT}[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n",
                origin.url()
            ),
            &[],
        );
        assert_eq!(edge.get("/").status, 200);
        let gone = edge.get("/");
        assert_eq!(gone.status, 504, "{directives}");
        assert!(!gone.text().contains("secret"), "{directives}");
        assert_eq!(origin.count(), 2, "{directives}: asked once");
    }
}

#[test]
fn a_background_revalidation_brings_the_next_answer() {
    let origin = Origin::start(|seen| match seen.header("if-none-match") {
        None => Answer::new(
            200,
            &[("cache-control", "max-age=1, stale-while-revalidate=60"), ("age", "9"), ("etag", "\"a\"")],
            "old",
        ),
        Some(_) => Answer::new(200, &[("cache-control", "max-age=60")], "new"),
    });
    let edge = Edge::start(
        &format!("{STRICT}[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url()),
        &[],
    );
    assert_eq!(edge.get("/").text(), "old");
    let stale = edge.get("/");
    assert_eq!(stale.text(), "old");
    assert!(stale.header("cache-status").contains("detail=stale-revalidate"), "{stale:?}");
    eventually("the new answer is stored", || (edge.get("/").text() == "new").then_some(()));
    assert_eq!(origin.count(), 2);
}

#[test]
fn interim_responses_are_relayed_and_never_stored() {
    let hints = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nx-hint: 1\r\n\r\n";
    let origin = Origin::start(move |_| {
        Answer::raw(format!("{hints}HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 4\r\n\r\nbody"))
    });
    let edge = Edge::start(
        &format!("{STRICT}[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url()),
        &[],
    );
    let mut client = edge.client();
    client.send(b"GET / HTTP/1.1\r\nhost: www.example.com\r\n\r\n");
    assert_eq!(client.head().status, 102);
    let hint = client.head();
    assert_eq!((hint.status, hint.header("link"), hint.header("x-hint")), (103, "</a.css>", "1"));
    let reply = client.reply(false);
    assert_eq!((reply.status, reply.text().as_str(), reply.header("link")), (200, "body", ""));
    let hit = client.request("GET", "/", &[], b"");
    assert_eq!((hit.status, hit.x_cache(), hit.header("x-hint")), (200, "Hit", ""));
    // Who does not know them does not get them.
    client.send(b"GET /old HTTP/1.0\r\nhost: www.example.com\r\n\r\n");
    assert_eq!(client.head().status, 200);
}

#[test]
fn odd_framing_is_survived() {
    let origin = Origin::start(|seen| match seen.target.as_str() {
        "/coding" => Answer::raw(
            "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ntransfer-encoding: foo\r\ncontent-length: 99\r\n\r\nbody",
        ),
        "/close" => Answer::raw("HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\n\r\nbody"),
        _ => Answer::raw("HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 9\r\n\r\nbody"),
    });
    let edge = Edge::start(
        &format!("{STRICT}[origin.app]\nurl = \"{}\"\n[[behavior]]\npath = \"*\"\norigin = \"app\"\n", origin.url()),
        &[],
    );
    for path in ["/coding", "/close"] {
        let first = edge.get(path);
        assert_eq!((first.status, first.text().as_str(), first.complete), (200, "body", true), "{path}");
        assert_eq!(edge.get(path).x_cache(), "Hit", "{path}");
    }
    assert!(!edge.get("/short").complete);
    assert!(!edge.get("/short").complete, "a cut body is never stored");
    assert_eq!(origin.count(), 4);
}
