//! Functions whose runs keep costing their host: they are left out for a while, so that hosts are there for the others.
//!
//! Only deaths of processes count, never failures that the guard contains (security.md 3.1, crash-loop guard).

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// So many deaths ...
const DEATHS: usize = 5;

/// ... within this time make a loop.
const WITHIN: Duration = Duration::from_secs(10);

/// How long a function is left out at first; doubles with every loop that follows.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Functions by number, and what they did to their hosts.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    /// Whether there are any: most proxies never have one, and pay for no lock then.
    any: AtomicBool,
    functions: Mutex<HashMap<u32, Deaths>>,
}

#[derive(Debug)]
struct Deaths {
    /// The last ones since the function was last left out.
    at: Vec<Instant>,
    /// How long it is left out after the next loop.
    pause: Duration,
    until: Option<Instant>,
}

impl Crashes {
    /// Notes that a run of `function` cost its host; how long the function is left out, if that begins now.
    pub(super) fn note(&self, function: u32, now: Instant) -> Option<Duration> {
        let mut functions = self.lock();
        self.any.store(true, Ordering::Relaxed);
        let fresh = || Deaths { at: Vec::new(), pause: FIRST_PAUSE, until: None };
        let deaths = functions.entry(function).or_insert_with(fresh);
        if deaths.until.is_some_and(|until| now > until + LONGEST_PAUSE) {
            *deaths = fresh();
        }
        deaths.at.retain(|at| now.saturating_duration_since(*at) < WITHIN);
        deaths.at.push(now);
        if deaths.at.len() < DEATHS {
            return None;
        }
        let pause = deaths.pause;
        deaths.at.clear();
        deaths.until = Some(now + pause);
        deaths.pause = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }

    /// Whether a function is left out now.
    pub(super) fn is_out(&self, function: u32, now: Instant) -> bool {
        self.any.load(Ordering::Relaxed)
            && self.lock().get(&function).and_then(|deaths| deaths.until).is_some_and(|until| now < until)
    }

    /// Forgets a function that is removed.
    pub(super) fn forget(&self, function: u32) {
        let mut functions = self.lock();
        functions.remove(&function);
        self.any.store(!functions.is_empty(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Deaths>> {
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_loop_is_five_deaths_within_ten_seconds() {
        let (crashes, now) = (Crashes::default(), Instant::now());
        for second in 0..20 {
            // Four within any ten seconds.
            assert_eq!(crashes.note(1, now + SECOND * 3 * second), None);
        }
        let later = now + SECOND * 1000;
        let noted: Vec<_> = (0..5).map(|second| crashes.note(1, later + SECOND * second)).collect();
        assert_eq!(noted, [None, None, None, None, Some(FIRST_PAUSE)]);
        let out = later + SECOND * 4;
        assert!(crashes.is_out(1, out) && !crashes.is_out(2, out), "others are not left out");
        assert!(crashes.is_out(1, out + FIRST_PAUSE - Duration::from_nanos(1)));
        assert!(!crashes.is_out(1, out + FIRST_PAUSE));
        crashes.forget(1);
        assert!(!crashes.is_out(1, out));
    }

    #[test]
    fn pauses_double_to_a_minute_and_good_conduct_counts() {
        let (crashes, mut now) = (Crashes::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let pause = (0..5).find_map(|_| crashes.note(1, now)).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
        now += LONGEST_PAUSE + SECOND;
        assert_eq!((0..5).find_map(|_| crashes.note(1, now)), Some(FIRST_PAUSE));
    }
}
