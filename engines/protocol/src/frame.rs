//! Length-prefixed frames in a byte stream.

use crate::wire::{DecodeError, Wire};

/// Largest frame in bytes: the largest Lambda result (6 MiB and 100 bytes) with room for its envelope.
pub const FRAME_LIMIT: usize = 8 * 1024 * 1024;

const PREFIX: usize = 4;

/// Appends `message` as one frame to `out`.
pub fn append<M: Wire>(message: &M, out: &mut Vec<u8>) {
    append_with(out, |out| message.put(out));
}

/// Appends as one frame what `put` appends.
pub(crate) fn append_with(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX]);
    put(out);
    let length = u32::try_from(out.len() - start - PREFIX).unwrap_or(u32::MAX);
    out[start..start + PREFIX].copy_from_slice(&length.to_le_bytes());
}

/// Bytes received so far; gives out the complete frames among them.
#[derive(Debug, Default)]
pub struct Inbox {
    buffer: Vec<u8>,
    start: usize,
}

impl Inbox {
    /// Nothing received yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes as they came from the socket.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > 64 * 1024 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message, if there is one.
    ///
    /// # Errors
    /// The frame is over [`FRAME_LIMIT`] or not a message. The stream is of no use afterwards.
    pub fn next_message<M: Wire>(&mut self) -> Result<Option<M>, DecodeError> {
        let pending = &self.buffer[self.start..];
        let Some((prefix, rest)) = pending.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > FRAME_LIMIT {
            return Err(DecodeError::TooLong);
        }
        let Some(mut body) = rest.get(..length) else { return Ok(None) };
        let message = M::take(&mut body)?;
        if !body.is_empty() {
            return Err(DecodeError::Surplus);
        }
        self.start += PREFIX + length;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_cut() {
        let mut bytes = Vec::new();
        append(&"first".to_owned(), &mut bytes);
        append(&String::new(), &mut bytes);
        append(&"third".to_owned(), &mut bytes);
        for step in 1..bytes.len() {
            let mut inbox = Inbox::new();
            let mut seen = Vec::new();
            for chunk in bytes.chunks(step) {
                inbox.extend(chunk);
                while let Some(text) = inbox.next_message::<String>().unwrap() {
                    seen.push(text);
                }
            }
            assert_eq!(seen, ["first", "", "third"], "cut every {step} bytes");
        }
    }

    #[test]
    fn oversize_and_surplus_are_refused() {
        let mut inbox = Inbox::new();
        inbox.extend(&(u32::try_from(FRAME_LIMIT).unwrap() + 1).to_le_bytes());
        assert_eq!(inbox.next_message::<String>(), Err(DecodeError::TooLong));
        let mut inbox = Inbox::new();
        inbox.extend(&[5, 0, 0, 0, 0, 0, 0, 0, 9]);
        assert_eq!(inbox.next_message::<String>(), Err(DecodeError::Surplus));
    }
}
