//! The files of the tier: segments with many small bodies, files with one large body each, and how many bytes they take.
//!
//! Names are never used twice, so a record never finds bytes of another response under its place. Deliberately absent: the
//! index, and which files stay.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use nix::sys::statvfs::statvfs;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    body::{CHUNK, FileBody},
    faults::{Faults, Op},
    record::{FileId, Place, Stored},
};
use crate::cache::store::lock;

/// Bytes after which a segment is full.
pub(super) const SEGMENT: u64 = 64 << 20;

/// What is left free of the file system: this part of it, but not more than so many bytes.
const FLOOR: (u64, u64) = (100, 256 << 20);

/// Whether a file is a segment or one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Segment,
    Body,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Upper half of the names that this run gives.
    run: u32,
    next: AtomicU32,
    /// Bytes of all files but the index.
    used: AtomicU64,
    /// Files that fills are writing, which no record names yet, and their bytes so far.
    under_way: Mutex<HashMap<FileId, u64>>,
    pub(super) faults: Faults,
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let mut run = [0; 4];
        getrandom::fill(&mut run).map_err(|error| io::Error::other(error.to_string()))?;
        let (run, next, used) = (u32::from_be_bytes(run), AtomicU32::new(0), AtomicU64::new(0));
        let (under_way, faults) = (Mutex::default(), Faults::default());
        Ok(Self { path: path.to_owned(), run, next, used, under_way, faults })
    }

    pub(super) fn index(&self) -> PathBuf {
        self.path.join("index.redb")
    }

    /// Bytes of all bodies.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Counts anew: that many bytes in files with records, and what is under way.
    pub(super) fn recount(&self, bytes: u64) {
        let under_way = lock(&self.under_way);
        self.used.store(bytes + under_way.values().sum::<u64>(), Ordering::Relaxed);
    }

    /// Whether so many bytes more leave the file system its floor. What it does not tell is taken for enough.
    pub(super) fn has_free(&self, bytes: u64) -> bool {
        let Ok(all) = statvfs(&self.path) else { return true };
        let block = all.fragment_size();
        let floor = (all.blocks().saturating_mul(block) / FLOOR.0).min(FLOOR.1);
        all.blocks_available().saturating_mul(block) >= bytes.saturating_add(floor)
    }

    fn add_used(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    fn name(&self, id: FileId) -> PathBuf {
        // Two levels, so that no folder has more than some thousand files.
        self.path.join(format!("{:02x}", id & 0xff)).join(format!("{id:016x}"))
    }

    /// Makes a file with a new name.
    pub(super) fn create(&self) -> io::Result<(FileId, File)> {
        let id = self.next_id();
        Ok((id, self.create_as(id)?))
    }

    /// Makes a file with a new name for a fill: no stray until it is [settled](Self::settled) or removed.
    pub(super) fn begin(&self) -> io::Result<(FileId, File)> {
        let id = self.next_id();
        lock(&self.under_way).insert(id, 0); // before the file can be seen
        let file = self.create_as(id).inspect_err(|_| self.settled(id))?;
        Ok((id, file))
    }

    /// A record names the file from now on.
    pub(super) fn settled(&self, id: FileId) {
        lock(&self.under_way).remove(&id);
    }

    /// Whether a fill is writing the file, or has just written it.
    pub(super) fn is_under_way(&self, id: FileId) -> bool {
        lock(&self.under_way).contains_key(&id)
    }

    fn next_id(&self) -> FileId {
        u64::from(self.run) << 32 | u64::from(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn create_as(&self, id: FileId) -> io::Result<File> {
        let name = self.name(id);
        self.faults.check(Op::Write)?;
        if let Some(folder) = name.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().read(true).write(true).create_new(true).open(name)
    }

    pub(super) fn open_file(&self, id: FileId) -> io::Result<File> {
        self.faults.check(Op::Read)?;
        File::open(self.name(id))
    }

    /// Removes a file of that many bytes. Who has it open can go on reading.
    pub(super) fn remove(&self, id: FileId, bytes: u64) {
        if let Err(error) = fs::remove_file(self.name(id))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("a file of the disk tier cannot be removed: {error}");
        }
        self.settled(id);
        // Never below zero, whatever was counted.
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| Some(used.saturating_sub(bytes)));
    }

    /// Cuts off what lies behind the first `length` bytes of a file, which nothing was counted for.
    pub(super) fn cut(&self, id: FileId, length: u64) {
        let cut = OpenOptions::new().write(true).open(self.name(id)).and_then(|file| file.set_len(length));
        if let Err(error) = cut {
            tracing::warn!("a file of the disk tier cannot be cut: {error}");
        }
    }

    /// Appends at `offset` and counts.
    pub(super) fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.faults.check(Op::Write)?;
        file.write_all_at(bytes, offset)?;
        self.add_used(bytes.len() as u64);
        Ok(())
    }

    /// The same for a file under way. One that was removed meanwhile counts no more.
    pub(super) fn append(&self, id: FileId, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.faults.check(Op::Write)?;
        file.write_all_at(bytes, offset)?;
        if let Some(known) = lock(&self.under_way).get_mut(&id) {
            *known += bytes.len() as u64;
            self.add_used(bytes.len() as u64);
        }
        Ok(())
    }

    /// Calls `see` with every file that is there.
    pub(super) fn each_file(&self, mut see: impl FnMut(FileId, u64)) -> io::Result<()> {
        for folder in fs::read_dir(&self.path)? {
            let folder = folder?.path();
            let ours = folder.file_name().is_some_and(|name| name.len() == 2) && folder.is_dir();
            for file in if ours { Some(fs::read_dir(&folder)?) } else { None }.into_iter().flatten() {
                let file = file?;
                let id = file.file_name().to_str().and_then(|name| u64::from_str_radix(name, 16).ok());
                match id.filter(|id| self.name(*id) == file.path()) {
                    Some(id) => see(id, file.metadata()?.len()),
                    None => drop(fs::remove_file(file.path())), // a stray; the folder is ours alone
                }
            }
        }
        Ok(())
    }

    /// Throws everything away but what is under way.
    pub(super) fn empty(&self) -> io::Result<()> {
        let mut all = Vec::new();
        self.each_file(|id, _| all.push(id))?;
        all.retain(|id| !self.is_under_way(*id));
        all.into_iter().for_each(|id| self.remove(id, 0));
        self.recount(0);
        match fs::remove_file(self.index()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The bytes of a body in a segment, if they are what was written.
    pub(super) fn read_small(&self, file: FileId, offset: u64, body: &Stored) -> io::Result<Vec<u8>> {
        let length = usize::try_from(body.length.min(SEGMENT)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.open_file(file)?.read_exact_at(&mut bytes, offset)?;
        if body.sums != [xxh3_64(&bytes)] {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a body does not match its checksum"));
        }
        Ok(bytes)
    }

    /// A body in a file of its own, not verified yet.
    pub(super) fn find_large(&self, body: &Stored) -> io::Result<FileBody> {
        let file = self.open_file(body.place.file())?;
        let there = file.metadata()?.len();
        let (id, whole) = match body.place {
            Place::File(id) => (id, there == body.length),
            Place::Beginning(id) => (id, there >= body.length),
            Place::Segment(..) => return Err(io::Error::other("a body in a segment is not large")),
        };
        if !whole || body.sums.len() as u64 != body.length.div_ceil(CHUNK) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a body has another length than it should have"));
        }
        Ok(FileBody::new(Arc::new(file), id, body.length, body.sums.clone(), false, self.faults.clone()))
    }
}
