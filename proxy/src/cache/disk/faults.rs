//! Faults of the disk on demand, for tests; nothing outside of them.

use std::io;

/// What is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Op {
    Read = 1,
    Write = 2,
    Index = 4,
}

/// The faults of one tier.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    #[cfg(test)]
    failing: std::sync::Arc<std::sync::atomic::AtomicU8>,
}

impl Faults {
    /// Fails if a test has asked for it.
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "in tests it fails, by what is in it")]
    pub(super) fn check(&self, op: Op) -> io::Result<()> {
        #[cfg(test)]
        if self.failing.load(std::sync::atomic::Ordering::SeqCst) & op as u8 != 0 {
            return Err(io::Error::from_raw_os_error(nix::libc::ENOSPC));
        }
        let _ = op;
        Ok(())
    }

    /// Lets operations of these kinds fail from now on, and no others.
    #[cfg(test)]
    pub(super) fn set(&self, ops: &[Op]) {
        let bits = ops.iter().fold(0, |bits, op| bits | *op as u8);
        self.failing.store(bits, std::sync::atomic::Ordering::SeqCst);
    }
}
