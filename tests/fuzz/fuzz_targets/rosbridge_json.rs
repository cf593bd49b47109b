//! See `keyway_tests::fuzz::rosbridge_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyway_tests::fuzz::rosbridge_json(data));
