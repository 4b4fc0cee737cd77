//! The process: greeting, INIT, then one invocation after the other.

use crate::{
    engine::{Engine, Fatal},
    failure,
};
use edgehook_protocol::{
    VERSION,
    channel::Channel,
    lambda::{Error, FromEnvironment, RESULT_LIMIT, ToEnvironment},
    wire::Blob,
};
use std::{io, os::unix::net::UnixStream, process::ExitCode, thread};

/// Native stack of the thread that runs the engine, in bytes. `engine` sets the recursion limit so that scripts stay within it.
const STACK: usize = 64 * 1024 * 1024;

/// Open files of an environment (lambda-edge.md 6.1).
const OPEN_FILES: u64 = 1_024;

const MEBIBYTE: u64 = 1024 * 1024;

/// Exit status when INIT failed, or when the process was not started as an environment.
const INIT_FAILED: u8 = 1;

/// Runs this process as a boa environment until the proxy closes the socket.
///
/// The process must have been started through `edgehook_sandbox::Confined`, with the socket as standard input. Exit status:
/// 0 when the socket closes, 1 when the function cannot be loaded or the socket fails, 128 after an unhandled rejection and
/// 129 after an uncaught exception (lambda-edge.md 5.2), else what the function gave to `process.exit`.
#[must_use]
pub fn run() -> ExitCode {
    let serving = thread::Builder::new().name("boa".to_owned()).stack_size(STACK).spawn(serve);
    match serving.map(thread::JoinHandle::join) {
        Ok(Ok(Ok(status))) => ExitCode::from(status),
        // The socket failed, the engine panicked (and said so on standard error), or there is no memory for its stack.
        Ok(Ok(Err(_)) | Err(_)) | Err(_) => ExitCode::from(INIT_FAILED),
    }
}

fn serve() -> io::Result<u8> {
    let mut channel = Channel::new(edgehook_sandbox::channel()?);
    channel.send(&FromEnvironment::Hello { version: VERSION })?;
    let Some(ToEnvironment::Init(function)) = channel.receive()? else { return Ok(0) };
    let memory = u64::from(function.memory) * MEBIBYTE;
    let loaded = Engine::new(&function).and_then(|mut engine| {
        edgehook_sandbox::set_open_file_limit(OPEN_FILES)
            .and_then(|()| edgehook_sandbox::set_memory_limit(memory))
            .map_err(|error| failure::platform(failure::Kind::Environment, format!("limits cannot be set: {error}")))?;
        engine.load(&function)?;
        Ok(engine)
    });
    match loaded {
        Ok(engine) => {
            channel.send(&FromEnvironment::Ready)?;
            answer_invocations(&mut channel, engine)
        }
        Err(error) => {
            channel.send(&FromEnvironment::InitFailed(error))?;
            Ok(INIT_FAILED)
        }
    }
}

fn answer_invocations(channel: &mut Channel<UnixStream>, mut engine: Engine) -> io::Result<u8> {
    while let Some(message) = channel.receive()? {
        let ToEnvironment::Invoke(invocation) = message else {
            return Err(io::Error::other("a second Init"));
        };
        let call = invocation.call;
        let answer = match engine.invoke(&invocation) {
            Ok(Ok(result)) if result.len() > RESULT_LIMIT => {
                FromEnvironment::Failed { call, error: Error::too_large(result.len()) }
            }
            Ok(Ok(result)) => FromEnvironment::Done { call, result: Blob(result.into_bytes()) },
            Ok(Err(error)) => FromEnvironment::Failed { call, error },
            // Not answered: the end of the process is the answer, and no later invocation can be lost to it.
            Err(Fatal::Rejection) => return Ok(128),
            Err(Fatal::Exception) => return Ok(129),
        };
        channel.send(&answer)?;
    }
    Ok(0)
}
