//! What the allocator, the signal handlers and the runs of guests know in common.
//!
//! One [`Control`] per process, in a mapping of its own, so that no rewind or exchange of statics touches it. It is reached
//! through one static pointer, which is set once, before any image is taken, and therefore the same in all of them. As long
//! as it is null, as in every process that runs no guests, the allocator does nothing but look at it.
//!
//! Absent on purpose: anything that a guest may read or write.

use crate::{
    arena::Heap,
    dirty::Tracked,
    guard::Watch,
    mapping::{Access, Mapping},
    out::Sink,
    panics::Note,
    pool::Pool,
    signals::Dispositions,
    snapshot::Statics,
};
use std::{
    cell::Cell,
    io, mem,
    ops::Range,
    ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicPtr, AtomicUsize, Ordering::*, compiler_fence},
    },
};

static CONTROL: AtomicPtr<Control> = AtomicPtr::new(ptr::null_mut());

/// The one place where everything meets that outlives a run.
pub(crate) struct Control {
    /// The guest thread, by its thread pointer; 0 if there is none.
    owner: AtomicUsize,
    /// The same while guest code runs, otherwise 0.
    inside: AtomicUsize,
    pub(crate) pool_range: Range<usize>,
    pool: Mutex<Pool>,
    pub(crate) heap: Heap,
    pub(crate) watch: Watch,
    pub(crate) note: Note,
    pub(crate) dispositions: Dispositions,
    /// The inaccessible addresses at the low end of the guest thread's stack.
    pub(crate) stack_guard: Cell<(usize, usize)>,
    /// The output of the run that is going on.
    pub(crate) sink: Cell<Option<Sink>>,
    statics: AtomicPtr<Statics>,
    arena: AtomicPtr<Tracked>,
}

// SAFETY: `owner`, `inside`, `pool`, `statics` and `arena` are atomics or locked. All else is used by the guest thread alone (its
// signal handlers included): the allocator and the handlers compare the thread pointer first, and the rest of the crate
// reaches it through `GuestThread` and `Isolate`, which are neither `Send` nor `Sync`.
unsafe impl Sync for Control {}

impl Control {
    /// The process's control, if guests were ever run in it.
    #[inline]
    pub(crate) fn get() -> Option<&'static Self> {
        // SAFETY: null, or set by `establish` to a value that lives as long as the process.
        unsafe { CONTROL.load(Acquire).as_ref() }
    }

    /// The control, if the calling thread is running guest code.
    #[inline]
    pub(crate) fn inside() -> Option<&'static Self> {
        Self::get().filter(|control| control.inside.load(Relaxed) == thread_pointer())
    }

    /// The process's control; the first call makes it and reserves `addresses` bytes for arenas.
    pub(crate) fn establish(addresses: usize) -> io::Result<&'static Self> {
        static ONCE: Mutex<()> = Mutex::new(());
        let _lock = ONCE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(control) = Self::get() {
            return Ok(control);
        }
        let place = Mapping::new(size_of::<Self>(), Access::Write)?;
        let pool = Pool::reserve(addresses)?;
        let control = Self {
            owner: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            pool_range: pool.range(),
            pool: Mutex::new(pool),
            heap: Heap::default(),
            watch: Watch::default(),
            note: Note::default(),
            dispositions: Dispositions::default(),
            stack_guard: Cell::default(),
            sink: Cell::default(),
            statics: AtomicPtr::default(),
            arena: AtomicPtr::default(),
        };
        let pointer = place.pointer().cast::<Self>();
        // SAFETY: a fresh mapping, large enough, and aligned to a page; it is forgotten, so it stays mapped for good.
        unsafe { pointer.write(control) };
        mem::forget(place);
        CONTROL.store(pointer, Release);
        Self::get().ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Makes the calling thread the guest thread, unless there is one.
    pub(crate) fn claim(&self) -> bool {
        self.owner.compare_exchange(0, thread_pointer(), AcqRel, Relaxed).is_ok()
    }

    /// Ends the calling thread's being the guest thread.
    pub(crate) fn release(&self) {
        self.owner.store(0, Release);
    }

    /// Whether the calling thread is the guest thread.
    pub(crate) fn on_guest_thread(&self) -> bool {
        self.owner.load(Relaxed) == thread_pointer()
    }

    /// From here on, until [`Control::step_out`], what runs is guest code.
    pub(crate) fn step_in(&self) {
        compiler_fence(SeqCst);
        self.inside.store(thread_pointer(), Relaxed);
        compiler_fence(SeqCst);
    }

    pub(crate) fn step_out(&self) {
        compiler_fence(SeqCst);
        self.inside.store(0, Relaxed);
        compiler_fence(SeqCst);
    }

    pub(crate) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the fault handler which statics are tracked; null ends it.
    pub(crate) fn set_statics(&self, statics: *const Statics) {
        self.statics.store(statics.cast_mut(), Release);
    }

    /// The tracked statics.
    pub(crate) fn statics(&self) -> Option<&Statics> {
        // SAFETY: null, or what `set_statics` was given; the guest thread resets it before it lets go of the value.
        unsafe { self.statics.load(Acquire).as_ref() }
    }

    /// Tells the fault handler whose arena is in use; null for none.
    pub(crate) fn set_arena(&self, arena: *const Tracked) {
        self.arena.store(arena.cast_mut(), Release);
    }

    /// The snapshot pages of the guest that is running.
    pub(crate) fn arena(&self) -> Option<&Tracked> {
        // SAFETY: null, or a value that `run` borrows for as long as it is set here.
        unsafe { self.arena.load(Acquire).as_ref() }
    }
}

/// A number that tells threads apart, without touching thread-local storage. The only part that depends on the processor's
/// architecture.
#[inline]
#[cfg(target_arch = "x86_64")]
pub(crate) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: the x86-64 ABI keeps the thread control block's own address at its offset 0.
    unsafe {
        std::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(nostack, preserves_flags, pure, readonly));
    }
    pointer
}

/// A number that tells threads apart, without touching thread-local storage. The only part that depends on the processor's
/// architecture.
#[inline]
#[cfg(target_arch = "aarch64")]
pub(crate) fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the register that the ABI keeps the thread pointer in.
    unsafe { std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, preserves_flags, pure, nomem)) };
    pointer
}

/// For the C part: whether the calling thread is running guest code.
#[unsafe(no_mangle)]
extern "C" fn edgehook_isolate_inside() -> libc::c_int {
    Control::inside().is_some().into()
}
