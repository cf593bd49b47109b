//! See `keyway_tests::fuzz::native_control`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyway_tests::fuzz::native_control(data));
