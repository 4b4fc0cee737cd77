//! Every way to end a run, in every order, and what is left afterwards: nothing.

use crate::{AMPLE, Notes, check_notes, notes, on_guest};
use edgehook_isolate::{Budget, Isolate, OutBuffer, Report, Turn, Verdict};
use std::{
    env, fmt, fs,
    hint::black_box,
    os::unix::process::ExitStatusExt,
    panic,
    process::{self, Command},
    time::Duration,
};

/// A step, a name, and the verdict it must come to.
type Attack = (&'static str, Verdict, fn(&mut Notes, &mut Turn<'_>));

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(depth + 1) + frame[(depth % 64) as usize] }
}

pub(crate) fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

struct Odd(fn());

impl fmt::Display for Odd {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)();
        Ok(())
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

fn invalid_instruction() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: none; that is the point. The guard ends the run here.
    unsafe {
        std::arch::asm!("ud2")
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: none; that is the point. The guard ends the run here.
    unsafe {
        std::arch::asm!("udf #0")
    };
}

pub(crate) const ATTACKS: &[Attack] = &[
    ("loop", Verdict::Time, |_, _| {
        loop {
            std::hint::spin_loop();
        }
    }),
    ("loop with allocations", Verdict::Time, |_, _| {
        loop {
            drop(black_box(vec![1_u8; 40]));
        }
    }),
    ("loop over the state", Verdict::Time, |notes, _| {
        loop {
            for text in &mut notes.0 {
                text.clear();
            }
        }
    }),
    ("one huge block", Verdict::Memory, |_, _| drop(black_box(Vec::<u8>::with_capacity(1 << 40)))),
    ("one zeroed block", Verdict::Memory, |_, _| drop(black_box(vec![0_u8; 5 << 20]))),
    ("many small blocks", Verdict::Memory, |notes, _| {
        loop {
            notes.0.push("x".repeat(17));
        }
    }),
    ("a growing block", Verdict::Memory, |_, _| {
        let mut list = Vec::new();
        loop {
            list.push(1_u8);
        }
    }),
    ("deep recursion", Verdict::Stack, |_, _| assert!(recurse(0) > 0)),
    ("panic", Verdict::Panic, |_, _| panic!("on purpose")),
    ("index", Verdict::Panic, |notes, _| drop(notes.0.remove(black_box(99)))),
    ("resumed panic", Verdict::Panic, |_, _| panic::resume_unwind(Box::new(3))),
    ("panic in a destructor", Verdict::Panic, |_, _| drop(Odd(|| {}))),
    ("panic that panics", Verdict::Panic, |_, _| panic::panic_any(Odd(|| {}))),
    ("abort", Verdict::Abort, |_, _| process::abort()),
    ("invalid instruction", Verdict::Instruction, |_, _| invalid_instruction()),
    ("wild write", Verdict::Fault, |_, _| {
        // SAFETY: none; that is the point. Address 8 is never mapped.
        unsafe { black_box(std::ptr::without_provenance_mut::<u8>(8)).write_volatile(1) }
    }),
    ("wild jump", Verdict::Fault, |notes, _| {
        let data = black_box(notes.0.as_ptr());
        // SAFETY: none; that is the point. A `Vec`'s buffer is not executable.
        let function = unsafe { std::mem::transmute::<*const String, fn()>(data) };
        function();
    }),
];

fn attack(isolate: &mut Isolate<Notes>, attack: &Attack, out: &mut OutBuffer) -> Report {
    let (name, verdict, step) = *attack;
    let cpu = Duration::from_millis(if verdict == Verdict::Time { 2 } else { 5000 });
    let report = isolate.run(Budget { cpu, ..AMPLE }, out, step);
    assert_eq!(report.verdict, verdict, "{name}: {report:?}");
    assert_eq!(report.verdict.taints_host(), verdict == Verdict::Fault);
    report
}

pub(crate) fn every_way_out() {
    on_guest(|thread, out| {
        let (mut isolate, mut other) = (notes(thread, out), notes(thread, out));
        check_notes(&mut isolate, out);
        let (pristine, others) = (isolate.digest(), other.digest());
        let mut random = 99_u64;
        for round in 0..300 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Each in turn, then any.
            let chosen = ATTACKS.get(round).unwrap_or(&ATTACKS[(random >> 33) as usize % ATTACKS.len()]);
            attack(&mut isolate, chosen, out);
            if round < 60 {
                assert_eq!(isolate.digest(), pristine, "after {}", chosen.0);
                assert_eq!(other.digest(), others, "another one, after {}", chosen.0);
            }
            check_notes(&mut isolate, out);
            check_notes(&mut other, out);
        }
    });
}

pub(crate) fn panics_that_do_more() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        let report = isolate.run(AMPLE, out, |notes, _| panic!("{} notes", notes.0.len()));
        let message = report.message.unwrap();
        assert!(message.starts_with("3 notes (") && message.contains("hostile.rs:"), "{message}");
        let check = |isolate: &mut Isolate<Notes>, out: &mut OutBuffer, odd: fn(), expected: &str| {
            let budget = Budget { cpu: Duration::from_millis(500), ..AMPLE };
            let report = isolate.run(budget, out, move |_, _| panic!("{}", Odd(odd)));
            assert_eq!(report.verdict.as_str(), expected, "{report:?}");
            check_notes(isolate, out);
        };
        for _ in 0..5 {
            // While the panic's text is made.
            check(&mut isolate, out, || assert!(recurse(0) > 0), "stack");
            check(&mut isolate, out, || drop(black_box(Vec::<u8>::with_capacity(1 << 30))), "memory");
            check(&mut isolate, out, || process::abort(), "abort");
            check(&mut isolate, out, invalid_instruction, "instruction");
            check(&mut isolate, out, spin, "time");
        }
    });
}

pub(crate) fn the_memory_limit_is_exact() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        let mut take = |size: usize, limit: usize| {
            let budget = Budget { memory: limit, ..AMPLE };
            let report = isolate.run(budget, out, move |_, _| drop(black_box(Vec::<u8>::with_capacity(size))));
            (report.verdict.as_str(), report.memory)
        };
        assert_eq!(take(100_000, 100_000), ("finished", 100_000));
        assert_eq!(take(100_001, 100_000), ("memory", 0));
        assert_eq!(take(1, 0), ("memory", 0));
        assert_eq!(take(isize::MAX as usize, usize::MAX), ("memory", 0));
        let report = isolate.run(AMPLE, out, |_, _| {
            let mut list = Vec::with_capacity(16);
            list.extend_from_slice(&[1_u64; 16]);
            list.reserve_exact(100_000 - 16); // grows in place: nothing else was allocated since
        });
        assert_eq!((report.verdict.as_str(), report.memory), ("finished", 800_000));
    });
}

const CHILD: &str = "EDGEHOOK_ISOLATE_TEST_CHILD";

/// If this process was started by the test below: does what it was told to and never returns.
pub(crate) fn child() {
    let Ok(order) = env::var(CHILD) else { return };
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        for chosen in ATTACKS {
            attack(&mut isolate, chosen, out);
        }
        check_notes(&mut isolate, out);
        if order == "no signal stack" {
            isolate.run(AMPLE, out, |_, _| {
                // SAFETY: none; that is the point: the next fault cannot be handled.
                unsafe {
                    let mut stack = std::mem::zeroed::<libc::stack_t>();
                    libc::sigaltstack(std::ptr::null(), &raw mut stack);
                    libc::mprotect(stack.ss_sp, stack.ss_size, libc::PROT_NONE);
                }
                assert!(recurse(0) > 0);
            });
        }
        // No guest is running now, so none of this is the guard's business.
        match order.as_str() {
            "abort" => process::abort(),
            "instruction" => invalid_instruction(),
            // SAFETY: none; that is the point.
            "fault" => unsafe { black_box(std::ptr::without_provenance_mut::<u8>(8)).write_volatile(1) },
            "stack" => assert!(recurse(0) > 0),
            "panic" => panic!("in the host"),
            _ => {}
        }
    });
    process::exit(0);
}

pub(crate) fn outside_guests_signals_are_fatal() {
    let run = |order: &str| {
        let output = Command::new(env::current_exe().unwrap()).env(CHILD, order).output().unwrap();
        (output.status.code(), output.status.signal())
    };
    assert_eq!(run("nothing"), (Some(0), None));
    assert_eq!(run("panic"), (Some(101), None));
    assert_eq!(run("abort"), (None, Some(libc::SIGABRT)));
    assert_eq!(run("instruction"), (None, Some(libc::SIGILL)));
    assert_eq!(run("fault"), (None, Some(libc::SIGSEGV)));
    assert_eq!(run("no signal stack"), (None, Some(libc::SIGSEGV)));
    let (code, signal) = run("stack");
    assert!(code.is_none() && matches!(signal, Some(libc::SIGSEGV | libc::SIGABRT)), "{signal:?}");
}

/// What the kernel keeps for this process and thread, apart from memory and time.
pub(crate) fn kernel_state() -> Vec<String> {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let wanted = ["SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd", "SigQ", "Threads", "Umask", "FDSize"];
    let mut state: Vec<String> =
        status.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect();
    state.push(format!("{} files", fs::read_dir("/proc/self/fd").unwrap().count()));
    state.push(fs::read_to_string("/proc/self/limits").unwrap());
    state.push(fs::read_to_string("/proc/self/timers").unwrap_or_default());
    state.push(env::current_dir().unwrap().display().to_string());
    state
}

pub(crate) fn the_kernels_state_stays() {
    let outside = kernel_state();
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        check_notes(&mut isolate, out);
        let before = kernel_state();
        for chosen in ATTACKS.iter().chain(ATTACKS) {
            attack(&mut isolate, chosen, out);
            assert_eq!(kernel_state(), before, "after {}", chosen.0);
        }
    });
    assert_eq!(kernel_state(), outside);
}
