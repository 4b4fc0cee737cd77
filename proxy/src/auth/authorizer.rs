//! One `[authorizer.NAME]` at work: finds the token of a request, verifies it, and says what becomes of both.

use super::{
    jwks::{FetchedKeys, Keys},
    jwt::{self, KeySet, Rules, TokenProblem, Verdicts, Verified},
    places::Place,
};
use crate::gate::Received;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use std::sync::Arc;

/// Where an authorizer's keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// They were read when the configuration was loaded.
    Fixed(Arc<KeySet>),
    /// They are fetched.
    Fetched(Arc<FetchedKeys>),
}

/// A token check.
#[derive(Debug)]
pub struct Authorizer {
    /// Its name in the configuration.
    pub name: String,
    /// Where its keys come from.
    pub keys: KeySource,
    /// What tokens must be.
    pub rules: Rules,
    /// Where tokens stand.
    pub places: Vec<Place>,
    /// Whether they go on; `None`: except from the query.
    pub forward: Option<bool>,
    /// Claims and the headers that they become.
    pub headers: Vec<(String, HeaderName)>,
    /// Login page instead of 401; `{url}` stands for the address that was asked for.
    pub redirect: Option<String>,
    verdicts: Verdicts,
}

/// Why a viewer is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthProblem {
    /// There is no token.
    NoToken,
    /// There are several.
    SeveralTokens,
    /// The key set has not been fetched yet, or is too old.
    NoKeys,
    /// The token is not accepted.
    Token(TokenProblem),
}

impl AuthProblem {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no token",
            Self::SeveralTokens => "several tokens",
            Self::NoKeys => "no keys",
            Self::Token(problem) => problem.as_str(),
        }
    }
}

impl Authorizer {
    /// A token check that takes the bearer token and makes no headers.
    #[must_use]
    pub fn new(name: String, keys: KeySource, rules: Rules) -> Self {
        let (places, verdicts) = (vec![Place::Bearer], Verdicts::default());
        Self { name, keys, rules, places, forward: None, headers: Vec::new(), redirect: None, verdicts }
    }

    /// Verifies the token of a request at `now`, seconds since 1970.
    ///
    /// # Errors
    /// There is not exactly one, or it is not accepted.
    pub async fn check(&self, request: &Received, now: u64) -> Result<Arc<Verified>, AuthProblem> {
        let mut tokens = self.places.iter().flat_map(|place| place.tokens(request));
        let token = tokens.next().ok_or(AuthProblem::NoToken)?;
        if tokens.next().is_some() {
            // Which one counts is a matter of opinion, and opinions differ (security.md J12).
            return Err(AuthProblem::SeveralTokens);
        }
        self.verify(token, now).await
    }

    /// Verifies a token at `now`.
    ///
    /// # Errors
    /// It is not accepted, or there are no keys.
    pub async fn verify(&self, token: &str, now: u64) -> Result<Arc<Verified>, AuthProblem> {
        let fetched = match &self.keys {
            KeySource::Fixed(set) => {
                let keys = Keys { set: set.clone(), generation: 0 };
                return self.verify_with(token, &keys, now).map_err(AuthProblem::Token);
            }
            KeySource::Fetched(fetched) => fetched,
        };
        let keys = match fetched.now() {
            Some(keys) => keys,
            None => fetched.newer(None).await.ok_or(AuthProblem::NoKeys)?,
        };
        let verdict = match self.verify_with(token, &keys, now) {
            Err(TokenProblem::UnknownKey) => match fetched.newer(Some(keys.generation)).await {
                Some(keys) => self.verify_with(token, &keys, now),
                None => Err(TokenProblem::UnknownKey),
            },
            verdict => verdict,
        };
        verdict.map_err(AuthProblem::Token)
    }

    fn verify_with(&self, token: &str, keys: &Keys, now: u64) -> Result<Arc<Verified>, TokenProblem> {
        if let Some(verdict) = self.verdicts.recall(token, keys.generation, &self.rules, now) {
            return verdict;
        }
        let verified = Arc::new(jwt::verify(token, &keys.set, &self.rules, now)?);
        self.verdicts.keep(token, keys.generation, verified.clone());
        Ok(verified)
    }

    /// Takes tokens out that are not to go on.
    pub(super) fn withhold(&self, request: &mut Received) {
        for place in &self.places {
            if !self.forward.unwrap_or(!matches!(place, Place::Query(_))) {
                place.remove(request);
            }
        }
    }

    /// Sets the headers that claims become.
    pub(super) fn set_headers(&self, verified: &Verified, request: &mut Received) {
        for (claim, name) in &self.headers {
            if let Some(value) = verified.claims.get(claim).and_then(header_value) {
                request.headers.insert(name.clone(), value);
            }
        }
    }
}

/// A text as it is, anything else as JSON; nothing where that cannot stand in a header.
fn header_value(claim: &Value) -> Option<HeaderValue> {
    let text = match claim {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let fits = text.trim() == text && !text.is_empty() && !text.chars().any(char::is_control);
    fits.then(|| HeaderValue::from_bytes(text.as_bytes()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_as_header_values() {
        for (claim, expected) in [
            (json!("u-1"), Some("u-1")),
            (json!("Müller"), Some("Müller")),
            (json!(7), Some("7")),
            (json!(true), Some("true")),
            (json!(["a", "b,c"]), Some("[\"a\",\"b,c\"]")),
            (json!("a\r\nx-admin: 1"), None),
            (json!("a\u{0}"), None),
            (json!(" a"), None),
            (json!(""), None),
            (json!(null), None),
        ] {
            let value = header_value(&claim);
            assert_eq!(value.as_ref().map(HeaderValue::as_bytes), expected.map(str::as_bytes), "{claim}");
        }
    }
}
