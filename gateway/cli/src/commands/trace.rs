//! `keyway trace`: calls as they happen.

use std::collections::HashSet;

use clap::Args;
use keyway::{EventTrace, Proxy, Session, SignalStream, TraceKind};
use serde_json::json;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    connection::ConnectionArgs,
    member::Member,
    output::{self, coloured, json},
    selection::{self, Found, Kind},
};

const EXAMPLES: &str = "Examples:
  keyway trace 'Robot.*'             calls, results and errors, until Ctrl-C
  keyway trace 'Robot.say' 'Meter.*' --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Methods and signals; * stands for anything
    #[arg(required = true, value_name = "SERVICE.METHOD")]
    members: Vec<Member>,
    /// End after this many lines
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// Methods whose names start with _, and those every object has, match patterns, too
    #[arg(long)]
    hidden: bool,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &TraceArgs) -> anyhow::Result<()> {
    args.connection.run_to_end(async |session, stop| {
        let mut traced = Vec::new();
        let result = tokio::select! {
            result = follow(session, args, &mut traced) => result,
            () = stop.requested() => Ok(()),
        };
        for proxy in traced {
            // A service that is gone needs no switching off.
            proxy.call::<()>("enableTrace", (false,)).await.ok();
        }
        result
    })
}

/// Prints what is traced; `traced` gets the services to switch back.
async fn follow(session: &Session, args: &TraceArgs, traced: &mut Vec<Proxy>) -> anyhow::Result<()> {
    let methods = selection::members(session, &args.members, Kind::Method, args.hidden).await;
    let signals = selection::members(session, &args.members, Kind::Signal, args.hidden).await;
    let found = match (methods, signals) {
        (Err(error), Err(_)) => return Err(error),
        (methods, signals) => [methods.unwrap_or_default(), signals.unwrap_or_default()].concat(),
    };
    let (lines, mut arrived) = mpsc::channel(QUEUE);
    // Dropped with this, so that what ends then is not reported as gone.
    let mut streams = JoinSet::new();
    let names: HashSet<_> = found.iter().map(|found| found.service.clone()).collect();
    for name in names {
        let slots: Vec<_> = found.iter().filter(|found| found.service == name).cloned().collect();
        let Some(proxy) = slots.first().map(|found| found.proxy.clone()) else { continue };
        let stream = proxy.signal::<(EventTrace,)>("traceObject").await?;
        if !proxy.call::<bool>("isTraceEnabled", ()).await? {
            proxy.call::<()>("enableTrace", (true,)).await?;
            traced.push(proxy);
        }
        let (lines, as_json) = (lines.clone(), args.json);
        streams.spawn(async move { forward(&name, &slots, stream, as_json, &lines).await });
    }
    drop(lines);
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        match arrived.recv().await {
            Some(line) => println!("{line}"),
            None => anyhow::bail!("the services that were traced are gone"),
        }
        left -= 1;
    }
    Ok(())
}

async fn forward(
    service: &str,
    slots: &[Found],
    mut stream: SignalStream<(EventTrace,)>,
    as_json: bool,
    lines: &mpsc::Sender<String>,
) {
    while let Some(event) = stream.next().await {
        let event = match event {
            Ok((event,)) => event,
            Err(error) => {
                eprintln!("keyway: {service}: a trace cannot be read: {error}");
                continue;
            }
        };
        let Some(slot) = slots.iter().find(|slot| slot.id == event.slot.0) else { continue };
        if lines.send(line(slot, &event, as_json)).await.is_err() {
            return;
        }
    }
    eprintln!("keyway: {service} is gone");
}

fn line(slot: &Found, event: &EventTrace, as_json: bool) -> String {
    let (kind, colour) = match event.kind {
        TraceKind::Call => ("call", output::NAME),
        TraceKind::Result => ("result", output::GOOD),
        TraceKind::Error => ("error", output::BAD),
        TraceKind::Signal => ("signal", output::NAME),
        TraceKind::Other(_) => ("other", output::NAME),
    };
    if as_json {
        let time = (event.seconds as f64) + (event.microseconds as f64) / 1e6;
        return json!({
            "time": time,
            "id": event.id,
            "kind": kind,
            "member": slot.title(),
            "arguments": json::tree(&event.arguments),
            "user_us": event.user_us,
            "system_us": event.system_us,
            "caller": event.caller,
            "callee": event.callee,
        })
        .to_string();
    }
    let seconds = event.seconds.rem_euclid(86_400);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let time = format!("{hour:02}:{minute:02}:{second:02}.{:06}", event.microseconds);
    format!("{time} {:>5} {:6} {} {}", event.id, coloured(colour, kind), slot.title(), json::text(&event.arguments))
}

/// Lines that may wait to be printed.
const QUEUE: usize = 1024;
