//! The project's own tasks: `cargo xtask test` installs the test peers and runs everything, `cargo xtask fuzz` looks for
//! inputs that do harm.

mod fuzz;
mod peers;
mod steps;
mod summary;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Keyway's own tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs the peers that are missing and runs all tests: Rust's and the conformance suites.
    Test {
        /// Runs only the steps whose name contains this.
        #[arg(long)]
        only: Option<String>,
    },
    /// Runs the fuzz targets, each for a while; needs a nightly toolchain and cargo-fuzz.
    Fuzz {
        /// Seconds for each target.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// The targets; all of them if none is named.
        targets: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test { only } => steps::test(only.as_deref()).map(|summary| summary.finish()),
        Task::Fuzz { seconds, targets } => fuzz::fuzz(seconds, &targets),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
