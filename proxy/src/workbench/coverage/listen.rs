//! Hears what Lambda functions print: their lines go to the log, and the log of `edgehook test` goes nowhere else.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt as _},
    registry,
};

/// What functions printed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Vec<(String, String)>>>);

impl Heard {
    /// Functions and their lines.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Listens from now on, in the place of a log.
pub(super) fn start() -> Heard {
    let heard = Heard::default();
    // Where there is a log already, nothing is heard, and Lambda functions count as not run.
    let _ = tracing::subscriber::set_global_default(registry().with(heard.clone()));
    heard
}

impl<S: Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "function" {
            return;
        }
        let mut line = Line::default();
        event.record(&mut line);
        // `console` of Node.js writes time, request and level before what it is told.
        if let Some(at) = line.text.find(edgehook_coverage::MARK) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((line.function, line.text.split_off(at)));
        }
    }
}

#[derive(Default)]
struct Line {
    function: String,
    text: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "function" {
            value.clone_into(&mut self.function);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.text = format!("{value:?}");
        }
    }
}
