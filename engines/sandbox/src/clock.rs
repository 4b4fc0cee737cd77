//! CPU time of another process, so that a process that was merely not scheduled is not taken for one that runs away.

use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use std::time::Duration;

/// The CPU clock of one process: user and system time of all its threads.
#[derive(Clone, Copy, Debug)]
pub struct CpuClock(ClockId);

impl CpuClock {
    /// The clock of a running process; `None` if there is no such process.
    #[must_use]
    pub fn of(process: u32) -> Option<Self> {
        clock_getcpuclockid(Pid::from_raw(i32::try_from(process).ok()?)).ok().map(Self)
    }

    /// CPU time used so far; `None` once the process is gone.
    #[must_use]
    pub fn now(self) -> Option<Duration> {
        clock_gettime(self.0).ok().map(Duration::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_clock_moves_with_work() {
        let clock = CpuClock::of(std::process::id()).unwrap();
        let start = clock.now().unwrap();
        let mut sum = 0u64;
        while clock.now().unwrap() <= start {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
    }

    #[test]
    fn a_process_that_is_gone_has_no_clock() {
        assert!(CpuClock::of(u32::MAX).is_none());
    }
}
