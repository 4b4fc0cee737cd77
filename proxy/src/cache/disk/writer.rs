//! The thread that changes the tier: puts, removals, evictions, sweeps, one after the other.
//!
//! Deliberately absent: reading for viewers, and large bodies while they come in, which fills write themselves.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    sync::{Arc, PoisonError, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    Op, Shared,
    body::CHUNK,
    faults,
    folder::SEGMENT,
    guarded,
    index::{Id, IndexError},
    record::{self, FileId, Place, Stored},
};
use crate::cache::{
    Now,
    entry::{Entry, Meta},
    key::Key,
    purge::{Subject, Verdict},
    store::lock,
};

/// Bodies up to this many bytes lie together in segments.
const SMALL: u64 = 64 << 10;
/// How long changes wait to be committed together, and how many may wait.
const COMMIT: (Duration, usize) = (Duration::from_secs(1), 4_096);

pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The segment that is written to, and how much of it is used.
    active: Option<(FileId, File, u64)>,
    changes: HashMap<Id, Option<Vec<u8>>>,
    /// Files that fills are writing and of which the index has a note: only the next process finds them.
    noted: HashMap<FileId, Id>,
    committed: Instant,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, active: None, changes: HashMap::new(), noted: HashMap::new(), committed: Instant::now() }
    }

    /// Works until the cache is gone.
    pub(super) fn run(mut self, ops: &mpsc::Receiver<Op>) {
        loop {
            match guarded(|| self.step(ops)) {
                Some(true) => {}
                Some(false) => break,
                None => {
                    // Only a damaged index makes the database panic.
                    self.shared.index_failed(&"the index is damaged; starting empty".into());
                    if let Err(error) = self.shared.folder.empty() {
                        tracing::error!("disk cache: {error}");
                    }
                }
            }
        }
        guarded(|| self.commit(None));
    }

    /// One thing to do; false when there will be none any more.
    fn step(&mut self, ops: &mpsc::Receiver<Op>) -> bool {
        self.ready();
        match ops.recv_timeout(COMMIT.0) {
            Ok(op) => self.work(op),
            Err(mpsc::RecvTimeoutError::Timeout) => self.compact(),
            Err(mpsc::RecvTimeoutError::Disconnected) => return false,
        }
        if self.changes.len() >= COMMIT.1 || self.committed.elapsed() >= COMMIT.0 {
            self.commit(None);
        }
        true
    }

    /// Opens and loads the index if it is not, and the time to try has come.
    fn ready(&mut self) {
        let shared = Arc::clone(&self.shared);
        if shared.loaded.load(Ordering::Acquire) || !shared.writes.is_good() {
            return;
        }
        if shared.index.read().unwrap_or_else(PoisonError::into_inner).is_none() {
            shared.open_index();
        }
        match self.load() {
            Ok(true) => {
                shared.loaded.store(true, Ordering::Release);
                shared.writes.worked();
            }
            Ok(false) => {}
            Err(error) => shared.index_failed(&error),
        }
    }

    /// Learns what there is, and removes files that belong to nothing. False: there is no index.
    fn load(&mut self) -> Result<bool, IndexError> {
        let shared = Arc::clone(&self.shared);
        self.active = None;
        self.changes.clear();
        let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = index.as_ref() else { return Ok(false) };
        let (mut records, mut broken) = (Vec::new(), Vec::new());
        let now = Now::read();
        index.each(|id, text| match record::decode(text, now) {
            Some(record) => records.push((record.meta.received.wall(), id, record.body)),
            None => broken.push(id),
        })?;
        records.sort_by_key(|(received, ..)| *received);
        self.changes.extend(broken.into_iter().map(|id| (id, None)));
        let beginning = |body: &Stored| matches!(body.place, Place::Beginning(_));
        let lengths: HashMap<FileId, u64> = records
            .iter()
            .filter(|(.., body)| beginning(body))
            .map(|(.., body)| (body.place.file(), body.length))
            .collect();
        let mut map = lock(&shared.map);
        *map = super::Map::default();
        self.noted.clear();
        for (_, id, body) in records {
            match body.place {
                Place::Beginning(file) if shared.folder.is_under_way(file) => drop(self.noted.insert(file, id)),
                _ => map.add(id, body, None),
            }
        }
        let (mut strays, mut longer, mut used) = (Vec::new(), Vec::new(), 0);
        shared.folder.each_file(|file, bytes| match lengths.get(&file) {
            _ if !map.has_file(file) => strays.push(file),
            Some(length) if *length < bytes => {
                longer.push((file, *length));
                used += length;
            }
            _ => used += bytes,
        })?;
        drop(map);
        // Fills go on while this runs; a file of theirs has no record before it is complete, or only a note.
        strays.retain(|file| !shared.folder.is_under_way(*file));
        strays.into_iter().for_each(|file| shared.folder.remove(file, 0));
        longer.into_iter().for_each(|(file, length)| shared.folder.cut(file, length));
        shared.folder.recount(used);
        self.measure();
        Ok(true)
    }

    fn measure(&self) {
        let bytes = fs::metadata(self.shared.folder.index()).map_or(0, |meta| meta.len());
        self.shared.index_bytes.store(bytes, Ordering::Relaxed);
    }

    fn work(&mut self, op: Op) {
        let works = self.shared.loaded.load(Ordering::Acquire);
        match op {
            Op::Put(key, entry) => {
                match entry.file() {
                    Some(file) => self.forget_note(file.id()),
                    None => drop(self.shared.queued.fetch_sub(entry.length(), Ordering::Relaxed)),
                }
                let put = if works { self.put(&key, &entry) } else { Err(io::Error::other("the index is off")) };
                if let Err(error) = put {
                    self.drop_body(&key, &entry);
                    if works && error.kind() != io::ErrorKind::StorageFull {
                        self.shared.writes.failed("a body cannot be written", &error);
                    }
                }
            }
            Op::Remove(id) => self.remove(id),
            Op::Invalidate(key) => {
                if let Some((url, _)) = self.shared.hashes(&key) {
                    let mut ids = lock(&self.shared.map).of_url(url);
                    ids.extend(self.noted.values().filter(|id| id.0 == url));
                    ids.into_iter().for_each(|id| self.remove(id));
                }
                self.commit(None); // what was invalidated must not come back with the next process
                self.shared.revive(&key);
            }
            Op::Room(bytes, done) => drop(done.send(works && self.make_room(bytes))),
            // A response that only got a new head has the file of the old one, which goes with its own record.
            Op::Throw(file, _) if lock(&self.shared.map).has_file(file) => {}
            Op::Throw(file, bytes) => {
                self.forget_note(file);
                self.shared.folder.remove(file, bytes);
            }
            Op::Note(key, meta, body) if works => self.note(&key, &meta, body),
            Op::Note(..) => {}
            Op::Leave(body) => self.leave(body),
            Op::Sweep(number, done) => drop(done.send(works && self.sweep(number))),
            Op::Flush(done) => {
                self.compact();
                self.commit(None);
                let _ = done.send(());
            }
        }
    }

    fn put(&mut self, key: &Key, entry: &Arc<Entry>) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let Some(inner) = shared.inner.upgrade() else { return Ok(()) };
        if inner.vet(key, entry) != Verdict::Keep || shared.is_dead(key) {
            self.drop_body(key, entry);
            return Ok(());
        }
        let id = shared.id(key, &entry.meta.variant).ok_or_else(|| io::Error::other("the index is off"))?;
        let known = lock(&shared.map).get(id).map(|held| held.body.clone());
        let body = match entry.file() {
            Some(file) => {
                file.belongs_to(key);
                Stored { place: Place::File(file.id()), length: file.length(), sums: file.sums().to_vec() }
            }
            None => self.write(&entry.body().to_vec(), known.as_ref())?,
        };
        let text = record::encode(key.bytes(), body.clone(), &entry.meta);
        let text = text.ok_or_else(|| io::Error::other("the head cannot be written"))?;
        if known.as_ref() != Some(&body) {
            self.remove(id);
            lock(&shared.map).add(id, body, entry.file());
            entry.file().inspect(|file| shared.folder.settled(file.id()));
        }
        self.changes.insert(id, Some(text));
        Ok(())
    }

    /// Writes a body that is in memory; where it is already, if `known` is the same.
    fn write(&mut self, bytes: &[u8], known: Option<&Stored>) -> io::Result<Stored> {
        let sums: Vec<u64> = bytes.chunks(CHUNK as usize).map(xxh3_64).collect(); // a mebibyte fits any usize
        let length = bytes.len() as u64;
        let sums = if bytes.is_empty() { vec![xxh3_64(b"")] } else { sums };
        if let Some(known) = known.filter(|known| known.length == length && known.sums == sums) {
            return Ok(known.clone());
        }
        if !self.make_room(length) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let folder = &self.shared.folder;
        if length > SMALL {
            let (id, file) = folder.create()?;
            if let Err(error) = folder.write(&file, 0, bytes) {
                folder.remove(id, 0);
                return Err(error);
            }
            return Ok(Stored { place: Place::File(id), length, sums });
        }
        if self.active.as_ref().is_none_or(|(.., used)| used + length > self.segment_size()) {
            let (id, file) = folder.create()?;
            self.active = Some((id, file, 0));
        }
        let Some((id, file, used)) = &mut self.active else { return Err(io::Error::other("no segment")) };
        let place = Place::Segment(*id, *used);
        folder.write(file, *used, bytes)?;
        *used += length;
        Ok(Stored { place, length, sums })
    }

    /// A small tier has small segments, so that evicting one is not evicting everything.
    fn segment_size(&self) -> u64 {
        SEGMENT.min(self.shared.settings.size / 16)
    }

    /// Notes how far a body has come, unless something else is kept already or what it belongs to is purged.
    fn note(&mut self, key: &Key, meta: &Meta, body: Stored) {
        let shared = Arc::clone(&self.shared);
        let (Some(inner), Some(id)) = (shared.inner.upgrade(), shared.id(key, &meta.variant)) else { return };
        let file = body.place.file();
        let wanted = shared.folder.is_under_way(file)
            && lock(&shared.map).get(id).is_none()
            && !shared.is_dead(key)
            && inner.is_current(key, meta);
        self.forget_note(file);
        if let Some(text) = wanted.then(|| record::encode(key.bytes(), body, meta)).flatten() {
            self.noted.retain(|_, known| *known != id); // another fill's note has no record any more
            self.noted.insert(file, id);
            self.changes.insert(id, Some(text));
        }
    }

    /// Takes a note out of the index; the file is the fill's.
    fn forget_note(&mut self, file: FileId) {
        if let Some(id) = self.noted.remove(&file) {
            self.changes.insert(id, None);
        }
    }

    /// Keeps what a fill has left, if the index has a note of it.
    fn leave(&mut self, body: Stored) {
        let (file, length) = (body.place.file(), body.length);
        let noted = self.noted.get(&file).copied();
        match noted.and_then(|id| Some((id, self.moved_record(id, &body)?))) {
            Some((id, text)) => {
                self.noted.remove(&file);
                lock(&self.shared.map).add(id, body, None);
                self.shared.folder.settled(file);
                self.changes.insert(id, Some(text));
            }
            None => {
                self.forget_note(file);
                self.shared.folder.remove(file, length);
            }
        }
    }

    fn remove(&mut self, id: Id) {
        self.noted.retain(|_, known| *known != id);
        let removed = lock(&self.shared.map).remove(id);
        if let Some((_, Some((file, bytes)))) = removed {
            self.shared.folder.remove(file, bytes);
        }
        self.changes.insert(id, None);
    }

    /// Lets go of a body in a file that is not stored after all.
    fn drop_body(&self, key: &Key, entry: &Entry) {
        let Some(file) = entry.file() else { return };
        if !lock(&self.shared.map).has_file(file.id()) {
            self.forget(key, file.id());
            self.shared.folder.remove(file.id(), file.length());
        }
    }

    /// Takes the responses whose body is in a file out of memory, so that its bytes are free when its name is.
    fn forget(&self, key: &Key, file: FileId) {
        if let Some(inner) = self.shared.inner.upgrade() {
            inner.forget(key, |entry| entry.file().is_some_and(|body| body.id() == file));
        }
    }

    fn make_room(&mut self, bytes: u64) -> bool {
        if bytes > self.shared.settings.size {
            return false;
        }
        while !self.shared.has_room(bytes) {
            let active = self.active.as_ref().map(|(file, ..)| *file);
            let evicted = lock(&self.shared.map).evict(active);
            match evicted {
                Some(gone) => self.evict(gone),
                // Only the segment that is being written is left.
                None if self.active.take().is_some() => {}
                None => return false,
            }
        }
        true
    }

    fn evict(&mut self, gone: super::map::Evicted) {
        if let Some((key, file)) = gone.open.as_ref().and_then(|open| Some((open.key()?, open.id()))) {
            self.forget(key, file);
        }
        drop(gone.open);
        self.shared.folder.remove(gone.file, gone.bytes);
        self.changes.extend(gone.ids.into_iter().map(|id| (id, None)));
    }

    /// Moves what is left of a segment of which most is dead.
    fn compact(&mut self) {
        if !self.shared.loaded.load(Ordering::Acquire) || !self.shared.writes.is_good() {
            return;
        }
        let active = self.active.as_ref().map(|(file, ..)| *file);
        let sparse = lock(&self.shared.map).sparse(active);
        let Some((file, bytes, live)) = sparse else { return };
        for (id, body) in live {
            let moved = match body.place {
                Place::Segment(file, offset) => self.shared.folder.read_small(file, offset, &body),
                Place::File(_) | Place::Beginning(_) => continue,
            }
            .and_then(|bytes| self.write(&bytes, None));
            let text = moved.as_ref().ok().and_then(|moved| self.moved_record(id, moved));
            let (Ok(moved), Some(text)) = (moved, text) else {
                self.remove(id);
                continue;
            };
            let mut map = lock(&self.shared.map);
            map.remove(id);
            map.add(id, moved, None);
            self.changes.insert(id, Some(text));
        }
        lock(&self.shared.map).drop_unit(file);
        self.shared.folder.remove(file, bytes);
    }

    /// The record of a body that has moved.
    fn moved_record(&mut self, id: Id, body: &Stored) -> Option<Vec<u8>> {
        let text = match self.changes.get(&id) {
            Some(waiting) => waiting.clone()?,
            None => {
                let index = self.shared.index.read().unwrap_or_else(PoisonError::into_inner);
                let records = index.as_ref()?.of_key(id.0, id.1).ok()?;
                records.into_iter().find(|(known, _)| *known == id)?.1
            }
        };
        record::moved(&text, body.clone())
    }

    /// Holds every record against the purges.
    fn sweep(&mut self, number: u64) -> bool {
        if !self.commit(None) {
            return false;
        }
        let shared = Arc::clone(&self.shared);
        let Some(inner) = shared.inner.upgrade() else { return false };
        let now = Now::read();
        let read = {
            let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
            let Some(index) = index.as_ref() else { return false };
            let mut verdicts = Vec::new();
            let read = index.each(|id, text| {
                let verdict = record::decode(text, now).and_then(|record| {
                    let key = Key::from_bytes(&record.key)?;
                    let subject = Subject { url: key.url_parts(), tags: Some(&record.meta.tags) };
                    match inner.purges.judge(&subject, record.meta.asked_at.max(index.swept)).0 {
                        Verdict::Keep => Some(None),
                        Verdict::Expired(at) => Some(Some(record::expired(text, at)?)),
                        Verdict::Gone => None,
                    }
                });
                match verdict {
                    Some(None) => {}
                    Some(Some(text)) => verdicts.push((id, Some(text))),
                    None => verdicts.push((id, None)),
                }
            });
            read.map(|()| verdicts)
        };
        match read {
            Ok(verdicts) => {
                for (id, text) in verdicts {
                    match text {
                        Some(text) => drop(self.changes.insert(id, Some(text))),
                        None => self.remove(id),
                    }
                }
                self.commit(Some(number))
            }
            Err(error) => {
                shared.index_failed(&error);
                false
            }
        }
    }

    /// Commits what has changed; says whether the index has everything now.
    fn commit(&mut self, swept: Option<u64>) -> bool {
        self.committed = Instant::now();
        if self.changes.is_empty() && swept.is_none() {
            return true;
        }
        let shared = Arc::clone(&self.shared);
        let done = {
            let mut index = shared.index.write().unwrap_or_else(PoisonError::into_inner);
            let Some(index) = index.as_mut() else { return false };
            let done = shared.folder.faults.check(faults::Op::Index).map_err(IndexError::from);
            let done = done.and_then(|()| index.commit(self.changes.drain(), swept, true));
            if let (Ok(()), Some(number)) = (&done, swept) {
                index.swept = index.swept.max(number);
            }
            done
        };
        if let Err(error) = &done {
            shared.index_failed(error);
        }
        self.measure();
        done.is_ok()
    }
}
