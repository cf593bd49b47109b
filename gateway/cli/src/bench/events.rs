//! `keyway bench events`

use clap::Args;

use super::{
    RoundArgs,
    fan_out::FanOut,
    report::{Party, Report},
    round_trips::at_least_one,
    signal::Source,
};
use crate::tls::TlsArgs;

/// Which signal goes to how many.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// Directory to measure
    #[arg(long, env = "QI_URL", default_value = "tcp://127.0.0.1:9559")]
    url: String,
    /// A second directory, for example libqi's, measured in the same rounds
    #[arg(long, value_name = "URL")]
    compare: Option<String>,
    /// Service that has the signal
    #[arg(long, default_value = "Bench")]
    service: String,
    /// The signal; strings and buffers among its parameters get --size bytes, the rest are zeroes
    #[arg(long, default_value = "fired")]
    signal: String,
    /// Bytes of each string and buffer
    #[arg(long, default_value_t = 16, value_name = "BYTES")]
    size: usize,
    /// Connections that subscribe
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = at_least_one)]
    subscribers: usize,
    /// Events under way; the next is posted when all subscribers have got the oldest
    #[arg(long, default_value_t = 1, value_name = "K", value_parser = at_least_one)]
    in_flight: usize,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    rounds: RoundArgs,
}

/// Measures and prints.
pub(super) fn run(args: &EventsArgs) -> anyhow::Result<()> {
    let parties = super::runtime(args.rounds.threads)?.block_on(measure_all(args))?;
    let report = Report {
        measure: "events",
        unit: "deliveries/s",
        parameters: serde_json::json!({
            "signal": format!("{}.{}", args.service, args.signal),
            "size": args.size,
            "subscribers": args.subscribers,
            "in_flight": args.in_flight,
            "threads": args.rounds.threads,
        }),
        bytes: None,
        parties,
    };
    report.print(args.rounds.json)
}

async fn measure_all(args: &EventsArgs) -> anyhow::Result<Vec<Party>> {
    let mut measured = Vec::new();
    for (name, url) in [("server", Some(&args.url)), ("compare", args.compare.as_ref())] {
        let Some(url) = url else { continue };
        let source = Source::find(url, args.tls.client()?.as_ref(), (&args.service, &args.signal)).await?;
        eprintln!("connecting {} subscribers to {url}", args.subscribers);
        let mut fan_out = FanOut::connect(&source, args.size, args.subscribers, args.in_flight).await?;
        // Warms the server up, and shows whether posts arrive at all.
        fan_out.slice(std::time::Duration::from_millis(100)).await?;
        measured.push((Party::new(name, url), fan_out));
    }
    for round in 1..=args.rounds.rounds {
        for (party, fan_out) in &mut measured {
            let figures = fan_out.slice(args.rounds.slice()).await?;
            args.rounds.progress(round, party, figures, "deliveries/s");
        }
    }
    Ok(measured.into_iter().map(|(party, _)| party).collect())
}
