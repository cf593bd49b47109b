//! What the bridge to YARP is told.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// The bridge to YARP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Yarp {
    /// Whether `keyway bridge --config` runs it.
    pub enabled: bool,
    /// The name server; without it, the one in YARP's own `yarp.conf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_server: Option<String>,
    /// What the names of ports begin with.
    pub prefix: String,
    /// The address at which ports listen.
    pub bind: String,
    /// Whether there are ports that set properties and emit signals.
    pub inputs: bool,
    /// How floating point numbers are written: `"3"` for YARP 2 and 3, `"4"` for YARP 4.
    pub dialect: YarpDialect,
    /// Whether messages say their number and time.
    pub envelope: bool,
    /// Whether names are taken from ports that are alive.
    pub takeover: bool,
    /// How long a call may take, in place of `bridges.call_timeout`.
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub call_timeout: Duration,
    /// Structs as lists of their members (`"plain"`), or as pairs of name and value (`"named"`).
    pub struct_style: YarpStructs,
    /// Ports of YARP as services of the directory.
    #[serde(rename = "import", skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<YarpImport>,
}

/// How bottles are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum YarpDialect {
    /// As YARP 3 does.
    #[default]
    #[serde(rename = "3")]
    V3,
    /// As YARP 4 does.
    #[serde(rename = "4")]
    V4,
}

/// How structs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum YarpStructs {
    /// `(1 2)`.
    #[default]
    Plain,
    /// `((x 1) (y 2))`.
    Named,
}

/// A service of the directory that is made of ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct YarpImport {
    /// Its name in the directory; refused if it is taken.
    pub service: String,
    /// The port that answers requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc: Option<String>,
    /// The port whose messages become a signal and a property.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<String>,
    /// The port that `send` writes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<String>,
    /// How ports are connected: `"tcp"`, `"fast_tcp"` or `"text_ack"`.
    #[serde(default)]
    pub carrier: YarpCarrier,
}

/// A carrier between ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum YarpCarrier {
    /// Binary, with acknowledgements.
    #[default]
    Tcp,
    /// Binary, without them.
    FastTcp,
    /// Text, with acknowledgements.
    TextAck,
}

impl Default for Yarp {
    fn default() -> Self {
        Self {
            enabled: false,
            name_server: None,
            prefix: "/qi".to_owned(),
            bind: "127.0.0.1".to_owned(),
            inputs: false,
            dialect: YarpDialect::default(),
            envelope: true,
            takeover: false,
            call_timeout: Duration::from_secs(30),
            struct_style: YarpStructs::default(),
            imports: Vec::new(),
        }
    }
}
