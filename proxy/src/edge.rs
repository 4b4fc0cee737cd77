//! The edge as listeners see it: one request in, one response out, whatever happens in between.

use crate::{
    access_log::{AccessLogs, Logged, Note},
    at_hand,
    body::{self, Body},
    cache, debug,
    deliver::{self, Marks},
    edge_fields::{self, Arrival},
    error_pages,
    experiment::Exposure,
    fault::{Fault, Refusal},
    gate, grpc, hooks,
    lifecycle::{self, Delivery},
    listener::{Answer, Connection, Handler, Plain},
    record::{self, Counters, InFull, Listener, Outcome, Record, Records, Trace},
    site::{Behavior, Site},
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The edge: the configuration that serves now, and what is counted across configurations.
pub struct Edge {
    site: ArcSwap<Site>,
    /// What was answered since start.
    pub counters: Counters,
    /// What became of configurations.
    pub loads: Loads,
    /// The last requests, as far as they leave a record.
    pub records: Records,
    /// Where a line about every request goes.
    pub access_log: AccessLogs,
    listener: Option<Listener>,
}

impl Edge {
    /// An edge that serves `site` and tells `listener` of every answer.
    #[must_use]
    pub fn new(site: Arc<Site>, listener: Option<Listener>) -> Self {
        Self {
            site: ArcSwap::new(site),
            counters: Counters::default(),
            loads: Loads::default(),
            records: Records::default(),
            access_log: AccessLogs::default(),
            listener,
        }
    }

    /// The configuration that serves now.
    #[must_use]
    pub fn site(&self) -> Arc<Site> {
        self.site.load_full()
    }

    /// Serves `site` from now on. Requests under way end under the one that they began with.
    pub fn swap(&self, site: Arc<Site>) {
        // Records that are still to be made would keep the old one.
        self.records.settle();
        self.site.store(site);
        self.current().cache.forget_failures();
        self.loads.applied();
    }

    /// The same for a moment.
    pub(crate) fn current(&self) -> arc_swap::Guard<Arc<Site>> {
        self.site.load()
    }

    /// Whether somebody is told of every single request.
    pub(crate) fn watches_everything(&self) -> bool {
        self.listener.is_some()
            || self.access_log.is_open()
            || self.records.is_followed()
            || tracing::enabled!(tracing::Level::DEBUG)
    }

    /// Counts a hit that nothing else is told of.
    pub(crate) fn count_hit(&self, site: &Site, behavior: &Behavior, status: StatusCode, time: Duration) {
        let outcome = Outcome::Cache(cache::Outcome::Hit);
        site.metrics.counted(behavior.path.as_str(), outcome, status, time);
        self.counters.count_at_hand(outcome);
    }

    /// Answers one request. What needs no waiting is done at once, and what is handed on is boxed: the future holds for all of its time
    /// whatever passes through it.
    pub fn serve(self: &Arc<Self>, connection: &Arc<Connection>, mut request: Request<Body>) -> Answer {
        let site = self.site();
        let debugged = site.debug.as_ref().is_some_and(|debug| debug.take(request.headers_mut()));
        let mut record = begin(connection, &request, &site);
        if debugged && record.trace.is_none() {
            record.trace = Some(Box::new(Trace { bodies: site.tracing.bodies, ..Trace::default() }));
        }
        if let Some(trace) = &mut record.trace {
            trace.meeting = request.extensions_mut().remove();
        }
        let logged = self.access_log.note(|| Note::of(connection, &request, &record.id, &site)).map(Box::new);
        let version = request.version();
        let mut pending = Pending { record, edge: self.clone(), site, version, debugged, logged, answered: false };
        let entered = pending.receive(connection, request);
        Box::pin(async move { pending.answer(entered).await })
    }
}

/// A request behind the gate.
enum Entered {
    /// It is about this server.
    AboutTheServer,
    /// PURGE, with the body that it must not have.
    Purge(Box<gate::Received>, Body),
    /// It is about something behind it.
    Received(Box<gate::Received>, Body),
    /// It was not let in.
    Refused(Fault),
}

/// What became of the configurations that were to be served.
#[derive(Debug)]
pub struct Loads(Mutex<Loaded>);

/// The same at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// When the one that serves was loaded, in seconds since 1970.
    pub applied: u64,
    /// Whether the last one was applied.
    pub last_worked: bool,
    /// How many were not.
    pub refused: u64,
}

impl Default for Loads {
    fn default() -> Self {
        Self(Mutex::new(Loaded { applied: seconds_since_1970(), last_worked: true, refused: 0 }))
    }
}

impl Loads {
    /// What is known now.
    #[must_use]
    pub fn read(&self) -> Loaded {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a configuration that changed nothing because something was wrong with it.
    pub fn refused(&self) {
        let mut loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *loads = Loaded { last_worked: false, refused: loads.refused + 1, ..*loads };
    }

    fn applied(&self) {
        let mut loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *loads = Loaded { last_worked: true, applied: seconds_since_1970(), ..*loads };
    }
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Leaves the request in its trace, if it has one.
pub(crate) fn note_request(request: &gate::Received, body: Body, record: &mut Record) -> Body {
    let Some(trace) = &mut record.trace else { return body };
    trace.request = Some(hooks::request_message(request));
    if http_body::Body::is_end_stream(&body) {
        return body;
    }
    let (body, sample) = trace.sampled(body);
    trace.request_body = sample;
    body
}

/// The same for the answer.
fn note_response(response: Response<Body>, record: &mut Record) -> Response<Body> {
    let Some(trace) = &mut record.trace else { return response };
    trace.response = Some(record::response(response.status().as_u16(), response.headers()));
    let (head, body) = response.into_parts();
    let (body, sample) = trace.sampled(body);
    trace.response_body = sample;
    Response::from_parts(head, body)
}

/// A request that has not been answered. One that never is, because its viewer has left, is counted and logged all the same.
struct Pending {
    record: Record,
    edge: Arc<Edge>,
    site: Arc<Site>,
    version: Version,
    /// It came with the debug header.
    debugged: bool,
    logged: Option<Box<Logged>>,
    answered: bool,
}

impl Pending {
    /// Shows the request to the gate.
    fn receive(&mut self, connection: &Arc<Connection>, request: Request<Body>) -> Entered {
        if request.method() == Method::OPTIONS && request.uri().path() == "*" {
            return Entered::AboutTheServer;
        }
        match gate::receive(connection, request) {
            Ok((request, body)) if self.site.public_purge.as_ref().is_some_and(|purge| purge.concerns(&request)) => {
                Entered::Purge(request, body)
            }
            Ok((mut request, body)) => {
                edge_fields::strip(&self.site.header_prefix, &mut request.headers);
                let body = note_request(&request, body, &mut self.record);
                Entered::Received(request, body)
            }
            Err(fault) => Entered::Refused(fault),
        }
    }

    async fn answer(&mut self, entered: Entered) -> Response<Body> {
        let Self { record, site, .. } = self;
        let mut unread = None;
        let result = match entered {
            Entered::AboutTheServer => Ok(Delivery::OfTheServer(about_the_server())),
            Entered::Refused(fault) => Err(fault),
            Entered::Purge(request, body) => {
                unread = Some(body);
                Box::pin(purged(site, &request)).await
            }
            Entered::Received(request, body) => {
                let asked = site.error_pages.remember(&request);
                let result = lifecycle::run(site, request, unread.insert(body), record).await;
                // A page would be no message of a call.
                match asked.filter(|_| !record.grpc && site.error_pages.have_one_for(&result)) {
                    Some(asked) => Box::pin(error_pages::replace(site, asked, result, record)).await,
                    None => result,
                }
            }
        };
        self.finish(result, unread)
    }

    /// The response as the viewer gets it.
    fn finish(&mut self, result: Result<Delivery, Fault>, unread: Option<Body>) -> Response<Body> {
        let Self { record, site, .. } = self;
        let delivered = delivered(result, site, record);
        let marks = Marks {
            site,
            id: &record.id,
            x_cache: delivered.x_cache,
            report: record.cache.as_ref(),
            length: delivered.length,
        };
        let mut response = deliver::finish(delivered.response, &record.method, self.version, marks);
        for cookie in record.experiments.iter().filter_map(Exposure::set_cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie.clone());
        }
        if self.debugged || site.dev {
            debug::write(response.headers_mut(), record, site);
        }
        record.status = response.status();
        response = note_response(response, record);
        if let Some(logged) = self.logged.take() {
            response = logged.answered(record, site, response);
        }
        if let Some(unread) = unread {
            drain(unread);
        }
        self.answered = true;
        response
    }
}

/// The status in the log for a viewer who left first; never sent.
const VIEWER_LEFT: u16 = 499;

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.answered {
            // Who left has seen no variant.
            self.record.experiments.clear();
            self.record.failure = Some("the viewer left before there was an answer".to_owned());
            self.record.status = StatusCode::from_u16(VIEWER_LEFT).unwrap_or(StatusCode::BAD_REQUEST);
            if let Some(logged) = self.logged.take() {
                logged.abandoned(&self.record, &self.site);
            }
        }
        self.record.time = self.record.elapsed();
        self.site.metrics.answered(&self.record);
        self.record.emit(&self.edge.counters, self.edge.listener.as_ref());
        self.edge.records.take(&self.record, &self.site.tracing);
    }
}

/// Most of an unread request body that is read and thrown away so that the answer in front of it arrives, and for how long.
const DRAIN_LIMIT: usize = 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Reads what is left of a request body that nobody wanted. Closing a connection with unread bytes would reset it, and the
/// viewer might never see the answer.
fn drain(mut unread: Body) {
    if http_body::Body::is_end_stream(&unread) {
        return;
    }
    tokio::spawn(async move {
        let reading = async {
            let mut total = 0;
            while let Some(Ok(frame)) = unread.frame().await {
                total += frame.data_ref().map_or(0, Bytes::len);
                if total > DRAIN_LIMIT {
                    break;
                }
            }
        };
        // Either way there is nothing more to be done for this viewer.
        let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
    });
}

/// A response before its last touches.
pub(crate) struct Delivered {
    pub(crate) response: Response<Body>,
    /// First word of `X-Cache`; none for what is no matter of the site.
    x_cache: Option<&'static str>,
    length: Option<u64>,
}

/// The one place where faults become responses.
pub(crate) fn delivered(result: Result<Delivery, Fault>, site: &Site, record: &mut Record) -> Delivered {
    match result {
        Ok(Delivery::Answered(answer)) => {
            record.outcome = Outcome::Cache(answer.report.outcome);
            record.cache = Some(answer.report);
            record.stored_for = answer.stored_for;
            record.location = location(&answer.head.headers, site);
            let x_cache = if answer.generated { "LambdaGeneratedResponse" } else { answer.report.outcome.x_cache() };
            record.result = x_cache;
            let response = Response::from_parts(answer.head, answer.body);
            Delivered { response, x_cache: Some(x_cache), length: answer.length }
        }
        Ok(Delivery::ErrorPage(answer, fault)) => {
            record.outcome = Outcome::Error;
            record.cache = Some(answer.report);
            if let Some(fault) = &fault {
                (record.result, record.detailed) = (fault.result_type(), Some(fault.detailed_type()));
            }
            let response = Response::from_parts(answer.head, answer.body);
            let x_cache = fault.map_or("Error", |fault| fault.x_cache());
            Delivered { response, x_cache: Some(x_cache), length: answer.length }
        }
        Ok(Delivery::Generated(response, maker)) => {
            record.outcome = Outcome::Generated;
            record.result = maker.x_cache();
            record.location = location(response.headers(), site);
            Delivered { response, x_cache: Some(maker.x_cache()), length: None }
        }
        Ok(Delivery::Redirected(response)) => {
            record.outcome = Outcome::Generated;
            record.result = "Redirect";
            record.location = location(response.headers(), site);
            Delivered { response, x_cache: Some("Redirect"), length: None }
        }
        Ok(Delivery::OfTheServer(response)) => {
            (record.outcome, record.result) = (Outcome::Generated, "Miss");
            Delivered { response, x_cache: None, length: None }
        }
        Err(fault) => {
            // Who was not let in got what the behavior has for them (experience.md 1.4).
            record.outcome = if matches!(fault, Fault::Denied(_)) { Outcome::Generated } else { Outcome::Error };
            record.failure = Some(fault.detail());
            if let Fault::Denied(denial) = &fault {
                record.denial = Some(denial.reason.clone());
            }
            (record.result, record.detailed) = (fault.result_type(), Some(fault.detailed_type()));
            let response = match record.grpc {
                true => grpc::failed(fault.status(), fault.sentence()),
                false => fault.to_response(&site.vendor, &record.id),
            };
            Delivered { response, x_cache: Some(fault.x_cache()), length: None }
        }
    }
}

/// For the log, so without credentials.
fn location(headers: &http::HeaderMap, site: &Site) -> Option<String> {
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok())?;
    Some(site.guard.secrets.redact(location).into_owned())
}

/// PURGE, where it is enabled, is answered by the edge whoever asks: no origin ever sees the secret.
async fn purged(site: &Site, request: &gate::Received) -> Result<Delivery, Fault> {
    let Some(purge) = &site.public_purge else { return Err(Refusal::MethodUnknown.into()) };
    purge.answer(site, request).await.map(Delivery::OfTheServer)
}

/// `OPTIONS *` is about the server, not about anything behind it (security.md S21).
fn about_the_server() -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let methods = HeaderValue::from_static("GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE");
    response.headers_mut().insert(header::ALLOW, methods);
    response
}

/// The record of a request that has just come.
pub(crate) fn begin(connection: &Arc<Connection>, request: &Request<Body>, site: &Site) -> Record {
    let id = connection.take_id().unwrap_or_else(|| site.world.request_id());
    begin_as(id, connection, request, site)
}

/// The same under this id.
pub(crate) fn begin_as(id: String, connection: &Arc<Connection>, request: &Request<Body>, site: &Site) -> Record {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(http::uri::Authority::as_str).or(host).unwrap_or_default();
    let target = request.uri().path_and_query().map_or("*", http::uri::PathAndQuery::as_str);
    Record {
        trace: match request.extensions().get::<InFull>() {
            None => site.tracing.begin(&id),
            Some(InFull) => Some(site.tracing.in_full()),
        },
        id,
        purpose: record::Purpose::Serve,
        start: site.world.instant(),
        at: site.world.now().wall,
        world: site.world.clone(),
        viewer: connection.peer.ip().to_canonical(),
        arrival: Arrival::of(connection, request, site.keeps_header_order),
        method: request.method().clone(),
        host: host.escape_default().take(256).collect(),
        target: site.guard.secrets.redact(target).escape_default().take(2048).collect(),
        behavior: None,
        behavior_index: None,
        denial: None,
        experiments: Vec::new(),
        grpc: false,
        hooks: Vec::new(),
        origins: Vec::new(),
        cache: None::<cache::Report>,
        outcome: Outcome::Error,
        status: StatusCode::INTERNAL_SERVER_ERROR,
        stored_for: None,
        location: None,
        failure: None,
        error_page: None,
        result: "Error",
        detailed: None,
        time: Duration::ZERO,
    }
}

/// The edge behind a listener.
#[derive(Clone)]
pub struct EdgeHandler(pub Arc<Edge>);

impl Handler for EdgeHandler {
    fn handle(&self, connection: Arc<Connection>, request: Request<Body>) -> Answer {
        self.0.serve(&connection, request)
    }

    fn at_hand(&self, connection: &Arc<Connection>, request: &Plain<'_>) -> Option<(Vec<u8>, Bytes)> {
        at_hand::answer(&self.0, connection, request)
    }
}
