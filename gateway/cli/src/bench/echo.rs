//! `keyway bench echo`

use clap::Args;

use super::round_trips::{self, Method, RoundTripArgs};

/// Which method gives a buffer back, and how large that is.
#[derive(Debug, Args)]
pub(super) struct EchoArgs {
    /// Bytes of the buffer
    #[arg(long, default_value_t = 1 << 20, value_name = "BYTES")]
    size: usize,
    /// Service to call
    #[arg(long, default_value = "Bench")]
    service: String,
    /// Its method that takes and returns a raw buffer, as `name` or `name::(signature)`
    #[arg(long, default_value = "echo")]
    method: String,
    #[command(flatten)]
    load: RoundTripArgs,
}

/// Measures and prints.
pub(super) fn run(args: &EchoArgs) -> anyhow::Result<()> {
    let method = Method { service: &args.service, name: &args.method, size: args.size };
    round_trips::run(&args.load, "echo", &method, Some(args.size))
}
