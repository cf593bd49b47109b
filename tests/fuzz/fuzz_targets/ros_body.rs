//! See `keyway_tests::fuzz::ros_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyway_tests::fuzz::ros_body(data));
