//! How a run ended, and what it used.

use std::{fmt, time::Duration};

/// How a run ended. Every run has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The guest returned, each stage within its budget.
    Finished,
    /// A stage used more CPU time than its budget.
    Time,
    /// The guest asked for more memory than the run's allowance.
    Memory,
    /// The guest reached the end of the thread's stack.
    Stack,
    /// The guest called `abort`.
    Abort,
    /// The guest executed an instruction that does not exist (which is how compiled code gives up) or divided by zero.
    Instruction,
    /// The guest touched memory that it has not. See [`Verdict::taints_host`].
    Fault,
    /// The guest panicked.
    Panic,
}

impl Verdict {
    /// A short name for logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Abort => "abort",
            Self::Instruction => "instruction",
            Self::Fault => "fault",
            Self::Panic => "panic",
        }
    }

    /// Whether the process should be replaced once it is convenient: the guest's code did what no sound code does, and what
    /// else it may have written outside the arena is not known.
    #[must_use]
    pub fn taints_host(self) -> bool {
        self == Self::Fault
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub verdict: Verdict,
    /// In which stage it ended, counted from 0 (see [`crate::Turn::stage`]).
    pub stage: u32,
    /// CPU time of the guest thread in all stages that were not loose.
    pub cpu: Duration,
    /// Most bytes that the run's blocks took at once, beyond the snapshot.
    pub memory: usize,
    /// What a panic said and where, at most 512 bytes.
    pub message: Option<String>,
}

/// The limits of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// CPU time of the guest thread until the first [`crate::Turn::stage`] or the end.
    pub cpu: Duration,
    /// Bytes that it may allocate beyond the snapshot; no more than [`Limits::allowance`] counts.
    pub memory: usize,
}

/// The limits of an isolate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// CPU time for loading.
    pub cpu: Duration,
    /// Bytes that loading may allocate.
    pub memory: usize,
    /// Bytes that the state after loading may take. What was freed on the way does not count.
    pub live: usize,
    /// Most bytes that any run may allocate beyond it.
    pub allowance: usize,
}

impl Default for Limits {
    /// 200 ms and 32 MiB for loading, 2 MiB of state, 8 MiB per run.
    fn default() -> Self {
        let mebibyte = 1024 * 1024;
        Self { cpu: Duration::from_millis(200), memory: 32 * mebibyte, live: 2 * mebibyte, allowance: 8 * mebibyte }
    }
}

/// What an isolate is and has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Runs, and therefore rewinds.
    pub runs: u64,
    /// CPU time of all runs, the rewinds not included.
    pub cpu: Duration,
    /// Bytes of the snapshot's part of the arena, free blocks included.
    pub snapshot: usize,
    /// Bytes of it that are in use.
    pub live: usize,
    /// Pages of it that a rewind copies back.
    pub dirty_pages: usize,
    /// Bytes of static data and thread-locals that are exchanged at the beginning and at the end of a run.
    pub exchanged: usize,
    /// Bytes of static data and thread-locals altogether.
    pub statics: usize,
}
