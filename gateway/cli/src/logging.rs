//! Logs on standard error; standard output is for results.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt};

#[cfg(not(feature = "otlp"))]
use crate::exit::Usage;
#[cfg(feature = "otlp")]
use crate::telemetry::Telemetry;

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

/// Logging, and traces where the gateway sends some, until it is dropped.
#[derive(Debug)]
#[must_use = "what was traced last is sent when it is dropped"]
pub(crate) struct Logging {
    #[cfg(feature = "otlp")]
    _telemetry: Option<Telemetry>,
}

impl LoggingArgs {
    /// Starts logging. A filter that cannot be read is said so and replaced by `warn`.
    pub(crate) fn start(&self) {
        tracing_subscriber::registry().with(self.layer()).init();
    }

    /// Starts logging for a gateway, which sends traces to a collector if one is named.
    #[cfg(feature = "otlp")]
    pub(crate) fn start_with(&self, collector: Option<&str>) -> anyhow::Result<Logging> {
        let telemetry = Telemetry::start(collector)?;
        tracing_subscriber::registry().with(self.layer()).with(telemetry.as_ref().map(Telemetry::layer)).init();
        Ok(Logging { _telemetry: telemetry })
    }

    /// Starts logging for a gateway.
    #[cfg(not(feature = "otlp"))]
    pub(crate) fn start_with(&self, collector: Option<&str>) -> anyhow::Result<Logging> {
        if collector.is_some() {
            let text =
                "`[telemetry] otlp` needs a keyway that is built with the feature `otlp`; remove it, or build one";
            return Err(Usage(text.to_owned()).into());
        }
        self.start();
        Ok(Logging {})
    }

    fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let filter = EnvFilter::try_new(&self.log).unwrap_or_else(|error| {
            eprintln!("keyway: --log {:?} cannot be understood ({error}); logging warnings", self.log);
            EnvFilter::new("warn")
        });
        let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
        match self.log_format {
            LogFormat::Human => layer.with_ansi(io::stderr().is_terminal()).with_filter(filter).boxed(),
            LogFormat::Json => layer.json().with_filter(filter).boxed(),
        }
    }
}
