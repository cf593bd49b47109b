//! `keyway watch`: signals and properties as they come.

use std::{collections::HashSet, time::SystemTime};

use clap::Args;
use keyway::{ServiceEvents, Session, SignalStream, Value};
use serde_json::json;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    connection::ConnectionArgs,
    exit::Usage,
    member::Member,
    output::{self, coloured, json},
    selection::{self, Found, Kind, is_meant, is_pattern, members_of},
};

const EXAMPLES: &str = "Services that are not there yet are waited for, and followed again when they come back.

Examples:
  keyway watch Robot.said                    one line an event, until Ctrl-C
  keyway watch 'Robot.*' Meter.measured --time
  keyway watch --json -n 1 Meter.measured    one event, as a JSON object";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Signals and properties; * stands for anything
    #[arg(required = true, value_name = "SERVICE.SIGNAL")]
    members: Vec<Member>,
    /// Print the time of arrival, too (UTC)
    #[arg(short, long)]
    time: bool,
    /// End after this many events
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// Signals whose names start with _ match patterns, too
    #[arg(long)]
    hidden: bool,
    /// Go on when a signal cannot be subscribed to
    #[arg(long = "continue")]
    go_on: bool,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

/// An event, or how a subscription ended.
struct Arrival {
    title: String,
    at: SystemTime,
    value: Result<Value, String>,
}

pub(crate) fn run(args: &WatchArgs) -> anyhow::Result<()> {
    args.connection.run(async |session| {
        let (arrivals, mut arrived) = mpsc::channel(QUEUE);
        let mut watch = Watch { args, session, arrivals, followed: HashSet::new(), streams: JoinSet::new() };
        // Subscribed before listing, so that nothing falls between.
        let mut events = session.service_events().await?;
        watch.start().await?;
        let mut left = args.count.unwrap_or(u64::MAX);
        while left > 0 {
            tokio::select! {
                Some(arrival) = arrived.recv() => {
                    print(args, arrival);
                    left -= 1;
                }
                followed = watch.follow_next(&mut events) => followed?,
            }
        }
        Ok(())
    })
}

struct Watch<'a> {
    args: &'a WatchArgs,
    session: &'a Session,
    arrivals: mpsc::Sender<Arrival>,
    followed: HashSet<u32>,
    /// Dropped with this, so that what ends then is not reported as gone.
    streams: JoinSet<()>,
}

impl Watch<'_> {
    async fn start(&mut self) -> anyhow::Result<()> {
        for info in selection::services(self.session, &["*".to_owned()], true).await? {
            self.follow(info.service_id.0, &info.name.to_string_lossy()).await?;
        }
        if self.followed.is_empty() {
            eprintln!("keyway: nothing of that name yet; waiting");
        }
        Ok(())
    }

    async fn follow_next(&mut self, events: &mut ServiceEvents) -> anyhow::Result<()> {
        match events.next().await {
            Some(event) if event.added => self.follow(event.id.0, &event.name).await,
            Some(_) => Ok(()),
            None => anyhow::bail!("the directory closed the connection; start the command again when it is back"),
        }
    }

    /// Subscribes to whatever is meant of a service.
    async fn follow(&mut self, id: u32, service: &str) -> anyhow::Result<()> {
        let args = self.args;
        let meant: Vec<_> = args.members.iter().filter(|m| is_meant(&m.service, service, args.hidden)).collect();
        if meant.is_empty() || !self.followed.insert(id) {
            return Ok(());
        }
        let is_named = meant.iter().any(|member| !is_pattern(&member.service));
        let proxy = match self.session.service(service).await {
            Ok(proxy) => proxy,
            Err(error) if args.go_on || !is_named => {
                eprintln!("keyway: {service} is left out: {error}");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        for Member { name, .. } in meant {
            let found = members_of(service, &proxy, name, Kind::Signal, args.hidden);
            if found.is_empty() && is_named && !args.go_on {
                let text = format!("{service} has no signal or property {name}; `keyway info {service}` lists them");
                return Err(Usage(text).into());
            }
            for signal in found {
                match signal.proxy.signal::<Value>(&signal.name).await {
                    Ok(stream) => self.forward(&signal, stream),
                    Err(error) if args.go_on => eprintln!("keyway: {}: {error}", signal.title()),
                    Err(error) => return Err(anyhow::Error::from(error).context(signal.title())),
                }
            }
        }
        Ok(())
    }

    fn forward(&mut self, signal: &Found, mut stream: SignalStream<Value>) {
        let (title, arrivals) = (signal.title(), self.arrivals.clone());
        self.streams.spawn(async move {
            let mut missed = 0;
            while let Some(event) = stream.next().await {
                let value = event.map_err(|error| error.to_string());
                let arrival = Arrival { title: title.clone(), at: SystemTime::now(), value };
                if arrivals.send(arrival).await.is_err() {
                    return;
                }
                let now = stream.missed();
                if now > missed {
                    eprintln!("keyway: {} events of {title} came faster than they could be printed", now - missed);
                    missed = now;
                }
            }
            eprintln!("keyway: {title} is gone; waiting for it to come back");
        });
    }
}

fn print(args: &WatchArgs, arrival: Arrival) {
    let Arrival { title, at, value } = arrival;
    let value = match value {
        Ok(value) => value,
        Err(error) => {
            eprintln!("keyway: {title}: {error}");
            return;
        }
    };
    let time = humantime::format_rfc3339_micros(at).to_string();
    if args.json {
        println!("{}", json!({"time": time, "member": title, "arguments": json::tree(&value)}));
        return;
    }
    // One argument is shown as it is, several as a list.
    let shown = match value.peel() {
        Value::Tuple(tuple) if tuple.items.len() == 1 => json::text(&tuple.items[0]),
        _ => json::text(&value),
    };
    let time = if args.time { format!("{time} ") } else { String::new() };
    println!("{time}{}: {shown}", coloured(output::NAME, &title));
}

/// Events that may wait to be printed; the subscriptions' own queues come on top.
const QUEUE: usize = 1024;
