//! What is remembered about a key without storing anything under it: a bounded table of short-lived marks.
//!
//! A mark changes how a request waits, never what it is answered. Deliberately absent: the clock.

use std::time::Duration;

use moka::{policy::EvictionPolicy, sync::Cache as Table};
use tokio::time::Instant;

use super::{freshness::Failure, key::Key};

/// Marks that are kept at most; beyond, the least recently used go (http-cache.md 4.1).
const CAPACITY: u64 = 65_536;

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The last answer could not be shared, so nobody waits for the next one.
    HitForMiss,
    /// The last body, whose length was not announced, was larger than `max_object`.
    Oversize,
    /// Parts of it cannot be put together, or need not be: a request for a range waits for the whole.
    Whole,
    /// The origin failed so a moment ago; what is stored goes on standing in for it.
    OriginFailed(Failure),
}

impl Mark {
    /// How long it holds (http-cache.md 4.1, 4.3, 3.7); `retry` is the pause between tries of a failing origin.
    fn lasts(self, retry: Duration) -> Duration {
        match self {
            Self::HitForMiss => Duration::from_secs(120),
            Self::Oversize | Self::Whole => Duration::from_secs(3_600),
            Self::OriginFailed(_) => retry,
        }
    }
}

/// The table of marks, one per key.
#[derive(Debug)]
pub(crate) struct Marks(Table<Key, (Mark, Instant)>);

impl Marks {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self(Table::builder().max_capacity(CAPACITY).eviction_policy(EvictionPolicy::lru()).build())
    }

    /// The mark that holds for `key`.
    pub(crate) fn of(&self, key: &Key, now: Instant) -> Option<Mark> {
        self.0.get(key).filter(|(_, until)| *until > now).map(|(mark, _)| mark)
    }

    /// Sets a mark, in place of any other.
    pub(crate) fn set(&self, key: &Key, mark: Mark, now: Instant) {
        self.set_for(key, mark, Duration::ZERO, now);
    }

    /// The same, with the pause between tries of a failing origin.
    pub(crate) fn set_for(&self, key: &Key, mark: Mark, retry: Duration, now: Instant) {
        let lasts = mark.lasts(retry);
        if !lasts.is_zero() {
            self.0.insert(key.clone(), (mark, now + lasts));
        }
    }

    /// Takes the mark away.
    pub(crate) fn clear(&self, key: &Key) {
        self.0.invalidate(key);
    }
}

/// URLs whose variants replace one another: past [`MOST_OVERFLOWS`] in [`OVERFLOW_WINDOW`] no new variant is stored.
#[derive(Debug)]
pub(crate) struct Overflows(Table<Key, (u32, Instant)>);

/// Evictions of one key's variants by other variants that are tolerated in the window (http-cache.md 3.9).
const MOST_OVERFLOWS: u32 = 256;
const OVERFLOW_WINDOW: Duration = Duration::from_secs(600);

impl Overflows {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self(Table::builder().max_capacity(CAPACITY).eviction_policy(EvictionPolicy::lru()).build())
    }

    /// Counts one more variant that would push another one out; says whether it may.
    pub(crate) fn admit(&self, key: &Key, now: Instant) -> bool {
        let counted = self.0.get(key).filter(|(_, until)| *until > now);
        let (count, until) = counted.unwrap_or((0, now + OVERFLOW_WINDOW));
        if count >= MOST_OVERFLOWS {
            return false;
        }
        self.0.insert(key.clone(), (count + 1, until));
        true
    }
}

#[cfg(test)]
#[path = "tests/marks.rs"]
mod tests;
