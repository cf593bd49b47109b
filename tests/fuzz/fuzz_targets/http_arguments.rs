//! See `keyway_tests::fuzz::http_arguments`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyway_tests::fuzz::http_arguments(data));
