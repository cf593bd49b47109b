//! `keyway bench serve`

use bytes::Bytes;
use clap::Args;
use keyway::{Object, Signal};

use crate::serve::{ListenArgs, ServeArgs};

/// Where the service is hosted.
#[derive(Debug, Args)]
pub(super) struct BenchServeArgs {
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    serve: ServeArgs,
}

/// Runs a directory with the service that the other measurements use by default, as `tests/peers/libqi_bench_host.py` does
/// with libqi.
pub(super) fn run(args: BenchServeArgs) -> anyhow::Result<()> {
    args.listen.run(&args.serve, async |directory| {
        let mut bench = Object::builder();
        bench.method("echo", |(buffer,): (Bytes,)| buffer);
        // Posting on them emits them.
        bench.signal("fired", &Signal::<(i32,)>::new()).signal("blob", &Signal::<(Bytes,)>::new());
        let session = directory.session();
        session.register("Bench", bench).await?;
        Ok(session)
    })
}
