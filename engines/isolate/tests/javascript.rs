//! Guests that hold a JavaScript engine: the corpus of hostile scripts, and pairs of a polluter and its victim.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test: it fails by panicking and tells figures; without a harness clippy does not see that"
)]

mod javascript {
    pub(crate) mod corpus;
    pub(crate) mod engine;
    pub(crate) mod pristine;
}
mod runner;

use edgehook_isolate::{GuestThread, IsolateAlloc, OutBuffer, ThreadConfig, on_guest_thread};
use javascript::{corpus, pristine};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: IsolateAlloc = IsolateAlloc;

/// Runs `test` on a guest thread of its own.
pub(crate) fn on_guest<R: Send>(test: impl FnOnce(&GuestThread, &mut OutBuffer) -> R + Send) -> R {
    on_guest_thread(ThreadConfig::default(), |thread| test(thread, &mut OutBuffer::new(4096).unwrap())).unwrap()
}

fn main() -> ExitCode {
    runner::run(
        &[
            ("pristine::ten_thousand_calls", pristine::ten_thousand_calls),
            ("pristine::polluters_and_victims", pristine::polluters_and_victims),
            ("corpus::as_handlers", corpus::as_handlers),
            ("corpus::as_handlers_with_time_to_spare", corpus::as_handlers_with_time_to_spare),
            ("corpus::as_top_level", corpus::as_top_level),
        ],
        &[
            ("pristine::figures", pristine::figures),
            ("pristine::many_functions", pristine::many_functions),
            ("corpus::shuffled", corpus::shuffled),
        ],
    )
}
