//! What functions print, line by line into the proxy's log.
//!
//! Pipes are always drained, so printing never blocks a function; lines are cut at a limit, so printing never fills the
//! proxy's memory (lambda-edge.md 10.2).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longest record, in bytes.
const LINE_LIMIT: usize = 256 * 1024;

/// Most output of one invocation that is kept, in bytes (lambda-edge.md 10.2).
const INVOCATION_LIMIT: usize = 1024 * 1024;

/// What a function may still print in its current invocation, and what it has printed beyond.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: AtomicUsize,
    dropped: AtomicUsize,
}

impl Allowance {
    /// That of an INIT.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(INVOCATION_LIMIT), dropped: AtomicUsize::new(0) })
    }

    /// Begins the next invocation; says what the last one lost.
    pub(crate) fn renew(&self, function: &str) {
        self.left.store(INVOCATION_LIMIT, Ordering::Relaxed);
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(target: "function", function, "{dropped} bytes of output beyond {INVOCATION_LIMIT} were dropped");
        }
    }

    fn admits(&self, line: &str) -> bool {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(line.len()));
        if taken.is_err() {
            self.dropped.fetch_add(line.len(), Ordering::Relaxed);
        }
        taken.is_ok()
    }
}

/// Starts draining one pipe of a function's environment until it closes.
pub(crate) fn drain(function: &str, allowance: &Arc<Allowance>, pipe: Option<impl AsyncRead + Send + Unpin + 'static>) {
    let Some(pipe) = pipe else { return };
    let (function, allowance) = (function.to_owned(), allowance.clone());
    tokio::spawn(async move {
        let emit = |line: &str| {
            if allowance.admits(line) {
                tracing::info!(target: "function", function, "{line}");
            }
        };
        lines(pipe, emit).await;
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

    #[test]
    fn an_invocation_prints_so_much_and_no_more() {
        let allowance = Allowance::new();
        let line = "x".repeat(1024);
        assert_eq!((0..2000).filter(|_| allowance.admits(&line)).count(), 1024);
        assert_eq!(allowance.dropped.load(Ordering::Relaxed), 976 * 1024);
        allowance.renew("f");
        assert!(allowance.admits(&line));
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut() {
        let seen = seen(&vec![b'x'; LINE_LIMIT * 3]).await;
        assert_eq!(seen.iter().map(String::len).collect::<Vec<_>>(), [LINE_LIMIT]);
    }
}
