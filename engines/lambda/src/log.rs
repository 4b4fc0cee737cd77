//! What functions print, line by line into the proxy's log.
//!
//! Pipes are always drained, so printing never blocks a function; lines are cut at a limit, so printing never fills the
//! proxy's memory (lambda-edge.md 10.2).

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longest record, in bytes.
const LINE_LIMIT: usize = 256 * 1024;

/// Starts draining one pipe of a function's environment until it closes.
pub(crate) fn drain(function: &str, pipe: Option<impl AsyncRead + Send + Unpin + 'static>) {
    let Some(pipe) = pipe else { return };
    let function = function.to_owned();
    tokio::spawn(async move {
        lines(pipe, |line| tracing::info!(target: "function", function, "{line}")).await;
    });
}

async fn lines(mut pipe: impl AsyncRead + Unpin, mut emit: impl FnMut(&str)) {
    let mut pending: Vec<u8> = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(length) = pipe.read(&mut buffer).await {
        if length == 0 {
            break;
        }
        for piece in buffer[..length].split_inclusive(|&byte| byte == b'\n') {
            let (text, ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LINE_LIMIT.saturating_sub(pending.len());
            pending.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                emit_line(&pending, &mut emit);
                pending.clear();
            }
        }
    }
    emit_line(&pending, &mut emit);
}

/// Control characters are shown, not sent to the terminal or the log's reader.
fn emit_line(line: &[u8], emit: &mut impl FnMut(&str)) {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    if text.is_empty() {
        return;
    }
    if text.chars().any(|character| character.is_control() && character != '\t') {
        let safe: String = text
            .chars()
            .map(|character| match character {
                // Several lines of one record are joined with CR by the language clients.
                '\r' => '\u{2028}'.to_string(),
                character if character.is_control() && character != '\t' => character.escape_default().to_string(),
                character => character.to_string(),
            })
            .collect();
        for line in safe.split('\u{2028}') {
            emit(line);
        }
    } else {
        emit(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seen(bytes: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        lines(bytes, |line| seen.push(line.to_owned())).await;
        seen
    }

    #[tokio::test]
    async fn lines_are_split_and_made_safe() {
        assert_eq!(seen(b"one\ntwo\n\nthree").await, ["one", "two", "three"]);
        assert_eq!(seen(b"\x1b[31mred\n").await, ["\\u{1b}[31mred"]);
        assert_eq!(seen(b"Error: x\rline 2\rline 3\n").await, ["Error: x", "line 2", "line 3"]);
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut() {
        let seen = seen(&vec![b'x'; LINE_LIMIT * 3]).await;
        assert_eq!(seen.iter().map(String::len).collect::<Vec<_>>(), [LINE_LIMIT]);
    }
}
