//! The arguments of `cf.updateRequestOrigin` and its like.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| edgehook_viewer::host::fuzzing::origin(text));
