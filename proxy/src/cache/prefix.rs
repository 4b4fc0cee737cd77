//! The beginning of a body whose fill came to nothing: kept, so that the next fetch asks for the rest only (http-cache.md 3.10, 4.2).
//!
//! It lies under a key of its own, a slice with a number that no slice has, and answers nobody by itself. Where there is none, the
//! slices that viewers of ranges have left take its place, as far as they follow one another from the first byte on; the object becomes one
//! again when the rest has come. Only a beginning with
//! a strong entity-tag and a known complete length is kept: the origin says with `If-Range` whether it is still the beginning of
//! what it has. While a large body comes in, the index on disk is told now and then how far it is (`note_beginning`): a process that is
//! killed leaves that much. Deliberately absent: asking the origin, which `fetch` does.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    Cache, Inner, Now, conditional,
    disk::SpoolWriter,
    entry::{Entry, Meta, StoredBody},
    flight::Flight,
    key::Key,
    parts::joined,
    purge::Verdict,
    range,
    tags::{TagRules, Tags},
    ticket::{FetchTicket, OriginAnswer},
};
use crate::body::{self, Body, Delimited};

/// Fewer bytes are not worth a request of another form.
const WORTH_KEEPING: u64 = 64 << 10;

/// Most slices that are put together: each may be an open file.
const SLICES: u64 = 128;

/// A kept beginning.
#[derive(Debug)]
pub(crate) struct Prefix {
    /// What it is made of, in order, and under which keys that is stored; not empty.
    pieces: Vec<(Key, Arc<Entry>)>,
    /// Of all pieces.
    length: u64,
    total: u64,
    etag: HeaderValue,
    /// Slices, which go on answering requests for ranges.
    sliced: bool,
}

/// Entity-tag and complete length of what has these fields, if both can be relied on.
fn identity(meta: &Meta) -> Option<(HeaderValue, u64)> {
    let headers = meta.headers.to_map();
    let etag = headers.get(header::ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"))?;
    let total = body::announced_length(&headers).filter(|_| meta.status == StatusCode::OK)?;
    Some((etag.clone(), total))
}

/// Entity-tag, first byte and complete length of a slice with these fields.
fn identity_of_slice(entry: &Entry) -> Option<(HeaderValue, u64, u64)> {
    let headers = entry.meta.headers.to_map();
    let etag = headers.get(header::ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"))?;
    let (start, end, total) = range::told(&headers)?;
    (end - start == entry.length()).then(|| (etag.clone(), start, total))
}

/// Whether `length` bytes of a body with this head are to be kept.
pub(crate) fn is_worth_keeping(meta: &Meta, length: u64) -> bool {
    length >= WORTH_KEEPING && identity(meta).is_some_and(|(_, total)| length < total)
}

impl Prefix {
    fn new(entry: Arc<Entry>, key: Key) -> Option<Self> {
        let (etag, total) = identity(&entry.meta)?;
        let length = entry.length();
        (length < total).then(|| Self { pieces: vec![(key, entry)], length, total, etag, sliced: false })
    }

    /// The beginning that slices make which follow one another. The last slice is left to the origin: its answer says that the others still are
    /// what it has, and for how long the whole is fresh.
    fn of_slices(slices: Vec<(Key, Arc<Entry>)>) -> Option<Self> {
        let (etag, _, total) = identity_of_slice(&slices.first()?.1)?;
        let (mut pieces, mut length) = (Vec::new(), 0);
        for (key, entry) in slices {
            let next = length + entry.length();
            if identity_of_slice(&entry)? != (etag.clone(), length, total) || next >= total {
                break;
            }
            length = next;
            pieces.push((key, entry));
        }
        (length > 0).then_some(Self { pieces, length, total, etag, sliced: true })
    }

    /// Bytes that are there, and of the whole.
    pub(crate) fn lengths(&self) -> (u64, u64) {
        (self.length, self.total)
    }

    /// The bytes that are there.
    fn bodies(&self) -> impl Iterator<Item = Body> {
        self.pieces.iter().map(|(_, entry)| entry.body().reader(0, entry.length()))
    }

    #[cfg(test)]
    pub(crate) fn body(&self) -> Body {
        joined(self.bodies(), self.length)
    }

    /// The strong entity-tag that beginning and rest must have.
    pub(crate) fn etag(&self) -> &HeaderValue {
        &self.etag
    }

    /// The whole, if `rest` is the rest of it and can be purged by what the beginning could be purged by.
    pub(crate) fn completed_by(&self, rest: OriginAnswer, tags: &TagRules) -> Option<OriginAnswer> {
        let tagged = self.pieces.iter().any(|(_, entry)| !entry.meta.tags.is_empty());
        if tagged && !Tags::present(&rest.head.headers, tags) {
            return None;
        }
        let OriginAnswer { mut head, body, sent_at, .. } = rest;
        let (_, first) = self.pieces.first()?;
        let mut headers = first.meta.headers.to_map();
        headers.remove(header::DATE); // the new answer's, or its receipt time, takes its place
        headers.remove(header::CONTENT_RANGE);
        conditional::merge(&mut headers, &head.headers);
        let total = self.total;
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(total));
        (head.status, head.headers) = (StatusCode::OK, headers);
        let body = joined(self.bodies().chain([body]), total);
        Some(OriginAnswer { head, body, delimited: Delimited::Length(total), sent_at })
    }
}

impl Inner {
    /// Keeps the beginning of what a fill brought, unless an invalidation or a purge came in between.
    pub(crate) fn keep_prefix(&self, flight: &Arc<Flight>, meta: Meta, body: StoredBody) {
        let key = flight.key.prefix();
        let entry = Arc::new(Entry::new(meta.clone(), body, self.uptime(meta.received.mono())));
        let disk = self.disk.get();
        let kept = self.store.keep_beside(flight, &key, Arc::clone(&entry), || {
            let stays = self.vet(&key, &entry) == Verdict::Keep;
            disk.filter(|_| stays).inspect(|disk| disk.put(&key, &entry));
            stays
        });
        if let (false, Some(disk), Some(file)) = (kept, disk, entry.file()) {
            disk.abandon(file);
        }
    }

    /// Has the disk remember how far a fill has come, which nobody finds before this process has ended. Under the lock of the
    /// licence: an invalidation that revokes it tells the disk afterwards.
    pub(crate) fn note_beginning(&self, flight: &Arc<Flight>, meta: &Meta, spool: &mut SpoolWriter) {
        let key = flight.key.prefix();
        self.store.with_slot(&flight.key, |slot| {
            if slot.licenses(flight) {
                spool.note(&key, meta);
            }
        });
    }
}

impl Cache {
    /// The beginning of what the ticket is to fetch, if one is kept.
    pub(crate) async fn prefix(&self, ticket: &FetchTicket, now: Now) -> Option<Prefix> {
        let (object, request) = ticket.for_nothing_stored()?;
        let key = object.prefix();
        if let Some(entry) = self.piece(&key, request, now).await {
            return Prefix::new(entry, key);
        }
        let mut slices = Vec::new();
        for index in 0..SLICES {
            let key = object.slice(index);
            let Some(entry) = self.piece(&key, request, now).await else { break };
            slices.push((key, entry));
        }
        Prefix::of_slices(slices)
    }

    /// What is stored under the key of a beginning or a slice, if it can still be a part of something.
    async fn piece(&self, key: &Key, request: &HeaderMap, now: Now) -> Option<Arc<Entry>> {
        let inner = &self.inner;
        if let Some(disk) = inner.disk.get()
            && inner.store.group(key).is_none()
        {
            Box::pin(inner.promote(disk, key, now)).await;
        }
        let group = inner.store.group(key)?;
        let entry = group.select(request).filter(|entry| !entry.is_damaged())?;
        let of_use = entry.meta.freshness.is_kept(inner.limits.keep, entry.meta.resident(now));
        (of_use && inner.vet(key, entry) == Verdict::Keep).then(|| Arc::clone(entry))
    }

    /// Lets go of a beginning that is `completed`, or is none any more.
    pub(crate) fn drop_prefix(&self, prefix: &Prefix, completed: bool) {
        if !(prefix.sliced && completed) {
            prefix.pieces.iter().for_each(|(key, entry)| self.inner.discard(key, entry));
        }
    }
}

#[cfg(test)]
#[path = "tests/prefix.rs"]
mod tests;
