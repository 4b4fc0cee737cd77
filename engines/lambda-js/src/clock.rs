//! What functions see of the time: the machine's clock, or a test's, which stands still while a function runs.
//!
//! Only `Date` follows a test. Timers, `performance.now()` and the time that an invocation has left are always real.

use boa_engine::context::time::{Clock, JsInstant, StdClock};
use std::cell::Cell;

/// The engine's clock.
#[derive(Debug, Default)]
pub(crate) struct EngineClock {
    machine: StdClock,
    /// Milliseconds since 1970.
    test: Cell<Option<u64>>,
}

impl EngineClock {
    /// Shows that moment from now on, in milliseconds since 1970; `None`: the machine's time.
    pub(crate) fn show(&self, moment: Option<u64>) {
        self.test.set(moment);
    }
}

impl Clock for EngineClock {
    fn now(&self) -> JsInstant {
        self.machine.now()
    }

    fn system_time_millis(&self) -> i64 {
        match self.test.get() {
            None => self.machine.system_time_millis(),
            Some(moment) => i64::try_from(moment).unwrap_or(i64::MAX),
        }
    }
}
