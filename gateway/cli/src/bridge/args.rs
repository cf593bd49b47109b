//! Flags of bridges.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use keyway_bridge::Mode;
use keyway_config::BridgeMode;

use super::{
    fronts::{RosbridgeFlags, YarpFlags},
    ros1::Ros1Flags,
    ros2::Ros2Flags,
};
use crate::tls::TlsArgs;

/// Which bridge, and what it is told.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BridgeArgs {
    #[command(subcommand)]
    pub(crate) front: Option<FrontCommand>,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}

/// The bridges there are.
#[derive(Debug, Subcommand)]
pub(crate) enum FrontCommand {
    /// Show services to ROS 1, as services and topics of a node of its own
    #[command(after_help = ROS1)]
    Ros1(Box<FrontArgs<Ros1Flags>>),
    /// Show services to ROS 2, as services and topics of a node of its own
    #[command(after_help = ROS2)]
    Ros2(Box<FrontArgs<Ros2Flags>>),
    /// Show services to clients of rosbridge (roslibjs, roslibpy), without any ROS
    #[command(after_help = ROSBRIDGE)]
    Rosbridge(Box<FrontArgs<RosbridgeFlags>>),
    /// Show services as ports of YARP
    #[command(after_help = YARP)]
    Yarp(Box<FrontArgs<YarpFlags>>),
}

const ROS1: &str = "Examples:
  rosmaster --core &
  keyway up --demo &
  keyway bridge ros1 --insecure --directory tcp://127.0.0.1:9559 --service Robot --mode write
  keyway bridge ros1 gen-msgs --directory tcp://127.0.0.1:9559 --service Robot --out qi_bridge_msgs";

const ROS2: &str = "Examples:
  keyway up --demo &
  keyway bridge ros2 --insecure --directory tcp://127.0.0.1:9559 --service Robot --mode write --domain 7
  ROS_DOMAIN_ID=7 ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ros2 topic echo --once /qi/Robot/battery
  keyway bridge ros1 gen-msgs --ros 2 --directory tcp://127.0.0.1:9559 --service Robot --out qi_bridge_msgs";

const YARP: &str = "Examples:
  keyway up --demo &
  keyway bridge yarp --insecure --service Robot Meter --mode write --name-server 127.0.0.1:10000
  echo 'say hello' | yarp rpc /qi/Robot/rpc:i";

const ROSBRIDGE: &str = "Examples:
  keyway up --demo &
  keyway bridge rosbridge --insecure --directory tcp://127.0.0.1:9559 --service Robot
  keyway bridge rosbridge --insecure --directory tcps://gateway:9503 --user bridge --token SECRET --ca ca.pem \\
                          --service ALTextToSpeech.say 'ALMotion.move*' --mode write --allow-origin https://lab.example";

/// One bridge.
#[derive(Debug, Args)]
pub(crate) struct FrontArgs<F: Args> {
    #[command(flatten)]
    pub(crate) link: LinkArgs,
    #[command(flatten)]
    pub(crate) front: F,
}

/// What all bridges are told; what is said here takes the place of what the file says.
#[derive(Debug, Clone, Args)]
pub(crate) struct LinkArgs {
    /// Run it although it has neither authentication nor encryption
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Let it listen and connect beyond this machine
    #[arg(long)]
    pub(crate) allow_non_loopback: bool,
    /// Configuration (keyway.toml) with a section `bridges`; SIGHUP reads it again
    #[arg(long, value_name = "FILE", env = "KEYWAY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The directory or gateway whose services are shown; tcp, tcps, quic or unix
    #[arg(long, value_name = "URL")]
    pub(crate) directory: Option<String>,
    /// User to authenticate as there
    #[arg(long, env = "KEYWAY_USER", requires = "token")]
    pub(crate) user: Option<String>,
    /// Token of the user
    #[arg(long, env = "KEYWAY_TOKEN", hide_env_values = true, requires = "user")]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    /// What is shown: 'Service', 'Prefix*', 'Service.member'; '!pattern' hides again. May be given several times
    #[arg(long, value_name = "PATTERN", num_args = 1..)]
    pub(crate) service: Vec<String>,
    /// Whether methods may be called and properties be set
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeArg>,
    /// Threads that serve connections [default: as many as processors]
    #[arg(long, value_name = "N")]
    pub(crate) network_threads: Option<usize>,
}

/// Whether anything may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Signals and properties are read (default)
    Read,
    /// Methods are called and properties set as well
    Write,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Read => Self::Read,
            ModeArg::Write => Self::Write,
        }
    }
}

/// What the file says.
pub(super) const fn mode_of(mode: BridgeMode) -> Mode {
    match mode {
        BridgeMode::Read => Mode::Read,
        BridgeMode::Write => Mode::Write,
    }
}

impl BridgeArgs {
    /// What is said of the link, wherever it is said.
    pub(crate) fn link(&self) -> &LinkArgs {
        match &self.front {
            None => &self.link,
            Some(FrontCommand::Ros1(args)) => &args.link,
            Some(FrontCommand::Ros2(args)) => &args.link,
            Some(FrontCommand::Rosbridge(args)) => &args.link,
            Some(FrontCommand::Yarp(args)) => &args.link,
        }
    }
}
