//! Bytes and descriptors over one Unix socket.
//!
//! A descriptor travels with the bytes it is sent with: whoever has read the first of them has it. A receiver that
//! reads with anything else than [`Receiver`] loses the descriptors.

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

/// Sends the beginning of `bytes`, which must not be empty, and with it the descriptor if there is one; returns how many
/// bytes went.
///
/// # Errors
/// As for any write; nothing was sent then.
pub fn send_with(socket: impl AsFd, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<usize> {
    let descriptors = descriptor.map(|descriptor| [descriptor.as_raw_fd()]);
    let control: Vec<_> = descriptors.iter().map(|descriptors| ControlMessage::ScmRights(descriptors)).collect();
    let flags = MsgFlags::MSG_NOSIGNAL;
    Ok(sendmsg::<()>(socket.as_fd().as_raw_fd(), &[IoSlice::new(bytes)], &control, flags, None)?)
}

/// Reads bytes and keeps the descriptors that come with them, oldest first.
#[derive(Debug)]
pub struct Receiver {
    control: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self { control: nix::cmsg_space!([RawFd; 4]), descriptors: VecDeque::new() }
    }
}

impl Receiver {
    /// Reads like `read`, waiting for bytes; 0 means that the other side has closed.
    ///
    /// # Errors
    /// The socket fails, or more descriptors came at once than [`send_with`] sends.
    pub fn receive(&mut self, socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
        let mut slices = [IoSliceMut::new(buffer)];
        let socket = socket.as_fd().as_raw_fd();
        let message = recvmsg::<()>(socket, &mut slices, Some(&mut self.control), MsgFlags::MSG_CMSG_CLOEXEC)?;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(descriptors) = control {
                for descriptor in descriptors {
                    // SAFETY: the kernel has just made this descriptor for this process, so nobody else owns it.
                    self.descriptors.push_back(unsafe { OwnedFd::from_raw_fd(descriptor) });
                }
            }
        }
        Ok(message.bytes)
    }

    /// The oldest descriptor that came and was not taken.
    pub fn descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SharedBytes, sealed};
    use std::{io::Write as _, os::unix::net::UnixStream};

    #[test]
    fn descriptors_come_in_order_and_with_their_bytes() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"plain").unwrap();
        for text in [b"one", b"two"] {
            assert_eq!(send_with(&ours, b"x", Some(sealed(text).unwrap().as_fd())).unwrap(), 1);
        }
        ours.write_all(b"end").unwrap();
        drop(ours);
        let (mut receiver, mut bytes, mut buffer) = (Receiver::default(), Vec::new(), [0; 64]);
        let mut had_first = false;
        loop {
            let length = receiver.receive(&theirs, &mut buffer).unwrap();
            if length == 0 {
                break;
            }
            bytes.extend_from_slice(&buffer[..length]);
            had_first |= !receiver.descriptors.is_empty();
            assert_eq!(had_first, bytes.contains(&b'x'), "{bytes:?}");
        }
        assert_eq!(bytes, b"plainxxend");
        for text in [b"one", b"two"] {
            assert_eq!(&*SharedBytes::map(receiver.descriptor().unwrap()).unwrap(), text);
        }
        assert!(receiver.descriptor().is_none());
    }
}
