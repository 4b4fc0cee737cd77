//! How a viewer is told that there is no way in.

use super::{
    authorizer::{AuthProblem, Authorizer},
    basic::BasicProblem,
    signed::SignedProblem,
};
use crate::gate::Received;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;

/// A refusal: its status, what the log says, and the headers that tell what to do about it.
#[derive(Clone, Debug)]
pub struct Denial {
    /// The status.
    pub status: StatusCode,
    /// For the log; holds no part of a credential.
    pub reason: String,
    /// `WWW-Authenticate`, `Retry-After` or `Location`.
    pub headers: HeaderMap,
}

/// What stays as it is in an address that becomes a query value.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// After how many seconds to come again when keys are missing or too much is going on.
const LATER: u64 = 5;

impl Denial {
    fn new(status: StatusCode, reason: String) -> Box<Self> {
        Box::new(Self { status, reason, headers: HeaderMap::new() })
    }

    fn with(mut self: Box<Self>, name: HeaderName, value: &str) -> Box<Self> {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// 429, with the time to wait.
    pub(super) fn too_many(wait: Duration) -> Box<Self> {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate limit".to_owned())
            .with(header::RETRY_AFTER, &seconds.to_string())
    }

    /// 403, as CloudFront.
    pub(super) fn signed(problem: SignedProblem) -> Box<Self> {
        Self::new(StatusCode::FORBIDDEN, problem.as_str().to_owned())
    }

    pub(super) fn password(problem: BasicProblem) -> Box<Self> {
        let reason = problem.as_str().to_owned();
        match problem {
            BasicProblem::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, reason).with(header::RETRY_AFTER, "1"),
            BasicProblem::Missing | BasicProblem::Wrong => Self::new(StatusCode::UNAUTHORIZED, reason)
                .with(header::WWW_AUTHENTICATE, "Basic realm=\"edgehook\", charset=\"UTF-8\""),
        }
    }

    /// 401 or 403 with a challenge (RFC 6750 section 3), or the way to the login page.
    pub(super) fn token(authorizer: &Authorizer, problem: AuthProblem, request: &Received) -> Box<Self> {
        let name = &authorizer.name;
        let reason = format!("authorizer {name}: {}", problem.as_str());
        let challenge = |error: &str| format!("Bearer realm=\"{name}\"{error}");
        let insufficient = matches!(problem, AuthProblem::Token(problem) if problem.is_insufficient());
        if problem == AuthProblem::NoKeys {
            let later = Self::new(StatusCode::SERVICE_UNAVAILABLE, reason);
            return later.with(header::RETRY_AFTER, &LATER.to_string());
        }
        if insufficient {
            let scopes = authorizer.rules.scopes.join(" ");
            let scope = if scopes.is_empty() { String::new() } else { format!(", scope=\"{scopes}\"") };
            let error = challenge(&format!(", error=\"insufficient_scope\"{scope}"));
            return Self::new(StatusCode::FORBIDDEN, reason).with(header::WWW_AUTHENTICATE, &error);
        }
        if let Some(page) = authorizer.redirect.as_ref().filter(|_| is_navigation(request)) {
            return Self::new(StatusCode::FOUND, reason).with(header::LOCATION, &login(page, authorizer, request));
        }
        let error = match problem {
            AuthProblem::NoToken => "",
            AuthProblem::SeveralTokens => ", error=\"invalid_request\"",
            AuthProblem::NoKeys | AuthProblem::Token(_) => ", error=\"invalid_token\"",
        };
        Self::new(StatusCode::UNAUTHORIZED, reason).with(header::WWW_AUTHENTICATE, &challenge(error))
    }
}

/// Requests for which a login page is an answer.
fn is_navigation(request: &Received) -> bool {
    matches!(request.method, Method::GET | Method::HEAD)
}

/// The login page with the address that was asked for, less its token.
fn login(page: &str, authorizer: &Authorizer, request: &Received) -> String {
    if !page.contains("{url}") {
        return page.to_owned();
    }
    let mut asked = request.clone();
    for place in &authorizer.places {
        place.remove(&mut asked);
    }
    let query = asked.query.map(|query| format!("?{query}")).unwrap_or_default();
    let url = format!("{}://{}{}{query}", asked.scheme.as_str(), asked.host.authority(), asked.path);
    page.replace("{url}", &utf8_percent_encode(&url, QUERY_VALUE).to_string())
}
