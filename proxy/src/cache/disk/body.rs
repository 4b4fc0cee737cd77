//! A body in a file: chunks with checksums, read piece by piece on threads that may block.
//!
//! No byte is handed out before the chunk that it is in was verified once since the file was opened (or was written by this
//! process). Deliberately absent: who made the file, and when it goes.

use std::{
    fs::File,
    future::Future as _,
    io,
    os::unix::fs::FileExt as _,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    faults::{Faults, Op},
    record::FileId,
};
use crate::{body::BodyError, cache::key::Key};

/// Bytes under one checksum.
pub(super) const CHUNK: u64 = 1 << 20;

/// A body in a file of its own. Whoever holds it can read it, also after the file's name is gone.
#[derive(Debug)]
pub(crate) struct FileBody {
    file: Arc<File>,
    id: FileId,
    length: u64,
    sums: Box<[u64]>,
    verified: Box<[AtomicBool]>,
    used: AtomicBool,
    damaged: AtomicBool,
    faults: Faults,
    key: OnceLock<Key>,
}

impl FileBody {
    /// A body that was just written (`verified`), or one that was found.
    pub(super) fn new(
        file: Arc<File>,
        id: FileId,
        length: u64,
        sums: Vec<u64>,
        verified: bool,
        faults: Faults,
    ) -> Self {
        let marks = sums.iter().map(|_| AtomicBool::new(verified)).collect();
        let (used, damaged) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { file, id, length, sums: sums.into(), verified: marks, used, damaged, faults, key: OnceLock::new() }
    }

    /// Bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Notes which key it is stored under.
    pub(super) fn belongs_to(&self, key: &Key) {
        let _ = self.key.set(key.clone()); // always the same
    }

    pub(super) fn key(&self) -> Option<&Key> {
        self.key.get()
    }

    pub(super) fn id(&self) -> FileId {
        self.id
    }

    pub(super) fn sums(&self) -> &[u64] {
        &self.sums
    }

    /// Whether it was read since this was asked last.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Whether a chunk of it turned out to be damaged, or could not be read.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Acquire)
    }

    /// Bytes in memory that belong to it.
    pub(crate) fn weight(&self) -> usize {
        self.sums.len() * 9 + size_of::<Self>()
    }

    /// Whether the chunk that byte `at` is in has been verified.
    pub(crate) fn is_verified(&self, at: u64) -> bool {
        let index = usize::try_from(at / CHUNK).unwrap_or(usize::MAX);
        self.length == 0 || self.verified.get(index).is_some_and(|mark| mark.load(Ordering::Acquire))
    }

    /// The bytes from `at` up to `end`, at most to the end of a chunk. Blocks.
    pub(crate) fn read(&self, at: u64, end: u64) -> io::Result<Bytes> {
        self.used.store(true, Ordering::Relaxed);
        let read = self.read_checked(at, end);
        if read.is_err() {
            self.damaged.store(true, Ordering::Release);
        }
        read
    }

    fn read_checked(&self, at: u64, end: u64) -> io::Result<Bytes> {
        let start = at / CHUNK * CHUNK;
        let stop = (start + CHUNK).min(self.length);
        let end = end.min(stop);
        if self.is_verified(at) {
            return self.read_bytes(at, end);
        }
        let chunk = self.read_bytes(start, stop)?;
        let index = usize::try_from(at / CHUNK).unwrap_or(usize::MAX);
        if self.sums.get(index) != Some(&xxh3_64(&chunk)) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk does not match its checksum"));
        }
        if let Some(mark) = self.verified.get(index) {
            mark.store(true, Ordering::Release);
        }
        // Both differences are at most a chunk.
        Ok(chunk.slice((at - start) as usize..(end - start) as usize))
    }

    fn read_bytes(&self, at: u64, end: u64) -> io::Result<Bytes> {
        let length = usize::try_from(end.saturating_sub(at)).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.faults.check(Op::Read)?;
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(Bytes::from(bytes))
    }

    /// A body of the bytes from `start` up to `end`.
    pub(crate) fn reader(self: &Arc<Self>, start: u64, end: u64) -> FileReader {
        FileReader { body: Arc::clone(self), at: start, end: end.min(self.length), reading: None }
    }
}

/// Reads a body from its file.
#[derive(Debug)]
pub(crate) struct FileReader {
    body: Arc<FileBody>,
    at: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl http_body::Body for FileReader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.at >= self.end {
            return Poll::Ready(None);
        }
        if self.reading.is_none() {
            let (body, at, end) = (Arc::clone(&self.body), self.at, self.end);
            self.reading = Some(tokio::task::spawn_blocking(move || body.read(at, end)));
        }
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(Some(Err(BodyError::File))) };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        match read {
            Ok(Ok(piece)) if !piece.is_empty() => {
                self.at += piece.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            _ => {
                self.at = self.end;
                Poll::Ready(Some(Err(BodyError::File)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.at >= self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end.saturating_sub(self.at))
    }
}
