//! The quota of an environment's `/tmp` as a whole (lambda-edge.md 6.1). A single file beyond it fails in the environment itself,
//! and JavaScript on boa is counted there exactly; what other engines write is looked at from here, while they run and now and
//! then after they have.
//!
//! Absent on purpose: what becomes of an environment that has passed it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How often the folder is looked at while an invocation runs: what can be written in that time is how far the quota can be passed.
const LOOK: Duration = Duration::from_millis(250);

/// After how long a shorter invocation is followed by a look.
const DUE: Duration = Duration::from_secs(1);

/// The quota of one folder.
#[derive(Debug)]
pub(crate) struct Quota {
    folder: Option<PathBuf>,
    bytes: u64,
    looked: Instant,
}

impl Quota {
    /// `bytes` in `folder`, and an eighth more: a file that was stopped at the quota, beside a small one, is still the function's own
    /// affair. Nothing is ever passed without a folder.
    pub(crate) fn new(folder: Option<&Path>, bytes: u64) -> Self {
        Self { folder: folder.map(Path::to_owned), bytes: bytes.saturating_add(bytes / 8), looked: Instant::now() }
    }

    /// Waits until there is more than there may be.
    pub(crate) async fn passed(&mut self) {
        loop {
            sleep(LOOK).await;
            if self.is_passed().await {
                return;
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
        quota.passed().await;
    }
}
