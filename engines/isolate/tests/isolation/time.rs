//! Budgets of CPU time: kept, charged to whom they belong, and never mixed up.

use super::hostile::spin;
use crate::{AMPLE, check_notes, notes, on_guest};
use edgehook_isolate::{Budget, Verdict};
use std::{hint::black_box, time::Duration};

/// Work without calls into the kernel.
fn work(rounds: u32) -> u32 {
    (0..rounds).fold(1, |sum, round| black_box(sum.wrapping_mul(31) ^ round))
}

fn micros(count: u64) -> Duration {
    Duration::from_micros(count)
}

pub(crate) fn budgets_are_cpu_time() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        for cpu in [micros(100), micros(1000), micros(20_000)] {
            let mut over: Vec<Duration> = (0..200.min(2_000_000 / cpu.as_micros()))
                .map(|_| {
                    let report = isolate.run(Budget { cpu, ..AMPLE }, out, |_, _| {
                        loop {
                            std::hint::spin_loop();
                        }
                    });
                    assert_eq!((report.verdict.as_str(), report.stage), ("time", 0));
                    assert!(report.cpu >= cpu, "{report:?}");
                    report.cpu - cpu
                })
                .collect();
            over.sort_unstable();
            let (median, last) = (over[over.len() / 2], over[over.len() - 1]);
            println!("  budget {cpu:?}: stopped {median:?} after it (median), {last:?} at most");
            // CPU time, not wall time, but the host of a virtual machine may still add to it.
            assert!(median < Duration::from_millis(2), "{over:?}");
        }
    });
}

pub(crate) fn stages_have_budgets_of_their_own() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        let tight = Budget { cpu: Duration::from_millis(20), ..AMPLE };
        let report = isolate.run(tight, out, |_, turn| {
            turn.stage(Duration::from_secs(5));
            let used = turn.stage(Duration::from_secs(5)); // nothing was done
            assert!(used < Duration::from_secs(1));
            // More each time: no machine is so fast that this never ends.
            let mut amount = 500_000;
            while turn.stage(Duration::from_secs(5)) < Duration::from_millis(30) {
                work(amount);
                amount *= 2;
            }
        });
        assert_eq!(report.verdict, Verdict::Finished, "{report:?}");
        assert!(report.stage >= 3 && report.cpu >= Duration::from_millis(30), "{report:?}");
        let report = isolate.run(AMPLE, out, |_, turn| {
            turn.stage(Duration::from_secs(5));
            turn.stage(micros(300));
            loop {
                std::hint::spin_loop();
            }
        });
        assert_eq!((report.verdict, report.stage), (Verdict::Time, 2));
        check_notes(&mut isolate, out);
    });
}

pub(crate) fn loose_stages_end_too() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        let tight = Budget { cpu: Duration::from_millis(5), ..AMPLE };
        let report = isolate.run_from_loose(tight, out, |_, _| spin());
        assert_eq!((report.verdict, report.stage), (Verdict::Time, 0), "{report:?}");
        // What a loose stage used is not told, and what the stage before it used still is.
        let report = isolate.run_from_loose(AMPLE, out, |_, turn| {
            assert!(work(200_000) > 0);
            assert_eq!(turn.stage(Duration::from_secs(5)), Duration::ZERO);
            assert!(work(200_000) > 0);
            assert!(turn.loose_stage(Duration::from_secs(5)) > Duration::ZERO);
            assert_eq!(turn.loose_stage(Duration::from_millis(5)), Duration::ZERO);
            spin();
        });
        assert_eq!((report.verdict, report.stage), (Verdict::Time, 3), "{report:?}");
        let report = isolate.run_from_loose(AMPLE, out, |_, turn| {
            turn.stage(Duration::from_millis(2));
            spin();
        });
        assert_eq!((report.verdict, report.stage), (Verdict::Time, 1), "a stage is watched closely after a loose one");
        assert!(report.cpu >= Duration::from_millis(2), "{report:?}");
        check_notes(&mut isolate, out);
    });
}

pub(crate) fn a_thread_that_waits_is_not_charged() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        let report = isolate.run(Budget { cpu: Duration::from_millis(10), ..AMPLE }, out, |_, _| {
            // Off the processor for several budgets: the timer fires, finds little CPU time used, and is set again.
            let wait = libc::timespec { tv_sec: 0, tv_nsec: 40_000_000 };
            // SAFETY: a valid time; an answer is not asked for.
            unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &raw const wait, std::ptr::null_mut()) };
        });
        assert_eq!(report.verdict, Verdict::Finished, "{report:?}");
        let report = isolate.run(Budget { cpu: Duration::from_millis(10), ..AMPLE }, out, |_, _| {
            let wait = libc::timespec { tv_sec: 0, tv_nsec: 40_000_000 };
            // SAFETY: as above.
            unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &raw const wait, std::ptr::null_mut()) };
            loop {
                std::hint::spin_loop();
            }
        });
        assert_eq!(report.verdict, Verdict::Time, "the watch goes on afterwards: {report:?}");
        assert!(report.cpu >= Duration::from_millis(10));
    });
}

pub(crate) fn expiry_at_the_very_end() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        let rounds = if cfg!(debug_assertions) { 4_000 } else { 40_000 };
        let mut took: Vec<_> =
            (0..200).map(|_| isolate.run(AMPLE, out, |_, _| assert!(work(rounds) > 0)).cpu).collect();
        took.sort_unstable();
        let usual = took[100];
        let (mut finished, mut stopped) = (0, 0);
        for run in 0..100_000_u32 {
            // From half of what the work takes to twice that.
            let cpu = usual / 2 + usual * (run % 1500) / 1000;
            let report = isolate.run(Budget { cpu, ..AMPLE }, out, move |notes, turn| {
                notes.0.clear();
                work(rounds);
                turn.write(b"done").unwrap();
            });
            match report.verdict {
                Verdict::Finished => {
                    finished += 1;
                    assert!(report.cpu <= cpu && out.bytes() == b"done", "{report:?}");
                }
                Verdict::Time => {
                    stopped += 1;
                    assert!(report.cpu >= cpu && (out.bytes().is_empty() || out.bytes() == b"done"), "{report:?}");
                }
                other => panic!("run {run} ended by {other}"),
            }
            if run % 10 == 0 {
                check_notes(&mut isolate, out);
            }
        }
        println!("  work of {usual:?}: {finished} finished, {stopped} stopped");
        assert!(finished > 1000 && stopped > 1000, "the budgets lay around the work's time");
    });
}

pub(crate) fn no_budget_at_all() {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        for _ in 0..2000 {
            let report = isolate.run(Budget { cpu: Duration::ZERO, memory: 0 }, out, |_, _| spin());
            assert_eq!(report.verdict, Verdict::Time);
        }
        let report = isolate.run(Budget { cpu: Duration::MAX, ..AMPLE }, out, |_, _| ());
        assert_eq!(report.verdict, Verdict::Finished);
        check_notes(&mut isolate, out);
    });
}
