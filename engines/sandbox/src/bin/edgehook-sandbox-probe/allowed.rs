//! What a confined host must still be able to do, how it must be able to die, and what Landlock alone is to stop.
//!
//! Absent on purpose: engines. This is the work below them: memory, threads that are there, the socket, a timer,
//! panics.

use edgehook_sandbox::{Receiver, SharedBytes};
use libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::{
    alloc::{Layout, handle_alloc_error},
    collections::HashMap,
    fs,
    hint::black_box,
    io::{self, Read as _, Write as _},
    mem,
    net::TcpStream,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixStream},
    },
    panic,
    path::Path,
    process::{Command, abort, exit},
    ptr,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// What is made while it still can be.
pub(crate) struct Prepared {
    timer: libc::timer_t,
    helper: mpsc::Sender<mpsc::Sender<usize>>,
}

// SAFETY: the timer is the process's, named by a number; any thread may set it.
unsafe impl Send for Prepared {}

static FIRED: AtomicBool = AtomicBool::new(false);

extern "C" fn fired(_: c_int) {
    FIRED.store(true, Ordering::Relaxed);
}

impl Prepared {
    /// A thread that sums up on request, and a timer with a handler, as a guard has it.
    pub(crate) fn new() -> io::Result<Self> {
        let (helper, requests) = mpsc::channel::<mpsc::Sender<usize>>();
        thread::Builder::new().name("helper".to_owned()).spawn(move || {
            for request in requests {
                let numbers: Vec<usize> = (0..100_000).collect();
                // Nobody waits if this fails.
                let _ = request.send(numbers.iter().sum());
            }
        })?;
        let action = SigAction::new(SigHandler::Handler(fired), SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler only stores to an atomic.
        unsafe { sigaction(Signal::SIGALRM, &action)? };
        // SAFETY: `sigevent` is plain numbers, for which zeros are valid; gettid cannot fail.
        let (mut event, thread) = unsafe { (mem::zeroed::<libc::sigevent>(), libc::gettid()) };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGALRM;
        event.sigev_notify_thread_id = thread;
        let mut timer = ptr::null_mut();
        // SAFETY: both pointers are valid for the call.
        match unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) } {
            0 => Ok(Self { timer, helper }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Reads to the end of a line.
pub(crate) fn line(channel: &mut UnixStream) -> io::Result<()> {
    let mut byte = [0];
    while byte != *b"\n" {
        channel.read_exact(&mut byte)?;
    }
    Ok(())
}

/// Makes the attempt of this name; what it could not do.
pub(crate) fn attempt(name: &str, text: &str, channel: &mut UnixStream, prepared: &Prepared) -> io::Result<()> {
    match name {
        "nothing" => Ok(()),
        "memory" => memory(),
        "threads" => threads(prepared),
        "timer" => timer(prepared),
        "lookups" => lookups(),
        "echo" => echo(channel),
        "shared" => shared(channel),
        "panic_caught" => panic_caught(),
        "panic" => panic!("on purpose"),
        "abort" => abort(),
        "exit" => exit(7),
        "allocation_failure" => handle_alloc_error(Layout::new::<[u8; 4096]>()),
        "stack_overflow" => Err(io::Error::other(format!("{} levels deep", overflow(0)))),
        "fault" => fault(),
        "new_thread" => thread::Builder::new().spawn(|| ()).map(drop),
        "tcp_connect" => TcpStream::connect(text).map(drop),
        "abstract_connect" => UnixStream::connect_addr(&SocketAddr::from_abstract_name(text)?).map(drop),
        "command" => Command::new("/bin/true").status().map(drop),
        _ => Err(io::Error::other("no such attempt")),
    }
}

/// A large block, and many small ones that are given back: the thread's heap grows, shrinks and is trimmed.
fn memory() -> io::Result<()> {
    let mut large = vec![0_u8; 100 << 20];
    for byte in large.iter_mut().step_by(4096) {
        *byte = 1;
    }
    black_box(&large);
    large.reserve(50 << 20);
    large.truncate(1 << 20);
    large.shrink_to_fit();
    for _ in 0..2 {
        let mut small: Vec<Vec<u8>> = (0..2000_usize).map(|index| vec![1; 1024 * (index % 100)]).collect();
        while let Some(block) = small.pop() {
            drop(black_box(block));
        }
    }
    Ok(())
}

fn threads(prepared: &Prepared) -> io::Result<()> {
    for _ in 0..100 {
        let (reply, answer) = mpsc::channel();
        prepared.helper.send(reply).map_err(io::Error::other)?;
        if answer.recv().map_err(io::Error::other)? != 4_999_950_000 {
            return Err(io::Error::other("a wrong sum"));
        }
    }
    thread::sleep(Duration::from_millis(1));
    thread::yield_now();
    let map: HashMap<usize, usize> = (0..1000).map(|number| (number, number)).collect();
    (map[&999] == 999).then_some(()).ok_or_else(|| io::Error::other("a wrong map"))
}

fn timer(prepared: &Prepared) -> io::Result<()> {
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let setting = libc::itimerspec { it_interval: zero, it_value: libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 } };
    // SAFETY: the timer was made in `Prepared::new`; the setting is valid for the call.
    if unsafe { libc::timer_settime(prepared.timer, 0, &raw const setting, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let start = Instant::now();
    while !FIRED.load(Ordering::Relaxed) {
        if start.elapsed() > Duration::from_secs(60) {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    // SAFETY: made in `Prepared::new`, and not used again.
    match unsafe { libc::timer_delete(prepared.timer) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What libraries look for in the file system of their own accord: they must do without it, not die of it.
fn lookups() -> io::Result<()> {
    let refused = fs::canonicalize(".").is_err() && fs::metadata("/").is_err() && fs::read("/proc/self/maps").is_err();
    let refused = refused && !Path::new("/").exists() && fs::read_link("/proc/self/exe").is_err();
    // Not restricted: how many processors the process may run on.
    thread::available_parallelism()?;
    refused.then_some(()).ok_or_else(|| io::Error::other("a file was found"))
}

/// Sends a line of 64 KiB back.
fn echo(channel: &mut UnixStream) -> io::Result<()> {
    let mut line = vec![0; 64 << 10];
    channel.read_exact(&mut line)?;
    channel.write_all(&line)
}

/// Reads memory that comes over the channel, and cannot write to it.
fn shared(channel: &mut UnixStream) -> io::Result<()> {
    let mut receiver = Receiver::default();
    let (mut buffer, wrong) = ([0; 16], |what: &str| io::Error::other(what.to_owned()));
    receiver.receive(&*channel, &mut buffer)?;
    let descriptor = receiver.descriptor().ok_or_else(|| wrong("no descriptor came"))?;
    let bytes = SharedBytes::map(&descriptor)?;
    if &*bytes != b"shared" {
        return Err(wrong("other bytes came"));
    }
    // SAFETY: the mapping keeps its place and its bytes whatever comes of this.
    let opened =
        unsafe { libc::mprotect(bytes.as_ptr().cast_mut().cast(), bytes.len(), libc::PROT_READ | libc::PROT_WRITE) };
    if opened == 0 { Err(wrong("it can be written to")) } else { Ok(()) }
}

fn panic_caught() -> io::Result<()> {
    match panic::catch_unwind(|| panic!("on purpose")) {
        Ok(()) => Err(io::Error::other("it did not panic")),
        Err(_) => Ok(()),
    }
}

/// Uses up the stack.
#[allow(unconditional_recursion, reason = "that is what it is for")]
fn overflow(depth: u64) -> u64 {
    let frame = black_box([depth; 512]);
    overflow(frame[17] + 1) + frame[3]
}

/// Writes where nothing is.
fn fault() -> io::Result<()> {
    let nowhere = ptr::without_provenance_mut::<u8>(black_box(8));
    // SAFETY: none of the language: the lowest page is never mapped, so the processor faults, which is the purpose. The
    // instruction is written out, so that no assumption of the compiler is broken.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!("mov byte ptr [{}], 1", in(reg) nowhere);
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("strb wzr, [{}]", in(reg) nowhere);
    }
    Err(io::Error::other("no fault"))
}
