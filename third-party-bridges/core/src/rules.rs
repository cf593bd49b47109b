//! What a bridge may do. A reload replaces it while peers stay connected.

use std::time::Duration;

use crate::Exposure;

/// What a bridge shows and lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Which services and members are shown.
    pub exposure: Exposure,
    /// Whether anything may be changed.
    pub mode: Mode,
    /// How much at once.
    pub limits: Limits,
}

/// Whether anything may be changed through a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Signals and properties are read; no method is called and no property set.
    #[default]
    Read,
    /// Methods are called and properties set as well.
    Write,
}

/// How much is let through at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls under way of one peer.
    pub calls_per_peer: usize,
    /// Calls under way of all peers.
    pub calls: usize,
    /// How long a call may take, where a front has no time of its own.
    pub call_timeout: Duration,
}

impl Rules {
    /// Shows this, read-only and with the usual limits.
    pub fn new(exposure: Exposure) -> Self {
        Self { exposure, mode: Mode::default(), limits: Limits::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { calls_per_peer: 32, calls: 256, call_timeout: Duration::from_secs(10) }
    }
}
