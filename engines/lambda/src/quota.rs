//! The quota of an environment's `/tmp` as a whole (lambda-edge.md 6.1). A single file beyond it fails in the environment itself,
//! and JavaScript on boa is counted there exactly; what other engines write is looked at from here, while they run and now and
//! then after they have.
//!
//! Absent on purpose: what becomes of an environment that has passed it.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep, timeout_at};

/// How often the folder is looked at while an invocation runs: what can be written in that time is how far the quota can be passed.
const LOOK: Duration = Duration::from_millis(250);

/// After how long a shorter invocation is followed by a look.
const DUE: Duration = Duration::from_secs(1);

/// What an invocation has run into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overrun {
    /// Its deadline.
    Time,
    /// There is more in the folder than there may be.
    Space,
}

/// The quota of one folder, and the clock of the invocations whose folder it is.
#[derive(Debug)]
pub(crate) struct Quota {
    folder: Option<PathBuf>,
    bytes: u64,
    looked: Instant,
    /// Goes off when something may have to be done. One for all invocations: most are over before it does, and to set and
    /// take back a timer costs each of them more than their share of a needless look.
    timer: Pin<Box<Sleep>>,
}

impl Quota {
    /// `bytes` in `folder`, and an eighth more: a file that was stopped at the quota, beside a small one, is still the function's own
    /// affair. Nothing is ever passed without a folder.
    pub(crate) fn new(folder: Option<&Path>, bytes: u64) -> Self {
        Self {
            folder: folder.map(Path::to_owned),
            bytes: bytes.saturating_add(bytes / 8),
            looked: Instant::now(),
            timer: Box::pin(sleep(LOOK)),
        }
    }

    /// Waits until there is more than there may be, until `deadline` at the latest.
    pub(crate) async fn overrun(&mut self, deadline: Instant) -> Overrun {
        loop {
            if self.timer.is_elapsed() || self.timer.deadline() > deadline {
                self.timer.as_mut().reset(deadline.min(Instant::now() + LOOK));
            }
            self.timer.as_mut().await;
            if Instant::now() >= deadline {
                return Overrun::Time;
            }
            match timeout_at(deadline, self.is_passed()).await {
                Ok(false) => {}
                Ok(true) => return Overrun::Space,
                Err(_) => return Overrun::Time,
            }
        }
    }

    /// Whether nobody has looked for some time.
    pub(crate) fn is_due(&self) -> bool {
        self.looked.elapsed() > DUE
    }

    /// Whether there is more than there may be.
    pub(crate) async fn is_passed(&mut self) -> bool {
        let Some(folder) = self.folder.clone() else { return false };
        let bytes = self.bytes;
        let used = tokio::task::spawn_blocking(move || edgehook_sandbox::usage(&folder, bytes)).await;
        self.looked = Instant::now();
        used.is_ok_and(|used| used > bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn up_to_the_limit_and_one_past_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut quota = Quota::new(Some(folder.path()), 8);
        std::fs::write(folder.path().join("a"), [0; 4]).unwrap();
        std::fs::write(folder.path().join("b"), [0; 5]).unwrap();
        assert!(!quota.is_passed().await);
        std::fs::write(folder.path().join("c"), [0; 1]).unwrap();
        assert_eq!(quota.overrun(Instant::now() + Duration::from_secs(3600)).await, Overrun::Space);
    }

    #[tokio::test(start_paused = true)]
    async fn one_timer_serves_one_deadline_after_the_other() {
        let mut quota = Quota::new(None, 0);
        let begun = Instant::now();
        for (after, expected) in [(10, 10), (1_000, 1_010), (0, 1_010), (3, 1_013), (600, 1_613)] {
            let deadline = Instant::now() + Duration::from_millis(after);
            assert_eq!(quota.overrun(deadline).await, Overrun::Time);
            let late = begun.elapsed() - Duration::from_millis(expected);
            assert!(late <= Duration::from_millis(1), "{late:?} after {expected} ms");
        }
    }
}
