//! What is remembered about a key without storing anything under it: a bounded table of short-lived marks.
//!
//! A mark changes how a request waits, never what it is answered. Deliberately absent: the clock.

use std::time::Duration;

use moka::{policy::EvictionPolicy, sync::Cache as Table};
use tokio::time::Instant;

use super::key::Key;

/// Marks that are kept at most; beyond, the least recently used go (http-cache.md 4.1).
const CAPACITY: u64 = 65_536;

/// What a mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The last answer could not be shared, so nobody waits for the next one.
    HitForMiss,
    /// The last body, whose length was not announced, was larger than `max_object`.
    Oversize,
    /// The origin failed a moment ago; what is stored goes on standing in for it.
    OriginFailed,
}

impl Mark {
    /// How long it holds (http-cache.md 4.1, 4.3, 3.7).
    fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::HitForMiss => 120,
            Self::Oversize => 3_600,
            Self::OriginFailed => 10,
        })
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
        self.0.insert(key.clone(), (mark, now + mark.lasts()));
    }

    /// Takes the mark away.
    pub(crate) fn clear(&self, key: &Key) {
        self.0.invalidate(key);
    }
}
