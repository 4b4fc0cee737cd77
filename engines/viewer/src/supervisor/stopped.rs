//! Which functions were stopped lately: runaways use up their whole budget, which others would wait for.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a function that was stopped is kept apart.
const LATELY: Duration = Duration::from_secs(10);

/// Functions by number, with the time of their last stop.
#[derive(Debug, Default)]
pub(super) struct Stopped {
    /// Whether there are any: most proxies never have one, and pay for no lock then.
    any: AtomicBool,
    last: Mutex<HashMap<u32, Instant>>,
}

impl Stopped {
    /// Notes that a run of `function` was stopped.
    pub(super) fn note(&self, function: u32, now: Instant) {
        self.lock().insert(function, now);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Whether one was stopped lately.
    pub(super) fn lately(&self, function: u32, now: Instant) -> bool {
        self.any.load(Ordering::Relaxed)
            && self.lock().get(&function).is_some_and(|last| now.saturating_duration_since(*last) < LATELY)
    }

    /// Forgets a function that is removed.
    pub(super) fn forget(&self, function: u32) {
        let mut last = self.lock();
        last.remove(&function);
        self.any.store(!last.is_empty(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Instant>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lately_ends() {
        let (stopped, now) = (Stopped::default(), Instant::now());
        assert!(!stopped.lately(1, now));
        stopped.note(1, now);
        assert!(stopped.lately(1, now + LATELY - Duration::from_nanos(1)));
        assert!(!stopped.lately(1, now + LATELY) && !stopped.lately(2, now));
        stopped.note(1, now);
        stopped.forget(1);
        assert!(!stopped.lately(1, now));
    }
}
