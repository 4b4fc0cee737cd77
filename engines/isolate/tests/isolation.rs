//! Guests written in Rust that try to leave traces, to run on, and to bring the process down.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test: it fails by panicking and tells figures; without a harness clippy does not see that"
)]

mod isolation {
    pub(crate) mod hostile;
    pub(crate) mod load;
    pub(crate) mod soak;
    pub(crate) mod state;
    pub(crate) mod time;
}
mod runner;

use edgehook_isolate::{
    Budget, GuestThread, Isolate, IsolateAlloc, Limits, OutBuffer, Report, ThreadConfig, Turn, on_guest_thread,
};
use isolation::{hostile, load, soak, state, time};
use std::{process::ExitCode, time::Duration};

#[global_allocator]
static ALLOCATOR: IsolateAlloc = IsolateAlloc;

/// Enough for anything that is not meant to overrun, on a slow machine too.
pub(crate) const AMPLE: Budget = Budget { cpu: Duration::from_secs(5), memory: 4 << 20 };

/// What most tests run: a state with some heap behind it.
pub(crate) struct Notes(pub(crate) Vec<String>);

/// Runs `test` on a guest thread of its own.
pub(crate) fn on_guest<R: Send>(test: impl FnOnce(&GuestThread, &mut OutBuffer) -> R + Send) -> R {
    on_guest_thread(ThreadConfig::default(), |thread| test(thread, &mut OutBuffer::new(4096).unwrap())).unwrap()
}

/// An isolate with three notes.
pub(crate) fn notes(thread: &GuestThread, out: &mut OutBuffer) -> Isolate<Notes> {
    let limits = Limits { cpu: AMPLE.cpu, ..Limits::default() };
    Isolate::load(thread, limits, out, |_: &mut Turn<'_>| Ok(Notes(vec!["a".into(), "bc".into(), "def".into()])))
        .unwrap()
}

/// Asserts that the isolate is as it was loaded.
pub(crate) fn check_notes(isolate: &mut Isolate<Notes>, out: &mut OutBuffer) -> Report {
    let report = isolate.run(AMPLE, out, |notes, turn| {
        let text = notes.0.join("+");
        notes.0.push(text.clone());
        notes.0[0].push_str("changed");
        turn.write(text.as_bytes()).unwrap();
    });
    assert_eq!((report.verdict.as_str(), out.bytes()), ("finished", &b"a+bc+def"[..]), "{report:?}");
    report
}

fn main() -> ExitCode {
    hostile::child();
    runner::run(
        &[
            ("state::nothing_of_a_run_is_left", state::nothing_of_a_run_is_left),
            ("state::the_hosts_statics_are_its_own", state::the_hosts_statics_are_its_own),
            ("state::thread_locals_with_destructors", state::thread_locals_with_destructors),
            ("state::isolates_do_not_see_each_other", state::isolates_do_not_see_each_other),
            ("state::new_zeroed_memory_is_zero", state::new_zeroed_memory_is_zero),
            ("state::other_threads_allocate_meanwhile", state::other_threads_allocate_meanwhile),
            ("state::host_blocks_survive_being_freed_by_a_guest", state::host_blocks_survive_being_freed_by_a_guest),
            ("load::set_up_that_fails", load::set_up_that_fails),
            ("load::the_limits_of_state", load::the_limits_of_state),
            ("load::one_guest_thread_at_a_time", load::one_guest_thread_at_a_time),
            ("load::output_is_bounded", load::output_is_bounded),
            ("hostile::every_way_out", hostile::every_way_out),
            ("hostile::panics_that_do_more", hostile::panics_that_do_more),
            ("hostile::the_memory_limit_is_exact", hostile::the_memory_limit_is_exact),
            ("hostile::outside_guests_signals_are_fatal", hostile::outside_guests_signals_are_fatal),
            ("hostile::the_kernels_state_stays", hostile::the_kernels_state_stays),
            ("time::budgets_are_cpu_time", time::budgets_are_cpu_time),
            ("time::stages_have_budgets_of_their_own", time::stages_have_budgets_of_their_own),
            ("time::loose_stages_end_too", time::loose_stages_end_too),
            ("time::a_thread_that_waits_is_not_charged", time::a_thread_that_waits_is_not_charged),
            ("time::expiry_at_the_very_end", time::expiry_at_the_very_end),
            ("time::no_budget_at_all", time::no_budget_at_all),
            ("soak::short", soak::short),
        ],
        &[("soak::long", soak::long), ("soak::figures", soak::figures)],
    )
}
