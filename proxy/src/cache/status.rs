//! How the cache's part in an answer is told: outcome words, `X-Cache` words and the `Cache-Status` member.
//!
//! Words are those of experience.md 1.4, the field is RFC 9211 with the details of http-cache.md 3.19. Deliberately
//! absent: the key (a public key helps poisoning) and the last word of `X-Cache`, which the configuration chooses.

use std::{fmt::Write as _, time::Duration};

use http::{HeaderValue, StatusCode};

/// What became of a request at the cache. The words `generated` and `error` belong to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A fresh stored answer.
    Hit,
    /// A stored answer used past its freshness, by policy.
    Stale,
    /// The origin said that the stored answer still holds.
    Revalidated,
    /// Nothing was stored under this key; the answer was.
    Miss,
    /// The stored answer was too old; a new one came and was stored.
    Expired,
    /// The answer may not be stored.
    Uncacheable,
    /// The cache was not asked.
    Bypass,
}

impl Outcome {
    /// The word in logs, metrics and traces.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Miss => "miss",
            Self::Expired => "expired",
            Self::Uncacheable => "uncacheable",
            Self::Bypass => "bypass",
        }
    }

    /// The first word of `X-Cache`.
    #[must_use]
    pub fn x_cache(self) -> &'static str {
        match self {
            Self::Hit | Self::Stale => "Hit",
            Self::Revalidated => "RefreshHit",
            Self::Miss | Self::Expired | Self::Uncacheable | Self::Bypass => "Miss",
        }
    }
}

/// Why a request went to the origin (`fwd` of RFC 9211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// The policy does not cache here.
    Bypass,
    /// The method is not cached.
    Method,
    /// Nothing is stored for the URL.
    UriMiss,
    /// What is stored was negotiated for others.
    VaryMiss,
    /// Nothing usable is stored; no more can be said.
    Miss,
    /// The request asks for what the cache cannot give.
    Request,
    /// What is stored is stale.
    Stale,
}

impl Forwarded {
    /// The token of RFC 9211.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

/// Why a request does not get a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BypassReason {
    /// The cache policy switches caching off.
    Policy,
    /// The cache is paused, as `dev` can do.
    Paused,
    /// Neither GET nor HEAD.
    Method,
    /// A HEAD that no fresh stored answer could serve.
    Head,
    /// A range of what is not stored in full and fresh.
    Range,
    /// `If-Match` or `If-Unmodified-Since`: the origin's to decide.
    Precondition,
    /// A field that asks the origin to treat the request as another method.
    MethodOverride,
    /// A GET or HEAD that came with a body.
    Body,
    /// A request for a WebSocket.
    Upgrade,
    /// A gRPC call.
    Grpc,
    /// Another fill of this key did not get an answer in time; fetch without storing.
    LockTimeout,
}

impl BypassReason {
    /// The word for logs. `paused`, `method-override` and `lock-timeout` also stand in `Cache-Status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Paused => "paused",
            Self::Method => "method",
            Self::Head => "head",
            Self::Range => "range",
            Self::Precondition => "precondition",
            Self::MethodOverride => "method-override",
            Self::Body => "body",
            Self::Upgrade => "upgrade",
            Self::Grpc => "grpc",
            Self::LockTimeout => "lock-timeout",
        }
    }

    /// The outcome: `bypass` only where the store was not looked at.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Policy
            | Self::Paused
            | Self::Method
            | Self::Precondition
            | Self::MethodOverride
            | Self::Body
            | Self::Upgrade
            | Self::Grpc => Outcome::Bypass,
            Self::Head | Self::Range | Self::LockTimeout => Outcome::Uncacheable,
        }
    }

    /// What there is to report about the answer that the origin then gives.
    #[must_use]
    pub fn report(self) -> Report {
        let forwarded = match self {
            Self::Policy | Self::Paused | Self::MethodOverride | Self::Body | Self::Upgrade | Self::Grpc => {
                Forwarded::Bypass
            }
            Self::Method => Forwarded::Method,
            Self::Precondition => Forwarded::Request,
            Self::Head | Self::Range | Self::LockTimeout => Forwarded::Miss,
        };
        let public = matches!(self, Self::Paused | Self::MethodOverride | Self::LockTimeout);
        let report = Report { detail: public.then_some(self.as_str()), ..Report::forwarded(self.outcome(), forwarded) };
        Report { waited: self == Self::LockTimeout, ..report }
    }
}

/// The cache's part in one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What became of the request.
    pub outcome: Outcome,
    /// Why the origin was asked, if it was.
    pub forwarded: Option<Forwarded>,
    /// The origin's status where it differs from, or explains, the viewer's.
    pub forwarded_status: Option<StatusCode>,
    /// The origin's answer was stored (or is being stored).
    pub stored: bool,
    /// The request shared another one's answer.
    pub collapsed: bool,
    /// The request waited for another one's answer, and had to be made all the same.
    pub waited: bool,
    /// Current age of the answer; zero where it is not from the store.
    pub age: Duration,
    /// Whole seconds of freshness left, negative when stale; none where it is not from the store.
    pub ttl_left: Option<i64>,
    /// A word of the fixed vocabulary of http-cache.md 3.19.
    pub detail: Option<&'static str>,
}

impl Report {
    /// About an answer that came from the origin and, so far, was not stored.
    pub(crate) fn forwarded(outcome: Outcome, forwarded: Forwarded) -> Self {
        Self { forwarded: Some(forwarded), ..Self::from_store(outcome) }
    }

    /// About an answer from the store.
    pub(crate) fn from_store(outcome: Outcome) -> Self {
        Self {
            outcome,
            forwarded: None,
            forwarded_status: None,
            stored: false,
            collapsed: false,
            waited: false,
            age: Duration::ZERO,
            ttl_left: None,
            detail: None,
        }
    }

    /// Our member of `Cache-Status`, to be appended behind those of other caches. `node` is this edge's name.
    #[must_use]
    pub fn cache_status(&self, node: &str) -> HeaderValue {
        HeaderValue::try_from(self.member(node)).expect("tokens, digits and a filtered name are visible ASCII")
    }

    /// The same as text.
    pub(crate) fn member(&self, node: &str) -> String {
        let mut text = String::with_capacity(64);
        push_name(&mut text, node);
        match self.forwarded {
            None => text.push_str("; hit"),
            Some(reason) => {
                text.push_str("; fwd=");
                text.push_str(reason.as_str());
                if let Some(status) = self.forwarded_status {
                    text.push_str("; fwd-status=");
                    text.push_str(status.as_str());
                }
                text.push_str(if self.stored { "; stored" } else { "" });
                text.push_str(match (self.collapsed, self.waited) {
                    (true, _) => "; collapsed",
                    (false, true) => "; collapsed=?0",
                    (false, false) => "",
                });
            }
        }
        if let Some(seconds) = self.ttl_left {
            let _ = write!(text, "; ttl={seconds}"); // writing into a String cannot fail
        }
        if let Some(detail) = self.detail {
            text.push_str("; detail=");
            text.push_str(detail);
        }
        text
    }
}

/// The name as a token of RFC 9651 where it is one, else as a string without what a string may not hold.
fn push_name(text: &mut String, node: &str) {
    let first = node.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'*');
    let token = node.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
    if first && token {
        text.push_str(node);
        return;
    }
    text.push('"');
    text.extend(node.chars().filter(|letter| (' '..='~').contains(letter) && !['"', '\\'].contains(letter)));
    text.push('"');
}

#[cfg(test)]
#[path = "tests/status.rs"]
mod tests;
