//! A child process held by its descriptor, so that its number can never mean another process.

use nix::{
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::Pid,
};
use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::process::ExitStatusExt as _,
    },
    process::ExitStatus,
};

/// A child of this process. Its descriptor is readable once it has exited.
///
/// Dropping it does nothing: who owns one kills it and waits for it, or leaves a zombie.
#[derive(Debug)]
pub struct Process {
    number: u32,
    descriptor: OwnedFd,
    status: Option<ExitStatus>,
}

impl Process {
    /// The child with this number, which nobody else may wait for.
    ///
    /// # Errors
    /// There is no such process, or the kernel has no process descriptors (Linux 5.3).
    pub fn of_child(number: u32) -> io::Result<Self> {
        Ok(Self::new(number, open(number)?))
    }

    /// The child with this number and this descriptor.
    #[must_use]
    pub fn new(number: u32, descriptor: OwnedFd) -> Self {
        Self { number, descriptor, status: None }
    }

    /// Its process id.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Sends it a signal. One that has ended is no error.
    pub fn signal(&self, signal: Signal) {
        // SAFETY: the call takes integers and a null pointer, which stands for the default information, and changes
        // nothing in this process.
        unsafe {
            let none = std::ptr::null::<libc::siginfo_t>();
            libc::syscall(libc::SYS_pidfd_send_signal, self.descriptor.as_raw_fd(), signal as libc::c_int, none, 0);
        }
    }

    /// Sends a signal to the group that it leads.
    pub fn signal_group(&self, signal: Signal) {
        // Until somebody has waited for the leader, the group's number cannot have passed to others.
        if self.status.is_none()
            && let Ok(number) = i32::try_from(self.number)
            && number > 1
        {
            let _ = killpg(Pid::from_raw(number), signal);
        }
    }

    /// Kills it and its group.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
        self.signal_group(Signal::SIGKILL);
    }

    /// How it ended, once it has; then it is no zombie any more, and nothing of its group is left.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.collect(WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG)
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Option<ExitStatus> {
        self.collect(WaitPidFlag::WEXITED)
    }

    fn collect(&mut self, flags: WaitPidFlag) -> Option<ExitStatus> {
        if self.status.is_none() {
            let ended = waitid(Id::PIDFd(self.descriptor.as_fd()), flags | WaitPidFlag::WNOWAIT);
            match ended {
                // While it is a zombie the group's number is its own.
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => self.signal_group(Signal::SIGKILL),
                Ok(WaitStatus::StillAlive) => return None,
                _ => {}
            }
            let waited = waitid(Id::PIDFd(self.descriptor.as_fd()), flags);
            self.status = match waited {
                Ok(WaitStatus::Exited(_, code)) => Some(ExitStatus::from_raw((code & 0xff) << 8)),
                Ok(WaitStatus::Signaled(_, signal, _)) => Some(ExitStatus::from_raw(signal as i32)),
                Ok(_) => None,
                // Someone else has waited for it, or a signal that has no name ended it: it is gone.
                Err(_) => Some(ExitStatus::from_raw(Signal::SIGKILL as i32)),
            };
        }
        self.status
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for Process {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// A descriptor of the process with this number.
pub(crate) fn open(number: u32) -> io::Result<OwnedFd> {
    let number = i32::try_from(number).map_err(io::Error::other)?;
    // SAFETY: the call takes two integers. The descriptor that it returns is new and close-on-exec, and belongs to nobody
    // else.
    unsafe { made(libc::syscall(libc::SYS_pidfd_open, number, 0)) }
}

/// The descriptor that a system call has made, or its error.
///
/// # Safety
/// A descriptor is new, and nobody else has it.
pub(crate) unsafe fn made(result: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(result) {
        // SAFETY: as the caller promises.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::process::CommandExt as _,
        process::{Command, Stdio},
    };

    #[expect(clippy::zombie_processes, reason = "the process that is returned is waited for")]
    fn shell(script: &str) -> Process {
        let mut command = Command::new("/bin/sh");
        let child = command.args(["-c", script]).stdin(Stdio::null()).process_group(0).spawn().unwrap();
        Process::of_child(child.id()).unwrap()
    }

    #[test]
    fn ends_are_told_as_they_were() {
        assert_eq!(shell("exit 7").wait().unwrap().code(), Some(7));
        assert_eq!(shell("kill -TERM $$").wait().unwrap().signal(), Some(15));
        let mut sleeper = shell("exec sleep 600");
        assert_eq!(sleeper.try_wait(), None);
        sleeper.kill();
        assert_eq!(sleeper.wait().unwrap().signal(), Some(9));
        assert_eq!(sleeper.wait().unwrap().signal(), Some(9), "told again");
        sleeper.kill();
    }
}
