//! `keyway bench call`

use clap::Args;

use super::round_trips::{self, Method, RoundTripArgs};

/// Which method is called.
#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// Service to call
    #[arg(long, default_value = "ServiceDirectory")]
    service: String,
    /// Its method, as `name` or `name::(signature)`; arguments are zeroes and empty containers
    #[arg(long, default_value = "machineId")]
    method: String,
    #[command(flatten)]
    load: RoundTripArgs,
}

/// Measures and prints.
pub(super) fn run(args: &CallArgs) -> anyhow::Result<()> {
    let method = Method { service: &args.service, name: &args.method, size: 0 };
    round_trips::run(&args.load, "call", &method, None)
}
