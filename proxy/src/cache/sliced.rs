//! What the cache knows for requests that are answered in slices (http-cache.md 3.10): their keys, and whether to slice at all.
//!
//! Deliberately absent: fetching and putting together, which need an origin.

use std::sync::Arc;

use http::{HeaderMap, header};

use super::{
    Ask, Cache, Now, conditional, date,
    flight::Flight,
    key::Key,
    marks::Mark,
    range::{self, ByteRange},
};

impl Ask<'_> {
    /// The first byte of the one range that is asked for; none for several, for a suffix, and without a range.
    pub(crate) fn start_of_range(&self) -> Option<u64> {
        self.one_range().map(|(first, _)| first)
    }

    /// The end of that range in a body of `total` bytes.
    pub(crate) fn end_of_range(&self, total: u64) -> u64 {
        let last = self.one_range().and_then(|(_, last)| last);
        last.map_or(total, |last| last.saturating_add(1)).min(total)
    }

    fn one_range(&self) -> Option<(u64, Option<u64>)> {
        match range::requested(self.headers)?.as_slice() {
            [ByteRange::From(first, last)] => Some((*first, *last)),
            _ => None,
        }
    }

    /// Whether `If-Range` lets a part of the response with these fields answer.
    pub(crate) fn permits_range(&self, stored: &HeaderMap, now: Now) -> bool {
        !self.headers.contains_key(header::IF_RANGE)
            || conditional::permits_range(self.headers, stored, date::unix(now.wall))
    }
}

impl Cache {
    /// Whether anything is stored in memory under a key, fresh or not, or at most `soon` bytes are on their way there.
    pub(crate) fn holds(&self, key: &Key, soon: u64) -> bool {
        let store = &self.inner.store;
        let small = |flight: &Arc<Flight>| flight.filling()?.length().filter(|length| *length <= soon);
        store.group(key).is_some()
            || store.with_slot(key, |slot| slot.flights(key).any(|flight| small(flight).is_some()))
    }

    /// Whether the last body was larger than is stored.
    pub(crate) fn is_oversize(&self, key: &Key, now: Now) -> bool {
        self.inner.marks.of(key, now.mono) == Some(Mark::Oversize)
    }

    /// Whether there is no use in asking for parts of it.
    pub(crate) fn is_fetched_whole(&self, key: &Key, now: Now) -> bool {
        self.inner.marks.of(key, now.mono) == Some(Mark::Whole)
    }

    /// Whether the last answer could not be shared.
    pub(crate) fn is_passed_by(&self, key: &Key, now: Now) -> bool {
        self.inner.marks.of(key, now.mono) == Some(Mark::HitForMiss)
    }

    /// Notes that for a while.
    pub(crate) fn pass_by(&self, key: &Key, now: Now) {
        self.inner.marks.set(key, Mark::HitForMiss, now.mono);
    }

    /// Notes for a while that there is no use in asking for parts of it.
    pub(crate) fn fetch_whole(&self, key: &Key, now: Now) {
        self.inner.marks.set(key, Mark::Whole, now.mono);
    }

    /// Whether a response of `total` bytes may be stored, and is wanted often enough.
    pub(crate) fn may_store(&self, ask: &Ask<'_>, total: u64) -> bool {
        let limit = self.inner.max_object();
        total <= ask.policy.rules.max_object.map_or(limit, |own| own.min(limit))
            && self.inner.admits(&ask.keyed.key, total, ask.policy.rules.admit_after)
    }
}
