//! The process: greeting, INIT, then one invocation after the other.

use crate::interpreter::{Interpreter, Stop};
use edgehook_protocol::{
    VERSION,
    channel::Channel,
    lambda::{Error, FromEnvironment, RESULT_LIMIT, ToEnvironment},
    wire::Blob,
};
use std::{io, os::unix::net::UnixStream, process::ExitCode};

/// Open files of an environment (lambda-edge.md 6.1).
const OPEN_FILES: u64 = 1_024;

const MEBIBYTE: u64 = 1024 * 1024;

/// Exit status when INIT failed, or when the process was not started as an environment.
const INIT_FAILED: u8 = 1;

/// Runs this process as an environment until the proxy closes the socket or the function exits.
pub(crate) fn run() -> ExitCode {
    match serve() {
        Ok(status) => ExitCode::from(status),
        Err(_) => ExitCode::from(INIT_FAILED),
    }
}

fn serve() -> io::Result<u8> {
    let mut channel = Channel::new(edgehook_sandbox::channel()?);
    channel.send(&FromEnvironment::Hello { version: VERSION })?;
    let Some(ToEnvironment::Init(function)) = channel.receive()? else { return Ok(0) };
    let memory = u64::from(function.memory) * MEBIBYTE;
    let loaded = Interpreter::start(&function).and_then(|interpreter| {
        edgehook_sandbox::set_open_file_limit(OPEN_FILES)
            .and_then(|()| edgehook_sandbox::set_memory_limit(memory))
            .map_err(|error| {
                Stop::Failed(Error {
                    kind: "Runtime.EnvironmentError".to_owned(),
                    message: format!("limits cannot be set: {error}"),
                    trace: Vec::new(),
                })
            })?;
        interpreter.load(&function)?;
        Ok(interpreter)
    });
    match loaded {
        Ok(interpreter) => {
            channel.send(&FromEnvironment::Ready)?;
            answer_invocations(&mut channel, &interpreter)
        }
        Err(Stop::Failed(error)) => {
            channel.send(&FromEnvironment::InitFailed(error))?;
            Ok(INIT_FAILED)
        }
        Err(Stop::Exit(status)) => Ok(status),
    }
}

fn answer_invocations(channel: &mut Channel<UnixStream>, interpreter: &Interpreter) -> io::Result<u8> {
    while let Some(message) = channel.receive()? {
        let ToEnvironment::Invoke(invocation) = message else {
            return Err(io::Error::other("a second Init"));
        };
        let call = invocation.call;
        let answer = match interpreter.invoke(&invocation) {
            Ok(result) if result.len() > RESULT_LIMIT => {
                FromEnvironment::Failed { call, error: Error::too_large(result.len()) }
            }
            Ok(result) => FromEnvironment::Done { call, result: Blob(result) },
            Err(Stop::Failed(error)) => FromEnvironment::Failed { call, error },
            // Not answered: the end of the process is the answer.
            Err(Stop::Exit(status)) => return Ok(status),
        };
        channel.send(&answer)?;
    }
    Ok(0)
}
