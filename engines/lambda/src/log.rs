//! What functions print, record by record into the proxy's log, between the lines of the platform (lambda-edge.md 10).
//!
//! The pipes are read while an invocation runs and emptied when it ends, so its records stand between its START and its END.
//! Records are cut at a limit, and so is what an invocation may print; the rest is counted. Between invocations nobody reads:
//! a thread that goes on printing then waits, as it would in a frozen environment.

use crate::InvokeError;
use std::{
    fmt,
    io::{self, PipeReader},
    mem,
    sync::Arc,
    time::Duration,
};
use tokio::net::unix::pipe::Receiver;

/// Longest record, in bytes.
const RECORD_LIMIT: usize = 256 * 1024;

/// Most output of one invocation that is kept, in bytes (lambda-edge.md 10.2).
const INVOCATION_LIMIT: usize = 1024 * 1024;

/// How much of the end of a log whoever invoked a function may have, in bytes (lambda-edge.md 8.5).
const TAIL_LIMIT: usize = 4 * 1024;

/// The output of one environment.
#[derive(Debug)]
pub(crate) struct Output {
    streams: [Stream; 2],
    sink: Sink,
}

#[derive(Debug)]
struct Stream {
    pipe: Option<Receiver>,
    records: Records,
}

/// Where records go, and how much may still go there.
#[derive(Debug)]
struct Sink {
    function: Arc<str>,
    left: usize,
    dropped: usize,
    /// The end of what was written, where somebody wants it.
    tail: Option<String>,
}

impl Output {
    /// # Errors
    /// The runtime cannot watch the pipes.
    pub(crate) fn new(function: Arc<str>, pipes: [PipeReader; 2]) -> io::Result<Self> {
        let [output, errors] = pipes.map(|pipe| -> io::Result<Stream> {
            Ok(Stream { pipe: Some(Receiver::from_owned_fd(pipe.into())?), records: Records::default() })
        });
        Ok(Self {
            streams: [output?, errors?],
            sink: Sink { function, left: INVOCATION_LIMIT, dropped: 0, tail: None },
        })
    }

    /// From now on, the end of the log is kept for who invoked the function, or is not.
    pub(crate) fn keep_tail(&mut self, keep: bool) {
        self.sink.tail = keep.then(String::new);
    }

    /// The end of the log since then, at most [`TAIL_LIMIT`] bytes.
    pub(crate) fn take_tail(&mut self) -> String {
        self.sink.tail.take().unwrap_or_default()
    }

    /// A line of the platform's own.
    pub(crate) fn platform(&mut self, line: fmt::Arguments<'_>) {
        if self.sink.tail.is_some() {
            self.sink.keep(&line.to_string());
        }
        tracing::info!(target: "function", function = &*self.sink.function, "{line}");
    }

    /// Takes in what comes, for ever.
    pub(crate) async fn follow(&mut self) -> std::convert::Infallible {
        // Most invocations print nothing.
        let mut buffer = Vec::new();
        loop {
            let [output, errors] = &self.streams;
            tokio::select! {
                () = output.is_readable() => {}
                () = errors.is_readable() => {}
            }
            for stream in &mut self.streams {
                buffer.reserve(64 * 1024);
                stream.take(&mut buffer, &mut self.sink, 1);
            }
            // Other tasks come to run, however much is printed.
            tokio::task::yield_now().await;
        }
    }

    /// Takes in what is there, as much as a process may have left in its pipes, and ends the invocation's share.
    pub(crate) fn finish(&mut self) {
        let mut buffer = Vec::with_capacity(16 * 1024);
        for stream in &mut self.streams {
            stream.take(&mut buffer, &mut self.sink, 64);
            stream.records.end(&mut |record| self.sink.write(record));
        }
        if self.sink.dropped > 0 {
            let dropped = self.sink.dropped;
            self.platform(format_args!("{dropped} bytes of output beyond {INVOCATION_LIMIT} were dropped"));
        }
        (self.sink.left, self.sink.dropped) = (INVOCATION_LIMIT, 0);
    }
}

impl Stream {
    async fn is_readable(&self) {
        match &self.pipe {
            Some(pipe) if pipe.readable().await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// Takes in what is there, at most `most` times as much as there is room in the buffer.
    fn take(&mut self, buffer: &mut Vec<u8>, sink: &mut Sink, most: usize) {
        for _ in 0..most {
            let Some(pipe) = &self.pipe else { return };
            buffer.clear();
            match pipe.try_read_buf(buffer) {
                Ok(length) if length > 0 => self.records.take(buffer, &mut |record| sink.write(record)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Closed, or out of order.
                _ => self.pipe = None,
            }
        }
    }
}

impl Sink {
    fn keep(&mut self, line: &str) {
        let Some(tail) = &mut self.tail else { return };
        // Not for ever: a long line may be all of it.
        let from = (line.len().saturating_sub(TAIL_LIMIT)..=line.len()).find(|&at| line.is_char_boundary(at));
        tail.push_str(&line[from.unwrap_or_default()..]);
        tail.push('\n');
        let over = tail.len().saturating_sub(TAIL_LIMIT);
        if let Some(over) = (over..=tail.len()).find(|&at| tail.is_char_boundary(at)) {
            tail.drain(..over);
        }
    }

    fn write(&mut self, record: &str) {
        match self.left.checked_sub(record.len()) {
            Some(left) => {
                self.left = left;
                self.keep(record);
                tracing::info!(target: "function", function = &*self.function, "{record}");
            }
            None => self.dropped += record.len(),
        }
    }
}

/// Bytes into records: one a line, where line breaks within a record stand as CR (lambda-edge.md 10.2).
#[derive(Debug, Default)]
struct Records {
    pending: Vec<u8>,
}

impl Records {
    fn take(&mut self, bytes: &[u8], emit: &mut impl FnMut(&str)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let room = RECORD_LIMIT.saturating_sub(self.pending.len());
            self.pending.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                self.end(emit);
            }
        }
    }

    fn end(&mut self, emit: &mut impl FnMut(&str)) {
        let record = mem::take(&mut self.pending);
        let text = String::from_utf8_lossy(&record);
        let text = text.trim_end_matches('\r');
        if !text.is_empty() {
            emit(&shown(text));
        }
    }
}

/// Control characters are shown, not sent to the terminal or the log's reader; lines after a record's first are indented, so
/// that none can pass for a record.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\r' => shown.push_str("\n    "),
            '\t' => shown.push('\t'),
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}

/// What the REPORT line tells of an invocation.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) request: &'a str,
    pub(crate) duration: Duration,
    pub(crate) memory_size: u32,
    /// KiB; `None`: not known.
    pub(crate) memory_used: Option<u64>,
    pub(crate) init: Option<Duration>,
    pub(crate) failure: Option<&'a InvokeError>,
    /// The trace that the invocation belongs to, in the form of `X-Amzn-Trace-Id`; empty: none.
    pub(crate) trace: &'a str,
}

/// `REPORT RequestId: …` (lambda-edge.md 10.1).
impl fmt::Display for Report<'_> {
    fn fmt(&self, line: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let duration = milliseconds(self.duration);
        write!(
            line,
            "REPORT RequestId: {}\tDuration: {duration:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB",
            self.request,
            duration.ceil(),
            self.memory_size,
        )?;
        if let Some(used) = self.memory_used {
            write!(line, "\tMax Memory Used: {} MB", used.div_ceil(1024))?;
        }
        if let Some(init) = self.init {
            write!(line, "\tInit Duration: {:.2} ms", milliseconds(init))?;
        }
        if let Some(failure) = self.failure {
            write!(line, "\tStatus: {}", failure.status())?;
            if let Some(kind) = failure.kind() {
                write!(line, "\tError Type: {kind}")?;
            }
        }
        match sampled(self.trace) {
            Some((trace, segment)) => write!(line, "\tXRAY TraceId: {trace}\tSegmentId: {segment}\tSampled: true"),
            None => Ok(()),
        }
    }
}

/// The trace and the segment of an `X-Amzn-Trace-Id`, where it is recorded (lambda-edge.md 10.4).
fn sampled(trace: &str) -> Option<(&str, &str)> {
    let part = |name: &str| {
        let mut pairs = trace.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find_map(|(found, value)| (found == name).then_some(value))
    };
    (part("Sampled")? == "1").then_some((part("Root")?, part("Parent")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pieces: &[&[u8]]) -> Vec<String> {
        let (mut records, mut seen) = (Records::default(), Vec::new());
        let mut emit = |record: &str| seen.push(record.to_owned());
        for piece in pieces {
            records.take(piece, &mut emit);
        }
        records.end(&mut emit);
        seen
    }

    #[test]
    fn records_are_split_and_made_safe() {
        assert_eq!(seen(&[b"one\ntw", b"o\n\nthree"]), ["one", "two", "three"]);
        assert_eq!(seen(&[b"\x1b[31mred\n"]), ["\\u{1b}[31mred"]);
        assert_eq!(seen(&[b"Error: x\rline 2\rline 3\n"]), ["Error: x\n    line 2\n    line 3"], "one record");
        assert_eq!(seen(&[b"dos\r\n"]), ["dos"]);
    }

    #[test]
    fn an_invocation_prints_so_much_and_no_more() {
        let mut sink = Sink { function: "f".into(), left: INVOCATION_LIMIT, dropped: 0, tail: None };
        let record = "x".repeat(1024);
        (0..2000).for_each(|_| sink.write(&record));
        assert_eq!((sink.left, sink.dropped), (0, 976 * 1024));
    }

    #[test]
    fn the_end_of_a_log_is_kept_when_it_is_wanted() {
        let mut sink = Sink { function: "f".into(), left: INVOCATION_LIMIT, dropped: 0, tail: None };
        sink.write("before");
        sink.tail = Some(String::new());
        sink.write("one");
        sink.write("two");
        assert_eq!(sink.tail.as_deref(), Some("one\ntwo\n"));
        sink.write(&"ä".repeat(TAIL_LIMIT));
        let tail = sink.tail.unwrap();
        assert!(tail.len() <= TAIL_LIMIT && tail.len() > TAIL_LIMIT - 3 && tail.ends_with("ää\n"), "{}", tail.len());
    }

    #[test]
    fn a_record_without_end_is_cut() {
        assert_eq!(seen(&[&vec![b'x'; RECORD_LIMIT * 3]])[0].len(), RECORD_LIMIT);
    }

    #[test]
    fn reports_read_as_lambdas_do() {
        let mut report = Report {
            request: "r",
            duration: Duration::from_micros(12_341),
            memory_size: 128,
            memory_used: Some(41 * 1024 - 1),
            init: Some(Duration::from_micros(8_150)),
            failure: None,
            trace: "Root=1-2-3;Parent=4;Sampled=0",
        };
        assert_eq!(
            report.to_string(),
            "REPORT RequestId: r\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 41 MB\t\
             Init Duration: 8.15 ms"
        );
        (report.memory_used, report.init) = (None, None);
        let failure = InvokeError::TimedOut(Duration::from_secs(10));
        report.failure = Some(&failure);
        assert!(report.to_string().ends_with("Memory Size: 128 MB\tStatus: timeout"), "{report}");
        report.trace = "Root=1-2-3;Parent=4;Sampled=1";
        assert!(report.to_string().ends_with("timeout\tXRAY TraceId: 1-2-3\tSegmentId: 4\tSampled: true"), "{report}");
    }
}
