//! The memory tier: complete responses by key, weighed in bytes, with an index by URL.
//!
//! Reading takes no lock of ours. Writing goes through the URL's [`Slot`], under the lock of its shard, so that storing
//! and invalidating exclude one another: a fill may store only while its flight stands in the slot, an invalidation
//! empties the slot, and therefore nothing that began before an invalidation is ever stored after it (security.md F8).
//! There may be millions of responses: what each costs beyond its bytes is counted in tens of bytes here, which is why a
//! group of one is its response, a URL of one key has that key and nothing else, and the table is quick_cache's (S3-FIFO's
//! kin; 50 bytes an entry, where moka takes 300 and six times as long for a read).
//! Deliberately absent: the clock, and any lock held while waiting.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry as Place},
    hash::{BuildHasherDefault, Hasher},
    slice,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hashbrown::{HashTable, hash_table::Entry as Slotted};
use http::{HeaderMap, header};
use quick_cache::{Lifecycle, OptionsBuilder, Weighter, sync::Cache as Table};

use super::{
    entry::Entry,
    flight::Flight,
    key::{Key, UrlKey},
    vary::Variant,
};

/// Variants per key; beyond, the least recently used goes (http-cache.md 3.9).
const MAX_VARIANTS: usize = 64;

const SHARDS: usize = 64;

/// Most parts of the table that are locked by themselves.
const MAX_PARTS: u64 = 64;

/// A typical response's weight: how many keys are remembered that fell to the limit is reckoned from it.
const TYPICAL: u64 = 8 << 10;

/// The share of memory for responses that were asked for again; the rest is where new ones have to prove themselves, with
/// room for more than one of the largest.
const PROVEN: f64 = 0.8;

/// All variants stored under one key, oldest first; at least one.
#[derive(Clone, Debug)]
pub(crate) enum Group {
    /// Nearly always.
    One(Arc<Entry>),
    /// More.
    Several(Arc<[Arc<Entry>]>),
}

impl Group {
    /// A group of these, if there are any.
    pub(crate) fn new(mut entries: Vec<Arc<Entry>>) -> Option<Self> {
        match entries.len() {
            0 => None,
            1 => entries.pop().map(Self::One),
            _ => Some(Self::Several(entries.into())),
        }
    }

    /// The response for this request: of those that match the newest, negotiated ones first.
    pub(crate) fn select(&self, request: &HeaderMap) -> Option<&Arc<Entry>> {
        let mut matching = self.entries().iter().filter(|entry| entry.meta.variant.matches(request));
        let first = matching.next()?;
        let Some(second) = matching.next() else { return Some(first) }; // nearly always: no date to be read
        let all = [first, second].into_iter().chain(matching);
        all.max_by_key(|entry| (entry.meta.variant.is_negotiated(), entry.meta.date()))
    }

    /// Other variants than `chosen` that have an entity-tag.
    pub(crate) fn tagged_besides(&self, chosen: Option<&Arc<Entry>>) -> Vec<Arc<Entry>> {
        let others =
            self.entries().iter().rev().filter(|entry| chosen.is_none_or(|chosen| !Arc::ptr_eq(entry, chosen)));
        others.filter(|entry| entry.meta.headers.get(&header::ETAG).is_some()).cloned().collect()
    }

    /// The variant stored last, whose `Vary` is the best guess for the next answer's.
    pub(crate) fn latest(&self) -> Option<&Arc<Entry>> {
        self.entries().last()
    }

    /// All variants.
    pub(crate) fn entries(&self) -> &[Arc<Entry>] {
        match self {
            Self::One(entry) => slice::from_ref(entry),
            Self::Several(entries) => entries,
        }
    }
}

/// The keys that something is stored under, of one URL (of several, should their hashes be the same).
#[derive(Debug)]
enum Keys {
    One(Key),
    #[allow(
        clippy::box_collection,
        reason = "one in a million URLs has several keys, and all pay for the size of this"
    )]
    Several(Box<HashSet<Key>>),
}

impl Keys {
    fn insert(&mut self, key: &Key) {
        match self {
            Self::One(known) if known == key => {}
            Self::One(known) => *self = Self::Several(Box::new([known.clone(), key.clone()].into())),
            Self::Several(keys) => drop(keys.insert(key.clone())),
        }
    }

    /// Takes a key out; says whether none is left.
    fn remove(&mut self, key: &Key) -> bool {
        match self {
            Self::One(known) => known == key,
            Self::Several(keys) => {
                keys.remove(key);
                keys.is_empty()
            }
        }
    }

    fn into_vec(self) -> Vec<Key> {
        match self {
            Self::One(key) => vec![key],
            Self::Several(keys) => keys.into_iter().collect(),
        }
    }

    /// The hash of the URL, which all of them share.
    fn url_hash(&self) -> u64 {
        match self {
            Self::One(key) => key.url_hash(),
            Self::Several(keys) => keys.iter().next().map_or(0, Key::url_hash), // there is one
        }
    }
}

/// Keys by the hash of their URL. It is not kept: it can be had from the keys, and half of a table is empty.
#[derive(Debug, Default)]
struct KeysByUrl(HashTable<Keys>);

impl KeysByUrl {
    fn insert(&mut self, url_hash: u64, key: &Key) {
        match self.0.entry(url_hash, |keys| keys.url_hash() == url_hash, Keys::url_hash) {
            Slotted::Occupied(mut known) => known.get_mut().insert(key),
            Slotted::Vacant(free) => drop(free.insert(Keys::One(key.clone()))),
        }
    }

    fn remove(&mut self, url_hash: u64, key: &Key) {
        if let Ok(mut known) = self.0.find_entry(url_hash, |keys| keys.url_hash() == url_hash)
            && known.get_mut().remove(key)
        {
            known.remove();
        }
    }

    /// All keys under a hash, which from now on are not known here any more.
    fn take(&mut self, url_hash: u64) -> Vec<Key> {
        let known = self.0.find_entry(url_hash, |keys| keys.url_hash() == url_hash);
        known.map(|known| known.remove().0.into_vec()).unwrap_or_default()
    }
}

/// The fills of one URL.
#[derive(Debug, Default)]
struct Flights {
    /// Fills that others may join: at their head, or at the body that is coming in.
    shown: Vec<Arc<Flight>>,
    /// Fills that nobody can join (yet), by id: there may be thousands, and nobody has to look through them.
    lone: HashMap<u64, Arc<Flight>>,
}

/// What is stored and what is on its way for one URL, as long as its shard is locked.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    url_hash: u64,
    keys: &'a mut KeysByUrl,
    flights: &'a mut Flights,
}

impl Slot<'_> {
    /// The running fills of one key that may be joined.
    pub(crate) fn flights<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Arc<Flight>> {
        self.flights.shown.iter().filter(move |flight| flight.key == *key)
    }

    /// Lets a fill begin: from now on it may store.
    pub(crate) fn admit(&mut self, flight: Arc<Flight>) {
        if flight.joinable {
            self.flights.shown.push(flight);
        } else {
            self.flights.lone.insert(flight.id, flight);
        }
    }

    /// Shows a fill that nobody could join to everybody, unless its licence was revoked.
    pub(crate) fn show(&mut self, flight: &Arc<Flight>) {
        if self.flights.lone.remove(&flight.id).is_some() {
            self.flights.shown.push(Arc::clone(flight));
        }
    }

    /// Whether the fill may (still) store.
    pub(crate) fn licenses(&self, flight: &Flight) -> bool {
        self.flights.lone.contains_key(&flight.id) || self.flights.shown.iter().any(|known| known.id == flight.id)
    }

    /// Takes the fill out; it can neither be joined nor store any more.
    pub(crate) fn dismiss(&mut self, flight: &Flight) {
        if self.flights.lone.remove(&flight.id).is_none() {
            self.flights.shown.retain(|known| known.id != flight.id);
        }
    }

    fn holds(&mut self, key: &Key) {
        self.keys.insert(self.url_hash, key);
    }

    fn lost(&mut self, key: &Key) {
        self.keys.remove(self.url_hash, key);
    }
}

#[derive(Debug, Default)]
struct Shard {
    keys: KeysByUrl,
    flights: HashMap<UrlKey, Flights>,
}

impl Shard {
    /// The keys of a URL, which from now on are not known here any more.
    fn take_keys(&mut self, key: &Key, url_hash: u64) -> Vec<Key> {
        let keys = self.keys.take(url_hash);
        let (own, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|known| known.url_bytes() == key.url_bytes());
        for other in others {
            let flights = &mut Flights::default();
            Slot { url_hash, keys: &mut self.keys, flights }.holds(&other);
        }
        own
    }
}

/// Takes a hash that is one already.
#[derive(Debug, Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Bytes.
#[derive(Clone, Debug)]
struct Weights;

impl Weighter<Key, Group> for Weights {
    fn weight(&self, key: &Key, group: &Group) -> u64 {
        let entries: usize = group.entries().iter().map(|entry| entry.weight()).sum();
        (entries + key.weight()) as u64
    }
}

/// What falls to the memory limit: the keys that are still known to their shards, and how many there were.
#[derive(Clone, Debug, Default)]
struct Fallen(Arc<Mutex<Vec<Key>>>, Arc<AtomicU64>);

impl Lifecycle<Key, Group> for Fallen {
    type RequestState = ();

    fn begin_request(&self) {}

    fn on_evict(&self, (): &mut (), key: Key, _: Group) {
        self.1.fetch_add(1, Ordering::Relaxed);
        lock(&self.0).push(key);
    }
}

type Objects = Table<Key, Group, Weights, BuildHasherDefault<Ready>, Fallen>;

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    objects: Objects,
    shards: Vec<Mutex<Shard>>,
    fallen: Fallen,
}

impl Store {
    /// An empty store for that many bytes, of which no response takes more than `largest`.
    pub(crate) fn new(memory: u64, largest: u64) -> Self {
        let parts = usize::try_from((memory / largest.max(1) / 2).clamp(1, MAX_PARTS)).unwrap_or(1);
        let typical = usize::try_from(memory / TYPICAL).unwrap_or(usize::MAX).max(parts * 32);
        let mut options = OptionsBuilder::new();
        options.weight_capacity(memory).estimated_items_capacity(typical).shards(parts).hot_allocation(PROVEN);
        let options = options.build().expect("capacities are set");
        let fallen = Fallen::default();
        let objects = Table::with_options(options, Weights, BuildHasherDefault::default(), fallen.clone());
        Self { objects, shards: (0..SHARDS).map(|_| Mutex::default()).collect(), fallen }
    }

    /// What is stored under a key.
    pub(crate) fn group(&self, key: &Key) -> Option<Group> {
        self.objects.get(key)
    }

    /// Works on the slot of the key's URL with everybody else kept out. `work` must not come back here.
    pub(crate) fn with_slot<R>(&self, key: &Key, work: impl FnOnce(&mut Slot<'_>) -> R) -> R {
        let url_hash = key.url_hash();
        let mut shard = self.shard(url_hash);
        let Shard { keys, flights } = &mut *shard;
        let mut place = match flights.entry(key.url()) {
            Place::Occupied(place) => place,
            Place::Vacant(free) => free.insert_entry(Flights::default()),
        };
        let result = work(&mut Slot { url_hash, keys, flights: place.get_mut() });
        if place.get().shown.is_empty() && place.get().lone.is_empty() {
            place.remove();
        }
        result
    }

    /// Stores what a fill brought, if it still may and `stays` says so under the slot's lock, and ends the fill. `replaced` goes,
    /// as does the same variant's old response.
    pub(crate) fn commit(
        &self,
        flight: &Arc<Flight>,
        entry: Arc<Entry>,
        replaced: Option<&Arc<Entry>>,
        stays: impl FnOnce() -> bool,
    ) -> bool {
        let key = &flight.key;
        let stored = self.with_slot(key, |slot| {
            let licensed = slot.licenses(flight) && stays();
            slot.dismiss(flight);
            if licensed {
                let old = self.objects.get(key);
                let mut entries = old.map(|group| group.entries().to_vec()).unwrap_or_default();
                entries.retain(|known| {
                    replaced.is_none_or(|replaced| !Arc::ptr_eq(known, replaced))
                        && known.meta.variant != entry.meta.variant
                });
                make_room(&mut entries);
                entries.push(entry);
                self.put(slot, key, entries);
            }
            licensed
        });
        self.settle();
        stored
    }

    /// Stores what there is of a fill that came to nothing, under another key of the same URL, if the fill still might store and
    /// `stays` says so under the slot's lock.
    pub(crate) fn keep_beside(
        &self,
        flight: &Arc<Flight>,
        key: &Key,
        entry: Arc<Entry>,
        stays: impl FnOnce() -> bool,
    ) -> bool {
        let kept = self.with_slot(&flight.key, |slot| {
            let licensed = slot.licenses(flight) && stays();
            if licensed {
                self.put(slot, key, vec![entry]);
            }
            licensed
        });
        self.settle();
        kept
    }

    /// Takes in what was found elsewhere under a key, if nothing is stored there and `still` says so under the slot's lock.
    pub(crate) fn adopt(&self, key: &Key, entries: Vec<Arc<Entry>>, still: impl FnOnce() -> bool) {
        self.with_slot(key, |slot| {
            if still() && self.objects.get(key).is_none() {
                self.put(slot, key, entries);
            }
        });
        self.settle();
    }

    /// Puts these under a key, in place of whatever is there.
    fn put(&self, slot: &mut Slot<'_>, key: &Key, entries: Vec<Arc<Entry>>) {
        match Group::new(entries) {
            Some(group) => {
                slot.holds(key);
                self.objects.insert(key.clone(), group);
            }
            None => {
                slot.lost(key);
                self.objects.remove(key);
            }
        }
    }

    /// Looks through what is stored under a key whose slot the caller has: `revise` keeps an entry, puts another in its
    /// place, or drops it.
    pub(crate) fn revise(
        &self,
        slot: &mut Slot<'_>,
        key: &Key,
        mut revise: impl FnMut(&Arc<Entry>) -> Option<Arc<Entry>>,
    ) {
        let Some(group) = self.objects.get(key) else { return };
        let entries: Vec<Arc<Entry>> = group.entries().iter().filter_map(&mut revise).collect();
        if !entries.iter().map(Arc::as_ptr).eq(group.entries().iter().map(Arc::as_ptr)) {
            self.put(slot, key, entries);
        }
    }

    /// All keys under which something is stored, and what; what comes or goes meanwhile may be missing.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (Key, Group)> {
        self.objects.iter()
    }

    /// The least number of a purge that a running fill which may store began after.
    pub(crate) fn oldest_flight(&self) -> Option<u64> {
        let of_shard = |shard: &Mutex<Shard>| {
            let shard = lock(shard);
            let flights = shard.flights.values().flat_map(|flights| flights.shown.iter().chain(flights.lone.values()));
            flights.map(|flight| flight.asked_at()).min()
        };
        self.shards.iter().filter_map(of_shard).min()
    }

    /// Removes one stored response, if it is still there.
    pub(crate) fn discard(&self, key: &Key, entry: &Arc<Entry>) {
        self.with_slot(key, |slot| {
            self.revise(slot, key, |known| (!Arc::ptr_eq(known, entry)).then(|| Arc::clone(known)));
        });
    }

    /// Puts a renewed head in the place of a stored response, if that is still there.
    pub(crate) fn renew(&self, key: &Key, old: &Arc<Entry>, new: Arc<Entry>) {
        self.with_slot(key, |slot| {
            self.revise(slot, key, |known| Some(Arc::clone(if Arc::ptr_eq(known, old) { &new } else { known })));
        });
    }

    /// Whether one more variant would push another one out.
    pub(crate) fn is_crowded(&self, key: &Key, variant: &Variant) -> bool {
        let group = self.objects.get(key);
        let full = group.filter(|group| group.entries().len() >= MAX_VARIANTS);
        full.is_some_and(|group| group.entries().iter().all(|known| known.meta.variant != *variant))
    }

    /// Removes everything under the flight's URL and revokes the licence of every other fill, if the flight may still
    /// store; says whether it may.
    pub(crate) fn supersede(&self, flight: &Arc<Flight>) -> bool {
        let url_hash = flight.key.url_hash();
        let mut shard = self.shard(url_hash);
        let licensed = shard.flights.get_mut(&flight.key.url()).is_some_and(|flights| {
            let licensed =
                flights.lone.contains_key(&flight.id) || flights.shown.iter().any(|known| known.id == flight.id);
            if licensed {
                flights.shown.retain(|known| known.id == flight.id);
                flights.lone.retain(|known, _| *known == flight.id);
            }
            licensed
        });
        if licensed {
            shard.take_keys(&flight.key, url_hash).iter().for_each(|key| drop(self.objects.remove(key)));
        }
        licensed
    }

    /// Removes everything under the key's URL and revokes the licence of every running fill; returns how many keys
    /// went.
    pub(crate) fn invalidate(&self, key: &Key) -> usize {
        let url_hash = key.url_hash();
        let mut shard = self.shard(url_hash);
        shard.flights.remove(&key.url());
        let keys = shard.take_keys(key, url_hash);
        keys.iter().for_each(|key| drop(self.objects.remove(key))); // still under the lock: no commit comes between
        keys.len()
    }

    /// Removes everything and revokes the licence of every running fill; returns how many keys went.
    pub(crate) fn clear(&self) -> usize {
        let mut gone = 0;
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.flights.clear();
            for keys in shard.keys.0.drain() {
                for key in keys.into_vec() {
                    gone += 1;
                    self.objects.remove(&key);
                }
            }
        }
        gone
    }

    /// Keys that fell to the memory limit, since the start.
    pub(crate) fn evictions(&self) -> u64 {
        self.fallen.1.load(Ordering::Relaxed)
    }

    /// Bytes in use.
    pub(crate) fn weight(&self) -> u64 {
        self.objects.weight()
    }

    /// Keeps the index by URL in step with what fell to the limit.
    fn settle(&self) {
        let fallen = std::mem::take(&mut *lock(&self.fallen.0));
        for key in fallen {
            self.with_slot(&key, |slot| {
                if !self.objects.contains_key(&key) {
                    slot.lost(&key);
                }
            });
        }
    }

    fn shard(&self, url_hash: u64) -> MutexGuard<'_, Shard> {
        let index = usize::try_from(url_hash % SHARDS as u64).unwrap_or(0);
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
