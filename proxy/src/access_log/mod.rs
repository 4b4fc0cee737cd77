//! The access log: one line per request, written when the answer has been sent or has broken off.
//!
//! [`AccessLogs`] is what the edge holds. A request that is to be logged is noted as it arrives ([`Note`]); its answer's body is
//! followed to its end ([`follow`]), and then a [`Line`] goes into a bounded queue, which a thread of its own empties. A
//! request never waits for the log: a line that finds the queue full is dropped and counted (security.md X26). Fields are those of
//! CloudFront's standard log (http-cache.md 6.8). Invariants: no cookie, no credential and no unredacted query is in a line.
//! Deliberately absent: rotation, which other programs do: SIGHUP opens the file anew.

mod follow;
mod format;
mod line;
#[cfg(test)]
mod tests;
mod writer;

pub use format::Format;
pub use line::{Ending, Line, Note};
pub use writer::{Settings, Target, Totals};

use crate::{body::Body, record::Record, site::Site};
use arc_swap::ArcSwapOption;
use http::Response;
use std::{io, sync::Arc};
use writer::Writer;

/// An open log.
#[derive(Debug)]
pub struct AccessLog {
    settings: Settings,
    writer: Writer,
}

impl AccessLog {
    /// Whether it is written as these settings say.
    #[must_use]
    pub fn is(&self, settings: &Settings) -> bool {
        self.settings == *settings
    }
}

/// The log that is written now, if any, and what was counted of all.
#[derive(Debug, Default)]
pub struct AccessLogs {
    current: ArcSwapOption<AccessLog>,
    /// Counters of all logs since the start.
    pub totals: Arc<Totals>,
}

/// A request that is to be logged.
pub struct Logged {
    log: Arc<AccessLog>,
    note: Note,
}

impl AccessLogs {
    /// Opens a log as `settings` say, unless it is open already, in the place of the one that was.
    ///
    /// # Errors
    /// A new log's file cannot be opened; nothing has changed.
    pub fn apply(&self, settings: Option<Settings>) -> io::Result<()> {
        let open = self.current.load_full();
        match (open, settings) {
            (Some(open), Some(settings)) if open.is(&settings) => {}
            (_, Some(settings)) => {
                let writer = Writer::spawn(&settings, self.totals.clone())?;
                self.current.store(Some(Arc::new(AccessLog { settings, writer })));
            }
            (_, None) => self.current.store(None),
        }
        Ok(())
    }

    /// Has the file opened anew: the old one may have been moved away.
    pub fn reopen(&self) {
        if let Some(log) = self.current.load_full() {
            log.writer.reopen();
        }
    }

    /// Whether there is a log.
    pub(crate) fn is_open(&self) -> bool {
        self.current.load().is_some()
    }

    /// Notes a request that has just arrived, if there is a log.
    pub(crate) fn note(&self, note: impl FnOnce() -> Note) -> Option<Logged> {
        self.current.load_full().map(|log| Logged { log, note: note() })
    }

    /// Waits, for a bounded time, until everything that has been logged so far is written.
    pub fn finish(&self) {
        if let Some(log) = self.current.load_full() {
            log.writer.finish();
        }
    }
}

impl Logged {
    /// Logs the request when the response has been sent.
    pub(crate) fn answered(self, record: &Record, site: &Site, response: Response<Body>) -> Response<Body> {
        let line = Line::answered(self.note, record, site, &response);
        follow::to_its_end(response, line, self.log)
    }

    /// Logs a request whose viewer left before there was an answer.
    pub(crate) fn abandoned(self, record: &Record, site: &Site) {
        self.log.writer.write(Box::new(Line::abandoned(self.note, record, site)));
    }
}
