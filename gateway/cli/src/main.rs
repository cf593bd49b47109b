//! The `keyway` command: arguments in, everything else in the modules.

mod arguments;
mod bench;
mod bridge;
mod certificates;
mod commands;
mod connection;
mod demo;
mod discovery;
mod exit;
mod gateway;
mod logging;
mod member;
mod new_files;
mod output;
mod selection;
mod serve;
mod stop;
#[cfg(feature = "otlp")]
mod telemetry;
mod tls;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

// Gives the memory of closed connections back to the system; settings are in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A service directory for robots and meters that speak QiMessaging (NAOqi, libqi), and a client for any such directory.
#[derive(Debug, Parser)]
#[command(name = "keyway", version, max_term_width = 110, after_help = EXAMPLES)]
struct Keyway {
    #[command(flatten)]
    logging: logging::LoggingArgs,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  keyway up --demo                                  a directory, a demo robot and a demo meter
  keyway --help                                     every command has examples of its own
  keyway info                                       the services of tcp://127.0.0.1:9559
  keyway call --qi-url tcp://robot:9559 ALTextToSpeech.say '\"hello\"'";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a service directory
    Directory(commands::directory::DirectoryArgs),
    /// Run a service directory and, with --demo, a robot and a meter to try things on
    Up(commands::up::UpArgs),
    /// Run a gateway in front of a directory: one way in for clients from outside
    Gateway(Box<commands::gateway::GatewayArgs>),
    /// Show services to ROS, insecurely
    Bridge(Box<commands::bridge::BridgeCommand>),
    /// List services, or show their methods, signals and properties
    Info(commands::info::InfoArgs),
    /// List services with their hosts, or watch them come and go
    Services(commands::services::ServicesArgs),
    /// Call a method
    Call(commands::call::CallArgs),
    /// Emit a signal, or run a method without waiting for its result
    Post(commands::post::PostArgs),
    /// Read properties
    Get(commands::get::GetArgs),
    /// Set properties
    Set(commands::set::SetArgs),
    /// Print signals and changes of properties as they come
    Watch(commands::watch::WatchArgs),
    /// Show which methods are called how often and how long they take
    Top(commands::top::TopArgs),
    /// Print calls to services as they happen
    Trace(commands::trace::TraceArgs),
    /// Read and verify the audit log
    Audit(commands::audit::AuditArgs),
    /// Check rules, explain what they decide, test and learn them from an audit log
    Policy(commands::policy::PolicyArgs),
    /// Write a configuration that works, with certificates and a user
    Init(commands::init::InitArgs),
    /// Issue certificates for servers and clients, and show what is in them
    Cert(commands::cert::CertArgs),
    /// Check, show and explain the gateway's configuration
    Config(commands::config::ConfigArgs),
    /// Find robots and gateways on the local network
    Discover(commands::discover::DiscoverArgs),
    /// Find out what listens at a URL, and how to talk to it
    Probe(commands::probe::ProbeArgs),
    /// Print a script that completes this command's arguments
    Completions(commands::documents::CompletionsArgs),
    /// Print the manual page, or write those of all commands into a folder
    Man(commands::documents::ManArgs),
    /// Measure a server
    #[command(hide = true)]
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let keyway = Keyway::parse();
    // A gateway starts logging when it knows whether it sends traces, too.
    if !matches!(keyway.command, Command::Gateway(_) | Command::Up(_)) {
        keyway.logging.start();
    }
    let result = match keyway.command {
        Command::Directory(args) => commands::directory::run(args),
        Command::Up(args) => commands::up::run(args, &keyway.logging),
        Command::Gateway(args) => commands::gateway::run(&args, &keyway.logging),
        Command::Bridge(args) => commands::bridge::run(&args),
        Command::Info(args) => commands::info::run(&args),
        Command::Services(args) => commands::services::run(&args),
        Command::Call(args) => commands::call::run(&args),
        Command::Post(args) => commands::post::run(&args),
        Command::Get(args) => commands::get::run(&args),
        Command::Set(args) => commands::set::run(&args),
        Command::Watch(args) => commands::watch::run(&args),
        Command::Top(args) => commands::top::run(&args),
        Command::Trace(args) => commands::trace::run(&args),
        Command::Policy(args) => commands::policy::run(&args),
        Command::Audit(args) => commands::audit::run(&args),
        Command::Init(args) => commands::init::run(&args),
        Command::Cert(args) => commands::cert::run(&args),
        Command::Config(args) => commands::config::run(&args),
        Command::Discover(args) => commands::discover::run(&args),
        Command::Probe(args) => commands::probe::run(&args),
        Command::Completions(args) => commands::documents::completions(&args),
        Command::Man(args) => commands::documents::man(&args),
        Command::Bench(args) => bench::run(args),
    };
    exit::code(result)
}
