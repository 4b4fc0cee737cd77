//! The beginning of a body whose fill came to nothing: kept, so that the next fetch asks for the rest only (http-cache.md 3.10, 4.2).
//!
//! It lies under a key of its own, a slice with a number that no slice has, and answers nobody by itself. Only a beginning with
//! a strong entity-tag and a known complete length is kept: the origin says with `If-Range` whether it is still the beginning of
//! what it has. Deliberately absent: asking the origin, which `fetch` does.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};

use super::{
    Cache, Inner, Now, conditional,
    entry::{Entry, Meta, StoredBody},
    flight::Flight,
    key::Key,
    parts::joined,
    purge::Verdict,
    tags::{TagRules, Tags},
    ticket::{FetchTicket, OriginAnswer},
};
use crate::body::{self, Delimited};

/// Fewer bytes are not worth a request of another form.
const WORTH_KEEPING: u64 = 64 << 10;

/// A kept beginning.
#[derive(Debug)]
pub(crate) struct Prefix {
    entry: Arc<Entry>,
    key: Key,
    total: u64,
    etag: HeaderValue,
}

/// Entity-tag and complete length of what has these fields, if both can be relied on.
fn identity(meta: &Meta) -> Option<(HeaderValue, u64)> {
    let headers = meta.headers.to_map();
    let etag = headers.get(header::ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/"))?;
    let total = body::announced_length(&headers).filter(|_| meta.status == StatusCode::OK)?;
    Some((etag.clone(), total))
}

/// Whether `length` bytes of a body with this head are to be kept.
pub(crate) fn is_worth_keeping(meta: &Meta, length: u64) -> bool {
    length >= WORTH_KEEPING && identity(meta).is_some_and(|(_, total)| length < total)
}

impl Prefix {
    fn new(entry: Arc<Entry>, key: Key) -> Option<Self> {
        let (etag, total) = identity(&entry.meta)?;
        (entry.length() < total).then_some(Self { entry, key, total, etag })
    }

    /// Bytes that are there, and of the whole.
    pub(crate) fn lengths(&self) -> (u64, u64) {
        (self.entry.length(), self.total)
    }

    /// The strong entity-tag that beginning and rest must have.
    pub(crate) fn etag(&self) -> &HeaderValue {
        &self.etag
    }

    /// The whole, if `rest` is the rest of it and can be purged by what the beginning could be purged by.
    pub(crate) fn completed_by(&self, rest: OriginAnswer, tags: &TagRules) -> Option<OriginAnswer> {
        if !self.entry.meta.tags.is_empty() && !Tags::present(&rest.head.headers, tags) {
            return None;
        }
        let OriginAnswer { mut head, body, sent_at, .. } = rest;
        let mut headers = self.entry.meta.headers.to_map();
        headers.remove(header::DATE); // the new answer's, or its receipt time, takes its place
        conditional::merge(&mut headers, &head.headers);
        (head.status, head.headers) = (StatusCode::OK, headers);
        let (length, total) = self.lengths();
        let body = joined([self.entry.body().reader(0, length), body], total);
        Some(OriginAnswer { head, body, delimited: Delimited::Length(total), sent_at })
    }
}

impl Inner {
    /// Keeps the beginning of what a fill brought, unless an invalidation or a purge came in between.
    pub(crate) fn keep_prefix(&self, flight: &Arc<Flight>, meta: Meta, body: StoredBody) {
        let key = flight.key.prefix();
        let entry = Arc::new(Entry::new(meta.clone(), body, self.uptime(meta.received.mono())));
        let purged = || self.vet(&key, &entry) != Verdict::Keep;
        let kept = self.store.keep_beside(flight, &key, Arc::clone(&entry), purged);
        match (self.disk.get(), entry.file()) {
            (Some(disk), _) if kept => disk.put(&key, &entry),
            (Some(disk), Some(file)) => disk.abandon(file),
            _ => {}
        }
    }
}

impl Cache {
    /// The beginning of what the ticket is to fetch, if one is kept.
    pub(crate) async fn prefix(&self, ticket: &FetchTicket, now: Now) -> Option<Prefix> {
        let (object, request) = ticket.for_nothing_stored()?;
        let (inner, key) = (&self.inner, object.prefix());
        if let Some(disk) = inner.disk.get()
            && inner.store.group(&key).is_none()
        {
            Box::pin(inner.promote(disk, &key, now)).await;
        }
        let group = inner.store.group(&key)?;
        let entry = group.select(request).filter(|entry| !entry.is_damaged())?;
        let of_use = entry.meta.freshness.is_kept(inner.limits.keep, entry.meta.resident(now));
        (of_use && inner.vet(&key, entry) == Verdict::Keep).then(|| Prefix::new(Arc::clone(entry), key))?
    }

    /// Lets go of a beginning that was completed, or is none any more.
    pub(crate) fn drop_prefix(&self, prefix: &Prefix) {
        self.inner.discard(&prefix.key, &prefix.entry);
    }
}

#[cfg(test)]
#[path = "tests/prefix.rs"]
mod tests;
