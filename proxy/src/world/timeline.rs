//! How time passes in a simulated world, in which nobody really waits.
//!
//! A timeline has two hands. The *clock* is what messages and stored answers are dated by; it moves only by [`Timeline::advance`]. The
//! *hand of waits* is what delays and deadlines are measured by. `advance` moves it too; besides, it goes to the next moment for
//! which somebody waits whenever a viewer waits and nothing else is going on, so that a delay costs no time and still comes before
//! or after every deadline as a real one would.
//!
//! To know that nothing is going on, requests and the tasks that they leave behind run as [`Tracked`] futures: whoever wakes one
//! says so here before it goes to sleep itself, so that there is no gap between a cause and its effect. What happens outside, in
//! the processes of functions, is held by a [`Busy`]. Work that is neither is not waited for: the hand may then move while it is
//! under way. Deliberately absent: threads and timers of its own.

use futures_util::task::AtomicWaker;
use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio::{sync::Notify, task::AbortHandle};

/// The time of one simulated world.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    state: Mutex<State>,
    /// Told when nothing is going on any more and no viewer waits.
    settled: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The clock, from the beginning of the world.
    clock: Duration,
    /// The hand of waits.
    hand: Duration,
    /// What is going on: futures that can run, calls that are outside.
    running: usize,
    /// Requests that have no answer yet.
    viewers: usize,
    /// By moment, and by order of arrival within one.
    waits: BTreeMap<(Duration, u64), Waker>,
    arrived: u64,
    tasks: Vec<AbortHandle>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Timeline {
    /// Where the clock stands.
    pub(super) fn clock(&self) -> Duration {
        lock(&self.state).clock
    }

    /// Where the hand of waits stands.
    pub(super) fn hand(&self) -> Duration {
        lock(&self.state).hand
    }

    /// Holds the hand where it is until it is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.woke();
        Busy(Arc::clone(self))
    }

    /// A future for which the hand waits. One of a `viewer` also makes it move.
    pub(super) fn tracked<F: Future>(self: &Arc<Self>, future: F, viewer: bool) -> Tracked<F> {
        let mut state = lock(&self.state);
        state.running += 1;
        state.viewers += usize::from(viewer);
        let run = Mutex::new(Run::Awake { woken: false });
        Tracked {
            activity: Arc::new(Activity { timeline: Arc::clone(self), run, outer: AtomicWaker::new() }),
            future: Box::pin(future),
            viewer,
        }
    }

    /// Starts a task that ends with this world at the latest.
    pub(super) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(self.tracked(task, false)).abort_handle();
        let mut state = lock(&self.state);
        state.tasks.retain(|task| !task.is_finished());
        state.tasks.push(task);
    }

    /// Ends all tasks.
    pub(super) fn end(&self) {
        let tasks = std::mem::take(&mut lock(&self.state).tasks);
        tasks.iter().for_each(AbortHandle::abort);
    }

    /// Waits until the hand stands at `at`.
    pub(super) fn wait(self: &Arc<Self>, at: Duration) -> Wait {
        Wait { timeline: Arc::clone(self), at, place: None }
    }

    /// Waits until nothing is going on. Only between requests: as long as a viewer waits, something is.
    pub(super) async fn settled(&self) {
        let mut settled = std::pin::pin!(self.settled.notified());
        loop {
            settled.as_mut().enable();
            if lock(&self.state).running == 0 {
                return;
            }
            settled.as_mut().await;
            settled.set(self.settled.notified());
        }
    }

    /// Lets time pass on both hands, stopping wherever somebody waits for a moment.
    pub(super) async fn advance(&self, time: Duration) {
        let mut left = time;
        loop {
            self.settled().await;
            let next = {
                let mut state = lock(&self.state);
                let from = state.hand;
                let next = state.next().filter(|(at, _)| *at <= from.saturating_add(left));
                let passed = next.as_ref().map_or(left, |(at, _)| at.saturating_sub(from));
                left = left.saturating_sub(passed);
                state.clock = state.clock.saturating_add(passed);
                state.hand = state.hand.saturating_add(passed);
                next.and_then(|(_, place)| state.leave(place))
            };
            match next {
                Some(waker) => self.wake(&waker),
                None if left.is_zero() => return,
                None => {}
            }
        }
    }

    fn woke(&self) {
        lock(&self.state).running += 1;
    }

    fn slept(&self) {
        lock(&self.state).running -= 1;
        self.turn();
    }

    /// Wakes whoever waited for the moment at which the hand is now.
    fn wake(&self, waker: &Waker) {
        waker.wake_by_ref();
        // Taken for this waking in `leave`: from then on it is the woken one that is running.
        lock(&self.state).running -= 1;
    }

    /// Moves the hand on, if it is time.
    fn turn(&self) {
        loop {
            let waker = {
                let mut state = lock(&self.state);
                if state.running > 0 {
                    return;
                }
                if state.viewers == 0 {
                    drop(state);
                    self.settled.notify_waiters();
                    return;
                }
                let Some((at, place)) = state.next() else { return };
                state.hand = state.hand.max(at);
                state.leave(place)
            };
            let Some(waker) = waker else { return };
            self.wake(&waker);
        }
    }
}

impl State {
    /// The next moment for which somebody waits.
    fn next(&self) -> Option<(Duration, (Duration, u64))> {
        self.waits.keys().next().map(|place| (place.0, *place))
    }

    /// Takes a wait out that is over. Its waking counts as something that is going on.
    fn leave(&mut self, place: (Duration, u64)) -> Option<Waker> {
        let waker = self.waits.remove(&place)?;
        self.running += 1;
        Some(waker)
    }
}

/// Something that is going on outside.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Timeline>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.slept();
    }
}

/// Whether a future can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// It can, and has been woken (or not) since it was polled last.
    Awake { woken: bool },
    /// Somebody has to wake it.
    Asleep,
    /// It is over.
    Ended,
}

#[derive(Debug)]
struct Activity {
    timeline: Arc<Timeline>,
    run: Mutex<Run>,
    /// Whoever polls the future.
    outer: AtomicWaker,
}

impl Activity {
    /// Changes what it is doing, and tells the timeline.
    fn change(&self, change: impl FnOnce(Run) -> Run) {
        let mut run = lock(&self.run);
        let before = std::mem::replace(&mut *run, Run::Ended);
        *run = change(before);
        let awake = |run| matches!(run, Run::Awake { .. });
        let (was, is) = (awake(before), awake(*run));
        if is && !was {
            self.timeline.woke();
        }
        drop(run);
        if was && !is {
            self.timeline.slept();
        }
    }
}

impl Wake for Activity {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.change(|run| if run == Run::Ended { run } else { Run::Awake { woken: true } });
        self.outer.wake();
    }
}

/// A future whose sleep and waking the timeline knows of.
#[derive(Debug)]
pub(super) struct Tracked<F> {
    activity: Arc<Activity>,
    future: Pin<Box<F>>,
    viewer: bool,
}

impl<F: Future> Future for Tracked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.activity.outer.register(context.waker());
        self.activity.change(|_| Run::Awake { woken: false });
        let waker = Waker::from(Arc::clone(&self.activity));
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            let rest = |run| if run == (Run::Awake { woken: true }) { run } else { Run::Asleep };
            self.activity.change(rest);
        }
        polled
    }
}

impl<F> Drop for Tracked<F> {
    fn drop(&mut self) {
        if self.viewer {
            lock(&self.activity.timeline.state).viewers -= 1;
        }
        self.activity.change(|_| Run::Ended);
        // One that was asleep told nobody.
        self.activity.timeline.turn();
    }
}

/// A wait for a moment.
#[derive(Debug)]
pub(super) struct Wait {
    timeline: Arc<Timeline>,
    at: Duration,
    place: Option<(Duration, u64)>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let timeline = Arc::clone(&self.timeline);
        let mut state = lock(&timeline.state);
        if state.hand >= self.at {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or((self.at, state.arrived));
        state.arrived += 1;
        self.place = Some(place);
        state.waits.insert(place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            lock(&self.timeline.state).waits.remove(&place);
        }
    }
}
