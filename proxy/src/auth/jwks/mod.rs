//! Key sets behind a URL: fetched in the background, kept on disk, replaced as a whole (security.md J11).
//!
//! A task of its own fetches; requests only read the last good set. A token with an unknown key id may cause one fetch per
//! `min_interval` and then waits for it a moment; tokens with known ids never wait. While fetches fail the last good set stays, for
//! `keep_stale`; after that there are no keys. The schedule follows the monotonic clock.

mod disk;
mod fetch;
#[cfg(test)]
mod tests;

pub use disk::KeptSet;
pub use fetch::{Fetcher, over_http};

use super::jwt::{Algorithm, KeySet};
use arc_swap::ArcSwapOption;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::AbortHandle,
    time::{Instant, sleep_until, timeout},
};

/// Longest time that a request waits for a fetch that its token's key id has caused.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most requests that wait at a time.
const WAITING: usize = 1000;
/// Longest fetch.
const FETCH: Duration = Duration::from_secs(10);

/// When a set is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// Age at which it is fetched again.
    pub every: Duration,
    /// Whether an unknown key id causes a fetch.
    pub on_unknown_kid: bool,
    /// Least time between the beginnings of two fetches.
    pub min_interval: Duration,
    /// How long the last good set is used past `every`.
    pub keep_stale: Duration,
}

/// A key set behind a URL.
#[derive(Debug)]
pub struct FetchedKeys {
    shared: Arc<Shared>,
    task: Mutex<Option<AbortHandle>>,
    waiting: Semaphore,
}

struct Shared {
    /// For logs: the URL.
    name: String,
    schedule: Schedule,
    algorithms: Vec<Algorithm>,
    fetcher: Fetcher,
    kept: Option<KeptSet>,
    current: ArcSwapOption<Current>,
    generations: AtomicU64,
    turn: Mutex<Turn>,
    wanted: Notify,
    finished: watch::Sender<u64>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({})", self.name)
    }
}

/// The last good set.
#[derive(Debug)]
struct Current {
    keys: Arc<KeySet>,
    text: Vec<u8>,
    generation: u64,
    /// Age when it was put here, and when that was.
    age: Duration,
    since: Instant,
}

impl Current {
    fn age(&self) -> Duration {
        self.age + self.since.elapsed()
    }
}

#[derive(Debug, Default)]
struct Turn {
    begun: Option<Instant>,
    under_way: bool,
}

/// A set to verify with, and which one it is.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The keys.
    pub set: Arc<KeySet>,
    /// Changes whenever the keys do.
    pub generation: u64,
}

impl FetchedKeys {
    /// Keys that `fetcher` brings; those that were kept on disk serve until then. Nothing is fetched before [`FetchedKeys::start`].
    #[must_use]
    pub fn new(
        name: String,
        algorithms: Vec<Algorithm>,
        schedule: Schedule,
        fetcher: Fetcher,
        kept: Option<KeptSet>,
    ) -> Self {
        let shared = Shared {
            name,
            schedule,
            algorithms,
            fetcher,
            kept,
            current: ArcSwapOption::empty(),
            generations: AtomicU64::new(0),
            turn: Mutex::default(),
            wanted: Notify::new(),
            finished: watch::Sender::new(0),
        };
        if let Some((text, age)) = shared.kept.as_ref().and_then(KeptSet::read) {
            // A set that cannot be used any more is as good as none.
            let _ = shared.take(text, age);
        }
        Self { shared: Arc::new(shared), task: Mutex::default(), waiting: Semaphore::new(WAITING) }
    }

    /// Begins to fetch, once; ends when this is dropped. Must be called within a tokio runtime.
    pub fn start(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_none() {
            // A request that comes before the first fetch has begun waits for it.
            self.shared.turn().under_way = true;
            let shared = self.shared.clone();
            *task = Some(tokio::spawn(async move { shared.run().await }).abort_handle());
        }
    }

    /// The keys now, without waiting; `None` when there never were any, or the last good ones are too old.
    #[must_use]
    pub fn now(&self) -> Option<Keys> {
        let current = self.shared.current.load();
        let current = current.as_ref()?;
        let schedule = &self.shared.schedule;
        let usable = current.age() <= schedule.every + schedule.keep_stale;
        usable.then(|| Keys { set: current.keys.clone(), generation: current.generation })
    }

    /// Time since the last good set was fetched; `None` when there never was one.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.shared.current.load().as_ref().map(|current| current.age())
    }

    /// Keys newer than those of `generation`, after a fetch if one may be made or is under way; `None` when there are none.
    pub async fn newer(&self, generation: Option<u64>) -> Option<Keys> {
        let newer = || self.now().filter(|keys| Some(keys.generation) != generation);
        let Some(mut finished) = self.ask() else { return newer() };
        if newer().is_none()
            && let Ok(_place) = self.waiting.try_acquire()
        {
            // Either way what there is now decides.
            let _ = timeout(PATIENCE, finished.changed()).await;
        }
        newer()
    }

    /// A notice of the end of the next fetch, if there is one to wait for.
    fn ask(&self) -> Option<watch::Receiver<u64>> {
        let mut turn = self.shared.turn();
        let finished = self.shared.finished.subscribe();
        if turn.under_way {
            return Some(finished);
        }
        let schedule = &self.shared.schedule;
        let too_soon = turn.begun.is_some_and(|begun| begun.elapsed() < schedule.min_interval);
        if !schedule.on_unknown_kid || too_soon {
            return None;
        }
        turn.under_way = true;
        self.shared.wanted.notify_one();
        Some(finished)
    }
}

impl Drop for FetchedKeys {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl Shared {
    fn turn(&self) -> std::sync::MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches now and then, for ever.
    async fn run(&self) {
        let mut due = Instant::now();
        if let Some(current) = self.current.load().as_ref() {
            due += self.schedule.every.saturating_sub(current.age());
            self.turn().under_way = due <= Instant::now();
        }
        loop {
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.wanted.notified() => {}
            }
            let begun = Instant::now();
            *self.turn() = Turn { begun: Some(begun), under_way: true };
            let pause = match self.fetch().await {
                Ok(()) => self.schedule.every.max(self.schedule.min_interval),
                Err(problem) => {
                    let kept = if self.current.load().is_some() { "; the last good one stays" } else { "" };
                    tracing::warn!("key set {}: {problem}{kept}", self.name);
                    self.schedule.min_interval
                }
            };
            due = begun + pause;
            self.turn().under_way = false;
            self.finished.send_modify(|count| *count += 1);
        }
    }

    async fn fetch(&self) -> Result<(), String> {
        let text = timeout(FETCH, (self.fetcher)()).await.map_err(|_| "it takes too long to fetch".to_owned())??;
        let refused = self.take(text.clone(), Duration::ZERO)?;
        if refused > 0 {
            tracing::warn!("key set {}: {refused} weak or malformed keys are left out", self.name);
        }
        if let Some(kept) = &self.kept
            && let Err(error) = kept.write(&text)
        {
            tracing::warn!("key set {}: cannot be kept on disk: {error}", self.name);
        }
        Ok(())
    }

    /// Puts a set in the place of the last one; tells how many of its keys are left out.
    fn take(&self, text: Vec<u8>, age: Duration) -> Result<usize, String> {
        let since = Instant::now();
        let before = self.current.load_full();
        // The same keys keep their generation, and with it the verdicts.
        if let Some(before) = before.filter(|before| before.text == text) {
            let (keys, generation) = (before.keys.clone(), before.generation);
            self.current.store(Some(Arc::new(Current { keys, text, generation, age, since })));
            return Ok(0);
        }
        let keys = KeySet::parse(&text, &self.algorithms).map_err(str::to_owned)?;
        let refused = keys.refused.len();
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        self.current.store(Some(Arc::new(Current { keys: Arc::new(keys), text, generation, age, since })));
        Ok(refused)
    }
}
