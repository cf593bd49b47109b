//! Calls there and back in alternating slices: a bare TCP echo, the server, and a second server to compare with.

use std::time::Duration;

use clap::Args;
use keyway::TlsClient;
use keyway_value::{MessageId, ObjectId, Payload};
use keyway_wire::Frame;

use super::{
    RoundArgs,
    echo_server::EchoServer,
    load::{Load, Shape},
    native::{self, Caller},
    peer::Peer,
    report::{Party, Report},
    sample,
    socket::Address,
    target,
};
use crate::tls::TlsArgs;

/// What is driven before the first round, so that no server pays for its first pages and connections.
const WARM_UP: Duration = Duration::from_millis(200);

/// Which servers are measured, with how much at once.
#[derive(Debug, Args)]
pub(super) struct RoundTripArgs {
    /// Directory to measure
    #[arg(long, env = "QI_URL", default_value = "tcp://127.0.0.1:9559")]
    url: String,
    /// A second directory, for example libqi's, measured in the same rounds
    #[arg(long, value_name = "URL")]
    compare: Option<String>,
    /// Connections
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    connections: usize,
    /// Calls in flight on each connection
    #[arg(long, default_value_t = 1, value_parser = at_least_one)]
    depth: usize,
    /// Threads of the echo server [default: one for each core]
    #[arg(long, value_name = "N")]
    echo_threads: Option<usize>,
    /// Processors of the echo server, as for `taskset -c`; pin the measured server and this command the same way
    ///
    /// A round trip between two processes takes several times longer when it has to wake another processor, and the
    /// system's choice lasts for a whole run. Latencies of one call at a time are only comparable with the same placement.
    #[arg(long, value_name = "LIST")]
    echo_cpus: Option<String>,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    rounds: RoundArgs,
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a number from 1 up is wanted".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// Which method is called, with strings and buffers of which size.
#[derive(Debug)]
pub(super) struct Method<'a> {
    pub(super) service: &'a str,
    pub(super) name: &'a str,
    pub(super) size: usize,
}

/// Measures and prints; `bytes` is what a call carries one way, where that is of interest.
pub(super) fn run(
    args: &RoundTripArgs,
    measure: &'static str,
    method: &Method<'_>,
    bytes: Option<usize>,
) -> anyhow::Result<()> {
    let parties = super::runtime(args.rounds.threads)?.block_on(measure_all(args, method))?;
    let report = Report {
        measure,
        unit: "calls/s",
        parameters: serde_json::json!({
            "method": format!("{}.{}", method.service, method.name),
            "size": bytes,
            "connections": args.connections,
            "depth": args.depth,
            "threads": args.rounds.threads,
        }),
        bytes,
        parties,
    };
    report.print(args.rounds.json)
}

async fn measure_all(args: &RoundTripArgs, method: &Method<'_>) -> anyhow::Result<Vec<Party>> {
    let (mut loads, tls) = (Vec::new(), args.tls.client()?);
    let echo_threads = args.echo_threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    let echo = EchoServer::start(echo_threads, args.echo_cpus.as_deref())?;
    for (name, url) in [("server", Some(&args.url)), ("compare", args.compare.as_ref())] {
        let Some(url) = url else { continue };
        let shape = Shape { connections: args.connections, depth: args.depth, authenticate: true };
        let (request, load) = connect(url, tls.as_ref(), shape, method).await?;
        if loads.is_empty() {
            let shape = Shape { authenticate: false, ..shape };
            loads.push((Party::echo(), Load::connect(&Address::plain(echo.address), shape, &request).await?));
        }
        loads.push((Party::new(name, url), load));
    }
    for (_, load) in &mut loads {
        load.slice(WARM_UP).await?;
    }
    for round in 1..=args.rounds.rounds {
        for (party, load) in &mut loads {
            let figures = load.slice(args.rounds.slice()).await?;
            args.rounds.progress(round, party, figures, "calls/s");
        }
    }
    Ok(loads.into_iter().map(|(party, _)| party).collect())
}

/// The request, which has been answered once, and the connections on which it will be sent.
async fn connect(
    url: &str,
    tls: Option<&TlsClient>,
    shape: Shape,
    method: &Method<'_>,
) -> anyhow::Result<(Frame, Load)> {
    if native::is_native(url) {
        let mut callers = Vec::new();
        for _ in 0..shape.connections {
            callers.push(Caller::connect(url, tls, method).await?);
        }
        let request = callers.first().map(Caller::request).ok_or_else(|| anyhow::anyhow!("no connections"))?;
        return Ok((request, Load::native(callers, shape.depth)));
    }
    let member = target::method(url, tls, method.service, method.name).await?;
    let arguments: Payload = sample::payload(&member.signature, method.size)?;
    let mut peer = Peer::connect(&member.address, None).await?;
    peer.call(member.service, ObjectId::MAIN, member.action, arguments.clone()).await?;
    let request = Frame::call(MessageId(0), member.service, ObjectId::MAIN, member.action, arguments);
    let load = Load::connect(&member.address, shape, &request).await?;
    Ok((request, load))
}
