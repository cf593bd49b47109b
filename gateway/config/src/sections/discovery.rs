//! `[discovery]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the gateway makes itself known on the local network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Discovery {
    /// Whether it says by mDNS (`_naoqi._tcp`) where it listens; `keyway discover` finds it.
    pub mdns: bool,
    /// Under which name, of at most 63 bytes; the host's name if it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
