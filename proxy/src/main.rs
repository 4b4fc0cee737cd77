//! The `edgehook` executable.

use edgehook_isolate::RoleAlloc;
use std::process::ExitCode;

/// mimalloc for the proxy; for the processes that run functions what isolates need.
#[global_allocator]
static ALLOCATOR: RoleAlloc = RoleAlloc;

fn main() -> ExitCode {
    edgehook::cli::main()
}
