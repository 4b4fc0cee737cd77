//! Why the cache answered as it did, in words: the rule that decided, and the stored answer that came nearest.

use crate::{
    cache::Near,
    record::{KeyPart, RequestRecord},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line of a reason: a label and a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reason {
    /// reason, key, near or hint.
    pub label: String,
    /// The text.
    pub text: String,
}

pub(super) fn reason(label: &str, text: impl Into<String>) -> Reason {
    Reason { label: label.to_owned(), text: text.into() }
}

/// Why the cache's part in an answer was what it was. `near`: the nearest stored answer besides the request's own.
pub(crate) fn why(told: &RequestRecord, near: Option<&Near>) -> Vec<Reason> {
    let mut lines = Vec::new();
    let cache = told.cache.as_ref();
    match told.outcome.as_str() {
        "miss" => match near {
            None => lines.push(reason("reason", "nothing else is stored for this path")),
            Some(near) => nearest(told, near, &mut lines),
        },
        "uncacheable" => {
            let why = told.store.as_ref().and_then(|store| store.reason.as_deref());
            let detail = cache.and_then(|cache| cache.detail.as_deref());
            lines.push(reason("reason", format!("the answer was not stored: {}", why.or(detail).unwrap_or("unknown"))));
        }
        "bypass" => {
            let why = cache.and_then(|cache| cache.detail.as_deref().or(cache.reason.as_deref()));
            lines.push(reason("reason", format!("the cache was not asked: {}", why.unwrap_or("unknown"))));
        }
        "expired" | "revalidated" => lines.push(reason("reason", "the stored answer was no longer fresh")),
        "stale" => {
            let why = cache.and_then(|cache| cache.detail.as_deref()).unwrap_or("allowed by policy");
            lines.push(reason("reason", format!("a stale answer was used: {why}")));
        }
        "hit" => {
            let (age, ttl) = cache.map(|cache| (cache.age, cache.ttl.unwrap_or_default())).unwrap_or_default();
            lines.push(reason("reason", format!("a fresh answer was stored: age {age} s, {ttl} s left")));
        }
        _ => {
            if let Some(failure) = &told.failure {
                lines.push(reason("reason", failure.clone()));
            }
        }
    }
    lines
}

fn nearest(told: &RequestRecord, near: &Near, lines: &mut Vec<Reason>) {
    let url = ["origin", "scheme", "host", "path"];
    let differs = |name: &str| near.differs.iter().any(|difference| difference.part == name);
    let own = told.key.as_deref().unwrap_or_default();
    let is_shown = |name: &str| name == "path" || !url.contains(&name) || differs(name);
    let line = |mut parts: Vec<(&str, &str)>| {
        parts.retain(|(name, _)| is_shown(name));
        // What was asked for comes first.
        parts.sort_by_key(|(name, _)| *name != "path");
        parts.into_iter().map(|(name, value)| shown(name, value)).collect::<Vec<_>>().join(" | ")
    };
    let ours = own.iter().filter(|part| part.keyed).map(|part| (part.part.as_str(), part.value.as_str()));
    let theirs = near.parts.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let vary: Vec<&str> = near.differs.iter().filter_map(|difference| difference.part.strip_prefix("vary ")).collect();
    if vary.is_empty() {
        let names: Vec<&str> = near.differs.iter().map(|difference| difference.part.as_str()).collect();
        lines.push(reason("reason", format!("key differs from the stored entry in {}", names.join(", "))));
    } else {
        lines.push(reason("reason", format!("the stored answer varies by {}", vary.join(", "))));
    }
    lines.push(reason("key", line(ours.collect())));
    lines.push(reason("near", format!("{}   (stored {} s ago)", line(theirs.collect()), near.stored.as_secs())));
    for difference in near.differs.iter().filter(|difference| difference.part.starts_with("vary ")) {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
        let text =
            format!("{}: {} here, {} there", difference.part, value(&difference.ours), value(&difference.theirs));
        lines.push(reason("near", text));
    }
    lines.extend(hint(own, near));
}

/// What to do about it, where one part makes the difference.
fn hint(own: &[KeyPart], near: &Near) -> Option<Reason> {
    let [only] = near.differs.as_slice() else { return None };
    let (kind, name) = only.part.split_once(' ')?;
    let rule = own.iter().find(|part| part.part == only.part).and_then(|part| part.rule.clone());
    let text = match kind {
        "query" | "header" | "cookie" => {
            let rule = rule.unwrap_or_else(|| "the cache policy".to_owned());
            format!("if `{name}` does not change the answer, leave it out of {rule}")
        }
        "experiment" => format!(
            "{name} was {} for this request and {} for the stored one",
            only.ours.as_deref().unwrap_or("(none)"),
            only.theirs.as_deref().unwrap_or("(none)")
        ),
        _ => return None,
    };
    Some(reason("hint", text))
}

/// `/path`, `page=2`, `accept-language=en`, `experiment.checkout=new`.
fn shown(name: &str, value: &str) -> String {
    match name.split_once(' ') {
        None if name == "path" => value.to_owned(),
        Some(("experiment", name)) => format!("experiment.{name}={value}"),
        Some((_, name)) => format!("{name}={value}"),
        None => format!("{name}={value}"),
    }
}

/// The nearest stored answer in one line: in what it differs, and what it would be.
pub(crate) fn why_near(differs: &[(String, Option<String>, Option<String>)], age: u64, ttl: i64) -> String {
    let shown = |(part, _, theirs): &(String, Option<String>, Option<String>)| {
        format!(
            "{}={}",
            part.split_once(' ').map_or(part.as_str(), |(_, name)| name),
            theirs.as_deref().unwrap_or("(none)")
        )
    };
    let differs: Vec<String> = differs.iter().map(shown).collect();
    let would = if ttl > 0 { "would be a hit" } else { "no longer fresh" };
    crate::record::shown(&format!("nearest: same but {}   {would}, age {age} s, ttl {ttl} s", differs.join(", ")))
}
