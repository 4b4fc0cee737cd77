//! What another process uses: CPU time, so that one that was merely not scheduled is not taken for one that runs away, and memory.

use nix::{
    time::{ClockId, clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use std::{fs, time::Duration};

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

/// Whether a thread of the process runs or waits for a processor. A process that should be working and is not is stopped or
/// stuck, and one that is gone is not either.
#[must_use]
pub fn wants_cpu(process: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return false };
    threads.flatten().any(|thread| {
        // The state follows the name, which stands in parentheses and may hold anything.
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))
    })
}

/// Memory in bytes that a process has to itself and that is no file's; `None` once it is gone.
#[must_use]
pub fn private_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_wants_cpu() {
        assert!(wants_cpu(std::process::id()));
        assert!(!wants_cpu(u32::MAX));
    }

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

    #[test]
    fn memory_in_use_is_told() {
        let before = private_memory(std::process::id()).unwrap();
        let block = std::hint::black_box(vec![1_u8; 32 << 20]);
        assert!(private_memory(std::process::id()).unwrap() >= before + (16 << 20), "{}", block.len());
        assert_eq!(private_memory(u32::MAX), None);
    }
}
