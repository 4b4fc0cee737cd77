//! The streaming fill: a task that reads the origin's body, lets readers follow, and stores it when it is complete.
//!
//! The task owns the origin's body, so a fill goes on when the viewer who caused it leaves. Complete means that the
//! promised length was met, or that the body's framing ended cleanly; anything else is an error to every reader and
//! stores nothing. Deliberately absent: the decision to store (`policy`), trailers (dropped; they are not stored yet),
//! and time-outs, which belong to the origin's body.

use std::{future::poll_fn, sync::Arc};

use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;

use super::{
    Now,
    buffer::{Buffer, FillReader},
    entry::{Entry, Meta, StoredBody},
    flight::Licence,
    marks::Mark,
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
            meta.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.length()));
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
}

impl Fill {
    /// Stores a response without a body at once.
    pub(crate) fn finish_empty(self) {
        self.store();
    }

    /// Reads the origin's body to its end on a task of its own.
    pub(crate) fn spawn(self, body: Body) {
        super::spawn(self.run(body));
    }

    async fn run(self, mut body: Body) {
        let guard = Unfinished(Arc::clone(&self.filling));
        match self.copy(&mut body).await {
            Copied::Complete(fill) => fill.store(),
            Copied::Unstored(end) => guard.0.buffer.finish(end),
        }
    }

    async fn copy(self, body: &mut Body) -> Copied {
        let max_object = self.licence.inner().limits.max_object;
        let buffer = Arc::clone(&self.filling.buffer);
        let promised = self.length;
        let mut storing = Some(self);
        let mut written = 0;
        while poll_fn(|context| buffer.poll_pace(context)).await {
            let chunk = match body.frame().await {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Copied::Unstored(Err(error)),
                None if promised.is_some_and(|length| length != written) => {
                    return Copied::Unstored(Err(BodyError::Origin));
                }
                None => return storing.map_or(Copied::Unstored(Ok(())), Copied::Complete),
            };
            written = buffer.push(&chunk);
            if promised.is_some_and(|length| written > length) {
                return Copied::Unstored(Err(BodyError::Origin));
            }
            if written > max_object
                && let Some(fill) = storing.take()
            {
                fill.outgrow();
            }
        }
        Copied::Unstored(Err(BodyError::Fill))
    }

    /// Gives up storing a body that turned out too large, and remembers that.
    fn outgrow(self) {
        self.filling.buffer.stop_storing();
        let now = Now::read();
        self.licence.inner().marks.set(self.licence.key(), Mark::Oversize, now.mono);
        if let Some(stale) = &self.replaced {
            self.licence.inner().store.discard(self.licence.key(), stale);
        }
    }

    /// Stores first and ends the body then, so that whoever has read it to its end finds it stored.
    fn store(self) {
        let Self { filling, licence, replaced, .. } = self;
        let used = licence.inner().uptime(filling.meta.received);
        let entry = filling.entry(StoredBody::new(filling.buffer.contents()), used);
        licence.commit(entry, replaced.as_ref());
        filling.buffer.finish(Ok(()));
    }
}

enum Copied {
    /// To the end, with the right to store it.
    Complete(Fill),
    /// Not to be stored: it ended so.
    Unstored(Result<(), BodyError>),
}

/// Ends the body for its readers even if the task is thrown away.
struct Unfinished(Arc<Filling>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        self.0.buffer.finish(Err(BodyError::Fill));
    }
}
