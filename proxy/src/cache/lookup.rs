//! Looking a request up: fresh hit, stale hit, joining another request's fetch, a ticket of its own, or past the cache.
//!
//! A hit takes no lock of ours. Everything else is decided once under the lock of the URL's slot, so that of any number
//! of concurrent requests exactly one leads. Deliberately absent: what happens after a fetch; that is the ticket's.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, Method, header};
use tokio::sync::oneshot;

use super::{
    Cache, CachePolicy, Inner, KeyedRequest, Now,
    entry::Entry,
    flight::{Cause, Flight, Lead, Shared, Signal},
    freshness::Failure,
    key::Key,
    marks::Mark,
    policy::Selection,
    purge::Verdict,
    range,
    request_control::{RequestControl, Suits},
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
    /// A request for a range may wait for, and cause, a fetch of the whole.
    pub whole: bool,
}

impl Ask<'_> {
    pub(super) fn bypass(&self) -> Option<BypassReason> {
        let has = |name: &HeaderName| self.headers.contains_key(name);
        if self.policy.is_disabled() {
            Some(BypassReason::Policy)
        } else if !self.is_answerable() {
            Some(BypassReason::Method)
        } else if self.policy.rules.poison_guard && METHOD_OVERRIDES.iter().any(has) {
            Some(BypassReason::MethodOverride)
        } else if has(&header::IF_MATCH) || has(&header::IF_UNMODIFIED_SINCE) {
            Some(BypassReason::Precondition)
        } else {
            None
        }
    }

    fn is_answerable(&self) -> bool {
        let options = *self.method == Method::OPTIONS && self.policy.rules.cache_options;
        *self.method == Method::GET || *self.method == Method::HEAD || options
    }

    /// Why nothing but a fresh stored response helps this request.
    pub(super) fn needs_complete(&self) -> Option<BypassReason> {
        if *self.method == Method::HEAD {
            (!self.policy.rules.head_fill).then_some(BypassReason::Head)
        } else {
            range::requested(self.headers).filter(|_| !self.whole).map(|_| BypassReason::Range)
        }
    }

    /// The request's own directives, where they count.
    pub(super) fn control(&self) -> RequestControl {
        if self.policy.rules.honour_requests { RequestControl::parse(self.headers) } else { RequestControl::default() }
    }

    /// Whether the viewer's own conditions go to the origin as long as nothing is stored.
    fn is_conditional(&self) -> bool {
        let has = |name: &HeaderName| self.headers.contains_key(name);
        self.policy.rules.forward_all && (has(&header::IF_NONE_MATCH) || has(&header::IF_MODIFIED_SINCE))
    }

    /// Whether the origin's answer depends on nothing but the key and what `Vary` names, so that waiting for another's
    /// helps.
    pub(crate) fn is_collapsible(&self) -> bool {
        let credentials =
            self.headers.contains_key(header::AUTHORIZATION) && !self.keyed.headers.contains(&header::AUTHORIZATION);
        let cookies = self.unkeyed_cookies && self.headers.contains_key(header::COOKIE);
        !credentials && !cookies
    }

    fn wish(&self) -> Wish<'_> {
        Wish { method: self.method, headers: self.headers, rules: &self.policy.rules }
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts {
            method: self.method.clone(),
            headers: Arc::new(self.headers.clone()),
            ttl: self.policy.ttl,
            rules: Arc::clone(&self.policy.rules),
            control: self.control(),
            tags: self.policy.tags.clone(),
            cookies_forwarded: self.unkeyed_cookies || self.policy.cookies != Selection::None,
            extension: self.keyed.extension.clone(),
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
    /// The request wants what is stored and nothing else, and nothing is.
    NotCached,
}

/// The first decision.
enum Begin {
    Done(Lookup),
    /// For the head of another's answer.
    Wait(Waiting),
}

struct Waiting {
    receiver: oneshot::Receiver<Signal>,
    /// The number of the last purge before this request came.
    arrived: u64,
    /// What may stand in for an origin that is slow.
    stale: Option<Arc<Entry>>,
}

impl Cache {
    /// Looks a request up, waiting at most 5 s for the head of another request's answer. Dropping the future is safe at
    /// any time.
    pub async fn lookup(&self, ask: &Ask<'_>, now: Now) -> Lookup {
        if let Some(reason) = ask.bypass().or_else(|| self.paused()) {
            return Lookup::Bypass(reason);
        }
        let mut stored = self.inner.chosen(ask);
        if let Some(disk) = self.inner.disk.get() {
            stored = self.inner.recall(disk, stored, ask, now).await;
        }
        if let Some(served) = stored.and_then(|entry| self.fresh_hit(&entry, ask, now)) {
            return Lookup::Hit(Box::new(served));
        }
        let world = &self.inner.world;
        let begun = world.instant();
        let deadline = begun + WAIT_LIMIT;
        let mut at = now;
        loop {
            let Waiting { receiver, arrived, stale } = match self.begin(ask, at) {
                Begin::Done(lookup) => return lookup,
                Begin::Wait(waiting) => waiting,
            };
            let soft = ask.policy.rules.stale_soft_deadline.filter(|_| stale.is_some());
            let until = soft.map_or(deadline, |soft| deadline.min(begun + soft));
            let signal = world.until(until, receiver).await;
            at = world.after(now, begun);
            let Some(signal) = signal else {
                let stale = stale.and_then(|stale| stand_in(&stale, Failure::Unreachable, ask, at));
                let timed_out = Lookup::Bypass(BypassReason::LockTimeout);
                return stale.map_or(timed_out, |served| Lookup::Hit(Box::new(served)));
            };
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

    /// A ticket for a request whose answer may be stored although it is never answered from the store: a POST.
    pub fn claim(&self, ask: &Ask<'_>) -> FetchTicket {
        let flight =
            Flight::new(ask.keyed.key.clone(), false, Arc::new(ask.headers.clone()), self.inner.purges.number());
        self.inner.store.with_slot(&ask.keyed.key, |slot| slot.admit(Arc::clone(&flight)));
        let lead = Lead::new(Arc::clone(&self.inner), flight);
        FetchTicket::new(lead, ask.facts(), MissReason::Method).marked(None, false)
    }

    fn fresh_hit(&self, entry: &Entry, ask: &Ask<'_>, now: Now) -> Option<Served> {
        if entry.is_damaged() || ask.control().judge(&entry.meta.freshness, entry.meta.resident(now)) != Suits::Fresh {
            return None;
        }
        super::point();
        if self.inner.vet(&ask.keyed.key, entry) == Verdict::Keep { Some(self.hit(entry, ask, now)) } else { None }
    }

    fn hit(&self, entry: &Entry, ask: &Ask<'_>, now: Now) -> Served {
        entry.touch(self.inner.uptime(now.mono));
        serve(&entry.meta, Source::Stored(entry.body()), ask.wish(), now, Report::from_store(Outcome::Hit))
    }

    fn begin(&self, ask: &Ask<'_>, now: Now) -> Begin {
        let inner = &self.inner;
        let control = ask.control();
        let mark = inner.marks.of(&ask.keyed.key, now.mono);
        super::point();
        inner.store.with_slot(&ask.keyed.key, |slot| {
            let found = Found::new(inner, slot, ask, now);
            let suits = found.suits(control, now);
            if let Some(served) = self.without_asking(&found, suits, mark, ask, now) {
                return Begin::Done(Lookup::Hit(Box::new(served)));
            }
            let incomplete = ask.needs_complete();
            if incomplete != Some(BypassReason::Range)
                && let Some(served) = running(inner, slot, ask, now)
            {
                return Begin::Done(Lookup::Hit(Box::new(served)));
            }
            if control.only_if_cached {
                return Begin::Done(Lookup::NotCached);
            }
            if let Some(reason) = incomplete {
                return Begin::Done(Lookup::Bypass(reason));
            }
            self.stale_or_fetch(slot, found, suits, mark, ask, now)
        })
    }

    /// What is stored, where it may answer and nobody has to ask the origin.
    fn without_asking(
        &self,
        found: &Found,
        suits: Suits,
        mark: Option<Mark>,
        ask: &Ask<'_>,
        now: Now,
    ) -> Option<Served> {
        match (suits, &found.entry) {
            (Suits::Fresh, Some(entry)) => Some(self.hit(entry, ask, now)), // stored a moment ago
            (Suits::Tolerated, Some(entry)) => {
                let report = Report { detail: Some("request-directive"), ..Report::from_store(Outcome::Stale) };
                Some(serve(&entry.meta, Source::Stored(entry.body()), ask.wish(), now, report))
            }
            (Suits::Stale, _) => found.stand_in(mark, ask, now),
            _ => None,
        }
    }

    /// Stale while revalidating, joining, or leading.
    fn stale_or_fetch(
        &self,
        slot: &mut Slot,
        found: Found,
        suits: Suits,
        mark: Option<Mark>,
        ask: &Ask<'_>,
        now: Now,
    ) -> Begin {
        let key = &ask.keyed.key;
        if suits == Suits::Stale
            && let Some(mut served) = found.while_revalidating(ask, now)
        {
            if !slot.flights(key).any(|flight| flight.is_asking()) {
                // Joinable whatever the mark says, or the next request would not see that a refresh is under way.
                served.refresh = Some(Box::new(self.lead(slot, found, (mark, true), ask, now)));
            }
            return Begin::Done(Lookup::Hit(Box::new(served)));
        }
        let failed = self.inner.failures.of(key, found.purges, now.mono).filter(|_| !ask.control().no_cache);
        if let Some((cause, _)) = failed {
            return Begin::Done(Lookup::Failed(cause));
        }
        let personal = ask.control().no_store || (ask.is_conditional() && found.entry.is_none());
        let together = ask.is_collapsible() && !personal && !matches!(mark, Some(Mark::HitForMiss | Mark::Oversize));
        if together {
            let variants = found.known_variants(slot, ask);
            let same = |leader: &HeaderMap| {
                variants.iter().all(|known| known.counterpart(ask.headers) == known.counterpart(leader))
            };
            let current = |flight: &&Arc<Flight>| self.inner.is_flight_current(flight);
            if let Some(receiver) = slot.flights(key).filter(current).find_map(|flight| flight.join(same)) {
                let patient = |entry: &Arc<Entry>| {
                    let resident = entry.meta.resident(now);
                    suits == Suits::Stale && entry.meta.freshness.may_serve_on(Failure::Unreachable, resident)
                };
                let (arrived, stale) = (found.purges, found.entry.filter(patient));
                return Begin::Wait(Waiting { receiver, arrived, stale });
            }
        }
        Begin::Done(Lookup::Miss(Box::new(self.lead(slot, found, (mark, together), ask, now))))
    }

    fn lead(
        &self,
        slot: &mut Slot,
        found: Found,
        (mark, joinable): (Option<Mark>, bool),
        ask: &Ask<'_>,
        now: Now,
    ) -> FetchTicket {
        let facts = ask.facts();
        let flight = Flight::new(ask.keyed.key.clone(), joinable, Arc::clone(&facts.headers), found.purges);
        slot.admit(Arc::clone(&flight));
        let lead = Lead::new(Arc::clone(&self.inner), flight);
        let others = found.others(now);
        FetchTicket::new(lead, facts, found.reason(now)).validating(found.entry, others).marked(mark, joinable)
    }

    /// A follower in the place of a leader that is gone.
    fn promoted(&self, lead: Lead, ask: &Ask<'_>, now: Now) -> Lookup {
        let facts = ask.facts();
        let found = self.find(ask, now);
        lead.adopt(Arc::clone(&facts.headers), found.purges);
        let others = found.others(now);
        let ticket = FetchTicket::new(lead, facts, found.reason(now)).validating(found.entry, others);
        Lookup::Miss(Box::new(ticket.after_waiting()))
    }

    /// A ticket that nobody waits for, for a follower whose leader's answer cannot be shared.
    fn alone(&self, ask: &Ask<'_>, now: Now) -> Lookup {
        self.inner.store.with_slot(&ask.keyed.key, |slot| {
            let found = Found::new(&self.inner, slot, ask, now);
            let ticket = self.lead(slot, found, (Some(Mark::HitForMiss), false), ask, now);
            Lookup::Miss(Box::new(ticket.after_waiting()))
        })
    }

    fn failed(&self, cause: Cause, ask: &Ask<'_>, now: Now) -> Lookup {
        self.find(ask, now)
            .stand_in(Some(Mark::OriginFailed(Failure::Unreachable)), ask, now)
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
            Shared::StandIn(entry, _) => self.inner.vet(key, entry) != Verdict::Gone,
        }
    }
}

/// What is stored for a request.
struct Found {
    group: Option<Group>,
    entry: Option<Arc<Entry>>,
    /// How long expired responses are of use.
    keep: Duration,
    /// The number of the last purge before this was found.
    purges: u64,
}

impl Found {
    fn new(inner: &Inner, slot: &mut Slot, ask: &Ask<'_>, now: Now) -> Self {
        // In this order: what a purge takes away meanwhile is then never taken for newer than the purge.
        let purges = inner.purges.number();
        inner.tidy(slot, &ask.keyed.key, now);
        let group = inner.store.group(&ask.keyed.key);
        let keep = ask.policy.rules.keep.unwrap_or(inner.limits.keep);
        let kept = |entry: &&Arc<Entry>| entry.meta.freshness.is_kept(keep, entry.meta.resident(now));
        let entry = group.as_ref().and_then(|group| group.select(ask.headers).filter(kept).cloned());
        Self { group, entry, keep, purges }
    }

    /// Why the origin has to be asked, if it has.
    fn reason(&self, now: Now) -> MissReason {
        match (&self.group, &self.entry) {
            (None, _) => MissReason::UriMiss,
            (Some(_), None) => MissReason::VaryMiss,
            (Some(_), Some(entry)) if entry.meta.is_fresh(now) => MissReason::Request,
            (Some(_), Some(_)) => MissReason::Stale,
        }
    }

    fn suits(&self, control: RequestControl, now: Now) -> Suits {
        let judged = |entry: &Arc<Entry>| control.judge(&entry.meta.freshness, entry.meta.resident(now));
        self.entry.as_ref().map_or(Suits::Refused, judged)
    }

    /// Other variants that the origin may name as the right one.
    fn others(&self, now: Now) -> Vec<Arc<Entry>> {
        let mut others = self.group.as_ref().map(|group| group.tagged_besides(self.entry.as_ref())).unwrap_or_default();
        others.retain(|entry| entry.meta.freshness.is_kept(self.keep, entry.meta.resident(now)));
        others
    }

    /// The stale response, if the origin failed a moment ago and this may stand in for it.
    fn stand_in(&self, mark: Option<Mark>, ask: &Ask<'_>, now: Now) -> Option<Served> {
        let Some(Mark::OriginFailed(failure)) = mark else { return None };
        stand_in(self.entry.as_ref()?, failure, ask, now)
    }

    fn while_revalidating(&self, ask: &Ask<'_>, now: Now) -> Option<Served> {
        let permitted =
            |entry: &&Arc<Entry>| entry.meta.freshness.may_serve_while_revalidating(entry.meta.resident(now));
        let entry = self.entry.as_ref().filter(permitted)?;
        let report = Report { detail: Some("stale-revalidate"), ..Report::from_store(Outcome::Stale) };
        Some(serve(&entry.meta, Source::Stored(entry.body()), ask.wish(), now, report))
    }

    /// What the next answer will be negotiated by, as far as stored responses and running fills tell.
    fn known_variants(&self, slot: &Slot, ask: &Ask<'_>) -> Vec<Variant> {
        let stored = self.group.as_ref().and_then(|group| group.latest()).map(|entry| entry.meta.variant.clone());
        let fillings = slot.flights(&ask.keyed.key).filter_map(|flight| flight.filling());
        stored.into_iter().chain(fillings.map(|filling| filling.meta.variant.clone())).collect()
    }
}

fn stand_in(entry: &Entry, failure: Failure, ask: &Ask<'_>, now: Now) -> Option<Served> {
    let meta = &entry.meta;
    let permitted = meta.freshness.may_serve_on(failure, meta.resident(now));
    permitted.then(|| serve(meta, Source::Stored(entry.body()), ask.wish(), now, stale_error_report()))
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
        Shared::StandIn(entry, failure) => {
            let suits = entry.meta.variant.matches(ask.headers);
            return if suits { stand_in(entry, *failure, ask, now) } else { None };
        }
    };
    if !meta.variant.matches(ask.headers) || !meta.is_fresh(now) {
        return None;
    }
    let body;
    let (source, outcome, forwarded) = match shared {
        Shared::Filling(filling) => {
            let source = Source::Filling(Some(filling.reader()?), filling.length());
            (source, filling.outcome, filling.forwarded)
        }
        Shared::Confirmed(entry, outcome, forwarded) => {
            body = entry.body().clone();
            (Source::Stored(&body), *outcome, *forwarded)
        }
        Shared::StandIn(..) => return None,
    };
    let report = Report { collapsed: true, ..Report::forwarded(outcome, forwarded) };
    Some(serve(meta, source, ask.wish(), now, report))
}
