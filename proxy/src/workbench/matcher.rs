//! What a value is held against: a literal, a comparison, `{ in = .. }`, `{ matches = .. }`, `{ contains = .. }`,
//! `{ absent = true }`. Pure.

use regex::Regex;
use serde_json::Value;

/// What is expected of one value.
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    /// This value.
    Is(Value),
    /// A number that compares so.
    Compares(Comparison, f64),
    /// One of these.
    In(Vec<Value>),
    /// Text of this form.
    Matches(Regex),
    /// Text, or a list, that contains this.
    Contains(Value),
    /// Nothing.
    Absent,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// `< 4000` and its like.
pub(crate) fn comparison(text: &str) -> Option<(Comparison, f64)> {
    let text = text.trim();
    let known =
        [("<=", Comparison::AtMost), (">=", Comparison::AtLeast), ("<", Comparison::Less), (">", Comparison::More)];
    let (sign, comparison) = known.into_iter().find(|(sign, _)| text.starts_with(sign))?;
    text.strip_prefix(sign)?.trim().trim_end_matches('%').trim().parse().ok().map(|number| (comparison, number))
}

impl Matcher {
    /// Whether this is what was expected; `None`: there is nothing.
    #[must_use]
    pub(crate) fn holds(&self, actual: Option<&Value>) -> bool {
        let Some(actual) = actual else { return matches!(self, Self::Absent) };
        match self {
            Self::Is(expected) => same(expected, actual),
            Self::Compares(comparison, bound) => number(actual).is_some_and(|number| match comparison {
                Comparison::Less => number < *bound,
                Comparison::AtMost => number <= *bound,
                Comparison::More => number > *bound,
                Comparison::AtLeast => number >= *bound,
            }),
            Self::In(values) => values.iter().any(|value| same(value, actual)),
            Self::Matches(pattern) => text(actual).is_some_and(|text| pattern.is_match(&text)),
            Self::Contains(part) => match actual {
                Value::Array(items) => items.iter().any(|item| {
                    same(part, item)
                        || matches!((text(item), part.as_str()), (Some(item), Some(part)) if item.contains(part))
                }),
                actual => matches!((text(actual), text(part)), (Some(actual), Some(part)) if actual.contains(&part)),
            },
            Self::Absent => false,
        }
    }

    /// In words, behind `expected NAME`.
    #[must_use]
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Is(value) => format!("= {}", shown(value)),
            Self::Compares(comparison, bound) => format!("{} {bound}", comparison.as_str()),
            Self::In(values) => format!("in [{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
            Self::Matches(pattern) => format!("to match {:?}", pattern.as_str()),
            Self::Contains(part) => format!("to contain {}", shown(part)),
            Self::Absent => "to be absent".to_owned(),
        }
    }

    /// The same with other texts in it.
    #[must_use]
    pub(crate) fn with_texts(&self, change: &dyn Fn(&str) -> String) -> Self {
        let value = |value: &Value| changed(value, change);
        match self {
            Self::Is(expected) => Self::Is(value(expected)),
            Self::In(values) => Self::In(values.iter().map(value).collect()),
            Self::Contains(part) => Self::Contains(value(part)),
            other => other.clone(),
        }
    }
}

fn changed(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(text).into(),
        Value::Array(items) => items.iter().map(|item| changed(item, change)).collect(),
        other => other.clone(),
    }
}

/// Numbers and texts of the same writing are the same: headers hold texts.
fn same(expected: &Value, actual: &Value) -> bool {
    if expected == actual {
        return true;
    }
    match (expected, actual) {
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len() && expected.iter().zip(actual).all(|(a, b)| same(a, b))
        }
        (
            Value::Number(_) | Value::String(_) | Value::Bool(_),
            Value::Number(_) | Value::String(_) | Value::Bool(_),
        ) => text(expected) == text(actual),
        _ => false,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A value as messages show it: words as they are, other texts quoted.
#[must_use]
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text)
            if !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte)) =>
        {
            text.clone()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_held_against_matchers() {
        let is = |value: Value| Matcher::Is(value);
        for (matcher, actual, holds) in [
            (is(json!(200)), Some(json!(200)), true),
            (is(json!(200)), Some(json!("200")), true),
            (is(json!("a")), Some(json!("b")), false),
            (is(json!(["a", "b"])), Some(json!(["a", "b"])), true),
            (is(json!(["a"])), Some(json!(["a", "b"])), false),
            (is(json!("")), None, false),
            (Matcher::Compares(Comparison::Less, 5.0), Some(json!(4)), true),
            (Matcher::Compares(Comparison::Less, 5.0), Some(json!("5")), false),
            (Matcher::Compares(Comparison::AtLeast, 5.0), Some(json!(5)), true),
            (Matcher::Compares(Comparison::Less, 5.0), Some(json!("x")), false),
            (Matcher::In(vec![json!("a"), json!(1)]), Some(json!("1")), true),
            (Matcher::In(vec![json!("a")]), Some(json!("b")), false),
            (Matcher::Matches(Regex::new("^a+$").unwrap()), Some(json!("aaa")), true),
            (Matcher::Matches(Regex::new("^a+$").unwrap()), Some(json!("aab")), false),
            (Matcher::Contains(json!("ell")), Some(json!("hello")), true),
            (Matcher::Contains(json!("ell")), Some(json!(["x", "hello"])), true),
            (Matcher::Contains(json!("y")), Some(json!(["x"])), false),
            (Matcher::Absent, None, true),
            (Matcher::Absent, Some(json!("")), false),
        ] {
            assert_eq!(matcher.holds(actual.as_ref()), holds, "{matcher:?} {actual:?}");
        }
    }

    #[test]
    fn comparisons() {
        assert_eq!(comparison("< 4000"), Some((Comparison::Less, 4000.0)));
        assert_eq!(comparison(">=1.5"), Some((Comparison::AtLeast, 1.5)));
        assert_eq!(comparison("< 50 %"), Some((Comparison::Less, 50.0)));
        assert!(comparison("<html>").is_none() && comparison("4").is_none());
    }
}
