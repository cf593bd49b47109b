//! Logs on standard error; standard output is for results.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How much is logged, and in which form.
#[derive(Debug, Args)]
pub(crate) struct LoggingArgs {
    /// What to log on standard error: error, warn, info, debug, trace, or per module as RUST_LOG has it
    #[arg(
        long,
        global = true,
        env = "RUST_LOG",
        default_value = "warn",
        value_name = "FILTER",
        hide_env_values = true
    )]
    log: String,
    /// Form of the log
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Human)]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Human,
    Json,
}

impl LoggingArgs {
    /// Starts logging. A filter that cannot be read is said so and replaced by `warn`.
    pub(crate) fn start(&self) {
        let filter = EnvFilter::try_new(&self.log).unwrap_or_else(|error| {
            eprintln!("keyway: --log {:?} cannot be understood ({error}); logging warnings", self.log);
            EnvFilter::new("warn")
        });
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
        match self.log_format {
            LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).init(),
            LogFormat::Json => builder.json().init(),
        }
    }
}
