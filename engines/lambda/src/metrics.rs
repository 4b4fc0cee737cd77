//! What is counted of a function (lambda-edge.md 10.3).

use crate::{InvokeError, Invoked};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Counters of one function, since it was loaded. Times in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    invocations: AtomicU64,
    errors: AtomicU64,
    throttles: AtomicU64,
    concurrent: AtomicU64,
    most_concurrent: AtomicU64,
    duration: AtomicU64,
    queue: AtomicU64,
    cold_starts: AtomicU64,
    init: AtomicU64,
    max_memory: AtomicU64,
}

/// What the counters show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Invocations that were begun, failed ones included, throttled ones not.
    pub invocations: u64,
    /// Those that failed: exceptions, time-outs, lost environments, failed INITs.
    pub errors: u64,
    /// Requests that found no environment in time.
    pub throttles: u64,
    /// Invocations running now.
    pub concurrent: u64,
    /// Most that ran at a time.
    pub most_concurrent: u64,
    /// Time in environments, all invocations together.
    pub duration: Duration,
    /// Time spent waiting for an environment, INIT not counted.
    pub queue: Duration,
    /// Environments started because a request needed one.
    pub cold_starts: u64,
    /// Time of those INITs.
    pub init: Duration,
    /// Most memory that an environment has used, in KiB.
    pub max_memory: u64,
    /// Environments that live now.
    pub environments: u64,
    /// Those of them that wait for an invocation.
    pub idle: u64,
}

/// Counts an invocation as running until it is dropped.
pub(crate) struct Running<'a>(&'a Metrics);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.concurrent.fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    pub(crate) fn running(&self) -> Running<'_> {
        let now = self.concurrent.fetch_add(1, Relaxed) + 1;
        self.most_concurrent.fetch_max(now, Relaxed);
        Running(self)
    }

    pub(crate) fn throttled(&self) {
        self.throttles.fetch_add(1, Relaxed);
    }

    pub(crate) fn waited(&self, time: Duration) {
        self.queue.fetch_add(micros(time), Relaxed);
    }

    pub(crate) fn used(&self, memory: Option<u64>) {
        self.max_memory.fetch_max(memory.unwrap_or(0), Relaxed);
    }

    pub(crate) fn ended(&self, result: &Result<Invoked, InvokeError>) {
        if matches!(result, Err(InvokeError::Throttled)) {
            return self.throttled();
        }
        self.invocations.fetch_add(1, Relaxed);
        match result {
            Err(_) => {
                self.errors.fetch_add(1, Relaxed);
            }
            Ok(invoked) => {
                self.duration.fetch_add(micros(invoked.duration), Relaxed);
                if let Some(init) = invoked.init {
                    self.cold_starts.fetch_add(1, Relaxed);
                    self.init.fetch_add(micros(init), Relaxed);
                }
            }
        }
    }

    pub(crate) fn measured(&self) -> Measured {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        let time = |counter: &AtomicU64| Duration::from_micros(counter.load(Relaxed));
        Measured {
            invocations: of(&self.invocations),
            errors: of(&self.errors),
            throttles: of(&self.throttles),
            concurrent: of(&self.concurrent),
            most_concurrent: of(&self.most_concurrent),
            duration: time(&self.duration),
            queue: time(&self.queue),
            cold_starts: of(&self.cold_starts),
            init: time(&self.init),
            max_memory: of(&self.max_memory),
            environments: 0,
            idle: 0,
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
