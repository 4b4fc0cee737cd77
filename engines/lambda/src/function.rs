//! One version of a Lambda function with its environments.

use crate::{
    InvokeError,
    environment::{Call, Environment},
};
use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, sleep, timeout_at},
};

/// How long INIT may take (lambda-edge.md 7.3).
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// How long an invocation waits for a free environment, and how many may wait (lambda-edge.md 7.2).
const QUEUE_WAIT: Duration = Duration::from_millis(500);
const QUEUE_LENGTH: usize = 64;

/// After a failed INIT, how long invocations fail at once instead of starting another process.
const INIT_PAUSE: Duration = Duration::from_secs(1);

/// Everything about one version of a function.
#[derive(Clone, Debug)]
pub struct FunctionSettings {
    /// Name in the configuration.
    pub name: String,
    /// Version shown to the function, such as `1`.
    pub version: String,
    /// Account number in its ARN.
    pub account_id: String,
    /// Log stream shown to the function.
    pub log_stream: String,
    /// The executable that is an environment for its language.
    pub program: PathBuf,
    /// Arguments that make it one.
    pub arguments: Vec<OsString>,
    /// Environment variables of the process itself, before the function's own are set.
    pub process_variables: Vec<(String, String)>,
    /// Absolute path of the source file.
    pub file: PathBuf,
    /// The source.
    pub source: Vec<u8>,
    /// Export or function to call.
    pub handler: String,
    /// The function's own variables.
    pub variables: Vec<(String, String)>,
    /// Budget of one invocation: queue, cold start and run.
    pub timeout: Duration,
    /// Memory limit in MB.
    pub memory: u32,
    /// Most environments of this function at a time; `None`: as many as all functions together may have.
    pub reserved_concurrency: Option<usize>,
    /// How long an environment may be idle before it is let go.
    pub idle_timeout: Duration,
}

/// The room that all functions share.
#[derive(Clone, Debug)]
pub struct Concurrency(Arc<Semaphore>, usize);

impl Concurrency {
    /// Room for `limit` invocations at a time.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Semaphore::new(limit)), limit)
    }
}

/// The result of one invocation.
#[derive(Clone, Debug)]
pub struct Invoked {
    /// What the handler returned, JSON text.
    pub result: Vec<u8>,
    /// Time in the environment, without queue and INIT.
    pub duration: Duration,
    /// How long INIT took, when a process had to be started.
    pub init: Option<Duration>,
}

/// One version of a function. Clones share its environments; the last one to go ends them.
#[derive(Clone, Debug)]
pub struct Function(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: FunctionSettings,
    shared: Arc<Semaphore>,
    own: Arc<Semaphore>,
    limit: usize,
    waiting: AtomicUsize,
    calls: AtomicU64,
    idle: Mutex<Vec<Environment>>,
    last_failure: Mutex<Option<(Instant, InvokeError)>>,
}

/// Leave to run one invocation.
struct Permit {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

impl Function {
    /// A function without environments yet. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(settings: FunctionSettings, concurrency: &Concurrency) -> Self {
        let limit = settings.reserved_concurrency.unwrap_or(concurrency.1).min(concurrency.1);
        let idle_timeout = settings.idle_timeout;
        let inner = Arc::new(Inner {
            settings,
            shared: concurrency.0.clone(),
            own: Arc::new(Semaphore::new(limit)),
            limit,
            waiting: AtomicUsize::new(0),
            calls: AtomicU64::new(0),
            idle: Mutex::new(Vec::new()),
            last_failure: Mutex::new(None),
        });
        tokio::spawn(let_idle_ones_go(Arc::downgrade(&inner), idle_timeout));
        Self(inner)
    }

    /// Starts one environment, to see that the function loads; it serves the first invocation.
    ///
    /// # Errors
    /// The function does not load.
    pub async fn warm(&self) -> Result<(), InvokeError> {
        let environment = Environment::start(&self.0.settings, Instant::now() + INIT_LIMIT).await?;
        self.0.put_back(environment);
        Ok(())
    }

    /// Runs the handler on `event`, JSON text; `request_id` is the UUID that the function sees.
    ///
    /// # Errors
    /// There is no result. The function's own errors are among them.
    pub async fn invoke(&self, event: Vec<u8>, request_id: String) -> Result<Invoked, InvokeError> {
        let deadline = Instant::now() + self.0.settings.timeout;
        let permit = self.0.permit(deadline).await?;
        let inner = self.0.clone();
        // On a task of its own: what has begun is finished, whether or not the viewer still waits.
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let result = inner.run(event, request_id, deadline).await;
            drop(permit);
            if let Err(Err(error)) = answer.send(result) {
                tracing::error!(function = inner.settings.name, "function failed after its viewer had left: {error}");
            }
        });
        answered.await.unwrap_or(Err(InvokeError::Protocol))
    }
}

impl Inner {
    async fn permit(&self, deadline: Instant) -> Result<Permit, InvokeError> {
        if self.limit == 0 {
            return Err(InvokeError::Throttled);
        }
        let now = |semaphore: &Arc<Semaphore>| semaphore.clone().try_acquire_owned().ok();
        if let (Some(own), Some(shared)) = (now(&self.own), now(&self.shared)) {
            return Ok(Permit { _own: own, _shared: shared });
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE_LENGTH {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(InvokeError::Throttled);
        }
        let _leave = Leave(&self.waiting);
        let until = deadline.min(Instant::now() + QUEUE_WAIT);
        let both = async {
            let own = self.own.clone().acquire_owned().await.ok()?;
            let shared = self.shared.clone().acquire_owned().await.ok()?;
            Some(Permit { _own: own, _shared: shared })
        };
        timeout_at(until, both).await.ok().flatten().ok_or(InvokeError::Throttled)
    }

    async fn run(&self, event: Vec<u8>, request_id: String, deadline: Instant) -> Result<Invoked, InvokeError> {
        let call = Call::new(self.calls.fetch_add(1, Ordering::Relaxed), request_id, event, deadline);
        loop {
            let (mut environment, init) = match self.idle_one() {
                Some(environment) => (environment, None),
                None => {
                    let start = Instant::now();
                    (self.started(deadline).await?, Some(start.elapsed()))
                }
            };
            let start = Instant::now();
            let result = environment.invoke(&self.settings, &call).await;
            let duration = start.elapsed();
            // One that was dying when it was handed the call costs no request. One that was started for this call and
            // died before reading it would do so again.
            if result.is_err() && environment.never_read() && init.is_none() {
                continue;
            }
            if matches!(result, Ok(_) | Err(InvokeError::Failed(_))) {
                self.put_back(environment);
            }
            return result.map(|result| Invoked { result, duration, init });
        }
    }

    /// An idle environment that is still good: one that died meanwhile is no reason to fail a request.
    fn idle_one(&self) -> Option<Environment> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut environment) = idle.pop() {
            if environment.is_alive() {
                return Some(environment);
            }
        }
        None
    }

    async fn started(&self, deadline: Instant) -> Result<Environment, InvokeError> {
        let failure = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, error)) = failure
            && at.elapsed() < INIT_PAUSE
        {
            return Err(error);
        }
        let started = Environment::start(&self.settings, deadline.min(Instant::now() + INIT_LIMIT)).await;
        // One that only the invocation's own deadline cut short says nothing about the function.
        let telling = |error: &&InvokeError| !matches!(error, InvokeError::TimedOut(_));
        if let Some(error) = started.as_ref().err().filter(telling) {
            let mut failure = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
            *failure = Some((Instant::now(), error.clone()));
        }
        started
    }

    fn put_back(&self, mut environment: Environment) {
        environment.idle_since = Instant::now();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(environment);
    }
}

/// One fewer waits, however the waiting ended.
struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends environments that nobody has needed for a while.
async fn let_idle_ones_go(inner: Weak<Inner>, idle_timeout: Duration) {
    loop {
        sleep(idle_timeout.max(Duration::from_secs(1)) / 2).await;
        let Some(inner) = inner.upgrade() else { return };
        let mut idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|environment| environment.idle_since.elapsed() < idle_timeout);
    }
}
