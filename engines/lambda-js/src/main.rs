//! The boa environment as an executable of its own, so that it can be tested and run without the proxy. Everything is in
//! the library: the `edgehook` executable runs the same function in another role.

use std::process::ExitCode;

fn main() -> ExitCode {
    edgehook_lambda_js::run(std::env::args().nth(1).as_deref() == Some("copies"))
}
