//! The last records, in memory: bounded in number and bytes, errors and slow ones kept longest.
//!
//! Records are kept as text, so that what they take is known. Of what has to go, ordinary records go first, as long as the
//! notable ones take no more than half of the room.

use super::{
    Mask, Record,
    json::{Bodies, RequestRecord},
    trace::{BODY_LIMIT, Trace},
};
use http::StatusCode;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::broadcast;

/// A request that takes longer to its head is notable.
pub const SLOW: Duration = Duration::from_secs(1);

/// Records that are made together.
const TOGETHER: usize = 32;

/// Most records that wait to be made by somebody else.
const WAITING: usize = 32 * TOGETHER;

/// Records that a follower may fall behind.
const BEHIND: usize = 1024;

/// Which requests are recorded, and how.
#[derive(Clone, Debug, Default)]
pub struct Tracing {
    /// Records kept.
    pub keep: usize,
    /// Bytes that they may take.
    pub memory: u64,
    /// Of 2³⁰ requests so many leave a full record.
    pub sample: u32,
    /// Whether bodies are recorded.
    pub bodies: bool,
    /// What is masked.
    pub mask: Mask,
}

/// All requests, as a number for [`Tracing::sample`].
const ALL: u32 = 1 << 30;

impl Tracing {
    /// The number for a share from 0 to 1.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of 2³⁰ fits, and is not negative"
    )]
    pub fn of_share(share: f64) -> u32 {
        (share.clamp(0.0, 1.0) * f64::from(ALL)).round() as u32
    }

    /// Whether the request with this id is one to be recorded in full.
    pub(crate) fn is_drawn(&self, id: &str) -> bool {
        self.sample != 0 && self.keep != 0 && drawn(id) < self.sample
    }

    /// The trace of the request with this id, if it is one to be recorded in full. The choice depends on the random id alone.
    #[must_use]
    pub fn begin(&self, id: &str) -> Option<Box<Trace>> {
        self.is_drawn(id).then(|| self.in_full())
    }

    /// The trace of a request that is recorded in full whatever its id.
    #[must_use]
    pub(crate) fn in_full(&self) -> Box<Trace> {
        Box::new(Trace { bodies: self.bodies, ..Trace::default() })
    }
}

/// Among the extensions of a request: it is to be recorded in full.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFull;

/// A number below 2³⁰ from the first five of an id's base64url characters.
fn drawn(id: &str) -> u32 {
    id.bytes().take(5).fold(0, |number, byte| {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            _ => 63,
        };
        (number << 6) | u32::from(digit)
    })
}

/// One record.
#[derive(Debug)]
pub struct Kept {
    /// The request's id.
    pub id: String,
    /// Host and target, for looking it up.
    pub url: (String, String),
    notable: bool,
    /// As JSON, without bodies.
    json: Box<str>,
    bodies: Bodies,
}

impl Kept {
    /// The record, with as much of the bodies as has passed by.
    #[must_use]
    pub fn read(&self) -> RequestRecord {
        // It was written by the same type.
        let mut record: RequestRecord = serde_json::from_str(&self.json).unwrap_or_default();
        record.add_bodies(&self.bodies);
        record
    }

    fn weight(&self) -> u64 {
        (self.json.len() + self.bodies.count() * BODY_LIMIT + 256) as u64
    }
}

/// Makes a record and puts it to the others.
type Later = Box<dyn FnOnce(&Records) + Send>;

/// The last records of a node, and whoever follows as they come.
pub struct Records {
    shelves: Mutex<Shelves>,
    /// Those that are still to be made.
    later: Mutex<Vec<Later>>,
    /// Held by who makes them.
    making: Mutex<()>,
    followers: broadcast::Sender<Arc<Kept>>,
}

#[derive(Debug, Default)]
struct Shelves {
    ordinary: Shelf,
    notable: Shelf,
}

#[derive(Debug, Default)]
struct Shelf {
    kept: VecDeque<Arc<Kept>>,
    bytes: u64,
}

impl Shelf {
    fn push(&mut self, kept: Arc<Kept>) {
        self.bytes += kept.weight();
        self.kept.push_back(kept);
    }

    fn pop(&mut self) -> bool {
        let Some(gone) = self.kept.pop_front() else { return false };
        self.bytes -= gone.weight();
        true
    }
}

impl Default for Records {
    fn default() -> Self {
        Self {
            shelves: Mutex::default(),
            later: Mutex::default(),
            making: Mutex::default(),
            followers: broadcast::Sender::new(BEHIND),
        }
    }
}

impl Records {
    /// Keeps the record of a request that was traced, failed or was slow, and shows any to followers.
    pub fn take(&self, record: &Record, tracing: &Tracing) {
        let notable = is_notable(record);
        let kept = tracing.keep > 0 && (notable || record.trace.is_some());
        if !kept && self.followers.receiver_count() == 0 {
            return;
        }
        let json = serde_json::to_string(&RequestRecord::new(record, &tracing.mask)).unwrap_or_default();
        let fresh = Arc::new(Kept {
            id: record.id.clone(),
            url: (record.host.clone(), record.target.clone()),
            notable,
            json: json.into_boxed_str(),
            bodies: Bodies::of(record),
        });
        if kept {
            self.keep(fresh.clone(), tracing);
        }
        // Nobody may be there.
        let _ = self.followers.send(fresh);
    }

    /// Has a record made soon; says whether it is time to [`Records::settle`].
    pub(crate) fn take_later(&self, later: Later) -> bool {
        let mut waiting = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(later);
        let count = waiting.len();
        drop(waiting);
        if count >= WAITING {
            self.settle();
        }
        count == TOGETHER
    }

    /// Makes the records that are still to be made. Behind it all are made that were given before it, whoever makes them.
    pub(crate) fn settle(&self) {
        let _turn = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut *self.later.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().for_each(|make| make(self));
    }

    /// Whether somebody follows every record.
    pub(crate) fn is_followed(&self) -> bool {
        self.followers.receiver_count() > 0
    }

    fn keep(&self, fresh: Arc<Kept>, tracing: &Tracing) {
        let mut shelves = self.shelves();
        let Shelves { ordinary, notable } = &mut *shelves;
        if fresh.notable {
            notable.push(fresh)
        } else {
            ordinary.push(fresh)
        }
        let over = |ordinary: &Shelf, notable: &Shelf, part: u64| {
            let count = (ordinary.kept.len() + notable.kept.len()) as u64;
            count * part > tracing.keep as u64 || (ordinary.bytes + notable.bytes) * part > tracing.memory
        };
        while over(ordinary, notable, 1) {
            let crowded = over(&Shelf::default(), notable, 2);
            let gone = if crowded { notable.pop() } else { ordinary.pop() || notable.pop() };
            if !gone {
                break;
            }
        }
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of a request; the beginning of an id, of eight characters or more, will do where it is the only one.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<Kept>> {
        self.settle();
        let shelves = self.shelves();
        let mut all = shelves.ordinary.kept.iter().chain(&shelves.notable.kept);
        if let Some(found) = all.clone().find(|kept| kept.id == id) {
            return Some(found.clone());
        }
        let mut begin = all.by_ref().filter(|kept| id.len() >= 8 && kept.id.starts_with(id));
        let found = begin.next()?;
        begin.next().is_none().then(|| found.clone())
    }

    /// All records, roughly the newest first within each of the two sorts.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Kept>> {
        self.settle();
        let shelves = self.shelves();
        shelves.ordinary.kept.iter().rev().chain(shelves.notable.kept.iter().rev()).cloned().collect()
    }

    /// Every record from now on, also of requests that leave none: short ones, as far as they are not sampled.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<Kept>> {
        self.settle();
        self.followers.subscribe()
    }
}

fn is_notable(record: &Record) -> bool {
    let failed = record.status.is_server_error() || record.outcome == super::Outcome::Error;
    let by_function = record.hooks.iter().any(|hook| hook.failure.is_some());
    // Who asked for what is not there, or left, is no error of ours.
    let ordinary = record.status.is_client_error() && record.status != StatusCode::REQUEST_TIMEOUT;
    (failed && !ordinary) || by_function || record.time >= SLOW
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(id: &str, notable: bool, length: usize) -> Arc<Kept> {
        let json = "x".repeat(length).into_boxed_str();
        Arc::new(Kept {
            id: id.to_owned(),
            url: <(String, String)>::default(),
            notable,
            json,
            bodies: Bodies::default(),
        })
    }

    fn ids(records: &Records) -> Vec<String> {
        records.all().iter().map(|kept| kept.id.clone()).collect()
    }

    #[test]
    fn ordinary_ones_go_first_and_notable_ones_take_half_at_most() {
        let records = Records::default();
        let tracing = Tracing { keep: 4, memory: u64::MAX, ..Tracing::default() };
        for id in ["a", "b", "c", "d"] {
            records.keep(kept(id, false, 1), &tracing);
        }
        records.keep(kept("E1", true, 1), &tracing);
        records.keep(kept("E2", true, 1), &tracing);
        assert_eq!(ids(&records), ["d", "c", "E2", "E1"]);
        records.keep(kept("E3", true, 1), &tracing);
        assert_eq!(ids(&records), ["d", "c", "E3", "E2"]);
        records.keep(kept("f", false, 1), &tracing);
        assert_eq!(ids(&records), ["f", "d", "E3", "E2"]);
    }

    #[test]
    fn bytes_are_bounded() {
        let records = Records::default();
        let tracing = Tracing { keep: 100, memory: 4 * 1256, ..Tracing::default() };
        for id in ["a", "b", "c", "d", "e"] {
            records.keep(kept(id, false, 1000), &tracing);
        }
        assert_eq!(ids(&records), ["e", "d", "c", "b"]);
        records.keep(kept("huge", false, 100_000), &tracing);
        assert_eq!(ids(&records), [""; 0]);
    }

    #[test]
    fn the_beginning_of_an_id_will_do() {
        let records = Records::default();
        let tracing = Tracing { keep: 4, memory: u64::MAX, ..Tracing::default() };
        records.keep(kept("abcdefgh-1", false, 1), &tracing);
        records.keep(kept("abcdefgi-2", false, 1), &tracing);
        let found = |id: &str| records.find(id).map(|kept| kept.id.clone());
        assert_eq!(found("abcdefgh").as_deref(), Some("abcdefgh-1"));
        assert_eq!((found("abcdefg"), found("zzzzzzzz")), (None, None));
        records.keep(kept("abcdefgh-3", false, 1), &tracing);
        assert_eq!(found("abcdefgh"), None);
    }

    #[test]
    fn the_sample_is_a_share_of_all_ids() {
        let of = |share| Tracing { keep: 1, sample: Tracing::of_share(share), ..Tracing::default() };
        let taken = |share| (0..4000).filter(|_| of(share).begin(&crate::id::request_id()).is_some()).count();
        assert_eq!((taken(0.0), taken(1.0)), (0, 4000));
        let quarter = taken(0.25);
        assert!((700..1300).contains(&quarter), "{quarter}");
        assert!(drawn("_____") == ALL - 1 && drawn("AAAAA") == 0);
    }
}
