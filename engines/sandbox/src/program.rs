//! Starting a program that nobody here has written, confined before its first instruction.
//!
//! [`Program::spawn`] is called by the process that stands between such a program and the proxy; the program is in that process's
//! group, from which it cannot leave, and dies with it. [`watch_over_group`] prepares the process in between: it outlives the
//! proxy by the moment that it takes to kill the whole group.
//!
//! Absent on purpose: what the program speaks, and who may connect to what.

use crate::{
    Process,
    confine::{EnvironmentRules, Handing, confine_environment},
    process::{confined_parent, set_dying_with_parent},
};
use nix::{
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        signal::Signal,
    },
    unistd::Pid,
};
use std::{
    ffi::OsString,
    fs,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd, RawFd},
        unix::process::CommandExt as _,
    },
    path::PathBuf,
    process::{Command, Stdio},
};

/// The descriptor that a program finds [`Program::records`] at.
pub const RECORDS: RawFd = 3;

/// A program to start, with its limits.
pub struct Program {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// All of its environment variables.
    pub variables: Vec<(String, String)>,
    /// Where it starts.
    pub folder: PathBuf,
    /// What it may do.
    pub rules: EnvironmentRules,
    /// Most open files of each process.
    pub open_files: u64,
    /// Largest file that it may write, in bytes.
    pub file_size: u64,
    /// Most private memory of each process, in bytes (`RLIMIT_DATA`).
    pub data: u64,
    /// A pipe that it may write to, as descriptor [`RECORDS`].
    pub records: OwnedFd,
    /// Speaks to whoever holds its gate ([`confine_environment`]), in the new process.
    pub keeper: Keep,
}

/// Speaks to whoever holds a gate, in another process than the one that made it.
pub type Keep = Box<dyn FnMut(Handing) -> io::Result<bool> + Send + Sync>;

impl Program {
    /// Starts it, with this process's output and error streams and nothing to read. Tells which layers of the sandbox are
    /// missing and why; an empty text: the layer is there.
    ///
    /// # Errors
    /// It cannot be started, or this process has more than one thread.
    pub fn spawn(self) -> io::Result<(Process, Vec<(String, String)>)> {
        if fs::read_dir("/proc/self/task")?.count() != 1 {
            return Err(io::Error::other("a program can be confined only by a process of one thread"));
        }
        let (mut told, mut tell) = io::pipe()?;
        let Self { program, arguments, variables, folder, rules, open_files, file_size, data, records, mut keeper } =
            self;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(variables).current_dir(folder).stdin(Stdio::null());
        let parent = std::process::id();
        // SAFETY: the closure runs in the forked child before `exec`. This process has one thread, as was just seen, so the
        // child is a whole copy of it: no lock is held by a thread that is missing, and allocating is as safe as before.
        // `dup2` overwrites a descriptor of the child alone, whose owner there never runs: the child goes on to `exec`, or
        // ends.
        unsafe {
            command.pre_exec(move || {
                set_dying_with_parent(parent)?;
                crate::set_open_file_limit(open_files)?;
                crate::set_file_size_limit(file_size)?;
                lower(Resource::RLIMIT_DATA, data)?;
                let mut text = String::new();
                for (name, state) in confine_environment(&rules, Some(&mut *keeper)) {
                    text.push_str(&format!("{name}\t{}\n", state.missing().unwrap_or_default().replace('\n', " ")));
                }
                tell.write_all(text.as_bytes())?;
                // Last: the descriptor may be the pipe's own.
                match if records.as_raw_fd() == RECORDS {
                    libc::fcntl(RECORDS, libc::F_SETFD, 0)
                } else {
                    libc::dup2(records.as_raw_fd(), RECORDS)
                } {
                    -1 => Err(io::Error::last_os_error()),
                    _ => Ok(()),
                }
            });
        }
        let child = command.spawn()?;
        // With it goes this process's end of the pipes.
        drop(command);
        let mut text = String::new();
        told.read_to_string(&mut text)?;
        let layers = text.lines().filter_map(|line| line.split_once('\t'));
        let layers = layers.map(|(name, missing)| (name.to_owned(), missing.to_owned())).collect();
        Ok((Process::of_child(child.id())?, layers))
    }
}

fn lower(resource: Resource, most: u64) -> io::Result<()> {
    let most = getrlimit(resource)?.1.min(most);
    Ok(setrlimit(resource, most, most)?)
}

/// Lets this process see the end of the proxy, which would otherwise be its own end at once, with its group left behind: it is
/// woken, also when it is stopped, and finds its socket closed. Others can neither read its memory nor attach to it.
///
/// # Errors
/// The proxy is gone already, or the system refuses.
pub fn watch_over_group(proxy: u32) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGCONT)?;
    prctl::set_dumpable(false)?;
    if confined_parent() == proxy { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
}

/// The process that started this one.
#[must_use]
pub fn parent() -> u32 {
    confined_parent()
}

/// Ends this process and all others of its group at once.
pub fn kill_own_group() {
    let _ = nix::sys::signal::kill(Pid::from_raw(0), Signal::SIGKILL);
}

/// Ends this process as another ended: by the same signal.
pub fn end_by(signal: i32) {
    if let Ok(signal) = Signal::try_from(signal) {
        // SAFETY: no handler is installed, so none can be unsafe; the process is about to end.
        let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) };
        let _ = nix::sys::signal::raise(signal);
    }
}
