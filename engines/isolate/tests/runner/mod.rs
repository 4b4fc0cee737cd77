//! A small test runner for executables that own their process: tests run one after the other on the main thread.

use std::{env, process::ExitCode};

/// A named test.
pub(crate) type Test = (&'static str, fn());

/// Runs the tests whose names contain one of the arguments; with `--ignored` the long ones instead, with `--include-ignored` both.
pub(crate) fn run(tests: &[Test], long: &[Test]) -> ExitCode {
    let (options, filters): (Vec<String>, Vec<String>) = env::args().skip(1).partition(|word| word.starts_with("--"));
    let has = |option: &str| options.iter().any(|given| given == option);
    let chosen: Vec<&Test> = match (has("--ignored"), has("--include-ignored")) {
        (_, true) => tests.iter().chain(long).collect(),
        (true, _) => long.iter().collect(),
        _ => tests.iter().collect(),
    };
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    for (name, test) in chosen.into_iter().filter(|(name, _)| wanted(name)) {
        if has("--list") {
            println!("{name}: test");
            continue;
        }
        println!("test {name} ...");
        // A failed assertion panics, which ends the process with a status that says so.
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}
