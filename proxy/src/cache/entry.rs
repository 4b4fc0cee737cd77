//! A stored response: its head with everything decided at storing time, and its body.
//!
//! Entries never change; a revalidation makes a new one that shares the old body. Deliberately absent: the clock (`now`
//! is an argument everywhere) and the way back to the store.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use super::{Now, date, disk::FileBody, fields::Fields, freshness::Freshness, policy::Lent, tags::Tags, vary::Variant};
use crate::body::{self, Body, BodyError};

/// What an entry costs beyond its bytes: allocations, table slots, bookkeeping (measured; `tests/footprint.rs`).
const ENTRY_OVERHEAD: usize = 640;
/// The same for one piece of a body that has several.
const SEGMENT_OVERHEAD: usize = 64;

/// The head of a stored response, shared by the entry and by all who read it.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub(crate) status: StatusCode,
    /// Stored fields: no `Age`, nothing hop-by-hop, always a `Date`.
    pub(crate) headers: Fields,
    pub(crate) freshness: Freshness,
    pub(crate) variant: Variant,
    /// When the head arrived or was last confirmed.
    pub(crate) received: Now,
    pub(crate) lent: Option<Lent>,
    pub(crate) tags: Tags,
    /// The number of the last purge before the origin was asked.
    pub(crate) asked_at: u64,
}

impl Meta {
    /// Time since the head arrived, on the monotonic clock.
    pub(crate) fn resident(&self, now: Now) -> Duration {
        now.mono.saturating_duration_since(self.received.mono)
    }

    /// Whether it may answer without asking the origin.
    pub(crate) fn is_fresh(&self, now: Now) -> bool {
        self.freshness.is_fresh(self.resident(now))
    }

    /// The response's `Date` in seconds since 1970, by which the newest of several is found.
    pub(crate) fn date(&self) -> i64 {
        let received = date::unix(self.received.wall);
        let value = self.headers.get(&header::DATE).and_then(|value| HeaderValue::from_bytes(value).ok());
        let mut line = HeaderMap::with_capacity(1);
        value.into_iter().for_each(|value| drop(line.insert(header::DATE, value)));
        date::of(&line, header::DATE, received).unwrap_or(received)
    }

    fn weight(&self) -> usize {
        self.headers.weight() + self.variant.weight() + self.tags.weight()
    }
}

/// A complete response in memory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) meta: Meta,
    body: StoredBody,
    /// Milliseconds of the cache's life at which it was last used.
    used: AtomicU64,
    /// The number of the last purge that it was held against.
    checked: AtomicU64,
}

impl Entry {
    /// Puts head and body together. `used`: milliseconds of the cache's life.
    pub(crate) fn new(meta: Meta, body: StoredBody, used: u64) -> Self {
        let checked = AtomicU64::new(meta.asked_at);
        Self { meta, body, used: AtomicU64::new(used), checked }
    }

    /// The body; its bytes are shared.
    pub(crate) fn body(&self) -> StoredBody {
        self.body.clone()
    }

    /// The body's file, if it is on disk and not in memory.
    pub(crate) fn file(&self) -> Option<&Arc<FileBody>> {
        self.body.file()
    }

    /// Length of the body in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.body.length()
    }

    /// Whether bytes of the body turned out to be lost.
    pub(crate) fn is_damaged(&self) -> bool {
        self.file().is_some_and(|file| file.is_damaged())
    }

    /// Up to which number no purge covers it.
    pub(crate) fn checked(&self) -> u64 {
        self.checked.load(Ordering::Acquire)
    }

    /// Notes that no purge up to this number covers it.
    pub(crate) fn note_checked(&self, number: u64) {
        self.checked.fetch_max(number, Ordering::AcqRel);
    }

    /// The same response, expired at that age and held against all purges up to `number`.
    pub(crate) fn expired(&self, age: Duration, number: u64) -> Self {
        let mut meta = self.meta.clone();
        meta.freshness.lifetime = meta.freshness.lifetime.min(age.into());
        let expired = Self::new(meta, self.body(), self.last_used());
        expired.note_checked(number);
        expired
    }

    /// Notes a use.
    pub(crate) fn touch(&self, at: u64) {
        self.used.store(at, Ordering::Relaxed);
    }

    /// The last use.
    pub(crate) fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that the entry occupies, estimated.
    pub(crate) fn weight(&self) -> usize {
        self.meta.weight() + self.body.weight() + ENTRY_OVERHEAD
    }
}

/// A complete body. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub(crate) enum StoredBody {
    /// In one piece.
    Whole(Bytes),
    /// In several, of that many bytes together.
    Pieces(Arc<[Bytes]>, u64),
    /// On disk.
    File(Arc<FileBody>),
}

impl StoredBody {
    /// A body of these pieces, none of which may borrow from a larger buffer (it would be kept alive unweighed).
    pub(crate) fn new(segments: Vec<Bytes>) -> Self {
        match <[Bytes; 1]>::try_from(segments) {
            Ok([whole]) => Self::Whole(whole),
            Err(segments) if segments.is_empty() => Self::Whole(Bytes::new()),
            Err(segments) => {
                let length = segments.iter().map(|segment| segment.len() as u64).sum();
                Self::Pieces(segments.into(), length)
            }
        }
    }

    /// A body that is on disk.
    pub(crate) fn in_file(file: Arc<FileBody>) -> Self {
        Self::File(file)
    }

    /// Its file, if it is on disk and not in memory.
    pub(crate) fn file(&self) -> Option<&Arc<FileBody>> {
        match self {
            Self::File(file) => Some(file),
            Self::Whole(_) | Self::Pieces(..) => None,
        }
    }

    /// All bytes that are in memory.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Whole(whole) => whole.to_vec(),
            Self::Pieces(pieces, _) => pieces.concat(),
            Self::File(_) => Vec::new(),
        }
    }

    /// Length in bytes.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.len() as u64,
            Self::Pieces(_, length) => *length,
            Self::File(file) => file.length(),
        }
    }

    /// A body of the bytes from `start` up to but excluding `end`.
    pub(crate) fn reader(&self, start: u64, end: u64) -> Body {
        let end = end.min(self.length());
        let start = start.min(end);
        match self {
            // Both are at most the length, which is a usize.
            Self::Whole(whole) => body::full(whole.slice(start as usize..end as usize)),
            Self::Pieces(pieces, _) => {
                StoredReader { segments: Arc::clone(pieces), next: 0, skip: start, left: end - start }.boxed_unsync()
            }
            Self::File(file) => file.reader(start, end).boxed_unsync(),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Whole(whole) => whole.len(),
            Self::Pieces(pieces, _) => pieces.iter().map(|piece| piece.len() + SEGMENT_OVERHEAD).sum(),
            Self::File(file) => file.weight(),
        }
    }
}

/// Reads a stored body piece by piece, without copying.
struct StoredReader {
    segments: Arc<[Bytes]>,
    next: usize,
    skip: u64,
    left: u64,
}

impl http_body::Body for StoredReader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while self.left > 0 {
            let Some(segment) = self.segments.get(self.next).cloned() else { break };
            self.next += 1;
            let size = segment.len() as u64;
            if self.skip >= size {
                self.skip -= size;
                continue;
            }
            let end = (self.skip + self.left).min(size);
            // Both ends are at most the segment's length, which is a usize.
            let piece = segment.slice(self.skip as usize..end as usize);
            self.skip = 0;
            self.left -= piece.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
