//! The fetch ticket: the duty and the right to ask the origin for one key, and what becomes of its answer.
//!
//! [`FetchTicket::settle`] is where an answer of the origin is stored, refused or merged with what is stored. A ticket
//! that is dropped hands its duty to one of the requests that wait for it. Deliberately absent: the fetch itself and
//! the rules, which are in `policy`.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, StatusCode, header, response::Parts};
use http_body_util::BodyExt;

use super::{
    Now,
    conditional::{self, Validators},
    date,
    duties::{NOT_STORED, add_date, complete_forwarded, strip_hop_by_hop},
    entry::{Entry, Meta},
    fill::{Fill, Filling},
    flight::{Cause, Lead, Shared},
    freshness::initial_age,
    marks::Mark,
    policy::{self, Delimited, Exchange, Lent, NoStoreReason, Plan, Ttl},
    serve::{self, Served, Source, Wish},
    status::{Forwarded, Outcome, Report},
    tags::{TagRules, Tags},
    vary::Variant,
};
use crate::body::{self, Body};

/// Why the origin has to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// Nothing is stored under the key.
    UriMiss,
    /// What is stored was negotiated for other requests.
    VaryMiss,
    /// What is stored is no longer fresh.
    Stale,
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

/// What a ticket knows of the request that it was given to, a GET.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) ttl: Ttl,
    pub(crate) tags: TagRules,
    pub(crate) cookies_forwarded: bool,
}

/// The duty to ask the origin, and the right to store what it answers.
#[derive(Debug)]
#[must_use = "requests may be waiting for this ticket to be settled"]
pub struct FetchTicket {
    lead: Lead,
    facts: Facts,
    stale: Option<Arc<Entry>>,
    reason: MissReason,
    mark: Option<Mark>,
    joinable: bool,
}

impl FetchTicket {
    pub(crate) fn new(lead: Lead, facts: Facts, reason: MissReason) -> Self {
        Self { lead, facts, stale: None, reason, mark: None, joinable: true }
    }

    /// With a stale response to validate.
    pub(crate) fn validating(mut self, stale: Option<Arc<Entry>>) -> Self {
        self.stale = stale;
        self
    }

    /// With what is remembered of the key, and whether others may be waiting.
    pub(crate) fn marked(mut self, mark: Option<Mark>, joinable: bool) -> Self {
        self.mark = mark;
        self.joinable = joinable;
        self
    }

    /// Why the origin has to be asked.
    #[must_use]
    pub fn miss_reason(&self) -> MissReason {
        self.reason
    }

    /// What to validate the stored response by; none if nothing is stored or it has no validator.
    #[must_use]
    pub fn validators(&self) -> Option<Validators> {
        self.stale.as_ref().and_then(|entry| Validators::of(&entry.meta.headers))
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

    /// Judges the origin's answer and stores it if it may be stored. Needs a tokio runtime: the body is read by a task.
    #[must_use]
    pub fn settle(mut self, mut answer: OriginAnswer, now: Now) -> Settlement {
        strip_hop_by_hop(&mut answer.head.headers);
        let tags = Tags::of(&answer.head.headers, &self.facts.tags).map_err(|_| NoStoreReason::TagLimit);
        let tagged = Tags::present(&answer.head.headers, &self.facts.tags);
        self.facts.tags.strip(&mut answer.head.headers);
        if answer.head.status == StatusCode::NOT_MODIFIED
            && let Some(validators) = self.validators()
        {
            let Some(stale) = self.stale.take() else { return Settlement::Refetch(Box::new(self)) };
            if !validators.accept(&answer.head.headers) {
                self.lead.inner().discard(self.lead.key(), &stale);
                return Settlement::Refetch(Box::new(self));
            }
            let tags = if tagged { tags } else { Ok(stale.meta.tags.clone()) };
            return Settlement::Answer(Box::new(self.confirm(&stale, &answer, tags, now)));
        }
        let endless = self.mark == Some(Mark::Oversize) && answer.delimited == Delimited::Chunked;
        let verdict = if endless {
            Err(NoStoreReason::Oversize)
        } else {
            policy::judge(&self.exchange(&answer.head, answer.delimited, answer.sent_at, now))
        };
        let verdict = verdict.and_then(|plan| match known_length(answer.delimited) {
            Some(length) if !self.lead.inner().admits(self.lead.key(), length) => Err(NoStoreReason::Admission),
            _ => Ok(plan),
        });
        Settlement::Answer(Box::new(match verdict.and_then(|plan| Ok((plan, tags?))) {
            Ok((plan, tags)) => self.fill(answer, plan, tags, now),
            Err(reason) => self.refuse(answer, reason, now),
        }))
    }

    /// Answers with the stale response because the origin failed (no answer, or 500, 502, 503, 504), if that is
    /// permitted; those who wait get it too, and for 10 s nobody asks again. Otherwise the ticket comes back.
    ///
    /// # Errors
    ///
    /// The ticket itself, still to be settled, failed or dropped.
    pub fn stale_if_error(self, now: Now) -> Result<Served, Box<Self>> {
        let permitted = |entry: &&Arc<Entry>| entry.meta.freshness.may_serve_on_error(entry.meta.resident(now));
        let Some(stale) = self.stale.as_ref().filter(permitted).map(Arc::clone) else { return Err(Box::new(self)) };
        self.lead.inner().marks.set(self.lead.key(), Mark::OriginFailed, now.mono);
        let served = serve::serve(&stale.meta, Source::Stored(&stale.body), self.wish(), now, stale_error_report());
        drop(self.lead.publish(&Shared::StandIn(stale)));
        Ok(served)
    }

    /// Reports that the origin could not be asked and nothing can stand in. One waiting request gets the ticket for a
    /// second try; if that fails too, the others are answered with `Lookup::Failed` and its `cause`.
    pub fn fail(self, cause: &Cause) {
        self.lead.fail(cause);
    }

    fn wish(&self) -> Wish<'_> {
        Wish { method: &Method::GET, headers: &self.facts.headers }
    }

    fn exchange<'a>(&self, head: &'a Parts, delimited: Delimited, sent_at: Now, now: Now) -> Exchange<'a> {
        Exchange {
            status: head.status,
            headers: &head.headers,
            delimited,
            authorization: self.facts.headers.contains_key(header::AUTHORIZATION),
            cookies_forwarded: self.facts.cookies_forwarded,
            ttl: self.facts.ttl,
            max_object: self.lead.inner().max_object(),
            received: date::unix(now.wall),
            delay: now.mono.saturating_duration_since(sent_at.mono),
        }
    }

    fn report(&self, outcome: Outcome, status: StatusCode) -> Report {
        let forwarded_status = (self.reason == MissReason::Stale).then_some(status);
        Report { forwarded_status, ..Report::forwarded(outcome, self.reason.forwarded()) }
    }

    /// Passes on what may not be stored, one to one, and lets everybody go.
    fn refuse(self, answer: OriginAnswer, reason: NoStoreReason, now: Now) -> Settled {
        let OriginAnswer { mut head, body, delimited, sent_at } = answer;
        let inner = self.lead.inner();
        let key = self.lead.key().clone();
        if let Some(stale) = self.stale.as_ref().filter(|_| !head.status.is_server_error()) {
            inner.discard(&key, stale);
        }
        let mark = if self.mark == Some(Mark::Oversize) { Mark::Oversize } else { Mark::HitForMiss };
        inner.marks.set(&key, mark, now.mono);
        let report = self.report(Outcome::Uncacheable, head.status);
        drop(self.lead.release());
        complete_forwarded(&mut head.headers, sent_at, now);
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
            MissReason::UriMiss | MissReason::VaryMiss => Outcome::Miss,
        };
        let mut report = self.report(outcome, head.status);
        report.stored = licensed;
        report.ttl_left = Some(plan.freshness.ttl_left(Duration::ZERO));
        let length = known_length(delimited).or_else(|| body_is_empty(&body).then_some(0));
        let filling = Filling::new(meta, length, outcome, self.reason.forwarded());
        let reader = filling.reader();
        let unchanged = serve::is_unchanged(&filling.meta, self.wish(), now);

        let licence = if filling.meta.is_fresh(now) {
            inner.marks.clear(self.lead.key());
            self.lead.publish(&Shared::Filling(Arc::clone(&filling)))
        } else {
            inner.marks.set(self.lead.key(), Mark::HitForMiss, now.mono);
            self.lead.release()
        };
        let fill = Fill { filling, licence, replaced: self.stale, length };
        if length == Some(0) {
            fill.finish_empty()
        } else {
            fill.spawn(body)
        }

        complete_forwarded(&mut head.headers, sent_at, now);
        let mut body = reader.map_or_else(body::empty, BodyExt::boxed_unsync);
        let mut body_length = length;
        if unchanged {
            head.status = StatusCode::NOT_MODIFIED;
            head.headers = conditional::not_modified_fields(&head.headers);
            body = body::empty();
            body_length = None;
        }
        let (result, detail) = if licensed {
            (StoreResult::Stored { ttl: plan.freshness.lifetime }, plan.lent.map(Lent::as_str))
        } else {
            (StoreResult::NotStored(NoStoreReason::Purged), Some(NoStoreReason::Purged.as_str()))
        };
        Settled { head, body, length: body_length, result, report: Report { detail, ..report } }
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
        let mut merged = stale.meta.headers.clone();
        merged.remove(header::DATE); // of the old answer; the new one's, or the receipt time, takes its place
        conditional::merge(&mut merged, &answer.head.headers);
        add_date(&mut merged, now);
        let mut head = answer.head.clone();
        head.status = stale.meta.status;
        head.headers = merged;
        let exchange = self.exchange(&head, Delimited::Length(stale.body.length()), answer.sent_at, now);
        let age = initial_age(&answer.head.headers, exchange.delay);
        let verdict = policy::judge(&exchange).and_then(|plan| tags.clone().map(|_| plan));
        let plan = verdict.clone().unwrap_or_else(|_| Plan::expired());
        let mut meta = self.meta(head.status, head.headers, &plan, tags.unwrap_or_default(), now);
        meta.freshness.initial_age = age;
        let entry = Arc::new(Entry::new(meta, stale.body.clone(), inner.uptime(now)));

        let mut report = self.report(Outcome::Revalidated, StatusCode::NOT_MODIFIED);
        let mut served = serve::serve(&entry.meta, Source::Stored(&entry.body), self.wish(), now, report);
        if self.facts.cookies_forwarded {
            for cookie in answer.head.headers.get_all(header::SET_COOKIE) {
                served.head.headers.append(header::SET_COOKIE, cookie.clone());
            }
        }
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
                report.stored = licence.commit(entry, Some(stale));
                report.detail = plan.lent.map(Lent::as_str);
                if report.stored {
                    StoreResult::Stored { ttl: plan.freshness.lifetime }
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

    fn meta(&self, status: StatusCode, mut headers: HeaderMap, plan: &Plan, tags: Tags, now: Now) -> Meta {
        plan.unstored.iter().chain(&NOT_STORED).for_each(|name| drop(headers.remove(name)));
        let variant = Variant::of(&headers, &self.facts.headers);
        add_date(&mut headers, now);
        let asked_at = self.lead.asked_at();
        Meta { status, headers, freshness: plan.freshness, variant, received: now, lent: plan.lent, tags, asked_at }
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
