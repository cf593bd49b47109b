//! `keyway cert`: certificates of the gateway, its clients and the authority that issues them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::{
    certificates::{Authority, Issued, Shown, machine_name},
    exit::Usage,
    new_files::NewFiles,
};

const EXAMPLES: &str = "Examples:
  keyway cert new-ca
  keyway cert server --host robot.local --host 10.0.0.2
  keyway cert client tablet
  keyway cert show tls/server.pem

The authority is ca.pem and ca.key in the folder; ca.key is all it takes to be anybody, so keep it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    command: CertCommand,
}

#[derive(Debug, Subcommand)]
enum CertCommand {
    /// Make a certificate authority: ca.pem and ca.key
    NewCa(NewCaArgs),
    /// Issue a certificate for a server
    Server(ServerArgs),
    /// Issue a certificate for a client of tcpsm
    Client(ClientArgs),
    /// Print subject, names, validity and pin of certificates
    Show(ShowArgs),
}

/// Where certificates are kept.
#[derive(Debug, Args)]
struct FolderArgs {
    /// The folder with the authority and what it issues
    #[arg(long, value_name = "DIR", default_value = "tls")]
    dir: PathBuf,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct NewCaArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Its name [default: Keyway on this machine]
    #[arg(long)]
    name: Option<String>,
    /// How long it is valid
    #[arg(long, value_name = "DAYS", default_value_t = CA_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

#[derive(Debug, Args)]
struct ServerArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// A name or address by which clients reach it, beside localhost and this machine's name. May be given several times
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// The files' name: NAME.pem and NAME.key
    #[arg(long, value_name = "NAME", default_value = "server")]
    out: String,
    /// How long it is valid
    #[arg(long, value_name = "DAYS", default_value_t = LEAF_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

#[derive(Debug, Args)]
struct ClientArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// The client's name, by which the configuration gives it a role; also the files' name
    name: String,
    /// How long it is valid
    #[arg(long, value_name = "DAYS", default_value_t = LEAF_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// A PEM file
    file: PathBuf,
    /// A JSON list
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &CertArgs) -> anyhow::Result<()> {
    match &args.command {
        CertCommand::NewCa(args) => new_ca(args),
        CertCommand::Server(args) => {
            let issued = authority(&args.folder)?.server(&hosts(&args.host), args.days)?;
            write(&args.folder, &args.out, issued)
        }
        CertCommand::Client(args) => {
            let issued = authority(&args.folder)?.client(&args.name, args.days)?;
            let shown = Shown::all(issued.certificate.as_bytes()).map_err(anyhow::Error::msg)?;
            write(&args.folder, &args.name, issued)?;
            for san in shown.iter().flat_map(|shown| &shown.sans) {
                println!("give it a role: [[certificate]] with san = {san:?} and role = \"…\"");
            }
            Ok(())
        }
        CertCommand::Show(args) => show(args),
    }
}

/// The names of a server on this machine, with some more.
pub(crate) fn hosts(more: &[String]) -> Vec<String> {
    let usual = machine_name().into_iter().chain(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    let mut hosts = Vec::new();
    for host in more.iter().cloned().chain(usual) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// What a new authority is called.
pub(crate) fn authority_name() -> String {
    format!("Keyway on {}", machine_name().as_deref().unwrap_or("localhost"))
}

fn new_ca(args: &NewCaArgs) -> anyhow::Result<()> {
    let name = args.name.clone().unwrap_or_else(authority_name);
    let (_, issued) = Authority::create(&name, args.days)?;
    write(&args.folder, "ca", issued)
}

fn authority(folder: &FolderArgs) -> anyhow::Result<Authority> {
    Authority::read(&folder.dir.join("ca.pem"), &folder.dir.join("ca.key"))
}

fn write(folder: &FolderArgs, name: &str, issued: Issued) -> anyhow::Result<()> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(
            Usage(format!("{name:?} cannot be a file's name; use letters, digits, `-`, `_`, `.` and `@`")).into()
        );
    }
    let mut files = NewFiles::default();
    let paths = add(&mut files, &folder.dir, name, issued);
    files.write(folder.force)?;
    println!("wrote {} and {}", paths.0.display(), paths.1.display());
    Ok(())
}

/// A certificate and its key, to be written into a folder; their paths.
pub(crate) fn add(files: &mut NewFiles, folder: &Path, name: &str, issued: Issued) -> (PathBuf, PathBuf) {
    let paths = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    files.add(paths.0.clone(), issued.certificate);
    files.add_secret(paths.1.clone(), issued.key);
    paths
}

fn show(args: &ShowArgs) -> anyhow::Result<()> {
    let pem = fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let all = Shown::all(&pem).map_err(|error| Usage(format!("{}: {error}", args.file.display())))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    for (at, shown) in all.iter().enumerate() {
        let break_before = if at == 0 { "" } else { "\n" };
        println!("{break_before}subject     {}", shown.subject);
        println!("issuer      {}", shown.issuer);
        println!("names       {}", shown.sans.join(", "));
        println!("valid from  {}", shown.not_before);
        println!("valid until {}", shown.not_after);
        println!("authority   {}", if shown.ca { "yes" } else { "no" });
        println!("pin         {}", shown.pin);
    }
    Ok(())
}

/// Ten years.
pub(crate) const CA_DAYS: u32 = 3650;
/// The longest that TLS libraries of phones and browsers accept.
pub(crate) const LEAF_DAYS: u32 = 825;
