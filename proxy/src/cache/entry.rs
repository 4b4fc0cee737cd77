//! A stored response: its head with everything decided at storing time, and its body.
//!
//! Entries never change; a revalidation makes a new one that shares the old body. Deliberately absent: the clock (`now`
//! is an argument everywhere) and the way back to the store.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::{Now, date, disk::FileBody, fields::Fields, freshness::Freshness, policy::Lent, tags::Tags, vary::Variant};
use crate::body::{self, Body, BodyError};

/// What an entry costs beyond its bytes: allocations, table slots, bookkeeping (measured; `tests/footprint.rs`).
const ENTRY_OVERHEAD: usize = 450;
/// Bodies up to this length are kept in one piece, whatever pieces they came in.
pub(super) const SMALL: usize = 64 << 10;
/// The same for one piece of a body that has several.
const SEGMENT_OVERHEAD: usize = 64;

/// A [`Now`] in half the memory: there is one for every stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Microseconds since 1970.
    wall: i64,
    /// Nanoseconds since [`ZERO`].
    mono: i64,
}

/// The instant from which moments are counted: that of the first.
static ZERO: OnceLock<Instant> = OnceLock::new();

impl Moment {
    /// By the clock on the wall.
    pub(crate) fn wall(self) -> SystemTime {
        let since = Duration::from_micros(self.wall.unsigned_abs());
        let wall = if self.wall < 0 { UNIX_EPOCH.checked_sub(since) } else { UNIX_EPOCH.checked_add(since) };
        wall.unwrap_or(UNIX_EPOCH) // never: it came from such a time
    }

    /// By the monotonic clock.
    pub(crate) fn mono(self) -> Instant {
        let zero = *ZERO.get().expect("a moment is made after this is set");
        let since = Duration::from_nanos(self.mono.unsigned_abs());
        let mono = if self.mono < 0 { zero.checked_sub(since) } else { zero.checked_add(since) };
        mono.unwrap_or(zero) // never: it came from such an instant
    }
}

impl From<Now> for Moment {
    fn from(now: Now) -> Self {
        let signed = |before: bool, count: u128| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            if before { -count } else { count }
        };
        let wall = match now.wall.duration_since(UNIX_EPOCH) {
            Ok(since) => signed(false, since.as_micros()),
            Err(before) => signed(true, before.duration().as_micros()),
        };
        let zero = *ZERO.get_or_init(|| now.mono);
        let mono = match now.mono.checked_duration_since(zero) {
            Some(since) => signed(false, since.as_nanos()),
            None => signed(true, zero.duration_since(now.mono).as_nanos()),
        };
        Self { wall, mono }
    }
}

/// The head of a stored response, shared by the entry and by all who read it.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub(crate) status: StatusCode,
    /// Stored fields: no `Age`, nothing hop-by-hop, always a `Date`.
    pub(crate) headers: Fields,
    pub(crate) freshness: Freshness,
    pub(crate) variant: Variant,
    /// When the head arrived or was last confirmed.
    pub(crate) received: Moment,
    pub(crate) lent: Option<Lent>,
    pub(crate) tags: Tags,
    /// The number of the last purge before the origin was asked.
    pub(crate) asked_at: u64,
}

impl Meta {
    /// Time since the head arrived, on the monotonic clock.
    pub(crate) fn resident(&self, now: Now) -> Duration {
        now.mono.saturating_duration_since(self.received.mono())
    }

    /// Whether it may answer without asking the origin.
    pub(crate) fn is_fresh(&self, now: Now) -> bool {
        self.freshness.is_fresh(self.resident(now))
    }

    /// The response's `Date` in seconds since 1970, by which the newest of several is found.
    pub(crate) fn date(&self) -> i64 {
        let received = date::unix(self.received.wall());
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

    /// The body; clones share its bytes.
    pub(crate) fn body(&self) -> &StoredBody {
        &self.body
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
        let expired = Self::new(meta, self.body.clone(), self.last_used());
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
    /// In one piece, of at most [`SMALL`] bytes.
    Small(Small),
    /// In several.
    Pieces(Arc<Pieces>),
    /// On disk.
    File(Arc<FileBody>),
}

/// A short body: one pointer, since there may be millions.
#[derive(Clone, Debug)]
pub(crate) struct Small(
    #[allow(
        clippy::redundant_allocation,
        reason = "a block of just its size; counts in front of it would make it a larger one"
    )]
    Arc<Box<[u8]>>,
);

impl AsRef<[u8]> for Small {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Small> for Bytes {
    fn from(small: Small) -> Self {
        Self::from_owner(small)
    }
}

/// A long body in memory.
#[derive(Debug)]
pub(crate) struct Pieces {
    pieces: Box<[Bytes]>,
    /// Of all together.
    length: u64,
}

impl StoredBody {
    /// A body of these pieces, none of which may borrow from a larger buffer (it would be kept alive unweighed).
    pub(crate) fn new(segments: Vec<Bytes>) -> Self {
        let length = segments.iter().map(|segment| segment.len() as u64).sum();
        if length <= SMALL as u64 {
            return Self::Small(Small(Arc::new(segments.concat().into())));
        }
        Self::Pieces(Arc::new(Pieces { pieces: segments.into(), length }))
    }

    /// A body that is on disk.
    pub(crate) fn in_file(file: Arc<FileBody>) -> Self {
        Self::File(file)
    }

    /// Its file, if it is on disk and not in memory.
    pub(crate) fn file(&self) -> Option<&Arc<FileBody>> {
        match self {
            Self::File(file) => Some(file),
            Self::Small(_) | Self::Pieces(_) => None,
        }
    }

    /// All bytes that are in memory.
    pub(crate) fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Small(small) => small.as_ref().to_vec(),
            Self::Pieces(pieces) => pieces.pieces.concat(),
            Self::File(_) => Vec::new(),
        }
    }

    /// Length in bytes.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Small(small) => small.as_ref().len() as u64,
            Self::Pieces(pieces) => pieces.length,
            Self::File(file) => file.length(),
        }
    }

    /// A body of the bytes from `start` up to but excluding `end`.
    pub(crate) fn reader(&self, start: u64, end: u64) -> Body {
        let end = end.min(self.length());
        let start = start.min(end);
        match self {
            // Both are at most the length, which is a usize.
            Self::Small(small) => body::full(Bytes::from(small.clone()).slice(start as usize..end as usize)),
            Self::Pieces(pieces) => {
                StoredReader { stored: Arc::clone(pieces), next: 0, skip: start, left: end - start }.boxed_unsync()
            }
            Self::File(file) => file.reader(start, end).boxed_unsync(),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Small(small) => allocated(small.as_ref().len()),
            Self::Pieces(pieces) => pieces.pieces.iter().map(|piece| piece.len() + SEGMENT_OVERHEAD).sum(),
            Self::File(file) => file.weight(),
        }
    }
}

/// What the allocator takes for a block of `length` bytes: it has four sizes for each doubling.
fn allocated(length: usize) -> usize {
    match length.checked_sub(1).and_then(usize::checked_ilog2) {
        Some(power) if length > 64 => length.next_multiple_of(1 << (power - 2)),
        _ => length.next_multiple_of(16),
    }
}

/// Reads a stored body piece by piece, without copying.
struct StoredReader {
    stored: Arc<Pieces>,
    next: usize,
    skip: u64,
    left: u64,
}

impl http_body::Body for StoredReader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while self.left > 0 {
            let Some(segment) = self.stored.pieces.get(self.next).cloned() else { break };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_moment() {
        let now = Now { wall: SystemTime::now(), mono: Instant::now() };
        let micros = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_micros();
        for now in [
            now,
            Now { wall: now.wall + Duration::from_millis(1500), mono: now.mono + Duration::from_nanos(1) },
            Now { wall: UNIX_EPOCH, mono: now.mono.checked_sub(Duration::from_millis(3)).unwrap() },
            Now { wall: now.wall + Duration::from_secs(1 << 38), mono: now.mono + Duration::from_secs(1 << 32) },
        ] {
            let moment = Moment::from(now);
            assert_eq!((micros(moment.wall()), moment.mono()), (micros(now.wall), now.mono));
        }
        let before = UNIX_EPOCH - Duration::from_secs(7);
        assert_eq!(Moment::from(Now { wall: before, ..now }).wall(), before);
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 144, "{} bytes, and two counts", size_of::<Entry>());
    }

    #[test]
    fn blocks_have_sizes() {
        let lengths = [0, 1, 16, 64, 65, 1024, 1025, 1281, SMALL];
        assert_eq!(lengths.map(allocated), [0, 16, 16, 64, 80, 1024, 1280, 1536, SMALL]);
    }

    #[test]
    fn short_bodies_are_in_one_piece_whatever_they_came_in() {
        let pieces = |sizes: &[usize]| StoredBody::new(sizes.iter().map(|size| Bytes::from(vec![7; *size])).collect());
        for (sizes, small) in
            [(&[][..], true), (&[5], true), (&[5, SMALL - 5], true), (&[5, SMALL - 4], false), (&[SMALL + 1], false)]
        {
            let body = pieces(sizes);
            assert_eq!(matches!(body, StoredBody::Small(_)), small, "{sizes:?}");
            let length = sizes.iter().sum::<usize>();
            assert_eq!((body.length(), body.to_vec()), (length as u64, vec![7; length]), "{sizes:?}");
        }
    }
}
