//! `[presence]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The service that says which clients are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Whether there is one.
    pub enabled: bool,
}

impl Default for Presence {
    fn default() -> Self {
        Self { enabled: true }
    }
}
