//! See `keyway_tests::fuzz::yarp_connection`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyway_tests::fuzz::yarp_connection(data));
