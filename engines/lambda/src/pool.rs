//! The environments of a function: started on demand up to the limit, used again, frozen in between, replaced when they are
//! lost, let go when they are old or not needed (lambda-edge.md 7).

use crate::{
    InvokeError,
    concurrency::{Concurrency, Evictable, Place},
    environment::{Birth, Environment},
    metrics::{Measured, Metrics},
    setbacks::Setbacks,
    settings::FunctionSettings,
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, oneshot},
    time::{Instant, sleep, timeout_at},
};

/// How long INIT may take (lambda-edge.md 7.3).
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// How long an environment stays unfrozen after an invocation: under load stopping and continuing would cost more than it
/// saves.
const FREEZE_AFTER: Duration = Duration::from_millis(10);

/// An environment for an invocation.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) environment: Environment,
    /// How long INIT took, when the process was started for this invocation.
    pub(crate) init: Option<Duration>,
}

/// The environments of one function.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) settings: FunctionSettings,
    pub(crate) metrics: Metrics,
    concurrency: Concurrency,
    /// Where its places come from: its own, or those that all share.
    places: Arc<Semaphore>,
    /// Bounds the starts that go on at a time.
    starts: Arc<Semaphore>,
    living: Arc<AtomicUsize>,
    idle: Mutex<VecDeque<Environment>>,
    setbacks: Mutex<(Setbacks, Option<InvokeError>)>,
    /// `/tmp` of environments that were lost, for those that replace them.
    tmp: Mutex<Vec<TempDir>>,
    /// Replacements that are being started, and invocations that wait for one of them.
    replacing: Waited,
    closed: AtomicBool,
    to_freeze: Notify,
    own: Weak<Self>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// A pool without environments. Must be called within a tokio runtime.
    pub(crate) fn new(settings: FunctionSettings, concurrency: &Concurrency, limit: usize) -> Arc<Self> {
        let reserved = settings.reserved_concurrency.is_some();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = Arc::new_cyclic(|own: &Weak<Self>| Self {
            settings,
            metrics: Metrics::default(),
            concurrency: concurrency.clone(),
            places: if reserved { Arc::new(Semaphore::new(limit)) } else { concurrency.shared() },
            starts: Arc::new(Semaphore::new(cores)),
            living: Arc::default(),
            idle: Mutex::default(),
            setbacks: Mutex::default(),
            tmp: Mutex::default(),
            replacing: Waited::default(),
            closed: AtomicBool::new(false),
            to_freeze: Notify::new(),
            own: own.clone(),
        });
        if !reserved {
            concurrency.join(pool.evictable());
        }
        tokio::spawn(tend(Arc::downgrade(&pool)));
        if pool.settings.freeze {
            tokio::spawn(freeze(Arc::downgrade(&pool)));
        }
        pool
    }

    fn evictable(&self) -> Weak<dyn Evictable> {
        self.own.clone()
    }

    /// Starts the environments that are kept, but at least one.
    pub(crate) async fn warm(&self) -> Result<Vec<(String, String)>, InvokeError> {
        let kept = self.settings.provisioned_concurrency;
        // Those that are still to come count, or they would be found missing while the first ones start.
        let to_come: Vec<_> = (1..kept).map(|_| Living::begin(&self.living)).collect();
        let first = match self.start(Living::begin(&self.living), kept > 0).await {
            // One more try: a top level may have been unlucky.
            Err(InvokeError::Init(_) | InvokeError::Exited(_)) => {
                self.start(Living::begin(&self.living), kept > 0).await?
            }
            Err(error) => return Err(error),
            Ok(environment) => environment,
        };
        let layers = first.layers.clone();
        self.put_back(first, true);
        for living in to_come {
            let environment = self.start(living, true).await?;
            self.put_back(environment, true);
        }
        Ok(layers)
    }

    /// An idle environment, or a new one. A place is waited for until `patience`.
    pub(crate) async fn take(&self, deadline: Instant, patience: Instant) -> Result<Started, InvokeError> {
        if let Some(environment) = self.idle_one() {
            return Ok(Started { environment, init: None });
        }
        self.check_pause()?;
        let mut retried = false;
        loop {
            if let Some(environment) = self.replacement(deadline).await {
                return Ok(Started { environment, init: None });
            }
            let place = match self.place(deadline.min(patience)).await? {
                Ok(environment) => return Ok(Started { environment, init: None }),
                Err(place) => place,
            };
            let begun = Instant::now();
            match self.started_by(place, deadline).await {
                Ok(environment) => return Ok(Started { environment, init: Some(begun.elapsed()) }),
                // One retry (lambda-edge.md 7.3), as far as the budget goes.
                Err(InvokeError::Init(_) | InvokeError::Exited(_)) if !retried && Instant::now() < deadline => {
                    retried = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn check_pause(&self) -> Result<(), InvokeError> {
        let setbacks = locked(&self.setbacks);
        match &setbacks.1 {
            Some(error) if setbacks.0.is_paused(Instant::now()) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// One that was being started already to replace another, where there is one for this invocation.
    async fn replacement(&self, deadline: Instant) -> Option<Environment> {
        let _claim = self.replacing.claim()?;
        loop {
            let freed = self.concurrency.freed().notified();
            if let Some(environment) = self.idle_one() {
                return Some(environment);
            }
            if self.replacing.begun.load(Ordering::Acquire) == 0 || timeout_at(deadline, freed).await.is_err() {
                return None;
            }
        }
    }

    /// A place for a new environment, or one that became idle meanwhile.
    async fn place(&self, until: Instant) -> Result<Result<Environment, Place>, InvokeError> {
        loop {
            // Listening before looking: what is freed in between is not missed.
            let freed = self.concurrency.freed().notified();
            if let Some(environment) = self.idle_one() {
                return Ok(Ok(environment));
            }
            if let Ok(place) = self.places.clone().try_acquire_owned() {
                return Ok(Err(place));
            }
            if self.settings.reserved_concurrency.is_none() && self.concurrency.evict(&self.evictable()) {
                continue;
            }
            let places = self.places.clone();
            tokio::select! {
                place = timeout_at(until, places.acquire_owned()) => {
                    return place.ok().and_then(Result::ok).map(Err).ok_or(InvokeError::Throttled);
                }
                () = freed => {}
            }
        }
    }

    /// Starts one on a task of its own. When the budget ends first, INIT goes on, for the next invocation.
    async fn started_by(&self, place: Place, deadline: Instant) -> Result<Environment, InvokeError> {
        let Some(pool) = self.own.upgrade() else { return Err(InvokeError::Throttled) };
        let (sender, receiver) = oneshot::channel();
        tokio::spawn(async move {
            let started = pool.start_in(Living::begin(&pool.living), place, false).await;
            if let Err(Ok(environment)) = sender.send(started) {
                pool.put_back(environment, true);
            }
        });
        match timeout_at(deadline, receiver).await {
            Ok(Ok(started)) => started,
            Ok(Err(_)) => Err(InvokeError::Protocol),
            Err(_) => Err(InvokeError::TimedOut(self.settings.timeout)),
        }
    }

    async fn start(&self, living: Living, kept: bool) -> Result<Environment, InvokeError> {
        loop {
            if let Ok(place) = self.places.clone().try_acquire_owned() {
                return self.start_in(living, place, kept).await;
            }
            if self.settings.reserved_concurrency.is_some() || !self.concurrency.evict(&self.evictable()) {
                return Err(InvokeError::Throttled);
            }
        }
    }

    async fn start_in(&self, living: Living, place: Place, kept: bool) -> Result<Environment, InvokeError> {
        let _turn = self.starts.acquire().await;
        let tmp = locked(&self.tmp).pop();
        let tmp = tmp.or_else(|| self.concurrency.temporary().ok());
        let birth = Birth { place, tmp, kept, living };
        let started = Environment::start(&self.settings, birth, Instant::now() + INIT_LIMIT).await;
        started.map_err(|(error, tmp)| {
            locked(&self.tmp).extend(tmp);
            self.set_back(&error);
            error
        })
    }

    fn set_back(&self, error: &InvokeError) {
        let mut setbacks = locked(&self.setbacks);
        setbacks.0.record(Instant::now());
        setbacks.1 = Some(error.clone());
    }

    /// An idle environment that is still good: one that died meanwhile is no reason to fail a request. The last one used
    /// comes first, so that those that are not needed become old.
    fn idle_one(&self) -> Option<Environment> {
        let mut idle = locked(&self.idle);
        while let Some(mut environment) = idle.pop_back() {
            if environment.is_alive() {
                return Some(environment);
            }
        }
        None
    }

    /// Takes back an environment that can serve again.
    pub(crate) fn put_back(&self, mut environment: Environment, succeeded: bool) {
        if succeeded {
            locked(&self.setbacks).0.forget();
        }
        environment.idle_since = Instant::now();
        if self.closed.load(Ordering::Acquire) || self.is_old(&environment) {
            tokio::spawn(environment.shut_down());
        } else {
            locked(&self.idle).push_back(environment);
            self.to_freeze.notify_one();
        }
        self.concurrency.freed().notify_waiters();
    }

    /// Buries an environment that met its deadline, crashed or broke a rule. Its replacement starts at once, with its `/tmp`.
    pub(crate) fn lost(&self, mut environment: Environment) {
        locked(&self.tmp).extend(environment.hand_over_tmp());
        let kept = environment.kept;
        self.set_back(&InvokeError::Start("its environments keep ending".to_owned()));
        // It counts before the other ceases to.
        let successor = Living::begin(&self.living);
        drop(environment);
        self.concurrency.freed().notify_waiters();
        if self.check_pause().is_ok() {
            self.replace(successor, kept);
        }
    }

    /// Starts an environment that nobody waits for, if there is room.
    fn replace(&self, living: Living, kept: bool) {
        let (Some(pool), Ok(place)) = (self.own.upgrade(), self.places.clone().try_acquire_owned()) else { return };
        self.replacing.begun.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(async move {
            if !pool.closed.load(Ordering::Acquire)
                && let Ok(environment) = pool.start_in(living, place, kept).await
            {
                pool.put_back(environment, false);
            }
            pool.replacing.begun.fetch_sub(1, Ordering::AcqRel);
            pool.concurrency.freed().notify_waiters();
        });
    }

    /// Ages differ by up to a tenth, so that environments started together do not end together.
    fn is_old(&self, environment: &Environment) -> bool {
        let jitter = self.settings.max_age / 1000 * (environment.number() % 100);
        environment.born.elapsed() + jitter >= self.settings.max_age
    }

    /// Lets go what is old or idle for long, but for those that are kept; starts what is missing of those.
    fn tend(&self) {
        let (mut gone, mut kept) = (Vec::new(), 0);
        {
            let mut idle = locked(&self.idle);
            let mut staying = VecDeque::with_capacity(idle.len());
            for mut environment in idle.drain(..) {
                if !environment.is_alive() {
                    locked(&self.tmp).extend(environment.hand_over_tmp());
                    continue;
                }
                let unneeded = !environment.kept && environment.idle_since.elapsed() >= self.settings.idle_timeout;
                if unneeded || self.is_old(&environment) {
                    gone.push(environment);
                } else {
                    // One too many serves like any other, until it is idle for long.
                    environment.kept &= kept < self.settings.provisioned_concurrency;
                    kept += usize::from(environment.kept);
                    staying.push_back(environment);
                }
            }
            *idle = staying;
        }
        let replaced = gone.iter().filter(|environment| environment.kept).count();
        for environment in gone {
            tokio::spawn(environment.shut_down());
        }
        // Those that are running are kept ones too; only what ended for good is replaced here.
        let living = self.living.load(Ordering::Relaxed);
        let missing = self.settings.provisioned_concurrency.saturating_sub(living.max(kept)).max(replaced);
        if self.check_pause().is_ok() {
            (0..missing).for_each(|_| self.replace(Living::begin(&self.living), true));
        }
    }

    pub(crate) fn measured(&self) -> Measured {
        let idle = locked(&self.idle).len() as u64;
        Measured { environments: self.living.load(Ordering::Relaxed) as u64, idle, ..self.metrics.measured() }
    }

    /// Ends all environments; those that run an invocation end after it.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let idle = std::mem::take(&mut *locked(&self.idle));
        if let Ok(runtime) = Handle::try_current() {
            for environment in idle {
                runtime.spawn(environment.shut_down());
            }
        }
    }
}

impl Evictable for Pool {
    fn evict_one(&self) -> bool {
        let mut idle = locked(&self.idle);
        let Some(at) = idle.iter().position(|environment| !environment.kept) else { return false };
        // Killed at once: its place is wanted now.
        drop(idle.remove(at));
        true
    }
}

/// What goes on, and how many wait for it.
#[derive(Debug, Default)]
struct Waited {
    begun: AtomicUsize,
    claimed: AtomicUsize,
}

impl Waited {
    /// Leave to wait, while fewer wait than is going on.
    fn claim(&self) -> Option<Claim<'_>> {
        let begun = self.begun.load(Ordering::Acquire);
        let claim = |claimed: usize| (claimed < begun).then_some(claimed + 1);
        self.claimed.fetch_update(Ordering::AcqRel, Ordering::Acquire, claim).ok().map(|_| Claim(&self.claimed))
    }
}

struct Claim<'a>(&'a AtomicUsize);

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One more environment lives, until this is dropped.
#[derive(Debug)]
pub(crate) struct Living(Arc<AtomicUsize>);

impl Living {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn tend(pool: Weak<Pool>) {
    loop {
        let Some(settings) = pool.upgrade().map(|pool| (pool.settings.idle_timeout, pool.settings.max_age)) else {
            return;
        };
        let often = settings.0.min(settings.1) / 2;
        sleep(often.clamp(Duration::from_millis(50), Duration::from_secs(1))).await;
        if let Some(pool) = pool.upgrade() {
            pool.tend();
        }
    }
}

/// Stops environments that have been idle for a moment.
async fn freeze(pool: Weak<Pool>) {
    loop {
        let Some(alive) = pool.upgrade() else { return };
        // The pool must not live on for this wait.
        let waiting = timeout_at(Instant::now() + Duration::from_secs(1), alive.to_freeze.notified()).await.is_ok();
        drop(alive);
        if !waiting {
            continue;
        }
        sleep(FREEZE_AFTER).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut again = false;
        for environment in locked(&pool.idle).iter_mut() {
            if environment.idle_since.elapsed() >= FREEZE_AFTER {
                environment.freeze();
            } else {
                again = true;
            }
        }
        if again {
            pool.to_freeze.notify_one();
        }
    }
}
