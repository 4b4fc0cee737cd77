//! The life of a request.
//!
//! ```text
//! receive → route → authorize → experiments → viewer-request → cache key → lookup ─ hit, stale ──────────────┐
//!                                                                            ├─ miss (ticket) → fetch → settle ─┤→ viewer-response → deliver
//!                                                                            └─ bypass → fetch ────────────────┘
//!                                     fetch = origin-request → origin → origin-response
//! ```
//!
//! Steps that a hit does not take are boxed: a future is as large as its largest branch, and ten thousand requests that wait for one
//! answer hold ten thousand of them.
//!
//! [`run`] is the whole of it, top to bottom; each step lives in its own module and special cases are variants handled there.
//! `Edge::serve` stands around it: request id, record, and the one place where faults become responses.

use crate::{
    access::{self, Access},
    auth,
    body::{self, Body},
    cache::{BypassReason, KeyedRequest, Lookup},
    directed,
    edge_fields::{self, Moment},
    experiment::{self, Taken},
    fault::{Fault, Refusal},
    fetch::{Answer, Fetch, ask},
    gate::Received,
    grpc,
    hooks::{self, Flow, Function},
    invalidate::key,
    record::{Purpose, Record, Seat, TracedKey},
    server_timing,
    site::{Behavior, Site},
    slices,
};
use edgehook_contract::{Family, viewer::OriginChoice};
use http::{HeaderMap, Response};
use std::sync::Arc;

/// A response, and what it says about where it came from.
#[derive(Debug)]
pub enum Delivery {
    /// From cache or origin.
    Answered(Answer),
    /// Made by a viewer-request function.
    Generated(Response<Body>, hooks::Maker),
    /// A page in place of an error; of which function's, if it was one's.
    ErrorPage(Answer, Option<Box<Fault>>),
    /// A redirect to https.
    Redirected(Response<Body>),
    /// About this server itself, and not about anything behind it.
    OfTheServer(Response<Body>),
}

/// Takes a request that the gate let in to its response. The body is taken only by a fetch past the cache; whatever answers
/// before that leaves it unread.
///
/// # Errors
/// The request has no ordinary response; [`Fault`] says who is to blame.
pub async fn run(
    site: &Arc<Site>,
    request: Box<Received>,
    body: &mut Body,
    record: &mut Record,
) -> Result<Delivery, Fault> {
    let mut question = match question(site, request, body, record).await? {
        Asked::Answered(delivery) => return Ok(*delivery),
        Asked::Cache(question) => question,
    };
    let mut answer = answer(site, &question, body, record).await?;
    if answer.head.status.is_informational() {
        return Ok(Delivery::Answered(answer)); // the head of a tunnel: what follows is no response
    }
    if let Some(asked) = question.asked.take() {
        question.request.headers = asked; // functions see what the viewer sent
    }
    apply_policy(site, &question, &mut answer, record);
    // Not where the stored status is an error (design.md 8).
    if question.behavior.viewer_response.is_some() && answer.head.status.as_u16() < 400 {
        answer = Box::pin(viewer_response(question, answer, record)).await?;
    }
    Ok(Delivery::Answered(answer))
}

/// How a request stands when it comes to the cache.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It was answered before.
    Answered(Box<Delivery>),
    /// It has a question for the cache.
    Cache(Box<Question>),
}

/// A request that is about to be looked up.
#[derive(Debug)]
pub(crate) struct Question {
    /// Its behavior, as experiments and functions left it.
    pub(crate) behavior: Arc<Behavior>,
    /// The request, normalised.
    pub(crate) request: Box<Received>,
    /// Its fields before they were, where somebody wants them.
    pub(crate) asked: Option<HeaderMap>,
    /// Parts of the key that the edge chose.
    pub(crate) buckets: Vec<(String, String)>,
}

/// The way of a request up to the cache: route, authorize, experiments, viewer-request. `explain` takes the same way.
///
/// # Errors
/// The request is refused, or a function failed.
pub(crate) async fn question(
    site: &Arc<Site>,
    mut request: Box<Received>,
    body: &mut Body,
    record: &mut Record,
) -> Result<Asked, Fault> {
    let behavior = site.behavior(&request)?;
    (record.behavior, record.behavior_index) = (Some(behavior.path.as_str().to_owned()), Some(behavior.written.index));
    if let Some(call) = request.grpc.as_ref().filter(|_| behavior.grpc) {
        call.begin();
        record.grpc = true;
    }
    if let Access::Redirect(response) = access::authorize(site, &behavior, &request)? {
        return Ok(Asked::Answered(Box::new(Delivery::Redirected(response))));
    }
    let now = record.world.seconds();
    let identity = auth::admit(&site.guard, &behavior.admission, &mut request, now, record.purpose).await;
    let identity = identity.map_err(Fault::Denied)?;
    if let Some(trace) = &mut record.trace {
        trace.admitted = behavior.admission.names();
    }
    let Taken { mut behavior, buckets } = experiment::apply(site, behavior, &mut request, &identity, record)?;
    substitute_root(site, &mut request);
    if request.has_body {
        access::drop_body(&mut request, body);
    }
    edge_fields::add(site, &behavior, Moment::BeforeFunction, &record.arrival, &mut request);

    let runs = |function: &Arc<Function>| record.purpose != Purpose::ExplainLive || function.family() == Family::Viewer;
    if let Some(function) = behavior.viewer_request.clone().filter(runs) {
        let (include, id) = (behavior.viewer_request_body, record.id.clone());
        let judge = |choice: &OriginChoice| directed::check(site, choice);
        match Box::pin(hooks::viewer_request(&function, include, &id, request, body, &judge, record)).await? {
            Flow::Answer(response) => {
                return Ok(Asked::Answered(Box::new(Delivery::Generated(response, hooks::Maker::of(&function)))));
            }
            Flow::Continue(bound) => {
                request = bound.request;
                if let Some(choice) = bound.origin {
                    behavior = Arc::new(directed::apply(site, &behavior, &choice)?);
                }
            }
        }
    }

    edge_fields::add(site, &behavior, Moment::AfterFunction, &record.arrival, &mut request);

    let asked = (behavior.viewer_response.is_some() || record.trace.is_some()).then(|| request.headers.clone());
    behavior.policy.normalise.fields(&mut request.headers);
    Ok(Asked::Cache(Box::new(Question { behavior, request, asked, buckets })))
}

/// The answer for a custom error page: by the behavior of its path and through the cache, without functions at the viewer hooks.
/// Where the page is there because the function `without` failed, that is not run at the origin hooks either; what comes is then kept
/// apart from what it would have seen.
///
/// # Errors
/// The page cannot be had.
pub(crate) async fn page(
    site: &Arc<Site>,
    mut request: Box<Received>,
    without: Option<&str>,
    record: &mut Record,
) -> Result<Answer, Fault> {
    let mut behavior = site.behavior(&request)?;
    let mut buckets = Vec::new();
    if let Some(name) = without
        && let Some(other) = behavior.without_origin_function(name)
    {
        behavior = Arc::new(other);
        buckets.push((format!("function.{name}"), "left out".to_owned()));
    }
    for moment in [Moment::BeforeFunction, Moment::AfterFunction] {
        edge_fields::add(site, &behavior, moment, &record.arrival, &mut request);
    }
    behavior.policy.normalise.fields(&mut request.headers);
    let question = Question { behavior, request, asked: None, buckets };
    answer(site, &question, &mut body::empty(), record).await
}

/// From the cache, or from the origin by way of it or past it.
async fn answer(site: &Arc<Site>, question: &Question, body: &mut Body, record: &mut Record) -> Result<Answer, Fault> {
    let Question { behavior, request, asked, buckets } = question;
    let keyed = key(&site.cache, behavior, request, buckets);
    let seat = note_key(record, (request, asked.as_ref()), behavior, &keyed, buckets);
    let fetch = Fetch { site: site.clone(), behavior: behavior.clone(), id: record.id.clone(), slice: None };
    let found = if request.has_body {
        drop(seat);
        Lookup::Bypass(BypassReason::Body)
    } else if request.websocket && behavior.websocket {
        drop(seat);
        Lookup::Bypass(BypassReason::Upgrade)
    } else if grpc::is_call(behavior, request) {
        drop(seat);
        Lookup::Bypass(BypassReason::Grpc)
    } else {
        let ask = ask(behavior, request, &keyed);
        let lookup = site.cache.lookup(&ask, site.world.now());
        match seat {
            None => lookup.await,
            Some(seat) => Box::pin(seat.kept_until_polled(lookup)).await,
        }
    };
    if let Some(trace) = &mut record.trace {
        trace.lookup = reason(&found);
    }
    Ok(match found {
        Lookup::Hit(mut served) => {
            if let Some(ticket) = served.refresh.take() {
                fetch.clone().refresh(ticket, Received::clone(request), keyed.clone(), record);
            }
            fetch.served(*served, request, &keyed, record)
        }
        Lookup::Miss(ticket) => Box::pin(fetch.fill(ticket, request, &keyed, record)).await?,
        Lookup::Bypass(BypassReason::Range)
            if let Some(answer) = Box::pin(slices::serve(&fetch, request, &keyed, record)).await? =>
        {
            answer
        }
        Lookup::Bypass(reason) => {
            let body = std::mem::replace(body, body::empty());
            Box::pin(fetch.pass(reason, request, body, &keyed, record)).await?
        }
        Lookup::Failed(cause) => return Err(Fault::shared(&cause)),
        Lookup::NotCached => return Err(Refusal::NotCached.into()),
    })
}

/// Leaves the key in the trace of a request that has one.
pub(crate) fn note_key(
    record: &mut Record,
    (request, asked): (&Received, Option<&HeaderMap>),
    behavior: &Arc<Behavior>,
    keyed: &KeyedRequest,
    buckets: &[(String, String)],
) -> Option<Seat> {
    let trace = record.trace.as_mut()?;
    trace.key = Some(TracedKey {
        behavior: behavior.clone(),
        request: request.clone(),
        asked: asked.unwrap_or(&request.headers).clone(),
        keyed: keyed.clone(),
        buckets: buckets.to_vec(),
    });
    trace.meeting.take()
}

/// Why the origin has to be asked, where that says more than the report.
fn reason(found: &Lookup) -> Option<&'static str> {
    match found {
        Lookup::Bypass(reason) => Some(reason.as_str()),
        Lookup::Failed(_) => Some("fetch-failed"),
        Lookup::NotCached => Some("only-if-cached"),
        Lookup::Hit(_) | Lookup::Miss(_) => None,
    }
}

/// `/` becomes the configured file, before any function sees it (cloudfront-functions.md 1.2).
pub(crate) fn substitute_root(site: &Site, request: &mut Received) {
    if let Some(object) = site.default_root_object.as_deref().filter(|_| request.path == "/") {
        request.path = format!("/{object}");
    }
}

/// Applies the response headers policy.
fn apply_policy(site: &Site, Question { behavior, request, .. }: &Question, answer: &mut Answer, record: &Record) {
    let Some(policy) = &behavior.response_headers else { return };
    policy.apply(&request.method, &request.headers, &mut answer.head.headers);
    if server_timing::takes(policy.server_timing, &record.id)
        && let Some(timing) = server_timing::value(record, &answer.report, site.pop.as_ref())
    {
        answer.head.headers.append(server_timing::SERVER_TIMING, timing);
    }
}

/// Runs viewer-response.
async fn viewer_response(question: Box<Question>, answer: Answer, record: &mut Record) -> Result<Answer, Fault> {
    let Question { behavior, request, .. } = &*question;
    let Some(function) = &behavior.viewer_response else { return Ok(answer) };
    let Answer { head, body, length, report, generated, stored_for } = answer;
    let message = hooks::request_message(request);
    let response = Response::from_parts(head, body);
    let (id, viewer) = (record.id.clone(), (request.viewer, request.version));
    let response = hooks::viewer_response(function, &id, viewer, &message, response, record).await?;
    let length = hooks::length_after(&response, length);
    let (head, body) = response.into_parts();
    Ok(Answer { head, body, length, report, generated, stored_for })
}
