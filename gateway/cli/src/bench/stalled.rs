//! `keyway bench stalled`

use std::io::Write;

use anyhow::bail;
use clap::Args;

use super::{
    RoundArgs,
    fan_out::FanOut,
    figures::{Figures, ratio},
    native, process,
    report::{Party, Report},
    round_trips::at_least_one,
    signal::Source,
    socket::Address,
};
use crate::tls::TlsArgs;

/// Which signal is subscribed to by how many, of whom one does not read.
#[derive(Debug, Args)]
pub(super) struct StalledArgs {
    /// Directory or gateway to measure
    #[arg(long, env = "QI_URL", default_value = "tcp://127.0.0.1:9559")]
    url: String,
    /// Service that has the signal
    #[arg(long, default_value = "Bench")]
    service: String,
    /// The signal; strings and buffers among its parameters get --size bytes, the rest are zeroes
    #[arg(long, default_value = "blob")]
    signal: String,
    /// Bytes of each string and buffer
    #[arg(long, default_value_t = 256, value_name = "BYTES")]
    size: usize,
    /// Connections that subscribe, the one that does not read among them
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = at_least_two)]
    subscribers: usize,
    /// Events in a second
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Bytes of events, in MiB, that the one has not read when measuring begins
    #[arg(long, default_value_t = 16, value_name = "MIB", value_parser = clap::value_parser!(u32).range(0..=1024))]
    behind: u32,
    /// The server's process [default: the one that listens on the URL's port]
    #[arg(long)]
    pid: Option<u32>,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    rounds: RoundArgs,
}

fn at_least_two(text: &str) -> Result<usize, String> {
    at_least_one(text)
        .and_then(|number| if number > 1 { Ok(number) } else { Err("a number from 2 up is wanted".to_owned()) })
}

/// Resident memory of the server in KiB.
#[derive(Debug, serde::Serialize)]
struct Memory {
    /// When all read.
    before: u64,
    /// The most there was with one that did not.
    largest: u64,
}

/// Measures and prints.
pub(super) fn run(args: &StalledArgs) -> anyhow::Result<()> {
    let (parties, memory) = super::runtime(args.rounds.threads)?.block_on(measure(args))?;
    let [with, without] = &parties;
    let p99 = ratio(&with.rounds, &without.rounds, |round| round.p99);
    let parameters = serde_json::json!({
        "signal": format!("{}.{}", args.service, args.signal),
        "size": args.size,
        "subscribers": args.subscribers,
        "rate": args.rate,
        "behind_mib": args.behind,
        "p99_to_compare": p99,
        "resident_kib": &memory,
    });
    let report =
        Report { measure: "stalled", unit: "deliveries/s", parameters, bytes: None, parties: Vec::from(parties) };
    report.print(args.rounds.json)?;
    if !args.rounds.json {
        let mut output = std::io::stdout().lock();
        writeln!(output, "p99 of the others with a stalled one / without: {p99:.3}")?;
        let Memory { before, largest } = memory;
        let more = largest.saturating_sub(before);
        writeln!(output, "resident before {before} KiB, at most {largest} KiB with it, {more} KiB more")?;
    }
    Ok(())
}

async fn measure(args: &StalledArgs) -> anyhow::Result<([Party; 2], Memory)> {
    if native::is_native(&args.url) {
        bail!(
            "over QUIC a subscriber that does not read has streams of its own, and the SDK always reads: use tcp or tcps"
        );
    }
    let tls = args.tls.client()?;
    let address = Address::resolve(&args.url, tls.as_ref()).await?;
    let source = Source::find(&args.url, tls.as_ref(), (&args.service, &args.signal)).await?;
    // As many may be under way as come in a second.
    let mut others = FanOut::connect(&source, args.size, args.subscribers - 1, args.rate as usize).await?;
    let pid = process::named_or_listening(args.pid, &address)?;
    let (mut with, mut without) = (Party::new("server", "with a stalled one"), Party::new("compare", "without"));
    let behind = (u64::from(args.behind) << 20) / (args.size as u64 + keyway_wire::Header::SIZE as u64);
    // Warms the server up.
    others.burst(behind).await?;
    let mut memory = Memory { before: process::resident_kib(pid)?, largest: 0 };
    for round in 1..=args.rounds.rounds {
        let figures = others.paced(args.rounds.slice(), args.rate).await?;
        args.rounds.progress(round, &mut without, figures, UNIT);
        memory.before = memory.before.max(process::resident_kib(pid)?);
        let stalled = source.subscribe().await?;
        others.burst(behind).await?;
        memory.largest = memory.largest.max(process::resident_kib(pid)?);
        let figures: Figures = others.paced(args.rounds.slice(), args.rate).await?;
        args.rounds.progress(round, &mut with, figures, UNIT);
        memory.largest = memory.largest.max(process::resident_kib(pid)?);
        drop(stalled);
    }
    Ok(([with, without], memory))
}

const UNIT: &str = "deliveries/s";
