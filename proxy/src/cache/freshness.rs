//! Age and freshness of one stored response: every question that is asked of it later.
//!
//! Pure arithmetic on durations, counted from the arrival of the head (http-cache.md 3.4 and 3.7, RFC 9111 section
//! 4.2). Deliberately absent: the clock, and how the durations are found, which is `policy`'s.

use std::time::Duration;

use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use super::cache_control::{delta_seconds, split_outside_quotes};

/// The age at which a response arrives: its `Age` field plus the time it was under way (RFC 9111 section 4.2.3).
pub(crate) fn initial_age(headers: &HeaderMap, delay: Duration) -> Duration {
    let line = headers.get(header::AGE).map_or(&b""[..], |value| value.as_bytes());
    let first = split_outside_quotes(line, b',').next().unwrap_or_default();
    Duration::from_secs(delta_seconds(first.trim_ascii()).unwrap_or(0)).saturating_add(delay)
}

/// A duration in half the memory: whole microseconds, of which there are enough for half a million years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Duration", into = "Duration")]
pub(crate) struct Span(u64);

impl Span {
    /// No time at all.
    pub(crate) const ZERO: Self = Self(0);
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<Span> for Duration {
    fn from(Span(micros): Span) -> Self {
        Self::from_micros(micros)
    }
}

/// The clocks of one stored response. `resident` is always the time since its head arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Freshness {
    /// Fresh while the age is below this.
    pub(crate) lifetime: Span,
    /// Age on arrival.
    pub(crate) initial_age: Span,
    /// `no-cache`: never fresh.
    pub(crate) always_validate: bool,
    /// Past expiry: may answer while the origin is asked in the background.
    pub(crate) while_revalidating: Span,
    /// Past expiry: may answer for an origin that cannot be reached.
    pub(crate) on_unreachable: Span,
    /// Past expiry: may answer for an origin that fails (500, 502, 503, 504).
    pub(crate) on_5xx: Span,
    /// A directive forbids every use past expiry: without the origin there is no answer.
    pub(crate) never_stale: bool,
}

/// How an origin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It did not answer, or not intelligibly.
    Unreachable,
    /// It answered 500, 502, 503 or 504.
    Status,
}

impl Freshness {
    /// Age now.
    pub(crate) fn age(&self, resident: Duration) -> Duration {
        Duration::from(self.initial_age).saturating_add(resident)
    }

    /// Whether the response may be used without asking; an age equal to the lifetime is stale (RFC 9111 section 4.2).
    pub(crate) fn is_fresh(&self, resident: Duration) -> bool {
        !self.always_validate && Duration::from(self.lifetime) > self.age(resident)
    }

    /// Whole seconds of freshness left, negative when stale.
    pub(crate) fn ttl_left(&self, resident: Duration) -> i64 {
        let whole = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        whole(self.lifetime.into()).saturating_sub(whole(self.age(resident)))
    }

    /// Whether it may answer while it is validated in the background.
    pub(crate) fn may_serve_while_revalidating(&self, resident: Duration) -> bool {
        self.is_within(self.while_revalidating.into(), resident)
    }

    /// Whether it may answer instead of an origin that failed so.
    pub(crate) fn may_serve_on(&self, failure: Failure, resident: Duration) -> bool {
        let window = match failure {
            Failure::Unreachable => self.on_unreachable,
            Failure::Status => self.on_5xx,
        };
        self.is_within(window.into(), resident)
    }

    /// Whether it is still worth its memory, `keep` being the time that expired responses stay.
    pub(crate) fn is_kept(&self, keep: Duration, resident: Duration) -> bool {
        self.age(resident) < Duration::from(self.lifetime).saturating_add(keep)
    }

    /// Whether expiry was at most `window` ago.
    pub(crate) fn is_within(&self, window: Duration, resident: Duration) -> bool {
        !self.always_validate && self.age(resident) < Duration::from(self.lifetime).saturating_add(window)
    }
}
