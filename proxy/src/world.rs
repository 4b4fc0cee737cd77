//! What a request takes from outside besides its messages: the time, and chance.
//!
//! [`World::Real`] reads clocks and draws random numbers. A simulated world, for tests of configurations, has a clock that moves
//! only when it is told to, delays that nobody really waits for ([`timeline`]), and chance that repeats itself from a seed.
//! Lifecycle, cache, functions and request ids ask the world; deadlines of connections and processes are always real.

mod timeline;

use crate::{cache::Now, id};
use futures_util::{FutureExt as _, future::Either};
use sha2::{Digest as _, Sha256};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use timeline::{Busy, Timeline};
use tokio::time::{Instant, timeout_at};

/// Where time and chance come from. Cloning is cheap; clones of a simulated world are the same world.
#[derive(Clone, Debug, Default)]
pub enum World {
    /// This one.
    #[default]
    Real,
    /// One that a test made.
    Simulated(Arc<Simulation>),
}

/// A simulated world.
#[derive(Debug)]
pub struct Simulation {
    wall: SystemTime,
    mono: Instant,
    timeline: Arc<Timeline>,
    seed: u64,
    drawn: AtomicU64,
}

impl World {
    /// A world that begins at `wall`, and in which chance follows from `seed`.
    #[must_use]
    pub fn simulated(wall: SystemTime, seed: u64) -> Self {
        let (mono, timeline, drawn) = (Instant::now(), Arc::default(), AtomicU64::new(0));
        Self::Simulated(Arc::new(Simulation { wall, mono, timeline, seed, drawn }))
    }

    /// The moment, by which messages and stored answers are dated.
    #[must_use]
    pub fn now(&self) -> Now {
        match self {
            Self::Real => Now::read(),
            Self::Simulated(simulation) => {
                let passed = simulation.timeline.clock();
                Now { wall: simulation.wall + passed, mono: simulation.mono + passed }
            }
        }
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.now().wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Lets time pass in a simulated world, and what waits for it happen. The real one does not wait for anybody.
    pub async fn advance(&self, time: Duration) {
        if let Self::Simulated(simulation) = self {
            simulation.timeline.advance(time).await;
        }
    }

    /// The moment by which waits are measured. In a simulated world it runs ahead of [`World::now`]: by what was waited for.
    #[must_use]
    pub fn instant(&self) -> Instant {
        match self {
            Self::Real => Instant::now(),
            Self::Simulated(simulation) => simulation.mono + simulation.timeline.hand(),
        }
    }

    /// The time since `begun`, a [`World::instant`].
    #[must_use]
    pub fn since(&self, begun: Instant) -> Duration {
        self.instant().saturating_duration_since(begun)
    }

    /// `now`, which was read at `begun`, a [`World::instant`], moved on to the present. Waiting does not move a simulated clock.
    pub(crate) fn after(&self, now: Now, begun: Instant) -> Now {
        match self {
            Self::Real => {
                let waited = begun.elapsed();
                Now { wall: now.wall + waited, mono: now.mono + waited }
            }
            Self::Simulated(_) => self.now(),
        }
    }

    /// What `future` comes to before `deadline`, a [`World::instant`]; `None`: nothing.
    pub(crate) fn until<F: Future + Send>(
        &self,
        deadline: Instant,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> + use<F> {
        match self {
            Self::Real => Either::Left(timeout_at(deadline, future).map(Result::ok)),
            Self::Simulated(simulation) => {
                let wait = simulation.timeline.wait(deadline.saturating_duration_since(simulation.mono));
                Either::Right(Box::pin(async move {
                    tokio::select! {
                        biased;
                        output = future => Some(output),
                        () = wait => None,
                    }
                }))
            }
        }
    }

    /// Waits for so long.
    pub(crate) async fn sleep(&self, time: Duration) {
        // What never comes is over with the deadline alone.
        let _ = self.until(self.instant() + time, std::future::pending::<()>()).await;
    }

    /// Starts a task that outlasts the request it belongs to, but not a simulated world.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Real => drop(tokio::spawn(task)),
            Self::Simulated(simulation) => simulation.timeline.spawn(task),
        }
    }

    /// What happens to one viewer, for whom waits pass in a simulated world. There the viewer is one from now on.
    pub(crate) fn viewer<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        match self {
            Self::Real => Either::Left(future),
            Self::Simulated(simulation) => Either::Right(simulation.timeline.tracked(future, true)),
        }
    }

    /// Keeps waits of a simulated world from passing while something is going on outside.
    pub(crate) fn busy(&self) -> Option<Busy> {
        match self {
            Self::Real => None,
            Self::Simulated(simulation) => Some(simulation.timeline.busy()),
        }
    }

    /// Waits until everything in a simulated world has ended or waits for time to pass. Only when no viewer waits.
    pub(crate) async fn settled(&self) {
        if let Self::Simulated(simulation) = self {
            simulation.timeline.settled().await;
        }
    }

    /// Ends a simulated world: what still waits there never goes on.
    pub(crate) fn end(&self) {
        if let Self::Simulated(simulation) = self {
            simulation.timeline.end();
        }
    }

    /// An id for a request.
    #[must_use]
    pub fn request_id(&self) -> String {
        match self {
            Self::Real => id::request_id(),
            Self::Simulated(simulation) => {
                let (first, second) = (simulation.draw(), simulation.draw());
                let mut bytes = [0; 40];
                bytes.iter_mut().zip(first.iter().chain(&second)).for_each(|(byte, drawn)| *byte = *drawn);
                id::of_bytes(&bytes)
            }
        }
    }

    /// The time in milliseconds since 1970 and the random bytes that a run of a viewer function gets; `None`: its host's own.
    #[must_use]
    pub fn of_run(&self) -> Option<(u64, [u8; 32])> {
        let Self::Simulated(simulation) = self else { return None };
        let since = self.now().wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Some((u64::try_from(since.as_millis()).unwrap_or(u64::MAX), simulation.draw()))
    }
}

impl Simulation {
    fn draw(&self) -> [u8; 32] {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(drawn.to_be_bytes()).finalize();
        digest.into()
    }
}

#[cfg(test)]
mod tests;
