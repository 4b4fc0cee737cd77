//! The `Cache-Control` field of a request, where the rules let it count (http-cache.md 3.1, RFC 9111 section 5.2.1).
//!
//! Deliberately absent: `Pragma`, which means nothing, and unknown or malformed directives, which have no effect.

use std::time::Duration;

use http::{HeaderMap, header};

use super::{
    cache_control::{delta_seconds, split_outside_quotes, unquote},
    freshness::Freshness,
};

/// What a viewer wants of a stored response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestControl {
    /// The answer is not to be stored.
    pub(crate) no_store: bool,
    /// Nothing is to be answered without asking the origin.
    pub(crate) no_cache: bool,
    /// Nothing is to be answered that is not stored.
    pub(crate) only_if_cached: bool,
    max_age: Option<Duration>,
    min_fresh: Option<Duration>,
    max_stale: Option<Duration>,
}

/// Whether a stored response will do for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suits {
    /// It is fresh, and nothing that the viewer said speaks against it.
    Fresh,
    /// It is stale, but the viewer takes it.
    Tolerated,
    /// It is fresh, but the viewer wants better.
    Refused,
    /// It is stale.
    Stale,
}

impl RequestControl {
    /// Reads a request's directives.
    pub(crate) fn parse(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        for line in headers.get_all(header::CACHE_CONTROL) {
            split_outside_quotes(line.as_bytes(), b',').for_each(|member| control.take(member.trim_ascii()));
        }
        control
    }

    fn take(&mut self, member: &[u8]) {
        let mut halves = member.splitn(2, |byte| *byte == b'=');
        let name = halves.next().unwrap_or_default().to_ascii_lowercase();
        let value = halves.next().map(unquote);
        let seconds = || value.as_deref().and_then(delta_seconds).map(Duration::from_secs);
        match name.as_slice() {
            b"no-store" => self.no_store = true,
            b"no-cache" => self.no_cache = true,
            b"only-if-cached" => self.only_if_cached = true,
            b"max-age" => self.max_age = seconds().or(self.max_age),
            b"min-fresh" => self.min_fresh = seconds().or(self.min_fresh),
            b"max-stale" => self.max_stale = if value.is_none() { Some(Duration::MAX) } else { seconds() },
            _ => {}
        }
    }

    /// Judges a stored response by its clocks.
    pub(crate) fn judge(&self, clocks: &Freshness, resident: Duration) -> Suits {
        let age = clocks.age(resident);
        let wanted = !self.no_cache
            && self.max_age.is_none_or(|most| age <= most)
            && self.min_fresh.is_none_or(|least| Duration::from(clocks.lifetime) >= age.saturating_add(least));
        if clocks.is_fresh(resident) {
            return if wanted { Suits::Fresh } else { Suits::Refused };
        }
        let tolerated = self.max_stale.is_some_and(|most| clocks.is_within(most, resident)) && !clocks.never_stale;
        let aged = !self.no_cache && self.max_age.is_none_or(|most| age <= most);
        if tolerated && aged { Suits::Tolerated } else { Suits::Stale }
    }
}

#[cfg(test)]
#[path = "tests/request_control.rs"]
mod tests;
