//! See `keyway_tests::fuzz::yarp_binary`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyway_tests::fuzz::yarp_binary(data));
