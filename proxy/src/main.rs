//! The `edgehook` executable.

use std::process::ExitCode;

fn main() -> ExitCode {
    edgehook::cli::main()
}
