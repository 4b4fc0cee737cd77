//! The event loop: microtasks, timers, immediates and what comes from the network, in Node's order. A task is run by the
//! engine, which looks at the outcome after each; this module only says what is next, and sleeps until it is there.

use crate::{
    natives,
    network::{Incoming, Network},
};
use boa_engine::{
    Context, JsResult, JsValue,
    builtins::promise::{OperationType, Promise, PromiseState},
    context::HostHooks,
    job::{GenericJob, Job, JobExecutor, NativeAsyncJob, PromiseJob},
    object::{JsObject, builtins::JsPromise},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future as _,
    pin::Pin,
    rc::Rc,
    task,
    time::{Duration, Instant},
};

/// Number of a timer or an immediate, as scripts see it.
pub(crate) type TimerId = u32;

enum Microtask {
    Promise(PromiseJob),
    Generic(GenericJob),
    Async(NativeAsyncJob),
}

impl Microtask {
    fn run(self, context: &mut Context) -> JsResult<()> {
        match self {
            Self::Promise(job) => job.call(context).map(drop),
            Self::Generic(job) => job.call(context).map(drop),
            Self::Async(job) => {
                // Only module loading makes these, and it never waits. One that waits is dropped: its promise stays pending.
                let shared = RefCell::new(context);
                let mut job = job.call(&shared);
                match Pin::new(&mut job).poll(&mut task::Context::from_waker(task::Waker::noop())) {
                    task::Poll::Ready(result) => result.map(drop),
                    task::Poll::Pending => Ok(()),
                }
            }
        }
    }
}

struct Timer {
    callback: JsObject,
    /// For an interval: its length.
    period: Option<Duration>,
    /// When it fires; immediates have no time.
    due: Option<Instant>,
    /// Whether the loop waits for it.
    keeps_alive: bool,
}

#[derive(Default)]
struct Timers {
    last: TimerId,
    entries: BTreeMap<TimerId, Timer>,
    due: BTreeSet<(Instant, TimerId)>,
    immediates: VecDeque<TimerId>,
    /// What this turn of the loop still has to run.
    turn: VecDeque<TimerId>,
}

impl Timers {
    fn add(&mut self, callback: JsObject, delay: Option<Duration>, repeat: bool) -> TimerId {
        self.last = self.last.wrapping_add(1).max(1);
        let id = self.last;
        // A time beyond the clock's reach never comes.
        let due = delay.and_then(|delay| Instant::now().checked_add(delay));
        match due {
            Some(due) => {
                self.due.insert((due, id));
            }
            None => self.immediates.push_back(id),
        }
        self.entries.insert(id, Timer { callback, period: delay.filter(|_| repeat), due, keeps_alive: true });
        id
    }

    fn remove(&mut self, id: TimerId) -> Option<Timer> {
        let timer = self.entries.remove(&id)?;
        if let Some(due) = timer.due {
            self.due.remove(&(due, id));
        }
        Some(timer)
    }

    /// Fills the turn with the timers that are due, then the immediates.
    fn collect(&mut self, now: Instant) {
        while let Some(&(due, id)) = self.due.first()
            && due <= now
        {
            self.due.pop_first();
            self.turn.push_back(id);
        }
        self.turn.append(&mut self.immediates);
    }

    /// Takes the next callback out of the turn; an interval is armed again.
    fn take(&mut self, now: Instant) -> Option<JsObject> {
        while let Some(id) = self.turn.pop_front() {
            let Some(timer) = self.entries.get_mut(&id) else { continue };
            let callback = timer.callback.clone();
            match timer.period.and_then(|period| now.checked_add(period)) {
                Some(due) => {
                    timer.due = Some(due);
                    self.due.insert((due, id));
                }
                None => {
                    self.entries.remove(&id);
                }
            }
            return Some(callback);
        }
        None
    }

    fn is_kept_alive(&self) -> bool {
        self.entries.values().any(|timer| timer.keeps_alive)
    }
}

/// What the engine has to run next.
pub(crate) enum Task {
    /// The callback of a timer or an immediate.
    Timer(JsObject),
    /// What a request's callback is to be told.
    Network(JsObject, Incoming),
}

impl Task {
    /// Runs it.
    ///
    /// # Errors
    /// What the callback threw.
    pub(crate) fn run(self, context: &mut Context) -> JsResult<()> {
        match self {
            Self::Timer(callback) => callback.call(&JsValue::undefined(), &[], context).map(drop),
            Self::Network(callback, incoming) => natives::deliver(&callback, incoming, context),
        }
    }
}

/// The event loop of one environment. Timers and requests outlive the invocation that began them.
pub(crate) struct EventLoop {
    microtasks: RefCell<VecDeque<Microtask>>,
    timers: RefCell<Timers>,
    network: Network,
}

impl EventLoop {
    pub(crate) fn new(network: Network) -> Self {
        Self { microtasks: RefCell::default(), timers: RefCell::default(), network }
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Sets a timer.
    pub(crate) fn start_timer(&self, callback: JsObject, delay: Duration, repeat: bool) -> TimerId {
        self.timers.borrow_mut().add(callback, Some(delay), repeat)
    }

    /// Sets an immediate.
    pub(crate) fn start_immediate(&self, callback: JsObject) -> TimerId {
        self.timers.borrow_mut().add(callback, None, false)
    }

    /// Forgets a timer or an immediate; an unknown one is no error.
    pub(crate) fn stop(&self, id: TimerId) {
        self.timers.borrow_mut().remove(id);
    }

    /// Says whether the loop waits for a timer.
    pub(crate) fn keep_alive(&self, id: TimerId, keeps_alive: bool) {
        if let Some(timer) = self.timers.borrow_mut().entries.get_mut(&id) {
            timer.keeps_alive = keeps_alive;
        }
    }

    /// Runs microtasks until none is left.
    ///
    /// # Errors
    /// The engine gave up on one of them; the rest is still queued.
    pub(crate) fn drain(&self, context: &mut Context) -> JsResult<()> {
        loop {
            let Some(next) = self.microtasks.borrow_mut().pop_front() else { break };
            next.run(context)?;
        }
        context.clear_kept_objects();
        Ok(())
    }

    /// The next task, after sleeping until it is there; `None` when nothing is left to wait for.
    pub(crate) fn next_task(&self) -> Option<Task> {
        loop {
            let now = Instant::now();
            let mut timers = self.timers.borrow_mut();
            if let Some(callback) = timers.take(now) {
                return Some(Task::Timer(callback));
            }
            // Between two turns: what has come in the meantime.
            if let Some((callback, incoming)) = self.network.wait(Some(now)) {
                return Some(Task::Network(callback, incoming));
            }
            timers.collect(now);
            if !timers.turn.is_empty() {
                continue;
            }
            if !timers.is_kept_alive() && !self.network.is_awaiting() {
                return None;
            }
            let due = timers.due.first().map(|(due, _)| *due);
            drop(timers);
            if let Some((callback, incoming)) = self.network.wait(due) {
                return Some(Task::Network(callback, incoming));
            }
        }
    }
}

impl JobExecutor for EventLoop {
    fn enqueue_job(self: Rc<Self>, job: Job, _: &mut Context) {
        let microtask = match job {
            Job::PromiseJob(job) => Microtask::Promise(job),
            Job::GenericJob(job) => Microtask::Generic(job),
            Job::AsyncJob(job) => Microtask::Async(job),
            // Timers are ours, and clean-up callbacks are optional.
            _ => return,
        };
        self.microtasks.borrow_mut().push_back(microtask);
    }

    fn run_jobs(self: Rc<Self>, context: &mut Context) -> JsResult<()> {
        self.drain(context)
    }
}

/// Promises that were rejected while nothing handled them.
#[derive(Default)]
pub(crate) struct Rejections(RefCell<Vec<JsObject<Promise>>>);

impl Rejections {
    /// The reasons of those still unhandled; they are forgotten.
    pub(crate) fn take(&self) -> Vec<JsValue> {
        let promises = self.0.take();
        promises
            .into_iter()
            .filter_map(|promise| match JsPromise::from(promise).state() {
                PromiseState::Rejected(reason) => Some(reason),
                _ => None,
            })
            .collect()
    }
}

impl HostHooks for Rejections {
    fn promise_rejection_tracker(&self, promise: &JsObject<Promise>, operation: OperationType, _: &mut Context) {
        match operation {
            OperationType::Reject => self.0.borrow_mut().push(promise.clone()),
            OperationType::Handle => self.0.borrow_mut().retain(|other| !JsObject::equals(other, promise)),
        }
    }

    fn local_timezone_offset_seconds(&self, _: i64) -> i32 {
        // TZ=UTC, as in Lambda (lambda-edge.md 6.3).
        0
    }
}
