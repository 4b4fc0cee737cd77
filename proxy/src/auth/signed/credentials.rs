//! What a signed request carries: in its query, or else in its cookies.

use super::{SignedProblem, key::Hash};
use crate::{
    auth::places::{cookies, parameters, remove_cookies, remove_parameters},
    gate::Received,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Names in the query; in cookies they stand behind `CloudFront-`.
pub(crate) const NAMES: [&str; 5] = ["Policy", "Expires", "Signature", "Key-Pair-Id", "Hash-Algorithm"];
const COOKIE_PREFIX: &str = "CloudFront-";

/// A policy and its signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credentials<'r> {
    pub(super) policy: PolicyText,
    pub(super) signature: Vec<u8>,
    pub(super) key: &'r str,
    pub(super) hash: Hash,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum PolicyText {
    /// The address that was asked for, until this second.
    Canned(u64),
    /// The signer's own, JSON.
    Custom(Vec<u8>),
}

impl<'r> Credentials<'r> {
    /// Those of a request. A query with any of the names counts, and then cookies do not.
    pub(super) fn of(request: &'r Received) -> Result<Self, SignedProblem> {
        let query = request.query.as_deref();
        let in_query = NAMES.map(|name| one(parameters(query, name)));
        if in_query.iter().any(|found| *found != Found::None) {
            return Self::read(in_query);
        }
        Self::read(NAMES.map(|name| one(cookies(&request.headers, &format!("{COOKIE_PREFIX}{name}")))))
    }

    fn read([policy, expires, signature, key, hash]: [Found<'r>; 5]) -> Result<Self, SignedProblem> {
        let (policy, expires) = (policy.value()?, expires.value()?);
        let (signature, key, hash) = (signature.value()?, key.value()?, hash.value()?);
        let (signature, key) = match (signature, key) {
            (None, None) if policy.is_none() && expires.is_none() => return Err(SignedProblem::Missing),
            (Some(signature), Some(key)) => (signature, key),
            _ => return Err(SignedProblem::Incomplete),
        };
        let hash = match hash {
            None => Hash::Sha1,
            Some("SHA256") => Hash::Sha256,
            Some("SHA1") => Hash::Sha1,
            Some(_) => return Err(SignedProblem::Form),
        };
        let policy = match (policy, expires) {
            (Some(policy), None) => PolicyText::Custom(decode(policy).ok_or(SignedProblem::Form)?),
            (None, Some(expires)) => PolicyText::Canned(second(expires).ok_or(SignedProblem::Form)?),
            _ => return Err(SignedProblem::Incomplete),
        };
        let signature = decode(signature).ok_or(SignedProblem::Form)?;
        Ok(Self { policy, signature, key, hash })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found<'r> {
    None,
    One(&'r str),
    More,
}

fn one<'r>(mut values: impl Iterator<Item = &'r str>) -> Found<'r> {
    match (values.next(), values.next()) {
        (None, _) => Found::None,
        (Some(value), None) => Found::One(value),
        (Some(_), Some(_)) => Found::More,
    }
}

impl<'r> Found<'r> {
    fn value(self) -> Result<Option<&'r str>, SignedProblem> {
        match self {
            Self::None => Ok(None),
            Self::One(value) => Ok(Some(value)),
            Self::More => Err(SignedProblem::Repeated),
        }
    }
}

/// A second since 1970 in its one decimal form.
fn second(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// Base64 with `-`, `_` and `~` for `+`, `=` and `/`; padded, and in its only form.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.contains(['+', '=', '/']) {
        return None;
    }
    let standard = text.chars().map(|c| match c {
        '-' => '+',
        '_' => '=',
        '~' => '/',
        other => other,
    });
    BASE64_STANDARD.decode(standard.collect::<String>()).ok()
}

/// The other way.
pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes).replace('+', "-").replace('=', "_").replace('/', "~")
}

/// Takes parameters and cookies out of a request, so that neither cache key nor origin see them.
pub(super) fn remove(request: &mut Received) {
    remove_parameters(&mut request.query, |name| NAMES.contains(&name));
    remove_cookies(&mut request.headers, |name| {
        name.strip_prefix(COOKIE_PREFIX).is_some_and(|name| NAMES.contains(&name))
    });
}
