//! `keyway up`: everything in one process.

use clap::Args;

use crate::{demo, serve::ServeArgs};

const EXAMPLES: &str = "Prints `ready URL…` on standard output when it accepts connections; SIGTERM and Ctrl-C end it.

Examples:
  keyway up --demo
  keyway up --demo --listen tcp://127.0.0.1:0            on a free port";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Also run a demo robot and a demo meter: methods, signals, properties, a stream, an object
    #[arg(long)]
    demo: bool,
}

pub(crate) fn run(args: UpArgs) -> anyhow::Result<()> {
    let demo = args.demo;
    args.serve.run(async move |directory| {
        if !demo {
            return Ok(None);
        }
        let running = demo::start(directory).await?;
        if let Some(url) = directory.urls().first() {
            eprint!("{}", demo::invitation(url));
        }
        Ok(Some(running))
    })
}
