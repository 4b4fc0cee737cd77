//! The origin side of a request: both origin hooks around one exchange, and the settling of the cache's ticket.
//!
//! [`Fetch::fill`] asks on behalf of the cache, [`Fetch::pass`] past it. Background revalidation goes the same way.

use crate::{
    body::{self, Body, Delimited},
    cache::{
        self, Ask, BypassReason, Cause, Failure, FetchTicket, KeyedRequest, Now, OriginAnswer, Prefix, Report,
        Selection, Served, Settled, Settlement, StoreResult,
    },
    compress,
    failover::First,
    fault::Fault,
    forward::{self, Extent, Outgoing},
    gate::Received,
    hooks::{self, BodyAfterHook, Flow, Function},
    interim::Interim,
    invalidate::{self, changes_state},
    origin::{BodyLength, Origin, OriginError, OriginRequest, OriginSettings, SecondTry, Target},
    record::{self, OriginMessages, OriginRecord, Record, shown},
    resume::{self, Missing, Rest},
    site::{Behavior, Failover, Site, SiteOrigin},
    slices::Slice,
    trace_context::Trace,
};
use edgehook_contract::{Fault as Class, HookPoint, lambda};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, response::Parts};
use http_body_util::BodyExt as _;
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, oneshot};

/// Most background revalidations at a time (http-cache.md 3.7).
static BACKGROUND: Semaphore = Semaphore::const_new(256);

/// What goes back towards the viewer, from wherever it came.
#[derive(Debug)]
pub struct Answer {
    /// Status and fields.
    pub head: Parts,
    /// The body.
    pub body: Body,
    /// Its length, where known.
    pub length: Option<u64>,
    /// The cache's part.
    pub report: Report,
    /// An origin-request function made it.
    pub generated: bool,
    /// Freshness lifetime of what was stored.
    pub stored_for: Option<Duration>,
}

impl From<Served> for Answer {
    fn from(served: Served) -> Self {
        let Served { head, body, length, report, refresh: _ } = served;
        Self { head, body, length, report, generated: false, stored_for: None }
    }
}

impl Answer {
    fn settled(settled: Settled, generated: bool) -> Self {
        let Settled { head, body, length, result, report } = settled;
        let stored_for = match result {
            StoreResult::Stored { ttl } => Some(ttl),
            StoreResult::NotStored(_) => None,
        };
        Self { head, body, length, report, generated, stored_for }
    }
}

/// A request as the cache looks at it.
pub(crate) fn ask<'a>(behavior: &'a Behavior, request: &'a Received, keyed: &'a KeyedRequest) -> Ask<'a> {
    Ask {
        method: &request.method,
        headers: &request.headers,
        keyed,
        policy: &behavior.policy,
        unkeyed_cookies: behavior.policy.rules.forward_all
            || behavior.request_policy.as_ref().is_some_and(|policy| policy.cookies != Selection::None),
        whole: false,
    }
}

/// Everything that a fetch needs besides the request.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The configuration.
    pub site: Arc<Site>,
    /// The request's behavior.
    pub behavior: Arc<Behavior>,
    /// The request id.
    pub id: String,
    /// The part of the response that is wanted; none: all of it.
    pub(crate) slice: Option<Slice>,
}

/// An origin's answer after both hooks.
struct Exchanged {
    answer: OriginAnswer,
    generated: bool,
}

impl Fetch {
    /// Asks the origin with a ticket, and settles it. What is stored is sent instead if it may be and the origin is slow; the
    /// fetch then goes on without the viewer.
    ///
    /// # Errors
    /// Neither the origin nor a stale answer is to be had.
    pub async fn fill(
        &self,
        ticket: Box<FetchTicket>,
        request: &Received,
        keyed: &KeyedRequest,
        record: &mut Record,
    ) -> Result<Answer, Fault> {
        let Some((patience, stand_in)) = ticket.soft_deadline(self.site.world.now()) else {
            return self.settle(ticket, request, keyed, record).await;
        };
        let (fetch, request, keyed, mut own) = (self.clone(), request.clone(), keyed.clone(), record.fork());
        let (sender, receiver) = oneshot::channel();
        let world = &self.site.world;
        world.spawn(async move {
            let result = fetch.settle(ticket, &request, &keyed, &mut own).await;
            if let Err((result, own)) = sender.send((result, own)) {
                fetch.site.metrics.worked(&own);
                own.log_hooks();
                log_unheard(&fetch.id, result.err());
            }
        });
        match world.until(world.instant() + patience, receiver).await {
            Some(Ok((result, own))) => {
                record.join(own);
                result
            }
            Some(Err(_)) | None => Ok(stand_in.serve(self.site.world.now()).into()),
        }
    }

    async fn settle(
        &self,
        mut ticket: Box<FetchTicket>,
        request: &Received,
        keyed: &KeyedRequest,
        record: &mut Record,
    ) -> Result<Answer, Fault> {
        let extent = self.extent();
        let mut beginning = self.beginning(&ticket).await;
        loop {
            let missing = beginning.as_ref().map(Missing::behind);
            let prepare = |outgoing: &mut Outgoing| {
                if request.method == Method::HEAD {
                    outgoing.method = Method::GET;
                }
                ticket.prepare(&mut outgoing.headers);
                outgoing.again = SecondTry::unless(ticket.tried_twice());
                self.slice.iter().for_each(|slice| slice.ask(&mut outgoing.headers));
                missing.iter().for_each(|missing| missing.ask(&mut outgoing.headers));
            };
            let payload = (body::empty(), BodyLength::None);
            let exchanged = match self.attempt(request, keyed, extent, &prepare, payload, record).await {
                Ok(exchanged) => exchanged,
                Err(fault) => return self.failed(*ticket, fault),
            };
            if exchanged.answer.head.status == StatusCode::NOT_MODIFIED && !ticket.is_conditional(&request.headers) {
                let error = OriginError::BadResponse("a 304 to a request without condition".to_owned());
                return self.failed(*ticket, error.into());
            }
            let down = matches!(exchanged.answer.head.status.as_u16(), 500 | 502..=504);
            if down {
                match ticket.stale_if_error(Failure::Status, self.site.world.now()) {
                    Ok(served) => return Ok(served.into()),
                    Err(again) => ticket = again,
                }
            }
            let mut answer = exchanged.answer;
            if let (Some(beginning), Some(missing)) = (beginning.take(), missing) {
                match self.completed(&beginning, &missing, answer) {
                    Some(whole) => answer = whole,
                    None => continue,
                }
            }
            let status = answer.head.status;
            let slice = self.slice.as_ref().filter(|_| status != StatusCode::NOT_MODIFIED);
            let whole = slice.and_then(|slice| self.whole_object(slice, &ticket, &mut answer));
            if let Some(slice) = slice.filter(|slice| whole.is_none() && !slice.take(&mut answer)) {
                return Ok(self.not_a_slice(slice, *ticket, answer));
            }
            if self.slice.is_none() || whole.is_some() {
                resume::resuming(&mut answer, self.rest_of(request, keyed, extent, record));
                self.compressed(request, &mut answer);
            }
            let waiting = whole.map(|whole| std::mem::replace(&mut ticket, whole));
            match ticket.settle(answer, self.site.world.now()) {
                Settlement::Refetch(again) => ticket = again,
                Settlement::Answer(settled) => {
                    if let (Some(slice), Some(waiting)) = (slice, waiting) {
                        self.came_whole(slice, *waiting, status);
                    }
                    note_store(record, &settled);
                    return Ok(Answer::settled(*settled, exchanged.generated));
                }
            }
        }
    }

    /// How much of a request goes on whose answer may be stored.
    fn extent(&self) -> Extent {
        if self.behavior.policy.rules.forward_all { Extent::All } else { Extent::Keyed }
    }

    /// What is kept of an earlier fill of the whole.
    async fn beginning(&self, ticket: &FetchTicket) -> Option<Prefix> {
        match self.slice {
            None => self.site.cache.prefix(ticket, self.site.world.now()).await,
            Some(_) => None,
        }
    }

    /// The whole, where the origin had the rest of a beginning; its answer, where that is something else; none: ask it for all.
    fn completed(&self, beginning: &Prefix, missing: &Missing, answer: OriginAnswer) -> Option<OriginAnswer> {
        let completes = missing.is_answered_by(&answer);
        if !answer.head.status.is_server_error() {
            self.site.cache.drop_prefix(beginning, completes);
        }
        if completes {
            return beginning.completed_by(answer, &self.behavior.policy.tags);
        }
        let of_a_part = matches!(answer.head.status, StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
        (!of_a_part).then_some(answer)
    }

    /// Compresses an answer for all who have this viewer's codings, where that is configured.
    fn compressed(&self, request: &Received, answer: &mut OriginAnswer) {
        let codings = &self.behavior.policy.normalise;
        if self.behavior.compress && request.version >= Version::HTTP_11 && !codings.codings.is_empty() {
            let OriginAnswer { head, body, delimited, .. } = answer;
            compress::apply(&codings.bucket(&request.headers), head, body, delimited);
        }
    }

    /// The answer from the store, or from another's fill.
    pub(crate) fn served(&self, served: Served, request: &Received, keyed: &KeyedRequest, record: &Record) -> Answer {
        let mut answer = Answer::from(served);
        if answer.report.collapsed && answer.length.is_none() && request.method == Method::GET {
            let rest = self.rest_of(request, keyed, self.extent(), record);
            answer.body = resume::following(&answer.head, answer.body, rest);
        }
        answer
    }

    /// A stale answer where the origin failed and there is one; else the fault, also for those who waited and, for a while, those who come later.
    fn failed(&self, ticket: FetchTicket, fault: Fault) -> Result<Answer, Fault> {
        let now = self.site.world.now();
        let ticket = if matches!(fault, Fault::Origin(_)) {
            match ticket.stale_if_error(Failure::Unreachable, now) {
                Ok(served) => return Ok(served.into()),
                Err(again) => *again,
            }
        } else {
            ticket
        };
        let fault = match fault {
            Fault::Origin(error) if ticket.forbids_stale() => Fault::Unvalidated(error),
            other => other,
        };
        let cause: Cause = Arc::new(fault.clone());
        // Who develops starts the origin a moment later. What a function did wrong is no failure of the origin.
        let of_origin = matches!(fault, Fault::Origin(_) | Fault::Unvalidated(_)) && !self.site.dev;
        ticket.fail(&cause, of_origin.then(|| fault.status()), now);
        Err(fault)
    }

    /// How the rest of a body that breaks off is asked for.
    fn rest_of(
        &self,
        request: &Received,
        keyed: &KeyedRequest,
        extent: Extent,
        record: &Record,
    ) -> impl Fn(Missing) -> Rest + Send + 'static {
        let request = Received { interim: None, ..request.clone() };
        let own = Arc::new((self.clone(), request, keyed.clone(), record.fork()));
        move |missing| {
            let own = Arc::clone(&own);
            Box::pin(async move {
                let (fetch, request, keyed, record) = &*own;
                let mut record = record.fork();
                let prepare = |outgoing: &mut Outgoing| {
                    outgoing.method = Method::GET;
                    forward::CONDITIONS.iter().for_each(|name| drop(outgoing.headers.remove(name)));
                    missing.ask(&mut outgoing.headers);
                };
                let payload = (body::empty(), BodyLength::None);
                let rest = fetch.attempt(request, keyed, extent, &prepare, payload, &mut record).await;
                record.log_hooks();
                rest.ok().map(|exchanged| exchanged.answer)
            })
        }
    }

    /// Asks the origin past the cache.
    ///
    /// # Errors
    /// The origin failed.
    pub async fn pass(
        &self,
        reason: BypassReason,
        request: &Received,
        body: Body,
        keyed: &KeyedRequest,
        record: &mut Record,
    ) -> Result<Answer, Fault> {
        let extent = match reason {
            _ if self.behavior.policy.rules.forward_all => Extent::All,
            BypassReason::Policy | BypassReason::Method | BypassReason::Upgrade | BypassReason::Grpc => Extent::All,
            BypassReason::Paused
            | BypassReason::Head
            | BypassReason::Range
            | BypassReason::Precondition
            | BypassReason::MethodOverride
            | BypassReason::Body
            | BypassReason::LockTimeout => Extent::Keyed,
        };
        let length = body_length(&request.headers, &body);
        let claim = self.claim(request, keyed).filter(|_| reason != BypassReason::Grpc);
        let exchanged = self.attempt(request, keyed, extent, &|_| {}, (body, length), record).await;
        if changes_state(&request.method) && exchanged.is_err() {
            // It may have been done all the same, whatever became of the answer.
            self.site.cache.invalidate(&keyed.key);
        }
        let Exchanged { answer, generated } = exchanged?;
        let now = self.site.world.now();
        if changes_state(&request.method) && concerns_state(answer.head.status) {
            let itself = claim.filter(|ticket| {
                invalidate::speaks_of_itself(request, &answer.head.headers) && ticket.states_lifetime(&answer, now)
            });
            match itself.and_then(FetchTicket::supersede) {
                Some(ticket) => {
                    if let Settlement::Answer(settled) = ticket.settle(answer, now) {
                        note_store(record, &settled);
                        return Ok(Answer::settled(*settled, generated));
                    }
                    return Err(OriginError::BadResponse("a 304 to a request without condition".to_owned()).into());
                }
                None => drop(self.site.cache.invalidate(&keyed.key)),
            }
        }
        if reason == BypassReason::Head {
            self.site.cache.described(&ask(&self.behavior, request, keyed), &answer.head, answer.sent_at, now);
        }
        Ok(self.passed(answer, generated, reason))
    }

    /// An answer on its way past the cache.
    fn passed(&self, mut answer: OriginAnswer, generated: bool, reason: BypassReason) -> Answer {
        cache::finish_passed(&mut answer.head.headers, &self.behavior.policy.rules);
        self.behavior.policy.tags.strip(&mut answer.head.headers);
        let length = match answer.delimited {
            Delimited::Length(length) => Some(length),
            _ => None,
        };
        let (head, body) = (answer.head, answer.body);
        Answer { head, body, length, report: reason.report(), generated, stored_for: None }
    }

    /// The ticket for the object, where the first slice is all of it and may be stored as that.
    fn whole_object(&self, slice: &Slice, ticket: &FetchTicket, answer: &mut OriginAnswer) -> Option<Box<FetchTicket>> {
        let head = slice.complete(answer)?;
        let given = std::mem::replace(&mut answer.head, head);
        let whole = ticket.may_store(answer, self.site.world.now()).then(|| ticket.for_whole(slice.object()));
        let whole = whole.flatten().map(Box::new);
        if whole.is_none() {
            answer.head = given;
        }
        whole
    }

    /// Tells those who wait for the slice. An origin that knows no ranges is asked for the whole from now on.
    fn came_whole(&self, slice: &Slice, waiting: FetchTicket, status: StatusCode) {
        if status == StatusCode::OK {
            self.site.cache.fetch_whole(slice.object(), self.site.world.now());
        }
        waiting.release();
    }

    /// What the origin said instead of the slice that it was asked for. After another part the next request asks for the whole; after
    /// a whole that may not be stored the next ones go to the origin as they come.
    fn not_a_slice(&self, slice: &Slice, ticket: FetchTicket, answer: OriginAnswer) -> Answer {
        match answer.head.status {
            StatusCode::PARTIAL_CONTENT => self.site.cache.fetch_whole(slice.object(), self.site.world.now()),
            StatusCode::OK => self.site.cache.pass_by(slice.object(), self.site.world.now()),
            _ => {}
        }
        ticket.release();
        self.passed(answer, false, BypassReason::Range)
    }

    /// The right to store the answer to a POST for later GETs, where the rules grant it.
    fn claim(&self, request: &Received, keyed: &KeyedRequest) -> Option<FetchTicket> {
        let granted = request.method == Method::POST && self.behavior.policy.rules.post_reuse;
        granted.then(|| self.site.cache.claim(&ask(&self.behavior, request, keyed)))
    }

    /// Validates a stale answer that was served already. Nobody waits for it.
    pub fn refresh(self, ticket: Box<FetchTicket>, request: Received, keyed: KeyedRequest, record: &Record) {
        let Ok(permit) = BACKGROUND.try_acquire() else { return };
        let mut record = record.fork();
        let request = Received { interim: None, ..request };
        let world = self.site.world.clone();
        world.spawn(async move {
            let result = self.settle(ticket, &request, &keyed, &mut record).await;
            self.site.metrics.worked(&record);
            record.log_hooks();
            match result {
                // As long as somebody reads, a fill goes on.
                Ok(mut answer) => while let Some(Ok(_)) = answer.body.frame().await {},
                Err(fault) => log_unheard(&self.id, Some(fault)),
            }
            drop(permit);
        });
    }

    /// One exchange, and when it fails in a way that calls for it another with the second origin of the behavior's group.
    async fn attempt(
        &self,
        request: &Received,
        keyed: &KeyedRequest,
        extent: Extent,
        prepare: &(dyn Fn(&mut Outgoing) + Sync),
        payload: (Body, BodyLength),
        record: &mut Record,
    ) -> Result<Exchanged, Fault> {
        let outgoing = |fetch: &Self| {
            let mut outgoing = forward::outgoing(&fetch.site, &fetch.behavior, request, keyed, extent)?;
            prepare(&mut outgoing);
            Ok::<_, Fault>(outgoing)
        };
        // Nothing that could have been done already is asked for twice.
        let again = payload.1 == BodyLength::None && !changes_state(&request.method);
        let Some((failover, second)) = self.second().filter(|_| again) else {
            return self.exchange(request, outgoing(self)?, payload, record).await;
        };
        let nothing = || (body::empty(), BodyLength::None);
        let asked = self.site.world.now().mono.into_std();
        let first = failover.health.first(asked);
        if first == First::Secondary {
            let stood_in = second.exchange(request, outgoing(&second)?, nothing(), record).await;
            if !matches!(stood_in, Err(Fault::Origin(_))) {
                return stood_in;
            }
        }
        let answer = self.exchange(request, outgoing(self)?, payload, record).await;
        if !failover.called_for(&answer) {
            if answer.is_ok() {
                failover.health.answered(asked);
            }
            return answer;
        }
        failover.health.failed(self.site.world.now().mono.into_std());
        if first == First::Secondary {
            return answer;
        }
        second.exchange(request, outgoing(&second)?, nothing(), record).await
    }

    /// The fetch from the second origin of a group; it is not copied once more.
    fn second(&self) -> Option<(&Failover, Self)> {
        let failover = self.behavior.failover.as_ref()?;
        let own = (*self.behavior).clone();
        let behavior = Behavior { origin: failover.origin.clone(), failover: None, shadow: None, ..own };
        Some((failover, Self { behavior: Arc::new(behavior), ..self.clone() }))
    }

    /// origin-request → origin → origin-response.
    async fn exchange(
        &self,
        request: &Received,
        mut outgoing: Outgoing,
        (mut body, mut length): (Body, BodyLength),
        record: &mut Record,
    ) -> Result<Exchanged, Fault> {
        let configured = &self.behavior.origin;
        let mut chosen = None;
        let trace = Trace::of(&request.headers, &self.id).tell(&mut outgoing.headers);
        if let Some(function) = &self.behavior.origin_request {
            let (given, described) = (outgoing.to_message(), &configured.description);
            let (include, viewer) = (self.behavior.origin_request_body, request.viewer);
            let ran = hooks::origin_request(function, include, &self.id, viewer, given, &mut body, described, record);
            match ran.await? {
                Flow::Answer(response) => return Ok(generated(response, self.site.world.now())),
                Flow::Continue(bound) => {
                    outgoing.apply(&bound.request);
                    chosen = bound.origin;
                    if let Some(bytes) = bound.body {
                        length = BodyLength::Known(bytes.len() as u64);
                        outgoing.set_length(bytes.len());
                        body = body::full(bytes);
                    }
                }
            }
        }
        let hook = self.behavior.origin_response.as_ref().map(|function| (function, outgoing.to_message()));
        trace.pass_on(&self.id, &mut outgoing.headers);
        let body = match &self.behavior.shadow {
            Some(shadow) => shadow.mirror(&self.id, &self.site.world, configured, &outgoing, body, length),
            None => body,
        };
        let target = Chosen::resolve(&self.site, configured, chosen, &mut outgoing.headers)?;
        let sent_at = self.site.world.now();
        let response = self.send(&target, outgoing, (body, length), request.interim.clone(), record).await?;
        let (mut head, body, delimited) = (response.head, response.body, response.delimited);
        if changes_state(&request.method) && concerns_state(head.status) {
            // The origin has done it, whatever a function makes of its answer (http-cache.md 3.14).
            invalidate::named_urls(&self.site, request, &head.headers);
            invalidate::groups(&self.site, &self.behavior, request, &head.headers).await;
        }
        let Some((function, sent)) = hook else {
            return Ok(Exchanged { answer: OriginAnswer { head, body, delimited, sent_at }, generated: false });
        };
        let status = head.status;
        let (id, viewer) = (&self.id, request.viewer);
        let replaced = hooks::origin_response(
            function,
            id,
            viewer,
            &sent,
            &target.description,
            &mut head,
            (body, delimited),
            record,
        )
        .await?;
        if status == StatusCode::NOT_MODIFIED && (head.status != status || matches!(replaced, BodyAfterHook::Yes(_))) {
            return Err(invalid_on_304(function));
        }
        let (body, delimited) = match replaced {
            BodyAfterHook::No(body) => (body, delimited),
            BodyAfterHook::Yes(bytes) => (body::full(bytes.clone()), Delimited::Length(bytes.len() as u64)),
        };
        Ok(Exchanged { answer: OriginAnswer { head, body, delimited, sent_at }, generated: false })
    }

    async fn send(
        &self,
        target: &Chosen,
        outgoing: Outgoing,
        (body, body_length): (Body, BodyLength),
        interim: Option<Interim>,
        record: &mut Record,
    ) -> Result<crate::origin::OriginResponse, Fault> {
        let start = self.site.world.instant();
        let mut messages = note_origin_request(record, target, &outgoing);
        let request = OriginRequest {
            path_and_query: outgoing.target(&target.path_prefix),
            method: outgoing.method,
            headers: outgoing.headers,
            body,
            body_length,
            interim,
            again: outgoing.again,
            websocket: outgoing.websocket,
            grpc: outgoing.grpc,
        };
        let mut result = target.origin.send(request).await;
        if let (Some(messages), Some(trace), Ok(response)) = (&mut messages, &record.trace, &mut result) {
            messages.response = Some(record::response(response.head.status.as_u16(), &response.head.headers));
            let (body, sample) = trace.sampled(std::mem::replace(&mut response.body, body::empty()));
            (response.body, messages.body) = (body, sample);
        }
        record.origins.push(OriginRecord {
            origin: target.name.clone(),
            time: self.site.world.since(start),
            status: result.as_ref().ok().map(|response| response.head.status),
            error: result.as_ref().err().map(ToString::to_string),
            messages,
        });
        Ok(result?)
    }
}

impl Failover {
    /// Whether what the first origin gave calls for the second. What a function made is no answer of an origin.
    fn called_for(&self, first: &Result<Exchanged, Fault>) -> bool {
        match first {
            Ok(exchanged) => !exchanged.generated && self.statuses.contains(&exchanged.answer.head.status.as_u16()),
            Err(fault) => matches!(fault, Fault::Origin(_)),
        }
    }
}

/// The origin that a request really goes to.
struct Chosen {
    name: String,
    origin: Origin,
    path_prefix: String,
    description: lambda::Origin,
}

impl Chosen {
    /// The configured origin, or the one that an origin-request function named instead.
    fn resolve(
        site: &Site,
        configured: &SiteOrigin,
        chosen: Option<lambda::Origin>,
        headers: &mut HeaderMap,
    ) -> Result<Self, Fault> {
        let Some(chosen) = chosen else {
            for (name, value) in &configured.headers {
                headers.insert(name, value.clone());
            }
            return Ok(Self {
                name: configured.name.clone(),
                origin: configured.origin.clone(),
                path_prefix: configured.path_prefix.clone(),
                description: configured.description.clone(),
            });
        };
        for header in &chosen.custom_headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(header.name.as_str()), HeaderValue::from_bytes(&header.value))
            {
                headers.insert(name, value);
            }
        }
        let given = &configured.description;
        let place = |origin: &lambda::Origin| (origin.domain_name.clone(), origin.port, origin.https);
        let moved = place(&chosen) != place(given) || chosen.s3.is_some() != given.s3.is_some();
        let read = Duration::from_secs(chosen.read_timeout);
        let keepalive = Duration::from_secs(chosen.keepalive_timeout);
        let (name, origin, path_prefix) = if !moved
            && (chosen.read_timeout, chosen.keepalive_timeout) == (given.read_timeout, given.keepalive_timeout)
        {
            (configured.name.clone(), configured.origin.clone(), chosen.path.clone())
        } else if !moved {
            let origin = configured.origin.with_timeouts(read, keepalive);
            (configured.name.clone(), origin, chosen.path.clone())
        } else if let (Some(endpoint), Some(_)) = (&site.s3, &chosen.s3) {
            let prefix = format!("/{}{}", chosen.bucket(), chosen.path);
            (chosen.domain_name.clone(), endpoint.with_timeouts(read, keepalive), prefix)
        } else {
            let settings = OriginSettings {
                connection_timeout: configured.connection_timeout,
                connection_attempts: configured.connection_attempts,
                read_timeout: read,
                keepalive_timeout: keepalive,
                max_connections: configured.max_connections,
                ..OriginSettings::new(Target::Url {
                    https: chosen.https,
                    host: chosen.domain_name.clone(),
                    port: chosen.port,
                    path_prefix: String::new(),
                })
            };
            let name = format!("{}:{}", chosen.domain_name, chosen.port);
            (name, site.dynamic_origins.origin(&settings)?, chosen.path.clone())
        };
        Ok(Self { name, origin, path_prefix, description: chosen })
    }
}

/// An answer that an origin-request function made counts as the origin's.
fn generated(response: http::Response<Body>, sent_at: Now) -> Exchanged {
    let (head, body) = response.into_parts();
    let delimited = body::announced_length(&head.headers).map_or(Delimited::None, Delimited::Length);
    Exchanged { answer: OriginAnswer { head, body, delimited, sent_at }, generated: true }
}

/// What a traced exchange sends.
fn note_origin_request(record: &Record, target: &Chosen, outgoing: &Outgoing) -> Option<Box<OriginMessages>> {
    record.trace.is_some().then(|| {
        let mut request = outgoing.to_message();
        request.uri = format!("{}{}", target.path_prefix, request.uri);
        Box::new(OriginMessages { request, response: None, body: None })
    })
}

/// What became of an answer in the cache.
fn note_store(record: &mut Record, settled: &Settled) {
    if let Some(trace) = &mut record.trace {
        trace.store = Some(settled.result);
    }
}

/// Whether an answer to an unsafe method says that something was changed.
fn concerns_state(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}

/// Tells the log of a fetch whose viewer was answered already.
fn log_unheard(id: &str, fault: Option<Fault>) {
    if let Some(fault) = fault {
        tracing::warn!(request = id, "background revalidation failed: {}", shown(&fault.detail()));
    }
}

/// A 304 confirms what is stored; there is nothing whose status or body could be changed (design.md 8).
fn invalid_on_304(function: &Function) -> Fault {
    let detail = "a 304 to a validation can be given headers, but no other status and no body";
    function.fault(HookPoint::OriginResponse, Class::Validation, detail.to_owned())
}

fn body_length(headers: &HeaderMap, body: &Body) -> BodyLength {
    use http_body::Body as _;
    match body::announced_length(headers) {
        Some(length) => BodyLength::Known(length),
        None if body.is_end_stream() => BodyLength::None,
        None => BodyLength::Unknown,
    }
}
