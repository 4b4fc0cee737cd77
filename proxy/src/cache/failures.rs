//! Failures of the origin that stand for the next requests, too: the edge's own 502 and 504 obey `error_ttl` (http-cache.md 3.12).
//!
//! A bounded table in memory, by key. Whoever purges or invalidates anything, or gets an answer after all, ends it. Deliberately absent:
//! what the failure was, which whoever fetches knows; and the clock.

use std::time::Duration;

use http::StatusCode;
use moka::{policy::EvictionPolicy, sync::Cache as Table};
use tokio::time::Instant;

use super::{flight::Cause, key::Key};

/// Failures that are kept at most.
const CAPACITY: u64 = 16_384;

#[derive(Clone, Debug)]
struct Failed {
    cause: Cause,
    status: StatusCode,
    until: Instant,
    /// The number of the last purge before the origin was asked.
    purges: u64,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Failures(Table<Key, Failed>);

impl Failures {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self(Table::builder().max_capacity(CAPACITY).eviction_policy(EvictionPolicy::lru()).build())
    }

    /// Keeps a failure that lasts from `now`. `purges`: the number of the last purge before the origin was asked.
    pub(crate) fn keep(
        &self,
        key: &Key,
        (cause, status): (&Cause, StatusCode),
        lasts: Duration,
        purges: u64,
        now: Instant,
    ) {
        if !lasts.is_zero() {
            self.0.insert(key.clone(), Failed { cause: cause.clone(), status, until: now + lasts, purges });
        }
    }

    /// The failure that stands for `key`, and its status. `purges`: the number of the last purge.
    pub(crate) fn of(&self, key: &Key, purges: u64, now: Instant) -> Option<(Cause, StatusCode)> {
        let failed = self.0.get(key).filter(|failed| failed.until > now && failed.purges == purges)?;
        Some((failed.cause, failed.status))
    }

    /// The origin has answered.
    pub(crate) fn clear(&self, key: &Key) {
        self.0.invalidate(key);
    }

    /// Nothing that is kept stands any more.
    pub(crate) fn clear_all(&self) {
        self.0.invalidate_all();
    }
}
