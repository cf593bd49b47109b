//! `keyway top`: which methods keep services busy.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use keyway::{MethodStatistics, Proxy, Session};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    connection::ConnectionArgs,
    output::{self, is_for_people},
    selection::{self, FIRST_OWN},
};

const EXAMPLES: &str = "Services measure themselves while this runs; those that measured before go on after it.

Examples:
  keyway top                         all services, every second, until Ctrl-C
  keyway top Robot -i 5
  keyway top -c 1 --json             one round, as JSON";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Services; * stands for anything [default: all]
    services: Vec<String>,
    /// Seconds between two rounds
    #[arg(short, long, default_value_t = 1.0, value_name = "S")]
    interval: f64,
    /// End after this many rounds
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
    /// Ids instead of names of methods
    #[arg(short, long)]
    numeric: bool,
    /// Services whose names start with _, and the methods every object has
    #[arg(long)]
    hidden: bool,
    /// A JSON list a round
    #[arg(long)]
    json: bool,
}

/// A service that is measured.
struct Measured {
    name: String,
    proxy: Proxy,
    /// Whether it measured itself before anyway.
    before: bool,
    last: BTreeMap<u32, MethodStatistics>,
}

/// What a method did in one round.
struct Row {
    service: String,
    method: String,
    per_second: f64,
    total: u32,
    /// Seconds.
    mean: f64,
    longest: f32,
}

pub(crate) fn run(args: &TopArgs) -> anyhow::Result<()> {
    let interval = Duration::try_from_secs_f64(args.interval).ok().filter(|interval| !interval.is_zero());
    let interval = interval
        .ok_or_else(|| crate::exit::Usage("--interval is a number of seconds above 0, such as 0.5".to_owned()))?;
    args.connection.run_to_end(async |session, stop| {
        let mut measured = start(session, args).await?;
        let result = tokio::select! {
            result = rounds(args, interval, &mut measured) => result,
            () = stop.requested() => Ok(()),
        };
        for service in measured.iter().filter(|service| !service.before) {
            // A service that is gone needs no switching off.
            service.proxy.call::<()>("enableStats", (false,)).await.ok();
        }
        result
    })
}

async fn start(session: &Session, args: &TopArgs) -> anyhow::Result<Vec<Measured>> {
    let mut measured = Vec::new();
    for info in selection::services(session, &args.services, args.hidden).await? {
        let name = info.name.to_string_lossy().into_owned();
        let begin = async {
            let proxy = session.service(&name).await?;
            let before = proxy.call::<bool>("isStatsEnabled", ()).await?;
            if !before {
                proxy.call::<()>("enableStats", (true,)).await?;
            }
            let last = proxy.call("stats", ()).await?;
            Ok::<_, keyway::Error>(Measured { name: name.clone(), proxy, before, last })
        };
        match begin.await {
            Ok(service) => measured.push(service),
            Err(error) => eprintln!("keyway: {name} is left out: {error}"),
        }
    }
    if measured.is_empty() {
        anyhow::bail!("no service can be measured; `keyway info` lists those that are there");
    }
    Ok(measured)
}

async fn rounds(args: &TopArgs, interval: Duration, measured: &mut Vec<Measured>) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval_at(Instant::now() + interval, interval);
    let mut before = Instant::now();
    for _ in 0..args.count.unwrap_or(u64::MAX) {
        ticks.tick().await;
        let now = Instant::now();
        let rows = round(args, (now - before).as_secs_f64(), measured).await;
        if measured.is_empty() {
            anyhow::bail!("all services that were measured are gone");
        }
        before = now;
        print(&rows, args.json);
    }
    Ok(())
}

async fn round(args: &TopArgs, seconds: f64, measured: &mut Vec<Measured>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut gone = Vec::new();
    for (index, service) in measured.iter_mut().enumerate() {
        let now: BTreeMap<u32, MethodStatistics> = match service.proxy.call("stats", ()).await {
            Ok(stats) => stats,
            Err(error) => {
                eprintln!("keyway: {} is gone: {error}", service.name);
                gone.push(index);
                continue;
            }
        };
        let metaobject = service.proxy.metaobject();
        for (id, stats) in now.iter().filter(|(id, _)| args.hidden || **id >= FIRST_OWN) {
            let before = service.last.get(id).copied().unwrap_or_default();
            // Someone may have cleared the statistics.
            let calls = stats.count.checked_sub(before.count).unwrap_or(stats.count);
            if calls == 0 {
                continue;
            }
            let time = if stats.count < before.count { stats.wall.sum } else { stats.wall.sum - before.wall.sum };
            let method = match metaobject.methods.get(id) {
                Some(method) if !args.numeric => format!("{}{}", method.name, method.parameters_signature),
                _ => id.to_string(),
            };
            rows.push(Row {
                service: service.name.clone(),
                method,
                per_second: f64::from(calls) / seconds,
                total: stats.count,
                mean: f64::from(time) / f64::from(calls),
                longest: stats.wall.max,
            });
        }
        service.last = now;
    }
    for index in gone.into_iter().rev() {
        measured.remove(index);
    }
    rows.sort_by(|a, b| b.per_second.total_cmp(&a.per_second));
    rows
}

fn print(rows: &[Row], as_json: bool) {
    if as_json {
        let rows = rows.iter().map(|row| {
            json!({
                "service": row.service,
                "method": row.method,
                "calls_per_second": row.per_second,
                "calls": row.total,
                "mean_ms": row.mean * 1e3,
                "max_ms": f64::from(row.longest) * 1e3,
            })
        });
        println!("{}", rows.collect::<serde_json::Value>());
        return;
    }
    let headers = ["service", "method", "calls/s", "calls", "mean ms", "max ms"];
    let cells = rows.iter().map(|row| {
        vec![
            row.service.clone(),
            row.method.clone(),
            format!("{:.1}", row.per_second),
            row.total.to_string(),
            format!("{:.3}", row.mean * 1e3),
            format!("{:.3}", row.longest * 1e3),
        ]
    });
    // On a terminal each round takes the place of the one before.
    let clear = if is_for_people() { "\x1b[H\x1b[J" } else { "" };
    println!("{clear}{}", output::table(&headers, cells.collect()));
}
