//! Starting a confined process, and the socket it talks through.

use nix::{
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    path::PathBuf,
    process::{Command, Stdio},
};

/// A process to start.
#[derive(Clone, Debug)]
pub struct Confined {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// All of its environment variables.
    pub variables: Vec<(String, String)>,
    /// Most address space in bytes (`RLIMIT_AS`), or no limit.
    pub address_space: Option<u64>,
    /// Whether standard output and error are piped to the caller; otherwise they lead nowhere.
    pub capture_output: bool,
}

impl Confined {
    /// The command that starts the process, and our end of its socket.
    ///
    /// Spawn it from a thread that lives as long as the process should: the process dies with that thread.
    ///
    /// # Errors
    /// No socket pair could be made.
    pub fn command(&self) -> io::Result<(Command, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::from(OwnedFd::from(theirs)));
        if self.capture_output {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        } else {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        command.process_group(0);
        let address_space = self.address_space;
        let parent = std::process::id();
        // SAFETY: the closure runs in the forked child before `exec`, where only async-signal-safe calls are allowed. It
        // makes plain system calls (`prctl`, `getppid`, `setrlimit`, `close_range`) on values copied in beforehand; it
        // allocates nothing, takes no lock and touches no other memory of the parent. `io::Error::last_os_error` and
        // `from_raw_os_error` build a value without allocating.
        unsafe {
            command.pre_exec(move || confine(parent, address_space));
        }
        Ok((command, ours))
    }
}

/// Runs in the child between fork and exec.
fn confine(parent: u32, address_space: Option<u64>) -> io::Result<()> {
    set_dying_with_parent(parent)?;
    set_limit(libc::RLIMIT_CORE, 0)?;
    if let Some(bytes) = address_space {
        set_limit(libc::RLIMIT_AS, bytes)?;
    }
    // SAFETY: `close_range` with CLOEXEC only marks descriptors of this process; nothing here owns descriptors from 3 up,
    // and what std still needs for `exec` (its error pipe) is marked so already. Kernels before 5.11 answer EINVAL or
    // ENOSYS; descriptors opened by Rust carry the mark in any case, so the result is not needed.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
    Ok(())
}

/// The process that started this one.
pub(crate) fn confined_parent() -> u32 {
    u32::try_from(nix::unistd::getppid().as_raw()).unwrap_or_default()
}

/// Arms the signal that ends this process with its parent once more, after a change of credentials has disarmed it.
///
/// # Errors
/// The parent is gone already, or the system refuses.
pub fn die_with_parent() -> io::Result<()> {
    set_dying_with_parent(confined_parent())
}

pub(crate) fn set_dying_with_parent(parent: u32) -> io::Result<()> {
    // SAFETY: `prctl` with these options takes integers only and changes attributes of this process alone.
    let done = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) == 0
            && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    };
    if !done {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `getppid` takes nothing and cannot fail.
    let now = unsafe { libc::getppid() };
    if u32::try_from(now).ok() != Some(parent) {
        // The proxy died before the signal was armed.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(())
}

fn set_limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: `setrlimit` reads the struct behind the pointer, which lives until the call returns.
    if unsafe { libc::setrlimit(resource, &raw const limit) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Inside a confined process: takes the socket that came as standard input and puts `/dev/null` in its place.
///
/// Call it once, before any user code.
///
/// # Errors
/// The process was not started by [`Confined::command`], or descriptors are exhausted.
pub fn channel() -> io::Result<UnixStream> {
    let input = io::stdin();
    let socket = input.as_fd().try_clone_to_owned()?;
    let stream = UnixStream::from(socket);
    // Only a socket has an address; anything else was not handed over by the proxy.
    stream.local_addr()?;
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(stream)
}

/// Whether a child has exited, without waiting for it: it stays a zombie, and its number its own.
#[must_use]
pub fn has_exited(process: u32) -> bool {
    let Ok(id) = i32::try_from(process) else { return true };
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    !matches!(waitid(Id::Pid(Pid::from_raw(id)), flags), Ok(WaitStatus::StillAlive))
}

/// Kills a process and all that it started in its group. A group that is gone already is no error.
pub fn kill_group(process: u32) {
    if let Ok(id) = i32::try_from(process)
        && id > 1
    {
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    fn shell(script: &str, address_space: Option<u64>) -> Confined {
        Confined {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            variables: vec![("GIVEN".to_owned(), "yes".to_owned())],
            address_space,
            capture_output: true,
        }
    }

    #[test]
    fn the_socket_is_standard_input_and_the_rest_is_gone() {
        let kept = File::open("/dev/null").unwrap();
        let script = "read line; echo \"$line $GIVEN ${HOME-none} $(ls /proc/self/fd | wc -l) $(ulimit -c)\"";
        let (mut command, mut ours) = shell(script, None).command().unwrap();
        let child = command.spawn().unwrap();
        drop(command);
        ours.write_all(b"hello\n").unwrap();
        let output = child.wait_with_output().unwrap();
        drop(kept);
        // Four descriptors: 0, 1, 2 and the one with which `ls` reads the folder.
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "hello yes none 4 0");
    }

    #[test]
    fn the_group_dies_as_a_whole() {
        let (mut command, mut ours) = shell("sleep 600 & echo started; wait", None).command().unwrap();
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut output = child.stdout.take().unwrap();
        let mut line = [0; 8];
        output.read_exact(&mut line).unwrap();
        kill_group(child.id());
        assert!(!child.wait().unwrap().success());
        // The background sleep held the other end of these pipes; they end only when it is dead too.
        assert_eq!(output.read(&mut line).unwrap(), 0);
        assert_eq!(ours.read(&mut line).unwrap(), 0);
    }

    #[test]
    fn address_space_is_bounded() {
        let script = "x=$(head -c 200000000 /dev/zero | tr '\\0' 'x'); echo \"grew to ${#x}\"";
        let (mut command, _ours) = shell(script, Some(64 * 1024 * 1024)).command().unwrap();
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stdout).contains("grew to 200000000"));
    }
}
