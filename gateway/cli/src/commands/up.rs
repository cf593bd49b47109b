//! `keyway up`: everything in one process.

use anyhow::Context;
use clap::Args;
use keyway::Session;
use keyway_config::Config;
use keyway_gateway::BusSettings;

use crate::{
    demo,
    gateway::{GateArgs, Plan, Running},
    logging::LoggingArgs,
    serve::{self, ServeArgs},
    stop::Stop,
};

const EXAMPLES: &str =
    "Prints `ready URL…` on standard output when it accepts connections: where programs inside connect, then where
clients outside do. SIGTERM and Ctrl-C end it, SIGHUP reads its configuration again.

Examples:
  keyway up --demo                                       everything there is to try, on this machine only
  keyway init && keyway up --config keyway.toml
  keyway up --listen tcp://127.0.0.1:0 --bus tcp://127.0.0.1:0 --anonymous-role admin";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpArgs {
    /// Where programs inside reach the directory: they are trusted. Port 0 takes a free one. May be given several times
    #[arg(long, value_name = "URL", default_value = "tcp://127.0.0.1:9559")]
    bus: Vec<String>,
    /// Where clients outside reach the gateway. May be given several times
    #[arg(long, value_name = "URL")]
    listen: Vec<String>,
    #[command(flatten)]
    gate: GateArgs,
    #[command(flatten)]
    serve: ServeArgs,
    /// Also run a demo robot and a demo meter, and a gateway with certificates of its own and a user `demo`
    #[arg(long)]
    demo: bool,
}

pub(crate) fn run(mut args: UpArgs, logging: &LoggingArgs) -> anyhow::Result<()> {
    let demo = args.demo.then(|| demo::Files::prepare(args.gate.config.is_none())).transpose()?.flatten();
    if let Some(files) = &demo {
        args.gate.config = Some(files.config().to_owned());
    }
    let config = args.gate.load()?;
    let _logging = logging.start_with(config.as_ref().and_then(|config| config.telemetry.otlp.as_deref()))?;
    let threads = config.as_ref().and_then(|config| config.network.threads).map(std::num::NonZero::get);
    let threads = args.serve.network_threads.or(threads);
    let runtime = keyway_pipe::runtime::build(threads).context("cannot start the network threads")?;
    runtime.block_on(async {
        // Asked for before `ready` is printed: who reads it may send the signal at once.
        let mut stop = Stop::new()?;
        let directory = args.serve.builder(args.bus.clone())?.start().await?;
        let urls = directory.urls();
        let life = if args.demo { Some(demo::start(&directory).await?) } else { None };
        let gateway = match plan(&args, config.as_ref(), urls.first())? {
            Some(plan) => Some(Running::start(plan, config.as_ref()).await?),
            None => None,
        };
        if let (true, Some(bus)) = (args.demo, urls.first()) {
            let doors = gateway.as_ref().map(Running::urls).unwrap_or_default();
            eprint!("{}", demo::invitation(bus, &doors, demo.as_ref()));
        }
        match gateway {
            Some(gateway) => gateway.serve(&urls, &mut stop).await?,
            None => crate::gateway::ready(&urls, stop.requested()).await?,
        }
        drop(life);
        serve::close(directory).await;
        Ok(())
    })
}

/// What the gateway is to be; none if nothing says where it is to listen.
fn plan(args: &UpArgs, config: Option<&Config>, bus: Option<&String>) -> anyhow::Result<Option<Plan>> {
    if config.is_none() && args.listen.is_empty() {
        return Ok(None);
    }
    let elsewhere = config.is_some_and(|config| !config.directories.is_empty());
    let own = bus.filter(|_| !elsewhere).map(|url| BusSettings::new(url, Session::builder()));
    Plan::new(config, &args.gate, own.into_iter().collect(), &args.listen).map(Some)
}
