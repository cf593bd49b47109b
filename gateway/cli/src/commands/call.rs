//! `keyway call`: a method, now.

use clap::Args;
use keyway::{Error, Session, Value};

use crate::{
    arguments,
    connection::ConnectionArgs,
    member::Member,
    output::json,
    selection::{self, Kind, is_pattern},
};

const EXAMPLES: &str = "Arguments are JSON; what is not JSON is text. The result is printed as JSON.

Examples:
  keyway call Robot.say hello
  keyway call Robot.say '\"42\"'                   text that looks like a number
  keyway call Robot.walkTo 0.5 -1
  keyway call 'Robot.add::(ii)' 40 2             one of several methods of that name
  keyway call '*.ping'                           whatever has that method";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// The method; * stands for anything
    #[arg(value_name = "SERVICE.METHOD")]
    member: Member,
    /// Its arguments
    #[arg(allow_negative_numbers = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
    /// Arguments have to be JSON: what is not is an error
    #[arg(long)]
    json: bool,
    /// Methods whose names start with _ match patterns, too
    #[arg(long)]
    hidden: bool,
    /// With a pattern: go on after a failure
    #[arg(long = "continue")]
    go_on: bool,
    /// Ctrl-C cancels the call. Always so; accepted for qicli's users
    #[arg(long)]
    cancelable: bool,
}

pub(crate) fn run(args: &CallArgs) -> anyhow::Result<()> {
    let values = arguments::values(&args.arguments, args.json)?;
    args.connection.run(async |session| {
        let Member { service, name } = &args.member;
        if !is_pattern(service) && !is_pattern(name) {
            println!("{}", json::text(&call(session, service, name, values).await?));
            return Ok(());
        }
        let methods =
            selection::members(session, std::slice::from_ref(&args.member), Kind::Method, args.hidden).await?;
        let mut failure = None;
        for method in methods {
            match method.proxy.call_dynamic(&method.name, values.clone()).await {
                Ok(result) => println!("{}: {}", method.title(), json::text(&result)),
                Err(error) if args.go_on => {
                    eprintln!("keyway: {}: {error}", method.title());
                    failure = Some(error);
                }
                Err(error) => return Err(anyhow::Error::from(error).context(method.title())),
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    })
}

async fn call(session: &Session, service: &str, name: &str, values: Vec<Value>) -> anyhow::Result<Value> {
    let proxy = session.service(service).await?;
    match proxy.call_dynamic(name, values).await {
        Err(error @ Error::NoSuchMember(_)) => {
            let hint = format!("`keyway info {service}` lists the methods and their types");
            Err(anyhow::anyhow!("{error}; {hint}"))
        }
        result => Ok(result?),
    }
}
