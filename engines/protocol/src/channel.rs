//! A blocking stream of messages, for processes that do one thing at a time.

use crate::{
    frame::{self, Inbox},
    wire::Wire,
};
use std::io::{self, Read, Write};

/// Bytes asked for at a time.
const CHUNK: usize = 64 * 1024;

/// One end of a stream, message by message.
#[derive(Debug)]
pub struct Channel<S> {
    stream: S,
    inbox: Inbox,
    chunk: Vec<u8>,
}

impl<S: Read + Write> Channel<S> {
    /// A channel over a stream that nothing has been read from.
    #[must_use]
    pub fn new(stream: S) -> Self {
        Self { stream, inbox: Inbox::new(), chunk: vec![0; CHUNK] }
    }

    /// The next message; `None` once the other side has closed the stream.
    ///
    /// # Errors
    /// The stream fails, or what came is no message.
    pub fn receive<M: Wire>(&mut self) -> io::Result<Option<M>> {
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

    /// The stream, for another way of reading. What came and was not received is lost.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The stream fails.
    pub fn send<M: Wire>(&mut self, message: &M) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame::append(message, &mut bytes);
        self.stream.write_all(&bytes)
    }
}
