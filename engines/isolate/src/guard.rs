//! The guarded section: every way out of a guest, and the watch on its CPU time.
//!
//! [`call`] enters it through the C part, which sets the point to jump back to. The body arms the watch and runs guest code; from
//! then on [`Control::leave`] ends the run from wherever it is: the allocator, the panic hook, a signal handler. It acts only
//! while the watch is armed, and disarms it, so a run has exactly one end and a late signal none.
//!
//! The budget is CPU time of the guest thread. A monotonic timer tells when to look; if the thread was descheduled in the
//! meantime, the handler sets the timer anew for what is left. The timer is left running after a run that ended in time: the next
//! one sets it only if it would fire too late, so under load most runs set none. A signal that finds no run does nothing.
//!
//! Reading a thread's CPU time is a system call, and half a microsecond. A *loose* stage does without: it is for work that does not
//! depend on what the guest's author wrote, and its limit is counted from the timer's first look at it.
//!
//! Absent on purpose: what to rewind afterwards.

use crate::{control::Control, signals, verdict::Verdict};
use std::{
    cell::{Cell, UnsafeCell},
    ffi::c_void,
    io, mem, ptr,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::*, compiler_fence},
    time::Duration,
};

/// Shortest time that the timer is set for, in ns.
const LEAST_WAIT: u64 = 10_000;

/// A timer that should have fired this long ago, in ns, is taken for lost and set again.
const LOST: u64 = 2_000_000;

unsafe extern "C" {
    safe fn edgehook_guard_size() -> usize;
    fn edgehook_guard_call(
        buffer: *mut c_void,
        body: unsafe extern "C" fn(*mut c_void),
        data: *mut c_void,
    ) -> libc::c_int;
    fn edgehook_guard_leave(buffer: *mut c_void) -> !;
}

/// The limit of a loose stage at which the timer has not looked yet, in ns.
const NOT_BEGUN: u64 = u64::MAX;

/// How closely a stage's CPU time is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watching {
    /// From its first instruction to its last, and its use is told.
    Closely,
    /// A run away is ended within twice the budget; what is used is not told.
    Loosely,
}

/// How a guarded section ended.
pub(crate) type Exit = Verdict;

/// The state of the guard. Changed by the guest thread and by signal handlers on it.
#[derive(Debug)]
pub(crate) struct Watch {
    armed: AtomicBool,
    exit: Cell<Exit>,
    /// CPU time of the stages before this one, in ns.
    used: AtomicU64,
    /// Thread CPU time at which the stage began, in ns; of a loose one, at which the timer first looked.
    stage_began: AtomicU64,
    /// Thread CPU time at which the stage must have ended, in ns; [`NOT_BEGUN`].
    limit: AtomicU64,
    /// CPU time that the stage may use, in ns.
    budget: AtomicU64,
    stage: AtomicU32,
    /// Monotonic time at which the timer fires, in ns; 0 when it is not set.
    fires_at: AtomicU64,
    timer: Cell<libc::timer_t>,
    /// The C library's `sigjmp_buf`, which is smaller on every architecture.
    buffer: UnsafeCell<[u128; 32]>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            armed: AtomicBool::new(false),
            exit: Cell::new(Exit::Finished),
            used: AtomicU64::new(0),
            stage_began: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            budget: AtomicU64::new(0),
            stage: AtomicU32::new(0),
            fires_at: AtomicU64::new(0),
            timer: Cell::new(ptr::null_mut()),
            buffer: UnsafeCell::new([0; 32]),
        }
    }
}

impl Watch {
    /// Creates the calling thread's timer.
    pub(crate) fn create_timer(&self) -> io::Result<()> {
        // SAFETY: `sigevent` is plain numbers, for which zeros are valid; gettid cannot fail.
        let (mut event, thread) = unsafe { (mem::zeroed::<libc::sigevent>(), libc::gettid()) };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signals::timer_signal();
        event.sigev_notify_thread_id = thread;
        let mut timer = ptr::null_mut();
        // SAFETY: both pointers are valid for the call.
        if unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) } != 0 {
            return Err(io::Error::last_os_error());
        }
        self.timer.set(timer);
        self.fires_at.store(0, Relaxed);
        Ok(())
    }

    /// Deletes it. A signal that is already on its way finds nothing armed.
    pub(crate) fn delete_timer(&self) {
        // SAFETY: created by `create_timer` on this thread.
        unsafe { libc::timer_delete(self.timer.get()) };
    }

    /// Starts the first stage of a section. The first thing that its body does.
    pub(crate) fn begin(&self, control: &Control, budget: Duration, watching: Watching) {
        self.stage.store(0, Relaxed);
        self.used.store(0, Relaxed);
        self.arm(control, None, budget, watching);
    }

    /// Ends the stage, which must have kept its budget, and starts another with one of its own; the CPU time that the
    /// old one used, if it was watched.
    pub(crate) fn next_stage(&self, control: &Control, budget: Duration, watching: Watching) -> Duration {
        let now = self.end_stage(control);
        let used = now.map_or(0, |now| now.saturating_sub(self.stage_began.load(Relaxed)));
        self.armed.store(false, Relaxed);
        compiler_fence(SeqCst);
        self.used.fetch_add(used, Relaxed);
        self.stage.fetch_add(1, Relaxed);
        self.arm(control, now, budget, watching);
        Duration::from_nanos(used)
    }

    /// Ends the section from its inside, unless the last stage overran.
    pub(crate) fn finish(&self, control: &Control) {
        if let Some(now) = self.end_stage(control) {
            self.used.fetch_add(now.saturating_sub(self.stage_began.load(Relaxed)), Relaxed);
        }
        compiler_fence(SeqCst);
        self.armed.store(false, Relaxed);
    }

    /// Ends the run if the stage overran; otherwise the time, if the stage needed it.
    fn end_stage(&self, control: &Control) -> Option<u64> {
        if self.limit.load(Relaxed) == NOT_BEGUN {
            return None;
        }
        let now = thread_time();
        if now > self.limit.load(Relaxed) {
            control.leave(Exit::Time);
        }
        Some(now)
    }

    fn arm(&self, control: &Control, now: Option<u64>, budget: Duration, watching: Watching) {
        let budget = nanoseconds(budget);
        self.budget.store(budget, Relaxed);
        match watching {
            Watching::Loosely => self.limit.store(NOT_BEGUN, Relaxed),
            Watching::Closely => self.count_from(now.unwrap_or_else(thread_time)),
        }
        self.expect(budget);
        compiler_fence(SeqCst);
        self.armed.store(true, Relaxed);
        compiler_fence(SeqCst);
        // The timer may have fired before the watch was armed, and then nobody looked.
        if self.fires_at.load(Relaxed) == 0 {
            self.look(control);
        }
    }

    fn count_from(&self, now: u64) {
        self.stage_began.store(now, Relaxed);
        self.limit.store(now.saturating_add(self.budget.load(Relaxed)).min(NOT_BEGUN - 1), Relaxed);
    }

    /// Sees to it that the timer fires within `wait` ns.
    fn expect(&self, wait: u64) {
        let now = monotonic_time();
        let needed = now.saturating_add(wait.max(LEAST_WAIT));
        let set = self.fires_at.load(Relaxed);
        if set == 0 || set > needed || set.saturating_add(LOST) < now {
            self.set_timer(needed);
        }
    }

    fn set_timer(&self, at: u64) {
        // Noted first: a signal of the old setting in between only makes the note pessimistic.
        self.fires_at.store(at, Relaxed);
        compiler_fence(SeqCst);
        let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let value = libc::timespec {
            tv_sec: libc::time_t::try_from(at / 1_000_000_000).unwrap_or(libc::time_t::MAX),
            tv_nsec: (at % 1_000_000_000) as libc::c_long,
        };
        let setting = libc::itimerspec { it_interval: zero, it_value: value };
        // SAFETY: this thread's timer and a valid setting. It cannot fail for such.
        unsafe { libc::timer_settime(self.timer.get(), libc::TIMER_ABSTIME, &raw const setting, ptr::null_mut()) };
    }

    /// For the timer's handler on the guest thread: ends the run if its time is up, otherwise waits for the rest.
    pub(crate) fn fired(&self, control: &Control) {
        self.fires_at.store(0, Relaxed);
        if self.armed.load(Relaxed) {
            self.look(control);
        }
    }

    fn look(&self, control: &Control) {
        let now = thread_time();
        if self.limit.load(Relaxed) == NOT_BEGUN {
            self.count_from(now);
        }
        let left = self.limit.load(Relaxed).saturating_sub(now);
        if left == 0 {
            control.leave(Exit::Time);
        } else {
            self.set_timer(monotonic_time().saturating_add(left.max(LEAST_WAIT)));
        }
    }

    /// After a section that ended like this: the CPU time of its stages that were watched.
    pub(crate) fn used(&self, exit: Exit) -> Duration {
        let mut used = self.used.load(Relaxed);
        if exit != Exit::Finished && self.limit.load(Relaxed) != NOT_BEGUN {
            used += thread_time().saturating_sub(self.stage_began.load(Relaxed));
        }
        Duration::from_nanos(used)
    }

    /// After a section: the stage in which it ended, counted from 0.
    pub(crate) fn stage(&self) -> u32 {
        self.stage.load(Relaxed)
    }
}

impl Control {
    /// Ends the run that is going on, and does not come back; comes back if there is none.
    ///
    /// Must be called on the guest thread.
    pub(crate) fn leave(&self, exit: Exit) {
        if self.watch.armed.swap(false, Relaxed) {
            self.watch.exit.set(exit);
            compiler_fence(SeqCst);
            // SAFETY: the watch was armed, so this thread is within the body that `call` runs, whose C frame set the
            // buffer and is still there. The frames that are skipped are of guest code (and of signal handlers above
            // it): whatever they own is in the arena, in guest statics or borrowed from the host, and nothing of it is
            // used again. That their destructors do not run is what a rewind means.
            unsafe { edgehook_guard_leave(self.watch.buffer.get().cast()) }
        }
    }
}

/// Whether this C library's jump buffer fits.
pub(crate) fn is_supported() -> bool {
    edgehook_guard_size() <= size_of::<[u128; 32]>()
}

/// Runs `body(data)` as a guarded section.
///
/// # Safety
/// On the guest thread, with no section going on. `body` must begin with [`Watch::begin`], end with [`Watch::finish`], be
/// sound with `data`, not unwind, and must not lean on destructors of its frames. Memory reachable from `data`
/// must be valid whatever moment the body is left at.
pub(crate) unsafe fn call(control: &Control, body: unsafe extern "C" fn(*mut c_void), data: *mut c_void) -> Exit {
    // SAFETY: the buffer is large enough (checked when the guest thread was set up) and this thread's alone; the rest
    // is the caller's promise.
    let left = unsafe { edgehook_guard_call(control.watch.buffer.get().cast(), body, data) };
    compiler_fence(SeqCst);
    if left == 0 {
        return Exit::Finished;
    }
    signals::unblock();
    control.watch.exit.get()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time of the calling thread, in ns.
pub(crate) fn thread_time() -> u64 {
    time(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn monotonic_time() -> u64 {
    time(libc::CLOCK_MONOTONIC)
}

fn time(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the answer; both clocks exist everywhere, so it does not fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}
