//! `keyway policy`: what rules mean, before anybody relies on them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use keyway_history::audit::{Entry, ReadError, Reader};
use keyway_policy::{Explanation, Kind, Observed, Outcome, Policy, learn, replay};
use serde_json::json;

use super::audit::{FolderArgs, found_none};
use crate::{
    exit::Usage,
    member::Member,
    output::{self, coloured},
};

const EXAMPLES: &str = "Examples:
  keyway policy check policy.toml
  keyway policy explain policy.toml --role guest ALMotion.setStiffnesses
  keyway policy test changed.toml --against policy.toml /var/lib/keyway/audit
  keyway policy learn /var/lib/keyway/audit > policy.toml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Say what is wrong with policy files, with line and reason
    Check(CheckArgs),
    /// Say whether a role may use a member, and which rule decides
    Explain(ExplainArgs),
    /// Replay an audit log against a changed policy and print what it would decide otherwise
    Test(TestArgs),
    /// Write the narrowest policy that allows what an audit log shows
    Learn(LearnArgs),
}

const CHECK: &str = "Ends with 1 if a file would be refused. docs/errors.md explains the codes.";

#[derive(Debug, Args)]
#[command(after_help = CHECK)]
struct CheckArgs {
    /// The files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// A JSON list of mistakes
    #[arg(long)]
    json: bool,
}

const EXPLAIN: &str = "Examples:
  keyway policy explain policy.toml --role guest ALTextToSpeech.say
  keyway policy explain policy.toml --role guest 'ALMotion.write:stiffness'
  keyway policy explain policy.toml --role host Camera2.register

Members as in rules: say, add::(ii), subscribe:touched, read:volume, write:volume, manage, register.
Ends with 1 if it is refused.";

#[derive(Debug, Args)]
#[command(after_help = EXPLAIN)]
struct ExplainArgs {
    /// The policy
    file: PathBuf,
    /// Who asks
    #[arg(long)]
    role: String,
    /// For what
    #[arg(value_name = "SERVICE.MEMBER")]
    member: Member,
    /// A JSON object
    #[arg(long)]
    json: bool,
}

const TEST: &str =
    "Ends with 1 if anything would be decided otherwise. Arguments are not replayed: where only they decide, a
changed limit is a difference.";

#[derive(Debug, Args)]
#[command(after_help = TEST)]
struct TestArgs {
    /// The changed policy
    file: PathBuf,
    /// The policy as it was
    #[arg(long, value_name = "FILE")]
    against: PathBuf,
    #[command(flatten)]
    folder: FolderArgs,
    /// A JSON list of differences
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct LearnArgs {
    #[command(flatten)]
    folder: FolderArgs,
}

pub(crate) fn run(args: &PolicyArgs) -> anyhow::Result<()> {
    match &args.command {
        PolicyCommand::Check(args) => check(args),
        PolicyCommand::Explain(args) => explain(args),
        PolicyCommand::Test(args) => test(args),
        PolicyCommand::Learn(args) => {
            print!("{}", learn(&observed(&args.folder)?)?);
            Ok(())
        }
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<()> {
    let mut mistakes = Vec::new();
    let mut refused = 0;
    for file in &args.files {
        let Err(error) = Policy::parse(&file.display().to_string(), &read(file)?) else { continue };
        refused += 1;
        if !args.json {
            eprintln!("{error}");
        }
        mistakes.extend(error.problems.iter().map(|problem| {
            json!({
                "file": error.file,
                "line": problem.line,
                "column": problem.column,
                "code": problem.code.code(),
                "reason": problem.reason,
            })
        }));
    }
    if args.json {
        println!("{}", serde_json::Value::from(mistakes));
    }
    match refused {
        0 => Ok(()),
        1 => bail!("the policy would be refused"),
        count => bail!("{count} policies would be refused"),
    }
}

fn explain(args: &ExplainArgs) -> anyhow::Result<()> {
    let Member { service, name } = &args.member;
    let explanation = policy(&args.file)?.explain(&args.role, service, name);
    let explanation = explanation.map_err(|error| Usage(format!("{name} is no member: {error}")))?;
    if args.json {
        println!("{}", tree(&explanation));
    } else {
        println!("{}", shown(&explanation));
    }
    if explanation.is_allowed() { Ok(()) } else { bail!("refused") }
}

fn test(args: &TestArgs) -> anyhow::Result<()> {
    let differences = replay(&policy(&args.against)?, &policy(&args.file)?, &observed(&args.folder)?)?;
    if args.json {
        let list = differences.iter().map(|difference| {
            let kind = difference.observed.kind.to_string();
            json!({"kind": kind, "before": tree(&difference.before), "after": tree(&difference.after)})
        });
        println!("{}", list.collect::<serde_json::Value>());
    } else {
        for difference in &differences {
            println!("before: {}\nafter:  {}\n", shown(&difference.before), shown(&difference.after));
        }
    }
    match differences.len() {
        0 => Ok(()),
        count => bail!("{count} of the recorded accesses would be decided otherwise"),
    }
}

fn policy(file: &Path) -> anyhow::Result<Policy> {
    Ok(Policy::parse(&file.display().to_string(), &read(file)?)?)
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}; is it a policy file?", file.display()))
}

/// What an audit log says that was done, or at least not refused by the gateway.
fn observed(folder: &FolderArgs) -> anyhow::Result<Vec<Observed>> {
    let mut observed = Vec::new();
    for entry in Reader::open(&folder.folder()?).map_err(found_none)? {
        match entry {
            Ok(entry) => observed.extend(access(entry)),
            Err(error @ ReadError::NotALine { .. }) => eprintln!("keyway: {error}"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(observed)
}

fn access(entry: Entry) -> Option<Observed> {
    let kind = match entry.kind.as_str() {
        "call" => Kind::Call,
        "get" => Kind::Read,
        "post" => Kind::Emit,
        "register" => Kind::Register,
        "set" => Kind::Write,
        "subscribe" => Kind::Subscribe,
        // Coming, going and giving back need no permission.
        _ => return None,
    };
    let refused = entry.outcome == "refused";
    (!refused).then_some(Observed { role: entry.role, service: entry.service, member: entry.member, kind })
}

fn shown(explanation: &Explanation) -> String {
    let colour = if explanation.is_allowed() { output::GOOD } else { output::BAD };
    coloured(colour, &explanation.to_string())
}

fn tree(explanation: &Explanation) -> serde_json::Value {
    let outcome = match explanation.outcome {
        Outcome::Allowed => "allowed",
        Outcome::Conditional => "conditional",
        Outcome::Denied => "denied",
    };
    json!({
        "role": explanation.role,
        "service": explanation.service,
        "member": explanation.member,
        "outcome": outcome,
        "code": explanation.code.map(|code| code.code()),
        "rule": explanation.rule.as_ref().map(ToString::to_string),
        "conditions": explanation.conditions,
        "rates": explanation.rates.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
