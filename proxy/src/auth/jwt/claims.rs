//! The rules that a verified token's claims must meet. Pure: the time is an argument.

use super::{matcher::Matcher, problem::TokenProblem, token::Token};
use crate::auth::json;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What an authorizer asks of a token.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Accepted issuers; not empty: `iss` is required.
    pub issuers: Vec<String>,
    /// Accepted audiences; not empty: `aud` is required.
    pub audiences: Vec<String>,
    /// Required header `typ`, in any case, with or without `application/` (RFC 7515 section 4.1.9).
    pub typ: Option<String>,
    /// Allowance for clocks that differ, seconds.
    pub leeway: u64,
    /// Claims and what they must be.
    pub require: Vec<(String, Matcher)>,
    /// Scopes, all needed.
    pub scopes: Vec<String>,
}

/// The claims of a token that was verified, and when they hold.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The claims.
    pub claims: Arc<Map<String, Value>>,
    times: Times,
}

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    expires: u64,
    not_before: Option<u64>,
    issued: Option<u64>,
}

impl Times {
    fn of(claims: &Map<String, Value>) -> Result<Self, TokenProblem> {
        let time = |name: &'static str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or(TokenProblem::ClaimType(name)),
        };
        let expires = time("exp")?.ok_or(TokenProblem::Missing("exp"))?;
        Ok(Self { expires, not_before: time("nbf")?, issued: time("iat")? })
    }

    fn check(self, now: u64, leeway: u64) -> Result<(), TokenProblem> {
        if now >= self.expires.saturating_add(leeway) {
            return Err(TokenProblem::Expired);
        }
        let in_future = |time: Option<u64>| time.is_some_and(|time| time > now.saturating_add(leeway));
        if in_future(self.not_before) {
            return Err(TokenProblem::NotYet);
        }
        if in_future(self.issued) {
            return Err(TokenProblem::Future);
        }
        Ok(())
    }
}

impl Verified {
    /// Judges the times again, for a verdict that was kept: clocks go on, and now and then back.
    ///
    /// # Errors
    /// The token does not hold now.
    pub fn still_holds(&self, rules: &Rules, now: u64) -> Result<(), TokenProblem> {
        self.times.check(now, rules.leeway)
    }

    /// When it ends, without leeway: seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.times.expires
    }
}

impl Rules {
    /// Judges a token whose signature is right.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, token: &Token<'_>, payload: &[u8], now: u64) -> Result<Verified, TokenProblem> {
        if let Some(wanted) = &self.typ {
            let plain = |typ: &str| typ.to_ascii_lowercase().trim_start_matches("application/").to_owned();
            if token.typ().map(plain) != Some(plain(wanted)) {
                return Err(TokenProblem::Type);
            }
        }
        let claims = json::parse_object(payload).map_err(TokenProblem::Claims)?;
        for name in ["iss", "sub", "jti"] {
            if claims.get(name).is_some_and(|value| !value.is_string()) {
                return Err(TokenProblem::ClaimType(name));
            }
        }
        let times = Times::of(&claims)?;
        times.check(now, self.leeway)?;
        self.check_issuer(&claims)?;
        self.check_audience(&claims)?;
        if !self.require.iter().all(|(name, matcher)| matcher.accepts(claims.get(name))) {
            return Err(TokenProblem::Required);
        }
        if !self.scopes.iter().all(|scope| has_scope(&claims, scope)) {
            return Err(TokenProblem::Scope);
        }
        Ok(Verified { claims: Arc::new(claims), times })
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), TokenProblem> {
        if self.issuers.is_empty() {
            return Ok(());
        }
        let issuer = claims.get("iss").and_then(Value::as_str).ok_or(TokenProblem::Missing("iss"))?;
        if self.issuers.iter().any(|accepted| accepted == issuer) { Ok(()) } else { Err(TokenProblem::Issuer) }
    }

    /// A text or a list of texts (RFC 7519 section 4.1.3).
    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), TokenProblem> {
        let wrong = TokenProblem::ClaimType("aud");
        let audiences: Vec<&str> = match claims.get("aud") {
            None if self.audiences.is_empty() => return Ok(()),
            None => return Err(TokenProblem::Missing("aud")),
            Some(Value::String(audience)) => vec![audience],
            Some(Value::Array(list)) => {
                list.iter().map(|value| value.as_str().ok_or(wrong)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(wrong),
        };
        let accepted = |audience: &&str| self.audiences.iter().any(|accepted| accepted == audience);
        if self.audiences.is_empty() || audiences.iter().any(accepted) { Ok(()) } else { Err(TokenProblem::Audience) }
    }
}

/// `scope` is a text with blanks between (RFC 8693 section 4.2); `scp` is that or a list.
fn has_scope(claims: &Map<String, Value>, scope: &str) -> bool {
    ["scope", "scp"].iter().any(|name| match claims.get(*name) {
        Some(Value::String(scopes)) => scopes.split(' ').any(|held| held == scope),
        Some(Value::Array(scopes)) => *name == "scp" && scopes.iter().any(|held| held == scope),
        _ => false,
    })
}
