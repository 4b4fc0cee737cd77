//! The Python environment as the proxy sees it: a process that speaks frames. Where the binary was built without Python
//! the tests say that they are skipped; with `EDGEHOOK_REQUIRE_PYTHON` set they fail instead.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "in a harness a failure is the test's failure, and skips are said aloud"
)]

mod clock;
mod harness;
mod invoking;
mod loading;
mod printing;
