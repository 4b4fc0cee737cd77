//! Rewindable isolates.
mod arena;
mod control;
mod dirty;
mod guard;
mod isolate;
mod mapping;
mod out;
mod panics;
mod pool;
mod signals;
mod snapshot;
mod thread;
mod verdict;

pub use arena::IsolateAlloc;
pub use isolate::{Isolate, LoadError, Refused, Turn};
pub use out::{Full, OutBuffer};
pub use thread::{GuestThread, SetupError, ThreadConfig, on_guest_thread};
pub use verdict::{Budget, Limits, Report, Stats, Verdict};
