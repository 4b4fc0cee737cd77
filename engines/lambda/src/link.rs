//! The socket to an environment, message by message.
//!
//! It is watched for what can be read, and for room only while there is none: an environment that takes an invocation out of the
//! socket makes room in it, and each time that would wake the proxy for nothing.

use crate::child::watched;
use edgehook_protocol::{frame::Inbox, lambda::FromEnvironment};
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::net::UnixStream,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Bytes asked for at a time.
const CHUNK: usize = 16 * 1024;

/// The socket to an environment.
#[derive(Debug)]
pub(crate) struct Link {
    socket: AsyncFd<UnixStream>,
    inbox: Inbox,
    chunk: Box<[u8]>,
    never_read: bool,
}

/// Why the link broke.
pub(crate) enum Broken {
    Ended,
    Protocol,
}

impl Link {
    /// # Errors
    /// The runtime cannot watch the socket.
    pub(crate) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = watched(socket, Interest::READABLE)?;
        Ok(Self { socket, inbox: Inbox::new(), chunk: vec![0; CHUNK].into(), never_read: false })
    }

    /// Whether the other side has neither said anything nor closed its end.
    pub(crate) fn is_silent(&self) -> bool {
        let read = self.socket.try_io(Interest::READABLE, |mut socket| socket.read(&mut [0]));
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Whether the other side ended without having read what it was sent last.
    pub(crate) fn never_read(&self) -> bool {
        self.never_read
    }

    /// Sends a frame.
    pub(crate) async fn send(&mut self, frame: &[u8]) -> Result<(), Broken> {
        let sent = self.write(frame).await;
        self.never_read |= sent.is_err();
        sent.map_err(|_| Broken::Ended)
    }

    async fn write(&self, mut frame: &[u8]) -> io::Result<()> {
        let mut room = None;
        while !frame.is_empty() {
            match self.socket.get_ref().write(frame) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => frame = &frame[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let room = match &room {
                        Some(room) => room,
                        None => room.insert(watched(self.socket.get_ref().try_clone()?, Interest::WRITABLE)?),
                    };
                    // What is said of room from now on is said after this attempt.
                    room.writable().await?.clear_ready();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next message.
    pub(crate) async fn receive(&mut self) -> Result<FromEnvironment, Broken> {
        loop {
            match self.inbox.next_message() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(_) => return Err(Broken::Protocol),
            }
            let mut ready = self.socket.readable().await.map_err(|_| Broken::Ended)?;
            match self.socket.get_ref().read(&mut self.chunk) {
                Ok(0) => return Err(Broken::Ended),
                Ok(length) => {
                    // All that there was. What has come since then counts as ready all the same.
                    if length < self.chunk.len() {
                        ready.clear_ready();
                    }
                    self.inbox.extend(&self.chunk[..length]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready.clear_ready(),
                Err(error) => {
                    self.never_read = error.kind() == ErrorKind::ConnectionReset;
                    return Err(Broken::Ended);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehook_protocol::{
        channel::Channel,
        lambda::{Invocation, RESULT_LIMIT, ToEnvironment},
        wire::Blob,
    };

    fn linked() -> (Link, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Link::new(ours).unwrap(), theirs)
    }

    fn invocation(event: usize) -> Vec<u8> {
        let (request_id, trace) = (String::new(), String::new());
        let event = Blob(vec![b'x'; event]);
        let mut frame = Vec::new();
        let invocation = Invocation { call: 1, request_id, deadline: 0, trace, clock: None, event };
        edgehook_protocol::frame::append(&ToEnvironment::Invoke(invocation), &mut frame);
        frame
    }

    #[tokio::test]
    async fn messages_of_any_size_go_both_ways() {
        let (mut link, theirs) = linked();
        let other = std::thread::spawn(move || {
            let mut channel = Channel::new(theirs);
            while let Some(ToEnvironment::Invoke(invocation)) = channel.receive().unwrap() {
                let (call, result) = (invocation.call, invocation.event);
                channel.send(&FromEnvironment::Done { call, result, memory: 7 }).unwrap();
            }
        });
        // Far beyond what the socket and a read hold, exactly what a read holds, and little.
        for size in [RESULT_LIMIT, 10, CHUNK - 21, CHUNK, 0, RESULT_LIMIT] {
            assert!(link.send(&invocation(size)).await.is_ok());
            let Ok(FromEnvironment::Done { result, .. }) = link.receive().await else { panic!("of {size}") };
            assert_eq!(result.0.len(), size);
            assert!(link.is_silent() && !link.never_read());
        }
        drop(link);
        other.join().unwrap();
    }

    #[tokio::test]
    async fn the_end_tells_whether_the_last_message_was_read() {
        for reads in [true, false] {
            let (mut link, theirs) = linked();
            assert!(link.send(&invocation(100)).await.is_ok());
            if reads {
                (&theirs).read_exact(&mut vec![0; invocation(100).len()]).unwrap();
            }
            drop(theirs);
            assert!(matches!(link.receive().await, Err(Broken::Ended)));
            assert_eq!(link.never_read(), !reads);
            assert!(!link.is_silent());
        }
        let (mut link, theirs) = linked();
        drop(theirs);
        assert!(matches!(link.send(&invocation(1)).await, Err(Broken::Ended)));
        assert!(link.never_read());
    }

    #[tokio::test]
    async fn what_is_no_message_is_told_apart() {
        let (mut link, theirs) = linked();
        (&theirs).write_all(&[1, 0, 0, 0, 255]).unwrap();
        assert!(matches!(link.receive().await, Err(Broken::Protocol)));
    }
}
