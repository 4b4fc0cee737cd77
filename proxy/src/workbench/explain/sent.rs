//! What was told of a request, beside what happened when it was sent.
//!
//! Only what was told for certain counts: a variant that is drawn may come out otherwise, what an origin-request function changes is
//! not known before, and whether an answer may be stored is the origin's word.

use super::Explanation;
use crate::record::{HookPart, RequestRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that came otherwise than it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Difference {
    /// What: behavior, authorizer, the name of an experiment, a hook, a part of the cache key, outcome, status or origin.
    pub(crate) what: String,
    /// What was told.
    pub(crate) told: String,
    /// What came.
    pub(crate) came: String,
}

/// Where `came` differs from what was told, in the order of the steps.
pub(crate) fn differences(told: &Explanation, came: &RequestRecord) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what: &str, told: String, came: String| {
        if told != came {
            found.push(Difference { what: what.to_owned(), told, came });
        }
    };
    let steps = &told.steps;
    compare("behavior", behavior(steps), behavior(came));
    compare("authorizer", admission(steps), admission(came));
    for part in steps.experiments.iter().filter(|part| part.how != "drawn") {
        let drawn = came.experiments.iter().find(|other| other.name == part.name);
        compare(&part.name, part.variant.clone(), drawn.map_or("not in scope", |it| &it.variant).to_owned());
    }
    if told.not_run.is_empty() {
        let (ours, theirs) = (viewer_request(steps), viewer_request(came));
        compare("viewer-request", run(ours), run(theirs));
        let result = |hook: Option<&HookPart>| {
            hook.and_then(|hook| hook.result.as_ref()).map_or(String::new(), Value::to_string)
        };
        compare("its result", result(ours), result(theirs));
        for (what, value) in key(steps) {
            let other = key(came).find(|(name, _)| *name == what).map_or("nothing", |(_, value)| value);
            compare(what, value.to_owned(), other.to_owned());
        }
        for (what, value) in key(came).filter(|(what, _)| !key(steps).any(|(known, _)| known == *what)) {
            compare(what, "nothing".to_owned(), value.to_owned());
        }
    }
    if !foreseen(told).contains(&came.outcome.as_str()) {
        compare("outcome", told.outcome.clone(), came.outcome.clone());
    }
    if let Some(status) = told.status {
        compare("status", status.to_string(), came.status.to_string());
    }
    if let (Some(origin), Some(asked)) =
        (told.origin.as_ref().filter(|origin| origin.before.is_none()), came.origins.first())
    {
        compare("origin", origin.name.clone(), asked.origin.clone());
    }
    found
}

/// The outcomes that one that was told may come to: what the origin says decides between them.
fn foreseen(told: &Explanation) -> Vec<&str> {
    match told.outcome.as_str() {
        // Slices of it may be stored.
        "miss" if told.reason.as_deref() == Some("range") => {
            vec!["miss", "hit", "expired", "revalidated", "uncacheable"]
        }
        "miss" => vec!["miss", "uncacheable"],
        "expired" => vec!["expired", "revalidated", "uncacheable"],
        other => vec![other],
    }
}

fn behavior(record: &RequestRecord) -> String {
    record.behavior.as_ref().map_or("none".to_owned(), |behavior| behavior.path.clone())
}

fn admission(record: &RequestRecord) -> String {
    match &record.admission {
        None => "none".to_owned(),
        Some(part) if part.passed => format!("passed: {}", part.by.join(", ")),
        Some(part) => format!("refused: {}", part.reason.as_deref().unwrap_or_default()),
    }
}

fn viewer_request(record: &RequestRecord) -> Option<&HookPart> {
    record.hooks.iter().find(|hook| hook.hook == "viewer-request")
}

fn run(hook: Option<&HookPart>) -> String {
    match hook {
        None => "none".to_owned(),
        Some(hook) => match &hook.failure {
            None => hook.function.clone(),
            Some(failure) => format!("{}: {failure}", hook.function),
        },
    }
}

/// Parts of the key and their values, as far as they are in it.
fn key(record: &RequestRecord) -> impl Iterator<Item = (&str, &str)> {
    let parts = record.key.iter().flatten().filter(|part| part.keyed);
    parts.map(|part| (part.part.as_str(), part.value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BehaviorPart, ExperimentPart, KeyPart, OriginPart};

    fn record(outcome: &str) -> RequestRecord {
        let part = |name: &str, value: &str| KeyPart {
            part: name.to_owned(),
            value: value.to_owned(),
            keyed: true,
            ..KeyPart::default()
        };
        RequestRecord {
            behavior: Some(BehaviorPart { path: "*".to_owned(), ..BehaviorPart::default() }),
            experiments: vec![ExperimentPart {
                name: "ab".to_owned(),
                variant: "new".to_owned(),
                how: "kept".to_owned(),
                keyed: true,
            }],
            key: Some(vec![part("path", "/a"), part("query x", "1")]),
            origins: vec![OriginPart { origin: "site".to_owned(), ..OriginPart::default() }],
            outcome: outcome.to_owned(),
            status: 200,
            ..RequestRecord::default()
        }
    }

    fn told(outcome: &str) -> Explanation {
        let origin = super::super::OriginPart { name: "site".to_owned(), ..super::super::OriginPart::default() };
        Explanation { outcome: outcome.to_owned(), steps: record(""), origin: Some(origin), ..Explanation::default() }
    }

    fn what(told: &Explanation, came: &RequestRecord) -> Vec<String> {
        differences(told, came)
            .into_iter()
            .map(|found| format!("{}: {} {}", found.what, found.told, found.came))
            .collect()
    }

    #[test]
    fn what_the_origin_decides_is_no_difference() {
        for (outcome, came) in [("miss", "uncacheable"), ("expired", "revalidated"), ("hit", "hit"), ("miss", "miss")] {
            assert_eq!(what(&told(outcome), &record(came)), [] as [&str; 0]);
        }
        for (outcome, came) in [("miss", "hit"), ("hit", "miss"), ("expired", "stale"), ("bypass", "uncacheable")] {
            assert_eq!(what(&told(outcome), &record(came)), [format!("outcome: {outcome} {came}")]);
        }
        let mut drawn = told("miss");
        drawn.steps.experiments[0].how = "drawn".to_owned();
        drawn.steps.experiments[0].variant = "control".to_owned();
        assert_eq!(what(&drawn, &record("miss")), [] as [&str; 0]);
    }

    #[test]
    fn everything_that_was_told_for_certain_is_compared() {
        let mut came = record("miss");
        came.behavior = None;
        came.experiments.clear();
        came.key.as_mut().unwrap()[1].value = "2".to_owned();
        came.key.as_mut().unwrap().push(KeyPart {
            part: "encoding".to_owned(),
            value: "br".to_owned(),
            keyed: true,
            ..KeyPart::default()
        });
        came.origins[0].origin = "app".to_owned();
        came.hooks.push(HookPart {
            hook: "viewer-request".to_owned(),
            function: "f".to_owned(),
            failure: Some("no".to_owned()),
            ..HookPart::default()
        });
        let told = Explanation { status: Some(404), ..told("miss") };
        let expected = [
            "behavior: * none",
            "ab: new not in scope",
            "viewer-request: none f: no",
            "query x: 1 2",
            "encoding: nothing br",
            "status: 404 200",
            "origin: site app",
        ];
        assert_eq!(what(&told, &came), expected);
    }
}
