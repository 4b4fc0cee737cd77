//! What a runtime logs through `_LAMBDA_TELEMETRY_LOG_FD`: frames of type, length, time and message (lambda-edge.md 10.2). Pure.

/// Longest message that is waited for, in bytes: what a record may have.
const LONGEST: usize = 256 * 1024;

/// Type, length and time of a frame.
const HEAD: usize = 16;

/// Frames as they come in pieces.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pending: Vec<u8>,
    /// Bytes of a longer message that are left out.
    skipping: usize,
}

impl Frames {
    /// Appends to `lines` the records that `bytes` complete: each a line, with CR where it had line breaks.
    pub(crate) fn take(&mut self, mut bytes: &[u8], lines: &mut Vec<u8>) {
        let skipped = self.skipping.min(bytes.len());
        self.skipping -= skipped;
        bytes = &bytes[skipped..];
        self.pending.extend_from_slice(bytes);
        let mut rest = &self.pending[..];
        while let Some((head, after)) = rest.split_first_chunk::<HEAD>() {
            let [_, _, _, _, a, b, c, d, ..] = *head;
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if head[..2] != [0xa5, 0x5a] {
                // No frames: shown as they are, so that nothing is lost.
                line(rest, lines);
                rest = &[];
            } else if let Some((message, after)) = after.split_at_checked(length) {
                line(message, lines);
                rest = after;
            } else if length > LONGEST && after.len() >= LONGEST {
                line(&after[..LONGEST], lines);
                self.skipping = length - after.len();
                rest = &[];
            } else {
                break;
            }
        }
        let used = self.pending.len() - rest.len();
        self.pending.drain(..used);
    }
}

fn line(message: &[u8], lines: &mut Vec<u8>) {
    let message = message.strip_suffix(b"\n").unwrap_or(message);
    lines.extend(message.iter().map(|&byte| if byte == b'\n' { b'\r' } else { byte }));
    lines.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap();
        [&0xa55a_000f_u32.to_be_bytes()[..], &length.to_be_bytes(), &[0; 8], message].concat()
    }

    fn lines(pieces: &[&[u8]]) -> String {
        let (mut frames, mut lines) = (Frames::default(), Vec::new());
        pieces.iter().for_each(|piece| frames.take(piece, &mut lines));
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn frames_become_lines_however_they_are_cut() {
        let bytes = [frame(b"one\ntwo\n"), frame(b""), frame("drei \u{e9}".as_bytes())].concat();
        let expected = "one\rtwo\n\ndrei \u{e9}\n";
        assert_eq!(lines(&[&bytes]), expected);
        for at in 0..bytes.len() {
            assert_eq!(lines(&[&bytes[..at], &bytes[at..]]), expected, "cut at {at}");
        }
    }

    #[test]
    fn what_is_no_frame_or_too_long_is_bounded() {
        assert_eq!(lines(&[b"plain text that is no frame"]), "plain text that is no frame\n");
        let long = frame(&vec![b'x'; LONGEST * 4]);
        let pieces: Vec<&[u8]> = long.chunks(50_000).collect();
        let (mut frames, mut seen) = (Frames::default(), Vec::new());
        for piece in pieces {
            frames.take(piece, &mut seen);
            assert!(frames.pending.len() <= LONGEST + 50_000);
        }
        frames.take(&frame(b"next"), &mut seen);
        assert_eq!(seen.len(), LONGEST + 1 + 5);
        assert!(seen.ends_with(b"\nnext\n"));
    }
}
