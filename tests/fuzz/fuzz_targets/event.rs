//! The event builder: an encoded event, and what comes back of a function that leaves it alone.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| edgehook_viewer::host::fuzzing::event(bytes));
