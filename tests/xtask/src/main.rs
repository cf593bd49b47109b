//! The project's own tasks: `cargo xtask test` installs the test peers and runs everything.

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
}

fn main() -> ExitCode {
    let Arguments { task: Task::Test { only } } = Arguments::parse();
    match steps::test(only.as_deref()) {
        Ok(summary) => summary.finish(),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
