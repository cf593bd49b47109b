//! `keyway gateway`: a gateway in front of directories that run elsewhere.

use anyhow::Context;
use clap::Args;
use keyway_config::Config;

use crate::{
    exit::Usage,
    gateway::{DirectoryFlags, GateArgs, Plan, Running},
    logging::LoggingArgs,
    stop::Stop,
};

const EXAMPLES: &str =
    "Prints `ready URL…` on standard output when it accepts connections; SIGTERM and Ctrl-C end it, SIGHUP reads
its configuration again.

Examples:
  keyway init && keyway gateway --config keyway.toml
  keyway gateway --directory tcp://127.0.0.1:9559 --listen tcp://0.0.0.0:9560 --anonymous-role admin
  keyway gateway --directory tcps://robot:9503 --user nao --token SECRET --insecure-skip-verify \\
                 --listen tcps://0.0.0.0:9503 --config keyway.toml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GatewayArgs {
    #[command(flatten)]
    directories: DirectoryFlags,
    /// Where clients connect; port 0 takes a free one. May be given several times
    #[arg(long, value_name = "URL")]
    listen: Vec<String>,
    #[command(flatten)]
    gate: GateArgs,
    /// Threads that serve connections [default: as many as processors]
    #[arg(long, value_name = "N")]
    network_threads: Option<usize>,
}

pub(crate) fn run(args: &GatewayArgs, logging: &LoggingArgs) -> anyhow::Result<()> {
    let config = args.gate.load()?;
    let _logging = logging.start_with(config.as_ref().and_then(|config| config.telemetry.otlp.as_deref()))?;
    let plan = Plan::new(config.as_ref(), &args.gate, args.directories.buses()?, &args.listen)?;
    let configured = config.as_ref().and_then(|config| config.network.threads).map(std::num::NonZero::get);
    let threads = args.network_threads.or(configured);
    let runtime = keyway_pipe::runtime::build(threads).context("cannot start the network threads")?;
    runtime.block_on(async {
        // Asked for before `ready` is printed: who reads it may send the signal at once.
        let mut stop = Stop::new()?;
        Running::start(plan, config.as_ref()).await?.serve(&[], &mut stop).await
    })
}

impl GateArgs {
    /// The configuration, if there is one.
    pub(crate) fn load(&self) -> anyhow::Result<Option<Config>> {
        let load = |file| Config::load(file).map_err(|error| Usage(error.to_string()).into());
        self.config.as_ref().map(load).transpose()
    }
}
