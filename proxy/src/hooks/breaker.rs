//! The circuit breaker of a viewer function: one that always fails is not called for a while (`circuit_breaker`;
//! cloudfront-functions.md 8).
//!
//! Only execution errors count, in a row. Then calls are turned away for a pause, after which one is let through: if it succeeds the
//! function is called as before, if not the pause doubles. A new version of the function begins afresh.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Failures in a row that open the circuit.
const FAILURES: u32 = 20;

/// The first pause, and the longest.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(60);

/// One function's breaker.
#[derive(Debug, Default)]
pub struct Breaker(Mutex<Circuit>);

/// The decision itself, without clock and lock.
#[derive(Clone, Copy, Debug, Default)]
struct Circuit {
    failures: u32,
    /// Set while the circuit is open: when a call is let through next, and the pause after that one.
    open: Option<(Instant, Duration)>,
}

impl Breaker {
    /// Whether a call may be made at `now`.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admits(now)
    }

    /// Notes how a call ended.
    pub(crate) fn ended(&self, failed: bool, now: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ended(failed, now);
    }
}

impl Circuit {
    fn admits(&mut self, now: Instant) -> bool {
        match self.open {
            None => true,
            Some((next, _)) if now < next => false,
            Some((_, pause)) => {
                // One call goes through. If nothing is ever heard of it, another one after the pause.
                self.open = Some((now + pause, pause));
                true
            }
        }
    }

    fn ended(&mut self, failed: bool, now: Instant) {
        if !failed {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            let pause = match self.open {
                None => PAUSE,
                Some((_, pause)) => (pause * 2).min(LONGEST),
            };
            self.open = Some((now + pause, pause));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A circuit after so many failures in a row at one moment.
    fn failed(times: u32, now: Instant) -> Circuit {
        let mut circuit = Circuit::default();
        for _ in 0..times {
            assert!(circuit.admits(now));
            circuit.ended(true, now);
        }
        circuit
    }

    #[test]
    fn it_opens_at_its_limit_and_not_before() {
        let now = Instant::now();
        assert!(failed(FAILURES - 1, now).admits(now));
        let mut open = failed(FAILURES, now);
        assert!(!open.admits(now) && !open.admits(now + PAUSE - SECOND));
        assert!(open.admits(now + PAUSE), "one call after the pause");
        assert!(!open.admits(now + PAUSE), "and only one");
    }

    #[test]
    fn a_success_closes_it() {
        let now = Instant::now();
        let mut open = failed(FAILURES, now);
        assert!(open.admits(now + PAUSE));
        open.ended(false, now + PAUSE);
        assert!(open.admits(now + PAUSE) && open.admits(now + PAUSE));
        let mut between = failed(FAILURES - 1, now);
        between.ended(false, now);
        between.ended(true, now);
        assert!(between.admits(now), "failures count in a row");
    }

    #[test]
    fn the_pause_doubles_up_to_the_longest() {
        let mut now = Instant::now();
        let mut circuit = failed(FAILURES, now);
        for pause in [5, 10, 20, 40, 60, 60] {
            assert!(!circuit.admits(now + SECOND * (pause - 1)), "{pause}");
            now += SECOND * pause;
            assert!(circuit.admits(now), "{pause}");
            circuit.ended(true, now);
        }
    }

    #[test]
    fn a_trial_that_is_never_heard_of_is_followed_by_another() {
        let now = Instant::now();
        let mut circuit = failed(FAILURES, now);
        assert!(circuit.admits(now + PAUSE));
        assert!(!circuit.admits(now + PAUSE + SECOND));
        assert!(circuit.admits(now + PAUSE * 2));
    }
}
