//! `[network]`.

use std::{num::NonZeroUsize, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// Threads and dead connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Threads that serve connections; as many as processors if it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<NonZeroUsize>,
    /// A peer that answers nothing for so long is dead, and its connection closed: `"1s"` to `"1h"`.
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub dead_after: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self { threads: None, dead_after: Duration::from_secs(10) }
    }
}
