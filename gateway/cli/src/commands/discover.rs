//! `keyway discover`: robots and gateways on the local network.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;
use clap::Args;
use mdns_sd::{ServiceDaemon, ServiceEvent};
use serde_json::json;

use crate::{
    discovery::{Found, Kind, SERVICE_TYPE},
    exit::Nothing,
    output,
};

const EXAMPLES: &str = "Examples:
  keyway discover                  names, types and URLs of what answers within 3 seconds
  keyway discover --timeout 10s    robots that are far away, or asleep
  keyway discover --json | jq -r '.[0].urls[0]'

Robots advertise themselves, and so do gateways with `[discovery] mdns = true`. Names and addresses are what anybody on the
network says of himself: whom to believe is shown by certificates only.

Exit status: 0 somebody answered, 2 wrong usage, 3 nobody did.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DiscoverArgs {
    /// How long to wait for answers, such as 3s or 500ms
    #[arg(long, default_value = "3s", value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// JSON: a list
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &DiscoverArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(listen(args.timeout))?;
    if args.json {
        println!("{}", json!(found));
    } else if !found.is_empty() {
        let rows = found.iter().map(|found| {
            let kind = match found.kind {
                Kind::Gateway => "gateway",
                Kind::Robot => "robot",
            };
            let model = found.model.clone().unwrap_or_default();
            vec![found.name.clone(), format!("{kind} {model}").trim().to_owned(), found.urls.join(" ")]
        });
        println!("{}", output::table(&["name", "type", "URLs"], rows.collect()));
    }
    if found.is_empty() {
        let time = humantime::format_duration(args.timeout);
        let text =
            format!("nothing answered within {time}; if you know the address, try `keyway probe tcp://ADDRESS:9559`");
        return Err(Nothing(text).into());
    }
    Ok(())
}

/// Who answers within a time and does not leave again, in the order of names.
async fn listen(time: Duration) -> anyhow::Result<Vec<Found>> {
    let daemon = ServiceDaemon::new().context("cannot ask the network")?;
    let events = daemon.browse(SERVICE_TYPE).context("cannot ask the network")?;
    let mut found = BTreeMap::new();
    let listening = async {
        while let Ok(event) = events.recv_async().await {
            match event {
                ServiceEvent::ServiceResolved(service) if found.len() < MOST => {
                    found.insert(service.fullname.clone(), Found::new(&service));
                }
                ServiceEvent::ServiceRemoved(_, name) => drop(found.remove(&name)),
                _ => {}
            }
        }
    };
    // Until the time is over.
    let _ = tokio::time::timeout(time, listening).await;
    if let Ok(ended) = daemon.shutdown() {
        let _ = tokio::time::timeout(ENDING, ended.recv_async()).await;
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort();
    Ok(found)
}

/// Anybody can say that he is a thousand robots.
const MOST: usize = 1024;
const ENDING: Duration = Duration::from_millis(500);
