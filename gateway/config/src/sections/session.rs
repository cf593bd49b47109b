//! `[session]`.

use std::{path::PathBuf, time::Duration};

use keyway_history::Bounds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ByteSize, units};

/// Sessions that lost their connection, and may resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// How long a session without a connection is kept.
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub kept_for: Duration,
    /// Events of a subscription that are kept to be replayed.
    pub replay_events: usize,
    /// Payload bytes of these events.
    pub replay_size: ByteSize,
    /// Where the keys are kept by which sessions are found again after a restart; without a file clients authenticate anew then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl Session {
    /// What a subscription's window holds.
    pub fn bounds(&self) -> Bounds {
        Bounds { bytes: self.replay_size.as_usize(), events: self.replay_events, age: self.kept_for }
    }
}

impl Default for Session {
    fn default() -> Self {
        let usual = Bounds::default();
        Self {
            kept_for: usual.age,
            replay_events: usual.events,
            replay_size: ByteSize(usual.bytes as u64),
            key_file: None,
        }
    }
}
