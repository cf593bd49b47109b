//! End-to-end tests of Keyway with real peers, and what they share.

pub mod fuzz;
pub mod vectors;
