//! `keyway audit`: who called what, and whether the log of it is as it was written.

use std::{env, io::Write, path::PathBuf, thread, time::Duration};

use anyhow::bail;
use clap::{Args, Subcommand};
use keyway_history::audit::{Entry, Filter, Glob, Link, ReadError, Reader, Report, verify_with};
use serde_json::json;

use crate::{
    exit::Usage,
    output::{self, coloured},
};

mod time;

const EXAMPLES: &str = "Examples:
  keyway audit verify                                  is the log as it was written?
  keyway audit grep --identity alice --outcome refused
  keyway audit tail -f --json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: Audit,
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Find the first line that was edited, moved or deleted
    Verify(VerifyArgs),
    /// Print the records that have all that is asked for
    Grep(GrepArgs),
    /// Print the last records
    Tail(TailArgs),
}

#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// The log's folder [default: audit in $XDG_STATE_HOME/keyway]
    folder: Option<PathBuf>,
}

const VERIFY: &str = "Examples:
  keyway audit verify /var/lib/keyway/audit
  keyway audit verify --anchor 4711:5feceb66…    it still has a record that was printed before

Ends with 1 if a line does not fit, and names it. Keep the anchor it prints elsewhere: whoever may
write to the folder can make a new log, but none that has this record.";

#[derive(Debug, Args)]
#[command(after_help = VERIFY)]
struct VerifyArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// A record the log must have, as an earlier run printed it
    #[arg(long = "anchor", value_name = "SEQUENCE:HASH")]
    anchors: Vec<Link>,
    /// A JSON object
    #[arg(long)]
    json: bool,
}

const GREP: &str = "Examples:
  keyway audit grep --identity alice --since 2h
  keyway audit grep --service 'AL*' --member 'set*' --outcome refused
  keyway audit grep --outcome 'policy.*' --since 2026-01-31T08:00:00Z --until 2026-02-01 --json
  keyway audit grep --kind log            starts, crashes, dropped and deleted records

Ends with 1 if there are none.";

#[derive(Debug, Args)]
#[command(after_help = GREP)]
struct GrepArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

const TAIL: &str = "Examples:
  keyway audit tail                              the last ten records
  keyway audit tail -f                           and those that come, until Ctrl-C
  keyway audit tail -n 0 -f --outcome refused    refusals as they happen";

#[derive(Debug, Args)]
#[command(after_help = TAIL)]
struct TailArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Start with this many of the last records
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    lines: u64,
    /// Go on with those that come
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// A JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct FilterArgs {
    /// Who did it; * stands for anything, here and below
    #[arg(long)]
    identity: Option<Glob>,
    /// The service
    #[arg(long)]
    service: Option<Glob>,
    /// The method, signal or property
    #[arg(long)]
    member: Option<Glob>,
    /// What was done: call, get, login, logout, post, register, set, subscribe, unregister, unsubscribe, or log
    #[arg(long)]
    kind: Option<Glob>,
    /// ok, error, refused, or the code of a refusal
    #[arg(long)]
    outcome: Option<Glob>,
    /// Not before this: a time in UTC (2026-01-31T08:00:00Z), a date, or how long ago (2h, 3days)
    #[arg(long, value_name = "TIME")]
    since: Option<time::Moment>,
    /// Before this
    #[arg(long, value_name = "TIME")]
    until: Option<time::Moment>,
}

impl FilterArgs {
    fn filter(&self) -> Filter {
        Filter {
            identity: self.identity.clone(),
            service: self.service.clone(),
            member: self.member.clone(),
            kind: self.kind.clone(),
            outcome: self.outcome.clone(),
            since: self.since.map(|moment| moment.0),
            until: self.until.map(|moment| moment.0),
        }
    }
}

pub(crate) fn run(args: &AuditArgs) -> anyhow::Result<()> {
    match &args.command {
        Audit::Verify(args) => verify(args),
        Audit::Grep(args) => grep(args),
        Audit::Tail(args) => tail(args),
    }
}

fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let folder = args.folder.folder()?;
    let report = verify_with(&folder, &args.anchors).map_err(found_none)?;
    if args.json {
        println!("{}", summary(&report));
    } else if report.problem.is_none() {
        let what = format!("{} records in {} segments fit", report.records, report.segments);
        println!("{}", coloured(output::GOOD, &what));
        if report.unfinished {
            println!("half a line follows them: it is being written, or a crash left it");
        }
        println!("anchor {}", report.last);
    }
    match report.problem {
        Some(problem) => {
            bail!("the audit log is not as it was written: {problem}; {} records before it fit", report.records)
        }
        None => Ok(()),
    }
}

fn summary(report: &Report) -> serde_json::Value {
    let problem = report
        .problem
        .as_ref()
        .map(|problem| json!({"file": problem.file, "line": problem.line, "reason": problem.flaw.to_string()}));
    json!({
        "ok": report.problem.is_none(),
        "records": report.records,
        "segments": report.segments,
        "first": report.start.sequence + 1,
        "anchor": report.last.to_string(),
        "unfinished": report.unfinished,
        "problem": problem,
    })
}

fn grep(args: &GrepArgs) -> anyhow::Result<()> {
    let filter = args.filter.filter();
    let mut found = false;
    for entry in Reader::open(&args.folder.folder()?).map_err(found_none)? {
        found |= report(entry, &filter, args.json)?;
    }
    if found { Ok(()) } else { bail!("no record has all of this") }
}

fn tail(args: &TailArgs) -> anyhow::Result<()> {
    let filter = args.filter.filter();
    let mut reader = Reader::last(&args.folder.folder()?, args.lines).map_err(found_none)?;
    loop {
        for entry in reader.by_ref() {
            report(entry, &filter, args.json)?;
        }
        if !args.follow {
            return Ok(());
        }
        std::io::stdout().flush()?;
        thread::sleep(POLL);
    }
}

/// Prints a record if it is meant, and tells whether it is. One that cannot be read does not end the rest.
fn report(entry: Result<Entry, ReadError>, filter: &Filter, as_json: bool) -> anyhow::Result<bool> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error @ ReadError::NotALine { .. }) => {
            eprintln!("keyway: {error}");
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    let is_meant = filter.matches(&entry);
    if is_meant {
        let line = if as_json { entry.json() } else { line(&entry) };
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(is_meant)
}

/// A record for people. Control characters in names that peers chose do not reach the terminal.
fn line(entry: &Entry) -> String {
    let time = humantime::format_rfc3339_millis(entry.time);
    if entry.kind == "log" {
        let count = if entry.count > 0 { format!(" {}", entry.count) } else { String::new() };
        return format!("{time} {}", coloured(output::NAME, &format!("log {}{count}", plain(&entry.event))));
    }
    let colour = if entry.outcome == "ok" { output::GOOD } else { output::BAD };
    let separator = if entry.code.is_empty() { "" } else { " " };
    let outcome = format!("{}{separator}{}", plain(&entry.outcome), plain(&entry.code));
    let dot = if entry.service.is_empty() || entry.member.is_empty() { "" } else { "." };
    let what = format!("{}{dot}{}", plain(&entry.service), plain(&entry.member));
    let arguments = entry.arguments.as_ref().map(|values| format!(" {values}")).unwrap_or_default();
    format!(
        "{time} {} {} {} {}{} {} µs from {} by {}",
        coloured(output::NAME, &plain(&entry.identity)),
        plain(&entry.kind),
        what,
        coloured(colour, &outcome),
        plain(&arguments),
        entry.duration_us,
        plain(&entry.source),
        plain(&entry.door),
    )
}

fn plain(text: &str) -> String {
    text.chars().map(|found| if found.is_control() { '\u{fffd}' } else { found }).collect()
}

impl FolderArgs {
    pub(super) fn folder(&self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = path("XDG_STATE_HOME").or_else(|| path("HOME").map(|home| home.join(".local/state")));
        match state {
            Some(state) => Ok(state.join("keyway/audit")),
            None => bail!(Usage("which folder? Neither XDG_STATE_HOME nor HOME is set".to_owned())),
        }
    }
}

/// A folder without a log is a wrong argument.
pub(super) fn found_none(error: ReadError) -> anyhow::Error {
    match error {
        ReadError::None(_) => Usage(format!("{error}; name its folder")).into(),
        error => error.into(),
    }
}

/// How often a log that is followed is looked at.
const POLL: Duration = Duration::from_millis(200);
