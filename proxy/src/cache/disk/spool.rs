//! A large body on its way to the disk: written chunk by chunk, readable up to where it has been written.
//!
//! Deliberately absent: the origin and the readers; see `fill` and `buffer`.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Disk, Op,
    body::{CHUNK, FileBody},
    record::{FileId, Place, Stored},
};
use crate::cache::{entry::Meta, key::Key};

/// Bytes that a reader takes at a time.
const PIECE: u64 = 256 << 10;

/// How much more is written before it is noted: so many bytes, but at least this part of what there is, so that the notes of a
/// very large body, which grow with it, do not become a load of their own.
const NOTED: (u64, u64) = (16 << 20, 8);

/// What readers see of it.
#[derive(Debug)]
pub(crate) struct Spool {
    file: Arc<File>,
    written: AtomicU64,
}

impl Spool {
    /// Bytes that can be read.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Some bytes from `at` on. Blocks.
    pub(crate) fn read(&self, at: u64) -> io::Result<Bytes> {
        let length = self.written().saturating_sub(at).min(PIECE);
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(Bytes::from(bytes))
    }
}

/// The writing end. What is not finished is removed, but for what was [noted](Self::note).
#[derive(Debug)]
pub(crate) struct SpoolWriter {
    disk: Disk,
    id: FileId,
    spool: Arc<Spool>,
    chunk: BytesMut,
    sums: Vec<u64>,
    /// Bytes after which the next note is due, and whether there is one.
    next_note: u64,
    noted: bool,
    finished: bool,
}

impl SpoolWriter {
    /// Begins a body.
    pub(crate) async fn begin(disk: &Disk) -> io::Result<Self> {
        let maker = disk.clone();
        let (id, file) = disk.blocking(move || maker.folder().begin()).await?;
        let spool = Arc::new(Spool { file: Arc::new(file), written: AtomicU64::new(0) });
        let chunk = BytesMut::with_capacity(CHUNK as usize); // a mebibyte fits any usize
        let (sums, next_note) = (Vec::new(), NOTED.0);
        Ok(Self { disk: disk.clone(), id, spool, chunk, sums, next_note, noted: false, finished: false })
    }

    /// What readers see.
    pub(crate) fn spool(&self) -> Arc<Spool> {
        Arc::clone(&self.spool)
    }

    /// Appends; whole chunks are written before this returns.
    pub(crate) async fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = (CHUNK as usize - self.chunk.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.chunk.extend_from_slice(now);
            bytes = later;
            if self.chunk.len() as u64 == CHUNK {
                self.write_chunk().await?;
            }
        }
        Ok(())
    }

    async fn write_chunk(&mut self) -> io::Result<()> {
        let chunk = self.chunk.split().freeze();
        let length = chunk.len() as u64;
        self.disk.make_room(length).await?;
        let (disk, id, file, at) = (self.disk.clone(), self.id, Arc::clone(&self.spool.file), self.spool.written());
        let write = move || {
            disk.folder().append(id, &file, at, &chunk)?;
            Ok(xxh3_64(&chunk))
        };
        let sum = self.disk.blocking(write).await?;
        self.sums.push(sum);
        self.spool.written.fetch_add(length, Ordering::Release);
        self.chunk.reserve(CHUNK as usize);
        Ok(())
    }

    /// Bytes that are to be noted now, if any are.
    pub(crate) fn note_due(&mut self) -> Option<u64> {
        let written = self.spool.written();
        let due = written >= self.next_note;
        if due {
            self.next_note = written + NOTED.0.max(written / NOTED.1);
        }
        due.then_some(written)
    }

    /// Has the index remember under `key` what is written by now. Does not wait.
    pub(crate) fn note(&mut self, key: &Key, meta: &Meta) {
        self.noted = true;
        self.disk.send(Op::Note(key.clone(), Box::new(meta.clone()), self.stored()));
    }

    /// The file as the index has it.
    fn stored(&self) -> Stored {
        Stored { place: Place::Beginning(self.id), length: self.spool.written(), sums: self.sums.clone() }
    }

    /// Removes the body, noted or not: it is not what it should be.
    pub(crate) fn discard(mut self) {
        self.noted = false;
    }

    /// Writes what is left. The body is complete.
    pub(crate) async fn finish(mut self) -> io::Result<Arc<FileBody>> {
        if !self.chunk.is_empty() {
            self.write_chunk().await?;
        }
        self.finished = true;
        let sums = std::mem::take(&mut self.sums);
        let file = Arc::clone(&self.spool.file);
        let faults = self.disk.folder().faults.clone();
        Ok(Arc::new(FileBody::new(file, self.id, self.spool.written(), sums, true, faults)))
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        match (self.finished, self.noted) {
            (true, _) => {}
            (false, true) => self.disk.send(Op::Leave(self.stored())),
            (false, false) => self.disk.throw_away(self.id, self.spool.written()),
        }
    }
}
