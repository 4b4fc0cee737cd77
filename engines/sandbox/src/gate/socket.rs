//! The holder's copy of a socket: what kind it is, whom it may speak to, and the calls that are made on it.

use super::message::Message;
use libc::{c_int, socklen_t};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::socket::{Shutdown, getsockopt, shutdown, sockopt},
};
use std::{
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

/// Flags of a message that keep their meaning when another process sends it.
const FLAGS: c_int = libc::MSG_OOB | libc::MSG_MORE | libc::MSG_EOR | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// Flags by which sending connects, or hands over memory.
const REFUSED: c_int = libc::MSG_FASTOPEN | libc::MSG_ZEROCOPY;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Udp,
    /// Questions about interfaces and addresses.
    Netlink,
    /// An end of a pair.
    Unix,
}

/// A socket of the confined process, which it still has open itself.
#[derive(Debug)]
pub(super) struct Socket {
    descriptor: OwnedFd,
    kind: Kind,
}

impl Socket {
    pub(super) fn new(descriptor: OwnedFd) -> Result<Self, Errno> {
        let domain = option(&descriptor, libc::SO_DOMAIN)?;
        let protocol = option(&descriptor, libc::SO_PROTOCOL)?;
        let kind = match (domain, protocol) {
            (libc::AF_INET | libc::AF_INET6, libc::IPPROTO_TCP) => Kind::Tcp,
            (libc::AF_INET | libc::AF_INET6, libc::IPPROTO_UDP) => Kind::Udp,
            (libc::AF_NETLINK, libc::NETLINK_ROUTE) => Kind::Netlink,
            (libc::AF_UNIX, _) => Kind::Unix,
            _ => return Err(Errno::EACCES),
        };
        Ok(Self { descriptor, kind })
    }

    pub(super) fn may_connect(&self, name: &[u8], permits: &dyn Fn(SocketAddr) -> bool) -> Result<(), Errno> {
        match (self.kind, family(name)) {
            // Back to no peer at all.
            (Kind::Tcp | Kind::Udp, Some(libc::AF_UNSPEC)) => Ok(()),
            (Kind::Tcp | Kind::Udp, _) => judge(name, permits),
            (Kind::Netlink, Some(libc::AF_NETLINK)) => to_kernel(name),
            (Kind::Netlink, _) => Err(Errno::EINVAL),
            (Kind::Unix, _) => Err(Errno::EACCES),
        }
    }

    pub(super) fn may_send(&self, message: &Message, permits: &dyn Fn(SocketAddr) -> bool) -> Result<(), Errno> {
        match (self.kind, &message.name) {
            // A stream goes where it was connected to.
            (Kind::Tcp, _) | (Kind::Udp | Kind::Unix, None) => Ok(()),
            (Kind::Udp, Some(name)) => judge(name, permits),
            (Kind::Unix, Some(_)) => Err(Errno::EISCONN),
            (Kind::Netlink, name) => {
                name.as_ref().map_or(Ok(()), |name| to_kernel(name))?;
                if is_question(&message.bytes) { Ok(()) } else { Err(Errno::EACCES) }
            }
        }
    }

    /// Whether it is connected now; if not, it will be writable once that is decided.
    pub(super) fn connect(&self, name: &[u8]) -> Result<bool, Errno> {
        let flags = OFlag::from_bits_retain(fcntl(&self.descriptor, FcntlArg::F_GETFL)?);
        let waits = !flags.contains(OFlag::O_NONBLOCK);
        if waits {
            fcntl(&self.descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        // SAFETY: the kernel reads so many bytes of an address that lives for the call.
        let done = unsafe { libc::connect(self.descriptor.as_raw_fd(), name.as_ptr().cast(), length(name)) };
        let done = Errno::result(done);
        if waits {
            fcntl(&self.descriptor, FcntlArg::F_SETFL(flags))?;
        }
        match done {
            Ok(_) => Ok(true),
            Err(Errno::EINPROGRESS) if waits => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How connecting ended.
    pub(super) fn connected(&self) -> Result<(), Errno> {
        match getsockopt(&self.descriptor, sockopt::SocketError)? {
            0 => Ok(()),
            code => Err(Errno::from_raw(code)),
        }
    }

    /// Sends without waiting: how many bytes went.
    pub(super) fn send(&self, message: &Message, flags: c_int) -> Result<i64, Errno> {
        if flags & REFUSED != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        if !message.whole && self.kind != Kind::Tcp {
            return Err(Errno::EMSGSIZE);
        }
        let name = message.name.as_deref().filter(|_| self.kind != Kind::Tcp).unwrap_or_default();
        let flags = flags & FLAGS | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let to = if name.is_empty() { std::ptr::null() } else { name.as_ptr().cast() };
        let (socket, bytes) = (self.descriptor.as_raw_fd(), message.bytes.as_slice());
        // SAFETY: the kernel reads so many bytes of a message and of an address that live for the call; a null address has no
        // length.
        let sent = unsafe { libc::sendto(socket, bytes.as_ptr().cast(), bytes.len(), flags, to, length(name)) };
        Errno::result(sent).and_then(|sent| i64::try_from(sent).map_err(|_| Errno::EOVERFLOW))
    }

    /// Whether the process would have waited for room.
    pub(super) fn would_wait(&self, flags: c_int) -> bool {
        let own = fcntl(&self.descriptor, FcntlArg::F_GETFL).map(OFlag::from_bits_retain);
        flags & libc::MSG_DONTWAIT == 0 && own.is_ok_and(|own| !own.contains(OFlag::O_NONBLOCK))
    }

    pub(super) fn shut_down(&self) {
        let _ = shutdown(self.descriptor.as_raw_fd(), Shutdown::Both);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn judge(name: &[u8], permits: &dyn Fn(SocketAddr) -> bool) -> Result<(), Errno> {
    let address = address(name).ok_or(Errno::EAFNOSUPPORT)?;
    if permits(address) { Ok(()) } else { Err(Errno::EACCES) }
}

fn family(name: &[u8]) -> Option<c_int> {
    name.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes).into())
}

/// The Internet address of a `struct sockaddr`: an IPv4 address also where it is written as one of IPv6.
fn address(name: &[u8]) -> Option<SocketAddr> {
    let ip = match family(name)? {
        libc::AF_INET if name.len() >= 16 => IpAddr::from(<[u8; 4]>::try_from(name.get(4..8)?).ok()?),
        libc::AF_INET6 if name.len() >= 24 => IpAddr::from(<[u8; 16]>::try_from(name.get(8..24)?).ok()?),
        _ => return None,
    };
    let port = u16::from_be_bytes(name.get(2..4)?.try_into().ok()?);
    Some(SocketAddr::new(ip.to_canonical(), port))
}

/// Whether a `struct sockaddr_nl` means the kernel, and nobody who listens besides.
fn to_kernel(name: &[u8]) -> Result<(), Errno> {
    let fine = family(name) == Some(libc::AF_NETLINK) && name.get(4..12) == Some(&[0; 8]);
    if fine { Ok(()) } else { Err(Errno::EACCES) }
}

/// Whether it is one message of the kind that asks and changes nothing (`rtnetlink(7)`: each family of messages has the
/// numbers of new, delete, get and set, in this order).
fn is_question(bytes: &[u8]) -> bool {
    let (Some(length), Some(kind)) = (bytes.get(..4), bytes.get(4..6)) else { return false };
    let length = length.try_into().map(u32::from_ne_bytes).unwrap_or_default();
    let kind = kind.try_into().map(u16::from_ne_bytes).unwrap_or_default();
    let one = usize::try_from(length).is_ok_and(|length| length.next_multiple_of(4) >= bytes.len());
    one && kind >= libc::RTM_NEWLINK && kind % 4 == libc::RTM_GETLINK % 4
}

fn option(socket: &OwnedFd, name: c_int) -> Result<c_int, Errno> {
    let mut value: c_int = 0;
    let mut length = length(&value.to_ne_bytes());
    // SAFETY: the kernel writes no more than the one integer whose length it is told.
    let got = unsafe {
        let value = (&raw mut value).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, value, &raw mut length)
    };
    Errno::result(got).map(|_| value)
}

fn length(bytes: &[u8]) -> socklen_t {
    socklen_t::try_from(bytes.len()).unwrap_or(socklen_t::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(family: u16, port: u16, ip: [u8; 4]) -> Vec<u8> {
        [&family.to_ne_bytes()[..], &port.to_be_bytes(), &ip, &[0; 8]].concat()
    }

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let inet = u16::try_from(libc::AF_INET).unwrap();
        assert_eq!(address(&v4(inet, 80, [127, 0, 0, 1])), Some("127.0.0.1:80".parse().unwrap()));
        assert_eq!(address(&v4(inet, 80, [127, 0, 0, 1])[..15]), None, "shorter than the kernel takes");
        assert_eq!(address(&v4(0, 80, [127, 0, 0, 1])), None, "no family, which sending would take for IPv4");
        let mut v6 = u16::try_from(libc::AF_INET6).unwrap().to_ne_bytes().to_vec();
        v6.extend(443_u16.to_be_bytes());
        v6.extend([0; 4]);
        v6.extend("::ffff:10.0.0.1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        assert_eq!(address(&v6), Some("10.0.0.1:443".parse().unwrap()));
    }

    #[test]
    fn questions_change_nothing() {
        let message = |kind: u16, length: u32| [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 14]].concat();
        for kind in [libc::RTM_GETLINK, libc::RTM_GETADDR, libc::RTM_GETROUTE] {
            assert!(is_question(&message(kind, 20)));
        }
        for kind in [libc::RTM_NEWLINK, libc::RTM_DELADDR, libc::RTM_NEWROUTE, libc::RTM_SETLINK, 2] {
            assert!(!is_question(&message(kind, 20)));
        }
        let two = [message(libc::RTM_GETLINK, 20), message(libc::RTM_NEWROUTE, 20)].concat();
        assert!(!is_question(&two), "another one behind it");
        assert!(!is_question(b"abc"));
    }
}
