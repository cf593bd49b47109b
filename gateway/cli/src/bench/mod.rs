//! `keyway bench`: figures of any QiMessaging server, libqi's included, next to a bare TCP echo of the same bytes.
//!
//! Everything here speaks frames on carriers (TCP, with TLS or without) and leaves the SDK aside, but over QUIC: what is measured is
//! the server, so the client has to cost little and the same for every server. Runs alternate in short slices between the servers (and the echo), and the
//! figures are medians of the rounds, because on a shared machine two runs one after the other measure the weather.

mod call;
mod echo;
mod echo_server;
mod events;
mod fan_out;
mod figures;
mod idle;
mod load;
mod native;
mod peer;
mod process;
mod relay;
mod report;
mod round_trips;
mod sample;
mod scan;
mod serve;
mod signal;
mod socket;
mod stalled;
mod target;

use anyhow::Context;
use clap::{Args, Subcommand};
use tokio::runtime::{Builder, Runtime};

/// Measure a server: calls, payloads, events, memory of idle sessions
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Calls of a method without large arguments: calls/s and latency, next to a bare TCP echo
    Call(call::CallArgs),
    /// A buffer there and back: MB/s and latency, next to a bare TCP echo
    Echo(echo::EchoArgs),
    /// One signal to many subscribers: deliveries/s and latency
    Events(events::EventsArgs),
    /// Memory of the server for sessions that do nothing
    Idle(idle::IdleArgs),
    /// What a subscriber that reads nothing does to the others, and to the server's memory
    Stalled(stalled::StalledArgs),
    /// A directory with a service `Bench` to be measured: echo(r), signals fired(i) and blob(r)
    Serve(serve::BenchServeArgs),
    /// A blind two-way copy of bytes, to measure what stands between client and server against
    Relay(relay::RelayArgs),
    /// The bare TCP echo that `call` and `echo` start as a process of its own
    #[command(hide = true)]
    EchoServer(echo_server::EchoServerArgs),
}

/// Runs a measurement and prints it.
pub(crate) fn run(args: BenchArgs) -> anyhow::Result<()> {
    match args.command {
        BenchCommand::Call(args) => call::run(&args),
        BenchCommand::Echo(args) => echo::run(&args),
        BenchCommand::Events(args) => events::run(&args),
        BenchCommand::Idle(args) => idle::run(&args),
        BenchCommand::Relay(args) => relay::run(&args),
        BenchCommand::Serve(args) => serve::run(args),
        BenchCommand::Stalled(args) => stalled::run(&args),
        BenchCommand::EchoServer(args) => echo_server::run(&args),
    }
}

/// A runtime for `threads` threads; with one, everything runs on the caller's, which saves the hand-over between threads.
fn runtime(threads: usize) -> anyhow::Result<Runtime> {
    let mut builder = match threads {
        0 | 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().context("cannot start the runtime")
}

/// What every measurement in rounds is told.
#[derive(Debug, Args)]
struct RoundArgs {
    /// Seconds that each server is measured, all rounds together
    #[arg(long, default_value_t = 5.0, value_name = "S")]
    seconds: f64,
    /// Rounds, in each of which every server has its turn; the figures are medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Threads of this client
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Print JSON, with the figures of every round
    #[arg(long)]
    json: bool,
}

impl RoundArgs {
    fn slice(&self) -> std::time::Duration {
        let seconds = self.seconds / f64::from(self.rounds);
        std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }

    /// Notes the figures of a slice, and says so on standard error.
    fn progress(&self, round: u32, party: &mut report::Party, figures: figures::Figures, unit: &str) {
        let (name, rate, p50) = (party.name, figures.per_second, figures.p50);
        eprintln!("round {round}/{}: {name:<8}{rate:>10.0} {unit}, p50 {p50:.1} us", self.rounds);
        party.rounds.push(figures);
    }
}
