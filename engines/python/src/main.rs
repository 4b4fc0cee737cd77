//! `edgehook-python`: one environment for Lambda functions in Python, which is one process with CPython in it.
//!
//! The proxy starts it with a Unix socket as standard input. It greets, loads the function it is sent, then answers one
//! invocation at a time until the socket closes. The frames are handled here; everything about Python's side is in
//! `src/bootstrap.py`, which `interpreter` calls. Exit status: 0 when the socket closes, 1 when the function cannot be
//! loaded or the socket fails, else what the function gave to `sys.exit`. `edgehook-python --version` tells the version,
//! and which Python is in it.
//!
//! Built on a machine without a libpython, the binary has no Python in it: INIT fails with a text that says what to install.
//!
//! Absent on purpose: deadlines and sandboxing (both come from outside), and the contract of events and results (both pass
//! through as JSON).

mod environment;
#[cfg(libpython)]
mod interpreter;
#[cfg(not(libpython))]
#[path = "missing.rs"]
mod interpreter;

use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

/// The whole environment that CPython starts with: UTF-8 everywhere, and nothing that could send it to another Python's
/// library. The function's own variables are set later, from within.
const VARIABLES: [(&str, &str); 1] = [("LC_CTYPE", "C.UTF-8")];

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("--version") => {
            let line = format!("edgehook-python {} ({})\n", env!("CARGO_PKG_VERSION"), interpreter::version());
            let written = io::stdout().write_all(line.as_bytes());
            ExitCode::from(u8::from(written.is_err()))
        }
        Some("copies") => run_with_plain_variables(true),
        Some(_) => {
            let text =
                "edgehook-python runs Python functions for the proxy, which starts it; the only option is --version\n";
            // With standard error closed there is nobody to tell.
            let _ = io::stderr().write_all(text.as_bytes());
            ExitCode::from(2)
        }
        None => run_with_plain_variables(false),
    }
}

/// Runs the environment, after starting this executable again if it was given other variables than [`VARIABLES`]: CPython
/// reads them before any of our code could change them. The process, its socket and its limits stay the same.
fn run_with_plain_variables(copies: bool) -> ExitCode {
    let plain = VARIABLES.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    if env::vars_os().eq(plain) {
        return environment::run(copies);
    }
    let error = Command::new("/proc/self/exe").args(env::args_os().skip(1)).env_clear().envs(VARIABLES).exec();
    // With standard error closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "edgehook-python cannot start itself again: {error}");
    ExitCode::FAILURE
}
