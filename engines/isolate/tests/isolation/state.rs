//! What a run changes is gone after it, and what the host changes is not.

use crate::{AMPLE, Notes, check_notes, notes, on_guest};
use edgehook_isolate::{Isolate, Limits, OutBuffer, Turn};
use std::{
    cell::{Cell, RefCell},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
};

static COUNT: AtomicU64 = AtomicU64::new(7);
static LAZY: OnceLock<String> = OnceLock::new();
static LIST: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static mut LARGE: [u8; 40_000] = [0; 40_000];

thread_local! {
    static NUMBER: Cell<u64> = const { Cell::new(1) };
    static TEXTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Changes all of the above and reports what was there before.
fn touch_everything(turn: &mut Turn<'_>) {
    let lazy = LAZY.get().is_some();
    LAZY.get_or_init(|| "set by a guest".to_owned());
    let mut list = LIST.lock().unwrap();
    list.push(5);
    let number = NUMBER.replace(NUMBER.get() + 1);
    let texts = TEXTS.with_borrow_mut(|texts| {
        texts.push("more".repeat(100));
        texts.len()
    });
    // SAFETY: the guest thread alone uses it.
    let large = unsafe {
        let at = &raw mut LARGE[20_000];
        *at += 1;
        *at
    };
    let seen = format!("{} {lazy} {} {number} {texts} {large}", COUNT.fetch_add(1, Relaxed), list.len());
    turn.write(seen.as_bytes()).unwrap();
}

pub(crate) fn nothing_of_a_run_is_left() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        for _ in 0..1000 {
            check_notes(&mut isolate, out);
            isolate.run(AMPLE, out, |_, turn| touch_everything(turn));
            assert_eq!(out.bytes(), b"7 false 1 1 1 1");
        }
        // Stopped in the middle, with a lock held.
        let report = isolate.run(AMPLE, out, |_, turn| {
            touch_everything(turn);
            let _held = LIST.lock().unwrap();
            panic!("with the lock");
        });
        assert_eq!(report.verdict.as_str(), "panic");
        isolate.run(AMPLE, out, |_, turn| touch_everything(turn));
        assert_eq!(out.bytes(), b"7 false 1 1 1 1");
    });
    assert_eq!((COUNT.load(Relaxed), LAZY.get(), LIST.lock().unwrap().len()), (7, None, 0));
}

pub(crate) fn the_hosts_statics_are_its_own() {
    static BETWEEN: Mutex<Vec<u64>> = Mutex::new(Vec::new());
    on_guest(|thread, out| {
        BETWEEN.lock().unwrap().push(100);
        let mut isolate = notes(thread, out);
        for number in 0..2000_u64 {
            // Grows, moves, and must neither be rewound nor be seen by the guest.
            BETWEEN.lock().unwrap().push(number);
            NUMBER.set(number);
            isolate.run(AMPLE, out, |_, turn| {
                let mut between = BETWEEN.lock().unwrap();
                turn.write(&[u8::try_from(between.len()).unwrap()]).unwrap();
                // The block is the host's of some time ago: a guest may let go of it, not use it.
                *between = vec![9];
                between.push(9);
                NUMBER.set(77);
            });
            assert_eq!(out.bytes(), [1]);
            assert_eq!(NUMBER.get(), number);
        }
        let between = BETWEEN.lock().unwrap();
        assert_eq!(between.len(), 2001);
        assert!((0..2000).all(|number| between[number as usize + 1] == number));
    });
}

pub(crate) fn thread_locals_with_destructors() {
    static DROPPED: AtomicU64 = AtomicU64::new(0);
    struct Dropping(#[expect(dead_code, reason = "owned, so that a wrong drop would be noticed")] Vec<u8>);
    impl Drop for Dropping {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Relaxed);
        }
    }
    thread_local! {
        static EARLY: Dropping = Dropping(vec![1; 100]);
        static LATE: Dropping = Dropping(vec![2; 100]);
    }
    on_guest(|thread, out| {
        let mut isolate = Isolate::load(thread, Limits::default(), out, |_: &mut Turn<'_>| {
            EARLY.with(|_| ());
            Ok(0_u8)
        })
        .unwrap();
        for _ in 0..100 {
            assert_eq!(isolate.run(AMPLE, out, |_, _| LATE.with(|_| ())).verdict.as_str(), "finished");
        }
    });
    assert_eq!(DROPPED.load(Relaxed), 0, "a guest's thread-locals are forgotten");
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        LATE.with(|_| ());
        check_notes(&mut isolate, out);
        EARLY.with(|_| ());
        check_notes(&mut isolate, out);
    });
    assert_eq!(DROPPED.load(Relaxed), 2, "the host's are dropped with its thread");
}

pub(crate) fn isolates_do_not_see_each_other() {
    on_guest(|thread, out| {
        let load = |number: u64, out: &mut OutBuffer| -> Isolate<u64> {
            Isolate::load(thread, Limits::default(), out, move |_: &mut Turn<'_>| {
                COUNT.store(number, Relaxed);
                TEXTS.with_borrow_mut(|texts| texts.push(number.to_string()));
                Ok(number)
            })
            .unwrap()
        };
        let mut isolates: Vec<_> = (0..60).map(|number| load(number, out)).collect();
        let mut random = 12345_u64;
        for round in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (random >> 33) as usize % isolates.len();
            if round % 500 == 0 {
                isolates[at] = load(at as u64, out);
            }
            isolates[at].run(AMPLE, out, |number, turn| {
                let text = TEXTS.with_borrow_mut(|texts| {
                    texts.push("second".to_owned());
                    format!("{}{}", texts.len(), texts[0])
                });
                let seen = format!("{number} {} {text}", COUNT.fetch_add(1, Relaxed));
                *number += 1;
                turn.write(seen.as_bytes()).unwrap();
            });
            assert_eq!(String::from_utf8_lossy(out.bytes()), format!("{at} {at} 2{at}"));
        }
        assert_eq!(COUNT.load(Relaxed), 7);
    });
}

pub(crate) fn new_zeroed_memory_is_zero() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        for _ in 0..20 {
            let report = isolate.run(AMPLE, out, |_: &mut Notes, turn| {
                for size in [10, 5_000, 700_000] {
                    drop(vec![0xff_u8; size]); // the last block: its memory is used again
                    let zeros = vec![0_u8; size];
                    turn.write(&[u8::from(zeros.iter().all(|&byte| byte == 0))]).unwrap();
                    std::mem::forget(vec![0xff_u8; size]);
                }
            });
            assert_eq!((report.verdict.as_str(), out.bytes()), ("finished", &[1, 1, 1][..]));
        }
    });
}

pub(crate) fn other_threads_allocate_meanwhile() {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut sum = 0;
            while !stop.load(Relaxed) {
                let blocks: Vec<Vec<u8>> = (1..50_u8).map(|value| vec![value; 100]).collect();
                assert!(blocks.iter().zip(1..).all(|(block, value)| block.iter().all(|&byte| byte == value)));
                sum += blocks.len();
            }
            assert!(sum > 0);
        });
        on_guest(|thread, out| {
            let mut isolate = notes(thread, out);
            for _ in 0..3000 {
                check_notes(&mut isolate, out);
            }
        });
        stop.store(true, Relaxed);
    });
}

pub(crate) fn host_blocks_survive_being_freed_by_a_guest() {
    thread_local!(static TEXT: RefCell<String> = const { RefCell::new(String::new()) });
    on_guest(|thread, out| {
        TEXT.set("the host's".to_owned());
        let mut isolate = notes(thread, out);
        for run in 0..100 {
            let report = isolate.run(AMPLE, out, |_, turn| {
                let mut text = TEXT.take();
                drop(text.clone());
                text.push_str(&" and the guest's".repeat(50)); // a reallocation of a host block
                turn.write(&text.as_bytes()[..14]).unwrap();
                drop(TEXT.replace(text));
                drop(TEXT.take());
            });
            assert_eq!((report.verdict.as_str(), out.bytes()), ("finished", &b"the host's and"[..]));
            TEXT.with_borrow(|text| assert_eq!(*text, "the host's"));
            // Freed by the guest and still the host's: to free it here is not to free it twice.
            if run % 2 == 0 {
                TEXT.with_borrow_mut(String::shrink_to_fit);
            }
        }
    });
}
