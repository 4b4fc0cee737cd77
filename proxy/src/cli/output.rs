//! The terminal: the only module that prints.

use super::Color;
use std::io::{self, IsTerminal as _, Write as _};
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

/// Where a verb writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    color: bool,
    quiet: bool,
}

impl Output {
    pub(super) fn new(color: Color, quiet: bool) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
                wanted && io::stdout().is_terminal() && io::stderr().is_terminal()
            }
        };
        Self { color, quiet }
    }

    /// Whether to use colours.
    pub(super) const fn color(&self) -> bool {
        self.color
    }

    /// Whether somebody sits at a terminal who can be asked.
    pub(super) fn can_ask(&self) -> bool {
        !self.quiet && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// A result, on standard output. A reader that has gone away is no reason to fail.
    pub(super) fn result(&self, text: &str) {
        if !self.quiet {
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        }
    }

    /// A notice, on standard error.
    pub(super) fn notice(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// An error, on standard error.
    pub(super) fn error(&self, text: &str) {
        let marked = if self.color { format!("\u{1b}[1;31merror\u{1b}[0m: {text}") } else { format!("error: {text}") };
        self.notice(&marked);
    }

    /// Sends the log to standard error, until the guard is dropped. `EDGEHOOK_LOG` chooses levels, such as `debug` or
    /// `edgehook=debug,info`.
    ///
    /// A thread of its own writes; when its reader stalls, lines are dropped and requests go on (security.md X26).
    pub(super) fn start_log(&self, default: &str) -> WorkerGuard {
        let filter = EnvFilter::try_from_env("EDGEHOOK_LOG").unwrap_or_else(|_| EnvFilter::new(default));
        let (writer, guard) = tracing_appender::non_blocking(io::stderr());
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(self.color);
        // A second log in one process, as in tests, is refused and not needed.
        let _ = log.try_init();
        guard
    }
}

/// Text in a style of the terminal, if colours are on.
pub(super) fn styled(color: bool, code: &str, text: &str) -> String {
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
