//! The guest thread: the one thread of a process on which guests run.
//!
//! It has a large stack (virtual until used) with inaccessible pages at its end, a signal stack, a timer, and the signal
//! handlers. The whole host loop runs on it, so that calling a guest needs no switch of stacks.

use crate::{
    control::Control,
    guard,
    mapping::{self, Access},
    panics, signals,
    signals::SignalStack,
    snapshot::Statics,
};
use std::{fmt, io, mem, ops::Range, panic, ptr, rc::Rc, thread};

/// Bytes at the end of the stack that are made inaccessible, so that no frame steps over them unnoticed.
const STACK_GUARD: usize = 64 * 1024;

/// Bytes below the present frame that stay as they are when the stack's memory is given back.
const STACK_KEPT: usize = 256 * 1024;

/// What the guest thread gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadConfig {
    /// Bytes of stack.
    pub stack: usize,
    /// Bytes of addresses reserved for all arenas; the first guest thread of a process decides. An isolate needs
    /// [`crate::Limits::memory`] and [`crate::Limits::allowance`] of them.
    pub addresses: usize,
}

impl Default for ThreadConfig {
    /// 64 MiB of stack (security.md 3.3), 64 GiB of addresses.
    fn default() -> Self {
        Self { stack: 64 << 20, addresses: 64 << 30 }
    }
}

/// Why there is no guest thread.
#[derive(Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// The process has one already.
    Busy,
    /// [`crate::IsolateAlloc`] is not the executable's global allocator.
    NotTheAllocator,
    /// This C library's jump buffer is larger than expected.
    Unsupported,
    /// The kernel refused something.
    System(&'static str, io::Error),
}

impl fmt::Display for SetupError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => formatter.write_str("this process has a guest thread already"),
            Self::NotTheAllocator => formatter.write_str("IsolateAlloc is not the global allocator"),
            Self::Unsupported => formatter.write_str("the C library's jump buffer is too large"),
            Self::System(what, error) => write!(formatter, "{what}: {error}"),
        }
    }
}

impl std::error::Error for SetupError {}

/// Proof of being on the guest thread, which has everything that guests need.
pub struct GuestThread {
    pub(crate) control: &'static Control,
    pub(crate) statics: Rc<Statics>,
}

impl fmt::Debug for GuestThread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GuestThread").finish_non_exhaustive()
    }
}

/// Runs `host` on a new guest thread and waits for it.
///
/// Start it before any other thread that is still alive while guests run, except ones that wait; see the crate's text.
///
/// # Errors
/// If the thread could not be set up; `host` was not called then.
///
/// # Panics
/// If `host` does.
pub fn on_guest_thread<R: Send>(
    config: ThreadConfig,
    host: impl FnOnce(&GuestThread) -> R + Send,
) -> Result<R, SetupError> {
    let system = |what| move |error| SetupError::System(what, error);
    if Control::inside().is_some() {
        return Err(SetupError::Busy);
    }
    if !guard::is_supported() {
        return Err(SetupError::Unsupported);
    }
    let control = Control::establish(config.addresses).map_err(system("reserving addresses for arenas"))?;
    panics::install();
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("guests".to_owned()).stack_size(config.stack);
        let running = thread
            .spawn_scoped(scope, move || Setup::new(control).map(|setup| host(&setup.thread)))
            .map_err(system("starting the guest thread"))?;
        running.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

/// Everything that is taken down again at the end of the guest thread, in reverse order.
struct Setup {
    thread: GuestThread,
    stack: Range<usize>,
    _signal_stack: SignalStack,
}

impl Setup {
    fn new(control: &'static Control) -> Result<Self, SetupError> {
        let system = |what| move |error| SetupError::System(what, error);
        if !control.claim() {
            return Err(SetupError::Busy);
        }
        let claim = Undo(|| control.release());
        let signal_stack = SignalStack::install().map_err(system("signal stack"))?;
        let stack = guard_stack(control).map_err(system("guarding the stack"))?;
        let closed = Undo(|| open_stack(control, &stack));
        let handlers = Undo(|| control.dispositions.restore());
        control.dispositions.install().map_err(system("signal handlers"))?;
        signals::unblock();
        control.watch.create_timer().map_err(system("timer"))?;
        let timer = Undo(|| control.watch.delete_timer());
        if !serves_from_arena(control).map_err(system("arena"))? {
            return Err(SetupError::NotTheAllocator);
        }
        let statics = Rc::new(Statics::find().map_err(system("static data"))?);
        control.set_statics(Rc::as_ptr(&statics));
        // SAFETY: the handler is installed and knows the statics.
        if let Err(error) = unsafe { statics.start() } {
            statics.release();
            control.set_statics(ptr::null());
            return Err(SetupError::System("static data", error));
        }
        mem::forget((claim, closed, handlers, timer));
        Ok(Self { thread: GuestThread { control, statics }, stack: stack.clone(), _signal_stack: signal_stack })
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let control = self.thread.control;
        self.thread.statics.release();
        control.set_statics(ptr::null());
        control.watch.delete_timer();
        control.dispositions.restore();
        open_stack(control, &self.stack);
        control.release();
    }
}

/// Runs its function when dropped.
struct Undo<F: Fn()>(F);

impl<F: Fn()> Drop for Undo<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Closes the low end of the calling thread's stack and notes where it is; the stack's range.
fn guard_stack(control: &Control) -> io::Result<Range<usize>> {
    // SAFETY: the attributes are initialised by pthread_getattr_np before they are read, and destroyed once.
    let (low, len, guard) = unsafe {
        let mut attributes = mem::zeroed();
        match libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        let (mut low, mut len, mut guard) = (ptr::null_mut(), 0, 0);
        libc::pthread_attr_getstack(&raw const attributes, &raw mut low, &raw mut len);
        libc::pthread_attr_getguardsize(&raw const attributes, &raw mut guard);
        libc::pthread_attr_destroy(&raw mut attributes);
        (low as usize, len, guard)
    };
    let start = mapping::page_up(low).ok_or(io::ErrorKind::InvalidData)?;
    let end = start + STACK_GUARD;
    if end + 2 * STACK_KEPT > low + len {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the stack is too small"));
    }
    // SAFETY: the far end of this thread's own stack, which is not in use yet.
    unsafe { mapping::protect(start..end, Access::None)? };
    control.stack_guard.set((low.saturating_sub(guard), end));
    Ok(start..low + len)
}

/// Undoes [`guard_stack`]: the C library may give this stack to another thread.
fn open_stack(control: &Control, stack: &Range<usize>) {
    let (_, end) = control.stack_guard.replace((0, 0));
    // SAFETY: the part of this thread's stack that `guard_stack` closed. Failure would only make the stack shorter.
    let _ = unsafe { mapping::protect(stack.start..end, Access::Write) };
}

/// Gives the memory of the unused part of the guest thread's stack back.
#[inline(never)]
pub(crate) fn trim_stack(control: &Control) {
    let here = 0_u8;
    let (_, low) = control.stack_guard.get();
    let high = mapping::page_down((&raw const here) as usize - STACK_KEPT);
    if low < high {
        // SAFETY: this thread's own stack, far below the present frame, where no frame is.
        unsafe { mapping::discard(low..high) };
    }
}

/// Whether an allocation made as a guest comes from the guest's arena.
fn serves_from_arena(control: &Control) -> io::Result<bool> {
    let carved = control.pool().carve(mapping::page_size())?;
    control.heap.open(carved.start, carved.end, carved.start, false);
    control.step_in();
    let block = std::hint::black_box(Box::into_raw(Box::new(1_u64)));
    control.step_out();
    let served = carved.contains(&(block as usize));
    if !served {
        // SAFETY: from `Box::into_raw` above, and allocated by whichever allocator there is outside of guests too.
        drop(unsafe { Box::from_raw(block) });
    }
    // SAFETY: carved above; the only block in it is not used any more.
    unsafe { control.pool().give_back(carved) };
    Ok(served)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_allocator_there_are_no_guests() {
        let config = ThreadConfig { addresses: 1 << 30, ..ThreadConfig::default() };
        for _ in 0..2 {
            let refused = on_guest_thread(config, |_| ());
            assert!(matches!(refused, Err(SetupError::NotTheAllocator)), "{refused:?}");
        }
    }
}
