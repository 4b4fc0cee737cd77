//! A template: a warmed process of one thread that makes copies of itself on demand, so that a new environment costs a
//! `fork` and no start of an engine.
//!
//! The proxy starts a template like any confined process and asks for a copy with [`request_copy`]; the template answers from
//! [`Template::next_copy`]. A copy is the template's *sibling*: a child of the proxy, which waits for it and which it dies with.
//! It has a socket, an output and an error stream of its own and shares nothing with the template but memory that neither
//! has written to since.
//!
//! Absent on purpose: what is warmed, and what a copy does.

use crate::{
    Receiver, channel, child,
    process::{confined_parent, set_dying_with_parent},
    send_with,
};
use nix::unistd::{Pid, dup2_stderr, dup2_stdout, setpgid};
use std::{
    fs, io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

/// Bytes of an answer: a process number, or 0 and an error number.
pub const ANSWER: usize = 8;

/// Inside a template: the socket on which copies are asked for.
#[derive(Debug)]
pub struct Template {
    socket: UnixStream,
    parent: u32,
}

impl Template {
    /// Takes the socket that came as standard input. Call it once, in the process that will be copied.
    ///
    /// # Errors
    /// The process was not started by [`Confined::command`](crate::Confined::command).
    pub fn new() -> io::Result<Self> {
        Ok(Self { socket: channel()?, parent: confined_parent() })
    }

    /// Makes copies as they are asked for. Returns in each copy, with the socket that it talks to the proxy through; in the
    /// template itself only when the proxy has closed its end, with `None`.
    ///
    /// # Errors
    /// The socket fails, or there are other threads: a copy would have only the one that made it, and perhaps locks that
    /// the others held.
    pub fn next_copy(&mut self) -> io::Result<Option<UnixStream>> {
        loop {
            let Some([channel, output, errors]) = self.requested()? else { return Ok(None) };
            if fs::read_dir("/proc/self/task")?.count() != 1 {
                return Err(io::Error::other("a template must have one thread"));
            }
            match fork_sibling() {
                Ok(None) => return self.become_copy(channel, output, errors).map(Some),
                Ok(Some(number)) => {
                    // The copy cannot be gone from the table before its parent, the proxy, knows its number.
                    let descriptor = child::open(number)?;
                    let answer = [number.to_le_bytes(), [0; 4]].concat();
                    send_with(&self.socket, &answer, Some(descriptor.as_fd()))?;
                }
                Err(error) => {
                    let answer = [[0; 4], error.raw_os_error().unwrap_or_default().to_le_bytes()].concat();
                    send_with(&self.socket, &answer, None)?;
                }
            }
        }
    }

    fn requested(&mut self) -> io::Result<Option<[OwnedFd; 3]>> {
        let mut receiver = Receiver::default();
        let mut descriptors = Vec::new();
        while descriptors.len() < 3 {
            if receiver.receive(&self.socket, &mut [0])? == 0 {
                return Ok(None);
            }
            descriptors.extend(receiver.descriptor());
        }
        descriptors.try_into().map(Some).map_err(|_| io::Error::other("three descriptors make a request"))
    }

    fn become_copy(&mut self, channel: OwnedFd, output: OwnedFd, errors: OwnedFd) -> io::Result<UnixStream> {
        set_dying_with_parent(self.parent)?;
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        dup2_stdout(&output)?;
        dup2_stderr(&errors)?;
        let channel = UnixStream::from(channel);
        // For `ps`, where it would look like its template.
        nix::sys::prctl::set_name(c"environment")?;
        // The template's own socket must not be held open by its copies.
        self.socket = channel.try_clone()?;
        Ok(channel)
    }
}

/// Asks a template for a copy that gets these three as socket, standard output and standard error; the socket to the template
/// is written to without waiting. The answer is read with a [`Receiver`]: [`ANSWER`] bytes, and the copy's descriptor.
///
/// # Errors
/// The template is gone.
pub fn request_copy(template: impl std::os::fd::AsFd, descriptors: [BorrowedFd<'_>; 3]) -> io::Result<()> {
    for descriptor in descriptors {
        send_with(template.as_fd(), &[1], Some(descriptor))?;
    }
    Ok(())
}

/// `fork`, but the new process is the caller's sibling. `None` in the new process, its number in the caller.
fn fork_sibling() -> io::Result<Option<u32>> {
    // SAFETY: without CLONE_VM this is what `fork` does: the new process has a copy of everything and runs on a copy of
    // this stack, so no memory is shared. The caller has checked that there is one thread, so no lock is held by a thread
    // that the copy lacks, and no `atfork` handler, which this does not run, has anything to do. The C library keeps no
    // process number; the thread number that it keeps is used for locks that ask who holds them, where a wrong number that
    // stays the same does no harm.
    let number = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0) };
    match u32::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}
