//! The HTTP cache: what may be stored, for how long, under which key, and how requests share one fetch.
//!
//! Use: make a [`KeyedRequest`], [`Cache::lookup`], and either send what was [`Served`], or fetch with the
//! [`FetchTicket`] and [`settle`](FetchTicket::settle) it, or fetch past the cache for a [`BypassReason`]. One file per
//! concept: `key`, `cache_control`, `request_control`, `targeted`, `date`, `vary`, `conditional`, `range` read messages;
//! `normalise` evens requests out, `search` knows which parameters make no difference;
//! `rules`, `policy` and `freshness` decide and are pure; `entry`, `store`, `marks`, `failures` keep; `tags`, `purge`, `sweep` forget;
//! `flight`, `buffer`, `fill` share running fetches; `serve`, `parts`, `ticket`, `described`, `status` make answers.
//! Deliberately absent: HTTP versions, connections, functions, and configuration beyond [`CachePolicy`] and
//! [`CacheLimits`].

mod at_hand;
mod buffer;
mod cache_control;
mod conditional;
mod date;
mod described;
mod disk;
mod duties;
mod entry;
mod failures;
mod fields;
mod fill;
mod flight;
mod freshness;
mod key;
mod lookup;
mod marks;
mod nearest;
mod normalise;
mod parts;
mod peek;
mod policy;
mod prefix;
mod purge;
mod range;
mod recall;
mod request_control;
mod rules;
mod search;
mod serve;
mod sliced;
mod status;
mod store;
mod sweep;
mod tags;
mod targeted;
mod ticket;
mod vary;

#[cfg(test)]
#[path = "tests/mod.rs"]
pub(crate) mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{Notify, OnceCell},
    time::Instant,
};

pub(crate) use self::{at_hand::AtHand, fields::FieldName, parts::Cut, prefix::Prefix, range::told as told_range};
pub use self::{
    conditional::Validators,
    disk::DiskSettings,
    duties::finish_passed,
    flight::Cause,
    freshness::Failure,
    key::{Key, KeyInput, KeyedRequest},
    lookup::{Ask, Lookup},
    nearest::{Difference, Near},
    normalise::{Coding, Normalise, joined},
    peek::{Peeked, Stored},
    policy::{CachePolicy, Delimited, NoStoreReason, Selection, Ttl},
    purge::{Kind as PurgeKind, Recorded, Scope},
    rules::{AgePenalty, ErrorTtl, Rules, SetCookie, Targeted, VaryLanguage},
    serve::Served,
    status::{BypassReason, Forwarded, Outcome, Report},
    sweep::{PurgeOrder, Purged},
    tags::{TagRules, invalidated_groups},
    ticket::{FetchTicket, MissReason, OriginAnswer, Settled, Settlement, StandIn, StoreResult},
};
use self::{
    disk::Disk,
    failures::Failures,
    marks::{Marks, Overflows},
    purge::Purges,
    search::Searches,
    store::Store,
};
use crate::world::World;

/// A moment on both clocks: dates of messages are compared with the wall, durations are counted on the monotonic one.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The wall clock.
    pub wall: SystemTime,
    /// The monotonic clock.
    pub mono: Instant,
}

impl Now {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        Self { wall: SystemTime::now(), mono: Instant::now() }
    }
}

/// How much the cache may keep, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct CacheLimits {
    /// Bytes of complete responses: bodies, heads and what they cost to keep.
    pub memory: u64,
    /// Bytes of the largest body that is stored; at most `memory` counts.
    pub max_object: u64,
    /// How long an expired response stays for validation and for a failing origin.
    pub keep: Duration,
}

impl CacheLimits {
    /// Bytes of the largest response that memory may have to hold: where `max_object` is beyond it, there is a disk for those.
    fn largest_in_memory(&self) -> u64 {
        if self.max_object > self.memory { self.memory / 16 } else { self.max_object }
    }
}

/// The cache. Cloning is cheap and shares everything.
#[derive(Clone, Debug)]
pub struct Cache {
    inner: Arc<Inner>,
}

/// What all handles, tickets and fills share.
#[derive(Debug)]
pub(crate) struct Inner {
    store: Store,
    marks: Marks,
    overflows: Overflows,
    failures: Failures,
    purges: Purges,
    searches: Searches,
    disk: OnceLock<Disk>,
    /// Keys that are being looked for on disk.
    recalls: Mutex<HashMap<Key, Arc<OnceCell<()>>>>,
    /// Rung when purges have piled up.
    sweeper: Notify,
    limits: CacheLimits,
    /// Where fills read the time.
    world: World,
    /// The first moment that was seen; uses are dated from it.
    epoch: OnceLock<Instant>,
    /// Whether requests pass by.
    paused: AtomicBool,
}

impl Inner {
    /// Milliseconds from the first moment that the cache saw.
    pub(crate) fn uptime(&self, now: Instant) -> u64 {
        let epoch = self.epoch.get_or_init(|| now);
        u64::try_from(now.saturating_duration_since(*epoch).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Cache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        Self::within(World::Real, limits)
    }

    /// An empty cache in a world of its own.
    #[must_use]
    pub fn within(world: World, limits: CacheLimits) -> Self {
        let inner = Inner {
            store: Store::new(limits.memory, limits.largest_in_memory()),
            marks: Marks::new(),
            overflows: Overflows::new(),
            failures: Failures::new(),
            purges: Purges::default(),
            searches: Searches::default(),
            disk: OnceLock::new(),
            recalls: Mutex::default(),
            sweeper: Notify::new(),
            limits,
            world,
            epoch: OnceLock::new(),
            paused: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Removes everything under the URL of `key` (all variants, whatever their keyed fields and cookies) and makes sure
    /// that no fetch that has begun by now is stored; returns how many keys were removed. For 2xx and 3xx answers to
    /// unsafe methods (http-cache.md 3.14), with a key made by the policy under which GET is answered.
    pub fn invalidate(&self, key: &Key) -> usize {
        // In this order: whoever looks on disk from now on finds nothing, and what was found before is not kept.
        self.inner.disk.get().inspect(|disk| disk.hide(key));
        self.inner.failures.clear_all();
        let gone = self.inner.store.invalidate(key);
        self.inner.disk.get().inspect(|disk| disk.invalidate(key));
        gone
    }

    /// The same for everything there is, on disk too.
    pub fn clear(&self) -> usize {
        if self.inner.disk.get().is_some() {
            let order = PurgeOrder { scopes: vec![Scope::All], kind: PurgeKind::Hard, sync: false, count: false };
            drop(self.purge(&order, Now::read()));
        }
        self.inner.store.clear()
    }

    /// Passes every request by the cache from now on, or no longer; what is stored stays.
    pub(crate) fn pause(&self, paused: bool) {
        self.inner.paused.store(paused, Ordering::Relaxed);
    }

    fn paused(&self) -> Option<BypassReason> {
        self.inner.paused.load(Ordering::Relaxed).then_some(BypassReason::Paused)
    }

    /// Has the origin asked again wherever it failed a moment ago: it may be another one now.
    pub(crate) fn forget_failures(&self) {
        self.inner.failures.clear_all();
    }

    /// Bytes in use, as of the last time that the store was put in order.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.inner.store.weight()
    }

    /// Keys whose answers had to leave memory for others, since the start.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.inner.store.evictions()
    }
}

/// Starts a task of the cache's own.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    #[cfg(test)]
    let Err(task) = tests::model::spawn(task) else { return };
    tokio::spawn(task);
}

/// A place between two steps at which the model of interleavings lets others run; nothing outside of it.
#[inline]
pub(crate) fn point() {
    #[cfg(test)]
    tests::model::point();
}
