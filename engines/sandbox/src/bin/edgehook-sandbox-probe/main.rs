//! A stand-in for an isolate host that was taken over: confines itself, then tries one thing. For `tests/confine.rs`.
//!
//! `edgehook-sandbox-probe STAGE ATTEMPT [TEXT]`, started through `Confined`. It has the threads of a host: the main
//! one waits, another ("isolate") does everything after the first half of the confinement. On its socket it says the
//! state of each layer, one per line, and `ready`; it waits for a line, makes its attempt, and says `done` with what
//! came of it. With `list` in the place of both it prints the names of all forbidden attempts instead.
//!
//! Absent on purpose: deciding what should have happened.

mod allowed;
mod forbidden;

use allowed::Prepared;
use edgehook_sandbox::{Confinement, Layers, confine_host};
use std::{
    io::{self, Write as _},
    os::unix::net::UnixStream,
    process::ExitCode,
    thread,
};

/// The stack of a host's thread, in bytes.
const STACK: usize = 64 << 20;

/// How much of the confinement there is.
#[derive(Clone, Copy)]
enum Stage {
    /// None of it, to see that the attempts are good ones.
    Nothing,
    /// All but the system call filter.
    Begun,
    /// All of it, as a host does it.
    Whole,
    /// All of it, but only when a second thread runs.
    Late,
}

impl Stage {
    fn named(name: &str) -> Option<Self> {
        match name {
            "nothing" => Some(Self::Nothing),
            "begun" => Some(Self::Begun),
            "whole" => Some(Self::Whole),
            "late" => Some(Self::Late),
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments = arguments.iter().map(String::as_str);
    let stage = match arguments.next() {
        Some("list") => return list(),
        name => name.and_then(Stage::named),
    };
    let (Some(stage), Some(attempt)) = (stage, arguments.next()) else { return ExitCode::FAILURE };
    match run(stage, attempt, arguments.next().unwrap_or_default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn list() -> ExitCode {
    let names: Vec<&str> = forbidden::calls("").iter().map(|call| call.name).collect();
    match writeln!(io::stdout(), "{}", names.join("\n")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(stage: Stage, attempt: &str, text: &str) -> io::Result<()> {
    let channel = edgehook_sandbox::channel()?;
    // What it needs is made while that is possible.
    let call = forbidden::calls(text).into_iter().find(|call| call.name == attempt);
    let begun = matches!(stage, Stage::Begun | Stage::Whole).then(Confinement::begin);
    let isolate = move || {
        let prepared = Prepared::new()?;
        let (confinement, layers) = match (stage, begun) {
            (Stage::Whole, Some(begun)) => (None, Some(begun.finish())),
            (Stage::Late, _) => (None, Some(confine_host())),
            (_, begun) => (begun, None),
        };
        serve(channel, layers, |channel| match call {
            Some(call) => call.attempt(),
            None => allowed::attempt(attempt, text, channel, &prepared),
        })?;
        drop(confinement);
        Ok(())
    };
    thread::scope(|scope| {
        let thread =
            thread::Builder::new().name("isolate".to_owned()).stack_size(STACK).spawn_scoped(scope, isolate)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")))
    })
}

fn serve(
    mut channel: UnixStream,
    layers: Option<Layers>,
    attempt: impl FnOnce(&mut UnixStream) -> io::Result<()>,
) -> io::Result<()> {
    let mut greeting = String::new();
    for (name, missing) in layers.iter().flat_map(Layers::report) {
        greeting += &format!("{name} {}\n", missing.as_deref().unwrap_or("active"));
    }
    channel.write_all((greeting + "ready\n").as_bytes())?;
    allowed::line(&mut channel)?;
    let done = match attempt(&mut channel) {
        Ok(()) => "allowed".to_owned(),
        Err(error) => match error.raw_os_error() {
            Some(number) => format!("error {number}"),
            None => error.to_string(),
        },
    };
    channel.write_all(format!("done {done}\n").as_bytes())
}
