//! The thread that writes the access log, and the queue before it.

use super::{Format, Line};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::FileTypeExt as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::Duration,
};

/// Lines that may wait to be written.
const QUEUE: usize = 8192;
/// Bytes that are written at once, about.
const PIECE: usize = 64 * 1024;
/// How long the end of the process waits for a log that is slow to write.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a log goes and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it goes.
    pub target: Target,
    /// How lines are written.
    pub format: Format,
}

/// Where a log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// The end of a file.
    File(PathBuf),
}

/// What was counted of lines.
#[derive(Debug, Default)]
pub struct Totals {
    written: AtomicU64,
    dropped: AtomicU64,
}

impl Totals {
    /// Lines that were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Lines that were not, because the log could not keep up or could not be written.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

enum Message {
    Line(Box<Line>),
    /// Look at what else is to be done.
    Wake,
    /// Say when all before this is written.
    Tell(SyncSender<()>),
}

/// The near end of the queue. The thread ends when this is dropped, after the last line.
#[derive(Debug)]
pub(super) struct Writer {
    queue: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
    totals: Arc<Totals>,
}

impl Writer {
    /// Opens a log and starts its thread.
    pub(super) fn spawn(settings: &Settings, totals: Arc<Totals>) -> io::Result<Self> {
        let sink = open(settings)?;
        let (queue, lines) = mpsc::sync_channel(QUEUE);
        let reopen = Arc::new(AtomicBool::new(false));
        let work = Work {
            settings: settings.clone(),
            sink,
            reopen: reopen.clone(),
            totals: totals.clone(),
            failing: false,
            text: String::new(),
            waiting: 0,
        };
        thread::Builder::new().name("access-log".to_owned()).spawn(move || work.run(&lines))?;
        Ok(Self { queue, reopen, totals })
    }

    /// Hands a line over, or drops it.
    pub(super) fn write(&self, line: Box<Line>) {
        if self.queue.try_send(Message::Line(line)).is_err() {
            self.totals.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Has the file opened anew before the next line: the old one may have been moved away.
    pub(super) fn reopen(&self) {
        self.reopen.store(true, Relaxed);
        // A thread that has a full queue before it looks without being told.
        let _ = self.queue.try_send(Message::Wake);
    }

    /// Waits until everything is written, but not for ever.
    pub(super) fn finish(&self) {
        let (done, told) = mpsc::sync_channel(1);
        if self.queue.try_send(Message::Tell(done)).is_ok() {
            let _ = told.recv_timeout(PATIENCE);
        }
    }
}

/// An open log. A file that begins is given its heading.
fn open(settings: &Settings) -> io::Result<Box<dyn Write + Send>> {
    match &settings.target {
        Target::Stdout => {
            let mut out = io::stdout();
            out.write_all(settings.format.heading().as_bytes())?;
            Ok(Box::new(out))
        }
        Target::File(path) => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            // A pipe that nobody reads yet would block here; one that is open for both does not, and its readers may come and go.
            let pipe = fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo());
            let mut file: File = OpenOptions::new().create(true).append(true).read(pipe).open(path)?;
            if file.metadata()?.len() == 0 {
                file.write_all(settings.format.heading().as_bytes())?;
            }
            Ok(Box::new(file))
        }
    }
}

/// The thread.
struct Work {
    settings: Settings,
    sink: Box<dyn Write + Send>,
    reopen: Arc<AtomicBool>,
    totals: Arc<Totals>,
    failing: bool,
    text: String,
    waiting: u64,
}

impl Work {
    fn run(mut self, lines: &Receiver<Message>) {
        while let Ok(first) = lines.recv() {
            self.take(first);
            while let Ok(next) = lines.try_recv() {
                self.take(next);
            }
            self.put();
        }
    }

    fn take(&mut self, message: Message) {
        if self.reopen.swap(false, Relaxed) {
            self.put();
            self.open_again();
        }
        match message {
            Message::Line(line) => {
                self.settings.format.write(&line, &mut self.text);
                self.waiting += 1;
                if self.text.len() >= PIECE {
                    self.put();
                }
            }
            Message::Wake => {}
            Message::Tell(done) => {
                self.put();
                let _ = done.try_send(());
            }
        }
    }

    fn open_again(&mut self) {
        if self.settings.target == Target::Stdout {
            return;
        }
        match open(&self.settings) {
            Ok(sink) => self.sink = sink,
            Err(error) => tracing::error!("the access log cannot be opened anew, and goes on in the old file: {error}"),
        }
    }

    /// Writes what has been gathered. What cannot be written is dropped and counted; the log says so once until it works.
    fn put(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let written = self.sink.write_all(self.text.as_bytes()).and_then(|()| self.sink.flush());
        let total = if written.is_ok() { &self.totals.written } else { &self.totals.dropped };
        total.fetch_add(self.waiting, Relaxed);
        match &written {
            Err(error) if !self.failing => tracing::error!("the access log cannot be written: {error}"),
            Ok(()) if self.failing => tracing::info!("the access log is written again"),
            _ => {}
        }
        self.failing = written.is_err();
        self.text.clear();
        self.waiting = 0;
    }
}
