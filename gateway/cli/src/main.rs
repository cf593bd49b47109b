//! The `keyway` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use keyway::Directory;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(name = "keyway", version, about = "A service directory for robots and meters that speak QiMessaging")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a service directory. Prints `ready URL…` when it accepts connections; SIGTERM and Ctrl-C end it.
    Directory {
        /// Where to listen; port 0 takes a free one. May be given several times.
        #[arg(long, default_value = "tcp://127.0.0.1:9559")]
        listen: Vec<String>,
        /// Lets any session change any service, as libqi does.
        #[arg(long)]
        permissive: bool,
        /// Threads that serve connections; as many as processors by default.
        #[arg(long)]
        network_threads: Option<usize>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keyway: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Command::Directory { listen, permissive, network_threads } = arguments.command;
    let runtime = keyway_pipe::runtime::build(network_threads)?;
    runtime.block_on(async {
        let mut builder = Directory::builder().permissive(permissive);
        for url in listen {
            builder = builder.listen(url);
        }
        let directory = builder.start().await?;
        println!("ready {}", directory.urls().join(" "));
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            result = tokio::signal::ctrl_c() => result?,
        }
        directory.close().await;
        Ok(())
    })
}
