//! One function's isolate: its arena, its snapshot, its runs.

use crate::{
    control::Control,
    dirty::Tracked,
    guard::{self, Watching},
    mapping,
    out::{Full, OutBuffer},
    snapshot::{Image, Statics},
    thread::{self, GuestThread},
    verdict::{Budget, Limits, Report, Stats, Verdict},
};
use std::{ffi::c_void, fmt, io, mem, ops::Range, panic, panic::AssertUnwindSafe, ptr, rc::Rc, slice, time::Duration};

/// Bytes behind the snapshot whose memory is kept from run to run; what a run uses beyond goes back to the kernel.
const KEPT: usize = 256 * 1024;

/// What guest code may ask of the host while it runs.
#[derive(Debug)]
pub struct Turn<'out> {
    control: &'static Control,
    out: &'out mut OutBuffer,
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Turn<'_> {
    /// Appends to the run's output, all of `bytes` or nothing.
    ///
    /// # Errors
    /// If they do not fit.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Full> {
        self.out.write(bytes)
    }

    /// The run's output so far.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.out.bytes()
    }

    /// Forgets the output so far.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// Ends the present stage and starts one that may use `cpu`, counted anew; the CPU time that the old one used.
    ///
    /// So building an event, the handler itself and reading its outcome each get a budget of their own. Does not return
    /// if the old stage overran.
    pub fn stage(&mut self, cpu: Duration) -> Duration {
        self.control.watch.next_stage(self.control, cpu, Watching::Closely)
    }

    /// Like [`Turn::stage`], for work that does not depend on what the guest's author wrote: its CPU time is not told, and it may
    /// use up to twice `cpu`; which saves the system call that looks at the clock.
    pub fn loose_stage(&mut self, cpu: Duration) -> Duration {
        self.control.watch.next_stage(self.control, cpu, Watching::Loosely)
    }
}

/// What a guest's set-up returns to say that it will not do. The reason goes through [`Turn::write`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// Why there is no isolate.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// The set-up said so itself; the reason is in the output.
    Refused(Report),
    /// The set-up was stopped; the report's verdict says by what.
    Stopped(Report),
    /// The state takes this many bytes, which is more than [`Limits::live`].
    TooLarge(usize),
    /// No addresses or no memory for an arena.
    System(io::Error),
}

impl LoadError {
    /// A short name for logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Stopped(report) => report.verdict.as_str(),
            Self::TooLarge(_) => "too large",
            Self::System(_) => "system",
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(_) => formatter.write_str("the set-up refused"),
            Self::Stopped(report) => write!(formatter, "the set-up was stopped: {}", report.verdict),
            Self::TooLarge(bytes) => write!(formatter, "the state after the set-up is too large: {bytes} bytes"),
            Self::System(error) => write!(formatter, "no arena: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// A guest in its arena, as it was when it had been set up, however often it has run.
///
/// Dropping it releases the memory; the guest itself is not dropped, just forgotten.
pub struct Isolate<G> {
    /// In the arena.
    guest: *mut G,
    arena: Arena,
    /// End of the snapshot's part of the arena.
    end: usize,
    /// Bytes of it that are in use.
    live: usize,
    snapshot: Tracked,
    /// What a rewind copies back.
    written: Vec<Range<usize>>,
    image: Image,
    /// From here on the arena's pages are zeros.
    soiled: usize,
    allowance: usize,
    statics: Rc<Statics>,
    control: &'static Control,
    runs: u64,
    cpu: Duration,
}

impl<G> fmt::Debug for Isolate<G> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Isolate").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl<G: 'static> Isolate<G> {
    /// Runs `init` as a guest and takes the snapshot: what it returns is what every run finds.
    ///
    /// The output is emptied first. `init` is `Copy` and `Send` so that it can take nothing from the host but copies and
    /// shared references without cells: what it allocates must not get into anything of the host's (a channel, a
    /// locked `Vec`), where it would be gone after the run.
    ///
    /// # Errors
    /// If `init` refuses or is stopped, or there is no memory. The host is as before then.
    pub fn load<F>(thread: &GuestThread, limits: Limits, out: &mut OutBuffer, init: F) -> Result<Self, LoadError>
    where
        F: FnOnce(&mut Turn<'_>) -> Result<G, Refused> + Copy + Send,
    {
        let control = thread.control;
        let needed = limits.memory.saturating_add(limits.allowance);
        let arena = Arena::carve(control, needed).map_err(LoadError::System)?;
        let Range { start, end } = arena.0;
        let image = thread.statics.image().map_err(LoadError::System)?;
        let entry = Entry {
            heap: (start, end.min(start.saturating_add(limits.memory)), start),
            arena: ptr::null(),
            lay_out: None,
            capture: Some(&image),
        };
        let mut guest: Option<*mut G> = None;
        let place = &raw mut guest;
        let ended =
            perform(control, &thread.statics, &entry, (limits.cpu, Watching::Closely), out, |turn: &mut Turn<'_>| {
                if let Ok(guest) = init(turn) {
                    let guest = Box::into_raw(Box::new(guest));
                    // SAFETY: the frame of `load` is below this one and does not touch the place meanwhile.
                    unsafe { place.write(Some(guest)) };
                }
            });
        if ended.report.verdict != Verdict::Finished {
            return Err(LoadError::Stopped(ended.report));
        }
        let Some(guest) = guest else { return Err(LoadError::Refused(ended.report)) };
        if ended.live > limits.live {
            return Err(LoadError::TooLarge(ended.live));
        }
        let end = mapping::page_up(ended.next).unwrap_or(ended.next);
        let snapshot = Tracked::new(start..end, true).map_err(LoadError::System)?;
        // SAFETY: the arena is this isolate's; `run` shows its pages to the fault handler before guest code runs again, and
        // nothing else writes there. `Arena` outlives the use of `snapshot`.
        unsafe { snapshot.start().map_err(LoadError::System)? };
        let mut isolate = Self {
            guest,
            arena,
            end,
            live: ended.live,
            snapshot,
            written: Vec::new(),
            image,
            soiled: ended.soiled.max(end),
            allowance: limits.allowance,
            statics: Rc::clone(&thread.statics),
            control,
            runs: 0,
            cpu: Duration::ZERO,
        };
        isolate.trim();
        Ok(isolate)
    }

    /// Runs `step` on the guest, guarded, and rewinds.
    ///
    /// The output is emptied first; what `step` wrote is there afterwards, also after a run that was stopped. The bounds on
    /// `step` are those of [`Isolate::load`].
    ///
    /// # Panics
    /// If the guest thread that it was loaded on has ended, or from inside a guest.
    pub fn run<F>(&mut self, budget: Budget, out: &mut OutBuffer, step: F) -> Report
    where
        F: FnOnce(&mut G, &mut Turn<'_>) + Copy + Send,
    {
        self.run_watched(budget, Watching::Closely, out, step)
    }

    /// Like [`Isolate::run`], with a first stage that is loose ([`Turn::loose_stage`]).
    ///
    /// # Panics
    /// As [`Isolate::run`] does.
    pub fn run_from_loose<F>(&mut self, budget: Budget, out: &mut OutBuffer, step: F) -> Report
    where
        F: FnOnce(&mut G, &mut Turn<'_>) + Copy + Send,
    {
        self.run_watched(budget, Watching::Loosely, out, step)
    }

    fn run_watched<F>(&mut self, budget: Budget, watching: Watching, out: &mut OutBuffer, step: F) -> Report
    where
        F: FnOnce(&mut G, &mut Turn<'_>) + Copy + Send,
    {
        self.check();
        let guest = self.guest;
        let limit = self.end.saturating_add(budget.memory.min(self.allowance)).min(self.arena.0.end);
        let entry = Entry {
            heap: (self.end, limit, self.soiled),
            arena: &raw const self.snapshot,
            lay_out: Some(&self.image),
            capture: None,
        };
        let mut ended =
            perform(self.control, &self.statics, &entry, (budget.cpu, watching), out, |turn: &mut Turn<'_>| {
                // SAFETY: allocated by `load` in the arena, which is as it was then; no other reference exists, since each
                // run's ends with it.
                step(unsafe { &mut *guest }, turn);
            });
        ended.report.memory = ended.peak - self.end;
        self.soiled = self.soiled.max(ended.soiled);
        self.rewind();
        self.runs += 1;
        self.cpu += ended.report.cpu;
        ended.report
    }

    fn check(&self) {
        let current = self.control.statics().is_some_and(|statics| ptr::eq(statics, &raw const *self.statics));
        assert!(current && self.control.on_guest_thread(), "the isolate's guest thread has ended");
        assert!(Control::inside().is_none(), "a guest cannot run guests");
    }

    fn rewind(&mut self) {
        if let Some(written) = self.snapshot.settle() {
            self.written = written;
        }
        // SAFETY: the run has ended; nothing refers to the arena but `guest`, whose bytes come back as they were.
        unsafe { self.snapshot.rewind(&self.written) };
        self.trim();
    }

    fn trim(&mut self) {
        let keep = self.end + KEPT;
        if self.soiled > keep {
            let end = mapping::page_up(self.soiled).unwrap_or(self.soiled).min(self.arena.0.end);
            // SAFETY: whole pages of the arena behind the snapshot, which no run has begun to use.
            unsafe { mapping::discard(keep..end) };
            self.soiled = keep;
        }
    }
}

impl<G> Isolate<G> {
    /// What it is and has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            runs: self.runs,
            cpu: self.cpu,
            snapshot: self.end - self.arena.0.start,
            live: self.live,
            dirty_pages: self.snapshot.count(),
            exchanged: self.statics.exchanged(),
            statics: self.statics.statics_len() + self.statics.thread_locals_len(),
        }
    }

    /// A digest of everything that the next run will find: snapshot, static data, thread-locals. For tests of rewinding.
    #[doc(hidden)]
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        let mut add = |start: usize, len: usize| {
            // SAFETY: readable memory, and nobody writes it: no guest is running, and this one only reads.
            let bytes = unsafe { slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(start), len) };
            for byte in bytes {
                digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        add(self.arena.0.start, self.end - self.arena.0.start);
        // SAFETY: as in `perform`; between the two only bytes are read.
        unsafe {
            self.statics.enter(Some(&self.image));
            self.statics.visit(add);
            self.statics.leave();
        }
        digest
    }
}

/// An address range of the pool, given back when dropped.
struct Arena(Range<usize>, &'static Control);

impl Arena {
    fn carve(control: &'static Control, len: usize) -> io::Result<Self> {
        Ok(Self(control.pool().carve(len)?, control))
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: carved above, given back here only. Whatever pointed into it belonged to the guest, and no guest of
        // this arena can be entered any more: its isolate is being dropped or was never made.
        unsafe { self.1.pool().give_back(self.0.clone()) };
    }
}

/// What a guest finds when it is entered.
struct Entry<'a> {
    /// First free byte, end of what may be used, end of what is not zeros.
    heap: (usize, usize, usize),
    /// The snapshot pages, null while there are none.
    arena: *const Tracked,
    /// The statics to begin with; without, a copy of the host's.
    lay_out: Option<&'a Image>,
    /// Where to put them when it has finished.
    capture: Option<&'a Image>,
}

struct Ended {
    report: Report,
    next: usize,
    peak: usize,
    soiled: usize,
    /// After loading, bytes in use.
    live: usize,
}

/// The data of one guarded section, which lies on the host's part of the stack.
struct Section<'out, F> {
    turn: Turn<'out>,
    budget: (Duration, Watching),
    step: F,
}

/// Enters the guest, runs `step` and comes back, whatever happens.
fn perform<F: FnOnce(&mut Turn<'_>) + Copy>(
    control: &'static Control,
    statics: &Statics,
    entry: &Entry<'_>,
    budget: (Duration, Watching),
    out: &mut OutBuffer,
    step: F,
) -> Ended {
    out.clear();
    control.note.clear();
    let (next, limit, soiled) = entry.heap;
    control.heap.open(next, limit, soiled, entry.capture.is_some());
    control.set_arena(entry.arena);
    control.sink.set(Some(out.sink()));
    let mut section = Section { turn: Turn { control, out }, budget, step };
    // SAFETY: on the guest thread (the caller has checked or has a `GuestThread`), outside guests; `leave` follows below, and nothing
    // in between uses statics or thread-locals of the host. Host frames see them unchanged across this call.
    unsafe { statics.enter(entry.lay_out) };
    control.step_in();
    // SAFETY: `body` keeps to the terms of `call`: it begins, ends, catches panics. `step` is `Copy`, so nothing that it captured has a
    // destructor; `section` stays valid at every moment, since its output commits whole writes.
    let verdict = unsafe { guard::call(control, body::<F>, (&raw mut section).cast()) };
    control.step_out();
    let (stage, cpu) = (control.watch.stage(), control.watch.used(verdict));
    let loaded = entry.capture.filter(|_| verdict == Verdict::Finished);
    if let Some(image) = loaded {
        statics.capture(image);
    }
    // SAFETY: entered above, and the guest runs no more.
    unsafe { statics.leave() };
    control.set_arena(ptr::null());
    control.sink.set(None);
    let live = if loaded.is_some() { control.heap.close_load() } else { 0 };
    let (next, peak) = (control.heap.next(), control.heap.peak());
    if verdict != Verdict::Finished {
        thread::trim_stack(control);
    }
    let message = if verdict == Verdict::Panic { control.note.take() } else { None };
    Ended {
        report: Report { verdict, stage, cpu, memory: peak - entry.heap.0, message },
        next,
        peak,
        soiled: soiled.max(peak),
        live,
    }
}

unsafe extern "C" fn body<F: FnOnce(&mut Turn<'_>) + Copy>(section: *mut c_void) {
    // SAFETY: `perform` passes its section, which outlives the guarded section and is used by nobody else meanwhile.
    let section = unsafe { &mut *section.cast::<Section<'_, F>>() };
    let control = section.turn.control;
    control.watch.begin(control, section.budget.0, section.budget.1);
    let step = section.step;
    // The hook ends a panicking run at once. This catches what passes by it: a hook that was replaced, an unwinding
    // that was resumed.
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| step(&mut section.turn))) {
        mem::forget(payload);
        control.leave(Verdict::Panic);
    }
    control.watch.finish(control);
}
