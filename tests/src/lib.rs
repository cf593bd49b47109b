//! End-to-end tests of Keyway with real peers.
