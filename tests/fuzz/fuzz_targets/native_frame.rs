//! See `keyway_tests::fuzz::native_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyway_tests::fuzz::native_frame(data));
