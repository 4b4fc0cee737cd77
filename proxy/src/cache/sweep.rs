//! Purges as the rest of the cache meets them: what is stored, on its way or asked for, held against the purges.
//!
//! [`Inner::vet`] is asked at every lookup, and costs one comparison while nothing is purged. [`Cache::purge`] is the
//! operator's; [`Cache::sweep`] frees what purges have killed and lets go of purges that have nothing left to kill. The
//! rules are in `purge`. Deliberately absent: who may purge, and the timer that calls for a sweep.

use std::{io, path::Path, sync::Arc};

use super::{
    Cache, Inner, Now,
    entry::{Entry, Meta},
    flight::Flight,
    key::Key,
    purge::{Kind, MANY_PATTERNS, Recorded, Scope, Subject, Table, Verdict},
    store::Slot,
};

/// What to purge, and how.
#[derive(Clone, Debug)]
pub struct PurgeOrder {
    /// Everything that one of these covers, all under one number.
    pub scopes: Vec<Scope>,
    /// Whether it is gone or only expires.
    pub kind: Kind,
    /// Answer only when the record is on the medium.
    pub sync: bool,
    /// Count what is covered, which takes a look at everything that is stored.
    pub count: bool,
}

/// A purge that has taken effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purged {
    /// Its sequence number.
    pub number: u64,
    /// How safe its record is.
    pub recorded: Recorded,
    /// How many stored responses it covers, if that was asked for.
    pub objects: Option<u64>,
    /// So many patterns are in force that lookups notice; they go with the next sweep.
    pub many_patterns: bool,
}

impl Inner {
    /// What purges say of a stored response, now.
    pub(crate) fn vet(&self, key: &Key, entry: &Entry) -> Verdict {
        let checked = entry.checked();
        if checked == self.purges.number() {
            return Verdict::Keep;
        }
        let subject = Subject { url: key.url_parts(), tags: Some(&entry.meta.tags) };
        let (verdict, number) = self.purges.judge(&subject, checked);
        if verdict == Verdict::Keep {
            entry.note_checked(number);
        }
        verdict
    }

    /// Whether a response on its way is covered by no purge, soft or hard.
    pub(crate) fn is_current(&self, key: &Key, meta: &Meta) -> bool {
        if meta.asked_at == self.purges.number() {
            return true;
        }
        let subject = Subject { url: key.url_parts(), tags: Some(&meta.tags) };
        self.purges.judge(&subject, meta.asked_at).0 == Verdict::Keep
    }

    /// The same for a request to the origin that has no head yet, as far as its URL tells.
    pub(crate) fn is_flight_current(&self, flight: &Flight) -> bool {
        let asked_at = flight.asked_at();
        if asked_at == self.purges.number() {
            return true;
        }
        let subject = Subject { url: flight.key.url_parts(), tags: None };
        self.purges.judge(&subject, asked_at).0 == Verdict::Keep
    }

    /// Stores what a fill brought, unless an invalidation or a purge came in between.
    pub(crate) fn commit(&self, flight: &Arc<Flight>, entry: Arc<Entry>, replaced: Option<&Arc<Entry>>) -> bool {
        let (key, judged, disk) = (&flight.key, Arc::clone(&entry), self.disk.get());
        // The disk is told under the lock of the licence: an invalidation that revokes it is told afterwards.
        let stored = self.store.commit(flight, entry, replaced, || {
            let stays = self.vet(key, &judged) != Verdict::Gone;
            if let Some(disk) = disk.filter(|_| stays) {
                if let Some(old) = replaced.filter(|old| old.meta.variant != judged.meta.variant) {
                    disk.remove(key, old);
                }
                disk.put(key, &judged);
            }
            stays
        });
        if let (false, Some(file), Some(disk)) = (stored, judged.file(), disk) {
            disk.abandon(file);
        }
        stored
    }

    /// Throws away what was purged under a key whose slot the caller has, and lets expire what was purged softly.
    pub(crate) fn tidy(&self, slot: &mut Slot, key: &Key, now: Now) {
        let number = self.purges.number();
        let Some(group) = self.store.group(key) else { return };
        if group.entries().iter().all(|entry| entry.checked() == number && !entry.is_damaged()) {
            return;
        }
        self.store.revise(slot, key, |entry| {
            if entry.is_damaged() {
                self.disk.get().inspect(|disk| disk.remove(key, entry));
                return None;
            }
            let checked = entry.checked();
            let subject = Subject { url: key.url_parts(), tags: Some(&entry.meta.tags) };
            let (verdict, number) = self.purges.judge(&subject, checked);
            match verdict {
                Verdict::Keep => {
                    entry.note_checked(number);
                    Some(Arc::clone(entry))
                }
                Verdict::Expired(at) => {
                    let since = now.wall.duration_since(at).unwrap_or_default();
                    let age = entry.meta.freshness.age(entry.meta.resident(now)).saturating_sub(since);
                    Some(Arc::new(entry.expired(age, number)))
                }
                Verdict::Gone => None,
            }
        });
    }
}

impl Cache {
    /// Replays the journal of purges at `path` and records purges there from now on.
    ///
    /// # Errors
    /// The journal cannot be used; purges work all the same, and are not recorded.
    pub fn attach_journal(&self, path: &Path) -> io::Result<()> {
        self.inner.purges.attach(path)
    }

    /// Purges. When this returns, no request that arrives gets what was fetched before. May wait for the medium.
    #[must_use]
    pub fn purge(&self, order: &PurgeOrder, now: Now) -> Purged {
        let objects = order.count.then(|| self.count(&order.scopes));
        let (number, recorded) = self.inner.purges.purge(&order.scopes, order.kind, now.wall, order.sync);
        let many_patterns = self.inner.purges.patterns() >= MANY_PATTERNS;
        if many_patterns {
            self.inner.sweeper.notify_one();
        }
        Purged { number, recorded, objects, many_patterns }
    }

    /// How many stored responses these scopes cover. Looks at all of them.
    #[must_use]
    pub fn count(&self, scopes: &[Scope]) -> u64 {
        let mut wanted = Table::default();
        scopes.iter().for_each(|scope| wanted.enter(u64::MAX, scope, Kind::Hard, std::time::UNIX_EPOCH));
        let covered = |key: &Key, entry: &Entry| {
            let subject = Subject { url: key.url_parts(), tags: Some(&entry.meta.tags) };
            wanted.judge(&subject, 0) == Verdict::Gone && self.inner.vet(key, entry) != Verdict::Gone
        };
        let disk = self.inner.disk.get();
        let mut on_disk = disk.map(|disk| {
            disk.ids(|subject, since| {
                wanted.judge(subject, 0) == Verdict::Gone && self.inner.purges.judge(subject, since).0 != Verdict::Gone
            })
        });
        let mut in_memory = 0;
        for (key, group) in self.inner.store.groups() {
            for entry in group.entries().iter().filter(|entry| covered(&key, entry)) {
                in_memory += 1;
                if let (Some(ids), Some(id)) = (&mut on_disk, disk.and_then(|disk| disk.id(&key, entry))) {
                    ids.remove(&id); // counted already
                }
            }
        }
        in_memory + on_disk.map_or(0, |ids| ids.len() as u64)
    }

    /// The number of the last purge.
    #[must_use]
    pub fn purge_number(&self) -> u64 {
        self.inner.purges.number()
    }

    /// Waits until so many purges have piled up that the next sweep should not wait for its time.
    pub async fn sweep_is_urgent(&self) {
        self.inner.sweeper.notified().await;
    }

    /// Frees what has been purged, and forgets purges that everything was held against. Looks at everything that is
    /// stored if there was a purge since the last time, so it belongs on a thread of its own.
    pub fn sweep(&self, now: Now) {
        let inner = &self.inner;
        let number = inner.purges.number();
        if number == inner.purges.retired() {
            return;
        }
        // Fills that are under way may still be covered by purges after they began. Those that begin from now on are not
        // covered by any up to `number`.
        let settled = inner.store.oldest_flight().map_or(number, |oldest| oldest.min(number));
        for (key, group) in inner.store.groups() {
            if group.entries().iter().any(|entry| entry.checked() < number) {
                inner.store.with_slot(&key, |slot| inner.tidy(slot, &key, now));
            }
        }
        if inner.disk.get().is_none_or(|disk| disk.sweep(number)) {
            inner.purges.retire(settled);
        }
    }
}
