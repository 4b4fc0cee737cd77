//! The signal handlers: faults, aborts and the timer, all on a stack of their own.
//!
//! While the guest thread exists they are installed for the whole process. What is not the crate's business (a fault in host
//! code, an abort outside a guarded section) is passed to the handler that was there before, or gets its default effect.
//! The timer's signal is blocked while another handler runs, and no other handler can run within the timer's.
//!
//! Absent on purpose: memory. Handlers touch the control, the tracked pages and their own stack.

use crate::{
    control::Control,
    dirty::Recorded,
    guard::Exit,
    mapping::{self, Access, Mapping},
};
use std::{cell::Cell, ffi::c_int, io, mem, ptr};

/// Bytes of the alternate stack: the largest register frames are a few KiB.
const STACK: usize = 64 * 1024;

/// Signals that end a run by themselves.
const FATAL: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT, libc::SIGILL, libc::SIGFPE];

/// Faults in a row for pages that were already writable: more than any number of threads causes by racing.
const MOST_REPEATS: u32 = 64;

/// The timer's signal, one of those that the C library leaves to programs.
pub(crate) fn timer_signal() -> c_int {
    libc::SIGRTMIN() + 6
}

type Action = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// What the signals did before the guest thread was set up, in the order of [`FATAL`], then the timer's.
#[derive(Default)]
pub(crate) struct Dispositions {
    before: [Cell<Option<libc::sigaction>>; FATAL.len() + 1],
    repeats: Cell<u32>,
}

impl Dispositions {
    /// Installs the handlers.
    pub(crate) fn install(&self) -> io::Result<()> {
        for (signal, before) in FATAL.iter().zip(&self.before) {
            before.set(Some(set(*signal, on_fatal)?));
        }
        self.before[FATAL.len()].set(Some(set(timer_signal(), on_timer)?));
        Ok(())
    }

    /// Puts back what was there before.
    pub(crate) fn restore(&self) {
        for (signal, before) in FATAL.iter().chain([&timer_signal()]).zip(&self.before) {
            if let Some(before) = before.take() {
                // SAFETY: a disposition that the kernel gave for this signal.
                unsafe { libc::sigaction(*signal, &raw const before, ptr::null_mut()) };
            }
        }
    }

    fn before(&self, signal: c_int) -> Option<libc::sigaction> {
        let at = FATAL.iter().position(|&fatal| fatal == signal)?;
        self.before[at].get()
    }
}

/// The signals that handlers block: after a jump out of one they must be unblocked.
fn ours() -> libc::sigset_t {
    // SAFETY: a set is plain numbers, initialised by sigemptyset; the signals exist.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in FATAL.into_iter().chain([timer_signal()]) {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

/// Lets all of the crate's signals reach the calling thread.
pub(crate) fn unblock() {
    let set = ours();
    // SAFETY: a valid set.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
}

fn set(signal: c_int, handler: Action) -> io::Result<libc::sigaction> {
    // SAFETY: `sigaction` is plain numbers; the handlers have the signature that SA_SIGINFO asks for, and are written to be
    // called at any moment. Synchronous signals stay unblocked but for the handler's own, so that a fault within a
    // handler ends the process instead of looping. SA_RESTART: a timer's signal outside a run disturbs no read.
    unsafe {
        let (mut action, mut before) = (mem::zeroed::<libc::sigaction>(), mem::zeroed());
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        action.sa_mask = ours();
        match libc::sigaction(signal, &raw const action, &raw mut before) {
            0 => Ok(before),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

unsafe extern "C" fn on_timer(_: c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if let Some(control) = Control::get().filter(|control| control.on_guest_thread()) {
        control.watch.fired(control);
    }
}

unsafe extern "C" fn on_fatal(signal: c_int, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid description.
    let from_kernel = unsafe { (*information).si_code } > 0;
    if let Some(control) = Control::get() {
        if signal == libc::SIGSEGV && from_kernel {
            // SAFETY: of this signal from the kernel, si_addr is a member.
            let address = unsafe { (*information).si_addr() } as usize;
            if recorded(control, address) {
                return;
            }
            if control.on_guest_thread() && in_stack_guard(control, address) {
                control.leave(Exit::Stack);
            }
        }
        if control.on_guest_thread() && (from_kernel || signal == libc::SIGABRT) {
            control.leave(match signal {
                libc::SIGABRT => Exit::Abort,
                libc::SIGILL | libc::SIGFPE => Exit::Instruction,
                _ => Exit::Fault,
            });
        }
    }
    // SAFETY: passes on what this handler was given.
    unsafe { pass_on(signal, information, context) };
}

/// Whether the fault was the first write to a tracked page, which can be written now.
fn recorded(control: &Control, address: usize) -> bool {
    if let Some(recorded) = control.statics().and_then(|statics| statics.record(address)) {
        return match recorded {
            Recorded::Now => {
                control.dispositions.repeats.set(0);
                true
            }
            // Another thread was first. Not without end: it may also be a jump into data.
            Recorded::Before => {
                let repeats = control.dispositions.repeats.get() + 1;
                control.dispositions.repeats.set(repeats);
                repeats < MOST_REPEATS
            }
            Recorded::Failed => false,
        };
    }
    let arena = control.arena().filter(|arena| control.on_guest_thread() && arena.contains(address));
    arena.is_some_and(|arena| arena.record(address) == Recorded::Now)
}

fn in_stack_guard(control: &Control, address: usize) -> bool {
    let (low, high) = control.stack_guard.get();
    (low..high).contains(&address)
}

/// What would have happened without this crate.
///
/// # Safety
/// The arguments must be those of a signal handler.
unsafe fn pass_on(signal: c_int, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = Control::get().and_then(|control| control.dispositions.before(signal));
    match before {
        Some(before) if before.sa_flags & libc::SA_SIGINFO != 0 && before.sa_sigaction > libc::SIG_IGN => {
            // SAFETY: the address of a handler with this signature, as its flag says.
            let handler = unsafe { mem::transmute::<usize, Action>(before.sa_sigaction) };
            // SAFETY: called as the kernel would have.
            unsafe { handler(signal, information, context) };
        }
        // The default ends the process when the instruction is tried again, or abort raises again.
        // SAFETY: setting the default is always possible.
        _ => unsafe {
            libc::signal(signal, libc::SIG_DFL);
        },
    }
}

/// The stack on which the calling thread's handlers run.
pub(crate) struct SignalStack {
    before: libc::stack_t,
    _memory: Mapping,
}

impl SignalStack {
    /// Installs one for the calling thread.
    pub(crate) fn install() -> io::Result<Self> {
        let page = mapping::page_size();
        let memory = Mapping::new(page + STACK, Access::Write)?;
        // SAFETY: the lowest page of an own mapping, so that running past the stack's end is a fault.
        unsafe { mapping::protect(memory.start()..memory.start() + page, Access::None)? };
        let stack = libc::stack_t {
            ss_sp: ptr::with_exposed_provenance_mut(memory.start() + page),
            ss_flags: 0,
            ss_size: memory.len() - page,
        };
        // SAFETY: plain numbers.
        let mut before = unsafe { mem::zeroed() };
        // SAFETY: memory that stays mapped until `drop` has taken the stack out of use.
        match unsafe { libc::sigaltstack(&raw const stack, &raw mut before) } {
            0 => Ok(Self { before, _memory: memory }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        // SAFETY: what this thread had before, which is still mapped; no handler is running on the own one.
        unsafe { libc::sigaltstack(&raw const self.before, ptr::null_mut()) };
    }
}
