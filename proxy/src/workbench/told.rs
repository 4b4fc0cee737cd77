//! Records of requests for people: the page of `edgehook trace`, the lines of `edgehook tail`, and which records a filter takes.

use super::{
    diff,
    explain::Lines,
    report::{milliseconds, styled},
};
use crate::record::{HookPart, RequestRecord, shown};
use std::fmt::Write as _;

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// A status, or a class such as `5xx`.
    pub(crate) status: Option<String>,
    /// A path pattern in which `*` stands for anything.
    pub(crate) path: Option<String>,
    /// An outcome word.
    pub(crate) cache: Option<String>,
    /// A function that ran.
    pub(crate) function: Option<String>,
}

impl Filter {
    /// Whether the record is one of them.
    pub(crate) fn takes(&self, record: &RequestRecord) -> bool {
        let status = record.status.to_string();
        let of_status = |wanted: &String| match wanted.strip_suffix("xx") {
            Some(class) => status.starts_with(class),
            None => *wanted == status,
        };
        let path = record.target.split('?').next().unwrap_or_default();
        self.status.as_ref().is_none_or(of_status)
            && self.path.as_ref().is_none_or(|pattern| matches(pattern, path))
            && self.cache.as_ref().is_none_or(|word| *word == record.outcome)
            && self.function.as_ref().is_none_or(|name| record.hooks.iter().any(|hook| hook.function == *name))
    }
}

/// `*` stands for anything, everything else for itself.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = text.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    text.ends_with(last)
}

/// One line for a request, with what its functions said below.
pub(crate) fn line(record: &RequestRecord, color: bool) -> String {
    let time = record.time.get(11..19).unwrap_or_default();
    let status = styled(color, status_color(record.status), &record.status.to_string());
    let mut line =
        format!("{time} {:<4} {:<18} {status}  {:<11}", record.method, shown(&record.target), record.outcome);
    let mut part = |text: String| {
        let _ = write!(line, "  {text}"); // writing into a String cannot fail
    };
    if let Some(cache) = record.cache.as_ref().filter(|cache| matches!(cache.outcome.as_str(), "hit" | "stale")) {
        part(format!("age {}", cache.age));
    }
    for experiment in &record.experiments {
        part(format!("{}={}", experiment.name, experiment.variant));
    }
    record.hooks.iter().for_each(|hook| part(hook_words(hook)));
    for origin in &record.origins {
        part(format!("{} {}", shown(&origin.origin), milliseconds(origin.took_us)));
    }
    if let Some(location) = &record.location {
        part(format!("→ {}", shown(location)));
    }
    part(format!("{} in all", milliseconds(record.took_us)));
    part(record.id.get(..12).unwrap_or(&record.id).to_owned());
    for hook in &record.hooks {
        for log in &hook.console {
            let _ = write!(line, "\n         {} | {}", hook.function, shown(log));
        }
        if let Some(failure) = hook.failure.as_ref().filter(|_| record.failure.is_none()) {
            let text = format!("{} at {}, bypassed: {}", hook.function, hook.hook, shown(failure));
            let _ = write!(line, "\n         {}", styled(color, "33", &text));
        }
    }
    if let Some(failure) = &record.failure {
        let _ = write!(line, "\n         {}", styled(color, "31", &shown(failure)));
    }
    line
}

fn hook_words(hook: &HookPart) -> String {
    match (&hook.failure, hook.cpu_us, hook.utilization) {
        (Some(_), ..) => format!("{} failed", hook.function),
        (None, Some(cpu), Some(percent)) => format!("{} {} {percent}%", hook.function, milliseconds(cpu)),
        _ => format!("{} {}", hook.function, milliseconds(hook.took_us)),
    }
}

fn status_color(status: u16) -> &'static str {
    match status {
        ..300 => "32",
        300..400 => "36",
        400..500 => "33",
        _ => "31",
    }
}

/// The whole record, step by step.
pub(crate) fn page(record: &RequestRecord, lines: Lines<'_>, color: bool) -> String {
    let mut page = Page { text: String::new(), number: 0, lines, color };
    let _ = write!(
        page.text,
        " {} {}://{}{}   {}   from {}\n {}\n",
        record.method,
        record.scheme,
        shown(&record.host),
        shown(&record.target),
        record.time,
        record.viewer,
        record.id
    );
    page.before_the_cache(record);
    page.cache(record);
    page.behind_the_cache(record);
    page.answer(record);
    page.text.truncate(page.text.trim_end().len());
    page.text
}

/// A page as it is written.
struct Page<'l> {
    text: String,
    /// Steps so far.
    number: usize,
    lines: Lines<'l>,
    color: bool,
}

impl Page<'_> {
    fn step(&mut self, name: &str, value: &str) {
        self.number += 1;
        let _ = writeln!(self.text, "{:>2} {name:<15} {}", self.number, shown(value));
    }

    fn below(&mut self, value: &str) {
        let _ = writeln!(self.text, "{:19}{value}", "");
    }

    /// Where a rule is written, behind what it did.
    fn at(&self, rule: &str) -> String {
        (self.lines)(rule).map(|place| format!("  ({place})")).unwrap_or_default()
    }

    fn hook(&mut self, hook: &HookPart) {
        self.step(&hook.hook, &hook_words(hook));
        details(hook, self.color, &mut self.text);
    }

    fn before_the_cache(&mut self, record: &RequestRecord) {
        if let Some(behavior) = &record.behavior {
            let rule = behavior.index.map(|index| format!("behavior {index}")).unwrap_or_default();
            self.step("behavior", &format!("{:?}{}", behavior.path, self.at(&rule)));
        }
        if let Some(admission) = &record.admission {
            let verdict = match &admission.reason {
                None => format!("passed: {}", admission.by.join(", ")),
                Some(reason) => format!("refused: {reason}"),
            };
            self.step("authorizer", &verdict);
        }
        for part in &record.experiments {
            self.step("experiment", &format!("{}={} ({})", part.name, part.variant, part.how));
        }
        record.hooks.iter().filter(|hook| is_first(hook)).for_each(|hook| self.hook(hook));
    }

    fn cache(&mut self, record: &RequestRecord) {
        if let Some(key) = &record.key {
            let parts: Vec<String> =
                key.iter().filter(|part| part.keyed).map(|part| format!("{}={}", part.part, part.value)).collect();
            self.step("cache key", &parts.join(" | "));
            for part in key.iter().filter(|part| !part.keyed) {
                let place = part.rule.as_deref().map(|rule| self.at(rule)).unwrap_or_default();
                self.below(&shown(&format!("{} not in the key: {}{place}", part.part, part.reason)));
            }
        }
        if let Some(cache) = &record.cache {
            let reason = [&cache.reason, &cache.detail].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
            let ttl = cache.ttl.map(|ttl| format!("   age {} s, ttl {ttl} s", cache.age)).unwrap_or_default();
            self.step("cache", &format!("{}   {reason}{ttl}", record.outcome));
        }
    }

    fn behind_the_cache(&mut self, record: &RequestRecord) {
        record.hooks.iter().filter(|hook| !is_first(hook)).for_each(|hook| self.hook(hook));
        for origin in &record.origins {
            let asked = origin.request.as_ref().and_then(|request| request.target.clone()).unwrap_or_default();
            let came = match (&origin.status, &origin.error) {
                (Some(status), _) => status.to_string(),
                (None, error) => error.clone().unwrap_or_default(),
            };
            let took = milliseconds(origin.took_us);
            self.step("origin", &format!("{} {asked}   {came} in {took}", origin.origin));
        }
        if let Some(store) = &record.store {
            let word = match (&store.ttl, &store.reason) {
                (Some(ttl), _) => format!("stored for {ttl} s"),
                (None, reason) => format!("not stored: {}", reason.as_deref().unwrap_or("unknown")),
            };
            self.step("store", &word);
        }
    }

    fn answer(&mut self, record: &RequestRecord) {
        let took = milliseconds(record.took_us);
        self.step("answer", &format!("{}  {} in {took}", record.status, record.outcome));
        if let Some(failure) = &record.failure {
            self.below(&styled(self.color, "31", &shown(failure)));
        }
        if let Some(page) = &record.error_page {
            self.below(&format!("with {} as the page", shown(page)));
        }
        if !record.complete {
            let hint = " not sampled: only what is kept of any failure. [trace] sample = 1 records everything.\n";
            self.text.push_str(hint);
        }
    }
}

fn is_first(hook: &HookPart) -> bool {
    hook.hook == "viewer-request"
}

fn details(hook: &HookPart, color: bool, text: &mut String) {
    let mut below = |value: &str| {
        let _ = writeln!(text, "{:19}{value}", "");
    };
    if let (Some(event), Some(result)) = (&hook.event, &hook.result) {
        for change in diff::changes(&diff::subject(event, result), result) {
            below(&change.colored(color));
        }
    }
    hook.console.iter().for_each(|log| below(&format!("| {}", shown(log))));
    if let Some(failure) = &hook.failure {
        below(&styled(color, "31", &shown(failure)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters() {
        let record = RequestRecord {
            status: 503,
            target: "/api/x?y=1".to_owned(),
            outcome: "error".to_owned(),
            hooks: vec![HookPart { function: "rewrite".to_owned(), ..HookPart::default() }],
            ..RequestRecord::default()
        };
        let some = |text: &str| Some(text.to_owned());
        for (filter, taken) in [
            (Filter::default(), true),
            (Filter { status: some("5xx"), ..Filter::default() }, true),
            (Filter { status: some("503"), ..Filter::default() }, true),
            (Filter { status: some("4xx"), ..Filter::default() }, false),
            (Filter { path: some("/api/*"), ..Filter::default() }, true),
            (Filter { path: some("*x"), ..Filter::default() }, true),
            (Filter { path: some("/api"), ..Filter::default() }, false),
            (Filter { cache: some("miss"), ..Filter::default() }, false),
            (Filter { function: some("rewrite"), ..Filter::default() }, true),
            (Filter { function: some("other"), ..Filter::default() }, false),
        ] {
            assert_eq!(filter.takes(&record), taken, "{filter:?}");
        }
    }
}
