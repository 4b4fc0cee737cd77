//! What is on its way to a host: frames, and the descriptors that go with some of them.

use edgehook_protocol::{frame, viewer::ToHost};
use edgehook_sandbox::send_with;
use std::{
    collections::VecDeque,
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};
use tokio::{io::Interest, net::UnixStream};

/// Frames that were not written yet.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    /// Descriptors, and at which of the bytes each is sent.
    descriptors: VecDeque<(usize, Arc<OwnedFd>)>,
}

impl Outgoing {
    pub(super) fn push(&mut self, message: &ToHost, descriptor: Option<Arc<OwnedFd>>) {
        self.descriptors.extend(descriptor.map(|descriptor| (self.bytes.len(), descriptor)));
        frame::append(message, &mut self.bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes some of it, waiting until there is room. Nothing is lost when the future is dropped.
    pub(super) async fn write(&mut self, socket: &UnixStream) -> io::Result<()> {
        socket.async_io(Interest::WRITABLE, || self.send(socket)).await
    }

    fn send(&mut self, socket: &UnixStream) -> io::Result<()> {
        let mut coming = self.descriptors.iter().peekable();
        let now = coming.next_if(|(at, _)| *at == 0);
        let end = coming.next().map_or(self.bytes.len(), |(at, _)| *at);
        let descriptor = now.map(|(_, descriptor)| descriptor.as_fd());
        let sent = send_with(socket, &self.bytes[..end], descriptor)?;
        if now.is_some() {
            self.descriptors.pop_front();
        }
        self.bytes.drain(..sent);
        for (at, _) in &mut self.descriptors {
            *at -= sent;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edgehook_protocol::frame::Inbox;
    use edgehook_sandbox::{Receiver, SharedBytes, sealed};

    #[tokio::test]
    async fn frames_and_descriptors_stay_together() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let ours = UnixStream::from_std(ours).unwrap();
        let mut out = Outgoing::default();
        let memory = |text: &[u8]| Some(Arc::new(sealed(text).unwrap()));
        out.push(&ToHost::Remove { function: 0 }, None);
        out.push(&ToHost::Store { store: 1 }, memory(b"one"));
        out.push(&ToHost::Store { store: 2 }, memory(b"two"));
        out.push(&ToHost::Remove { function: 3 }, None);
        let mut writes = 0;
        while !out.is_empty() {
            out.write(&ours).await.unwrap();
            writes += 1;
        }
        assert_eq!(writes, 3, "one for each descriptor and what follows it, one for what is before");
        drop(ours);
        let (mut receiver, mut inbox, mut buffer, mut seen) = (Receiver::default(), Inbox::new(), [0; 7], Vec::new());
        loop {
            let length = receiver.receive(&theirs, &mut buffer).unwrap();
            if length == 0 {
                break;
            }
            inbox.extend(&buffer[..length]);
            while let Some(message) = inbox.next_message::<ToHost>().unwrap() {
                if let ToHost::Store { store } = message {
                    let bytes = SharedBytes::map(receiver.descriptor().unwrap()).unwrap();
                    seen.push((store, bytes.to_vec()));
                }
            }
        }
        assert_eq!(seen, [(1, b"one".to_vec()), (2, b"two".to_vec())]);
    }
}
