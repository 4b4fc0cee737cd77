//! When the first origin of a group is asked, and when the second at once. Pure: `now` is an argument.
//!
//! Health is seen in passing, from the requests that are made anyway. After a failure the first origin is left alone for a
//! while; then one request tries it, and until that one is answered the others keep to the second, so that an origin that comes
//! and goes is neither stormed nor believed too early (security.md X05).

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How the first origin of a group is doing.
#[derive(Debug)]
pub struct Health {
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// Left alone until then.
    Down {
        since: Instant,
        until: Instant,
    },
}

/// Whom to ask first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The first origin of the group.
    Primary,
    /// The second: the first is being left alone.
    Secondary,
}

impl Health {
    /// An origin that is taken to be well, and is left alone for `pause` after a failure.
    #[must_use]
    pub fn new(pause: Duration) -> Self {
        Self { pause, state: Mutex::new(State::Up) }
    }

    /// Whom a request at `now` asks first. When the pause is over, one request is told to try the first origin.
    #[must_use]
    pub fn first(&self, now: Instant) -> First {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Up => First::Primary,
            State::Down { until, .. } if now < until => First::Secondary,
            State::Down { since, .. } => {
                *state = State::Down { since, until: now + self.pause };
                First::Primary
            }
        }
    }

    /// The first origin failed at `now`.
    pub fn failed(&self, now: Instant) {
        if !self.pause.is_zero() {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            *state = State::Down { since: now, until: now + self.pause };
        }
    }

    /// The first origin gave a good answer to a request that was made at `asked`. What was asked before the failure says nothing.
    pub fn answered(&self, asked: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Down { since, .. } = *state
            && asked >= since
        {
            *state = State::Up;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn without_a_pause_the_first_is_always_asked_first() {
        let (health, now) = (Health::new(Duration::ZERO), Instant::now());
        health.failed(now);
        assert_eq!(health.first(now), First::Primary);
    }

    #[test]
    fn after_a_failure_it_is_left_alone_and_then_tried_by_one() {
        let (health, start) = (Health::new(10 * SECOND), Instant::now());
        assert_eq!(health.first(start), First::Primary);
        health.failed(start);
        assert_eq!(health.first(start), First::Secondary);
        assert_eq!(health.first(start + 9 * SECOND), First::Secondary);
        // One past the limit: the first request tries, all others keep away.
        let over = start + 10 * SECOND;
        assert_eq!(health.first(over), First::Primary);
        for _ in 0..1000 {
            assert_eq!(health.first(over), First::Secondary);
        }
        health.failed(over + SECOND);
        assert_eq!(health.first(over + 10 * SECOND), First::Secondary, "the pause begins at the failure");
        assert_eq!(health.first(over + 11 * SECOND), First::Primary);
        health.answered(over + 11 * SECOND);
        assert_eq!(health.first(over + 11 * SECOND), First::Primary);
        assert_eq!(health.first(over + 11 * SECOND), First::Primary);
    }

    #[test]
    fn a_trial_that_never_ends_is_followed_by_another() {
        let (health, start) = (Health::new(SECOND), Instant::now());
        health.failed(start);
        assert_eq!(health.first(start + SECOND), First::Primary);
        assert_eq!(health.first(start + 2 * SECOND), First::Primary);
    }

    #[test]
    fn an_old_answer_does_not_make_it_well() {
        let (health, start) = (Health::new(10 * SECOND), Instant::now());
        health.failed(start + SECOND);
        health.answered(start);
        assert_eq!(health.first(start + 2 * SECOND), First::Secondary);
    }

    /// An origin that is down for a second and up for a second, under a request every 10 ms (security.md X05).
    #[test]
    fn a_flapping_origin_sees_few_of_the_requests_that_fail() {
        let (health, start) = (Health::new(5 * SECOND), Instant::now());
        let mut failures = 0;
        for tick in 0..6_000_u32 {
            let now = start + tick * Duration::from_millis(10);
            if health.first(now) == First::Primary {
                if (tick / 100) % 2 == 0 {
                    failures += 1;
                    health.failed(now);
                } else {
                    health.answered(now);
                }
            }
        }
        // 3,000 requests fell into the seconds in which it was down.
        assert!(failures <= 15, "{failures}");
    }
}
