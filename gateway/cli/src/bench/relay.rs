//! `keyway bench relay`

use anyhow::Context;
use clap::Args;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{runtime, socket::Address};
use crate::stop::Stop;

/// Where bytes are copied from and to.
#[derive(Debug, Args)]
pub(super) struct RelayArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "HOST:PORT")]
    listen: String,
    /// Where everything goes
    #[arg(long, value_name = "URL")]
    to: String,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Copies bytes both ways and looks at none of them: the least that anything in between can cost.
pub(super) fn run(args: &RelayArgs) -> anyhow::Result<()> {
    runtime(args.threads)?.block_on(async {
        let mut stop = Stop::new()?;
        let to = Address::resolve(&args.to, None).await?.socket;
        let listener = TcpListener::bind(&args.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}; is the port taken?", args.listen))?;
        println!("ready tcp://{}", listener.local_addr()?);
        let mut relays = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (mut near, _) = accepted.context("cannot accept connections")?;
                    relays.spawn(async move {
                        near.set_nodelay(true)?;
                        let mut far = TcpStream::connect(to).await?;
                        far.set_nodelay(true)?;
                        copy_bidirectional(&mut near, &mut far).await
                    });
                }
                // How one ended is its ends' business.
                Some(_) = relays.join_next() => {}
                () = stop.requested() => return Ok(()),
            }
        }
    })
}
