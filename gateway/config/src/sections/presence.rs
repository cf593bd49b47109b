//! `[presence]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The service that says which clients are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Whether there is one.
    pub enabled: bool,
    /// Its name, which no other gateway at the same directory may have.
    pub name: String,
}

impl Default for Presence {
    fn default() -> Self {
        Self { enabled: true, name: "Presence".to_owned() }
    }
}
