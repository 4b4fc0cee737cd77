//! Reads native test files (experience.md 6.1).

use super::{
    Case, EdgeCase, Expectation, FunctionCase, Problem, PurgeStep, RequestStep, Step, Subject, What,
    keys::{FAILURES, OUTCOMES, SCHEMES, Table, names},
    node::{Fields, Node, Source},
};
use crate::{
    edge_fields::PlayedPlace,
    listener::Scheme,
    workbench::{
        engine::NEW_YEAR,
        matcher::{Matcher, comparison},
        script::{Failing, Line},
    },
};
use edgehook_contract::HookPoint;
use http::{HeaderName, HeaderValue, StatusCode};
use regex::Regex;
use std::{collections::BTreeMap, path::Path, time::UNIX_EPOCH};
use toml::de::DeTable;

/// The tests of a file.
///
/// # Errors
/// All that is wrong with it.
pub(crate) fn read(file: &Path, text: &str) -> Result<Vec<Case>, Vec<Problem>> {
    let source = Source::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let message = error.message().lines().next().unwrap_or("no TOML").to_owned();
        source.report(error.span().unwrap_or(0..0), message);
    }
    let document = document.into_inner();
    let mut cases = Vec::new();
    {
        let root = Fields::root(&source, &document);
        root.check(&names(Table::File));
        match root.get("test") {
            Some(tests) if tests.is_list() => {
                cases.extend(tests.list().unwrap_or_default().iter().filter_map(case));
            }
            Some(other) => other.wrong("[[test]]"),
            None => source.report(0..0, "no test: expected [[test]] with a name and a request or steps".to_owned()),
        }
    }
    let problems = source.problems();
    if problems.is_empty() { Ok(cases) } else { Err(problems) }
}

fn case(node: &Node<'_>) -> Option<Case> {
    let fields = node.fields(&names(Table::Test))?;
    let name = fields.get("name").and_then(|name| name.text());
    if !fields.has("name") {
        fields.report("a test needs a name");
    }
    let clock = match fields.get("clock") {
        None => UNIX_EPOCH + NEW_YEAR,
        Some(clock) => time(&clock)?,
    };
    let kv = stores(&fields);
    let what = match fields.get("function") {
        Some(function) => {
            for key in ["steps", "origin", "behavior"] {
                if let Some(node) = fields.get(key) {
                    node.wrong("nothing: a test of one function has a request and what to expect");
                }
            }
            What::Function(Box::new(FunctionCase {
                function: function.text()?,
                hook: fields.get("hook").and_then(|hook| hook_point(&hook)),
                kv,
                request: single(&fields)?,
            }))
        }
        None => {
            let (steps, stepwise) = match fields.get("steps") {
                None => (vec![Step::Request(Box::new(single(&fields)?))], false),
                Some(steps) => {
                    if let Some(request) = fields.get("request") {
                        request.wrong("either `request` or `steps`");
                    }
                    (steps.list()?.iter().filter_map(step).collect(), true)
                }
            };
            What::Edge(Box::new(EdgeCase {
                behavior: fields.get("behavior").and_then(|node| node.text()),
                origins: origins(&fields),
                kv,
                steps,
                stepwise,
            }))
        }
    };
    Some(Case {
        name: name?,
        place: fields.place(),
        only: fields.get("only").and_then(|node| node.boolean()).unwrap_or(false),
        skip: fields.get("skip").and_then(|node| node.text()),
        clock,
        seed: fields.get("seed").and_then(|node| node.number()).unwrap_or(0),
        what,
    })
}

fn hook_point(node: &Node<'_>) -> Option<HookPoint> {
    let name = node.text()?;
    let found = HookPoint::ALL.into_iter().find(|hook| hook.as_str() == name.replace('_', "-"));
    if found.is_none() {
        node.wrong(&HookPoint::ALL.map(HookPoint::as_str).join(", "));
    }
    found
}

/// A date and time, as TOML's own or as text.
fn time(node: &Node<'_>) -> Option<std::time::SystemTime> {
    let text = node.json();
    let found = text.as_str().and_then(seconds_of).map(|seconds| UNIX_EPOCH + std::time::Duration::from_secs(seconds));
    if found.is_none() {
        node.wrong("a time such as 2026-01-01T00:00:00Z");
    }
    found
}

/// Seconds since 1970 of `2026-01-01T00:00:00Z`.
fn seconds_of(text: &str) -> Option<u64> {
    let (date, time) = text.trim_end_matches('Z').split_once(['T', ' '])?;
    let mut date = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let mut time = time.split(':').map(|part| part.split('.').next()?.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days from civil date (Howard Hinnant's algorithm).
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()
}

fn stores(fields: &Fields<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let entries = fields.get("kv").map(|kv| kv.entries()).unwrap_or_default();
    let store = |(name, node): (String, Node<'_>)| {
        let pairs = node.entries().into_iter().filter_map(|(key, value)| Some((key, value.word()?)));
        (name, pairs.collect())
    };
    entries.into_iter().map(store).collect()
}

fn origins(fields: &Fields<'_>) -> BTreeMap<String, Vec<Line>> {
    let entries = fields.get("origin").map(|origin| origin.entries()).unwrap_or_default();
    let origin = |(name, node): (String, Node<'_>)| {
        let lines = if node.is_list() { node.list().unwrap_or_default() } else { vec![node] };
        (name, lines.iter().filter_map(answer).collect())
    };
    entries.into_iter().map(origin).collect()
}

fn answer(node: &Node<'_>) -> Option<Line> {
    let fields = node.fields(&names(Table::Answer))?;
    let status = match fields.get("status") {
        None => StatusCode::OK,
        Some(status) => status_code(&status)?,
    };
    let mut headers = Vec::new();
    for (name, value) in fields.get("headers").map(|node| node.entries()).unwrap_or_default() {
        let values = if value.is_list() { value.list().unwrap_or_default() } else { vec![value.clone()] };
        for text in values.iter().filter_map(Node::word) {
            match (HeaderName::try_from(name.as_str()), HeaderValue::from_str(&text)) {
                (Ok(name), Ok(text)) => headers.push((name, text)),
                _ => value.wrong("a header name and its value"),
            }
        }
    }
    let fail = match fields.get("fail") {
        None => None,
        Some(node) => match node.text()?.as_str() {
            "connect" => Some(Failing::Connect),
            "timeout" => Some(Failing::Timeout),
            "reset" => Some(Failing::Reset),
            _ => {
                node.wrong(&one_of(&FAILURES));
                None
            }
        },
    };
    Some(Line {
        status,
        headers,
        body: fields.get("body").and_then(|body| body.text()).unwrap_or_default().into(),
        delay: fields.get("delay").and_then(|delay| delay.duration()).unwrap_or_default(),
        fail,
    })
}

fn status_code(node: &Node<'_>) -> Option<StatusCode> {
    let found = node.number().map(|number| u16::try_from(number).ok().and_then(|code| StatusCode::from_u16(code).ok()));
    if found == Some(None) {
        node.wrong("a status from 100 to 999");
    }
    found?
}

/// `request` and `expect` of a test.
fn single(fields: &Fields<'_>) -> Option<RequestStep> {
    let Some(request) = fields.get("request") else {
        fields.report("expected `request` and `expect`, or `steps`");
        return None;
    };
    let mut step = self::request(&request, &request.fields(&names(Table::Request))?)?;
    match fields.get("expect") {
        Some(expect) => step.expect = expectations(&expect),
        None => fields.report("a request needs `expect`"),
    }
    Some(step)
}

fn step(node: &Node<'_>) -> Option<Step> {
    let fields = node.fields(&names(Table::Step))?;
    if let Some(advance) = fields.get("advance") {
        return advance.duration().map(Step::Advance);
    }
    if let Some(purge) = fields.get("purge") {
        return purge_step(&purge).map(Step::Purge);
    }
    if let Some(parallel) = fields.get("parallel") {
        let steps: Vec<RequestStep> = parallel
            .list()?
            .iter()
            .filter_map(|node| {
                let fields = node.fields(&names(Table::Parallel))?;
                step_request(node, &fields)
            })
            .collect();
        return Some(Step::Parallel(steps));
    }
    step_request(node, &fields).map(|step| Step::Request(Box::new(step)))
}

fn step_request(node: &Node<'_>, fields: &Fields<'_>) -> Option<RequestStep> {
    let mut step = request(node, fields)?;
    if let Some(expect) = fields.get("expect") {
        step.expect = expectations(&expect);
    }
    Some(step)
}

fn purge_step(node: &Node<'_>) -> Option<PurgeStep> {
    let fields = node.fields(&names(Table::Purge))?;
    let texts = |key| fields.get(key).map(|node| node.texts()).unwrap_or_default();
    let flag = |key| fields.get(key).and_then(|node| node.boolean()).unwrap_or(false);
    let step = PurgeStep {
        urls: texts("url"),
        prefixes: texts("prefix"),
        hosts: texts("host"),
        tags: texts("tag"),
        all: flag("all"),
        soft: flag("soft"),
    };
    let named = [&step.urls, &step.prefixes, &step.hosts, &step.tags].iter().any(|list| !list.is_empty());
    if !named && !step.all {
        fields.report("expected tag, url, prefix, host, or all = true");
        return None;
    }
    Some(step)
}

fn request(node: &Node<'_>, fields: &Fields<'_>) -> Option<RequestStep> {
    let text = |key| fields.get(key).and_then(|node: Node<'_>| node.text());
    let pairs = |key| -> Vec<(String, String)> {
        let entries = fields.get(key).map(|node: Node<'_>| node.entries()).unwrap_or_default();
        let values = |(name, node): (String, Node<'_>)| {
            let values = if node.is_list() { node.list().unwrap_or_default() } else { vec![node] };
            values.iter().filter_map(Node::word).map(|value| (name.clone(), value)).collect::<Vec<_>>()
        };
        entries.into_iter().flat_map(values).collect()
    };
    let Some(uri) = fields.get("uri").or_else(|| fields.get("get")) else {
        node.wrong("`uri` or `get` with a path");
        return None;
    };
    let path = uri.text()?;
    if !path.starts_with('/') && !path.starts_with("${") || path.parse::<http::Uri>().is_err() && !path.contains("${") {
        uri.wrong("a path that begins with /");
        return None;
    }
    let scheme = match fields.get("scheme") {
        None => Scheme::Https,
        Some(scheme) => match scheme.text()?.as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => {
                scheme.wrong(&one_of(&SCHEMES));
                return None;
            }
        },
    };
    if let Some(ip) = fields.get("ip")
        && ip.text()?.parse::<std::net::IpAddr>().is_err()
    {
        ip.wrong("an IP address");
    }
    let query = fields.get("query").map(|query| {
        let pair = |(name, value): (String, Node<'_>)| Some(format!("{name}={}", value.word()?));
        if query.is_table() {
            query.entries().into_iter().filter_map(pair).collect::<Vec<_>>().join("&")
        } else {
            query.text().unwrap_or_default().trim_start_matches('?').to_owned()
        }
    });
    Some(RequestStep {
        place: node.place(),
        method: text("method").unwrap_or_else(|| "GET".to_owned()),
        scheme,
        host: text("host"),
        uri: path,
        query,
        headers: pairs("headers"),
        cookies: pairs("cookie"),
        body: text("body").unwrap_or_default(),
        ip: text("ip"),
        geo: fields.get("geo").and_then(|geo| self::geo(&geo)),
        jwt: fields.get("jwt").and_then(|jwt| claims(&jwt)),
        save: save(fields),
        expect: Vec::new(),
    })
}

/// The claims of a token.
fn claims(node: &Node<'_>) -> Option<serde_json::Value> {
    if !node.is_table() {
        node.wrong("a table of claims");
        return None;
    }
    Some(node.json())
}

fn save(fields: &Fields<'_>) -> Vec<(String, String)> {
    let entries = fields.get("save").map(|node| node.entries()).unwrap_or_default();
    let known = |text: &str| text == "body" || text.starts_with("cookie:") || text.starts_with("header:");
    let entry = |(name, node): (String, Node<'_>)| {
        let what = node.text()?;
        if !known(&what) {
            node.wrong("\"cookie:NAME\", \"header:NAME\" or \"body\"");
            return None;
        }
        Some((name, what))
    };
    entries.into_iter().filter_map(entry).collect()
}

fn geo(node: &Node<'_>) -> Option<PlayedPlace> {
    if !node.is_table() {
        return node.text().map(|country| PlayedPlace { country, ..PlayedPlace::default() });
    }
    let fields = node.fields(&names(Table::Geo))?;
    let text = |key| fields.get(key).and_then(|node: Node<'_>| node.text());
    Some(PlayedPlace { country: text("country").unwrap_or_default(), region: text("region"), city: text("city") })
}

fn expectations(node: &Node<'_>) -> Vec<Expectation> {
    // Known, to be answered with the key that does it.
    let units = "units";
    let Some(fields) = node.fields(&[names(Table::Expect), vec![units]].concat()) else { return Vec::new() };
    let mut found = Vec::new();
    let simple = [
        ("status", Subject::Status),
        ("body", Subject::Body),
        ("uri", Subject::Uri),
        ("query", Subject::Query),
        ("method", Subject::Method),
        ("cache", Subject::Cache),
        ("age", Subject::Age),
        ("hooks", Subject::Hooks),
        ("origin", Subject::Origin),
        ("origin_calls", Subject::OriginCalls),
        ("utilization", Subject::Utilization),
        ("logs", Subject::Logs),
        ("error", Subject::Error),
        ("deny_reason", Subject::DenyReason),
    ];
    for (key, subject) in simple {
        if let Some(node) = fields.get(key) {
            if subject == Subject::Cache {
                check_outcome(&node);
            }
            found.extend(expectation(&node, subject));
        }
    }
    if let Some(units) = fields.get(units) {
        units.wrong("`utilization`: units are not counted by this version");
    }
    let named: [(&str, Naming); 4] = [
        ("headers", |name| Subject::Header(name.to_ascii_lowercase())),
        ("cookie", Subject::Cookie),
        ("origin_request", Subject::OriginRequest),
        ("key", Subject::Key),
    ];
    for (key, subject) in named {
        let entries = fields.get(key).map(|node| node.entries()).unwrap_or_default();
        entries.into_iter().for_each(|(name, node)| flatten(&node, &name, subject, &mut found));
    }
    found.sort_by_key(|expectation| expectation.place.span.start);
    found
}

/// What an expectation about something with a name is about.
type Naming = fn(String) -> Subject;

/// `a = { b = 1 }` is about `a.b`.
fn flatten(node: &Node<'_>, name: &str, subject: Naming, found: &mut Vec<Expectation>) {
    let matchers = names(Table::Matcher);
    let is_matcher = |(key, _): &(String, Node<'_>)| matchers.contains(&key.as_str());
    if node.is_table() && !node.entries().iter().all(is_matcher) {
        for (inner, node) in node.entries() {
            flatten(&node, &format!("{name}.{inner}"), subject, found);
        }
        return;
    }
    found.extend(expectation(node, subject(name.to_owned())));
}

fn check_outcome(node: &Node<'_>) {
    let json = node.json();
    if !node.is_table() && !json.as_str().is_some_and(|word| OUTCOMES.contains(&word)) {
        node.wrong(&one_of(&OUTCOMES));
    }
}

fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

fn expectation(node: &Node<'_>, what: Subject) -> Option<Expectation> {
    let matcher = matcher(node)?;
    Some(Expectation { what, matcher, place: node.place() })
}

fn matcher(node: &Node<'_>) -> Option<Matcher> {
    if !node.is_table() {
        let value = node.json();
        let compared = value.as_str().and_then(comparison);
        return Some(compared.map_or(Matcher::Is(value), |(comparison, number)| Matcher::Compares(comparison, number)));
    }
    let fields = node.fields(&names(Table::Matcher))?;
    if let Some(list) = fields.get("in") {
        return Some(Matcher::In(list.list()?.iter().map(Node::json).collect()));
    }
    if let Some(pattern) = fields.get("matches") {
        return match Regex::new(&pattern.text()?) {
            Ok(regex) => Some(Matcher::Matches(regex)),
            Err(error) => {
                pattern
                    .wrong(&format!("a regular expression ({})", error.to_string().lines().last().unwrap_or_default()));
                None
            }
        };
    }
    if let Some(part) = fields.get("contains") {
        return Some(Matcher::Contains(part.json()));
    }
    match fields.get("absent").and_then(|absent| absent.boolean()) {
        Some(true) => Some(Matcher::Absent),
        Some(false) => {
            node.wrong("absent = true, or another matcher");
            None
        }
        None => {
            node.wrong("{ in = [..] }, { matches = \"..\" }, { contains = \"..\" } or { absent = true }");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let problems = read(Path::new("t.toml"), text).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_example_of_the_specification() {
        let text = include_str!("../../../../tests/fixtures/workbench/site.toml");
        let cases = read(Path::new("t.toml"), text).unwrap();
        assert_eq!(cases.len(), 3);
        let What::Edge(case) = &cases[1].what else { panic!("{:?}", cases[1]) };
        assert_eq!((case.steps.len(), case.origins.len()), (4, 2));
        assert!(matches!(case.steps[2], Step::Advance(time) if time.as_secs() == 61));
        let Step::Request(step) = &case.steps[0] else { panic!() };
        assert_eq!(step.save, [("ab".to_owned(), "cookie:edge_ab".to_owned())]);
        assert_eq!(step.expect.len(), 2);
    }

    #[test]
    fn every_problem_has_its_line_and_what_was_expected() {
        for (text, expected) in [
            ("", "t.toml:1: no test"),
            (
                "x = 1\n[[test]]\nname = \"a\"\nrequest = { uri = \"/\" }\nexpect = {}",
                "t.toml:1: the file: unknown key `x`; expected one of test",
            ),
            ("[[test]]\nrequest = { uri = \"/\" }\nexpect = {}", "a test needs a name"),
            ("[[test]]\nname = \"a\"", "t.toml:1: test[0]: expected `request` and `expect`, or `steps`"),
            ("[[test]]\nname = \"a\"\nrequest = { uri = \"/\" }", "a request needs `expect`"),
            (
                "[[test]]\nname = 1\nrequest = { uri = \"/\" }\nexpect = {}",
                "t.toml:2: test[0].name: expected text, found 1",
            ),
            (
                "[[test]]\nname = \"a\"\nrequest = { uri = \"x\" }\nexpect = {}",
                "t.toml:3: test[0].request.uri: expected a path that begins with /, found \"x\"",
            ),
            (
                "[[test]]\nname = \"a\"\nrequest = { }\nexpect = {}",
                "t.toml:3: test[0].request: expected `uri` or `get`",
            ),
            (
                "[[test]]\nname = \"a\"\nrequest = { uri = \"/\" }\nexpect = { cache = \"HIT\" }",
                "expected one of hit, stale",
            ),
            ("[[test]]\nname = \"a\"\nrequest = { uri = \"/\" }\nexpect = { units = 1 }", "units are not counted"),
            (
                "[[test]]\nname = \"a\"\nrequest = { uri = \"/\" }\nexpect = { body = { matches = \"(\" } }",
                "a regular expression",
            ),
            ("[[test]]\nname = \"a\"\nrequest = { uri = \"/\" }\nexpect = { colour = 1 }", "unknown key `colour`"),
            (
                "[[test]]\nname = \"a\"\nsteps = [ { advance = \"soon\" } ]",
                "t.toml:3: test[0].steps[0].advance: expected a duration",
            ),
            ("[[test]]\nname = \"a\"\nsteps = [ { purge = {} } ]", "expected tag, url, prefix, host, or all = true"),
            ("[[test]]\nname = \"a\"\nclock = \"noon\"\nrequest = { uri = \"/\" }\nexpect = {}", "a time such as"),
            (
                "[[test]]\nname = \"a\"\norigin.x = { fail = \"later\" }\nrequest = { uri = \"/\" }\nexpect = {}",
                "expected one of connect, timeout, reset",
            ),
            ("[[test]\nname", "t.toml:1: "),
        ] {
            let found = problems(text);
            assert!(found.iter().any(|problem| problem.contains(expected)), "{text}\n{found:#?}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(seconds_of("2026-01-01T00:00:00Z"), Some(1_767_225_600));
        assert_eq!(seconds_of("2000-02-29 12:00:01"), Some(951_825_601));
        assert_eq!(seconds_of("2026-13-01T00:00:00Z"), None);
    }
}
