//! `keyway bench idle`

use std::{
    io::Write,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use keyway::{QuicEndpoint, QuicOptions, Session};
use keyway_value::{ActionId, ObjectId, Payload, ServiceId, to_payload};
use tokio::{task::JoinSet, time::sleep};

use super::{
    native,
    peer::Peer,
    process,
    round_trips::at_least_one,
    socket::{Address, Stream},
};
use crate::tls::TlsArgs;

/// Connections that are being made at a time; over QUIC all come through one socket of the client's, whose buffer holds the answers
/// to so many.
const CONNECTING: usize = 64;
const CONNECTING_QUIC: usize = 8;
/// Connections from one source address; the system has some 28,000 ports for each.
const PER_SOURCE: usize = 20_000;
/// How often memory is read, and how often in a row it must be the same to have settled.
const PACE: Duration = Duration::from_millis(250);
const SAME: usize = 8;

/// How many sessions do nothing.
#[derive(Debug, Args)]
pub(super) struct IdleArgs {
    /// Directory to measure
    #[arg(long, env = "QI_URL", default_value = "tcp://127.0.0.1:9559")]
    url: String,
    /// Sessions to open
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = at_least_one)]
    connections: usize,
    /// The server's process [default: the one that listens on the URL's port]
    #[arg(long)]
    pid: Option<u32>,
    /// Do all that a libqi session does on connecting: ask for the metaobject, subscribe twice, ask for the machine
    #[arg(long)]
    full: bool,
    /// Seconds that memory is given to settle
    #[arg(long, default_value_t = 20, value_name = "S")]
    settle: u64,
    /// How often everything is opened and closed
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    #[command(flatten)]
    tls: TlsArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A session that does nothing.
#[derive(Debug)]
enum Idle {
    Frames { _stream: Stream },
    Native { _session: Session },
}

/// Resident memory of the server in KiB around one opening and closing.
#[derive(Debug, serde::Serialize)]
struct Round {
    before: u64,
    open: u64,
    closed: u64,
    connect_seconds: f64,
    kib_per_session: f64,
    kib_kept_per_session: f64,
}

/// Measures and prints.
pub(super) fn run(args: &IdleArgs) -> anyhow::Result<()> {
    if let Some(limit) = process::open_files_limit()
        && limit < args.connections as u64 + 32
    {
        bail!("this process may open {limit} files only: `ulimit -n {}` first", args.connections + 100);
    }
    let rounds = super::runtime(1)?.block_on(measure(args))?;
    let mut output = std::io::stdout().lock();
    if args.json {
        let report = serde_json::json!({
            "measure": "idle",
            "what": args.url,
            "parameters": { "connections": args.connections, "full": args.full },
            "rounds": rounds,
        });
        writeln!(output, "{}", serde_json::to_string_pretty(&report)?)?;
        return Ok(());
    }
    for round in rounds {
        writeln!(output, "{} sessions opened in {:.1} s", args.connections, round.connect_seconds)?;
        writeln!(output, "resident before {:>9} KiB", round.before)?;
        writeln!(output, "resident open   {:>9} KiB, {:.2} KiB per session", round.open, round.kib_per_session)?;
        writeln!(
            output,
            "resident closed {:>9} KiB, {:.2} KiB kept per session",
            round.closed, round.kib_kept_per_session
        )?;
    }
    Ok(())
}

async fn measure(args: &IdleArgs) -> anyhow::Result<Vec<Round>> {
    let address = Address::resolve(&args.url, args.tls.client()?.as_ref()).await?;
    // One socket for all sessions over QUIC.
    let quic = native::is_native(&args.url).then(|| QuicEndpoint::new(QuicOptions::default())).transpose()?;
    // The first connection shows whether there is a server, and its one-time costs are not the sessions'.
    open(address.clone(), quic.clone(), None, args.full).await?;
    let pid = process::named_or_listening(args.pid, &address)?;
    let settle = Duration::from_secs(args.settle);
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        let before = settled(pid, settle).await?;
        let started = Instant::now();
        let sessions = open_all(args, &address, quic.as_ref()).await?;
        let connect_seconds = started.elapsed().as_secs_f64();
        eprintln!("{} sessions are open", sessions.len());
        let open = settled(pid, settle).await?;
        drop(sessions);
        eprintln!("all are closed");
        let closed = settled(pid, settle).await?;
        let each = |kib: u64| (kib as f64 - before as f64) / args.connections as f64;
        let (kib_per_session, kib_kept_per_session) = (each(open), each(closed));
        rounds.push(Round { before, open, closed, connect_seconds, kib_per_session, kib_kept_per_session });
    }
    Ok(rounds)
}

async fn open_all(args: &IdleArgs, address: &Address, quic: Option<&QuicEndpoint>) -> anyhow::Result<Vec<Idle>> {
    let mut sessions = Vec::with_capacity(args.connections);
    let (mut connecting, mut started) = (JoinSet::new(), 0);
    let at_a_time = if quic.is_some() { CONNECTING_QUIC } else { CONNECTING };
    loop {
        while started < args.connections && connecting.len() < at_a_time {
            connecting.spawn(open(address.clone(), quic.cloned(), source(address, started), args.full));
            started += 1;
        }
        let Some(session) = connecting.join_next().await else { return Ok(sessions) };
        sessions.push(session?.with_context(|| format!("session {} does not open", sessions.len() + 1))?);
        if sessions.len() % 1000 == 0 {
            eprintln!("{} sessions", sessions.len());
        }
    }
}

/// Another address of this machine for every so many connections, where the server is reached over loopback.
fn source(address: &Address, number: usize) -> Option<IpAddr> {
    let block = u8::try_from(number / PER_SOURCE).ok().filter(|block| *block > 0)?;
    (address.socket.is_ipv4() && address.socket.ip().is_loopback()).then(|| Ipv4Addr::new(127, 0, 1, block).into())
}

/// Opens a session: authenticates, and does the rest of what libqi does if wanted (spec 5.1).
async fn open(
    address: Address,
    quic: Option<QuicEndpoint>,
    source: Option<IpAddr>,
    full: bool,
) -> anyhow::Result<Idle> {
    if let Some(endpoint) = quic {
        let session = native::connect(&address.url.to_string(), address.tls.as_ref(), Some(&endpoint)).await?;
        return Ok(Idle::Native { _session: session });
    }
    let mut peer = Peer::connect(&address, source).await?;
    if full {
        let (directory, main) = (ServiceId::DIRECTORY, ObjectId::MAIN);
        peer.call(directory, main, ActionId::META_OBJECT, Payload::from(vec![0; 4])).await?;
        for signal in [106_u32, 107] {
            let arguments = to_payload(&(1_u32, signal, u64::from(signal) << 32 | 1))?;
            peer.call(directory, main, ActionId::REGISTER_EVENT, arguments).await?;
        }
        peer.call(directory, main, ActionId(108), Payload::new()).await?;
    }
    Ok(Idle::Frames { _stream: peer.into_stream()? })
}

/// Waits until the memory of a process stays the same for some time, and gives it.
async fn settled(pid: u32, patience: Duration) -> anyhow::Result<u64> {
    let until = Instant::now() + patience;
    let (mut last, mut same) = (process::resident_kib(pid)?, 0);
    while same < SAME && Instant::now() < until {
        sleep(PACE).await;
        let now = process::resident_kib(pid)?;
        // A page or two come and go in any process that is alive.
        same = if now.abs_diff(last) <= 64 { same + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}
