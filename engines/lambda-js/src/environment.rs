//! The process: greeting, INIT, then one invocation after the other; and the template of which environments are copies.

use crate::{
    engine::{Engine, Fatal},
    failure,
};
use edgehook_protocol::{
    VERSION,
    channel::Channel,
    lambda::{Error, FromEnvironment, Function, NetworkSetting, RESULT_LIMIT, ToEnvironment},
    wire::Blob,
};
use edgehook_sandbox::{EnvironmentRules, NetworkUse, ProcessUse, Template};
use std::{
    env, io,
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// Native stack of the main thread, which runs the engine, in bytes. `engine` sets the recursion limit so that scripts stay
/// within it.
const STACK: u64 = 64 * 1024 * 1024;

/// Open files of an environment (lambda-edge.md 6.1).
const OPEN_FILES: u64 = 1_024;

const MEBIBYTE: u64 = 1024 * 1024;

/// Exit status when INIT failed, or when the process was not started as an environment.
const INIT_FAILED: u8 = 1;

/// What a boa environment reads besides its own folders: how names are resolved and who signs certificates.
const READABLE: [&str; 7] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/ssl",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/lib",
];

/// Runs this process as a boa environment until the proxy closes the socket; with `copies` as the template that environments
/// are copied from.
///
/// The process must have been started through `edgehook_sandbox::Confined`, with the socket as standard input. Exit status:
/// 0 when the socket closes, 1 when the function cannot be loaded or the socket fails, 128 after an unhandled rejection and
/// 129 after an uncaught exception (lambda-edge.md 5.2), else what the function gave to `process.exit`.
#[must_use]
pub fn run(copies: bool) -> ExitCode {
    match with_stack().and_then(|()| if copies { serve_copies() } else { serve_alone() }) {
        Ok(status) => ExitCode::from(status),
        // The socket failed, or the limits cannot be set.
        Err(_) => ExitCode::from(INIT_FAILED),
    }
}

/// Starts this executable again where the main thread's stack may grow too little: the limit counts when a program starts.
fn with_stack() -> io::Result<()> {
    if !edgehook_sandbox::raise_stack_limit(STACK)? {
        return Ok(());
    }
    Err(Command::new("/proc/self/exe").args(env::args_os().skip(1)).exec())
}

fn serve_copies() -> io::Result<u8> {
    let mut template = Template::new()?;
    let engine = Engine::warm().map_err(|error| io::Error::other(error.message))?;
    match template.next_copy()? {
        Some(channel) => {
            drop(template);
            serve(channel, engine)
        }
        None => Ok(0),
    }
}

fn serve_alone() -> io::Result<u8> {
    let channel = edgehook_sandbox::channel()?;
    serve(channel, Engine::warm().map_err(|error| io::Error::other(error.message))?)
}

fn serve(channel: UnixStream, mut engine: Engine) -> io::Result<u8> {
    let mut channel = Channel::new(channel);
    channel.send(&FromEnvironment::Hello { version: VERSION })?;
    let Some(ToEnvironment::Init(function)) = channel.receive()? else { return Ok(0) };
    let loaded = engine.prepare(&function).and_then(|()| {
        let layers = confine(&function, engine.temporary())?;
        engine.load(&function)?;
        Ok(layers)
    });
    match loaded {
        Ok(layers) => {
            channel.send(&FromEnvironment::Ready { layers })?;
            answer_invocations(&mut channel, engine)
        }
        Err(error) => {
            channel.send(&FromEnvironment::InitFailed(error))?;
            Ok(INIT_FAILED)
        }
    }
}

/// Sets the limits and gives up what the function will not need; which layers there are, and why others are missing.
fn confine(function: &Function, temporary: &Path) -> Result<Vec<(String, String)>, Error> {
    let limits = edgehook_sandbox::set_open_file_limit(OPEN_FILES)
        .and_then(|()| edgehook_sandbox::set_file_size_limit(function.tmp_quota))
        .and_then(|()| edgehook_sandbox::set_memory_limit(u64::from(function.memory) * MEBIBYTE));
    limits.map_err(|error| failure::platform(failure::Kind::Environment, format!("limits cannot be set: {error}")))?;
    let folders = [function.root.clone()].into_iter().chain(function.layers.iter().cloned());
    let rules = EnvironmentRules {
        readable: folders.chain(READABLE.map(str::to_owned)).map(PathBuf::from).collect(),
        writable: vec![temporary.to_owned()],
        network: match NetworkSetting::named(&function.network) {
            NetworkSetting::None => NetworkUse::None,
            // Every address is judged where requests begin.
            NetworkSetting::Public | NetworkSetting::All => NetworkUse::Internet,
        },
        processes: ProcessUse::None,
    };
    let layers = edgehook_sandbox::confine_environment(&rules, None).into_iter();
    Ok(layers.map(|(name, state)| (name.to_owned(), state.missing().unwrap_or_default().to_owned())).collect())
}

fn answer_invocations(channel: &mut Channel<UnixStream>, mut engine: Engine) -> io::Result<u8> {
    while let Some(message) = channel.receive()? {
        let ToEnvironment::Invoke(invocation) = message else {
            return Err(io::Error::other("a second Init"));
        };
        let call = invocation.call;
        let outcome = engine.invoke(&invocation);
        let memory = edgehook_sandbox::peak_memory();
        let answer = match outcome {
            Ok(Ok(result)) if result.len() > RESULT_LIMIT => {
                FromEnvironment::Failed { call, error: Error::too_large(result.len()), memory }
            }
            Ok(Ok(result)) => FromEnvironment::Done { call, result: Blob(result.into_bytes()), memory },
            Ok(Err(error)) => FromEnvironment::Failed { call, error, memory },
            // Not answered: the end of the process is the answer, and no later invocation can be lost to it.
            Err(Fatal::Rejection) => return Ok(128),
            Err(Fatal::Exception) => return Ok(129),
        };
        channel.send(&answer)?;
    }
    Ok(0)
}
