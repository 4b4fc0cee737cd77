//! The socket to the proxy, message by message. Blocking: an environment does one thing at a time.

use edgehook_protocol::{
    frame::{self, Inbox},
    lambda::{FromEnvironment, ToEnvironment},
};
use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
};

const CHUNK: usize = 64 * 1024;

/// Our end of the socket.
pub(crate) struct Channel {
    stream: UnixStream,
    inbox: Inbox,
    chunk: Vec<u8>,
}

impl Channel {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, inbox: Inbox::new(), chunk: vec![0; CHUNK] }
    }

    /// The next message; `None` once the proxy has closed the socket.
    ///
    /// # Errors
    /// The socket fails, or what came is no message.
    pub(crate) fn receive(&mut self) -> io::Result<Option<ToEnvironment>> {
        loop {
            if let Some(message) = self.inbox.next_message().map_err(io::Error::other)? {
                return Ok(Some(message));
            }
            match self.stream.read(&mut self.chunk) {
                Ok(0) => return Ok(None),
                Ok(length) => self.inbox.extend(&self.chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The socket fails.
    pub(crate) fn send(&mut self, message: &FromEnvironment) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::append(message, &mut bytes);
        self.stream.write_all(&bytes)
    }
}
