//! Many runs: nothing grows. And what a run costs.

use super::hostile::{ATTACKS, kernel_state};
use crate::{AMPLE, check_notes, notes, on_guest};
use edgehook_isolate::{Budget, Isolate, Limits, Turn, Verdict};
use std::{fs, time::Duration, time::Instant};

/// Resident pages and number of mappings.
fn memory() -> (usize, usize) {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let resident = statm.split(' ').nth(1).unwrap().parse().unwrap();
    (resident, fs::read_to_string("/proc/self/maps").unwrap().lines().count())
}

fn soak(runs: u32) {
    on_guest(|thread, out| {
        let mut isolate = notes(thread, out);
        let mut phase = |runs: u32, out: &mut _| {
            for run in 0..runs {
                check_notes(&mut isolate, out);
                if run % 100 == 0 {
                    let (name, verdict, step) = ATTACKS[(run / 100) as usize % ATTACKS.len()];
                    let cpu = Duration::from_millis(if verdict == Verdict::Time { 1 } else { 5000 });
                    let report = isolate.run(Budget { cpu, ..AMPLE }, out, step);
                    assert_eq!(report.verdict, verdict, "{name}");
                }
                if run % 1000 == 0 {
                    drop(notes(thread, out));
                }
            }
        };
        phase(5000, out);
        let (kernel, (resident, mappings)) = (kernel_state(), memory());
        phase(runs, out);
        assert_eq!(kernel_state(), kernel);
        let (resident_after, mappings_after) = memory();
        println!("  {runs} runs: {resident} → {resident_after} pages, {mappings} → {mappings_after} mappings");
        assert!(resident_after <= resident + 64 && mappings_after <= mappings + 2);
    });
}

pub(crate) fn short() {
    soak(20_000);
}

pub(crate) fn long() {
    soak(1_000_000);
}

/// Prints what a run and a rewind cost, by number of pages written.
pub(crate) fn figures() {
    on_guest(|thread, out| {
        for pages in [0, 1, 5, 10, 20, 40, 80] {
            let mut isolate =
                Isolate::load(thread, Limits::default(), out, |_: &mut Turn<'_>| Ok(vec![0_u8; 120 * 4096])).unwrap();
            let mut step = |isolate: &mut Isolate<Vec<u8>>| {
                isolate.run(AMPLE, out, move |bytes, _| {
                    for page in 0..pages {
                        // Not all neighbours, as in an engine's heap.
                        bytes[(page + page / 4) * 4096] += 1;
                    }
                })
            };
            let warm = 2000;
            (0..warm).for_each(|_| drop(step(&mut isolate)));
            let runs = 50_000;
            let start = Instant::now();
            let inside: Duration = (0..runs).map(|_| step(&mut isolate).cpu).sum();
            let whole = start.elapsed();
            let stats = isolate.stats();
            println!(
                "  {pages} pages written ({} dirty, {} bytes exchanged of {}): {:?} per run, {:?} of it in the guest",
                stats.dirty_pages,
                stats.exchanged,
                stats.statics,
                whole / runs,
                inside / runs
            );
        }
    });
}
