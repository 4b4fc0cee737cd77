//! Rewindable isolates: a pristine function for every request, in microseconds.
//!
//! # The problem
//!
//! A viewer function must find, at every invocation, exactly the state that its top level left: no globals, no patched
//! prototypes, no caches of the invocation before. Making a new context for each costs hundreds of microseconds; cleaning
//! up a used one cannot be done from outside. And the engine that runs the function cannot be interrupted, has no limit
//! of memory, and ends the process when its stack overflows.
//!
//! # The idea
//!
//! A program's state is bytes. If all bytes that the engine can change are known, then "pristine" is a copy of those that
//! were changed, and it does not matter in which condition the engine was left, so it can be stopped anywhere.
//!
//! 1. **Arena.** [`IsolateAlloc`] is the executable's allocator. Inside a guest it cuts blocks off the guest's own address
//!    range by moving a pointer, up to a cap. Nothing is freed (only while loading are blocks used again).
//! 2. **Snapshot.** [`Isolate::load`] runs the set-up (build the engine, warm it, run the function's top level) as a guest
//!    and then write-protects the pages that it filled. The executable's static data and the thread's
//!    thread-locals, in which engines keep roots and registries, are copied to an image of the guest's.
//! 3. **Run.** [`Isolate::run`] lays the image out, having put the host's own statics away, and calls the guest. The first
//!    write to a snapshot page faults; the handler keeps the page's content and makes it writable. A page stays in that
//!    set, so that after a few calls there are no more faults.
//! 4. **Rewind.** The pages of the set get their kept content back, the host gets its statics back, and the pointer of the
//!    next run starts at the snapshot's end. No destructor runs; what the guest had is forgotten.
//! 5. **Guard.** A run ends when its step returns, or from within: at its budget of CPU time (timer signal), at its cap
//!    (allocator), at the end of the stack (fault on the guard pages, handled on a stack of its own), at an abort, an invalid
//!    instruction, any other fault, or a panic. Each of these jumps out (`siglongjmp`), and 4 follows all the same.
//!
//! ```no_run
//! use edgehook_isolate::{Budget, Isolate, IsolateAlloc, Limits, OutBuffer, ThreadConfig, on_guest_thread};
//! use std::time::Duration;
//!
//! #[global_allocator]
//! static ALLOCATOR: IsolateAlloc = IsolateAlloc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! on_guest_thread(ThreadConfig::default(), |thread| {
//!     let mut out = OutBuffer::new(64 * 1024).expect("64 KiB can be had");
//!     let loaded = Isolate::load(thread, Limits::default(), &mut out, |_| Ok(vec![1, 2, 3]));
//!     let mut isolate = loaded.expect("a list needs neither much time nor much memory");
//!     let budget = Budget { cpu: Duration::from_millis(1), memory: 1 << 20 };
//!     for _ in 0..1000 {
//!         let report = isolate.run(budget, &mut out, |list, turn| {
//!             list.push(4); // every run finds three numbers
//!             let _ = turn.write(list.len().to_string().as_bytes());
//!         });
//!         assert_eq!((report.verdict.as_str(), out.bytes()), ("finished", &b"4"[..]));
//!     }
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! # Who sees what
//!
//! | state | the guest | the host |
//! |---|---|---|
//! | arena | its own, as snapshotted | never looks |
//! | statics, thread-locals of the executable | its own, as snapshotted | its own, as it left them |
//! | [`OutBuffer`], borrowed inputs | as they are | as they are |
//! | shared libraries' state, files, signal mask, mappings | the process's | the process's; never rewound |
//!
//! What must not be rewound (outputs, the guard's record, page sets, statistics) lies in mappings of its own or on the host's
//! heap; nothing needs to be excluded from a copy.
//!
//! # Rules for the host
//!
//! The types enforce what they can: only [`on_guest_thread`] gives a [`GuestThread`], isolates cannot leave that thread, and
//! steps are `Copy + Send`, so that they carry bytes and shared references without cells. The rest is up to whoever
//! writes a step:
//!
//! - **One thread.** While a guest runs, no other thread may write static data of the executable (it would be lost). Threads that
//!   wait, or that only use the heap, are fine. Guests start no threads.
//! - **No way around the output.** A step must not put what it allocates into anything of the host's that a shared reference
//!   reaches (a `Mutex<Vec<_>>`, a channel): it would point into the arena.
//! - **The engine belongs to guests.** The host must not use it itself. What a static of the host's points to on the host's
//!   heap is not rewound, and a guest's copy of that static may be out of date; a guest may at most let go of it.
//! - **Inputs are borrowed bytes** that do not change during the run.
//! - **No C library function that allocates, locks or buffers** within a guest: such state is not rewound, and a run may be
//!   stopped in the middle of it. Clocks, mathematics and memory functions are fine; so is `getrandom` into the stack.
//! - **Files and system calls** into snapshot memory fail with `EFAULT` instead of faulting; the same is true for static data. Read
//!   into the stack or the heap.
//! - **Entropy is an input.** Random generators and hash seeds are rewound with everything else and would repeat.
//! - **Statics initialised on first use** are initialised anew in every run unless the set-up uses them: warm what runs use.
//! - **Signals.** The crate takes SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE and one real-time signal for the process while the
//!   guest thread lives; others must not have handlers on that thread, for they could find a guest's statics. The
//!   timer's signal may interrupt the host once after a run, so calls like `poll` may answer `EINTR`.
//! - **Sandbox.** After set-up the crate needs `mmap`, `munmap`, `mprotect`, `madvise`, `clock_gettime`, `timer_settime`,
//!   `rt_sigprocmask` and `rt_sigreturn`.
//!
//! # Invariants
//!
//! 1. Between runs every byte of a snapshot is what it was when it was taken; a page that is not in the written set is
//!    write-protected, so the kernel vouches for it.
//! 2. A static page that nobody wrote since tracking began is equal in all images; so exchanging the written ones is enough.
//! 3. Host code sees its statics and thread-locals unchanged across every call of this crate, which is also what the
//!    compiler assumes.
//! 4. The watch is armed only between the beginning and the end of a guarded section's body; whoever ends the section disarms it
//!    first. So a section has one verdict, and a signal that comes late finds nothing to do.
//! 5. Nothing that outlives a run points into the arena, except the pointer to the guest, which is valid by 1.
//! 6. Inside a guest no memory comes from anywhere but its arena.
//!
//! Jumping over frames that have destructors is more than the language promises to support. It is sound here because those
//! frames' memory, and all that their destructors would have released, is forgotten at once, and because the frame that is
//! jumped to is in C.
//!
//! # Limits of the technique
//!
//! A guest that writes to arbitrary addresses (an engine with a memory-safety bug) can reach the host; the process is
//! therefore sandboxed, and [`Verdict::taints_host`] asks for its replacement. A guest that waits in the kernel uses no
//! CPU time and is not stopped; a supervisor outside must watch wall time. Each isolate uses about thirty of the kernel's mappings at worst,
//! of which a process may have some 65,000. Supported are Linux on x86-64 and aarch64, with an executable whose relocations are
//! resolved at start (the default).

mod arena;
mod control;
mod dirty;
mod guard;
mod isolate;
mod mapping;
mod out;
mod panics;
mod pool;
mod reuse;
mod roles;
mod signals;
mod snapshot;
mod thread;
mod verdict;

pub use arena::IsolateAlloc;
pub use isolate::{Isolate, LoadError, Refused, Turn};
pub use out::{Full, OutBuffer, tell};
pub use roles::{ROLE, RoleAlloc};
pub use thread::{GuestThread, SetupError, ThreadConfig, on_guest_thread};
pub use verdict::{Budget, Limits, Report, Stats, Verdict};
