//! What a required claim must be (experience.md 6.1).

use regex::Regex;
use serde_json::Value;

/// What a claim must be. A list is accepted when one of its members is.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// This text, number or boolean.
    Equals(Value),
    /// A number for which the comparison with this one holds.
    Compares(Comparison, f64),
    /// One of these.
    In(Vec<Value>),
    /// A text in which this is found.
    Matches(Regex),
    /// A text with this part, or a list with this member.
    Contains(String),
    /// It is not there.
    Absent,
}

/// A comparison of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Matcher {
    /// Whether a claim, or its absence, is accepted.
    #[must_use]
    pub fn accepts(&self, claim: Option<&Value>) -> bool {
        match (self, claim) {
            (Self::Absent, None) => true,
            (Self::Absent, Some(_)) | (_, None) => false,
            (Self::Contains(part), Some(Value::Array(members))) => members.iter().any(|member| member == part.as_str()),
            (_, Some(Value::Array(members))) => members.iter().any(|member| self.accepts_one(member)),
            (_, Some(value)) => self.accepts_one(value),
        }
    }

    fn accepts_one(&self, value: &Value) -> bool {
        match self {
            Self::Equals(wanted) => same(wanted, value),
            Self::In(wanted) => wanted.iter().any(|wanted| same(wanted, value)),
            Self::Compares(comparison, limit) => value.as_f64().is_some_and(|number| match comparison {
                Comparison::Less => number < *limit,
                Comparison::AtMost => number <= *limit,
                Comparison::More => number > *limit,
                Comparison::AtLeast => number >= *limit,
            }),
            Self::Matches(pattern) => value.as_str().is_some_and(|text| pattern.is_match(text)),
            Self::Contains(part) => value.as_str().is_some_and(|text| text.contains(part.as_str())),
            Self::Absent => false,
        }
    }
}

/// Equal values of the same type; 3 and 3.0 are one number.
fn same(wanted: &Value, value: &Value) -> bool {
    wanted == value || (wanted.is_number() && value.is_number() && wanted.as_f64() == value.as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(matcher: &Matcher, accepted: &[Value], refused: &[Value]) {
        for value in accepted {
            assert!(matcher.accepts(Some(value)), "{matcher:?} should accept {value}");
        }
        for value in refused {
            assert!(!matcher.accepts(Some(value)), "{matcher:?} should refuse {value}");
        }
        assert_eq!(matcher.accepts(None), matches!(matcher, Matcher::Absent));
    }

    #[test]
    fn values() {
        check(
            &Matcher::Equals(json!("a")),
            &[json!("a"), json!(["b", "a"])],
            &[json!("A"), json!(1), json!(null), json!([])],
        );
        check(&Matcher::Equals(json!(3)), &[json!(3), json!(3.0)], &[json!("3"), json!(4), json!(true)]);
        check(&Matcher::Equals(json!(true)), &[json!(true)], &[json!("true"), json!(1)]);
        check(&Matcher::In(vec![json!("a"), json!(1)]), &[json!(1), json!(["x", "a"])], &[json!("1"), json!("x")]);
        check(
            &Matcher::Contains("a".into()),
            &[json!("bab"), json!(["a"])],
            &[json!(["bab"]), json!("b"), json!({"a": 1})],
        );
        check(&Matcher::Absent, &[], &[json!(null), json!("")]);
        let pattern = Regex::new("@example\\.com$").unwrap();
        check(&Matcher::Matches(pattern), &[json!("a@example.com")], &[json!("a@example.com.evil"), json!(1)]);
    }

    #[test]
    fn numbers_at_their_limit() {
        check(&Matcher::Compares(Comparison::Less, 2.0), &[json!(1.9), json!(-5)], &[json!(2), json!("1")]);
        check(&Matcher::Compares(Comparison::AtMost, 2.0), &[json!(2)], &[json!(2.1)]);
        check(&Matcher::Compares(Comparison::More, 2.0), &[json!(2.1)], &[json!(2)]);
        check(&Matcher::Compares(Comparison::AtLeast, 2.0), &[json!(2), json!([1, 3])], &[json!(1.9), json!([])]);
    }
}
