//! `keyway get`: properties.

use clap::Args;
use keyway::Value;

use crate::{
    connection::ConnectionArgs,
    member::Member,
    output::json,
    selection::{self, Kind, is_pattern},
};

const EXAMPLES: &str = "Examples:
  keyway get Robot.volume            the value as JSON
  keyway get Robot.volume 'Meter.*'  several, each with its name
  keyway get --json 'Robot.*'        one JSON object";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// The properties; * stands for anything
    #[arg(required = true, value_name = "SERVICE.PROPERTY")]
    members: Vec<Member>,
    /// Properties whose names start with _ match patterns, too
    #[arg(long)]
    hidden: bool,
    /// Go on after a failure
    #[arg(long = "continue")]
    go_on: bool,
    /// A JSON object of names and values
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &GetArgs) -> anyhow::Result<()> {
    args.connection.run(async |session| {
        let found = selection::members(session, &args.members, Kind::Property, args.hidden).await?;
        let alone = match args.members.as_slice() {
            [one] => !is_pattern(&one.service) && !is_pattern(&one.name),
            _ => false,
        };
        let mut object = serde_json::Map::new();
        let mut failure = None;
        for property in found {
            match property.proxy.get::<Value>(&property.name).await {
                Ok(value) if args.json => {
                    object.insert(property.title(), json::tree(&value));
                }
                Ok(value) if alone => println!("{}", json::text(&value)),
                Ok(value) => println!("{}: {}", property.title(), json::text(&value)),
                Err(error) if args.go_on => {
                    eprintln!("keyway: {}: {error}", property.title());
                    failure = Some(error);
                }
                Err(error) => return Err(anyhow::Error::from(error).context(property.title())),
            }
        }
        if args.json {
            println!("{}", serde_json::Value::Object(object));
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    })
}
