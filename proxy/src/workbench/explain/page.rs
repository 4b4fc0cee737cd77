//! An explanation as people read it. Deliberately absent: deciding anything.

use super::{super::near::why_near, Difference, Explanation};
use crate::record::{HookPart, KeyPart, RequestRecord};
use std::time::Duration;

/// Lines of the configuration by the place in it that decided: `cache_policy.pages.query`, `behavior 2`.
pub(crate) type Lines<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The explanation for people (experience.md 7.2).
pub(crate) fn human(told: &Explanation, lines: Lines<'_>, color: bool) -> String {
    let mut page = Page { text: String::new(), number: 0, color };
    let steps = &told.steps;
    let at = |rule: &str| lines(rule).map(|place| format!("  ({place})")).unwrap_or_default();
    match &steps.behavior {
        None => page.step("behavior", "none"),
        Some(behavior) => {
            let rule = behavior.index.map(|index| format!("behavior {index}")).unwrap_or_default();
            page.step("behavior", &format!("{:?}{}", behavior.path, at(&rule)));
        }
    }
    match &steps.admission {
        None if steps.behavior.is_some() && told.failure.is_none() => page.step("authorizer", "none"),
        None => {}
        Some(part) if part.passed => page.step("authorizer", &format!("passed: {}", part.by.join(", "))),
        Some(part) => page.step("authorizer", &format!("refused: {}", part.reason.as_deref().unwrap_or_default())),
    }
    for part in &steps.experiments {
        let keyed = if part.keyed { ", in the cache key" } else { "" };
        page.step("experiment", &format!("{}={} ({}{keyed})", part.name, part.variant, part.how));
    }
    steps.hooks.iter().for_each(|hook| page.hook(hook));
    for name in &told.not_run {
        page.step("viewer-request", &format!("{name} was not run: a Lambda function may have effects"));
        page.line("what follows assumes that it changes nothing");
    }
    if let Some(key) = &steps.key {
        page.key(key, lines);
    }
    page.outcome(told);
    let from = match told.cache_from.as_str() {
        "live" => "told by the running node.",
        "node" => "the cache is that of the running node, the rest the configuration on disk.",
        _ => "no running node, cache assumed empty.",
    };
    match &told.sent {
        None => page.text.push_str(&format!(" no request was sent; {from}")),
        Some(sent) => page.sent(sent, &told.differs, from),
    }
    page.text
}

struct Page {
    text: String,
    number: usize,
    color: bool,
}

impl Page {
    fn step(&mut self, name: &str, value: &str) {
        self.number += 1;
        self.text.push_str(&format!("{:>2} {name:<15} {}\n", self.number, crate::record::shown(value)));
    }

    fn sent(&mut self, sent: &RequestRecord, differs: &[Difference], from: &str) {
        let (status, outcome, took) = (sent.status, &sent.outcome, Duration::from_micros(sent.took_us));
        self.text.push_str(&format!(" sent: {status} {outcome} in {:.1} ms  {}\n", took.as_secs_f64() * 1e3, sent.id));
        for found in differs {
            let text =
                format!("told {}, came {}", crate::record::shown(&found.told), crate::record::shown(&found.came));
            let colored = super::super::report::styled(self.color, "31", &text);
            self.text.push_str(&format!("   {:<16} {colored}\n", crate::record::shown(&found.what)));
        }
        let verdict = if differs.is_empty() { "it went as told" } else { "it went otherwise" };
        self.text.push_str(&format!(" {verdict}; {from}"));
    }

    fn line(&mut self, value: &str) {
        self.text.push_str(&format!("{:19}{value}\n", ""));
    }

    fn hook(&mut self, hook: &HookPart) {
        let share = hook.utilization.map(|percent| format!("   {percent} % of budget")).unwrap_or_default();
        self.step(&hook.hook, &format!("{}{share}", hook.function));
        if let (Some(event), Some(result)) = (&hook.event, &hook.result) {
            for change in super::super::diff::changes(&super::super::diff::subject(event, result), result) {
                self.line(&change.colored(self.color));
            }
        }
        for log in &hook.console {
            self.line(&format!("| {}", crate::record::shown(log)));
        }
        if let Some(failure) = &hook.failure {
            self.line(&super::super::report::styled(self.color, "31", &crate::record::shown(failure)));
        }
    }

    fn key(&mut self, key: &[KeyPart], lines: Lines<'_>) {
        let value = |name: &str| key.iter().find(|part| part.part == name).map_or("", |part| part.value.as_str());
        self.step("cache key", &format!("{}://{}{}", value("scheme"), value("host"), value("path")));
        for part in key.iter().filter(|part| !["scheme", "host", "path", "origin"].contains(&part.part.as_str())) {
            let shown = if part.keyed { part.value.as_str() } else { "(none)" };
            let place = part.rule.as_deref().and_then(lines).map(|place| format!(" ({place})")).unwrap_or_default();
            let (name, shown) = (crate::record::shown(&part.part), crate::record::shown(shown));
            self.line(&format!("{name:<24} {shown:<12} {}{place}", crate::record::shown(&part.reason)));
        }
    }

    fn outcome(&mut self, told: &Explanation) {
        if let Some(failure) = &told.failure {
            let status = told.status.map(|status| status.to_string()).unwrap_or_default();
            self.step("answer", &format!("{status} {}: {failure}", told.outcome));
            if let Some(page) = &told.steps.error_page {
                self.line(&format!("with {} as the page", crate::record::shown(page)));
            }
            return;
        }
        if told.outcome == "generated" {
            let status = told.status.map(|status| status.to_string()).unwrap_or_default();
            self.step("answer", &format!("{status}, made before the cache is asked"));
            return;
        }
        let stored =
            told.stored.map(|stored| format!("   age {} s, ttl {} s", stored.age, stored.ttl)).unwrap_or_default();
        let reason = match (told.reason.as_deref(), told.outcome.as_str()) {
            (Some("uri-miss"), _) => "   nothing stored under this key".to_owned(),
            (Some("vary-miss"), _) => "   what is stored was negotiated for others (Vary)".to_owned(),
            (Some("range"), "miss") => {
                "   a range of what is not stored whole: asked for in slices, or with the whole".to_owned()
            }
            (Some("stale"), _) => format!("   what is stored is no longer fresh{stored}"),
            (Some(reason), _) => format!("   {reason}"),
            (None, _) => stored,
        };
        self.step("cache", &format!("{}{reason}", told.outcome));
        if let Some(near) = &told.nearest {
            self.line(&why_near(&near.differs, near.age, near.ttl));
        }
        if let Some(origin) = &told.origin {
            let before = origin.before.as_ref().map(|name| format!("origin-request {name}, then ")).unwrap_or_default();
            let after = origin.after.as_ref().map(|name| format!(", then origin-response {name}")).unwrap_or_default();
            self.step(
                "origin",
                &format!("{before}would call {}  {} {}{after}", origin.name, origin.method, origin.url),
            );
        }
        if let Some(lifetime) = &told.lifetime {
            let text = format!(
                "ttl from the origin's Cache-Control, clamped to {} s … {} s, default {} s",
                lifetime.min, lifetime.max, lifetime.default
            );
            self.step("if stored", &text);
        }
    }
}
