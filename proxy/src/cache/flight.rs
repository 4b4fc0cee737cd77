//! Collapsing: concurrent misses on one key, of which one goes to the origin and the others wait for its head.
//!
//! A [`Flight`] is one request to the origin on behalf of the cache. Whoever holds its [`Lead`] decides for the
//! followers: [`Lead::publish`] shares the answer, [`Lead::release`] sends all of them off at once, dropping it
//! promotes exactly one follower, [`Lead::fail`] promotes one unless the request has gone out twice already. A [`Licence`] is
//! what is left of a lead while the body comes: the right to store. Locks are taken in the order shard, flight; signals
//! are sent outside of both. Deliberately absent: messages and time.

use std::{
    any::Any,
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use http::HeaderMap;
use tokio::sync::oneshot;

use super::{
    Inner,
    disk::SpoolWriter,
    entry::{Entry, Meta, StoredBody},
    fill::Filling,
    freshness::Failure,
    key::Key,
    status::{Forwarded, Outcome},
    store::lock,
};

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Why a fetch came to nothing, in the caller's own type: the cache passes it on to those who waited, and does not look.
pub type Cause = Arc<dyn Any + Send + Sync>;

/// An answer that a leader shares.
#[derive(Clone, Debug)]
pub(crate) enum Shared {
    /// The body is on its way.
    Filling(Arc<Filling>),
    /// The origin confirmed what is stored.
    Confirmed(Arc<Entry>, Outcome, Forwarded),
    /// The origin failed so, and this may stand in for it.
    StandIn(Arc<Entry>, Failure),
}

/// What a follower is told, once.
#[derive(Debug)]
pub(crate) enum Signal {
    /// Here is the leader's answer; it may not suit this request.
    Ready(Shared),
    /// The answer cannot be shared: ask the origin yourself, now.
    Release,
    /// The leader is gone: lead in its place.
    Promoted(Lead),
    /// The origin could not be asked twice; why, the second time.
    Failed(Cause),
}

/// One request to the origin and those who wait for it.
#[derive(Debug)]
pub(crate) struct Flight {
    /// Tells it from every other flight of this process.
    pub(crate) id: u64,
    pub(crate) key: Key,
    /// Whether others may wait for its head.
    pub(crate) joinable: bool,
    /// The number of the last purge before the origin was asked.
    asked_at: AtomicU64,
    /// The request has gone out a second time, or nobody may try it again.
    tried_twice: Arc<AtomicBool>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The leader's request, for comparing what an answer would be negotiated by.
    request: Arc<HeaderMap>,
    waiters: VecDeque<oneshot::Sender<Signal>>,
}

#[derive(Debug)]
enum Phase {
    Asking,
    Streaming(Arc<Filling>),
    Over,
}

impl Flight {
    /// A flight that has just begun, after the purge of that number.
    pub(crate) fn new(key: Key, joinable: bool, request: Arc<HeaderMap>, purges: u64) -> Arc<Self> {
        let state = State { phase: Phase::Asking, request, waiters: VecDeque::new() };
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (asked_at, tried_twice) = (AtomicU64::new(purges), Arc::default());
        Arc::new(Self { id, key, joinable, asked_at, tried_twice, state: Mutex::new(state) })
    }

    /// The number of the last purge before the origin was asked: what it says is no newer.
    pub(crate) fn asked_at(&self) -> u64 {
        self.asked_at.load(Ordering::SeqCst)
    }

    /// Waits for the head, if the flight can be joined and has none yet. `same` compares the two requests.
    pub(crate) fn join(&self, same: impl FnOnce(&HeaderMap) -> bool) -> Option<oneshot::Receiver<Signal>> {
        let mut state = lock(&self.state);
        let waits = self.joinable && matches!(state.phase, Phase::Asking) && same(&state.request);
        waits.then(|| {
            let (sender, receiver) = oneshot::channel();
            state.waiters.push_back(sender);
            receiver
        })
    }

    /// Whether somebody waits for the head.
    pub(crate) fn has_waiters(&self) -> bool {
        lock(&self.state).waiters.iter().any(|waiter| !waiter.is_closed())
    }

    /// Whether the head has not come yet.
    pub(crate) fn is_asking(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Asking)
    }

    /// The body on its way, if it can be shared.
    pub(crate) fn filling(&self) -> Option<Arc<Filling>> {
        match &lock(&self.state).phase {
            Phase::Streaming(filling) => Some(Arc::clone(filling)),
            Phase::Asking | Phase::Over => None,
        }
    }
}

/// The part of the one who asks the origin. Must be used up; dropping it hands it to a follower.
#[derive(Debug)]
pub(crate) struct Lead {
    inner: Arc<Inner>,
    flight: Arc<Flight>,
    armed: bool,
}

impl Lead {
    /// Takes the lead of a flight that stands in its slot.
    pub(crate) fn new(inner: Arc<Inner>, flight: Arc<Flight>) -> Self {
        Self { inner, flight, armed: true }
    }

    /// Whether nobody tries again if this one fails.
    pub(crate) fn is_last_try(&self) -> bool {
        self.flight.tried_twice.load(Ordering::SeqCst) || !self.has_followers()
    }

    /// Says, and is told, that the request goes out a second time: what was lost on its way is sent once more, by whoever leads.
    pub(crate) fn tried_twice(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flight.tried_twice)
    }

    /// Whether others wait for what this one brings.
    pub(crate) fn has_followers(&self) -> bool {
        self.flight.has_waiters()
    }

    /// The key of the flight.
    pub(crate) fn key(&self) -> &Key {
        &self.flight.key
    }

    /// The cache that the flight belongs to.
    pub(crate) fn inner(&self) -> Arc<Inner> {
        Arc::clone(&self.inner)
    }

    /// Makes a promoted follower's request the one that later ones are compared with. It asks anew, after the purge of
    /// that number.
    pub(crate) fn adopt(&self, request: Arc<HeaderMap>, purges: u64) {
        self.flight.asked_at.store(purges, Ordering::SeqCst);
        lock(&self.flight.state).request = request;
    }

    /// The number of the last purge before the origin was asked.
    pub(crate) fn asked_at(&self) -> u64 {
        self.flight.asked_at()
    }

    /// Whether the answer may be stored: no invalidation came in between.
    pub(crate) fn is_licensed(&self) -> bool {
        self.inner.store.with_slot(&self.flight.key, |slot| slot.licenses(&self.flight))
    }

    /// The lead of a new flight for another key of the same URL, which began when this one did; none if this one may not store
    /// any more.
    pub(crate) fn beside(&self, key: Key) -> Option<Self> {
        let request = Arc::clone(&lock(&self.flight.state).request);
        let flight = Flight::new(key, true, request, self.asked_at());
        let licensed = self.inner.store.with_slot(&self.flight.key, |slot| {
            let licensed = slot.licenses(&self.flight);
            if licensed {
                slot.admit(Arc::clone(&flight));
            }
            licensed
        });
        licensed.then(|| Self::new(Arc::clone(&self.inner), flight))
    }

    /// Removes everything under the URL and revokes all other licences, if this one still stands; says whether it did.
    pub(crate) fn supersede(&self) -> bool {
        let disk = self.inner.disk.get();
        disk.inspect(|disk| disk.hide(&self.flight.key));
        let done = self.inner.store.supersede(&self.flight);
        disk.inspect(|disk| disk.invalidate(&self.flight.key));
        done
    }

    /// Shares the answer with all who wait. A filling can be joined from now on; anything else is over.
    pub(crate) fn publish(self, shared: &Shared) -> Licence {
        let phase = match shared {
            Shared::Filling(filling) => Phase::Streaming(Arc::clone(filling)),
            Shared::Confirmed(..) | Shared::StandIn(..) => Phase::Over,
        };
        self.conclude(phase, || Signal::Ready(shared.clone()))
    }

    /// Sends all who wait to the origin, in parallel.
    pub(crate) fn release(self) -> Licence {
        self.conclude(Phase::Over, || Signal::Release)
    }

    /// Reports that the origin could not be asked: one follower may try again, after that all give up.
    pub(crate) fn fail(self, cause: &Cause) {
        if self.flight.tried_twice.swap(true, Ordering::SeqCst) {
            drop(self.conclude(Phase::Over, || Signal::Failed(cause.clone())));
        }
    }

    fn conclude(mut self, phase: Phase, signal: impl Fn() -> Signal) -> Licence {
        self.armed = false;
        let licence = Licence { inner: Arc::clone(&self.inner), flight: Arc::clone(&self.flight) };
        let waiters = self.inner.store.with_slot(&self.flight.key, |slot| {
            if matches!(phase, Phase::Streaming(_)) {
                slot.show(&self.flight);
            }
            let mut state = lock(&self.flight.state);
            state.phase = phase;
            std::mem::take(&mut state.waiters)
        });
        for waiter in waiters {
            drop(waiter.send(signal())); // one that has left needs no answer
        }
        licence
    }

    /// Hands the lead to the first follower that is still there; without one the flight ends.
    fn hand_over(&self) {
        loop {
            let next = self.inner.store.with_slot(&self.flight.key, |slot| {
                let mut state = lock(&self.flight.state);
                let next = state.waiters.pop_front();
                if next.is_none() {
                    state.phase = Phase::Over;
                    slot.dismiss(&self.flight);
                }
                next
            });
            let Some(waiter) = next else { return };
            let lead = Self::new(Arc::clone(&self.inner), Arc::clone(&self.flight));
            match waiter.send(Signal::Promoted(lead)) {
                Err(Signal::Promoted(mut lead)) => lead.armed = false, // left meanwhile: try the next one
                Ok(()) | Err(_) => return,
            }
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if self.armed {
            self.hand_over();
        }
    }
}

/// The right to store what a flight brings. Dropping it ends the flight with nothing stored.
#[derive(Debug)]
pub(crate) struct Licence {
    inner: Arc<Inner>,
    flight: Arc<Flight>,
}

impl Licence {
    /// Stores, unless an invalidation revoked the right; says whether it did.
    pub(crate) fn commit(self, entry: Arc<Entry>, replaced: Option<&Arc<Entry>>) -> bool {
        super::point();
        self.inner.commit(&self.flight, entry, replaced)
    }

    /// Keeps what there is of a body that will never be complete.
    pub(crate) fn keep_prefix(self, meta: Meta, body: StoredBody) {
        super::point();
        self.inner.keep_prefix(&self.flight, meta, body);
    }

    /// Has the disk remember how far the body has come, unless an invalidation revoked the right to store it.
    pub(crate) fn note(&self, meta: &Meta, spool: &mut SpoolWriter) {
        super::point();
        self.inner.note_beginning(&self.flight, meta, spool);
    }

    /// The cache that the flight belongs to.
    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// The key of the flight.
    pub(crate) fn key(&self) -> &Key {
        &self.flight.key
    }
}

impl Drop for Licence {
    fn drop(&mut self) {
        self.inner.store.with_slot(&self.flight.key, |slot| slot.dismiss(&self.flight));
        lock(&self.flight.state).phase = Phase::Over;
    }
}
