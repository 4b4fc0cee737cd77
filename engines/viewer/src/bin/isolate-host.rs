//! An isolate host as an executable of its own, for this crate's tests; `edgehook` contains the same host as a role.

use edgehook_isolate::IsolateAlloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: IsolateAlloc = IsolateAlloc;

fn main() -> ExitCode {
    edgehook_viewer::host::run()
}
