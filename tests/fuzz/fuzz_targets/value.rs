//! See `keyway_tests::fuzz::value`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyway_tests::fuzz::value(data));
