//! One version of a Lambda function: its invocations. Its environments are kept in [`Pool`].

use crate::{
    InvokeError,
    concurrency::Concurrency,
    environment::Call,
    log::Report,
    metrics::Measured,
    pool::{Pool, Started},
    settings::{FunctionSettings, Identity},
};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{self, Poll, ready},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// How long an invocation waits for a free environment, and how many may wait (lambda-edge.md 7.2).
const QUEUE_WAIT: Duration = Duration::from_millis(500);
const QUEUE_LENGTH: usize = 64;

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

/// What is asked of a function.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The event, JSON text.
    pub event: Vec<u8>,
    /// The UUID that the function sees.
    pub id: String,
    /// The trace that it belongs to, in the form of `X-Amzn-Trace-Id`.
    pub trace: Option<String>,
    /// Whether the end of its log is wanted.
    pub tail: bool,
    /// The time that the function sees, in milliseconds since 1970: a test's; `None`: the real one. Only where the settings have
    /// one too.
    pub clock: Option<u64>,
}

/// One version of a function. Clones share its environments; the last one to go ends them.
#[derive(Clone, Debug)]
pub struct Function(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Arc<Pool>,
    limit: usize,
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    calls: AtomicU64,
    /// For what goes on without anybody who waits for it.
    runtime: Handle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl Function {
    /// A function without environments yet. Must be called within a tokio runtime.
    #[must_use]
    pub fn new(settings: FunctionSettings, concurrency: &Concurrency) -> Self {
        let limit = settings.reserved_concurrency.unwrap_or(concurrency.limit()).min(concurrency.limit());
        let pool = Pool::new(settings, concurrency, limit);
        let running = Arc::new(Semaphore::new(limit));
        let (waiting, calls) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { pool, limit, running, waiting, calls, runtime: Handle::current() }))
    }

    /// Starts the environments that are kept, but at least one, to see that the function loads; it serves the first
    /// invocation. Tells which layers of the sandbox there are, and why others are missing.
    ///
    /// # Errors
    /// The function does not load, also not the second time.
    pub async fn warm(&self) -> Result<Vec<(String, String)>, InvokeError> {
        if self.0.limit == 0 {
            // Switched off: no environment may be started, so nothing is known about it.
            return Ok(Vec::new());
        }
        self.0.pool.warm().await
    }

    /// What has been counted since the function was loaded.
    #[must_use]
    pub fn measured(&self) -> Measured {
        self.0.pool.measured()
    }

    /// Which function and version it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.0.pool.settings.identity
    }

    /// Its ARN (lambda-edge.md 5.5).
    #[must_use]
    pub fn arn(&self) -> String {
        self.0.pool.settings.arn()
    }

    /// Runs the handler.
    ///
    /// # Errors
    /// There is no result. The function's own errors are among them.
    pub async fn invoke(&self, request: Request) -> Result<Invoked, InvokeError> {
        self.invoke_with_log(request).await.0
    }

    /// Runs the handler, and tells the end of its log where the request wants it.
    pub async fn invoke_with_log(&self, request: Request) -> (Result<Invoked, InvokeError>, String) {
        let begun = Instant::now();
        let deadline = begun + self.0.pool.settings.timeout;
        let permit = match self.0.permit(deadline).await {
            Ok(permit) => permit,
            Err(error) => {
                self.0.pool.metrics.throttled();
                return (Err(error), String::new());
            }
        };
        self.0.pool.metrics.waited(begun.elapsed());
        let inner = self.0.clone();
        let run = Box::pin(async move {
            let mut log = String::new();
            let result = inner.run(request, begun, deadline, &mut log).await;
            drop(permit);
            inner.pool.metrics.ended(&result);
            (result, log)
        });
        Begun { run: Some(run), inner: self.0.clone() }.await
    }
}

/// An invocation that has begun. It is driven by whoever waits for it, which saves it a task and the way to and fro; when nobody
/// waits any more, it goes on by itself: what has begun is finished.
struct Begun {
    run: Option<Pin<Box<dyn Future<Output = Ended> + Send>>>,
    inner: Arc<Inner>,
}

/// The result, and the end of the log.
type Ended = (Result<Invoked, InvokeError>, String);

impl Future for Begun {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Ended> {
        let Some(run) = &mut self.run else { return Poll::Pending };
        let ended = ready!(run.as_mut().poll(context));
        self.run = None;
        Poll::Ready(ended)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        let inner = self.inner.clone();
        self.inner.runtime.spawn(async move {
            if let (Err(error), _) = run.await
                && !matches!(error, InvokeError::Throttled)
            {
                let function = &inner.pool.settings.identity.name;
                tracing::error!(function, "function failed after its viewer had left: {error}");
            }
        });
    }
}

impl Inner {
    async fn permit(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, InvokeError> {
        if self.limit == 0 {
            return Err(InvokeError::Throttled);
        }
        if let Ok(permit) = self.running.clone().try_acquire_owned() {
            return Ok(permit);
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE_LENGTH {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(InvokeError::Throttled);
        }
        let _leave = Leave(&self.waiting);
        let until = deadline.min(Instant::now() + QUEUE_WAIT);
        let permit = timeout_at(until, self.running.clone().acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or(InvokeError::Throttled)
    }

    async fn run(
        &self,
        request: Request,
        begun: Instant,
        deadline: Instant,
        log: &mut String,
    ) -> Result<Invoked, InvokeError> {
        let _running = self.pool.metrics.running();
        let call = Call::new(self.calls.fetch_add(1, Ordering::Relaxed), request, deadline);
        let settings = &self.pool.settings;
        loop {
            let Started { mut environment, init } = self.pool.take(deadline, begun + QUEUE_WAIT).await?;
            let start = Instant::now();
            let (result, memory) = environment.invoke(settings, &call).await;
            let duration = start.elapsed();
            // One that was dying when it was handed the call costs no request. One that was started for this call and
            // died before reading it would do so again.
            if result.is_err() && environment.never_read() && init.is_none() {
                continue;
            }
            self.pool.metrics.used(memory);
            let report = Report {
                request: &call.request,
                duration: duration.min(settings.timeout),
                memory_size: settings.memory,
                memory_used: memory,
                init,
                failure: result.as_ref().err(),
                trace: &call.trace,
            };
            *log = environment.close(&call, result.as_ref().err(), &report);
            match &result {
                Err(error) if error.ends_environment() => self.pool.lost(environment),
                result => self.pool.put_back(environment, result.is_ok()),
            }
            return result.map(|result| Invoked { result, duration, init });
        }
    }
}

/// One fewer waits, however the waiting ended.
struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
