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
    let Written { config, tls, ca, secret } = write(&args.dir, &args.host, "admin", TEMPLATE, args.force)?;
    println!("wrote {}, and certificates in {}", config.display(), tls.display());
    println!("the token of the user admin is in {}", secret.display());
    println!("\nnext:");
    for command in next(&config, &ca, &secret) {
        println!("  {command}");
    }
    Ok(())
}

/// Where the files of a configuration are.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) config: PathBuf,
    pub(crate) tls: PathBuf,
    pub(crate) ca: PathBuf,
    /// The token of its user.
    pub(crate) secret: PathBuf,
}

impl Written {
    /// In a folder.
    pub(crate) fn at(dir: &Path, user: &str) -> Self {
        let tls = dir.join("tls");
        Self { config: dir.join("keyway.toml"), ca: tls.join("ca.pem"), secret: dir.join(format!("{user}.token")), tls }
    }
}

/// Writes a configuration with certificates, and a user with a token and the role of the same name.
pub(crate) fn write(dir: &Path, hosts: &[String], user: &str, template: &str, force: bool) -> anyhow::Result<Written> {
    let written = Written::at(dir, user);
    let (authority, issued) = Authority::create(&cert::authority_name(), CA_DAYS)?;
    let mut files = NewFiles::default();
    cert::add(&mut files, &written.tls, "ca", issued);
    cert::add(&mut files, &written.tls, "server", authority.server(&cert::hosts(hosts), LEAF_DAYS)?);
    let (token, hash) = token::generate()?;
    files.add_secret(written.secret.clone(), format!("{}\n", token.expose()));
    // Last: where there is a configuration, everything it names is there too.
    files.add(written.config.clone(), format!("{template}{}", user_table(user, user, "token_hash", &hash)));
    files.write(force)?;
    Ok(written)
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
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

const TEMPLATE: &str = include_str!("init/keyway.toml");
