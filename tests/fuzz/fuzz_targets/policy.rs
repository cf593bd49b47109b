//! See `keyway_tests::fuzz::policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyway_tests::fuzz::policy(data));
