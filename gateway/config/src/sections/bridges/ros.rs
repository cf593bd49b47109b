//! What the bridges to ROS are told.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// What all bridges to ROS have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ros {
    /// What the names of topics and services begin with.
    pub root: String,
    /// `"generated"`, or `"json"` to carry everything as text in `std_msgs/String`.
    pub types: RosTypes,
    /// Whether simple signals and methods have types of `std_msgs` and `std_srvs`.
    pub std_shapes: bool,
    /// Whether all signals are published on `<root>/events` too, in JSON.
    pub events: bool,
    /// Folders with more types: `<package>/msg/*.msg` and `<package>/srv/*.srv`.
    pub definition_paths: Vec<PathBuf>,
    /// Topics that call methods, and methods that are polled for topics.
    #[serde(rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RosRule>,
    /// Topics and services of ROS as services of the directory.
    #[serde(rename = "import", skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<RosImport>,
}

/// How values are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RosTypes {
    /// By message types made of the signatures.
    #[default]
    Generated,
    /// As JSON in strings.
    Json,
}

/// The bridge to ROS 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ros1 {
    /// Whether `keyway bridge --config` runs it.
    pub enabled: bool,
    /// The master.
    pub master: String,
    /// The name of its node.
    pub node: String,
    /// The address at which nodes of ROS reach it.
    pub advertise_host: String,
    /// Messages that may wait for a slow subscriber; the oldest go.
    pub queue: usize,
    /// Whether `Trigger` and `SetBool` fail as other services do, not only by `success: false`.
    pub native_errors: bool,
}

/// The bridge to ROS 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ros2 {
    /// Whether `keyway bridge --config` runs it.
    pub enabled: bool,
    /// The domain (`ROS_DOMAIN_ID`).
    pub domain: u16,
    /// The name of its node.
    pub node: String,
    /// Whether the headers of its messages say the time of `/clock`, as in a simulation.
    pub use_sim_time: bool,
    /// Participants that may have left the domain before the bridge enters it anew, when nobody is there, or ten times as many when somebody is: its DDS library forgets none.
    pub renew_after: usize,
    /// Whose requests it understands: `"fastrtps"` or `"cyclonedds"`; one bridge cannot serve both.
    pub rmw: RosMiddleware,
}

/// A middleware of ROS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RosMiddleware {
    /// Fast DDS.
    #[default]
    FastRtps,
    /// Cyclone DDS.
    CycloneDds,
}

/// The bridge to clients of rosbridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rosbridge {
    /// Whether `keyway bridge --config` runs it.
    pub enabled: bool,
    /// Where clients connect; port 0 takes a free one.
    pub listen: String,
    /// Origins whose web pages may use it; none of them if there are none.
    pub allowed_origins: Vec<String>,
    /// Of which ROS the names of types and times are: 1 or 2.
    pub flavour: RosFlavour,
    /// Whether `compression: "png"` is answered with PNG.
    pub png: bool,
}

/// A generation of ROS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schemars(with = "u8")]
pub enum RosFlavour {
    /// `std_msgs/String`, `secs`, `nsecs`.
    #[default]
    One,
    /// `std_msgs/msg/String`, `sec`, `nanosec`.
    Two,
}

/// Which bridge to ROS is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RosFront {
    /// ROS 1.
    Ros1,
    /// ROS 2.
    Ros2,
    /// Clients of rosbridge.
    Rosbridge,
}

/// A topic that calls a method, or a topic of what methods return or a signal tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RosRule {
    /// In which world: `"ros1"`, `"ros2"` or `"rosbridge"`.
    pub front: RosFront,
    /// The topic that calls a method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<String>,
    /// The topic that is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<String>,
    /// The topic's type, such as `"geometry_msgs/Twist"`.
    #[serde(rename = "type")]
    pub message: String,
    /// Fields and the literals that they have to equal, for messages that call the method: `{ relative = "0" }`. Other messages do not count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, String>,
    /// The method that is called for each message: `"ALMotion.move"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// Its arguments: fields (`"linear.x"`, `"-data[0]"`) and literals (`"\"Body\""`, `"1.5"`, `"true"`, `"nan"`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Calls a second at most; the newest message counts. Without it each message calls, in order; of more than 16 that wait, the
    /// oldest go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rate: Option<f64>,
    /// When no message came for so long, `on_timeout` is called once.
    #[serde(default, with = "units::optional_duration", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
    /// What is called then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<RosCall>,
    /// Messages a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The frame of what is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_id: Option<String>,
    /// What is polled, by names of its own: `"ALMotion.getAngles(\"Body\", true)"`; with `@once` behind it, only once. Arguments are
    /// literals, and other sources or parts of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, String>,
    /// What is called when nobody listens any more: it gives back what a source with `@once` has taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finally: Option<String>,
    /// The signal that is published, in place of what is polled: `"ALTextToSpeech.languageTTS"`, or one of an object that a method
    /// returns, `"ALMemory.subscriber(\"FrontTactilTouched\").signal"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Which source, or part of one, each field of the message has (`"linear.x"`), or each element of a list (`"covariance[0]"`); of a signal, which argument (`"args[0]"`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Whether messages may be lost on the way, as those of sensors may (ROS 2).
    #[serde(default)]
    pub sensor: bool,
    /// Whether times are numbers of seconds.
    #[serde(default)]
    pub float_seconds: bool,
}

/// A call of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RosCall {
    /// The method.
    pub call: String,
    /// Its arguments, literals only.
    #[serde(default)]
    pub args: Vec<String>,
}

/// A service of the directory that is made of topics and services of ROS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RosImport {
    /// In which world: `"ros1"`, `"ros2"` or `"rosbridge"`.
    pub front: RosFront,
    /// Its name in the directory; refused if it is taken.
    pub service: String,
    /// Topics that become signals, with a property `last_<signal>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribe: Vec<RosSubscribed>,
    /// Topics that methods publish on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<RosPublished>,
    /// Services that become methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub call: Vec<RosCalled>,
}

/// A topic that becomes a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RosSubscribed {
    /// The topic.
    pub topic: String,
    /// Its type.
    #[serde(rename = "type")]
    pub message: String,
    /// The signal's name.
    pub signal: String,
}

/// A topic that a method publishes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RosPublished {
    /// The topic.
    pub topic: String,
    /// Its type.
    #[serde(rename = "type")]
    pub message: String,
    /// The method's name.
    pub method: String,
}

/// A service of ROS that becomes a method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RosCalled {
    /// The service of ROS.
    pub service: String,
    /// Its type.
    #[serde(rename = "type")]
    pub message: String,
    /// The method's name.
    pub method: String,
    /// How long it may take, if not as long as `bridges.call_timeout`.
    #[serde(default, with = "units::optional_duration", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub timeout: Option<Duration>,
}

impl Default for Ros {
    fn default() -> Self {
        Self {
            root: "/qi".to_owned(),
            types: RosTypes::default(),
            std_shapes: true,
            events: false,
            definition_paths: Vec::new(),
            rules: Vec::new(),
            imports: Vec::new(),
        }
    }
}

impl Default for Ros1 {
    fn default() -> Self {
        Self {
            enabled: false,
            master: "http://127.0.0.1:11311".to_owned(),
            node: "/qi_bridge".to_owned(),
            advertise_host: "127.0.0.1".to_owned(),
            queue: 10,
            native_errors: true,
        }
    }
}

impl Default for Ros2 {
    fn default() -> Self {
        Self {
            enabled: false,
            domain: 0,
            node: "/qi/bridge".to_owned(),
            use_sim_time: false,
            renew_after: 50,
            rmw: RosMiddleware::default(),
        }
    }
}

impl Default for Rosbridge {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: "127.0.0.1:9090".to_owned(),
            allowed_origins: Vec::new(),
            flavour: RosFlavour::default(),
            png: false,
        }
    }
}

impl TryFrom<u8> for RosFlavour {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        match number {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            other => Err(format!("there is no ROS {other}; write 1 or 2")),
        }
    }
}

impl From<RosFlavour> for u8 {
    fn from(flavour: RosFlavour) -> Self {
        match flavour {
            RosFlavour::One => 1,
            RosFlavour::Two => 2,
        }
    }
}
