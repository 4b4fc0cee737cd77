//! `${NAME}` and `${file:path}` inside strings.
//!
//! Pure: the caller supplies the values. There is no nesting, no default value and no reference outside a string.

use std::fmt;

/// Stands in for a reference that is not set in the modes that tolerate it.
pub(crate) const PLACEHOLDER: &str = "unset";

/// What a `${…}` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference<'r> {
    /// An environment variable.
    Variable(&'r str),
    /// The contents of a file, without its last line break.
    File(&'r str),
}

/// Why a reference has no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not written as a reference: an error in every mode.
    Malformed(&'static str),
    /// It is well written but has no value; the text says why.
    Unset(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => f.write_str(text),
            Self::Unset(text) => f.write_str(text),
        }
    }
}

/// Replaces every reference of `raw` by what `lookup` answers, or by [`PLACEHOLDER`]; also returns what failed.
pub(crate) fn expand(
    raw: &str,
    mut lookup: impl FnMut(&Reference<'_>) -> Result<String, String>,
) -> (String, Vec<Failure>) {
    let mut text = String::with_capacity(raw.len());
    let mut failures = Vec::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once("${") {
        text.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            failures.push(Failure::Malformed("`${` without `}`"));
            return (text, failures);
        };
        rest = after;
        match reference(inside).and_then(|found| lookup(&found).map_err(Failure::Unset)) {
            Ok(value) => text.push_str(&value),
            Err(failure) => {
                failures.push(failure);
                text.push_str(PLACEHOLDER);
            }
        }
    }
    text.push_str(rest);
    (text, failures)
}

fn reference(inside: &str) -> Result<Reference<'_>, Failure> {
    if let Some(path) = inside.strip_prefix("file:") {
        return if path.is_empty() || path.contains('\0') {
            Err(Failure::Malformed("`${file:…}` needs a path"))
        } else {
            Ok(Reference::File(path))
        };
    }
    let mut bytes = inside.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    if starts_well && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        Ok(Reference::Variable(inside))
    } else {
        Err(Failure::Malformed("variable names are letters, digits and `_`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(reference: &Reference<'_>) -> Result<String, String> {
        match reference {
            Reference::Variable("A") => Ok("1".to_owned()),
            Reference::File("b/c") => Ok("${A}".to_owned()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn replaces_variables_and_files_once() {
        assert_eq!(expand("x${A}y${file:b/c}$z", lookup), ("x1y${A}$z".to_owned(), vec![]));
    }

    #[test]
    fn unset_becomes_a_placeholder() {
        let (text, failures) = expand("http://${HOST}:${A}/", lookup);
        assert_eq!(text, "http://unset:1/");
        assert_eq!(failures, [Failure::Unset("Variable(\"HOST\")".to_owned())]);
    }

    #[test]
    fn malformed_references() {
        for text in ["${", "a ${A", "${}", "${1A}", "${A-B}", "${file:}"] {
            assert!(matches!(expand(text, lookup).1[..], [Failure::Malformed(_)]), "{text}");
        }
    }
}
