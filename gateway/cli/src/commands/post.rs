//! `keyway post`: without waiting for anything.

use clap::Args;

use crate::{arguments, connection::ConnectionArgs, member::Member};

const EXAMPLES: &str = "Success means that it was sent; nobody says what became of it.

Examples:
  keyway post Robot.said hello       emits a signal
  keyway post Robot.stop             runs a method";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PostArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    /// The signal or method
    #[arg(value_name = "SERVICE.MEMBER")]
    member: Member,
    /// Its arguments: JSON, or text
    #[arg(allow_negative_numbers = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
    /// Arguments have to be JSON: what is not is an error
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &PostArgs) -> anyhow::Result<()> {
    let values = arguments::values(&args.arguments, args.json)?;
    args.connection.run(async |session| {
        let proxy = session.service(&args.member.service).await?;
        proxy.post_dynamic(&args.member.name, values)?;
        // An answer to something else comes after the post was taken in: nothing is lost by leaving now.
        proxy.call::<bool>("isTraceEnabled", ()).await.ok();
        Ok(())
    })
}
