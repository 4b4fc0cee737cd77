//! The gate before the network: calls of a confined process that name an address wait in the kernel until the holder of the
//! gate has looked at them (`seccomp_unotify(2)`, Linux 5.6).
//!
//! The kernel's filters cannot read addresses, for those lie in the process's memory, where it could change them between look and
//! call. So the holder never lets such a call go on: it takes a copy of address and bytes, and of the socket, and makes the
//! call itself, with what it judged. `connect` is made that way, and sending with an address or a message header; sending on a
//! connected socket does not come here.
//!
//! [`Gate::next`] takes what waits, [`Gate::settle`] answers it, and both never wait for the network: what would block comes
//! back as [`Blocked`], to be [resumed](Gate::resume) when its socket is writable. (One thing can make `settle` wait: a process that
//! switches its socket to blocking in the very moment. [`Gate::abandon`] ends that.)
//!
//! Absent on purpose: which addresses are permitted, and installing the filter (`confine::gate`).

mod message;
mod socket;

use crate::child;
use libc::{c_int, c_long, seccomp_notif, seccomp_notif_resp};
use message::{Message, message_headers};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use socket::Socket;
use std::{
    fs, io,
    net::SocketAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    sync::{Arc, Mutex, PoisonError},
};

/// Messages of one `sendmmsg` that are sent; the call tells how many were.
const AT_ONCE: u64 = 16;

/// Longest socket address (`sockaddr_storage`).
const ADDRESS: u64 = 128;

/// The holder's end of a gate. Dropping it lets nothing pass any more.
#[derive(Debug)]
pub struct Gate {
    listener: OwnedFd,
    /// Sockets that are being connected at this moment.
    connecting: Mutex<Vec<Arc<Socket>>>,
}

/// A call that waits at the gate.
#[derive(Debug)]
pub struct Attempt {
    id: u64,
    thread: u32,
    call: c_long,
    arguments: [u64; 6],
}

/// A call that goes on when its socket, which this holds open, is writable.
#[derive(Debug)]
pub struct Blocked {
    id: u64,
    socket: Arc<Socket>,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Connected,
    Send { message: Message, flags: c_int },
}

/// What came of a call.
enum Outcome {
    Value(i64),
    Blocks(Arc<Socket>, Rest),
}

impl Gate {
    /// Takes the gate of `process` over, which it has open as `descriptor`.
    ///
    /// # Errors
    /// This process may not look into that one, or it has no such descriptor.
    pub fn take(process: u32, descriptor: u32) -> io::Result<Self> {
        Ok(Self { listener: taken(process, descriptor)?, connecting: Mutex::default() })
    }

    /// What has waited longest; `None` when nothing waits.
    ///
    /// # Errors
    /// Nobody is behind the gate any more.
    pub fn next(&self) -> io::Result<Option<Attempt>> {
        let mut polled = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::ZERO)?;
        let flags = polled[0].revents().unwrap_or(PollFlags::empty());
        if !flags.contains(PollFlags::POLLIN) {
            let gone = flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR);
            return if gone { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
        }
        // SAFETY: all of its fields are integers.
        let mut notice: seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one such structure. It does not wait: something was there a moment ago, and this is the only
        // reader; what has gone since is told by an error.
        let received =
            unsafe { libc::ioctl(self.listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) };
        if received == -1 {
            return match Errno::last() {
                Errno::ENOENT | Errno::EINTR => Ok(None),
                other => Err(other.into()),
            };
        }
        let seccomp_notif { id, pid, data, .. } = notice;
        Ok(Some(Attempt { id, thread: pid, call: data.nr.into(), arguments: data.args }))
    }

    /// Makes the call in the place of the process if `permits` says so of its address, and answers it: `EACCES` if not. What
    /// would block is returned.
    pub fn settle(&self, attempt: &Attempt, permits: &dyn Fn(SocketAddr) -> bool) -> Option<Blocked> {
        let made = match attempt.call {
            libc::SYS_connect => self.connect(attempt, permits),
            libc::SYS_sendto => self.send_to(attempt, permits),
            libc::SYS_sendmsg => self.send_message(attempt, attempt.arguments[1], attempt.arguments[2], permits),
            libc::SYS_sendmmsg => self.send_messages(attempt, permits),
            _ => Err(Errno::ENOSYS),
        };
        self.conclude(attempt.id, made)
    }

    /// Goes on with what was blocked, now that its socket is writable.
    pub fn resume(&self, blocked: Blocked) -> Option<Blocked> {
        let Blocked { id, socket, rest } = blocked;
        let made = match rest {
            Rest::Connected => socket.connected().map(|()| Outcome::Value(0)),
            Rest::Send { message, flags } => sent(&socket, message, flags),
        };
        self.conclude(id, made)
    }

    /// Ends what is being connected: nobody waits for it any more.
    pub fn abandon(&self) {
        self.connecting.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|socket| socket.shut_down());
    }

    fn conclude(&self, id: u64, made: Result<Outcome, Errno>) -> Option<Blocked> {
        let (value, error) = match made {
            Ok(Outcome::Blocks(socket, rest)) => return Some(Blocked { id, socket, rest }),
            Ok(Outcome::Value(value)) => (value, 0),
            Err(error) => (0, -(error as i32)),
        };
        let mut answer = seccomp_notif_resp { id, val: value, error, flags: 0 };
        // SAFETY: the kernel reads one such structure. That the call waits no longer is no error here.
        unsafe { libc::ioctl(self.listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
        None
    }

    /// Whether the call still waits: so that what was read and copied is of the process that made it, and not of another that
    /// has its number now.
    fn waits(&self, attempt: &Attempt) -> Result<(), Errno> {
        let mut id = attempt.id;
        // SAFETY: the kernel reads one integer.
        let valid = unsafe { libc::ioctl(self.listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw mut id) };
        if valid == -1 { Err(Errno::ESRCH) } else { Ok(()) }
    }

    fn socket(&self, attempt: &Attempt) -> Result<Socket, Errno> {
        let number = c_int::try_from(attempt.arguments[0] & 0xffff_ffff).map_err(|_| Errno::EBADF)?;
        let process = leader(attempt.thread).ok_or(Errno::ESRCH)?;
        let process = child::open(process).map_err(|_| Errno::ESRCH)?;
        let copy = copy_of(process.as_fd(), number).map_err(|error| {
            // That one may not is no business of the process.
            Errno::from_raw(error.raw_os_error().filter(|&code| code == libc::EBADF).unwrap_or(libc::EACCES))
        })?;
        self.waits(attempt)?;
        Socket::new(copy)
    }

    fn connect(&self, attempt: &Attempt, permits: &dyn Fn(SocketAddr) -> bool) -> Result<Outcome, Errno> {
        let socket = Arc::new(self.socket(attempt)?);
        let name = name(attempt.thread, attempt.arguments[1], attempt.arguments[2])?.unwrap_or_default();
        self.waits(attempt)?;
        socket.may_connect(&name, permits)?;
        self.connecting.lock().unwrap_or_else(PoisonError::into_inner).push(socket.clone());
        let done = socket.connect(&name);
        self.connecting.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| !Arc::ptr_eq(other, &socket));
        match done {
            Ok(true) => Ok(Outcome::Value(0)),
            Ok(false) => Ok(Outcome::Blocks(socket, Rest::Connected)),
            Err(error) => Err(error),
        }
    }

    fn send_to(&self, attempt: &Attempt, permits: &dyn Fn(SocketAddr) -> bool) -> Result<Outcome, Errno> {
        let [_, start, length, flags, address, address_length] = attempt.arguments;
        let socket = self.socket(attempt)?;
        let name = name(attempt.thread, address, address_length)?;
        let message = Message::from_buffer(attempt.thread, start, length, name)?;
        self.send(attempt, socket, message, flags, permits)
    }

    fn send_message(
        &self,
        attempt: &Attempt,
        header: u64,
        flags: u64,
        permits: &dyn Fn(SocketAddr) -> bool,
    ) -> Result<Outcome, Errno> {
        let socket = self.socket(attempt)?;
        let message = Message::from_header(attempt.thread, header)?;
        self.send(attempt, socket, message, flags, permits)
    }

    /// Sends what was copied, if the call still waits and its address is permitted.
    fn send(
        &self,
        attempt: &Attempt,
        socket: Socket,
        message: Message,
        flags: u64,
        permits: &dyn Fn(SocketAddr) -> bool,
    ) -> Result<Outcome, Errno> {
        self.waits(attempt)?;
        socket.may_send(&message, permits)?;
        sent(&Arc::new(socket), message, word(flags))
    }

    fn send_messages(&self, attempt: &Attempt, permits: &dyn Fn(SocketAddr) -> bool) -> Result<Outcome, Errno> {
        let [_, headers, count, flags, ..] = attempt.arguments;
        let mut done = 0;
        for (header, length) in message_headers(headers, count.min(AT_ONCE)) {
            // The first may wait for room; then it was the only one.
            let patience = if done == 0 { 0 } else { u64::from(libc::MSG_DONTWAIT.cast_unsigned()) };
            match self.send_message(attempt, header, flags | patience, permits) {
                Ok(Outcome::Value(bytes)) => {
                    message::write_length(attempt.thread, length, bytes)?;
                    done += 1;
                }
                // Its length stays unwritten, so it is not waited for.
                Ok(Outcome::Blocks(..)) => return Err(Errno::EAGAIN),
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(Outcome::Value(done))
    }
}

impl AsFd for Gate {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl AsRawFd for Gate {
    fn as_raw_fd(&self) -> RawFd {
        self.listener.as_raw_fd()
    }
}

impl AsRawFd for Blocked {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }
}

/// Whether this process may look into `process`, which has `descriptor` open: without that it cannot hold its gate.
#[must_use]
pub fn can_hold(process: u32, descriptor: u32) -> bool {
    taken(process, descriptor).is_ok()
}

fn taken(process: u32, descriptor: u32) -> io::Result<OwnedFd> {
    let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
    copy_of(child::open(process)?.as_fd(), descriptor)
}

fn sent(socket: &Arc<Socket>, message: Message, flags: c_int) -> Result<Outcome, Errno> {
    match socket.send(&message, flags) {
        Ok(bytes) => Ok(Outcome::Value(bytes)),
        Err(Errno::EAGAIN) if socket.would_wait(flags) => {
            Ok(Outcome::Blocks(socket.clone(), Rest::Send { message, flags }))
        }
        Err(error) => Err(error),
    }
}

/// The address that a call names; `None`: none.
fn name(thread: u32, start: u64, length: u64) -> Result<Option<Vec<u8>>, Errno> {
    let length = length & 0xffff_ffff;
    match (start, length) {
        (0, _) | (_, 0) => Ok(None),
        (_, length) if length > ADDRESS => Err(Errno::EINVAL),
        _ => message::read(thread, start, length).map(Some),
    }
}

fn word(register: u64) -> c_int {
    // The upper half of a register is no part of an `int`.
    u32::try_from(register & 0xffff_ffff).unwrap_or_default().cast_signed()
}

/// The process that a thread belongs to.
fn leader(thread: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// The same open file as another process has it, as a descriptor of this one.
fn copy_of(process: BorrowedFd<'_>, descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call takes three integers. The descriptor that it returns is new and close-on-exec, and belongs to nobody else.
    unsafe { child::made(libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0)) }
}
