//! Looking a request up: fresh hit, stale hit, joining another request's fetch, a ticket of its own, or past the cache.
//!
//! A hit takes no lock of ours. Everything else is decided once under the lock of the URL's slot, so that of any number
//! of concurrent requests exactly one leads. Deliberately absent: what happens after a fetch; that is the ticket's.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, Method, header};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    Cache, CachePolicy, Inner, KeyedRequest, Now,
    entry::Entry,
    flight::{Cause, Flight, Lead, Shared, Signal},
    key::Key,
    marks::Mark,
    policy::Selection,
    purge::Verdict,
    range::ByteRange,
    serve::{Served, Source, Wish, serve},
    status::{BypassReason, Outcome, Report},
    store::{Group, Slot},
    ticket::{Facts, FetchTicket, MissReason, stale_error_report},
    vary::Variant,
};

/// How long a request waits for another's head before it fetches without storing (http-cache.md 4.1).
const WAIT_LIMIT: Duration = Duration::from_secs(5);

/// Fields by which a request asks the origin to take it for another method (poison guard, http-cache.md 3.12).
const METHOD_OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

/// A request to look up, as it is after the viewer-request hook.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its fields. Those that `Vary` may name must be as the origin would see them.
    pub headers: &'a HeaderMap,
    /// Its key.
    pub keyed: &'a KeyedRequest,
    /// The policy that the key was made by.
    pub policy: &'a CachePolicy,
    /// Cookies that are not in the key may reach the origin (an origin request policy forwards them).
    pub unkeyed_cookies: bool,
}

impl Ask<'_> {
    fn bypass(&self) -> Option<BypassReason> {
        let has = |name: &HeaderName| self.headers.contains_key(name);
        if self.policy.is_disabled() {
            Some(BypassReason::Policy)
        } else if *self.method != Method::GET && *self.method != Method::HEAD {
            Some(BypassReason::Method)
        } else if METHOD_OVERRIDES.iter().any(has) {
            Some(BypassReason::MethodOverride)
        } else if has(&header::IF_MATCH) || has(&header::IF_UNMODIFIED_SINCE) {
            Some(BypassReason::Precondition)
        } else {
            None
        }
    }

    /// Why nothing but a fresh stored response helps this request.
    fn needs_complete(&self) -> Option<BypassReason> {
        if *self.method == Method::HEAD {
            Some(BypassReason::Head)
        } else {
            ByteRange::requested(self.headers).map(|_| BypassReason::Range)
        }
    }

    /// Whether the origin's answer depends on nothing but the key and what `Vary` names, so that waiting for another's
    /// helps.
    fn is_collapsible(&self) -> bool {
        let credentials =
            self.headers.contains_key(header::AUTHORIZATION) && !self.keyed.headers.contains(&header::AUTHORIZATION);
        let cookies = self.unkeyed_cookies && self.headers.contains_key(header::COOKIE);
        !credentials && !cookies
    }

    fn wish(&self) -> Wish<'_> {
        Wish { method: self.method, headers: self.headers }
    }

    fn facts(&self) -> Facts {
        Facts {
            headers: Arc::new(self.headers.clone()),
            ttl: self.policy.ttl,
            tags: self.policy.tags.clone(),
            cookies_forwarded: self.unkeyed_cookies || self.policy.cookies != Selection::None,
        }
    }
}

/// What the cache has to say to a request.
#[derive(Debug)]
#[must_use]
pub enum Lookup {
    /// An answer: stored, or another request's that is coming in.
    Hit(Box<Served>),
    /// Ask the origin and settle the ticket.
    Miss(Box<FetchTicket>),
    /// Ask the origin; nothing will be stored.
    Bypass(BypassReason),
    /// The fetch that this request waited for failed twice, the second time for this reason: fail likewise, without asking
    /// once more.
    Failed(Cause),
}

/// The first decision.
enum Begin {
    Done(Lookup),
    /// For the head of another's answer, having come after the purge of that number.
    Wait(oneshot::Receiver<Signal>, u64),
}

impl Cache {
    /// Looks a request up, waiting at most 5 s for the head of another request's answer. Dropping the future is safe at
    /// any time.
    pub async fn lookup(&self, ask: &Ask<'_>, now: Now) -> Lookup {
        if let Some(reason) = ask.bypass() {
            return Lookup::Bypass(reason);
        }
        if let Some(disk) = self.inner.disk.get() {
            self.inner.recall(disk, ask, now).await;
        }
        if let Some(served) = self.fresh_hit(ask, now) {
            return Lookup::Hit(Box::new(served));
        }
        let deadline = now.mono + WAIT_LIMIT;
        let mut at = now;
        loop {
            let (receiver, arrived) = match self.begin(ask, at) {
                Begin::Done(lookup) => return lookup,
                Begin::Wait(receiver, arrived) => (receiver, arrived),
            };
            let Ok(signal) = timeout_at(deadline, receiver).await else {
                return Lookup::Bypass(BypassReason::LockTimeout);
            };
            let waited = Instant::now().saturating_duration_since(now.mono);
            at = Now { wall: now.wall + waited, mono: now.mono + waited };
            match signal {
                Ok(Signal::Ready(shared)) => {
                    if self.may_share(&shared, &ask.keyed.key, arrived)
                        && let Some(served) = join(&shared, ask, at)
                    {
                        return Lookup::Hit(Box::new(served));
                    }
                }
                Ok(Signal::Promoted(lead)) => return self.promoted(lead, ask, at),
                Ok(Signal::Release) => return self.alone(ask, at),
                Ok(Signal::Failed(cause)) => return self.failed(cause, ask, at),
                Err(_) => {} // the flight ended without a word; begin again
            }
        }
    }

    fn fresh_hit(&self, ask: &Ask<'_>, now: Now) -> Option<Served> {
        let group = self.inner.store.group(&ask.keyed.key)?;
        let entry = group.select(ask.headers).filter(|entry| entry.meta.is_fresh(now) && !entry.body.is_damaged())?;
        super::point();
        if self.inner.vet(&ask.keyed.key, entry) == Verdict::Keep { Some(self.hit(entry, ask, now)) } else { None }
    }

    fn hit(&self, entry: &Entry, ask: &Ask<'_>, now: Now) -> Served {
        entry.touch(self.inner.uptime(now));
        serve(&entry.meta, Source::Stored(&entry.body), ask.wish(), now, Report::from_store(Outcome::Hit))
    }

    fn begin(&self, ask: &Ask<'_>, now: Now) -> Begin {
        let inner = &self.inner;
        let mark = inner.marks.of(&ask.keyed.key, now.mono);
        super::point();
        inner.store.with_slot(&ask.keyed.key, |slot| {
            let found = Found::new(inner, slot, ask, now);
            if let Some(entry) = found.entry.as_ref().filter(|entry| entry.meta.is_fresh(now)) {
                return Begin::Done(Lookup::Hit(Box::new(self.hit(entry, ask, now)))); // stored a moment ago
            }
            if let Some(served) = found.stand_in(mark, ask, now) {
                return Begin::Done(Lookup::Hit(Box::new(served)));
            }
            let incomplete = ask.needs_complete();
            if incomplete != Some(BypassReason::Range)
                && let Some(served) = running(inner, slot, ask, now)
            {
                return Begin::Done(Lookup::Hit(Box::new(served)));
            }
            if let Some(reason) = incomplete {
                return Begin::Done(Lookup::Bypass(reason));
            }
            self.stale_or_fetch(slot, found, mark, ask, now)
        })
    }

    /// Stale while revalidating, joining, or leading.
    fn stale_or_fetch(&self, slot: &mut Slot, found: Found, mark: Option<Mark>, ask: &Ask<'_>, now: Now) -> Begin {
        let key = &ask.keyed.key;
        if let Some(mut served) = found.while_revalidating(ask, now) {
            if !slot.flights(key).any(|flight| flight.is_asking()) {
                // Joinable whatever the mark says, or the next request would not see that a refresh is under way.
                served.refresh = Some(Box::new(self.lead(slot, found, mark, ask, true)));
            }
            return Begin::Done(Lookup::Hit(Box::new(served)));
        }
        let together = ask.is_collapsible() && !matches!(mark, Some(Mark::HitForMiss | Mark::Oversize));
        if together {
            let variants = found.known_variants(slot, ask);
            let same = |leader: &HeaderMap| {
                variants.iter().all(|known| known.counterpart(ask.headers) == known.counterpart(leader))
            };
            let current = |flight: &&Arc<Flight>| self.inner.is_flight_current(flight);
            if let Some(receiver) = slot.flights(key).filter(current).find_map(|flight| flight.join(same)) {
                return Begin::Wait(receiver, found.purges);
            }
        }
        Begin::Done(Lookup::Miss(Box::new(self.lead(slot, found, mark, ask, together))))
    }

    fn lead(&self, slot: &mut Slot, found: Found, mark: Option<Mark>, ask: &Ask<'_>, joinable: bool) -> FetchTicket {
        let facts = ask.facts();
        let flight = Flight::new(ask.keyed.key.clone(), joinable, Arc::clone(&facts.headers), found.purges);
        slot.admit(Arc::clone(&flight));
        let lead = Lead::new(Arc::clone(&self.inner), flight);
        FetchTicket::new(lead, facts, found.reason()).validating(found.entry).marked(mark, joinable)
    }

    /// A follower in the place of a leader that is gone.
    fn promoted(&self, lead: Lead, ask: &Ask<'_>, now: Now) -> Lookup {
        let facts = ask.facts();
        let found = self.find(ask, now);
        lead.adopt(Arc::clone(&facts.headers), found.purges);
        Lookup::Miss(Box::new(FetchTicket::new(lead, facts, found.reason()).validating(found.entry)))
    }

    /// A ticket that nobody waits for, for a follower whose leader's answer cannot be shared.
    fn alone(&self, ask: &Ask<'_>, now: Now) -> Lookup {
        self.inner.store.with_slot(&ask.keyed.key, |slot| {
            let found = Found::new(&self.inner, slot, ask, now);
            Lookup::Miss(Box::new(self.lead(slot, found, Some(Mark::HitForMiss), ask, false)))
        })
    }

    fn failed(&self, cause: Cause, ask: &Ask<'_>, now: Now) -> Lookup {
        self.find(ask, now)
            .stand_in(Some(Mark::OriginFailed), ask, now)
            .map_or(Lookup::Failed(cause), |served| Lookup::Hit(Box::new(served)))
    }

    fn find(&self, ask: &Ask<'_>, now: Now) -> Found {
        self.inner.store.with_slot(&ask.keyed.key, |slot| Found::new(&self.inner, slot, ask, now))
    }

    /// Whether a request that came after the purge `arrived` may have another's answer: the origin was asked after it too,
    /// or no purge covers the answer.
    fn may_share(&self, shared: &Shared, key: &Key, arrived: u64) -> bool {
        match shared {
            Shared::Filling(filling) => arrived <= filling.meta.asked_at || self.inner.is_current(key, &filling.meta),
            Shared::Confirmed(entry, ..) => {
                arrived <= entry.meta.asked_at || self.inner.vet(key, entry) == Verdict::Keep
            }
            Shared::StandIn(entry) => self.inner.vet(key, entry) != Verdict::Gone,
        }
    }
}

/// What is stored for a request.
struct Found {
    group: Option<Arc<Group>>,
    entry: Option<Arc<Entry>>,
    /// The number of the last purge before this was found.
    purges: u64,
}

impl Found {
    fn new(inner: &Inner, slot: &mut Slot, ask: &Ask<'_>, now: Now) -> Self {
        // In this order: what a purge takes away meanwhile is then never taken for newer than the purge.
        let purges = inner.purges.number();
        inner.tidy(slot, &ask.keyed.key, now);
        let group = inner.store.group(&ask.keyed.key);
        let kept = |entry: &&Arc<Entry>| entry.meta.freshness.is_kept(inner.limits.keep, entry.meta.resident(now));
        let entry = group.as_ref().and_then(|group| group.select(ask.headers).filter(kept).cloned());
        Self { group, entry, purges }
    }

    fn reason(&self) -> MissReason {
        match (&self.group, &self.entry) {
            (None, _) => MissReason::UriMiss,
            (Some(_), None) => MissReason::VaryMiss,
            (Some(_), Some(_)) => MissReason::Stale,
        }
    }

    /// The stale response, if the origin failed a moment ago and this may stand in for it.
    fn stand_in(&self, mark: Option<Mark>, ask: &Ask<'_>, now: Now) -> Option<Served> {
        let entry = self.entry.as_ref().filter(|_| mark == Some(Mark::OriginFailed))?;
        stand_in(entry, ask, now)
    }

    fn while_revalidating(&self, ask: &Ask<'_>, now: Now) -> Option<Served> {
        let permitted =
            |entry: &&Arc<Entry>| entry.meta.freshness.may_serve_while_revalidating(entry.meta.resident(now));
        let entry = self.entry.as_ref().filter(permitted)?;
        let report = Report { detail: Some("stale-revalidate"), ..Report::from_store(Outcome::Stale) };
        Some(serve(&entry.meta, Source::Stored(&entry.body), ask.wish(), now, report))
    }

    /// What the next answer will be negotiated by, as far as stored responses and running fills tell.
    fn known_variants(&self, slot: &Slot, ask: &Ask<'_>) -> Vec<Variant> {
        let stored = self.group.as_ref().and_then(|group| group.latest()).map(|entry| entry.meta.variant.clone());
        let fillings = slot.flights(&ask.keyed.key).filter_map(|flight| flight.filling());
        stored.into_iter().chain(fillings.map(|filling| filling.meta.variant.clone())).collect()
    }
}

fn stand_in(entry: &Entry, ask: &Ask<'_>, now: Now) -> Option<Served> {
    let meta = &entry.meta;
    let permitted = meta.freshness.may_serve_on_error(meta.resident(now));
    permitted.then(|| serve(meta, Source::Stored(&entry.body), ask.wish(), now, stale_error_report()))
}

/// A body on its way that suits this request.
fn running(inner: &Inner, slot: &Slot, ask: &Ask<'_>, now: Now) -> Option<Served> {
    let key = &ask.keyed.key;
    let fillings = slot.flights(key).filter_map(|flight| flight.filling());
    let mut fillings = fillings.filter(|filling| inner.is_current(key, &filling.meta));
    fillings.find_map(|filling| join(&Shared::Filling(filling), ask, now))
}

/// Another request's answer, if it suits this one: the same variant, and usable without asking again.
fn join(shared: &Shared, ask: &Ask<'_>, now: Now) -> Option<Served> {
    let meta = match shared {
        Shared::Filling(filling) => &filling.meta,
        Shared::Confirmed(entry, ..) => &entry.meta,
        Shared::StandIn(entry) => {
            return if entry.meta.variant.matches(ask.headers) { stand_in(entry, ask, now) } else { None };
        }
    };
    if !meta.variant.matches(ask.headers) || !meta.is_fresh(now) {
        return None;
    }
    let (source, outcome, forwarded) = match shared {
        Shared::Filling(filling) => (Source::Filling(filling.reader()?), filling.outcome, filling.forwarded),
        Shared::Confirmed(entry, outcome, forwarded) => (Source::Stored(&entry.body), *outcome, *forwarded),
        Shared::StandIn(_) => return None,
    };
    let report = Report { collapsed: true, ..Report::forwarded(outcome, forwarded) };
    Some(serve(meta, source, ask.wish(), now, report))
}
