//! `keyway bridge`: services of a directory in ROS and YARP, without security.

use anyhow::Context;
use clap::Args;

use crate::bridge::{self, FrontCommand, Plan, Ros1Command};

const EXAMPLES: &str =
    "Prints `ready URL…` on standard output when it serves; SIGTERM and Ctrl-C end it, SIGHUP reads its configuration
again. Nothing is shown that no --service names, and nothing can be changed without --mode write.

Examples:
  keyway bridge rosbridge --insecure --directory tcp://127.0.0.1:9559 --service Robot 'Meter.get*' --mode write
  keyway bridge --insecure --config keyway.toml      every bridge that is enabled there, in one process";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BridgeCommand {
    #[command(flatten)]
    bridge: bridge::BridgeArgs,
}

pub(crate) fn run(command: &BridgeCommand) -> anyhow::Result<()> {
    let threads = command.bridge.link().network_threads;
    let runtime = || keyway_pipe::runtime::build(threads).context("cannot start the network threads");
    if let Some(FrontCommand::Ros1(args)) = &command.bridge.front
        && let Some(Ros1Command::GenMsgs(args)) = &args.front.command
    {
        return runtime()?.block_on(bridge::gen_msgs(args));
    }
    let plan = Plan::new(&command.bridge)?;
    let runtime = runtime()?;
    runtime.block_on(bridge::run(plan))
}
