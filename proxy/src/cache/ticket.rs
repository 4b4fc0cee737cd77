//! The fetch ticket: the duty and the right to ask the origin for one key, and what becomes of its answer.
//!
//! [`FetchTicket::settle`] is where an answer of the origin is stored, refused or merged with what is stored. A ticket
//! that is dropped hands its duty to one of the requests that wait for it. Deliberately absent: the fetch itself and
//! the rules, which are in `policy`.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use http::{HeaderMap, HeaderName, Method, StatusCode, header, response::Parts};

use super::{
    Now,
    conditional::{self, Validators},
    date,
    duties::{self, NOT_STORED, add_date, complete_forwarded, strip_hop_by_hop},
    entry::{Entry, Meta},
    fields::Fields,
    fill::{Fill, Filling},
    flight::{Cause, Lead, Shared},
    freshness::{Failure, initial_age},
    key::Key,
    marks::Mark,
    policy::{self, Delimited, Exchange, Lent, NoStoreReason, Plan, Ttl},
    request_control::RequestControl,
    rules::{Rules, SetCookie},
    serve::{self, Served, Source, Wish},
    status::{Forwarded, Outcome, Report},
    tags::{TagRules, Tags},
    vary::Variant,
};
use crate::body::Body;

/// Why the origin has to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// Nothing is stored under the key.
    UriMiss,
    /// What is stored was negotiated for other requests.
    VaryMiss,
    /// What is stored is no longer fresh.
    Stale,
    /// What is stored is fresh, but the viewer wants better.
    Request,
    /// The method is not answered from the store.
    Method,
}

impl MissReason {
    /// The word for `Cache-Status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.forwarded().as_str()
    }

    fn forwarded(self) -> Forwarded {
        match self {
            Self::UriMiss => Forwarded::UriMiss,
            Self::VaryMiss => Forwarded::VaryMiss,
            Self::Stale => Forwarded::Stale,
            Self::Request => Forwarded::Request,
            Self::Method => Forwarded::Method,
        }
    }
}

/// An answer of the origin, after the origin-response hook.
#[derive(Debug)]
pub struct OriginAnswer {
    /// Final status and fields.
    pub head: Parts,
    /// The body as it comes.
    pub body: Body,
    /// How the body's end is recognised.
    pub delimited: Delimited,
    /// When the request was sent to the origin.
    pub sent_at: Now,
}

/// Whether the origin's answer was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreResult {
    /// It was, or will be once its body is complete.
    Stored {
        /// Its freshness lifetime, after the policy's bounds.
        ttl: Duration,
    },
    /// It was not.
    NotStored(NoStoreReason),
}

/// The answer for the viewer who held the ticket.
#[derive(Debug)]
pub struct Settled {
    /// Status and fields; `Cache-Status` is the caller's to append.
    pub head: Parts,
    /// The body.
    pub body: Body,
    /// Bytes of the body, where known; none for a 304.
    pub length: Option<u64>,
    /// What the store made of the origin's answer.
    pub result: StoreResult,
    /// The cache's part in it.
    pub report: Report,
}

/// What comes of settling.
#[derive(Debug)]
pub enum Settlement {
    /// An answer for the viewer.
    Answer(Box<Settled>),
    /// The origin's 304 does not fit what is stored: ask once more, with [`FetchTicket::prepare`] on a new request.
    Refetch(Box<FetchTicket>),
}

/// What a ticket knows of the request that it was given to.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) method: Method,
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) ttl: Ttl,
    pub(crate) rules: Arc<Rules>,
    pub(crate) control: RequestControl,
    pub(crate) tags: TagRules,
    pub(crate) cookies_forwarded: bool,
    /// The extension of the path, in lower case.
    pub(crate) extension: Option<Arc<str>>,
}

impl Facts {
    fn wish(&self) -> Wish<'_> {
        Wish { method: &self.method, headers: &self.headers, rules: &self.rules }
    }

    /// An answer to this request as the rules look at it. `limit`: bytes of the largest body that the cache stores.
    pub(crate) fn exchange<'a>(
        &'a self,
        (status, headers): (StatusCode, &'a HeaderMap),
        delimited: Delimited,
        sent_at: Now,
        now: Now,
        limit: u64,
    ) -> Exchange<'a> {
        Exchange {
            status,
            headers,
            delimited,
            authorization: self.headers.contains_key(header::AUTHORIZATION),
            declined: self.control.no_store,
            cookies_forwarded: self.cookies_forwarded,
            ttl: self.ttl,
            rules: &self.rules,
            max_object: self.rules.max_object.map_or(limit, |own| own.min(limit)),
            extension: self.extension.as_deref(),
            received: date::unix(now.wall),
            delay: now.mono.saturating_duration_since(sent_at.mono),
        }
    }
}

/// The duty to ask the origin, and the right to store what it answers.
#[derive(Debug)]
#[must_use = "requests may be waiting for this ticket to be settled"]
pub struct FetchTicket {
    lead: Lead,
    facts: Facts,
    stale: Option<Arc<Entry>>,
    /// Other variants under the same key, which the origin may name as the right one.
    others: Vec<Arc<Entry>>,
    reason: MissReason,
    mark: Option<Mark>,
    joinable: bool,
    waited: bool,
}

impl FetchTicket {
    pub(crate) fn new(lead: Lead, facts: Facts, reason: MissReason) -> Self {
        Self { lead, facts, stale: None, others: Vec::new(), reason, mark: None, joinable: true, waited: false }
    }

    /// With a stored response to validate, and others that have a validator and may turn out to be the right ones.
    pub(crate) fn validating(mut self, stale: Option<Arc<Entry>>, others: Vec<Arc<Entry>>) -> Self {
        self.stale = stale;
        self.others = others;
        self
    }

    /// With what is remembered of the key, and whether others may be waiting.
    pub(crate) fn marked(mut self, mark: Option<Mark>, joinable: bool) -> Self {
        self.mark = mark;
        self.joinable = joinable;
        self
    }

    /// For a request that waited for another's answer first.
    pub(crate) fn after_waiting(mut self) -> Self {
        self.waited = true;
        self
    }

    /// Key and fields of a request for which nothing is stored and whose answer may be for others.
    pub(crate) fn for_nothing_stored(&self) -> Option<(&Key, &HeaderMap)> {
        let all = self.stale.is_none() && self.others.is_empty() && !self.facts.control.no_store;
        (all && self.facts.method == Method::GET).then(|| (self.lead.key(), &*self.facts.headers))
    }

    /// Why the origin has to be asked.
    #[must_use]
    pub fn miss_reason(&self) -> MissReason {
        self.reason
    }

    /// What to validate stored responses by; none if nothing is stored or it has no validator.
    #[must_use]
    pub fn validators(&self) -> Option<Validators> {
        Validators::of(self.heads().iter())
    }

    /// The stored responses that a 304 may speak of, the one for this request first.
    fn candidates(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.stale.iter().chain(&self.others)
    }

    /// Their fields.
    fn heads(&self) -> Vec<HeaderMap> {
        self.candidates().map(|entry| entry.meta.headers.to_map()).collect()
    }

    /// Whether a directive of what is stored says that without the origin there is no answer (http-cache.md 3.7).
    #[must_use]
    pub fn forbids_stale(&self) -> bool {
        self.stale.as_ref().is_some_and(|entry| entry.meta.freshness.never_stale)
    }

    /// How long the origin may take before what is stored is sent in its place, and that; none where it may not be
    /// (http-cache.md 3.7, `stale_soft_deadline`).
    #[must_use]
    pub fn soft_deadline(&self, now: Now) -> Option<(Duration, StandIn)> {
        let entry = self.stale.as_ref().filter(|entry| self.may_stand_in(entry, Failure::Unreachable, now))?;
        let stand_in = StandIn { entry: Arc::clone(entry), facts: self.facts.clone() };
        Some((self.facts.rules.stale_soft_deadline?, stand_in))
    }

    fn may_stand_in(&self, entry: &Entry, failure: Failure, now: Now) -> bool {
        !self.facts.control.no_cache && entry.meta.freshness.may_serve_on(failure, entry.meta.resident(now))
    }

    /// Makes the origin's request fit the ticket: no range, our validators in place of the viewer's conditions. These
    /// stay only where nothing is stored and nobody else can use the answer; all others are evaluated here, on the
    /// result.
    pub fn prepare(&self, request: &mut HeaderMap) {
        request.remove(header::RANGE);
        if let Some(validators) = self.validators() {
            validators.apply(request);
        } else if self.joinable || self.stale.is_some() {
            conditional::strip_conditions(request);
        }
    }

    /// Whether the origin's request, after [`FetchTicket::prepare`], has a condition: ours, or the viewer's with these fields.
    #[must_use]
    pub fn is_conditional(&self, viewer: &HeaderMap) -> bool {
        let passed_on = !self.joinable && self.stale.is_none() && conditional::has_conditions(viewer);
        self.validators().is_some() || passed_on
    }

    /// Judges the origin's answer and stores it if it may be stored. Needs a tokio runtime: the body is read by a task.
    #[must_use]
    pub fn settle(mut self, mut answer: OriginAnswer, now: Now) -> Settlement {
        self.lead.inner().failures.clear(self.lead.key());
        strip_hop_by_hop(&mut answer.head.headers);
        let tags = Tags::of(&answer.head.headers, &self.facts.tags, &self.lead.key().url_parts())
            .map_err(|_| NoStoreReason::TagLimit);
        let tagged = Tags::present(&answer.head.headers, &self.facts.tags);
        self.facts.tags.strip(&mut answer.head.headers);
        let conditional = self.validators().is_some();
        if answer.head.status == StatusCode::NOT_MODIFIED && conditional {
            let confirmed = conditional::confirmed(self.heads().iter(), &answer.head.headers);
            let named = confirmed.and_then(|index| self.candidates().nth(index).cloned());
            let Some(named) = named else {
                if let Some(stale) = self.stale.take() {
                    self.lead.inner().discard(self.lead.key(), &stale);
                }
                self.others.clear();
                return Settlement::Refetch(Box::new(self));
            };
            let tags = if tagged { tags } else { Ok(named.meta.tags.clone()) };
            return Settlement::Answer(Box::new(self.confirm(&named, &answer, tags, now)));
        }
        let endless = self.mark == Some(Mark::Oversize) && answer.delimited == Delimited::Chunked;
        let verdict = if endless { Err(NoStoreReason::Oversize) } else { self.judge(&answer, now) };
        let verdict = verdict.and_then(|plan| match known_length(answer.delimited) {
            Some(length) if !self.admits(length) => Err(NoStoreReason::Admission),
            _ => Ok(plan),
        });
        Settlement::Answer(Box::new(match verdict.and_then(|plan| Ok((plan, tags?))) {
            Ok((plan, tags)) => self.fill(answer, plan, tags, now),
            Err(reason) => self.refuse(answer, reason, now),
        }))
    }

    /// Whether a body of that many bytes may be stored; who waits for it makes it the second request.
    fn admits(&self, length: u64) -> bool {
        let seen = self.lead.inner().admits(self.lead.key(), length, self.facts.rules.admit_after);
        seen || self.lead.has_followers()
    }

    /// Answers with the stale response because the origin failed, if that is permitted; those who wait get it too, and for
    /// a while (`stale_retry`) nobody asks again. Otherwise the ticket comes back.
    ///
    /// # Errors
    ///
    /// The ticket itself, still to be settled, failed or dropped.
    pub fn stale_if_error(self, failure: Failure, now: Now) -> Result<Served, Box<Self>> {
        let permitted = |entry: &&Arc<Entry>| self.may_stand_in(entry, failure, now);
        let Some(stale) = self.stale.as_ref().filter(permitted).map(Arc::clone) else { return Err(Box::new(self)) };
        let (inner, retry) = (self.lead.inner(), self.facts.rules.stale_retry);
        inner.marks.set_for(self.lead.key(), Mark::OriginFailed(failure), retry, now.mono);
        let served = serve::serve(&stale.meta, Source::Stored(stale.body()), self.wish(), now, stale_error_report());
        drop(self.lead.publish(&Shared::StandIn(stale, failure)));
        Ok(served)
    }

    /// Takes everything stored under the URL away but keeps the right to store the answer that did it: a POST whose answer
    /// may serve later GETs (http-cache.md 3.14). `None`: the right is gone, an invalidation came in between.
    #[must_use]
    pub fn supersede(self) -> Option<Self> {
        self.lead.supersede().then_some(self)
    }

    /// Whether the answer may be stored, as far as its head tells.
    pub(crate) fn may_store(&self, answer: &OriginAnswer, now: Now) -> bool {
        policy::judge(&self.exchange(&answer.head, answer.delimited, answer.sent_at, now)).is_ok()
    }

    /// The same right for the key of the whole `object`, of which the slice that was asked for turned out to be everything; none
    /// if an invalidation came in between. Released afterwards, this ticket lets those who wait find that.
    pub(crate) fn for_whole(&self, object: &Key) -> Option<Self> {
        let lead = self.lead.beside(object.clone())?;
        Some(Self::new(lead, self.facts.clone(), self.reason))
    }

    /// Whether an answer to POST states its lifetime, which it must to serve later GETs.
    #[must_use]
    pub fn states_lifetime(&self, answer: &OriginAnswer, now: Now) -> bool {
        policy::states_lifetime(&self.exchange(&answer.head, answer.delimited, answer.sent_at, now))
    }

    /// Whether the request has gone out a second time, for whoever sends it.
    #[must_use]
    pub fn tried_twice(&self) -> Arc<AtomicBool> {
        self.lead.tried_twice()
    }

    /// Reports that the origin could not be asked and nothing can stand in. One waiting request gets the ticket for a
    /// second try; if that fails too, the others are answered with `Lookup::Failed` and its `cause`. So is who comes later, for
    /// the least lifetime of an answer with this `status`; `None`: it says nothing about the next request.
    pub fn fail(self, cause: &Cause, status: Option<StatusCode>, now: Now) {
        let shared = status.filter(|_| self.joinable && !self.facts.control.no_store && self.lead.is_last_try());
        if let Some((status, lasts)) = shared.and_then(|it| Some((it, self.facts.rules.error_ttl(it, false)?))) {
            let failures = &self.lead.inner().failures;
            failures.keep(self.lead.key(), (cause, status), lasts, self.lead.asked_at(), now.mono);
        }
        self.lead.fail(cause);
    }

    /// Stores nothing, and lets everybody who waits ask for themselves.
    pub fn release(self) {
        drop(self.lead.release());
    }

    fn wish(&self) -> Wish<'_> {
        self.facts.wish()
    }

    fn exchange<'a>(&'a self, head: &'a Parts, delimited: Delimited, sent_at: Now, now: Now) -> Exchange<'a> {
        let limit = self.lead.inner().max_object();
        self.facts.exchange((head.status, &head.headers), delimited, sent_at, now, limit)
    }

    fn judge(&self, answer: &OriginAnswer, now: Now) -> Result<Plan, NoStoreReason> {
        let plan = policy::judge(&self.exchange(&answer.head, answer.delimited, answer.sent_at, now))?;
        let inner = self.lead.inner();
        let variant = Variant::of(&answer.head.headers, &self.facts.headers, self.facts.rules.vary_language);
        if inner.store.is_crowded(self.lead.key(), &variant) && !inner.overflows.admit(self.lead.key(), now.mono) {
            return Err(NoStoreReason::VaryLimit);
        }
        Ok(plan)
    }

    fn report(&self, outcome: Outcome, status: StatusCode) -> Report {
        let forwarded_status = matches!(self.reason, MissReason::Stale | MissReason::Request).then_some(status);
        let waited = self.waited;
        Report { forwarded_status, waited, ..Report::forwarded(outcome, self.reason.forwarded()) }
    }

    /// Passes on what may not be stored, one to one, and lets everybody go.
    fn refuse(self, answer: OriginAnswer, reason: NoStoreReason, now: Now) -> Settled {
        let OriginAnswer { mut head, body, delimited, sent_at } = answer;
        let inner = self.lead.inner();
        let key = self.lead.key().clone();
        if let Some(stale) = self.stale.as_ref().filter(|_| !head.status.is_server_error()) {
            inner.discard(&key, stale);
        }
        // An answer to the viewer's own condition, or to its wish not to be stored, tells nothing about the next answer.
        let personal = head.status == StatusCode::NOT_MODIFIED || reason == NoStoreReason::RequestDirective;
        if !personal {
            let mark = if self.mark == Some(Mark::Oversize) { Mark::Oversize } else { Mark::HitForMiss };
            inner.marks.set(&key, mark, now.mono);
        }
        let report = self.report(Outcome::Uncacheable, head.status);
        duties::strip_targeted(&mut head.headers, &self.facts.rules);
        drop(self.lead.release());
        complete_forwarded(&mut head.headers, sent_at, now, &self.facts.rules);
        Settled {
            head,
            body,
            length: known_length(delimited),
            result: StoreResult::NotStored(reason),
            report: Report { detail: Some(reason.as_str()), ..report },
        }
    }

    /// Stores a full answer as it comes.
    fn fill(self, answer: OriginAnswer, plan: Plan, tags: Tags, now: Now) -> Settled {
        let OriginAnswer { mut head, body, delimited, sent_at } = answer;
        let inner = self.lead.inner();
        plan.strip.iter().for_each(|name| drop(head.headers.remove(name)));
        let meta = self.meta(head.status, head.headers.clone(), &plan, tags, now);
        let licensed = self.lead.is_licensed() && inner.is_current(self.lead.key(), &meta);
        let outcome = match self.reason {
            _ if !licensed => Outcome::Uncacheable,
            MissReason::Stale => Outcome::Expired,
            MissReason::UriMiss | MissReason::VaryMiss | MissReason::Request | MissReason::Method => Outcome::Miss,
        };
        let mut report = self.report(outcome, head.status);
        report.stored = licensed;
        report.ttl_left = Some(plan.freshness.ttl_left(Duration::ZERO));
        let length = known_length(delimited).or_else(|| body_is_empty(&body).then_some(0));
        let admit_after = self.facts.rules.admit_after.filter(|_| !self.lead.has_followers());
        let filling = Filling::new(meta, length, outcome, self.reason.forwarded());
        let reader = filling.reader();
        complete_forwarded(&mut head.headers, sent_at, now, &self.facts.rules);
        let source = Source::Filling(reader, length);
        let shaped = serve::shape(&filling.meta, std::mem::take(&mut head.headers), source, self.wish(), now);

        let licence = if filling.meta.is_fresh(now) {
            inner.marks.clear(self.lead.key());
            self.lead.publish(&Shared::Filling(Arc::clone(&filling)))
        } else {
            inner.marks.set(self.lead.key(), Mark::HitForMiss, now.mono);
            self.lead.release()
        };
        let fill = Fill { filling, licence, replaced: self.stale, length, admit_after };
        if length == Some(0) {
            fill.finish_empty();
        } else {
            fill.spawn(body);
        }

        let (result, detail) = if licensed {
            (StoreResult::Stored { ttl: plan.freshness.lifetime.into() }, plan.lent.map(Lent::as_str))
        } else {
            (StoreResult::NotStored(NoStoreReason::Purged), Some(NoStoreReason::Purged.as_str()))
        };
        head.status = shaped.status;
        head.headers = shaped.headers;
        Settled { head, body: shaped.body, length: shaped.length, result, report: Report { detail, ..report } }
    }

    /// Renews the stored response by the origin's 304 and answers from it.
    fn confirm(
        self,
        stale: &Arc<Entry>,
        answer: &OriginAnswer,
        tags: Result<Tags, NoStoreReason>,
        now: Now,
    ) -> Settled {
        let inner = self.lead.inner();
        let mut merged = stale.meta.headers.to_map();
        merged.remove(header::DATE); // of the old answer; the new one's, or the receipt time, takes its place
        let shares_cookies = self.facts.rules.set_cookie == SetCookie::Store;
        let renewing = renewing(&answer.head.headers, stale, shares_cookies);
        conditional::merge(&mut merged, &renewing);
        add_date(&mut merged, now);
        let mut head = answer.head.clone();
        head.status = stale.meta.status;
        head.headers = merged;
        let exchange = self.exchange(&head, Delimited::Length(stale.length()), answer.sent_at, now);
        let age = initial_age(&answer.head.headers, exchange.delay);
        let verdict = policy::judge(&exchange).and_then(|plan| tags.clone().map(|_| plan));
        let plan = verdict.clone().unwrap_or_else(|_| Plan::expired());
        let mut meta = self.meta(head.status, head.headers, &plan, tags.unwrap_or_default(), now);
        meta.freshness.initial_age = age.into();
        meta.headers = meta.headers.with_trailers(&stale.meta.headers.trailers().unwrap_or_default());
        if verdict.is_ok() {
            self.renew_twins(stale, &renewing, &Plan { freshness: meta.freshness, ..plan.clone() }, now);
        }
        let entry = Arc::new(Entry::new(meta, stale.body().clone(), inner.uptime(now.mono)));

        let mut report = self.report(Outcome::Revalidated, StatusCode::NOT_MODIFIED);
        let mut served = serve::serve(&entry.meta, Source::Stored(entry.body()), self.wish(), now, report);
        let cookies = self.facts.cookies_forwarded && !shares_cookies;
        let own = plan.unstored.iter().chain(cookies.then_some(&header::SET_COOKIE));
        give_own(own, &answer.head.headers, &mut served.head.headers);
        report = served.report;
        let result = match verdict {
            Ok(plan) => {
                let forwarded = self.reason.forwarded();
                let licence = if entry.meta.is_fresh(now) {
                    inner.marks.clear(self.lead.key());
                    self.lead.publish(&Shared::Confirmed(Arc::clone(&entry), Outcome::Revalidated, forwarded))
                } else {
                    inner.marks.set(self.lead.key(), Mark::HitForMiss, now.mono);
                    self.lead.release()
                };
                report.stored = licence.commit(entry, self.stale.as_ref());
                report.detail = plan.lent.map(Lent::as_str);
                if report.stored {
                    StoreResult::Stored { ttl: plan.freshness.lifetime.into() }
                } else {
                    StoreResult::NotStored(NoStoreReason::Purged)
                }
            }
            Err(reason) => {
                inner.discard(self.lead.key(), stale);
                drop(self.lead.release());
                StoreResult::NotStored(reason)
            }
        };
        if let StoreResult::NotStored(reason) = result {
            report.detail = Some(reason.as_str());
            report.ttl_left = None;
        }
        Settled { head: served.head, body: served.body, length: served.length, result, report }
    }

    /// Renews the other stored responses that would do for this request and have the same strong tag as the one that a 304 has
    /// confirmed (RFC 9111 section 4.3.4). Each keeps its variant.
    fn renew_twins(&self, confirmed: &Arc<Entry>, renewing: &HeaderMap, plan: &Plan, now: Now) {
        let tag = |entry: &Entry| entry.meta.headers.get(&header::ETAG).map(<[u8]>::to_vec);
        let Some(strong) = tag(confirmed).filter(|tag| !tag.starts_with(b"W/")) else { return };
        let inner = self.lead.inner();
        let same = |entry: &&Arc<Entry>| {
            let suits = entry.meta.status == confirmed.meta.status && entry.meta.variant.matches(&self.facts.headers);
            !Arc::ptr_eq(entry, confirmed) && suits && tag(entry).as_ref() == Some(&strong)
        };
        for twin in self.candidates().filter(same) {
            let mut meta = twin.meta.clone();
            let mut headers = meta.headers.to_map();
            conditional::merge(&mut headers, renewing);
            plan.unstored.iter().chain(&NOT_STORED).for_each(|name| drop(headers.remove(name)));
            let trailers = meta.headers.trailers().unwrap_or_default();
            meta.headers = Fields::from(&headers).with_trailers(&trailers);
            (meta.freshness, meta.received) = (plan.freshness, now.into());
            meta.asked_at = self.lead.asked_at();
            let renewed = Arc::new(Entry::new(meta, twin.body().clone(), inner.uptime(now.mono)));
            inner.store.renew(self.lead.key(), twin, renewed);
        }
    }

    fn meta(&self, status: StatusCode, mut headers: HeaderMap, plan: &Plan, tags: Tags, now: Now) -> Meta {
        plan.unstored.iter().chain(&NOT_STORED).for_each(|name| drop(headers.remove(name)));
        let variant = Variant::of(&headers, &self.facts.headers, self.facts.rules.vary_language);
        if self.facts.rules.no_vary_search && status == StatusCode::OK {
            let key = self.lead.key();
            self.lead.inner().searches.learn(key.path_bytes(), key.url_parts().path, &headers);
        }
        add_date(&mut headers, now);
        let asked_at = self.lead.asked_at();
        Meta {
            status,
            headers: Fields::from(&headers),
            freshness: plan.freshness,
            variant,
            received: now.into(),
            lent: plan.lent,
            tags,
            asked_at,
        }
    }
}

/// What is not for those who come later is for the viewer whose request was confirmed (RFC 9111, section 5.2.2.4).
fn give_own<'a>(names: impl Iterator<Item = &'a HeaderName>, not_modified: &HeaderMap, answer: &mut HeaderMap) {
    let missing: Vec<&HeaderName> = names.filter(|name| !answer.contains_key(*name)).collect();
    for name in missing {
        for value in not_modified.get_all(name) {
            answer.append(name.clone(), value.clone());
        }
    }
}

/// What of the fields of a 304, or of an answer to HEAD, goes into the stored response that it confirms.
pub(crate) fn renewing(told: &HeaderMap, stored: &Entry, shares_cookies: bool) -> HeaderMap {
    let mut fields = told.clone();
    if !shares_cookies {
        fields.remove(header::SET_COOKIE);
    }
    conditional::keep_weakness(&mut fields, &stored.meta.headers.to_map());
    fields
}

/// What is stored, for a viewer who has waited long enough for the origin.
#[derive(Debug)]
pub struct StandIn {
    entry: Arc<Entry>,
    facts: Facts,
}

impl StandIn {
    /// The stale answer.
    #[must_use]
    pub fn serve(&self, now: Now) -> Served {
        serve::serve(&self.entry.meta, Source::Stored(self.entry.body()), self.facts.wish(), now, stale_error_report())
    }
}

/// The report of a stale answer that stands in for a failing origin.
pub(crate) fn stale_error_report() -> Report {
    Report { detail: Some("stale-error"), ..Report::from_store(Outcome::Stale) }
}

/// The length that the framing promises, in bytes.
fn known_length(delimited: Delimited) -> Option<u64> {
    match delimited {
        Delimited::Length(bytes) => Some(bytes),
        Delimited::None => Some(0),
        Delimited::Chunked | Delimited::Close => None,
    }
}

fn body_is_empty(body: &Body) -> bool {
    http_body::Body::is_end_stream(body)
}
