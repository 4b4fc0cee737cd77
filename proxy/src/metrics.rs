//! What is counted of requests, origins and functions for monitoring. `admin::metrics` shows it.
//!
//! A [`Metrics`] belongs to one site and knows its behaviors, origins and functions, so that labels come from a closed set: whatever
//! else turns up is counted under [`OTHER`]. Counters whose names stay outlive a reload. Counting takes no lock and allocates
//! nothing. Deliberately absent: rates, averages and time, which are the reader's business.

use crate::record::{HookRecord, OUTCOMES, OriginRecord, Outcome, Record};
use edgehook_contract::HookPoint;
use http::StatusCode;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The label of what the configuration does not name: requests that were refused before they had a behavior, origins that
/// functions chose.
pub const OTHER: &str = "other";

/// Upper bounds of the buckets for times, in seconds.
pub const TIMES: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Upper bounds of the buckets for shares of a budget.
pub const SHARES: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// Classes of statuses, as labels.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

const MICROS: f64 = 1e6;

/// A distribution. `BOUNDS` buckets and one for what lies above all of them.
#[derive(Debug)]
pub struct Histogram<const BOUNDS: usize> {
    bounds: &'static [f64; BOUNDS],
    buckets: [AtomicU64; BOUNDS],
    above: AtomicU64,
    /// In millionths.
    sum: AtomicU64,
}

impl<const BOUNDS: usize> Histogram<BOUNDS> {
    /// An empty one.
    #[must_use]
    pub fn new(bounds: &'static [f64; BOUNDS]) -> Self {
        let buckets = std::array::from_fn(|_| AtomicU64::new(0));
        Self { bounds, buckets, above: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }

    /// Adds a value, which is not negative.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "casts from floating point saturate, and a sum of that many years is wrong anyway"
    )]
    pub fn add(&self, value: f64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        bucket.map_or(&self.above, |index| &self.buckets[index]).fetch_add(1, Relaxed);
        self.sum.fetch_add((value * MICROS) as u64, Relaxed);
    }

    /// The sum of all values, their number, and how many fell to each bucket: its upper bound, and those above the bound
    /// before it.
    #[must_use]
    pub fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let counts = self.buckets.iter().map(|count| count.load(Relaxed));
        let mut buckets: Vec<(f64, u64)> = self.bounds.iter().copied().zip(counts).collect();
        buckets.push((f64::INFINITY, self.above.load(Relaxed)));
        let count = buckets.iter().map(|(_, count)| count).sum();
        #[allow(clippy::cast_precision_loss, reason = "for graphs")]
        let sum = self.sum.load(Relaxed) as f64 / MICROS;
        (sum, count, buckets)
    }
}

/// Counters of one behavior's path.
#[derive(Debug)]
pub struct OfBehavior {
    /// By outcome, then by class of status.
    pub requests: [[AtomicU64; CLASSES.len()]; OUTCOMES.len()],
    /// Seconds to the head of the answer.
    pub time: Histogram<{ TIMES.len() }>,
}

/// Counters of one origin.
#[derive(Debug)]
pub struct OfOrigin {
    /// Exchanges by class of status.
    pub answers: [AtomicU64; CLASSES.len()],
    /// Exchanges without an answer.
    pub failures: AtomicU64,
    /// Seconds to the head of the answer, or to the failure.
    pub time: Histogram<{ TIMES.len() }>,
}

/// Counters of one function.
#[derive(Debug)]
pub struct OfFunction {
    /// Seconds from event to checked result, by hook point, in the order of [`HOOKS`].
    pub time: [Histogram<{ TIMES.len() }>; HOOKS.len()],
    /// Share of the CPU budget, of viewer functions.
    pub utilization: Histogram<{ SHARES.len() }>,
}

/// The hook points, in the order of a request.
pub const HOOKS: [HookPoint; 4] =
    [HookPoint::ViewerRequest, HookPoint::OriginRequest, HookPoint::OriginResponse, HookPoint::ViewerResponse];

impl Default for OfBehavior {
    fn default() -> Self {
        let requests = std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0)));
        Self { requests, time: Histogram::new(&TIMES) }
    }
}

impl Default for OfOrigin {
    fn default() -> Self {
        let answers = std::array::from_fn(|_| AtomicU64::new(0));
        Self { answers, failures: AtomicU64::new(0), time: Histogram::new(&TIMES) }
    }
}

impl Default for OfFunction {
    fn default() -> Self {
        let time = std::array::from_fn(|_| Histogram::new(&TIMES));
        Self { time, utilization: Histogram::new(&SHARES) }
    }
}

/// Counters by name, and one for names that are not known.
type Named<T> = HashMap<String, Arc<T>>;

/// What a site counts.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    behaviors: Named<OfBehavior>,
    origins: Named<OfOrigin>,
    functions: Named<OfFunction>,
}

/// The counters of the site before, for the next to go on with.
#[derive(Debug, Default)]
pub struct KeptMetrics(Mutex<Metrics>);

impl KeptMetrics {
    /// Counters for these names; those that were there before go on.
    #[must_use]
    pub fn of<'n>(
        &self,
        behaviors: impl Iterator<Item = &'n str>,
        origins: impl Iterator<Item = &'n str>,
        functions: impl Iterator<Item = &'n str>,
    ) -> Metrics {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = Metrics {
            behaviors: taken(&kept.behaviors, behaviors),
            origins: taken(&kept.origins, origins),
            functions: taken(&kept.functions, functions),
        };
        kept.clone_from(&metrics);
        metrics
    }
}

fn taken<'n, T: Default>(kept: &Named<T>, names: impl Iterator<Item = &'n str>) -> Named<T> {
    let named = |name: &str| (name.to_owned(), kept.get(name).cloned().unwrap_or_default());
    names.chain([OTHER]).map(named).collect()
}

fn find<'m, T>(named: &'m Named<T>, name: &str) -> Option<&'m Arc<T>> {
    named.get(name).or_else(|| named.get(OTHER))
}

/// Counters with their names, in alphabetical order.
fn sorted<T>(named: &Named<T>) -> Vec<(&str, &T)> {
    let mut all: Vec<(&str, &T)> = named.iter().map(|(name, counters)| (name.as_str(), &**counters)).collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

impl Metrics {
    /// Counts an answered request, with all that was done for it.
    pub fn answered(&self, record: &Record) {
        self.counted(record.behavior.as_deref().unwrap_or(OTHER), record.outcome, record.status, record.time);
        self.worked(record);
    }

    /// Counts an answer for which origins and functions did nothing.
    pub(crate) fn counted(&self, behavior: &str, outcome: Outcome, status: StatusCode, time: Duration) {
        let Some(behavior) = find(&self.behaviors, behavior) else { return };
        if let Some(class) = class(status) {
            behavior.requests[outcome.index()][class].fetch_add(1, Relaxed);
        }
        behavior.time.add(time.as_secs_f64());
    }

    /// Counts what origins and functions did, in the background too.
    pub fn worked(&self, record: &Record) {
        for exchange in &record.origins {
            self.exchanged(exchange);
        }
        for run in &record.hooks {
            self.ran(run);
        }
    }

    fn exchanged(&self, exchange: &OriginRecord) {
        let Some(origin) = find(&self.origins, &exchange.origin) else { return };
        let answers = exchange.status.and_then(class).map(|class| &origin.answers[class]);
        answers.unwrap_or(&origin.failures).fetch_add(1, Relaxed);
        origin.time.add(exchange.time.as_secs_f64());
    }

    fn ran(&self, run: &HookRecord) {
        let Some(function) = find(&self.functions, &run.function) else { return };
        if let Some(hook) = HOOKS.iter().position(|hook| *hook == run.hook) {
            function.time[hook].add(run.time.as_secs_f64());
        }
        if let Some((cpu, budget)) = run.cpu.filter(|(_, budget)| *budget > Duration::ZERO) {
            function.utilization.add(cpu.as_secs_f64() / budget.as_secs_f64());
        }
    }

    /// By path pattern.
    #[must_use]
    pub fn behaviors(&self) -> Vec<(&str, &OfBehavior)> {
        sorted(&self.behaviors)
    }

    /// By name.
    #[must_use]
    pub fn origins(&self) -> Vec<(&str, &OfOrigin)> {
        sorted(&self.origins)
    }

    /// By name.
    #[must_use]
    pub fn functions(&self) -> Vec<(&str, &OfFunction)> {
        sorted(&self.functions)
    }
}

fn class(status: StatusCode) -> Option<usize> {
    usize::from(status.as_u16() / 100).checked_sub(1).filter(|class| *class < CLASSES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_to_the_bucket_whose_bound_they_do_not_exceed() {
        let histogram = Histogram::new(&SHARES);
        for value in [0.0, 0.1, 0.100_001, 1.0, 1.5] {
            histogram.add(value);
        }
        let (sum, count, buckets) = histogram.read();
        assert_eq!((count, buckets.len()), (5, SHARES.len() + 1));
        assert!((sum - 2.700_001).abs() < 1e-5, "{sum}");
        let filled: Vec<(f64, u64)> = buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.1, 2), (0.2, 1), (1.0, 1), (f64::INFINITY, 1)]);
    }

    #[test]
    fn names_that_stay_go_on_counting_and_others_are_one() {
        let kept = KeptMetrics::default();
        let exchange = |origin: &str, status| OriginRecord {
            origin: origin.to_owned(),
            time: Duration::from_millis(3),
            status,
            error: None,
            messages: None,
        };
        let none = || std::iter::empty();
        let first = kept.of(none(), ["a", "b"].into_iter(), none());
        for (origin, status) in [("a", Some(StatusCode::OK)), ("a", None), ("10.0.0.1:80", Some(StatusCode::OK))] {
            first.exchanged(&exchange(origin, status));
        }
        let second = kept.of(none(), ["a", "c"].into_iter(), none());
        second.exchanged(&exchange("a", Some(StatusCode::BAD_GATEWAY)));
        second.exchanged(&exchange("b", Some(StatusCode::OK)));
        let shown: Vec<(&str, u64, u64, u64)> = second
            .origins()
            .into_iter()
            .map(|(name, of)| {
                (name, of.answers[1].load(Relaxed), of.answers[4].load(Relaxed), of.failures.load(Relaxed))
            })
            .collect();
        assert_eq!(shown, [("a", 1, 1, 1), ("c", 0, 0, 0), (OTHER, 2, 0, 0)]);
    }
}
