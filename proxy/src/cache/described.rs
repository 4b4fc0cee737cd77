//! What an answer to a forwarded HEAD says about the stored answer to GET (http-cache.md 3.11, RFC 9111 section 4.3.5).
//!
//! Deliberately absent: storing anything that was not stored before. HEAD never makes an answer to GET.

use std::sync::Arc;

use http::{StatusCode, response::Parts};

use super::{
    Ask, Cache, Now, conditional,
    duties::{NOT_STORED, add_date},
    entry::Entry,
    fields::Fields,
    freshness::{Freshness, Span, initial_age},
    policy::{self, Delimited},
    rules::SetCookie,
    ticket::renewing,
};

impl Cache {
    /// Takes in the head of the origin's answer to a HEAD that was sent at `sent_at`: a 200 that describes the stored answer
    /// renews its fields and freshness, a 200 that describes another one makes it stale. Other statuses say nothing.
    pub fn described(&self, ask: &Ask<'_>, head: &Parts, sent_at: Now, now: Now) {
        let inner = &self.inner;
        let key = &ask.keyed.key;
        let group = inner.store.group(key);
        let stored = group.as_ref().and_then(|group| group.select(ask.headers));
        let Some(stored) = stored.filter(|stored| stored.meta.status == head.status) else { return };
        if head.status != StatusCode::OK {
            return;
        }
        let mut meta = stored.meta.clone();
        let mut headers = stored.meta.headers.to_map();
        if conditional::describes(&head.headers, &headers, stored.length()) {
            // What a HEAD's viewer is given to remember is for that viewer.
            let shares_cookies = ask.policy.rules.set_cookie == SetCookie::Store;
            conditional::merge(&mut headers, &renewing(&head.headers, stored, shares_cookies));
            ask.policy.tags.strip(&mut headers);
            NOT_STORED.iter().for_each(|name| drop(headers.remove(name)));
            add_date(&mut headers, now);
            let facts = ask.facts();
            let (seen, delimited) = ((head.status, &headers), Delimited::Length(stored.length()));
            let exchange = facts.exchange(seen, delimited, sent_at, now, inner.max_object());
            let delay = exchange.delay;
            let Ok(plan) = policy::judge(&exchange) else { return inner.discard(key, stored) };
            plan.strip.iter().chain(&plan.unstored).for_each(|name| drop(headers.remove(name)));
            let age = initial_age(&head.headers, delay);
            meta.freshness = Freshness { initial_age: age.into(), ..plan.freshness };
            meta.lent = plan.lent;
            meta.received = now;
            let trailers = stored.meta.headers.trailers().unwrap_or_default();
            meta.headers = Fields::from(&headers).with_trailers(&trailers);
        } else {
            meta.freshness.lifetime = Span::ZERO;
            meta.freshness.while_revalidating = Span::ZERO;
        }
        let renewed = Arc::new(Entry::new(meta, stored.body(), inner.uptime(now)));
        inner.store.renew(key, stored, Arc::clone(&renewed));
        if let Some(disk) = inner.disk.get() {
            disk.put(key, &renewed);
        }
    }
}
