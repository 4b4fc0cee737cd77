//! What a claim must be: a literal, a comparison of numbers, or `{ in | matches | contains | absent }` (experience.md 6.1).

use indexmap::IndexMap;
use regex::RegexBuilder;
use serde_json::Value as Json;

use crate::diagnostic::{Code, Problem};
use crate::keys::Table;
use crate::section::{Section, Value};

/// What a claim must be. A list is what one of its members is, save for [`ClaimMatcher::Absent`].
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimMatcher {
    /// This text, number or boolean.
    Equals(Json),
    /// A number that compares so with this one.
    Compares(Comparison, f64),
    /// One of these.
    In(Vec<Json>),
    /// A text in which this regular expression is found. It compiles in 256 KiB.
    Matches(String),
    /// A text with this part, or a list with this text as a member.
    Contains(String),
    /// The claim must not be there.
    Absent,
}

/// A comparison of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// Most memory of a compiled regular expression, bytes.
pub(crate) const PATTERN_SIZE: usize = 256 << 10;

pub(crate) fn read(section: &Section<'_>) -> IndexMap<String, ClaimMatcher> {
    let map = section.value("require").and_then(|value| value.map("a table of claims and what they must be"));
    let rules = map.unwrap_or_default().into_iter();
    rules.filter_map(|(claim, value)| Some((claim, matcher(&value)?))).collect()
}

fn matcher(value: &Value<'_>) -> Option<ClaimMatcher> {
    if value.is_table() {
        return table(value);
    }
    let Some(literal) = value.scalar() else {
        if !value.is_text() {
            let label = "not text, a number, true or false";
            value.report(Code::WrongType, format!("`{}` must be a value or a matcher", value.name), label);
        }
        return None;
    };
    let comparison = literal.as_str().and_then(|text| {
        let operators =
            [("<=", Comparison::AtMost), (">=", Comparison::AtLeast), ("<", Comparison::Less), (">", Comparison::More)];
        operators.iter().find_map(|(sign, comparison)| Some((*comparison, text.strip_prefix(sign)?.trim().to_owned())))
    });
    let Some((comparison, number)) = comparison else { return Some(ClaimMatcher::Equals(literal)) };
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() => Some(ClaimMatcher::Compares(comparison, number)),
        _ => {
            let message = format!("`{}` compares with a number, such as \">= 3\"", value.name);
            value.report(Code::BadValue, message, "not a number");
            None
        }
    }
}

fn table(value: &Value<'_>) -> Option<ClaimMatcher> {
    let section = value.section(Table::Matcher)?;
    let (list, pattern) = (section.value("in"), section.value("matches"));
    let (part, absent) = (section.value("contains"), section.value("absent"));
    let written = [&list, &pattern, &part, &absent].iter().filter(|key| key.is_some()).count();
    if written != 1 {
        let message = format!("`{}` takes one of `in`, `matches`, `contains` and `absent`", value.name);
        value.cx.report(
            Problem::new(Code::Conflict, value.key_span.clone(), message).label(format!("{written} are written")),
        );
        return None;
    }
    if let Some(list) = list {
        let items = list.list("a list of values")?;
        if items.is_empty() {
            list.report(Code::BadValue, format!("`{}` must name a value", list.name), "an empty list accepts nothing");
        }
        return Some(ClaimMatcher::In(items.iter().filter_map(Value::scalar).collect()));
    }
    if let Some(pattern) = pattern {
        return pattern.text()?.parsed(value.cx, regular_expression).map(ClaimMatcher::Matches);
    }
    if let Some(part) = part {
        return Some(ClaimMatcher::Contains(part.text()?.value));
    }
    match absent?.boolean()? {
        true => Some(ClaimMatcher::Absent),
        false => {
            let message = format!("`{}.absent` is true or not written", value.name);
            value.report(Code::BadValue, message, "a claim that must be there has a matcher of its own");
            None
        }
    }
}

fn regular_expression(text: &str) -> Result<String, String> {
    match RegexBuilder::new(text).size_limit(PATTERN_SIZE).build() {
        Ok(_) => Ok(text.to_owned()),
        Err(regex::Error::CompiledTooBig(_)) => Err("too large a pattern".to_owned()),
        Err(_) => Err("not a regular expression".to_owned()),
    }
}
