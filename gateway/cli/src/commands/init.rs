//! `keyway init`: a configuration that works, with certificates and a user.

use std::path::{Path, PathBuf};

use clap::Args;
use keyway_auth::token;

use super::{
    cert::{self, CA_DAYS, LEAF_DAYS},
    config::user_table,
};
use crate::{certificates::Authority, new_files::NewFiles};

const EXAMPLES: &str = "Examples:
  keyway init
  keyway init --dir /etc/keyway --host robot.local --host 10.0.0.2

Writes keyway.toml, a certificate authority and a server certificate issued by it below tls, and the token of the
user admin. Files with secrets are readable by their owner only.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitArgs {
    /// Where to write
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// A name or address by which clients reach this machine, beside localhost and its own. May be given several times
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &InitArgs) -> anyhow::Result<()> {
    let tls = args.dir.join("tls");
    let (config, secret) = (args.dir.join("keyway.toml"), args.dir.join("admin.token"));
    let (authority, issued) = Authority::create(&cert::authority_name(), CA_DAYS)?;
    let mut files = NewFiles::default();
    let (ca, _) = cert::add(&mut files, &tls, "ca", issued);
    cert::add(&mut files, &tls, "server", authority.server(&cert::hosts(&args.host), LEAF_DAYS)?);
    let (token, hash) = token::generate()?;
    files.add_secret(secret.clone(), format!("{}\n", token.expose()));
    // Last: where there is a configuration, everything it names is there too.
    files.add(config.clone(), format!("{TEMPLATE}{}", user_table("admin", "admin", "token_hash", &hash)));
    files.write(args.force)?;
    println!("wrote {}, and certificates in {}", config.display(), tls.display());
    println!("the token of the user admin is in {}", secret.display());
    println!("\nnext:");
    for command in next(&config, &ca, &secret) {
        println!("  {command}");
    }
    Ok(())
}

fn next(config: &Path, ca: &Path, secret: &Path) -> [String; 3] {
    let [config, ca, secret] = [config, ca, secret].map(|path| quoted(&path.display().to_string()));
    [
        format!("keyway config check {config}"),
        format!("keyway up --config {config}"),
        format!("keyway info --qi-url tcps://localhost:9503 --ca {ca} --user admin --token \"$(cat {secret})\""),
    ]
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

const TEMPLATE: &str = include_str!("init/keyway.toml");
