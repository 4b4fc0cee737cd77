//! Futures that are polled only when they have something to say.
//!
//! A task that waits for several things polls all of them each time that one wakes it. For a connection those are the socket, at
//! every request, and two that hardly ever happen: its timer, and the beginning of the drain, whose locks all connections share. A
//! [`Seldom`] keeps a waker of its own between such a future and the task, and leaves the future alone until that was rung.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is polled after it was woken, and not otherwise.
pub(crate) struct Seldom<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    /// The same as a waker.
    waker: Waker,
    /// The task's waker, which the bell has too.
    task: Option<Waker>,
}

struct Bell {
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Bell {
    fn task(&self) -> MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task().clone();
        task.inspect(Waker::wake_by_ref);
    }
}

impl<F: Future> Seldom<F> {
    /// Wraps a future, which is polled once at the first poll.
    pub(crate) fn new(future: F) -> Self {
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: Mutex::new(None) });
        Self { future: Box::pin(future), waker: Waker::from(Arc::clone(&bell)), bell, task: None }
    }

    /// The future, to be changed; it is polled next time.
    pub(crate) fn change(&mut self) -> Pin<&mut F> {
        self.bell.rung.store(true, Ordering::Release);
        self.future.as_mut()
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if !this.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *this.bell.task() = Some(cx.waker().clone());
            this.task = Some(cx.waker().clone());
        }
        // In this order: whoever rings from now on wakes the task.
        if !this.bell.rung.load(Ordering::Acquire) || !this.bell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let polled = this.future.as_mut().poll(&mut Context::from_waker(&this.waker));
        if polled.is_ready() {
            // As without this: a timer that is over stays so.
            this.bell.rung.store(true, Ordering::Release);
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use tokio::sync::oneshot;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn it_is_polled_at_first_and_when_woken_and_wakes_the_task_of_the_last_poll() {
        let polls = Arc::new(AtomicUsize::new(0));
        let (send, mut receive) = oneshot::channel::<u8>();
        let counted = Arc::clone(&polls);
        let mut seldom = Seldom::new(std::future::poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut receive).poll(cx)
        }));
        let tasks = [Arc::new(Count::default()), Arc::new(Count::default())];
        let wakers = tasks.clone().map(Waker::from);
        let mut poll = |waker: &Waker| Pin::new(&mut seldom).poll(&mut Context::from_waker(waker));
        for waker in [0, 0, 0, 1, 1] {
            assert!(poll(&wakers[waker]).is_pending());
        }
        assert_eq!(polls.load(Ordering::Relaxed), 1, "nobody woke it");
        send.send(7).unwrap();
        assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed)), [0, 1]);
        assert_eq!(poll(&wakers[1]), Poll::Ready(Ok(7)));
        assert_eq!(polls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_changed_is_polled_again() {
        use tokio::time::{Duration, Instant, sleep};
        let start = Instant::now();
        let mut timer = Seldom::new(sleep(Duration::from_secs(100)));
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut timer).await.is_err());
        for seconds in [5, 7, 8] {
            timer.change().reset(start + Duration::from_secs(seconds));
            (&mut timer).await;
            assert_eq!(start.elapsed(), Duration::from_secs(seconds));
        }
        timer.await; // over is over
    }
}
