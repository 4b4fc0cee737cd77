//! The growing body of a running fill: one writer, many readers, each at its own pace.
//!
//! While the body is being stored, the writer never waits and everything is kept, at most `max_object` bytes. When a
//! body of unknown length outgrows that, [`Buffer::stop_storing`] turns the buffer into a window: the oldest living
//! reader (the leader, while it lives) sets the pace, the writer keeps at most [`WINDOW`] ahead of it, and a reader
//! that falls more than [`WINDOW`] behind it ends with an error, so that one slow follower holds up nobody. A body that is
//! written to disk as it comes is let go of in memory; readers who are behind follow on disk.
//! Deliberately absent: the origin and the store; see `fill`.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future as _,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use super::disk::Spool;
use crate::body::BodyError;

/// Bytes that the writer may be ahead of the pace-setting reader, and another reader behind it, once nothing is stored.
pub(crate) const WINDOW: u64 = 2 << 20;

/// Bytes that are still read when nobody wants them any more (http-cache.md 4.2).
pub(crate) const WORTH_FINISHING: u64 = 16 << 20;

/// Smaller chunks are gathered in the tail until it has this many bytes.
const TAIL: usize = 64 << 10;
/// Chunks of this size or more become a piece of their own.
const LARGE: usize = 16 << 10;

/// The shared state of one fill's body.
#[derive(Debug)]
pub(crate) struct Buffer {
    state: Mutex<State>,
    /// The promised length in bytes, if there is one.
    length: Option<u64>,
    /// Where the body is from its first byte on, if memory does not keep it.
    spool: OnceLock<Arc<Spool>>,
}

#[derive(Debug, Default)]
struct State {
    /// Pieces with the position of their first byte; none shares memory with the origin's buffers.
    segments: VecDeque<(u64, Bytes)>,
    tail: BytesMut,
    written: u64,
    end: Option<Result<(), BodyError>>,
    trailers: Option<Box<HeaderMap>>,
    windowed: bool,
    /// The writer has given up: nobody can begin to read any more.
    closed: bool,
    /// How much there was when the last reader left.
    deserted_at: Option<u64>,
    readers: BTreeMap<u64, Reader>,
    next_reader: u64,
    writer: Option<Waker>,
}

#[derive(Debug, Default)]
struct Reader {
    position: u64,
    waker: Option<Waker>,
}

impl State {
    fn tail_start(&self) -> u64 {
        self.written - self.tail.len() as u64
    }

    /// Position of the first byte that is still there.
    fn base(&self) -> u64 {
        self.segments.front().map_or_else(|| self.tail_start(), |(start, _)| *start)
    }

    fn freeze_tail(&mut self) {
        if !self.tail.is_empty() {
            let start = self.tail_start();
            let segment = Bytes::copy_from_slice(&self.tail); // exact, whatever the tail's capacity has grown to
            self.tail.clear();
            self.segments.push_back((start, segment));
        }
    }

    fn append(&mut self, chunk: &[u8]) {
        if chunk.len() >= LARGE {
            self.freeze_tail();
            self.segments.push_back((self.written, Bytes::copy_from_slice(chunk)));
            self.written += chunk.len() as u64;
            return;
        }
        self.tail.extend_from_slice(chunk);
        self.written += chunk.len() as u64;
        if self.tail.len() >= TAIL {
            self.freeze_tail();
        }
    }

    /// The bytes at `position`, as many as lie together; none if they have not come yet.
    fn piece_at(&self, position: u64) -> Option<Bytes> {
        if position >= self.written {
            return None;
        }
        let tail_start = self.tail_start();
        if position >= tail_start {
            let from = usize::try_from(position - tail_start).ok()?;
            return self.tail.get(from..).map(Bytes::copy_from_slice);
        }
        let index = self.segments.partition_point(|(start, _)| *start <= position).checked_sub(1)?;
        let (start, segment) = self.segments.get(index)?;
        let from = usize::try_from(position - start).ok()?;
        (from < segment.len()).then(|| segment.slice(from..))
    }

    /// The position of the reader that sets the pace.
    fn pace(&self) -> Option<u64> {
        self.readers.first_key_value().map(|(_, reader)| reader.position)
    }

    /// Lets go of what no reader may still want.
    fn trim(&mut self) {
        let floor = self.pace().unwrap_or(self.written).saturating_sub(WINDOW);
        while self.segments.front().is_some_and(|(start, segment)| start + segment.len() as u64 <= floor) {
            self.segments.pop_front();
        }
    }

    /// Whether to go on for nobody but the store: if little is left, or half is done.
    fn is_worth_finishing(&self, length: Option<u64>) -> bool {
        match (self.deserted_at, length) {
            (None, _) => true,
            (Some(_), Some(length)) => {
                self.written.saturating_mul(2) >= length || length.saturating_sub(self.written) <= WORTH_FINISHING
            }
            (Some(since), None) => self.written - since <= WORTH_FINISHING,
        }
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        self.readers.values_mut().filter_map(|reader| reader.waker.take()).collect()
    }
}

impl Buffer {
    /// An empty buffer for a body of that many bytes, if the length is known.
    pub(crate) fn new(length: Option<u64>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), length, spool: OnceLock::new() })
    }

    /// The promised length in bytes, if there is one.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// A reader from the first byte on; none if that is gone already.
    pub(crate) fn reader(self: &Arc<Self>) -> Option<FillReader> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        if state.base() > 0 && self.spool.get().is_none_or(|spool| spool.written() < state.base()) {
            return None;
        }
        let id = state.next_reader;
        state.next_reader += 1;
        state.deserted_at = None;
        state.readers.insert(id, Reader::default());
        drop(state);
        Some(FillReader { buffer: Arc::clone(self), id, reading: None, followed: false })
    }

    /// Appends a chunk and wakes the readers; returns how many bytes have come by now.
    pub(crate) fn push(&self, chunk: &[u8]) -> u64 {
        let mut state = self.lock();
        state.append(chunk);
        let (written, wakers) = (state.written, state.take_wakers());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        written
    }

    /// From now on the body is also on disk: memory lets go of what has been written there, less what readers at the front
    /// will want in a moment.
    pub(crate) fn spool_to(&self, spool: Arc<Spool>) {
        let _ = self.spool.set(spool); // there is one for a fill
    }

    /// More has been written to disk.
    pub(crate) fn spooled(&self) {
        let Some(spool) = self.spool.get() else { return };
        let mut state = self.lock();
        let floor = spool.written().min(state.written.saturating_sub(WINDOW));
        while state.segments.front().is_some_and(|(start, segment)| start + segment.len() as u64 <= floor) {
            state.segments.pop_front();
        }
    }

    /// From now on this is a window over the body; what has been read is let go.
    pub(crate) fn stop_storing(&self) {
        let mut state = self.lock();
        state.windowed = true;
        state.freeze_tail();
        state.trim();
    }

    /// Waits until the writer may write, and wakes it when readers leave. False: nobody reads and nothing is stored, or too
    /// much is left to read for the store alone, so there is nothing to go on for.
    pub(crate) fn poll_pace(&self, context: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        if state.writer.as_ref().is_none_or(|writer| !writer.will_wake(context.waker())) {
            state.writer = Some(context.waker().clone());
        }
        match state.pace() {
            None if state.windowed || !state.is_worth_finishing(self.length) => {
                state.closed = true;
                Poll::Ready(false)
            }
            Some(position) if state.windowed && state.written - position >= WINDOW => Poll::Pending,
            _ => Poll::Ready(true),
        }
    }

    /// All bytes so far as pieces, for storing.
    pub(crate) fn contents(&self) -> Vec<Bytes> {
        let mut state = self.lock();
        state.freeze_tail();
        state.segments.iter().map(|(_, segment)| segment.clone()).collect()
    }

    /// What follows the body; each reader gets it at the end.
    pub(crate) fn follow_with(&self, trailers: HeaderMap) {
        self.lock().trailers = Some(Box::new(trailers));
    }

    /// What follows the body, as far as it has come.
    pub(crate) fn trailers(&self) -> Option<HeaderMap> {
        self.lock().trailers.as_deref().cloned()
    }

    /// Ends the body for all readers; only the first call counts.
    pub(crate) fn finish(&self, end: Result<(), BodyError>) {
        let mut state = self.lock();
        state.end.get_or_insert(end);
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One reader of a fill.
#[derive(Debug)]
pub(crate) struct FillReader {
    buffer: Arc<Buffer>,
    id: u64,
    /// Bytes that are being read from disk.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// It has got what follows the body.
    followed: bool,
}

impl FillReader {
    /// Reads from disk what memory has let go of; none if memory has what comes next.
    fn poll_spool(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.reading.is_none() {
            let state = self.buffer.lock();
            let position = self.position(&state);
            if position >= state.base() {
                return Poll::Ready(None);
            }
            let Some(spool) = self.buffer.spool.get().filter(|spool| spool.written() > position).map(Arc::clone) else {
                return Poll::Ready(Some(Err(BodyError::Fill)));
            };
            drop(state);
            self.reading = Some(tokio::task::spawn_blocking(move || spool.read(position)));
        }
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let Ok(Ok(piece)) = read else { return Poll::Ready(Some(Err(BodyError::File))) };
        let mut state = self.buffer.lock();
        if let Some(reader) = state.readers.get_mut(&self.id) {
            reader.position += piece.len() as u64;
        }
        let writer = state.writer.take().filter(|_| state.windowed);
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(Ok(piece)))
    }

    fn position(&self, state: &State) -> u64 {
        state.readers.get(&self.id).map_or(0, |reader| reader.position)
    }
}

impl http_body::Body for FillReader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(read) = ready!(self.poll_spool(context)) {
            return Poll::Ready(Some(read.map(Frame::data)));
        }
        let mut state = self.buffer.lock();
        let position = self.position(&state);
        let Some(piece) = state.piece_at(position) else {
            return match state.end {
                Some(Ok(())) => {
                    let trailers = state.trailers.as_deref().filter(|_| !self.followed).cloned();
                    drop(state);
                    self.followed = true;
                    Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
                }
                Some(Err(error)) => Poll::Ready(Some(Err(error))),
                None => {
                    if let Some(reader) = state.readers.get_mut(&self.id) {
                        reader.waker = Some(context.waker().clone());
                    }
                    Poll::Pending
                }
            };
        };
        if let Some(reader) = state.readers.get_mut(&self.id) {
            reader.position += piece.len() as u64;
        }
        let writer = if state.windowed {
            state.trim();
            state.writer.take()
        } else {
            None
        };
        drop(state);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        let state = self.buffer.lock();
        let over = self.followed || state.trailers.is_none();
        over && state.end == Some(Ok(())) && self.position(&state) == state.written
    }

    fn size_hint(&self) -> SizeHint {
        let position = self.position(&self.buffer.lock());
        self.buffer
            .length
            .map_or_else(SizeHint::default, |length| SizeHint::with_exact(length.saturating_sub(position)))
    }
}

impl Drop for FillReader {
    fn drop(&mut self) {
        let mut state = self.buffer.lock();
        state.readers.remove(&self.id);
        if state.readers.is_empty() {
            state.deserted_at = Some(state.written);
        }
        let writer = state.writer.take(); // the pace may be another's now
        drop(state);
        writer.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
#[path = "tests/buffer.rs"]
mod tests;
