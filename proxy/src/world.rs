//! What a request takes from outside besides its messages: the time, and chance.
//!
//! [`World::Real`] reads clocks and draws random numbers. A simulated world, for tests of configurations, has a clock that moves
//! only when it is told to and chance that repeats itself from a seed. Lifecycle, cache, viewer functions and request ids ask the
//! world; deadlines of connections and processes are always real, and so is what Lambda functions see of the time.

use crate::{cache::Now, id};
use sha2::{Digest as _, Sha256};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

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
    /// Microseconds since its beginning.
    passed: AtomicU64,
    seed: u64,
    drawn: AtomicU64,
}

impl World {
    /// A world that begins at `wall`, and in which chance follows from `seed`.
    #[must_use]
    pub fn simulated(wall: SystemTime, seed: u64) -> Self {
        let simulation =
            Simulation { wall, mono: Instant::now(), passed: AtomicU64::new(0), seed, drawn: AtomicU64::new(0) };
        Self::Simulated(Arc::new(simulation))
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Now {
        match self {
            Self::Real => Now::read(),
            Self::Simulated(simulation) => {
                let passed = simulation.passed();
                Now { wall: simulation.wall + passed, mono: simulation.mono + passed }
            }
        }
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.now().wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Lets time pass in a simulated world. The real one does not wait for anybody.
    pub fn advance(&self, time: Duration) {
        if let Self::Simulated(simulation) = self {
            let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            simulation.passed.fetch_add(micros, Ordering::Relaxed);
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
    fn passed(&self) -> Duration {
        Duration::from_micros(self.passed.load(Ordering::Relaxed))
    }

    fn draw(&self) -> [u8; 32] {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        let digest = Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(drawn.to_be_bytes()).finalize();
        digest.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_only_when_told_and_chance_repeats_itself() {
        let begin = UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        let [one, two, other] = [(begin, 1), (begin, 1), (begin, 2)].map(|(wall, seed)| World::simulated(wall, seed));
        assert_eq!((one.now().wall, one.seconds()), (begin, 1_767_225_600));
        one.advance(Duration::from_millis(1500));
        assert_eq!(one.now().wall, begin + Duration::from_millis(1500));
        assert_eq!(one.clone().now().mono.duration_since(one.now().mono), Duration::ZERO);
        let (first, second) = (one.request_id(), one.request_id());
        assert_eq!(first.len(), 56);
        assert_ne!(first, second);
        assert_eq!(first, two.request_id());
        assert_ne!(first, other.request_id());
        assert_eq!(one.of_run().map(|(millis, _)| millis), Some(1_767_225_601_500));
        assert!(World::Real.of_run().is_none());
    }
}
