//! From disk to memory and back: what a lookup finds there, and what a commit leaves there.
//!
//! Deliberately absent: the tier itself, which is `disk`'s.

use std::{collections::hash_map::Entry as Place, sync::Arc};

use super::{
    Inner, Now,
    disk::{Disk, FileBody},
    entry::Entry,
    key::Key,
    lookup::Ask,
    range::{self, Selected},
    store::lock,
};

impl Inner {
    /// What memory has for a request.
    pub(crate) fn chosen(&self, ask: &Ask<'_>) -> Option<Arc<Entry>> {
        self.store.group(&ask.keyed.key)?.select(ask.headers).cloned()
    }

    /// Brings what is on disk for a request within reach: the responses of its key into memory, unless one was `chosen`
    /// there already, the first bytes of a large body verified. What is then chosen.
    pub(crate) async fn recall(
        &self,
        disk: &Disk,
        mut chosen: Option<Arc<Entry>>,
        ask: &Ask<'_>,
        now: Now,
    ) -> Option<Arc<Entry>> {
        let key = &ask.keyed.key;
        if chosen.is_none() && self.store.group(key).is_none() {
            Box::pin(self.promote(disk, key, now)).await;
            chosen = self.chosen(ask);
        }
        if let Some(file) = chosen.as_ref().and_then(|entry| entry.file()) {
            Self::verify(file, ask).await;
        }
        chosen
    }

    /// Sees to it that the first bytes that a request wants of a body were verified.
    async fn verify(file: &Arc<FileBody>, ask: &Ask<'_>) {
        let wanted = range::requested(ask.headers).filter(|_| file.length() > 0);
        let at = match wanted.map(|ranges| range::select(&ranges, file.length())) {
            Some(Selected::One((start, _))) => start,
            Some(Selected::Several(parts)) => parts.first().map_or(0, |(start, _)| *start),
            _ => 0,
        };
        if !file.is_verified(at) {
            // What cannot be read is marked so, and is then a miss.
            let file = Arc::clone(file);
            drop(tokio::task::spawn_blocking(move || file.read(at, at + 1)).await);
        }
    }

    /// Takes the responses of a key into memory; of any number of requests one looks, and the others wait.
    pub(crate) async fn promote(&self, disk: &Disk, key: &Key, now: Now) {
        if !disk.may_have(key) {
            return;
        }
        let once = match lock(&self.recalls).entry(key.clone()) {
            Place::Occupied(running) => Arc::clone(running.get()),
            Place::Vacant(free) => Arc::clone(free.insert(Arc::default())),
        };
        once.get_or_init(|| async {
            let invalidations = disk.invalidations();
            let found = disk.find(key, now).await;
            super::point();
            if !found.is_empty() {
                // What was found before an invalidation is not kept after it.
                self.store.adopt(key, found, || disk.invalidations() == invalidations);
            }
        })
        .await;
        let mut recalls = lock(&self.recalls);
        if recalls.get(key).is_some_and(|known| Arc::ptr_eq(known, &once)) {
            recalls.remove(key);
        }
    }

    /// Bytes of the largest body that can be stored now.
    pub(crate) fn max_object(&self) -> u64 {
        match self.disk.get() {
            Some(disk) if disk.is_writable() => self.limits.max_object,
            Some(_) => self.limits.max_object.min(self.memory_object()),
            None => self.limits.max_object.min(self.limits.memory),
        }
    }

    /// The same for one that is kept in memory as a whole because the disk cannot have it.
    pub(crate) fn memory_object(&self) -> u64 {
        if self.disk.get().is_some() { self.limits.memory / 16 } else { self.limits.memory }
    }

    /// Whether a body of that many bytes may be stored now: on disk one beyond `after` only the second time that it is asked for
    /// (http-cache.md 4.3).
    pub(crate) fn admits(&self, key: &Key, bytes: u64, after: Option<u64>) -> bool {
        after.is_none_or(|limit| bytes <= limit) || self.disk.get().is_none_or(|disk| disk.has_seen(key))
    }

    /// Removes one stored response, if it is still there.
    pub(crate) fn discard(&self, key: &Key, entry: &Arc<Entry>) {
        self.store.discard(key, entry);
        if let Some(disk) = self.disk.get() {
            disk.remove(key, entry);
        }
    }

    /// Takes responses out of memory, and leaves the disk alone.
    pub(crate) fn forget(&self, key: &Key, is_meant: impl Fn(&Entry) -> bool) {
        self.store.with_slot(key, |slot| {
            self.store.revise(slot, key, |entry| (!is_meant(entry)).then(|| Arc::clone(entry)));
        });
    }
}
