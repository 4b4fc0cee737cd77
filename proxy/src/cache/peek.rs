//! What a lookup would say, without its effects: nothing is fetched, waited for, kept longer or counted.
//!
//! The decisions are those of `lookup`, in its order; a property test over whole edges holds the two together. Deliberately absent:
//! fetches that are under way, which a moment later are over; and slices of large objects, by which a range may be answered.

use super::Key;
use super::{
    Ask, BypassReason, Cache, Now, entry::Entry, marks::Mark, purge::Verdict, request_control::Suits, store::Group,
    ticket::MissReason,
};
use http::{HeaderMap, StatusCode};
use std::{sync::Arc, time::Duration};

/// What would become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeked {
    /// A fresh answer is stored.
    Hit(Stored),
    /// A stale answer would be used.
    Stale(Stored),
    /// The origin would be asked, and its answer be stored if it may be.
    Miss(MissReason, Option<Stored>),
    /// The origin would be asked past the cache.
    Bypass(BypassReason),
    /// The origin failed a moment ago, and its failure, of this status, stands.
    Failed(StatusCode),
    /// The request wants what is stored and nothing else, and nothing is.
    NotCached,
}

/// A stored answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its age.
    pub age: Duration,
    /// Whole seconds of freshness left, negative when stale.
    pub ttl_left: i64,
}

impl Cache {
    /// What lies under a key in memory, else on disk; what is on disk stays there.
    async fn seen(&self, key: &Key, now: Now) -> Option<Group> {
        match (self.inner.store.group(key), self.inner.disk.get()) {
            (None, Some(disk)) => Group::new(disk.find(key, now).await),
            (group, _) => group,
        }
    }

    /// What is stored under a key for a request with these fields, and whether it is fresh.
    pub async fn stored(&self, key: &Key, headers: &HeaderMap, now: Now) -> Option<(Stored, bool)> {
        let group = self.seen(key, now).await?;
        let entry = group.select(headers).filter(|entry| self.inner.vet(key, entry) != Verdict::Gone)?;
        let (freshness, resident) = (&entry.meta.freshness, entry.meta.resident(now));
        let fresh = freshness.is_fresh(resident) && self.inner.vet(key, entry) == Verdict::Keep;
        Some((Stored { age: freshness.age(resident), ttl_left: freshness.ttl_left(resident) }, fresh))
    }

    /// What [`Cache::lookup`] would say at `now`.
    pub async fn peek(&self, ask: &Ask<'_>, now: Now) -> Peeked {
        if let Some(reason) = ask.bypass().or_else(|| self.paused()) {
            return Peeked::Bypass(reason);
        }
        let inner = &self.inner;
        let key = &ask.keyed.key;
        let group = self.seen(key, now).await;
        let keep = ask.policy.rules.keep.unwrap_or(inner.limits.keep);
        let alive = |entry: &&Arc<Entry>| {
            !entry.is_damaged()
                && inner.vet(key, entry) != Verdict::Gone
                && entry.meta.freshness.is_kept(keep, entry.meta.resident(now))
        };
        let entry = group.as_ref().and_then(|group| group.select(ask.headers).filter(alive));
        let stored = entry.map(|entry| {
            let (freshness, resident) = (&entry.meta.freshness, entry.meta.resident(now));
            Stored { age: freshness.age(resident), ttl_left: freshness.ttl_left(resident) }
        });
        let control = ask.control();
        let suits = entry.map_or(Suits::Refused, |entry| {
            if inner.vet(key, entry) == Verdict::Keep {
                control.judge(&entry.meta.freshness, entry.meta.resident(now))
            } else {
                // Purged softly.
                Suits::Stale
            }
        });
        let usable = |entry: &&Arc<Entry>| {
            let (freshness, resident) = (&entry.meta.freshness, entry.meta.resident(now));
            let failed = matches!(inner.marks.of(key, now.mono), Some(Mark::OriginFailed(failure))
                if freshness.may_serve_on(failure, resident));
            failed || (ask.needs_complete().is_none() && freshness.may_serve_while_revalidating(resident))
        };
        match (suits, stored) {
            (Suits::Fresh, Some(stored)) => return Peeked::Hit(stored),
            (Suits::Tolerated, Some(stored)) => return Peeked::Stale(stored),
            (Suits::Stale, Some(stored)) if entry.filter(usable).is_some() => return Peeked::Stale(stored),
            _ => {}
        }
        if control.only_if_cached {
            return Peeked::NotCached;
        }
        if let Some(reason) = ask.needs_complete() {
            return Peeked::Bypass(reason);
        }
        let failed = inner.failures.of(key, inner.purges.number(), now.mono).filter(|_| !control.no_cache);
        if let Some((_, status)) = failed {
            return Peeked::Failed(status);
        }
        let reason = match (&group, entry) {
            (None, _) => MissReason::UriMiss,
            (Some(group), None) if group.entries().iter().all(|entry| inner.vet(key, entry) == Verdict::Gone) => {
                MissReason::UriMiss
            }
            (Some(_), None) => MissReason::VaryMiss,
            (Some(_), Some(entry)) if entry.meta.is_fresh(now) && suits != Suits::Stale => MissReason::Request,
            (Some(_), Some(_)) => MissReason::Stale,
        };
        Peeked::Miss(reason, stored)
    }
}
