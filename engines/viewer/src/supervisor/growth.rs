//! Whether a host takes more and more memory: a rewind leaves nothing behind, so one that grows has a fault.

use edgehook_sandbox::private_memory;

/// Growth over what the process had when its functions were loaded, in bytes (security.md 3.1).
const ALLOWED: u64 = 32 * 1024 * 1024;

/// What each function may keep besides: memory that its runs use again, in bytes.
const FOR_EACH_FUNCTION: u64 = 1024 * 1024;

/// Answers between two looks, which are system calls.
const ANSWERS: u32 = 1024;

/// The memory of one process.
#[derive(Debug)]
pub(super) struct Growth {
    process: u32,
    /// What it had at the first look since a function was loaded.
    first: Option<u64>,
    answers: u32,
}

impl Growth {
    pub(super) fn new(process: u32) -> Self {
        Self { process, first: None, answers: 0 }
    }

    /// Notes that a function is to be loaded or removed, which changes what is right.
    pub(super) fn loads(&mut self) {
        self.first = None;
    }

    /// Notes answers of a host that holds so many functions (asked for at a look); whether it has grown too much.
    pub(super) fn answered(&mut self, answers: u32, functions: impl FnOnce() -> usize) -> bool {
        self.answers += answers;
        if self.first.is_some() && self.answers < ANSWERS {
            return false;
        }
        self.answers = 0;
        let Some(now) = private_memory(self.process) else { return false };
        let first = *self.first.get_or_insert(now);
        now.saturating_sub(first) > ALLOWED + functions() as u64 * FOR_EACH_FUNCTION
    }
}
