//! The streaming fill: a task that reads the origin's body, lets readers follow, and stores it when it is complete.
//!
//! The task owns the origin's body, so a fill goes on when the viewer who caused it leaves; when all have left, if at most
//! 16 MiB are left or half is done. Complete means that the
//! promised length was met, or that the body's framing ended cleanly; anything else is an error to every reader and
//! stores nothing, but a beginning that can be completed later (`prefix`). Deliberately absent: the decision to store (`policy`),
//! and time-outs, which belong to the origin's body.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body::{Body as _, Frame};

use super::{
    Inner,
    buffer::{Buffer, FillReader},
    disk::{FileBody, MEMORY_BODY, SpoolWriter},
    entry::{Entry, Meta, StoredBody},
    fields::Fields,
    flight::Licence,
    key::Key,
    marks::Mark,
    prefix,
    status::{Forwarded, Outcome},
};
use crate::body::{Body, BodyError};

/// A response whose body is on its way, for those who join.
#[derive(Debug)]
pub(crate) struct Filling {
    pub(crate) meta: Meta,
    buffer: Arc<Buffer>,
    /// The leader's outcome, which those who join share.
    pub(crate) outcome: Outcome,
    /// Why the leader went to the origin.
    pub(crate) forwarded: Forwarded,
}

impl Filling {
    /// A fill that has its head and will have `length` bytes, if that is known.
    pub(crate) fn new(meta: Meta, length: Option<u64>, outcome: Outcome, forwarded: Forwarded) -> Arc<Self> {
        Arc::new(Self { meta, buffer: Buffer::new(length), outcome, forwarded })
    }

    /// A reader from the first byte; none once a body too large to store has moved on.
    pub(crate) fn reader(&self) -> Option<FillReader> {
        self.buffer.reader()
    }

    /// The promised length in bytes, if there is one.
    pub(crate) fn length(&self) -> Option<u64> {
        self.buffer.length()
    }

    fn entry(&self, body: StoredBody, used: u64) -> Arc<Entry> {
        let mut meta = self.meta.clone();
        if meta.status != StatusCode::NO_CONTENT {
            let mut headers = meta.headers.to_map();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.length()));
            meta.headers = Fields::from(&headers);
        }
        if let Some(trailers) = self.buffer.trailers() {
            meta.headers = meta.headers.with_trailers(&trailers);
        }
        Arc::new(Entry::new(meta, body, used))
    }
}

/// What the task works with.
pub(crate) struct Fill {
    pub(crate) filling: Arc<Filling>,
    pub(crate) licence: Licence,
    /// The stale response that this one takes the place of.
    pub(crate) replaced: Option<Arc<Entry>>,
    /// The promised length in bytes.
    pub(crate) length: Option<u64>,
    /// Bytes from which on a body of unknown length needs a second request; none: it does not.
    pub(crate) admit_after: Option<u64>,
}

impl Fill {
    /// Stores a response without a body at once.
    pub(crate) fn finish_empty(self) {
        self.store(None);
    }

    /// Reads the origin's body to its end on a task of its own.
    pub(crate) fn spawn(self, body: Body) {
        super::spawn(self.run(body));
    }

    async fn run(self, mut body: Body) {
        let guard = Unfinished(Arc::clone(&self.filling));
        match self.copy(&mut body).await {
            Copied::Complete(fill, file) => fill.store(file),
            Copied::Unstored(end) => guard.0.buffer.finish(end),
        }
    }

    async fn copy(self, body: &mut Body) -> Copied {
        let buffer = Arc::clone(&self.filling.buffer);
        let promised = self.length;
        let mut storing = Some((Keeping::new(&self), self));
        let mut written = 0;
        let end = loop {
            let Some(frame) = next_frame(&buffer, body).await else { break BodyError::Fill };
            let chunk = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            buffer.follow_with(trailers);
                        }
                        continue;
                    }
                },
                Some(Err(error)) => break error,
                None if promised.is_some_and(|length| length != written) => break BodyError::Origin,
                None => return finish(storing).await,
            };
            written = buffer.push(&chunk);
            if promised.is_some_and(|length| written > length) {
                if let Some(spool) = storing.and_then(|(keeping, _)| keeping.spool) {
                    spool.discard();
                }
                return Copied::Unstored(Err(BodyError::Origin));
            }
            let Some((keeping, fill)) = &mut storing else { continue };
            match keeping.keep(&chunk, written).await {
                Ok(()) => keeping.note(fill),
                Err(gave_up) => storing.take().into_iter().for_each(|(_, fill)| fill.give_up(gave_up)),
            }
        };
        if let Some((keeping, fill)) = storing {
            fill.keep_beginning(keeping).await;
        }
        Copied::Unstored(Err(end))
    }

    /// Keeps what has come of a body that will not be complete, if the rest can be asked for.
    async fn keep_beginning(self, keeping: Keeping) {
        let Self { filling, licence, .. } = self;
        let written = keeping.written;
        if !prefix::is_worth_keeping(&filling.meta, written) {
            return;
        }
        let body = match keeping.spool {
            Some(spool) => spool.finish().await.map(StoredBody::in_file),
            None => Ok(StoredBody::new(filling.buffer.contents())),
        };
        if let Ok(body) = body
            && body.length() == written
        {
            licence.keep_prefix(filling.meta.clone(), body);
        }
    }

    /// Gives up storing, and remembers a body that is too large.
    fn give_up(self, why: GaveUp) {
        self.filling.buffer.stop_storing();
        let now = self.licence.inner().world.now();
        if why == GaveUp::TooLarge {
            self.licence.inner().marks.set(self.licence.key(), Mark::Oversize, now.mono);
        }
        if let Some(stale) = &self.replaced {
            self.licence.inner().discard(self.licence.key(), stale);
        }
    }

    /// Stores first and ends the body then, so that whoever has read it to its end finds it stored.
    fn store(self, file: Option<Arc<FileBody>>) {
        let Self { filling, licence, replaced, .. } = self;
        let used = licence.inner().uptime(filling.meta.received.mono());
        let body = file.map_or_else(|| StoredBody::new(filling.buffer.contents()), StoredBody::in_file);
        let entry = filling.entry(body, used);
        licence.commit(entry, replaced.as_ref());
        filling.buffer.finish(Ok(()));
    }
}

/// The next frame, when the readers are ready for it; none if there is nobody to go on for.
async fn next_frame(buffer: &Buffer, body: &mut Body) -> Option<Option<Result<Frame<Bytes>, BodyError>>> {
    poll_fn(|context| match ready!(buffer.poll_pace(context)) {
        true => Pin::new(&mut *body).poll_frame(context).map(Some),
        false => Poll::Ready(None),
    })
    .await
}

enum Copied {
    /// To the end, with the right to store it; in a file if it was too large for memory.
    Complete(Fill, Option<Arc<FileBody>>),
    /// Not to be stored: it ended so.
    Unstored(Result<(), BodyError>),
}

/// Why a body is not stored after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GaveUp {
    /// It is larger than is stored.
    TooLarge,
    /// The disk failed, or this is the first time that something so large is asked for.
    NotNow,
}

/// Where the body of a fill is kept while it comes: in memory, and from some size on, on disk.
struct Keeping {
    inner: Arc<Inner>,
    key: Key,
    buffer: Arc<Buffer>,
    /// The length was not announced, so that nobody has asked yet whether more than this is admitted.
    ask_to_admit: Option<u64>,
    spool: Option<SpoolWriter>,
    /// Bytes that are kept.
    written: u64,
}

impl Keeping {
    fn new(fill: &Fill) -> Self {
        Self {
            inner: Arc::clone(fill.licence.inner()),
            key: fill.licence.key().clone(),
            buffer: Arc::clone(&fill.filling.buffer),
            ask_to_admit: fill.admit_after.filter(|_| fill.length.is_none()),
            spool: None,
            written: 0,
        }
    }

    /// Keeps a chunk, after which there are `written` bytes.
    async fn keep(&mut self, chunk: &[u8], written: u64) -> Result<(), GaveUp> {
        if written > self.inner.limits.max_object {
            return Err(GaveUp::TooLarge);
        }
        let disk = self.inner.disk.get().filter(|disk| disk.is_writable()).cloned();
        if disk.is_some() && self.ask_to_admit.is_some_and(|limit| written > limit) {
            let limit = self.ask_to_admit.take();
            if !self.inner.admits(&self.key, written, limit) {
                return Err(GaveUp::NotNow);
            }
        }
        match (&mut self.spool, disk) {
            (Some(spool), _) => spool.push(chunk).await.map_err(|_| GaveUp::NotNow)?,
            (None, Some(disk)) if written > MEMORY_BODY.min(self.inner.memory_object()) => {
                let mut spool = SpoolWriter::begin(&disk).await.map_err(|_| GaveUp::NotNow)?;
                self.buffer.spool_to(spool.spool());
                for piece in self.buffer.contents() {
                    spool.push(&piece).await.map_err(|_| GaveUp::NotNow)?;
                }
                self.spool = Some(spool);
            }
            (None, _) if written > self.inner.memory_object() => return Err(GaveUp::TooLarge),
            (None, _) => {}
        }
        self.buffer.spooled();
        self.written = written;
        Ok(())
    }

    /// Has the disk remember now and then how far a large body has come, if its rest could be asked for.
    fn note(&mut self, fill: &Fill) {
        if let Some(spool) = &mut self.spool
            && let Some(written) = spool.note_due()
            && prefix::is_worth_keeping(&fill.filling.meta, written)
        {
            fill.licence.note(&fill.filling.meta, spool);
        }
    }
}

/// The end of a body that was kept.
async fn finish(storing: Option<(Keeping, Fill)>) -> Copied {
    let Some((keeping, fill)) = storing else { return Copied::Unstored(Ok(())) };
    let Some(spool) = keeping.spool else { return Copied::Complete(fill, None) };
    match spool.finish().await {
        Ok(file) => Copied::Complete(fill, Some(file)),
        Err(_) => Copied::Unstored(Ok(())), // what is not on disk is still in memory
    }
}

/// Ends the body for its readers even if the task is thrown away.
struct Unfinished(Arc<Filling>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.buffer.finish(Err(BodyError::Fill));
    }
}
