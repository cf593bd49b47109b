//! `keyway config`: what the gateway would be told, before it is.

use std::{io, path::PathBuf};

use anyhow::bail;
use clap::{Args, Subcommand};
use keyway_auth::{Secret, password, token};
use keyway_config::{Config, ConfigError, Place};
use serde_json::json;

use crate::exit::Usage;

const EXAMPLES: &str = "Examples:
  keyway config check keyway.toml
  keyway config show keyway.toml
  keyway config schema > keyway.schema.json
  keyway config user alice --role operator >> keyway.toml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with a configuration, with line and reason
    Check(CheckArgs),
    /// Print the whole configuration with defaults and what the environment overrides, without secrets
    Show(FileArgs),
    /// Print the JSON schema of keyway.toml, for editors
    Schema,
    /// Print a [[user]] with a new token, or with the hash of a password
    User(UserArgs),
}

#[derive(Debug, Args)]
struct FileArgs {
    /// The configuration
    #[arg(default_value = "keyway.toml")]
    file: PathBuf,
}

const CHECK: &str = "The files it names are read too, and environment variables KEYWAY_<SECTION>_<KEY> override it.
Ends with 1 if it would be refused. docs/configuration.md explains the keys, docs/errors.md the codes.";

#[derive(Debug, Args)]
#[command(after_help = CHECK)]
struct CheckArgs {
    #[command(flatten)]
    file: FileArgs,
    /// A JSON list of mistakes
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct UserArgs {
    /// The user's name
    name: String,
    /// The user's role
    #[arg(long)]
    role: String,
    /// Read a password from standard input, instead of making a token
    #[arg(long)]
    password: bool,
}

pub(crate) fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    match &args.command {
        ConfigCommand::Check(args) => check(args),
        ConfigCommand::Show(args) => {
            let Some(config) = loaded(args, false)? else { bail!("the configuration would be refused") };
            print!("{}", config.to_toml());
            Ok(())
        }
        ConfigCommand::Schema => {
            println!("{}", serde_json::to_string_pretty(&keyway_config::schema())?);
            Ok(())
        }
        ConfigCommand::User(args) => user(args),
    }
}

fn check(args: &CheckArgs) -> anyhow::Result<()> {
    if loaded(&args.file, args.json)?.is_none() {
        bail!("the configuration would be refused");
    }
    Ok(())
}

/// The configuration, or nothing where it says why not.
fn loaded(args: &FileArgs, json: bool) -> anyhow::Result<Option<Config>> {
    let (config, error) = match Config::load(&args.file) {
        Ok(config) => (Some(config), None),
        Err(error) => (None, Some(error)),
    };
    if json {
        println!("{}", mistakes(error.as_ref()));
    } else if let Some(error) = error {
        eprintln!("{error}");
    }
    Ok(config)
}

fn mistakes(error: Option<&ConfigError>) -> serde_json::Value {
    let problems = error.into_iter().flat_map(|error| &error.problems);
    let mistakes = problems.map(|problem| {
        let (code, reason) = (problem.code, &problem.reason);
        match &problem.place {
            Place::File { file, line, column } => {
                json!({"file": file, "line": line, "column": column, "code": code, "reason": reason})
            }
            Place::Variable(variable) => json!({"variable": variable, "code": code, "reason": reason}),
        }
    });
    mistakes.collect()
}

fn user(args: &UserArgs) -> anyhow::Result<()> {
    let (key, hash) = if args.password {
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        let password = Secret::new(line.trim_end_matches(['\r', '\n']).to_owned());
        if password.expose().is_empty() {
            return Err(Usage("standard input holds no password; pipe it in, one line".to_owned()).into());
        }
        ("password_hash", password::hash(&password)?)
    } else {
        let (token, hash) = token::generate()?;
        // Apart from the configuration, which does not hold it.
        eprintln!("the token of {}, shown only now: {}", args.name, token.expose());
        ("token_hash", hash)
    };
    print!("{}", user_table(&args.name, &args.role, key, &hash));
    Ok(())
}

/// A `[[user]]`, in TOML.
pub(crate) fn user_table(name: &str, role: &str, key: &str, hash: &str) -> String {
    // A JSON text is one of TOML too.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!("\n[[user]]\nname = {}\nrole = {}\n{key} = {}\n", quoted(name), quoted(role), quoted(hash))
}
