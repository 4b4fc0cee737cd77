//! `[origin_group.NAME]`: two origins, of which the second is asked when the first fails. May stand wherever an origin is named.

use std::time::Duration;

use crate::diagnostic::{Code, Problem};
use crate::section::{Section, Value};

/// A group of origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginGroup {
    /// Its name in the file; no origin has it.
    pub name: String,
    /// Name of the origin that is asked first.
    pub primary: String,
    /// Name of the origin that is asked when the first fails.
    pub secondary: String,
    /// Statuses of the first that count as a failure, besides not answering.
    pub failover: Vec<u16>,
    /// How long the first is left alone after a failure.
    pub skip_primary_for: Duration,
}

/// Statuses that may be failures (http-cache.md 6.5), and those that are without being written.
const STATUSES: [u16; 8] = [400, 403, 404, 416, 500, 502, 503, 504];
const DEFAULT: [u16; 4] = [500, 502, 503, 504];

pub(crate) fn read(name: &str, section: &Section<'_>, origins: &[&str]) -> Option<OriginGroup> {
    if origins.contains(&name) {
        let message = format!("`{name}` is the name of an origin too");
        let problem = Problem::new(Code::Conflict, section.span.clone(), message);
        section.cx.report(problem.label(format!("[origin.{name}] has it already")).help("choose another name"));
        return None;
    }
    let failover = section.value("failover").and_then(|value| statuses(&value));
    let skip_primary_for = section.duration("skip_primary_for", Duration::ZERO..=Duration::from_hours(24));
    let members = members(section, origins)?;
    let [primary, secondary] = <[String; 2]>::try_from(members).ok()?;
    Some(OriginGroup {
        name: name.to_owned(),
        primary,
        secondary,
        failover: failover.unwrap_or(DEFAULT.to_vec()),
        skip_primary_for: skip_primary_for.unwrap_or_default(),
    })
}

fn members(section: &Section<'_>, origins: &[&str]) -> Option<Vec<String>> {
    let written = section.required("origins", "origins = [\"PRIMARY\", \"SECONDARY\"]")?;
    let items = written.list("a list of two origins")?;
    if items.len() != 2 {
        written.report(Code::BadValue, "`origins` must name two origins", "the first is asked first");
        return None;
    }
    let names: Vec<_> = items.iter().filter_map(Value::text).collect();
    let known = names.iter().filter(|text| section.cx.refers(text, "origin", "origin group", origins)).count();
    if names.len() == 2 && names[0].value == names[1].value {
        written.report(Code::Conflict, "`origins` names one origin twice", "would fail together");
        return None;
    }
    (known == 2).then(|| names.into_iter().map(|text| text.value).collect())
}

fn statuses(value: &Value<'_>) -> Option<Vec<u16>> {
    let items = value.list("a list of statuses")?;
    let mut statuses = Vec::new();
    for item in &items {
        let status = item.count(0..=999).and_then(|status| u16::try_from(status).ok())?;
        if !STATUSES.contains(&status) {
            let list = STATUSES.map(|status| status.to_string()).join(", ");
            item.report(
                Code::BadValue,
                format!("`{status}` cannot lead to the second origin"),
                format!("one of {list}"),
            );
        }
        if !statuses.contains(&status) {
            statuses.push(status);
        }
    }
    Some(statuses)
}
