//! `keyway info`: services and their members.

use clap::Args;
use keyway::{Proxy, ServiceInfo, Session};
use serde_json::json;

use crate::{
    connection::ConnectionArgs,
    output::{
        self, coloured,
        members::{self, Style},
    },
    selection,
};

const EXAMPLES: &str = "Examples:
  keyway info                                all services, one a line
  keyway info Robot                          the methods, signals and properties of one
  keyway info --hidden --show-doc 'AL*'      everything about some
  keyway info -dz                            for scripts: Service:methods:signals:properties
  keyway info --json Robot | jq .";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InfoArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Services; * stands for anything [default: all]
    services: Vec<String>,
    /// A service, as an option
    #[arg(short, long = "service", value_name = "SERVICE")]
    service: Vec<String>,
    /// Only names and ids; what happens when no service is named
    #[arg(short, long, conflicts_with = "details")]
    list: bool,
    /// Members, too; what happens when a service is named
    #[arg(short, long)]
    details: bool,
    /// A form for scripts: names, with -d members as well
    #[arg(short = 'z')]
    parseable: bool,
    /// Services and members whose names start with _, and the members every object has
    #[arg(long)]
    hidden: bool,
    /// Documentation of the members
    #[arg(long)]
    show_doc: bool,
    /// Signatures instead of type names
    #[arg(long)]
    raw_signature: bool,
    /// JSON, one document
    #[arg(long)]
    json: bool,
}

impl InfoArgs {
    fn style(&self) -> Style {
        Style { hidden: self.hidden, documentation: self.show_doc, raw: self.raw_signature }
    }
}

pub(crate) fn run(args: &InfoArgs) -> anyhow::Result<()> {
    args.connection.run(async |session| {
        let patterns: Vec<_> = args.services.iter().chain(&args.service).cloned().collect();
        let services = selection::services(session, &patterns, args.hidden).await?;
        let with_details = args.details || (!args.list && !patterns.is_empty());
        if !with_details {
            list(&services, args);
            return Ok(());
        }
        details(session, &services, args).await
    })
}

fn list(services: &[ServiceInfo], args: &InfoArgs) {
    if args.json {
        let services: Vec<_> = services.iter().map(summary).collect();
        println!("{}", json!(services));
        return;
    }
    for info in services {
        let name = info.name.to_string_lossy();
        if args.parseable {
            println!("{name}");
        } else {
            println!("{:03} [{}]", info.service_id.0, coloured(output::NAME, &name));
        }
    }
}

async fn details(session: &Session, services: &[ServiceInfo], args: &InfoArgs) -> anyhow::Result<()> {
    let mut documents = Vec::new();
    let mut unreachable = None;
    for info in services {
        let name = info.name.to_string_lossy();
        let proxy = match session.service(&name).await {
            Ok(proxy) => proxy,
            Err(error) => {
                // The others are still worth showing.
                eprintln!("keyway: {name} cannot be reached: {error}");
                unreachable = Some(error);
                continue;
            }
        };
        if args.json {
            documents.push(document(info, &proxy));
        } else if args.parseable {
            println!("{name}:{}", members::parseable(&proxy.metaobject(), args.style()));
        } else {
            print!("{}", text(info, &proxy, args.style()));
        }
    }
    if args.json {
        println!("{}", serde_json::Value::from(documents));
    }
    unreachable.map_or(Ok(()), |error| Err(error.into()))
}

fn text(info: &ServiceInfo, proxy: &Proxy, style: Style) -> String {
    let endpoints = info.endpoints.join(" ");
    format!(
        "{:03} [{}]\n* Info\n  machine   {}\n  process   {}\n  endpoints {}\n{}",
        info.service_id.0,
        coloured(output::NAME, &info.name.to_string_lossy()),
        info.machine_id.to_string_lossy(),
        info.process_id,
        endpoints,
        members::details(&proxy.metaobject(), style),
    )
}

/// What the directory knows of a service.
pub(crate) fn summary(info: &ServiceInfo) -> serde_json::Value {
    json!({
        "id": info.service_id.0,
        "name": info.name.to_string_lossy(),
        "machine": info.machine_id.to_string_lossy(),
        "process": info.process_id,
        "endpoints": info.endpoints,
    })
}

fn document(info: &ServiceInfo, proxy: &Proxy) -> serde_json::Value {
    let metaobject = proxy.metaobject();
    let methods: Vec<_> = metaobject
        .methods
        .values()
        .map(|method| {
            let parameters: Vec<_> =
                method.parameters.iter().map(|p| json!({"name": p.name, "description": p.description})).collect();
            json!({
                "id": method.uid,
                "name": method.name,
                "parameters": method.parameters_signature.to_string(),
                "returns": method.return_signature.to_string(),
                "description": method.description,
                "parameter_descriptions": parameters,
                "return_description": method.return_description,
            })
        })
        .collect();
    let plain = |id: u32, name: &str, signature: &keyway::Signature| json!({"id": id, "name": name, "signature": signature.to_string()});
    let signals: Vec<_> = metaobject.signals.values().map(|s| plain(s.uid, &s.name, &s.signature)).collect();
    let properties: Vec<_> = metaobject.properties.values().map(|p| plain(p.uid, &p.name, &p.signature)).collect();
    let mut document = summary(info);
    document["description"] = metaobject.description.clone().into();
    document["methods"] = methods.into();
    document["signals"] = signals.into();
    document["properties"] = properties.into();
    document
}
