//! `keyway set`: properties.

use clap::Args;

use crate::{
    arguments,
    connection::ConnectionArgs,
    exit::Usage,
    member::Member,
    selection::{self, Kind},
};

const EXAMPLES: &str = "Examples:
  keyway set Robot.volume 40
  keyway set Left.speed Right.speed 0.5     the same value for several";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// The properties, then the value: JSON, or text
    #[arg(required = true, num_args = 2.., allow_negative_numbers = true, value_name = "SERVICE.PROPERTY… VALUE")]
    members_and_value: Vec<String>,
    /// The value has to be JSON
    #[arg(long)]
    json: bool,
    /// Properties whose names start with _ match patterns, too
    #[arg(long)]
    hidden: bool,
    /// Go on after a failure
    #[arg(long = "continue")]
    go_on: bool,
}

pub(crate) fn run(args: &SetArgs) -> anyhow::Result<()> {
    let Some((value, members)) = args.members_and_value.split_last() else {
        return Err(Usage("set takes properties and a value: keyway set Robot.volume 40".into()).into());
    };
    let members: Result<Vec<Member>, _> = members.iter().map(|text| text.parse()).collect();
    let members = members.map_err(Usage)?;
    let value = arguments::value(value, args.json)?;
    args.connection.run(async |session| {
        let mut failure = None;
        for property in selection::members(session, &members, Kind::Property, args.hidden).await? {
            match property.proxy.set(&property.name, value.clone()).await {
                Ok(()) => {}
                Err(error) if args.go_on => {
                    eprintln!("keyway: {}: {error}", property.title());
                    failure = Some(error);
                }
                Err(error) => return Err(anyhow::Error::from(error).context(property.title())),
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    })
}
