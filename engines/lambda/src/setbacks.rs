//! When a function that keeps failing is left alone for a while (lambda-edge.md 7.3). Pure: `now` is an argument.

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// So many failed INITs or crashes …
const MOST: usize = 5;

/// … within this time …
const WINDOW: Duration = Duration::from_secs(10);

/// … cost a pause of this length, which doubles each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Failed INITs and crashes of one function.
#[derive(Debug, Default)]
pub(crate) struct Setbacks {
    recent: VecDeque<Instant>,
    pause: Option<Duration>,
    until: Option<Instant>,
}

impl Setbacks {
    /// An INIT failed or an environment crashed.
    pub(crate) fn record(&mut self, now: Instant) {
        self.recent.retain(|at| now.saturating_duration_since(*at) < WINDOW);
        self.recent.push_back(now);
        if self.recent.len() >= MOST {
            let pause = self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
            (self.pause, self.until) = (Some(pause), Some(now + pause));
            self.recent.clear();
        }
    }

    /// An invocation succeeded: the next pause is short again.
    pub(crate) fn forget(&mut self) {
        if !self.recent.is_empty() || self.pause.is_some() {
            *self = Self::default();
        }
    }

    /// Whether no environment should be started now.
    pub(crate) fn is_paused(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_within_ten_seconds_cost_a_pause_that_doubles() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut setbacks = Setbacks::default();
        (0..4).for_each(|second| setbacks.record(at(second)));
        assert!(!setbacks.is_paused(at(3)));
        setbacks.record(at(11));
        assert!(!setbacks.is_paused(at(11)), "the first two are too old");
        setbacks.record(at(11));
        assert!(!setbacks.is_paused(at(11)));
        setbacks.record(at(11));
        assert!(setbacks.is_paused(at(11)) && setbacks.is_paused(at(15)) && !setbacks.is_paused(at(16)));
        (0..5).for_each(|_| setbacks.record(at(20)));
        assert!(setbacks.is_paused(at(29)) && !setbacks.is_paused(at(30)));
        for round in 0..10 {
            (0..5).for_each(|_| setbacks.record(at(100 * (round + 1))));
        }
        assert!(setbacks.is_paused(at(1059)) && !setbacks.is_paused(at(1060)));
        setbacks.forget();
        assert!(!setbacks.is_paused(at(1001)));
    }
}
