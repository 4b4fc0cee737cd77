//! The process: greeting, INIT, then one invocation after the other; and the template of which environments are copies.

use crate::interpreter::{Interpreter, Stop};
use edgehook_protocol::{
    VERSION,
    channel::Channel,
    lambda::{Error, FromEnvironment, Function, NetworkSetting, RESULT_LIMIT, ToEnvironment, tell_of_gate},
    wire::Blob,
};
use edgehook_sandbox::{
    DEVICES, EnvironmentRules, Handing, NetworkUse, PrivateFolders, ProcessUse, SYSTEM_FILES, Template,
};
use std::{
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Open files of an environment (lambda-edge.md 6.1).
const OPEN_FILES: u64 = 1_024;

const MEBIBYTE: u64 = 1024 * 1024;

/// Exit status when INIT failed, or when the process was not started as an environment.
const INIT_FAILED: u8 = 1;

/// What an environment reads besides Python's library, its own folders and [`SYSTEM_FILES`].
const READABLE: [&str; 5] =
    ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/usr/share/ca-certificates"];

/// Runs this process as an environment until the proxy closes the socket or the function exits; with `copies` as the
/// template that environments are copied from.
pub(crate) fn run(copies: bool) -> ExitCode {
    match if copies { serve_copies() } else { serve_alone() } {
        Ok(status) => ExitCode::from(status),
        Err(_) => ExitCode::from(INIT_FAILED),
    }
}

fn serve_copies() -> io::Result<u8> {
    let mut template = Template::new()?;
    let interpreter = Interpreter::warm();
    match template.next_copy()? {
        Some(channel) => {
            drop(template);
            serve(channel, interpreter)
        }
        None => Ok(0),
    }
}

fn serve_alone() -> io::Result<u8> {
    let channel = edgehook_sandbox::channel()?;
    serve(channel, Interpreter::warm())
}

fn serve(channel: UnixStream, interpreter: Result<Interpreter, Stop>) -> io::Result<u8> {
    let mut channel = Channel::new(channel);
    channel.send(&FromEnvironment::Hello { version: VERSION })?;
    let Some(ToEnvironment::Init(function)) = channel.receive()? else { return Ok(0) };
    let loaded = interpreter.and_then(|interpreter| {
        let (function, tmp, layers) = confine(*function, interpreter.folders()?, &mut channel)?;
        interpreter.prepare(&function, &tmp)?;
        interpreter.load(&function)?;
        Ok((interpreter, layers))
    });
    match loaded {
        Ok((interpreter, layers)) => {
            channel.send(&FromEnvironment::Ready { layers })?;
            answer_invocations(&mut channel, &interpreter)
        }
        Err(Stop::Failed(error)) => {
            channel.send(&FromEnvironment::InitFailed(error))?;
            Ok(INIT_FAILED)
        }
        Err(Stop::Exit(status)) => Ok(status),
    }
}

/// A function where its folders are now, the folder for temporary files where `/tmp` is not its own, and the layers of the
/// sandbox, with why they are missing.
type Settled = (Function, String, Vec<(String, String)>);

/// Puts the function's folders in their places, sets the limits and gives up what it will not need.
fn confine(function: Function, library: Vec<PathBuf>, channel: &mut Channel<UnixStream>) -> Result<Settled, Stop> {
    let (function, tmp, mut missing) = settle(function, &library);
    let mut readable: Vec<PathBuf> = std::iter::once(&function.root).map(PathBuf::from).collect();
    readable.extend(function.layers.iter().map(PathBuf::from));
    let mut writable = DEVICES.map(PathBuf::from).to_vec();
    if !function.tmp.is_empty() {
        writable.push(PathBuf::from(if tmp.is_empty() { "/tmp" } else { tmp.as_str() }));
    }
    readable.extend(library);
    readable.extend(SYSTEM_FILES.iter().chain(&READABLE).map(PathBuf::from));
    let limits = edgehook_sandbox::die_with_parent()
        .and_then(|()| edgehook_sandbox::set_open_file_limit(OPEN_FILES))
        .and_then(|()| edgehook_sandbox::set_file_size_limit(function.tmp_quota))
        .and_then(|()| edgehook_sandbox::set_memory_limit(u64::from(function.memory) * MEBIBYTE));
    limits.map_err(|error| {
        let (kind, message) = ("Runtime.EnvironmentError".to_owned(), format!("limits cannot be set: {error}"));
        Stop::Failed(Error { kind, message, trace: Vec::new() })
    })?;
    let network = match NetworkSetting::named(&function.network) {
        NetworkSetting::None => NetworkUse::None,
        NetworkSetting::Public => NetworkUse::Gated,
        NetworkSetting::All => NetworkUse::Internet,
    };
    let rules = EnvironmentRules { readable, writable, network, processes: ProcessUse::None };
    let mut keeper =
        |Handing { descriptor, is_made }| tell_of_gate(channel, std::process::id(), descriptor, is_made, "");
    let layers = edgehook_sandbox::confine_environment(&rules, Some(&mut keeper)).into_iter();
    missing.extend(layers.map(|(name, state)| (name.to_owned(), state.missing().unwrap_or_default().to_owned())));
    Ok((function, tmp, missing))
}

/// Puts the function's folders in their places, as far as the system allows it.
fn settle(function: Function, library: &[PathBuf]) -> Settled {
    if function.tmp.is_empty() {
        return (function, String::new(), Vec::new());
    }
    let mut keep = vec![PathBuf::from(&function.root)];
    keep.extend(function.layers.iter().map(PathBuf::from));
    keep.extend_from_slice(library);
    let places = edgehook_sandbox::private_folders(&PrivateFolders {
        tmp: Path::new(&function.tmp),
        code: Path::new(&function.root),
        over: None,
        layers: function.layers.first().map(Path::new),
        keep: &keep,
    });
    let tmp = if places.tmp { String::new() } else { function.tmp.clone() };
    (function.mounted(places.code, places.layers), tmp, places.report)
}

fn answer_invocations(channel: &mut Channel<UnixStream>, interpreter: &Interpreter) -> io::Result<u8> {
    while let Some(message) = channel.receive()? {
        let ToEnvironment::Invoke(invocation) = message else {
            return Err(io::Error::other("a second Init"));
        };
        let call = invocation.call;
        let outcome = interpreter.invoke(&invocation);
        let memory = edgehook_sandbox::peak_memory();
        let answer = match outcome {
            Ok(result) if result.len() > RESULT_LIMIT => {
                FromEnvironment::Failed { call, error: Error::too_large(result.len()), memory }
            }
            Ok(result) => FromEnvironment::Done { call, result: Blob(result), memory },
            Err(Stop::Failed(error)) => FromEnvironment::Failed { call, error, memory },
            // Not answered: the end of the process is the answer.
            Err(Stop::Exit(status)) => return Ok(status),
        };
        channel.send(&answer)?;
    }
    Ok(0)
}
