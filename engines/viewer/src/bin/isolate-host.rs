//! An isolate host as an executable of its own, for this crate's tests; `edgehook` contains the same host as a role.

use std::process::ExitCode;

fn main() -> ExitCode {
    edgehook_viewer::host::run()
}
