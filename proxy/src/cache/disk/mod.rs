//! The disk tier: responses that survive eviction from memory and the end of the process (http-cache.md 8.2).
//!
//! Bodies up to 64 KiB lie together in segments, larger ones in files of their own, an index in redb says what is where; everything
//! has checksums, and what does not match is a miss. One thread, in `writer`, changes files, index and map; readers and
//! fills use blocking threads; nothing here runs on a thread that serves connections. A failing disk switches writing, or all of
//! it, off for a while that doubles; requests go on without. Deliberately absent: what may be stored and when it is
//! fresh, and purges, which are asked about.

mod body;
mod faults;
mod folder;
mod index;
mod map;
mod record;
mod spool;
mod writer;

#[cfg(test)]
#[path = "../tests/disk.rs"]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use moka::sync::Cache as Table;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64_with_seed;

pub(crate) use self::{
    body::FileBody,
    spool::{Spool, SpoolWriter},
};
use self::{
    folder::Folder,
    index::{Id, Index, IndexError},
    map::Map,
    record::{FileId, Place, Record, Stored},
};
use super::{
    Cache, Inner, Now,
    entry::{Entry, Meta, StoredBody},
    key::Key,
    purge::Subject,
    store::lock,
};

/// Bodies up to this many bytes are kept in memory too.
pub(crate) const MEMORY_BODY: u64 = 256 << 10;

/// Bytes of small bodies that wait for the disk; beyond, new ones are not stored there.
const QUEUE: u64 = 64 << 20;

/// First and longest pause after a fault.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long a large body is remembered that was asked for once, and how many are.
const SEEN: (Duration, u64) = (Duration::from_secs(24 * 3600), 65_536);

/// Where the tier is, and how large it may become.
#[derive(Clone, Debug)]
pub struct DiskSettings {
    /// A folder that is the tier's alone.
    pub path: PathBuf,
    /// Bytes of bodies and index.
    pub size: u64,
}

/// What the thread is asked to do.
#[derive(Debug)]
enum Op {
    /// Store a response; its body is in memory, or in a file that is complete.
    Put(Key, Arc<Entry>),
    Remove(Id),
    /// Remove everything under the URL of a key.
    Invalidate(Key),
    /// Make room for that many bytes.
    Room(u64, oneshot::Sender<bool>),
    /// Remove a file that came to nothing.
    Throw(FileId, u64),
    /// Remember how far a body has come that a fill is writing, should the process end.
    Note(Key, Box<Meta>, Stored),
    /// The fill that was noted so will not go on; this is all there will be.
    Leave(Stored),
    /// Hold everything against the purges up to a number.
    Sweep(u64, mpsc::Sender<bool>),
    /// Write what is due, now.
    Flush(mpsc::Sender<()>),
}

/// The tier. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    shared: Arc<Shared>,
    ops: mpsc::Sender<Op>,
}

#[derive(Debug)]
struct Shared {
    folder: Folder,
    settings: DiskSettings,
    journal: String,
    index: RwLock<Option<Index>>,
    /// Bytes of the index's file.
    index_bytes: AtomicU64,
    map: Mutex<Map>,
    /// The map knows everything that the index has.
    loaded: AtomicBool,
    /// URLs that are being invalidated and are still in map and index, and how often.
    dead: Mutex<HashMap<Vec<u8>, usize>>,
    /// How often something was invalidated.
    invalidations: AtomicU64,
    queued: AtomicU64,
    writes: Health,
    seen: Table<u64, ()>,
    inner: Weak<Inner>,
}

/// Whether something works, and when to try again if not.
#[derive(Debug)]
struct Health(Mutex<(Option<Instant>, Duration)>);

impl Health {
    fn new() -> Self {
        Self(Mutex::new((None, PAUSE.0)))
    }

    fn is_good(&self) -> bool {
        lock(&self.0).0.is_none_or(|until| Instant::now() >= until)
    }

    fn failed(&self, what: &str, error: &dyn std::fmt::Display) {
        let mut state = lock(&self.0);
        if state.0.is_some_and(|until| Instant::now() < until) {
            return; // one fault has many victims
        }
        tracing::error!("disk cache: {what}: {error}; off for {:?}", state.1);
        *state = (Some(Instant::now() + state.1), (state.1 * 2).min(PAUSE.1));
    }

    fn worked(&self) {
        let mut state = lock(&self.0);
        if state.0.take().is_some() {
            tracing::info!("disk cache: works again");
        }
        state.1 = PAUSE.0;
    }
}

impl Disk {
    /// Opens the tier in the background and starts its thread, which ends with the cache.
    ///
    /// # Errors
    /// The folder cannot be made, or the thread not be started.
    pub(super) fn spawn(settings: DiskSettings, journal: String, inner: Weak<Inner>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            folder: Folder::open(&settings.path)?,
            settings,
            journal,
            index: RwLock::default(),
            index_bytes: AtomicU64::new(0),
            map: Mutex::default(),
            loaded: AtomicBool::new(false),
            dead: Mutex::default(),
            invalidations: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            writes: Health::new(),
            seen: Table::builder().max_capacity(SEEN.1).time_to_live(SEEN.0).build(),
            inner,
        });
        shared.open_index(); // here, so that the first request finds what there is
        let (ops, receiver) = mpsc::channel();
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("disk-cache".to_owned())
            .spawn(move || writer::Writer::new(of_thread).run(&receiver))?;
        Ok(Self { shared, ops })
    }

    fn folder(&self) -> &Folder {
        &self.shared.folder
    }

    /// Whether bodies can be written.
    pub(crate) fn is_writable(&self) -> bool {
        self.shared.writes.is_good()
    }

    /// Whether something large, which is asked for now, was asked for before.
    pub(crate) fn has_seen(&self, key: &Key) -> bool {
        let hash = xxh3_64_with_seed(key.bytes(), 0);
        let known = self.shared.seen.contains_key(&hash);
        self.shared.seen.insert(hash, ());
        known
    }

    /// Stores a response, some time soon. A small one is left out while too many wait.
    pub(crate) fn put(&self, key: &Key, entry: &Arc<Entry>) {
        if entry.file().is_none() {
            let length = entry.length();
            let waiting = self.shared.queued.fetch_add(length, Ordering::Relaxed);
            if waiting + length > QUEUE || !self.is_writable() {
                self.shared.queued.fetch_sub(length, Ordering::Relaxed);
                return;
            }
        }
        self.send(Op::Put(key.clone(), Arc::clone(entry)));
    }

    /// Removes one response.
    pub(crate) fn remove(&self, key: &Key, entry: &Entry) {
        if let Some(id) = self.shared.id(key, &entry.meta.variant) {
            self.send(Op::Remove(id));
        }
    }

    /// From now on nothing is found under the URL of a key, until [`invalidate`](Self::invalidate) has taken it away.
    pub(crate) fn hide(&self, key: &Key) {
        *lock(&self.shared.dead).entry(key.url_bytes().to_vec()).or_default() += 1;
        self.shared.invalidations.fetch_add(1, Ordering::SeqCst);
    }

    /// Removes everything under the URL of a key, which was hidden. Between the two the right of running fills to store there is revoked:
    /// what they put before is removed with the rest, and after that they put nothing.
    pub(crate) fn invalidate(&self, key: &Key) {
        self.send(Op::Invalidate(key.clone()));
    }

    /// How often something was invalidated so far.
    pub(crate) fn invalidations(&self) -> u64 {
        self.shared.invalidations.load(Ordering::SeqCst)
    }

    /// Whether something may be stored under a key.
    pub(crate) fn may_have(&self, key: &Key) -> bool {
        self.shared.may_have(key)
    }

    /// Everything that is stored under a key, whole and verified as far as it is in memory.
    pub(crate) async fn find(&self, key: &Key, now: Now) -> Vec<Arc<Entry>> {
        if !self.shared.may_have(key) {
            return Vec::new();
        }
        let (disk, key) = (self.clone(), key.clone());
        tokio::task::spawn_blocking(move || disk.find_now(&key, now)).await.unwrap_or_default()
    }

    fn find_now(&self, key: &Key, now: Now) -> Vec<Arc<Entry>> {
        let shared = &self.shared;
        let records = match shared.records(key) {
            Ok(records) => records,
            Err(error) => {
                shared.index_failed(&error);
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for (id, text) in records {
            match record::decode(&text, now) {
                None => self.send(Op::Remove(id)),
                Some(record) if record.key != key.bytes() => {} // a collision is a miss
                Some(record) => match shared.load(key, id, record) {
                    Ok(entry) => found.extend(entry.map(Arc::new)),
                    Err(error) => {
                        tracing::warn!("disk cache: a body is gone: {error}");
                        self.send(Op::Remove(id));
                    }
                },
            }
        }
        found
    }

    /// Makes room for that many bytes.
    async fn make_room(&self, bytes: u64) -> io::Result<()> {
        if !self.is_writable() {
            return Err(io::Error::other("writing is off"));
        }
        if self.shared.has_room(bytes) {
            return Ok(());
        }
        let (done, answer) = oneshot::channel();
        self.send(Op::Room(bytes, done));
        match answer.await {
            Ok(true) => Ok(()),
            _ => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }

    /// Runs something that may block, and switches writing off if it fails.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        match &done {
            Ok(_) => {}
            Err(error) => self.shared.writes.failed("a body cannot be written", error),
        }
        done
    }

    /// Lets go of a complete body that is not stored after all.
    pub(crate) fn abandon(&self, file: &FileBody) {
        self.throw_away(file.id(), file.length());
    }

    fn throw_away(&self, id: FileId, bytes: u64) {
        self.send(Op::Throw(id, bytes));
    }

    /// Holds everything against the purges up to `number`; says whether that could be done. Blocks.
    pub(crate) fn sweep(&self, number: u64) -> bool {
        let (done, answer) = mpsc::channel();
        self.send(Op::Sweep(number, done));
        answer.recv().unwrap_or(false)
    }

    /// The ids of stored responses that `wanted` picks. Blocks.
    pub(crate) fn ids(&self, wanted: impl Fn(&Subject<'_>, u64) -> bool) -> HashSet<Id> {
        let shared = &self.shared;
        let index = shared.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut ids = HashSet::new();
        let Some(index) = index.as_ref() else { return ids };
        let now = Now::read();
        let swept = index.swept;
        let read = index.each(|id, text| {
            let Some(record) = record::decode(text, now) else { return };
            let Some(key) = Key::from_bytes(&record.key) else { return };
            let subject = Subject { url: key.url_parts(), tags: Some(&record.meta.tags) };
            if wanted(&subject, record.meta.asked_at.max(swept)) {
                ids.insert(id);
            }
        });
        if let Err(error) = read {
            tracing::warn!("disk cache: the index cannot be read: {error}");
        }
        ids
    }

    /// The id of a response, while the index is open.
    pub(crate) fn id(&self, key: &Key, entry: &Entry) -> Option<Id> {
        self.shared.id(key, &entry.meta.variant)
    }

    /// Bytes in use, the index included.
    pub(crate) fn used(&self) -> u64 {
        self.shared.used()
    }

    /// How many responses are stored.
    pub(crate) fn len(&self) -> usize {
        lock(&self.shared.map).len()
    }

    /// Waits until everything that was asked for is done and committed, or the tier's thread has ended.
    fn flush(&self) {
        let (done, answer) = mpsc::channel();
        self.send(Op::Flush(done));
        let _ = answer.recv();
    }

    fn send(&self, op: Op) {
        // Without the thread there is no tier, and nothing to be done about it.
        let _ = self.ops.send(op);
    }
}

impl Shared {
    fn used(&self) -> u64 {
        self.folder.used() + self.index_bytes.load(Ordering::Relaxed)
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.used() + bytes <= self.settings.size && self.folder.has_free(bytes)
    }

    fn hashes(&self, key: &Key) -> Option<(u64, u64)> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let seed = index.as_ref()?.seed;
        Some((xxh3_64_with_seed(key.url_bytes(), seed), xxh3_64_with_seed(key.bytes(), seed)))
    }

    fn id(&self, key: &Key, variant: &super::vary::Variant) -> Option<Id> {
        let (url, key) = self.hashes(key)?;
        Some((url, key, record::variant_hash(variant)))
    }

    fn may_have(&self, key: &Key) -> bool {
        let Some((url, hash)) = self.hashes(key) else { return false };
        let held = !self.loaded.load(Ordering::Acquire) || lock(&self.map).has_key(url, hash);
        held && !self.is_dead(key)
    }

    /// Whether the URL of a key is being invalidated.
    fn is_dead(&self, key: &Key) -> bool {
        lock(&self.dead).contains_key(key.url_bytes())
    }

    /// One invalidation of the URL of a key is done.
    fn revive(&self, key: &Key) {
        let mut dead = lock(&self.dead);
        if let Some(times) = dead.get_mut(key.url_bytes()) {
            *times -= 1; // an entry has at least one
            if *times == 0 {
                dead.remove(key.url_bytes());
            }
        }
    }

    fn records(&self, key: &Key) -> Result<Vec<(Id, Vec<u8>)>, IndexError> {
        let Some((url, hash)) = self.hashes(key) else { return Ok(Vec::new()) };
        self.folder.faults.check(faults::Op::Index)?;
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.as_ref().map_or(Ok(Vec::new()), |index| index.of_key(url, hash))
    }

    /// A response from its record; none if the map knows better.
    fn load(&self, key: &Key, id: Id, record: Record) -> io::Result<Option<Entry>> {
        if self.loaded.load(Ordering::Acquire) && lock(&self.map).get(id).is_none_or(|held| held.body != record.body) {
            return Ok(None);
        }
        let body = match record.body.place {
            Place::Segment(file, offset) => {
                let bytes = self.folder.read_small(file, offset, &record.body)?;
                StoredBody::new(if bytes.is_empty() { Vec::new() } else { vec![Bytes::from(bytes)] })
            }
            Place::File(file) | Place::Beginning(file) => {
                let body = Arc::new(self.folder.find_large(&record.body)?);
                body.belongs_to(key);
                lock(&self.map).opened(file, &body);
                if body.length() <= MEMORY_BODY {
                    StoredBody::new(vec![body.read(0, body.length())?])
                } else {
                    StoredBody::in_file(body)
                }
            }
        };
        let swept = self.index.read().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, |index| index.swept);
        let entry = Entry::new(record.meta, body, 0);
        entry.note_checked(swept);
        Ok(Some(entry))
    }

    /// Opens the index, if that can be done now. One that belongs to another journal of purges, to another version, or to
    /// nobody, is emptied with everything else.
    fn open_index(&self) {
        let open = || -> Result<Index, IndexError> {
            self.folder.faults.check(faults::Op::Index)?;
            let path = self.folder.index();
            match Index::open(&path, &self.journal) {
                Ok(Some(index)) => return Ok(index),
                Ok(None) => {
                    tracing::warn!("disk cache: what is there is of another version or another node; starting empty")
                }
                Err(error) if is_in_use(&*error) => return Err(error),
                Err(error) => tracing::error!("disk cache: the index is damaged ({error}); starting empty"),
            }
            self.folder.empty()?;
            Ok(Index::open(&path, &self.journal)?.ok_or("a new index is not what it should be")?)
        };
        // A damaged file may make the database panic, which must cost the tier its content and not the edge its life.
        let opened = guarded(open).unwrap_or_else(|| {
            self.folder.empty()?;
            Err("the index was damaged; starting empty".into())
        });
        match opened {
            Ok(index) => *self.index.write().unwrap_or_else(PoisonError::into_inner) = Some(index),
            Err(error) => self.writes.failed("the index cannot be opened", &error),
        }
    }

    fn index_failed(&self, error: &IndexError) {
        self.writes.failed("the index does not work", error);
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.loaded.store(false, Ordering::Release);
    }
}

/// Runs something that may panic over damaged data; none if it did.
fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}

/// Whether another process has the index, which is then not damaged.
fn is_in_use(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref::<redb::DatabaseError>(), Some(redb::DatabaseError::DatabaseAlreadyOpen))
        || error.downcast_ref::<io::Error>().is_some()
}

impl Cache {
    /// Adds the disk tier. Purges must have their journal: without, what was purged could come back.
    ///
    /// # Errors
    /// There is no journal, or the folder cannot be used.
    pub fn attach_disk(&self, settings: DiskSettings) -> io::Result<()> {
        let journal = self.inner.purges.journal_name();
        let journal = journal.ok_or_else(|| io::Error::other("it needs the journal of purges"))?;
        let disk = Disk::spawn(settings, journal, Arc::downgrade(&self.inner))?;
        let _ = self.inner.disk.set(disk); // there is one at most
        Ok(())
    }

    /// Waits until the disk tier has committed what it was given, if there is one. Blocks.
    pub fn flush_disk(&self) {
        if let Some(disk) = self.inner.disk.get() {
            disk.flush();
        }
    }

    /// Bytes and responses on disk, if there is a disk tier.
    #[must_use]
    pub fn on_disk(&self) -> Option<(u64, usize)> {
        self.inner.disk.get().map(|disk| (disk.used(), disk.len()))
    }
}
