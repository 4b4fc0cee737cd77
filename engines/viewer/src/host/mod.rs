//! The isolate host: a process that holds viewer functions and runs them one invocation at a time.
//!
//! It reads frames from the socket that it was started with, answers each in turn, and ends when the socket does. Every
//! invocation gets a fresh context in which the function's source is evaluated anew, so nothing that one run does is
//! visible to another.
//!
//! Absent on purpose: time-outs and replacement (the supervisor's), header rules (the contract's).

mod console;
mod event;
mod isolate;
mod outcome;
mod problem;

use edgehook_protocol::{
    VERSION,
    frame::{self, Inbox},
    viewer::{FromHost, Outcome, Problem, ProblemKind, Program, ToHost},
};
use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    process::ExitCode,
};

/// Stack of the thread that runs functions, in bytes: virtual until used. Boa's parser and natives recurse on it.
const STACK: usize = 64 * 1024 * 1024;

/// Most open files of a host. It needs its socket and the standard three.
const OPEN_FILES: u64 = 16;

/// Runs an isolate host until its socket closes. The whole life of the process.
#[must_use]
pub fn run() -> ExitCode {
    let host = std::thread::Builder::new().name("isolate".to_owned()).stack_size(STACK).spawn(|| {
        let channel = edgehook_sandbox::channel()?;
        edgehook_sandbox::set_open_file_limit(OPEN_FILES)?;
        serve(channel)
    });
    match host.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn serve(mut channel: UnixStream) -> io::Result<()> {
    let mut functions = HashMap::new();
    let mut inbox = Inbox::new();
    let mut out = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    frame::append(&FromHost::Hello { version: VERSION }, &mut out);
    loop {
        while let Some(message) = inbox.next_message::<ToHost>().map_err(io::Error::other)? {
            if let Some(answer) = answer(&mut functions, message) {
                frame::append(&answer, &mut out);
                // An answer must not wait for the run behind it.
                channel.write_all(&out)?;
                out.clear();
            }
        }
        channel.write_all(&out)?;
        out.clear();
        match channel.read(&mut buffer)? {
            0 => return Ok(()),
            length => inbox.extend(&buffer[..length]),
        }
    }
}

fn answer(functions: &mut HashMap<u32, Program>, message: ToHost) -> Option<FromHost> {
    match message {
        ToHost::Deploy { function, program } => Some(match isolate::check(&program) {
            Ok(()) => {
                functions.insert(function, program);
                FromHost::Deployed { function }
            }
            Err(problem) => FromHost::Refused { function, problem },
        }),
        ToHost::Remove { function } => {
            functions.remove(&function);
            None
        }
        ToHost::Invoke { call, function, entropy: _, now, event } => {
            let run = match functions.get(&function) {
                Some(program) => isolate::invoke(program, now, &event),
                None => isolate::Run { outcome: Outcome::Failed(unknown(function)), cpu: 0, logs: Vec::new() },
            };
            Some(FromHost::Done { call, outcome: run.outcome, cpu: run.cpu, logs: run.logs })
        }
    }
}

fn unknown(function: u32) -> Problem {
    let message = format!("function number {function} is not loaded on this host");
    Problem { kind: ProblemKind::Abort, message, line: None, column: None }
}
