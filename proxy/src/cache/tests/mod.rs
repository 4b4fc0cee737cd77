//! Tests of the whole cache: a scripted viewer and a scripted origin around it, with time as an argument.

mod collapse;
mod footprint;
mod invalidation;
pub(super) mod model;
mod negotiation;
mod purging;
mod ranges;
mod requests;
mod streaming;
mod validation;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::{
    sync::mpsc,
    time::{Duration as Wait, Instant, timeout},
};

use super::*;
use crate::body::{self, Body, BodyError};

pub(super) const MIB: u64 = 1 << 20;

/// Bytes that tests store at most per object.
pub(super) const MAX_OBJECT: u64 = 4 * MIB;

/// Fields of a message, in this order.
pub(crate) fn fields(list: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    list.iter().map(pair).collect()
}

/// A policy that caches what the origin declares.
pub(super) fn policy() -> CachePolicy {
    let day = Duration::from_secs(86_400);
    CachePolicy {
        ttl: Ttl { min: Duration::ZERO, default: Duration::ZERO, max: day * 365 },
        query: Selection::All,
        headers: Selection::None,
        cookies: Selection::None,
        normalise: Arc::default(),
        rules: Arc::default(),
        tags: TagRules::default(),
    }
}

/// A viewer's request.
pub(super) struct Viewer {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) keyed: KeyedRequest,
    pub(super) policy: CachePolicy,
}

impl Viewer {
    pub(super) fn new(method: Method, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::under(policy(), method, path, headers)
    }

    pub(super) fn under(policy: CachePolicy, method: Method, path: &str, headers: &[(&str, &str)]) -> Self {
        let headers = fields(headers);
        let input = KeyInput {
            namespace: "",
            scheme: "http",
            host: "edge.test",
            path,
            query: None,
            headers: &headers,
            buckets: &[],
        };
        let keyed = KeyedRequest::new(&policy, &input);
        Self { method, headers, keyed, policy }
    }

    pub(super) fn ask(&self) -> Ask<'_> {
        Ask {
            method: &self.method,
            headers: &self.headers,
            keyed: &self.keyed,
            policy: &self.policy,
            unkeyed_cookies: false,
            whole: false,
        }
    }
}

/// The same policy under other rules.
pub(super) fn policy_with(change: impl FnOnce(&mut Rules)) -> CachePolicy {
    let mut rules = Rules::default();
    change(&mut rules);
    CachePolicy { rules: Arc::new(rules), ..policy() }
}

pub(super) fn get(path: &str) -> Viewer {
    Viewer::new(Method::GET, path, &[])
}

pub(super) fn get_with(path: &str, headers: &[(&str, &str)]) -> Viewer {
    Viewer::new(Method::GET, path, headers)
}

/// The cache under test, and its time.
#[derive(Clone)]
pub(super) struct Edge {
    pub(super) cache: Cache,
    start: Instant,
}

impl Edge {
    pub(super) fn new() -> Self {
        let limits = CacheLimits { memory: 64 * MIB, max_object: MAX_OBJECT, keep: Duration::from_secs(86_400) };
        Self { cache: Cache::new(limits), start: Instant::now() }
    }

    pub(super) fn at(&self, seconds: u64) -> Now {
        let past = Duration::from_secs(seconds);
        Now { wall: UNIX_EPOCH + Duration::from_secs(1_700_000_000) + past, mono: self.start + past }
    }

    pub(super) async fn lookup(&self, viewer: &Viewer, seconds: u64) -> Lookup {
        self.cache.lookup(&viewer.ask(), self.at(seconds)).await
    }

    pub(super) async fn ticket(&self, viewer: &Viewer, seconds: u64) -> FetchTicket {
        match self.lookup(viewer, seconds).await {
            Lookup::Miss(ticket) => *ticket,
            other => panic!("no ticket but {other:?}"),
        }
    }

    pub(super) async fn hit(&self, viewer: &Viewer, seconds: u64) -> Served {
        match self.lookup(viewer, seconds).await {
            Lookup::Hit(served) => *served,
            other => panic!("no hit but {other:?}"),
        }
    }

    pub(super) async fn bypass(&self, viewer: &Viewer, seconds: u64) -> BypassReason {
        match self.lookup(viewer, seconds).await {
            Lookup::Bypass(reason) => reason,
            other => panic!("no bypass but {other:?}"),
        }
    }

    /// Misses and stores an answer, body and all.
    pub(super) async fn store(&self, viewer: &Viewer, seconds: u64, headers: &[(&str, &str)], body: &'static str) {
        let ticket = self.ticket(viewer, seconds).await;
        let settled = settle(ticket, self.answer(200, headers, body, seconds), self.at(seconds));
        assert!(matches!(settled.result, StoreResult::Stored { .. }), "{:?}", settled.result);
        assert_eq!(text(settled.body).await.unwrap(), body);
    }

    pub(super) fn answer(
        &self,
        status: u16,
        headers: &[(&str, &str)],
        body: &'static str,
        seconds: u64,
    ) -> OriginAnswer {
        let delimited = Delimited::Length(body.len() as u64);
        self.answer_of(status, headers, body::full(body), delimited, seconds)
    }

    pub(super) fn answer_of(
        &self,
        status: u16,
        headers: &[(&str, &str)],
        body: Body,
        delimited: Delimited,
        seconds: u64,
    ) -> OriginAnswer {
        let (mut head, ()) = Response::builder().status(status).body(()).unwrap().into_parts();
        head.headers = fields(headers);
        OriginAnswer { head, body, delimited, sent_at: self.at(seconds) }
    }
}

pub(super) fn settle(ticket: FetchTicket, answer: OriginAnswer, now: Now) -> Settled {
    match ticket.settle(answer, now) {
        Settlement::Answer(settled) => *settled,
        Settlement::Refetch(_) => panic!("a refetch is asked for"),
    }
}

/// The whole body.
pub(super) async fn bytes(body: Body) -> Result<Bytes, BodyError> {
    Ok(timeout(Wait::from_secs(3600), body.collect()).await.expect("the body ends")?.to_bytes())
}

pub(super) async fn text(body: Body) -> Result<String, BodyError> {
    Ok(String::from_utf8(bytes(body).await?.to_vec()).unwrap())
}

pub(super) fn field<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// A body whose chunks the test sends one by one; it ends when the sender goes.
pub(super) fn scripted() -> (mpsc::UnboundedSender<Result<Bytes, BodyError>>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Scripted(receiver).boxed_unsync())
}

struct Scripted(mpsc::UnboundedReceiver<Result<Bytes, BodyError>>);

impl http_body::Body for Scripted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

/// Lets every task run until it waits.
pub(super) async fn settle_down() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
