//! Loading that fails, limits of what is loaded, and who may load.

use crate::{AMPLE, check_notes, notes, on_guest};
use edgehook_isolate::{
    GuestThread, Isolate, Limits, LoadError, OutBuffer, Refused, SetupError, ThreadConfig, Turn, on_guest_thread,
};
use std::{hint::black_box, time::Duration};

/// Loads `init` and asserts how that fails and what it wrote.
fn check<F>(thread: &GuestThread, out: &mut OutBuffer, init: F, expected: &str, written: &str)
where
    F: FnOnce(&mut Turn<'_>) -> Result<Vec<u8>, Refused> + Copy + Send,
{
    let limits = Limits { cpu: Duration::from_millis(20), memory: 4 << 20, live: 1 << 20, allowance: 1 << 20 };
    let error = Isolate::load(thread, limits, out, init).unwrap_err();
    assert_eq!((error.as_str(), String::from_utf8_lossy(out.bytes()).as_ref()), (expected, written), "{error}");
}

pub(crate) fn set_up_that_fails() {
    on_guest(|thread, out| {
        let mut other = notes(thread, out);
        for _ in 0..50 {
            check(
                thread,
                out,
                |turn| {
                    turn.write(b"no handler").unwrap();
                    Err(Refused)
                },
                "refused",
                "no handler",
            );
            check(
                thread,
                out,
                |turn| {
                    turn.write(b"before").unwrap();
                    loop {
                        std::hint::spin_loop();
                    }
                },
                "time",
                "before",
            );
            check(thread, out, |_| Ok(vec![1; 5 << 20]), "memory", "");
            check(thread, out, |_| Ok(vec![1; 2 << 20]), "too large", "");
            check(thread, out, |_| panic!("at the top level"), "panic", "");
            check_notes(&mut other, out);
        }
    });
}

pub(crate) fn the_limits_of_state() {
    on_guest(|thread, out| {
        // A block of a size that is not rounded, and the value that owns it.
        let (size, owner) = (896 << 10, 32);
        let load = |live: usize, out: &mut OutBuffer| {
            let limits = Limits { live, memory: 3 << 20, allowance: 64 << 10, ..Limits::default() };
            Isolate::load(thread, limits, out, move |_: &mut Turn<'_>| {
                for _ in 0..100 {
                    drop(black_box(vec![2_u8; 500_000])); // freed, so it does not count, and fits again and again
                }
                let mut bytes = Vec::with_capacity(size);
                bytes.resize(size, 1_u8);
                Ok(bytes)
            })
        };
        let mut isolate = load(size + owner, out).unwrap();
        assert_eq!(isolate.stats().live, size + owner);
        assert!(isolate.stats().snapshot < 2 << 20);
        let error = load(size + owner - 1, out).unwrap_err();
        assert!(matches!(error, LoadError::TooLarge(live) if live == size + owner), "{error}");
        // More than the isolate's allowance is not to be had, whatever the run's budget says.
        let report = isolate.run(AMPLE, out, |bytes, _| bytes.push(1));
        assert_eq!(report.verdict.as_str(), "memory");
        let report = isolate.run(AMPLE, out, |bytes, _| bytes.fill(2));
        assert_eq!((report.verdict.as_str(), report.memory), ("finished", 0));
        assert!(isolate.stats().dirty_pages > 200);
        let report = isolate.run(AMPLE, out, |bytes, _| assert!(bytes.iter().all(|&byte| byte == 1)));
        assert_eq!(report.verdict.as_str(), "finished");
    });
}

pub(crate) fn one_guest_thread_at_a_time() {
    for _ in 0..20 {
        let value = on_guest(|thread, out| {
            let second = on_guest_thread(ThreadConfig::default(), |_| ());
            assert!(matches!(second, Err(SetupError::Busy)));
            check_notes(&mut notes(thread, out), out).verdict.as_str().len()
        });
        assert_eq!(value, "finished".len());
    }
    let small = on_guest_thread(ThreadConfig { stack: 128 << 10, ..ThreadConfig::default() }, |_| ());
    assert!(matches!(small, Err(SetupError::System("guarding the stack", _))));
    on_guest(|_, _| ());
}

pub(crate) fn output_is_bounded() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        let report = isolate.run(AMPLE, out, |_, turn| {
            turn.write(b"not this").unwrap();
            turn.clear();
            while turn.write(&[5; 1000]).is_ok() {}
            assert_eq!(turn.written().len(), 4000);
            turn.write(&[6; 96]).unwrap();
        });
        assert_eq!(report.verdict.as_str(), "finished");
        assert_eq!((out.bytes().len(), out.bytes()[4095]), (4096, 6));
        let report = isolate.run(AMPLE, out, |_, turn| {
            turn.write(b"kept").unwrap();
            panic!("afterwards");
        });
        assert_eq!((report.verdict.as_str(), out.bytes()), ("panic", &b"kept"[..]));
    });
}
