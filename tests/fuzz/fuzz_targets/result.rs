//! The outcome reader and the contract behind it: any JSON as a function's result.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| edgehook_viewer::host::fuzzing::result(text));
