//! The keys of native test files (experience.md 6.1): one table, for the parser, which takes no others, and for the JSON Schema
//! that editors read (`schema`). Deliberately absent: what the values mean, which `native` knows.

/// Every kind of table in a test file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// The file itself.
    File,
    /// `[[test]]`.
    Test,
    /// What an origin answers.
    Answer,
    /// `request`.
    Request,
    /// One of `steps`.
    Step,
    /// One of the requests of a step that are sent at once.
    Parallel,
    Purge,
    Geo,
    Expect,
    Matcher,
}

impl Table {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::File,
        Self::Test,
        Self::Answer,
        Self::Request,
        Self::Step,
        Self::Parallel,
        Self::Purge,
        Self::Geo,
        Self::Expect,
        Self::Matcher,
    ];
}

/// The form of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Text,
    /// Text, or a number or truth value that stands for its text.
    Word,
    Bool,
    /// `true` alone.
    True,
    /// A whole number from 0.
    Count,
    Status,
    /// `"61s"`, or seconds.
    Duration,
    /// `2026-01-01T00:00:00Z`.
    Time,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Anything, tables included.
    Any,
    /// A literal, or a table with a matcher.
    Matched,
    /// One of these words, or a table with a matcher.
    MatchedWord(&'static [&'static str]),
    /// Names, each with a literal, a matcher, or more names.
    Named,
    Table(Table),
    List(&'static Shape),
    /// A table with free keys.
    Map(&'static Shape),
    Either(&'static [Shape]),
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// Where it may stand.
    pub(super) tables: &'static [Table],
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// In a sentence, for hover help.
    pub(super) meaning: &'static str,
}

use Shape::{
    Any, Bool, Count, Duration, Either, List, Map, Matched, MatchedWord, Named, Status, Text, Time, True, Word, Words,
};
use Table as T;

/// Outcome words of the cache (experience.md 1.4).
pub(super) const OUTCOMES: [&str; 9] =
    ["hit", "stale", "revalidated", "miss", "expired", "uncacheable", "bypass", "generated", "error"];
pub(super) const FAILURES: [&str; 3] = ["connect", "timeout", "reset"];
pub(super) const SCHEMES: [&str; 2] = ["http", "https"];
/// Both spellings.
const HOOKS: [&str; 8] = [
    "viewer-request",
    "viewer-response",
    "origin-request",
    "origin-response",
    "viewer_request",
    "viewer_response",
    "origin_request",
    "origin_response",
];
const TEXT_OR_TEXTS: Shape = Either(&[Text, List(&Text)]);
const WORDS: Shape = Map(&Either(&[Word, List(&Word)]));
/// Tables that hold a request.
const REQUESTS: &[Table] = &[T::Request, T::Step, T::Parallel];

const fn key(tables: &'static [Table], name: &'static str, shape: Shape, meaning: &'static str) -> Key {
    Key { tables, name, shape, meaning }
}

/// All keys, in the order in which messages list them.
const KEYS: &[Key] = &[
    key(
        &[T::File],
        "test",
        List(&Shape::Table(T::Test)),
        "Tests; each starts with an empty cache and a clock that only moves by `advance`.",
    ),
    key(&[T::Test], "name", Text, "What the test shows, in a sentence."),
    key(&[T::Test], "function", Text, "Calls this function alone; without it the request runs through the whole edge."),
    key(&[T::Test], "hook", Words(&HOOKS), "Where the function stands, when several hooks name it."),
    key(&[T::Test], "behavior", Text, "Path pattern of the behavior that every request must be given to."),
    key(&[T::Test], "only", Bool, "Run this test and no other."),
    key(&[T::Test], "skip", Text, "Do not run the test, for this reason."),
    key(&[T::Test], "clock", Time, "When the test begins; 2026-01-01T00:00:00Z by default."),
    key(&[T::Test], "seed", Count, "Where chance begins; 0 by default."),
    key(
        &[T::Test],
        "origin",
        Map(&Either(&[Shape::Table(T::Answer), List(&Shape::Table(T::Answer))])),
        "What each origin answers; a list in order. A call to an origin that is not here fails the test.",
    ),
    key(&[T::Test], "kv", Map(&Map(&Word)), "What key value stores hold."),
    key(&[T::Test], "request", Shape::Table(T::Request), "The one request of the test."),
    key(
        &[T::Test, T::Step, T::Parallel],
        "expect",
        Shape::Table(T::Expect),
        "What must be true of the answer, and of how it came about.",
    ),
    key(&[T::Test], "steps", List(&Shape::Table(T::Step)), "Requests, purges and moves of the clock, in order."),
    key(&[T::Answer], "status", Status, "200 by default."),
    key(&[T::Answer], "headers", WORDS, "Header fields of the answer; a list for several of one name."),
    key(&[T::Answer], "body", Text, "The body of the answer."),
    key(
        &[T::Answer],
        "delay",
        Duration,
        "How long the origin takes. It passes at once, and the test's clock stays where it is.",
    ),
    key(&[T::Answer], "fail", Words(&FAILURES), "How the origin fails instead of answering."),
    key(REQUESTS, "uri", Text, "Path, with a query where `query` is not written."),
    key(REQUESTS, "get", Text, "The same as `uri`."),
    key(REQUESTS, "method", Text, "GET by default."),
    key(REQUESTS, "host", Text, "By default the first of [server] hosts."),
    key(REQUESTS, "query", Either(&[Text, Map(&Word)]), "The query, as text or as names with values."),
    key(REQUESTS, "headers", WORDS, "Header fields; a list for several of one name."),
    key(REQUESTS, "cookie", WORDS, "Cookies by name."),
    key(REQUESTS, "body", Text, "The body of the request."),
    key(REQUESTS, "ip", Text, "The viewer's address."),
    key(REQUESTS, "geo", Either(&[Text, Shape::Table(T::Geo)]), "Where the viewer is: a country, or a table."),
    key(REQUESTS, "scheme", Words(&SCHEMES), "https by default."),
    key(
        REQUESTS,
        "jwt",
        Map(&Any),
        "Claims of a token, signed with a test key; issuer and audience come from the authorizer.",
    ),
    key(
        REQUESTS,
        "save",
        Map(&Text),
        "Keeps `cookie:NAME`, `header:NAME` or `body` of the answer under a name, for ${name} in later steps.",
    ),
    key(&[T::Step], "advance", Duration, "Moves the clock."),
    key(&[T::Step], "purge", Shape::Table(T::Purge), "Purges what is stored."),
    key(&[T::Step], "parallel", List(&Shape::Table(T::Parallel)), "Requests that are sent at once."),
    key(&[T::Purge], "tag", TEXT_OR_TEXTS, "Everything with one of these tags."),
    key(&[T::Purge], "url", TEXT_OR_TEXTS, "These URLs; `*` makes a pattern."),
    key(&[T::Purge], "prefix", TEXT_OR_TEXTS, "Every URL that begins so."),
    key(&[T::Purge], "host", TEXT_OR_TEXTS, "Everything of these hosts."),
    key(&[T::Purge], "all", Bool, "Everything."),
    key(&[T::Purge], "soft", Bool, "Make it stale instead of dropping it."),
    key(&[T::Geo], "country", Text, "ISO code, such as FR."),
    key(&[T::Geo], "region", Text, "Code of the region."),
    key(&[T::Geo], "city", Text, "Name of the city."),
    key(&[T::Expect], "status", Matched, "Status of the answer."),
    key(&[T::Expect], "headers", Named, "Header fields of the answer, by name."),
    key(&[T::Expect], "cookie", Named, "Cookies that the answer sets, by name."),
    key(&[T::Expect], "body", Matched, "Body of the answer."),
    key(&[T::Expect], "uri", Matched, "Path as the function left it."),
    key(&[T::Expect], "query", Matched, "Query as the function left it."),
    key(&[T::Expect], "method", Matched, "Method as the function left it."),
    key(&[T::Expect], "cache", MatchedWord(&OUTCOMES), "How the cache was involved."),
    key(&[T::Expect], "age", Matched, "Age of the answer, in seconds."),
    key(&[T::Expect], "hooks", Matched, "The hook points at which functions ran, in order."),
    key(&[T::Expect], "origin", Matched, "Name of the origin that was chosen."),
    key(&[T::Expect], "origin_calls", Matched, "How often origins were asked."),
    key(&[T::Expect], "origin_request", Named, "The request as the origin saw it: uri, method, headers.NAME, ..."),
    key(&[T::Expect], "key", Named, "Parts of the cache key."),
    key(&[T::Expect], "utilization", Matched, "Share of the budget that the function used, in percent."),
    key(&[T::Expect], "logs", Matched, "Lines that functions wrote to the console."),
    key(&[T::Expect], "error", Matched, "What the function threw, or the edge's reason for an error."),
    key(&[T::Expect], "deny_reason", Matched, "Why the request was refused."),
    key(&[T::Matcher], "in", List(&Any), "One of these."),
    key(&[T::Matcher], "matches", Text, "A regular expression that must match."),
    key(&[T::Matcher], "contains", Any, "Part of the text, or an item of the list."),
    key(&[T::Matcher], "absent", True, "Must not be there: absent = true."),
];

/// The keys of a table.
pub(super) fn of(table: Table) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.tables.contains(&table))
}

/// Their names.
pub(super) fn names(table: Table) -> Vec<&'static str> {
    of(table).map(|key| key.name).collect()
}
