//! A stored response that answers the plainest of requests as it stands: no condition, no range, nothing negotiated but codings.
//!
//! The decisions are those of `lookup` for such a request; a property test over whole connections holds the two together
//! (`crate::at_hand`). Deliberately absent: anything that would have to be waited for, and responses that are stored in several pieces or on
//! disk.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode, header};

use super::{
    Cache, Now,
    entry::{Entry, Small, StoredBody},
    fields::FieldName,
    key::Key,
    policy::Lent,
    purge::Verdict,
    rules::{AgePenalty, Rules},
    status::{Outcome, Report},
};

/// Fields that are not repeated as they are stored.
const REPLACED: [HeaderName; 3] = [header::AGE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// A response that is fresh.
pub(crate) struct AtHand {
    entry: Arc<Entry>,
    /// The cache's part, with age and what is left of the lifetime.
    pub(crate) report: Report,
    /// The body.
    pub(crate) body: Small,
}

impl AtHand {
    /// The stored fields, in their order; of those that this hop writes anew, none.
    pub(crate) fn fields<'a>(&'a self, rules: &'a Rules) -> impl Iterator<Item = (FieldName<'a>, &'a [u8])> {
        self.entry.meta.headers.iter().filter(move |(name, _)| {
            let replaced = REPLACED.iter().any(|known| name.is(known));
            !replaced && !rules.targeted.iter().any(|targeted| targeted.strip && name.is(&targeted.field))
        })
    }
}

impl Cache {
    /// What is stored under a key for a request that says nothing about what it would rather not get, if it may be used
    /// without asking and without doing anything else. `codings`: its `Accept-Encoding`, as the origin would see it.
    pub(crate) fn at_hand(&self, key: &Key, codings: &HeaderMap, rules: &Rules, now: Now) -> Option<AtHand> {
        if rules.age_penalty != AgePenalty::Off {
            return None;
        }
        let group = self.inner.store.group(key)?;
        if !group.entries().iter().all(|entry| entry.meta.variant.is_by_codings()) {
            return None;
        }
        let entry = group.select(codings)?;
        let StoredBody::Small(body) = entry.body() else { return None };
        let resident = entry.meta.resident(now);
        if entry.meta.status != StatusCode::OK
            || entry.meta.headers.trailers().is_some()
            || !entry.meta.freshness.is_fresh(resident)
            || self.inner.vet(key, entry) != Verdict::Keep
        {
            return None;
        }
        entry.touch(self.inner.uptime(now.mono));
        let report = Report {
            age: entry.meta.freshness.age(resident),
            ttl_left: Some(entry.meta.freshness.ttl_left(resident)),
            detail: entry.meta.lent.map(Lent::as_str),
            ..Report::from_store(Outcome::Hit)
        };
        Some(AtHand { entry: Arc::clone(entry), report, body: body.clone() })
    }
}
