//! `keyway services`: who hosts what.

use clap::Args;
use keyway::ServiceEvent;
use serde_json::json;

use super::info::summary;
use crate::{
    connection::ConnectionArgs,
    output::{self, coloured},
    selection::{self, is_meant},
};

const EXAMPLES: &str = "Examples:
  keyway services                  id, name, process and endpoints of every service
  keyway services --watch 'AL*'    + when one comes, - when one goes, until Ctrl-C
  keyway services --watch --json   one JSON object a line";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServicesArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Services; * stands for anything [default: all]
    services: Vec<String>,
    /// Keep printing services as they come and go
    #[arg(short, long)]
    watch: bool,
    /// Services whose names start with _, too
    #[arg(long)]
    hidden: bool,
    /// JSON: a list, or with --watch an object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ServicesArgs) -> anyhow::Result<()> {
    args.connection.run(async |session| {
        // Subscribed before listing, so that nothing falls between.
        let events = if args.watch { Some(session.service_events().await?) } else { None };
        let patterns: Vec<_> = args.services.clone();
        let services = match selection::services(session, &patterns, args.hidden).await {
            // One that is waited for need not be there yet.
            Err(_) if args.watch => Vec::new(),
            services => services?,
        };
        if let Some(mut events) = events {
            for info in &services {
                let name = info.name.to_string_lossy().into_owned();
                report(&ServiceEvent { added: true, id: info.service_id, name }, args);
            }
            let listed: Vec<_> = services.iter().map(|info| info.service_id).collect();
            while let Some(event) = events.next().await {
                let twice = event.added && listed.contains(&event.id);
                if !twice {
                    report(&event, args);
                }
            }
            anyhow::bail!("the directory closed the connection; start the command again when it is back");
        }
        if args.json {
            let services: Vec<_> = services.iter().map(summary).collect();
            println!("{}", json!(services));
            return Ok(());
        }
        let rows = services.iter().map(|info| {
            vec![
                format!("{:03}", info.service_id.0),
                info.name.to_string_lossy().into_owned(),
                info.process_id.to_string(),
                info.machine_id.to_string_lossy().into_owned(),
                info.endpoints.join(" "),
            ]
        });
        println!("{}", output::table(&["id", "name", "process", "machine", "endpoints"], rows.collect()));
        Ok(())
    })
}

fn report(event: &ServiceEvent, args: &ServicesArgs) {
    let patterns = if args.services.is_empty() { &["*".to_owned()][..] } else { &args.services };
    if !patterns.iter().any(|pattern| is_meant(pattern, &event.name, args.hidden)) {
        return;
    }
    if args.json {
        let what = if event.added { "added" } else { "removed" };
        println!("{}", json!({"event": what, "id": event.id.0, "name": event.name}));
        return;
    }
    let (sign, colour) = if event.added { ("+", output::GOOD) } else { ("-", output::BAD) };
    println!("{}", coloured(colour, &format!("{sign} {:03} [{}]", event.id.0, event.name)));
}
