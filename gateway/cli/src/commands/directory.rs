//! `keyway directory`: a service directory.

use clap::Args;

use crate::serve::{ListenArgs, ServeArgs};

const EXAMPLES: &str = "Prints `ready URL…` on standard output when it accepts connections; SIGTERM and Ctrl-C end it.

Examples:
  keyway directory                                       on tcp://127.0.0.1:9559
  keyway directory --listen tcp://0.0.0.0:9559           for other machines, too
  keyway directory --listen tcp://127.0.0.1:0 --listen unix:///run/keyway.sock";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DirectoryArgs {
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    serve: ServeArgs,
}

pub(crate) fn run(args: DirectoryArgs) -> anyhow::Result<()> {
    args.listen.run(&args.serve, async |_| Ok(()))
}
