//! `edgehook completions`: what shells complete, made of the same description of arguments that parses them.

use super::{Arguments, Exit, output::Output};
use clap::CommandFactory as _;
use clap_complete::Shell;

pub(super) fn print(shell: Shell, output: &Output) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "edgehook", &mut script);
    output.result(String::from_utf8_lossy(&script).trim_end());
    Exit::Done
}
