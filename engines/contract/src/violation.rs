//! Broken rules of a function's result, in words for the log. The viewer never sees them.

use std::fmt;

/// Which rule was broken. The codes are those of lambda-edge.md 4.2; both families use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the variants are spelled out by `as_str`, and explained by the text beside them")]
pub enum ViolationCode {
    JsonUnparsable,
    JsonNotObject,
    KindUnknown,
    KindWrongHook,
    StatusRange,
    StatusChanged,
    BodyType,
    BodySize,
    BodyBase64,
    BodyWith204,
    BodyNotHere,
    FieldType,
    HeaderNotArray,
    HeaderValueType,
    HeaderKeyMismatch,
    HeaderName,
    HeaderCharacter,
    HeaderDisallowed,
    HeaderReadOnly,
    HeaderSize,
    UriFormat,
    UriLength,
    QueryFormat,
    OriginShape,
    OriginField,
    OriginHeader,
    RequestReadOnly,
}

impl ViolationCode {
    /// The code as logs and tests show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JsonUnparsable => "json.unparsable",
            Self::JsonNotObject => "json.not-object",
            Self::KindUnknown => "kind.unknown",
            Self::KindWrongHook => "kind.wrong-hook",
            Self::StatusRange => "status.range",
            Self::StatusChanged => "status.changed",
            Self::BodyType => "body.type",
            Self::BodySize => "body.size",
            Self::BodyBase64 => "body.base64",
            Self::BodyWith204 => "body.with-204",
            Self::BodyNotHere => "body.not-here",
            Self::FieldType => "field.type",
            Self::HeaderNotArray => "header.not-array",
            Self::HeaderValueType => "header.value-type",
            Self::HeaderKeyMismatch => "header.key-mismatch",
            Self::HeaderName => "header.name",
            Self::HeaderCharacter => "header.character",
            Self::HeaderDisallowed => "header.disallowed",
            Self::HeaderReadOnly => "header.read-only",
            Self::HeaderSize => "header.size",
            Self::UriFormat => "uri.format",
            Self::UriLength => "uri.length",
            Self::QueryFormat => "query.format",
            Self::OriginShape => "origin.shape",
            Self::OriginField => "origin.field",
            Self::OriginHeader => "origin.header",
            Self::RequestReadOnly => "request.read-only",
        }
    }
}

/// A broken rule, with the place in the result where it was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub code: ViolationCode,
    /// What is wrong, naming the field; safe to log (control characters are escaped).
    pub text: String,
}

impl Violation {
    pub(crate) fn new(code: ViolationCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code.as_str(), self.text)
    }
}

impl std::error::Error for Violation {}

/// Everything that is wrong with one result: each broken rule, with its place, in the order of the result's parts. Empty while nothing
/// is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Most that are listed of one result; further ones are left out.
    pub const LIMIT: usize = 16;

    /// Adds one, unless there are enough.
    pub fn add(&mut self, violation: Violation) {
        if !self.is_full() && !self.0.contains(&violation) {
            self.0.push(violation);
        }
    }

    /// Takes the value of a check, or adds what was wrong.
    pub fn take<T>(&mut self, checked: Result<T, impl Into<Self>>) -> Option<T> {
        match checked {
            Ok(value) => Some(value),
            Err(more) => {
                more.into().0.into_iter().for_each(|violation| self.add(violation));
                None
            }
        }
    }

    /// `value`, if nothing is wrong.
    ///
    /// # Errors
    /// What is.
    pub fn none_or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether further ones would be left out.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= Self::LIMIT
    }

    /// All that are listed.
    #[must_use]
    pub fn listed(&self) -> &[Violation] {
        &self.0
    }
}

impl From<Violation> for Violations {
    fn from(violation: Violation) -> Self {
        Self(vec![violation])
    }
}

impl From<Vec<Violation>> for Violations {
    fn from(mut violations: Vec<Violation>) -> Self {
        violations.truncate(Self::LIMIT);
        Self(violations)
    }
}

/// One line each.
impl fmt::Display for Violations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(formatter, "{line}{violation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
