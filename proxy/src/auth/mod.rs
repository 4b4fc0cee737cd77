//! Who may enter: rate limits, signed URLs and cookies, passwords, tokens. The step after addresses and methods, before any
//! function and before the cache.
//!
//! [`admit`] is the step. Everything that a behavior asks for must be passed, cheapest first. It also prepares the request: fields
//! that only verified claims may set are removed from what the viewer sent, whatever the behavior; credentials that are not to
//! go on are taken out; headers made from claims are set. Functions, cache key and origin see the result.
//!
//! Invariants: nothing here knows the cache; a verdict depends on the request and the time alone; no log line, key or page holds a
//! credential. Absent: addresses, protocol and methods (`access`), countries, experiments.

mod authorizer;
mod basic;
mod denial;
mod json;
pub mod jwks;
pub mod jwt;
pub mod places;
mod rate;
mod redact;
mod rsa;
pub mod signed;

pub use authorizer::{AuthProblem, Authorizer, KeySource};
pub use basic::Passwords;
pub use denial::Denial;
pub use rate::{Per, RateLimit};
pub use redact::SecretParameters;

use crate::{gate::Received, record::Purpose};
use http::{HeaderName, HeaderValue, header};
use jwt::Verified;
use serde_json::Value;
use signed::Signers;
use std::{borrow::Cow, sync::Arc};

/// What a behavior asks of viewers. Whatever is there must be passed.
#[derive(Debug, Default)]
pub struct Admission {
    /// How many requests.
    pub rate: Option<RateLimit>,
    /// A signed URL or cookie.
    pub signers: Option<Signers>,
    /// A name and a password.
    pub passwords: Option<Arc<Passwords>>,
    /// Tokens.
    pub tokens: Option<Tokens>,
}

/// The authorizers of a behavior.
#[derive(Debug)]
pub enum Tokens {
    /// One of them must let the viewer in; the first that does counts.
    Any(Vec<Arc<Authorizer>>),
    /// All of them must.
    All(Vec<Arc<Authorizer>>),
}

impl Admission {
    /// Whether viewers have to show something.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.signers.is_some() || self.passwords.is_some() || self.tokens.is_some()
    }

    /// Whether nothing is looked at and nobody counted.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_guarded() && self.rate.is_none()
    }

    /// What viewers have to pass, for records.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut add = |is_there: bool, name: &str| names.extend(is_there.then(|| name.to_owned()));
        add(self.rate.is_some(), "rate limit");
        add(self.signers.is_some(), "signed URL");
        add(self.passwords.is_some(), "password");
        match &self.tokens {
            None => {}
            Some(Tokens::Any(authorizers) | Tokens::All(authorizers)) => {
                names.extend(authorizers.iter().map(|authorizer| format!("authorizer {}", authorizer.name)));
            }
        }
        names
    }
}

/// What holds for a whole site.
#[derive(Debug, Default)]
pub struct Guard {
    /// Headers that verified claims become; viewers can set none of them anywhere.
    pub claim_headers: Vec<HeaderName>,
    /// Query parameters that hold credentials.
    pub secrets: SecretParameters,
}

impl Guard {
    /// Removes what a viewer must not send: headers that claims become, however their names are written, and credentials in
    /// `Referer` (security.md J13).
    fn clean(&self, request: &mut Received) {
        if !self.claim_headers.is_empty() {
            // `x_user_id` and `x-user-id` are one variable to many origins (security.md S03).
            let forged = |name: &HeaderName| {
                let folded = name.as_str().replace('_', "-");
                self.claim_headers.iter().any(|claim| claim.as_str().replace('_', "-") == folded)
            };
            let forged: Vec<HeaderName> = request.headers.keys().filter(|name| forged(name)).cloned().collect();
            for name in forged {
                request.headers.remove(name);
            }
        }
        let referer = request.headers.get(header::REFERER).and_then(|value| value.to_str().ok());
        if let Some(clean) = referer.and_then(|referer| self.secrets.without(referer)) {
            request.headers.remove(header::REFERER);
            if let Ok(clean) = HeaderValue::from_str(&clean) {
                request.headers.insert(header::REFERER, clean);
            }
        }
    }
}

/// What is known of a viewer who was let in.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    verified: Vec<Arc<Verified>>,
}

impl Identity {
    /// A claim of the verified tokens; the first token that has it counts.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.verified.iter().find_map(|verified| verified.claims.get(name))
    }

    /// The same as text that tells viewers apart: a string as it is, other values as JSON. `null` is nothing.
    #[must_use]
    pub fn claim_text(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.claim(name)? {
            Value::Null => None,
            Value::String(text) => Some(Cow::Borrowed(text)),
            other => Some(Cow::Owned(other.to_string())),
        }
    }
}

/// Lets a viewer in at `now` (seconds since 1970), and makes the request what the rest of the edge may see of it.
///
/// # Errors
/// The viewer is not let in.
pub async fn admit(
    guard: &Guard,
    admission: &Admission,
    request: &mut Received,
    now: u64,
    purpose: Purpose,
) -> Result<Identity, Box<Denial>> {
    guard.clean(request);
    // Who only explains takes nobody's turn.
    let limit = admission.rate.as_ref().filter(|_| purpose == Purpose::Serve);
    if let Some(limit) = limit.filter(|limit| !matches!(limit.per, Per::Claim(_))) {
        limit.check(request.viewer, &request.headers, None).map_err(Denial::too_many)?;
    }
    if let Some(signers) = &admission.signers {
        signers.check(request, now).map_err(Denial::signed)?;
        Signers::remove(request);
    }
    if let Some(passwords) = &admission.passwords {
        Box::pin(passwords.check(&request.headers)).await.map_err(Denial::password)?;
        // The password is for the edge.
        request.headers.remove(header::AUTHORIZATION);
    }
    let identity = match &admission.tokens {
        Some(tokens) => Box::pin(check_tokens(tokens, request, now)).await?,
        None => Identity::default(),
    };
    if let Some(limit) = limit
        && let Per::Claim(name) = &limit.per
    {
        limit
            .check(request.viewer, &request.headers, identity.claim_text(name).as_deref())
            .map_err(Denial::too_many)?;
    }
    Ok(identity)
}

async fn check_tokens(tokens: &Tokens, request: &mut Received, now: u64) -> Result<Identity, Box<Denial>> {
    let (authorizers, any) = match tokens {
        Tokens::Any(authorizers) => (authorizers, true),
        Tokens::All(authorizers) => (authorizers, false),
    };
    let mut passed: Vec<(&Authorizer, Arc<Verified>)> = Vec::new();
    let mut refused: Option<(&Authorizer, AuthProblem)> = None;
    for authorizer in authorizers {
        match authorizer.check(request, now).await {
            Ok(verified) => passed.push((authorizer, verified)),
            Err(problem) if any => {
                // The one that came furthest says what is wrong.
                if refused.is_none_or(|(_, before)| before == AuthProblem::NoToken) {
                    refused = Some((authorizer, problem));
                }
            }
            Err(problem) => return Err(Denial::token(authorizer, problem, request)),
        }
        if any && !passed.is_empty() {
            break;
        }
    }
    if let Some((authorizer, problem)) = refused.filter(|_| passed.is_empty()) {
        return Err(Denial::token(authorizer, problem, request));
    }
    for authorizer in authorizers {
        authorizer.withhold(request);
    }
    for (authorizer, verified) in passed.iter().rev() {
        authorizer.set_headers(verified, request);
    }
    Ok(Identity { verified: passed.into_iter().map(|(_, verified)| verified).collect() })
}
