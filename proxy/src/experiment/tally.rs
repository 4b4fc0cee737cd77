//! What is counted of an experiment: viewers, requests, statuses, latencies and hits per variant.
//!
//! A *viewer* is counted once: when it is drawn, or, where a hash decides, by a sample of distinct digests that keeps an even share
//! of them all (adaptive sampling) in bounded memory. Everything is counted when a request has been answered, so that a
//! variant which loses its viewers before they get an answer shows in the ratio. Testers are not counted.

use super::{Assign, How};
use crate::record::Outcome;
use hdrhistogram::Histogram;
use http::StatusCode;
use std::{
    collections::HashMap,
    sync::Arc,
    sync::{
        Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// Digests kept of an experiment's viewers.
const SAMPLE_LIMIT: usize = 32_768;

/// Longest latency told apart from longer ones: an hour in µs.
const LONGEST: u64 = 3_600_000_000;

/// The counts of one experiment. They begin anew when what they depend on changes.
#[derive(Debug)]
pub struct Tally {
    since: SystemTime,
    variants: Vec<Counts>,
    sample: Mutex<Sample>,
}

/// The counts of one variant.
#[derive(Debug)]
pub(super) struct Counts {
    viewers: AtomicU64,
    requests: AtomicU64,
    /// By class, from 1xx.
    statuses: [AtomicU64; 5],
    /// Answered from the cache, and asked of it.
    hits: AtomicU64,
    lookups: AtomicU64,
    /// Time to the response's head, µs.
    latency: Mutex<Histogram<u32>>,
}

/// An even sample of distinct digests: those whose lowest `level` bits are 0.
#[derive(Debug, Default)]
struct Sample {
    level: u32,
    seen: HashMap<u64, usize>,
}

impl Sample {
    fn add(&mut self, digest: u64, variant: usize) {
        if digest.trailing_zeros() < self.level {
            return;
        }
        self.seen.insert(digest, variant);
        while self.seen.len() > SAMPLE_LIMIT {
            self.level += 1;
            let level = self.level;
            self.seen.retain(|digest, _| digest.trailing_zeros() >= level);
        }
    }
}

/// A variant's counts at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shown {
    pub(super) viewers: u64,
    pub(super) requests: u64,
    pub(super) statuses: [u64; 5],
    pub(super) hits: u64,
    pub(super) lookups: u64,
    /// At 50, 95 and 99 %.
    pub(super) latency: [Duration; 3],
}

impl Tally {
    /// Counts at zero, for `variants` variants.
    pub(super) fn new(variants: usize, now: SystemTime) -> Self {
        let counts = || Counts {
            viewers: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            statuses: Default::default(),
            hits: AtomicU64::new(0),
            lookups: AtomicU64::new(0),
            latency: Mutex::new(
                Histogram::new_with_max(LONGEST, 2).expect("an hour in µs and two digits are in range"),
            ),
        };
        Self { since: now, variants: (0..variants).map(|_| counts()).collect(), sample: Mutex::default() }
    }

    /// When counting began.
    pub(super) fn since(&self) -> SystemTime {
        self.since
    }

    /// Counts one answered request.
    pub fn count(&self, variant: usize, how: How, status: StatusCode, outcome: Outcome, time: Duration) {
        let Some(counts) = self.variants.get(variant) else { return };
        match how {
            How::Forced => return,
            How::Drawn => drop(counts.viewers.fetch_add(1, Relaxed)),
            How::Hashed(digest) => {
                self.sample.lock().unwrap_or_else(PoisonError::into_inner).add(digest, variant);
            }
            How::Kept | How::Moved => {}
        }
        counts.requests.fetch_add(1, Relaxed);
        if let Some(class) = counts.statuses.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            class.fetch_add(1, Relaxed);
        }
        if let Outcome::Cache(outcome) = outcome {
            use crate::cache::Outcome::{Bypass, Hit, Stale};
            counts.lookups.fetch_add(u64::from(outcome != Bypass), Relaxed);
            counts.hits.fetch_add(u64::from(matches!(outcome, Hit | Stale)), Relaxed);
        }
        let micros = u64::try_from(time.as_micros()).unwrap_or(LONGEST);
        counts.latency.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(micros);
    }

    /// All counts. Viewers told apart by hash are an estimate from the sample, in the sample's proportions.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown: Vec<Shown> = self.variants.iter().map(Counts::shown).collect();
        for variant in sample.seen.values() {
            shown[*variant].viewers += 1 << sample.level;
        }
        shown
    }

    /// Counted viewers per variant, for the ratio: those drawn, or those in the sample.
    pub(super) fn viewers(&self) -> Vec<u64> {
        let sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let mut viewers: Vec<u64> = self.variants.iter().map(|counts| counts.viewers.load(Relaxed)).collect();
        for variant in sample.seen.values() {
            viewers[*variant] += 1;
        }
        viewers
    }
}

impl Counts {
    fn shown(&self) -> Shown {
        let latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |quantile| Duration::from_micros(latency.value_at_quantile(quantile));
        Shown {
            viewers: self.viewers.load(Relaxed),
            requests: self.requests.load(Relaxed),
            statuses: std::array::from_fn(|class| self.statuses[class].load(Relaxed)),
            hits: self.hits.load(Relaxed),
            lookups: self.lookups.load(Relaxed),
            latency: [at(0.5), at(0.95), at(0.99)],
        }
    }
}

/// What counts depend on: an experiment that differs in any of it is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The experiment's name.
    pub name: String,
    /// What keeps a viewer at a variant.
    pub assign: Assign,
    /// Names and weights, in order.
    pub variants: Vec<(String, u32)>,
}

/// The tallies of all experiments that some configuration still uses; they outlive reloads.
#[derive(Debug, Default)]
pub struct Tallies(Mutex<Vec<(Definition, Weak<Tally>)>>);

impl Tallies {
    /// The tally of an experiment: that of the configuration before, or a new one.
    pub fn of(&self, definition: Definition, now: SystemTime) -> Arc<Tally> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, tally)| tally.strong_count() > 0);
        let kept = known.iter().find(|(other, _)| *other == definition).and_then(|(_, tally)| tally.upgrade());
        kept.unwrap_or_else(|| {
            let tally = Arc::new(Tally::new(definition.variants.len(), now));
            known.push((definition, Arc::downgrade(&tally)));
            tally
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn count(tally: &Tally, variant: usize, how: How) {
        tally.count(variant, how, StatusCode::OK, Outcome::Cache(crate::cache::Outcome::Hit), Duration::from_millis(3));
    }

    #[test]
    fn viewers_are_counted_once_and_testers_never() {
        let tally = Tally::new(2, UNIX_EPOCH);
        count(&tally, 0, How::Drawn);
        count(&tally, 0, How::Kept);
        count(&tally, 1, How::Moved);
        count(&tally, 1, How::Forced);
        assert_eq!(tally.viewers(), [1, 0]);
        let shown = tally.shown();
        assert_eq!((shown[0].requests, shown[1].requests), (2, 1));
        assert_eq!((shown[0].statuses, shown[0].hits, shown[0].lookups), ([0, 2, 0, 0, 0], 2, 2));
        let p50 = shown[0].latency[0];
        assert!(p50 >= Duration::from_millis(3) && p50 < Duration::from_micros(3_100), "{p50:?}");
    }

    #[test]
    fn one_hash_is_one_viewer() {
        let tally = Tally::new(1, UNIX_EPOCH);
        for digest in [1, 2, 1, 3, 2] {
            count(&tally, 0, How::Hashed(digest));
        }
        assert_eq!((tally.viewers()[0], tally.shown()[0].viewers, tally.shown()[0].requests), (3, 3, 5));
    }

    #[test]
    fn the_sample_is_bounded_and_keeps_its_proportions() {
        let mut sample = Sample::default();
        for viewer in 0..300_000_u64 {
            let digest = xxhash_rust::xxh3::xxh3_64(&viewer.to_be_bytes());
            sample.add(digest, usize::from(viewer % 4 == 0));
            assert!(sample.seen.len() <= SAMPLE_LIMIT);
        }
        let estimate = (sample.seen.len() as u64) << sample.level;
        assert!((285_000..315_000).contains(&estimate), "{estimate}");
        let quarter = sample.seen.values().filter(|variant| **variant == 1).count() as f64 / sample.seen.len() as f64;
        assert!((0.23..0.27).contains(&quarter), "{quarter}");
    }

    #[test]
    fn counts_outlive_a_reload_that_changes_nothing() {
        let definition = |weight| Definition {
            name: "e".to_owned(),
            assign: Assign::Address,
            variants: vec![("a".to_owned(), weight), ("b".to_owned(), 1)],
        };
        let tallies = Tallies::default();
        let first = tallies.of(definition(1), UNIX_EPOCH);
        assert!(Arc::ptr_eq(&first, &tallies.of(definition(1), UNIX_EPOCH)));
        assert!(!Arc::ptr_eq(&first, &tallies.of(definition(2), UNIX_EPOCH)));
        // A configuration that was refused leaves the counts of the one that serves alone.
        assert!(Arc::ptr_eq(&first, &tallies.of(definition(1), UNIX_EPOCH)));
    }
}
