//! What the origins of a test answer: a list per origin, of which the last answer is repeated, and what they were asked.

use crate::{
    body::{self, Delimited},
    origin::{OriginError, OriginRequest, OriginResponse, Played, Stage, Waits},
    record::Meeting,
    world::World,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// Before the answer. Longer than the origin's `read_timeout`: a time-out after that.
    pub(crate) delay: Duration,
    pub(crate) fail: Option<Failing>,
}

impl Default for Line {
    fn default() -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Bytes::new(), delay: Duration::ZERO, fail: None }
    }
}

/// How an origin fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    /// Nobody listens.
    Connect,
    /// It does not answer.
    Timeout,
    /// It closes the connection.
    Reset,
}

/// What one origin was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) origin: String,
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The origins of one test.
#[derive(Debug, Default)]
pub(crate) struct Script {
    origins: Mutex<BTreeMap<String, (Vec<Line>, usize)>>,
    asked: Mutex<Vec<Asked>>,
    undeclared: Mutex<Vec<String>>,
    meeting: Mutex<Option<Arc<Meeting>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script {
    /// These origins, each with its answers in order.
    pub(crate) fn new(origins: &BTreeMap<String, Vec<Line>>) -> Arc<Self> {
        let origins = origins.iter().map(|(name, lines)| (name.clone(), (lines.clone(), 0))).collect();
        Arc::new(Self { origins: Mutex::new(origins), ..Self::default() })
    }

    /// Lets no origin answer before all who meet have asked the cache.
    pub(crate) fn meet(&self, meeting: Option<Arc<Meeting>>) {
        *lock(&self.meeting) = meeting;
    }

    /// What was asked since this was called last.
    pub(crate) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *lock(&self.asked))
    }

    /// Origins that were asked although no test declares them, since this was called last.
    pub(crate) fn take_undeclared(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.undeclared))
    }

    fn next(&self, origin: &str) -> Option<Line> {
        let mut origins = lock(&self.origins);
        let (lines, next) = origins.get_mut(origin)?;
        let line = lines.get(*next).or(lines.last()).cloned();
        *next += 1;
        line
    }
}

/// The handle that origins have.
#[derive(Clone, Debug)]
pub(crate) struct Player {
    pub(crate) script: Arc<Script>,
    /// In which delays pass.
    pub(crate) world: World,
}

impl Stage for Player {
    fn answer(&self, origin: &str, waits: Waits, request: OriginRequest) -> Played {
        let (script, world, origin) = (self.script.clone(), self.world.clone(), origin.to_owned());
        Box::pin(async move {
            let OriginRequest { method, path_and_query, headers, body, .. } = request;
            let head = method == http::Method::HEAD;
            let body = body.collect().await.map_err(OriginError::ViewerBody)?.to_bytes();
            let asked =
                Asked { origin: origin.clone(), method: method.to_string(), target: path_and_query, headers, body };
            let conditional = asked.headers.get(header::IF_NONE_MATCH).cloned();
            lock(&script.asked).push(asked);
            let meeting = lock(&script.meeting).clone();
            if let Some(meeting) = meeting {
                meeting.complete().await;
            }
            let Some(line) = script.next(&origin) else {
                lock(&script.undeclared).push(origin.clone());
                return Err(OriginError::Connect(format!("the test declares no origin.{origin}")));
            };
            wait(&line, waits, &world).await?;
            Ok(play(line, head, conditional.as_ref()))
        })
    }
}

/// What passes before an answer; a failure comes then, or when the origin's time is over.
async fn wait(line: &Line, waits: Waits, world: &World) -> Result<(), OriginError> {
    if line.delay > waits.read || line.fail == Some(Failing::Timeout) {
        world.sleep(waits.read).await;
        return Err(OriginError::ReadTimeout);
    }
    if !line.delay.is_zero() {
        world.sleep(line.delay).await;
    }
    match line.fail {
        None | Some(Failing::Timeout) => Ok(()),
        Some(Failing::Connect) => Err(OriginError::Connect("refused by the test".to_owned())),
        Some(Failing::Reset) => Err(OriginError::Closed),
    }
}

fn play(line: Line, head: bool, conditional: Option<&HeaderValue>) -> OriginResponse {
    let mut response = Response::new(());
    *response.status_mut() = line.status;
    for (name, value) in line.headers {
        response.headers_mut().append(name, value);
    }
    // An origin that knows its own entity-tag again says so, as servers do.
    let etag = response.headers().get(header::ETAG);
    let unchanged = line.status == StatusCode::OK && etag.is_some() && etag == conditional;
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let (mut head_part, ()) = response.into_parts();
    let bodiless = head || unchanged || matches!(line.status.as_u16(), 204 | 304);
    if !unchanged && !matches!(line.status.as_u16(), 204 | 304) {
        head_part.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(line.body.len()));
    }
    let (body, delimited) = if bodiless {
        (body::empty(), Delimited::None)
    } else {
        let length = line.body.len() as u64;
        (body::full(line.body), Delimited::Length(length))
    };
    OriginResponse { head: head_part, body, delimited }
}
