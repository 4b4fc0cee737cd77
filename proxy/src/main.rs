//! The `edgehook` executable.

use edgehook_isolate::IsolateAlloc;
use std::process::ExitCode;

/// Passes everything through to the system's allocator, save in the role of an isolate host.
#[global_allocator]
static ALLOCATOR: IsolateAlloc = IsolateAlloc;

fn main() -> ExitCode {
    edgehook::cli::main()
}
