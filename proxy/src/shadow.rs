//! Mirroring: copies of what the origin gets go to a second origin, whose answers are thrown away.
//!
//! [`Shadow::mirror`] stands beside the exchange with the origin and never in its way: a copy is sent on a task of its own, a
//! request body is copied while the origin reads it, and where there is no room (too many copies under way, a body that is
//! too long or breaks off) the copy is left out and counted. Deliberately absent: hooks, the cache, and any use of the answer.

use crate::{
    body::{self, Body, BodyError},
    forward::Outgoing,
    origin::{BodyLength, OriginRequest, SecondTry},
    site::SiteOrigin,
    world::World,
};
use bytes::{Bytes, BytesMut};
use http::header;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use xxhash_rust::xxh3::xxh3_64;

/// Most copies under way for one behavior.
const LIMIT: usize = 64;
/// Longest request body that is copied, bytes.
const BODY_LIMIT: usize = 64 * 1024;
/// How much of an answer is read before its connection is given up, bytes.
const ANSWER_LIMIT: usize = 1024 * 1024;
/// Longest life of a copy.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Where a behavior's copies go.
#[derive(Debug)]
pub struct Shadow {
    origin: Arc<SiteOrigin>,
    percent: u8,
    room: Arc<Semaphore>,
    counts: Arc<Counts>,
}

/// What became of the copies since the configuration was loaded.
#[derive(Debug, Default)]
struct Counts {
    answered: AtomicU64,
    failed: AtomicU64,
    left_out: AtomicU64,
}

impl Shadow {
    /// Copies of `percent` of all requests to `origin`.
    #[must_use]
    pub fn new(origin: Arc<SiteOrigin>, percent: u8) -> Self {
        Self { origin, percent, room: Arc::new(Semaphore::new(LIMIT)), counts: Arc::default() }
    }

    /// The origin's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin.name
    }

    /// Copies that were answered, that failed, and that were left out.
    #[must_use]
    pub fn counts(&self) -> [u64; 3] {
        [&self.counts.answered, &self.counts.failed, &self.counts.left_out].map(|count| count.load(Relaxed))
    }

    /// Whether a request is among those that are copied: the same for all of its exchanges.
    fn takes(&self, request_id: &str) -> bool {
        xxh3_64(request_id.as_bytes()) % 100 < u64::from(self.percent)
    }

    /// Sends a copy of what is about to go to `first`, and gives back the body to send there.
    #[must_use]
    pub fn mirror(
        &self,
        request_id: &str,
        world: &World,
        first: &SiteOrigin,
        outgoing: &Outgoing,
        body: Body,
        length: BodyLength,
    ) -> Body {
        // The messages of a call are not kept, so there is nothing to make a copy of.
        if outgoing.grpc || !self.takes(request_id) {
            return body;
        }
        let too_long = matches!(length, BodyLength::Known(length) if length > BODY_LIMIT as u64);
        let Some(permit) = self.room.clone().try_acquire_owned().ok().filter(|_| !too_long) else {
            self.counts.left_out.fetch_add(1, Relaxed);
            return body;
        };
        let copy = Copy {
            origin: self.origin.clone(),
            outgoing: self.readdressed(first, outgoing),
            counts: self.counts.clone(),
            world: world.clone(),
            permit,
        };
        if length == BodyLength::None {
            copy.send(Bytes::new());
            return body;
        }
        Tee { body, copied: BytesMut::new(), copy: Some(copy) }.boxed_unsync()
    }

    /// The request as the shadow gets it: its own name and headers in place of those of the first origin.
    fn readdressed(&self, first: &SiteOrigin, outgoing: &Outgoing) -> Outgoing {
        let mut copy = Outgoing { websocket: false, ..outgoing.clone() };
        for (name, _) in &first.headers {
            copy.headers.remove(name);
        }
        for (name, value) in &self.origin.headers {
            copy.headers.insert(name, value.clone());
        }
        if copy.headers.get(header::HOST) == Some(&first.host) {
            copy.headers.insert(header::HOST, self.origin.host.clone());
        }
        copy
    }
}

/// A copy that has room but may still lack its body. Dropped before it was sent, it counts as left out.
struct Copy {
    origin: Arc<SiteOrigin>,
    outgoing: Outgoing,
    counts: Arc<Counts>,
    world: World,
    permit: OwnedSemaphorePermit,
}

impl Copy {
    fn send(self, body: Bytes) {
        let Self { origin, outgoing, counts, world, permit } = self;
        let length = if body.is_empty() { BodyLength::None } else { BodyLength::Known(body.len() as u64) };
        let request = OriginRequest {
            again: SecondTry::denied(),
            path_and_query: outgoing.target(&origin.path_prefix),
            method: outgoing.method,
            headers: outgoing.headers,
            body: body::full(body),
            body_length: length,
            interim: None,
            websocket: false,
            grpc: false,
        };
        world.clone().spawn(async move {
            let exchange = async {
                let answer = origin.origin.send(request).await.map_err(|error| error.to_string())?;
                discard(answer.body).await.map_err(|error| error.to_string())
            };
            let ended = world.until(world.instant() + TIME_LIMIT, exchange).await;
            let ended = ended.unwrap_or_else(|| Err("too slow".to_owned()));
            let count = if ended.is_ok() { &counts.answered } else { &counts.failed };
            count.fetch_add(1, Relaxed);
            if let Err(problem) = ended {
                tracing::debug!(origin = origin.name, "copy of a request failed: {problem}");
            }
            drop(permit);
        });
    }
}

/// Reads an answer so that its connection can be used again, up to a limit.
async fn discard(mut answer: Body) -> Result<(), BodyError> {
    let mut read = 0;
    while let Some(frame) = answer.frame().await {
        read += frame?.data_ref().map_or(0, Bytes::len);
        if read > ANSWER_LIMIT {
            break;
        }
    }
    Ok(())
}

/// A request body that is copied on its way to the origin.
struct Tee {
    body: Body,
    copied: BytesMut,
    copy: Option<Copy>,
}

impl Tee {
    fn leave_out(&mut self) {
        self.copied = BytesMut::new();
        if let Some(copy) = self.copy.take() {
            copy.counts.left_out.fetch_add(1, Relaxed);
        }
    }

    /// Sends the copy once the body is known to be over.
    fn finish(&mut self) {
        if let Some(copy) = self.copy.take() {
            copy.send(std::mem::take(&mut self.copied).freeze());
        }
    }
}

impl http_body::Body for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.data_ref().map_or(&[][..], |data| &data[..]);
                if self.copied.len() + data.len() > BODY_LIMIT {
                    self.leave_out();
                } else if self.copy.is_some() {
                    self.copied.extend_from_slice(data);
                }
                if self.body.is_end_stream() {
                    self.finish();
                }
            }
            Poll::Ready(Some(Err(_))) => self.leave_out(),
            Poll::Ready(None) => self.finish(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        self.leave_out();
    }
}
