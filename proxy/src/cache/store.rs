//! The memory tier: complete responses by key, weighed in bytes, with an index by URL.
//!
//! Reading takes no lock of ours. Writing goes through the URL's [`Slot`], under the lock of its shard, so that storing
//! and invalidating exclude one another: a fill may store only while its flight stands in the slot, an invalidation
//! empties the slot, and therefore nothing that began before an invalidation is ever stored after it (security.md F8).
//! Deliberately absent: the clock, and any lock held while waiting.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderMap, header};
use moka::{notification::RemovalCause, sync::Cache as Table};

use super::{
    entry::Entry,
    flight::Flight,
    key::{Key, UrlKey},
    vary::Variant,
};

/// Variants per key; beyond, the least recently used goes (http-cache.md 3.9).
const MAX_VARIANTS: usize = 64;

const SHARDS: usize = 64;

/// All variants stored under one key, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Group {
    entries: Vec<Arc<Entry>>,
}

impl Group {
    /// The response for this request: of those that match the newest, negotiated ones first.
    pub(crate) fn select(&self, request: &HeaderMap) -> Option<&Arc<Entry>> {
        let mut matching = self.entries.iter().filter(|entry| entry.meta.variant.matches(request));
        let first = matching.next()?;
        let Some(second) = matching.next() else { return Some(first) }; // nearly always: no date to be read
        let all = [first, second].into_iter().chain(matching);
        all.max_by_key(|entry| (entry.meta.variant.is_negotiated(), entry.meta.date()))
    }

    /// Other variants than `chosen` that have an entity-tag.
    pub(crate) fn tagged_besides(&self, chosen: Option<&Arc<Entry>>) -> Vec<Arc<Entry>> {
        let others = self.entries.iter().rev().filter(|entry| chosen.is_none_or(|chosen| !Arc::ptr_eq(entry, chosen)));
        others.filter(|entry| entry.meta.headers.contains_key(header::ETAG)).cloned().collect()
    }

    /// The variant stored last, whose `Vary` is the best guess for the next answer's.
    pub(crate) fn latest(&self) -> Option<&Arc<Entry>> {
        self.entries.last()
    }

    /// All variants.
    pub(crate) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    fn weight(&self, key: &Key) -> u64 {
        let entries: usize = self.entries.iter().map(|entry| entry.weight()).sum();
        (entries + key.weight()) as u64
    }
}

/// What is stored and what is on its way for one URL.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    keys: HashSet<Key>,
    /// Fills that others may join: at their head, or at the body that is coming in.
    flights: Vec<Arc<Flight>>,
    /// Fills that nobody can join (yet), by id: there may be thousands, and nobody has to look through them.
    lone: HashMap<u64, Arc<Flight>>,
}

impl Slot {
    /// The running fills of one key that may be joined.
    pub(crate) fn flights<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Arc<Flight>> {
        self.flights.iter().filter(move |flight| flight.key == *key)
    }

    /// Lets a fill begin: from now on it may store.
    pub(crate) fn admit(&mut self, flight: Arc<Flight>) {
        if flight.joinable {
            self.flights.push(flight);
        } else {
            self.lone.insert(flight.id, flight);
        }
    }

    /// Shows a fill that nobody could join to everybody, unless its licence was revoked.
    pub(crate) fn show(&mut self, flight: &Arc<Flight>) {
        if self.lone.remove(&flight.id).is_some() {
            self.flights.push(Arc::clone(flight));
        }
    }

    /// Whether the fill may (still) store.
    pub(crate) fn licenses(&self, flight: &Flight) -> bool {
        self.lone.contains_key(&flight.id) || self.flights.iter().any(|known| known.id == flight.id)
    }

    /// Takes the fill out; it can neither be joined nor store any more.
    pub(crate) fn dismiss(&mut self, flight: &Flight) {
        if self.lone.remove(&flight.id).is_none() {
            self.flights.retain(|known| known.id != flight.id);
        }
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.flights.is_empty() && self.lone.is_empty()
    }
}

type Shard = HashMap<UrlKey, Slot>;

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    objects: Table<Key, Arc<Group>>,
    shards: Vec<Mutex<Shard>>,
    /// Keys that fell to the memory limit and are still in their slots.
    evicted: Arc<Mutex<Vec<Key>>>,
    evictions: Arc<AtomicU64>,
    memory: u64,
    /// Bytes stored since the table last put its house in order.
    unsettled: AtomicU64,
}

impl Store {
    /// An empty store for that many bytes.
    pub(crate) fn new(memory: u64) -> Self {
        let evicted = Arc::new(Mutex::new(Vec::new()));
        let fallen = Arc::clone(&evicted);
        let evictions = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&evictions);
        let objects = Table::builder()
            .max_capacity(memory)
            .weigher(|key: &Key, group: &Arc<Group>| u32::try_from(group.weight(key)).unwrap_or(u32::MAX))
            .eviction_listener(move |key: Arc<Key>, _, cause| {
                if cause == RemovalCause::Size {
                    count.fetch_add(1, Ordering::Relaxed);
                    lock(&fallen).push(Key::clone(&key));
                }
            })
            .build();
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { objects, shards, evicted, evictions, memory, unsettled: AtomicU64::new(0) }
    }

    /// What is stored under a key.
    pub(crate) fn group(&self, key: &Key) -> Option<Arc<Group>> {
        self.objects.get(key)
    }

    /// Works on the slot of the key's URL with everybody else kept out. `work` must not come back here.
    pub(crate) fn with_slot<R>(&self, key: &Key, work: impl FnOnce(&mut Slot) -> R) -> R {
        let mut shard = self.shard(key);
        let url = key.url();
        let slot = shard.entry(url.clone()).or_default();
        let result = work(slot);
        if slot.is_empty() {
            shard.remove(&url);
        }
        result
    }

    /// Stores what a fill brought, if it still may and no purge covers it, and ends the fill. `replaced` goes, as does the
    /// same variant's old response.
    pub(crate) fn commit(
        &self,
        flight: &Arc<Flight>,
        entry: Arc<Entry>,
        replaced: Option<&Arc<Entry>>,
        purged: impl FnOnce() -> bool,
    ) -> bool {
        let key = &flight.key;
        let weight = entry.weight() as u64;
        let stored = self.with_slot(key, |slot| {
            let licensed = slot.licenses(flight) && !purged();
            slot.dismiss(flight);
            if licensed {
                let old = self.objects.get(key);
                let mut entries = old.map(|group| group.entries.clone()).unwrap_or_default();
                entries.retain(|known| {
                    replaced.is_none_or(|replaced| !Arc::ptr_eq(known, replaced))
                        && known.meta.variant != entry.meta.variant
                });
                make_room(&mut entries);
                entries.push(entry);
                slot.keys.insert(key.clone());
                self.objects.insert(key.clone(), Arc::new(Group { entries }));
            }
            licensed
        });
        if stored {
            self.settle(weight);
        }
        stored
    }

    /// Takes in what was found elsewhere under a key, if nothing is stored there and `still` says so under the slot's lock.
    pub(crate) fn adopt(&self, key: &Key, entries: Vec<Arc<Entry>>, still: impl FnOnce() -> bool) {
        let weight = entries.iter().map(|entry| entry.weight() as u64).sum();
        self.with_slot(key, |slot| {
            if still() && self.objects.get(key).is_none() {
                slot.keys.insert(key.clone());
                self.objects.insert(key.clone(), Arc::new(Group { entries }));
            }
        });
        self.settle(weight);
    }

    /// Looks through what is stored under a key whose slot the caller has: `revise` keeps an entry, puts another in its
    /// place, or drops it.
    pub(crate) fn revise(&self, slot: &mut Slot, key: &Key, mut revise: impl FnMut(&Arc<Entry>) -> Option<Arc<Entry>>) {
        let Some(group) = self.objects.get(key) else { return };
        let entries: Vec<Arc<Entry>> = group.entries.iter().filter_map(&mut revise).collect();
        if entries.is_empty() {
            slot.keys.remove(key);
            self.objects.invalidate(key);
        } else if !entries.iter().map(Arc::as_ptr).eq(group.entries.iter().map(Arc::as_ptr)) {
            self.objects.insert(key.clone(), Arc::new(Group { entries }));
        }
    }

    /// All keys under which something is stored, and what; what comes or goes meanwhile may be missing.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (Arc<Key>, Arc<Group>)> {
        self.objects.iter()
    }

    /// The least number of a purge that a running fill which may store began after.
    pub(crate) fn oldest_flight(&self) -> Option<u64> {
        let of_shard = |shard: &Mutex<Shard>| {
            let shard = lock(shard);
            let flights = shard.values().flat_map(|slot| slot.flights.iter().chain(slot.lone.values()));
            flights.map(|flight| flight.asked_at()).min()
        };
        self.shards.iter().filter_map(of_shard).min()
    }

    /// Removes one stored response, if it is still there.
    pub(crate) fn discard(&self, key: &Key, entry: &Arc<Entry>) {
        self.with_slot(key, |slot| {
            let Some(group) = self.objects.get(key) else { return };
            let mut entries = group.entries.clone();
            entries.retain(|known| !Arc::ptr_eq(known, entry));
            if entries.is_empty() {
                slot.keys.remove(key);
                self.objects.invalidate(key);
            } else if entries.len() < group.entries.len() {
                self.objects.insert(key.clone(), Arc::new(Group { entries }));
            }
        });
    }

    /// Puts a renewed head in the place of a stored response, if that is still there.
    pub(crate) fn renew(&self, key: &Key, old: &Arc<Entry>, new: Arc<Entry>) {
        self.with_slot(key, |_| {
            let Some(group) = self.objects.get(key) else { return };
            let mut entries = group.entries.clone();
            if let Some(place) = entries.iter_mut().find(|known| Arc::ptr_eq(known, old)) {
                *place = new;
                self.objects.insert(key.clone(), Arc::new(Group { entries }));
            }
        });
    }

    /// Whether one more variant would push another one out.
    pub(crate) fn is_crowded(&self, key: &Key, variant: &Variant) -> bool {
        let group = self.objects.get(key);
        let full = group.filter(|group| group.entries.len() >= MAX_VARIANTS);
        full.is_some_and(|group| group.entries.iter().all(|known| known.meta.variant != *variant))
    }

    /// Removes everything under the flight's URL and revokes the licence of every other fill, if the flight may still
    /// store; says whether it may.
    pub(crate) fn supersede(&self, flight: &Arc<Flight>) -> bool {
        self.with_slot(&flight.key, |slot| {
            if !slot.licenses(flight) {
                return false;
            }
            slot.keys.drain().for_each(|key| self.objects.invalidate(&key));
            slot.flights.retain(|known| known.id == flight.id);
            slot.lone.retain(|known, _| *known == flight.id);
            true
        })
    }

    /// Removes everything under the key's URL and revokes the licence of every running fill; returns how many keys
    /// went.
    pub(crate) fn invalidate(&self, key: &Key) -> usize {
        let mut shard = self.shard(key);
        let slot = shard.remove(&key.url()).unwrap_or_default();
        slot.keys.iter().for_each(|key| self.objects.invalidate(key)); // still under the lock: no commit comes between
        slot.keys.len()
    }

    /// Removes everything and revokes the licence of every running fill; returns how many keys went.
    pub(crate) fn clear(&self) -> usize {
        let mut gone = 0;
        for shard in &self.shards {
            let mut shard = lock(shard);
            for (_, slot) in shard.drain() {
                gone += slot.keys.len();
                slot.keys.iter().for_each(|key| self.objects.invalidate(key));
            }
        }
        gone
    }

    /// Bytes in use, as of the last time the table was in order.
    pub(crate) fn weight(&self) -> u64 {
        self.objects.weighted_size()
    }

    /// Keys that had to leave for others.
    pub(crate) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Has the table evict in time, so that memory is exceeded by a sixteenth at most, and keeps the index in step with
    /// it.
    fn settle(&self, weight: u64) {
        let unsettled = self.unsettled.fetch_add(weight, Ordering::Relaxed) + weight;
        if unsettled > self.memory / 16 {
            self.unsettled.store(0, Ordering::Relaxed);
            self.objects.run_pending_tasks();
        }
        let evicted = std::mem::take(&mut *lock(&self.evicted));
        for key in evicted {
            self.with_slot(&key, |slot| {
                if !self.objects.contains_key(&key) {
                    slot.keys.remove(&key);
                }
            });
        }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        let index = usize::try_from(key.url_hash() % SHARDS as u64).unwrap_or(0);
        lock(self.shards.get(index).expect("the index is below the number of shards"))
    }
}

fn make_room(entries: &mut Vec<Arc<Entry>>) {
    while entries.len() >= MAX_VARIANTS {
        let oldest = entries.iter().enumerate().min_by_key(|(_, entry)| entry.last_used());
        let Some((index, _)) = oldest else { return };
        entries.remove(index);
    }
}

/// Locks even after a panic elsewhere: every critical section leaves its table consistent at each step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "tests/store.rs"]
mod tests;
