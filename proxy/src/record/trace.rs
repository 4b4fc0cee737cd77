//! What is kept of one request besides its [`Record`](super::Record): the messages at every step.
//!
//! A sampled request has a [`Trace`] from its beginning, and the steps of the lifecycle leave in it what they saw; any other has
//! none, and the steps look at one pointer. Nothing is masked here: that happens when the trace becomes a
//! [`RequestRecord`](super::RequestRecord), before anybody can read it.

use crate::{
    body::Body,
    cache::{KeyedRequest, StoreResult},
    gate::Received,
    hooks,
    site::Behavior,
};
use bytes::Bytes;
use edgehook_contract::{RequestMessage, ResponseMessage, lambda, viewer};
use http::HeaderMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Most of a body that is recorded, in bytes.
pub const BODY_LIMIT: usize = 64 * 1024;

/// The messages of one request, step by step.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Whether bodies are recorded.
    pub bodies: bool,
    /// The request as the gate let it in.
    pub request: Option<RequestMessage>,
    /// Its body.
    pub request_body: Option<Arc<Sample>>,
    /// What the viewer passed to be let in.
    pub admitted: Vec<String>,
    /// The key that the cache was asked for.
    pub key: Option<TracedKey>,
    /// Why the origin was asked, or why not.
    pub lookup: Option<&'static str>,
    /// What became of the origin's answer in the cache.
    pub store: Option<StoreResult>,
    /// The response as it left.
    pub response: Option<ResponseMessage>,
    /// Its body.
    pub response_body: Option<Arc<Sample>>,
    /// The place of a request of a test that runs together with others.
    pub(crate) meeting: Option<Seat>,
}

/// A key, and all that explains it.
#[derive(Clone, Debug)]
pub struct TracedKey {
    /// The behavior by whose policy it was made, as experiments and functions left it.
    pub behavior: Arc<Behavior>,
    /// The request, normalised.
    pub request: Received,
    /// Its fields before they were.
    pub asked: HeaderMap,
    /// The key.
    pub keyed: KeyedRequest,
    /// Parts that the edge chose.
    pub buckets: Vec<(String, String)>,
}

/// The messages of one run of a function.
#[derive(Clone, Debug, Default)]
pub struct HookMessages {
    /// The event that it was given.
    pub event: Option<HookEvent>,
    /// What it came to, once checked and applied; none where the run failed.
    pub result: Option<HookResult>,
    /// What a Lambda function returned, as JSON text.
    pub returned: Option<Vec<u8>>,
}

/// An event of either family.
#[derive(Clone, Debug)]
pub enum HookEvent {
    /// Of a viewer function.
    Viewer(Box<viewer::Event>),
    /// Of a Lambda function.
    Lambda(Box<lambda::Event>),
}

/// What a run came to.
#[derive(Clone, Debug)]
pub enum HookResult {
    /// The request goes on like this.
    Request {
        /// The request.
        message: RequestMessage,
        /// Another origin, from a Lambda function.
        origin: Option<lambda::Origin>,
        /// Another origin, from a viewer function.
        choice: Option<Box<viewer::OriginChoice>>,
        /// Another body.
        body: Option<Vec<u8>>,
    },
    /// A response.
    Response {
        /// The response.
        message: ResponseMessage,
        /// Its body, where the function set one.
        body: Option<Vec<u8>>,
    },
}

/// The messages of one exchange with an origin.
#[derive(Clone, Debug)]
pub struct OriginMessages {
    /// Where the request went: path and query behind the origin's name.
    pub request: RequestMessage,
    /// What came back.
    pub response: Option<ResponseMessage>,
    /// Its body.
    pub body: Option<Arc<Sample>>,
}

/// The first bytes of a body that passes by.
#[derive(Debug, Default)]
pub struct Sample(Mutex<(Vec<u8>, bool)>);

impl Sample {
    /// Takes in a piece, as long as there is room.
    pub fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = BODY_LIMIT - kept.0.len().min(BODY_LIMIT);
        kept.0.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        kept.1 |= bytes.len() > room;
    }

    /// What has passed by until now, and whether there was more.
    #[must_use]
    pub fn read(&self) -> (Bytes, bool) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (Bytes::copy_from_slice(&kept.0), kept.1)
    }
}

impl Trace {
    /// A body that leaves its first bytes in a sample, where bodies are recorded.
    pub(crate) fn sampled(&self, body: Body) -> (Body, Option<Arc<Sample>>) {
        if !self.bodies {
            return (body, None);
        }
        let sample = Arc::new(Sample::default());
        (crate::body::sampled(body, sample.clone()), Some(sample))
    }
}

/// A response head as functions would see it.
pub(crate) fn response(status: u16, headers: &HeaderMap) -> ResponseMessage {
    ResponseMessage { status, reason: None, headers: hooks::contract_headers(headers) }
}

/// Requests that are to be under way together: the origin answers none of them before all have asked the cache.
#[derive(Debug)]
pub(crate) struct Meeting(watch::Sender<usize>);

/// The place of one request in a meeting; given up when it has asked the cache, or never will.
#[derive(Debug)]
pub(crate) struct Seat(Option<Arc<Meeting>>);

impl Clone for Seat {
    /// A copy of a trace is no further request.
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl Seat {
    /// Polls a lookup once before it is given up: by then the request has either its answer, the duty to fetch it, or a
    /// place among those who wait.
    pub(crate) async fn kept_until_polled<T>(self, lookup: impl Future<Output = T>) -> T {
        let (mut lookup, mut seat) = (std::pin::pin!(lookup), Some(self));
        std::future::poll_fn(move |cx| {
            let polled = lookup.as_mut().poll(cx);
            drop(seat.take());
            polled
        })
        .await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(meeting) = &self.0 {
            meeting.0.send_modify(|missing| *missing = missing.saturating_sub(1));
        }
    }
}

impl Meeting {
    /// A meeting of so many, and their places.
    pub(crate) fn of(count: usize) -> (Arc<Self>, Vec<Seat>) {
        let meeting = Arc::new(Self(watch::Sender::new(count)));
        let seats = (0..count).map(|_| Seat(Some(meeting.clone()))).collect();
        (meeting, seats)
    }

    /// Waits until nobody is missing.
    pub(crate) async fn complete(&self) {
        // The sender is here, so the wait ends with the last arrival.
        let _ = self.0.subscribe().wait_for(|missing| *missing == 0).await;
    }
}
