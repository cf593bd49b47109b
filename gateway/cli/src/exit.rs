//! Exit codes: 0 fine, 1 the other side said no, 2 wrong usage, 3 no connection.

use std::{io, process::ExitCode};

use keyway::Error;

/// Ends the program: the error on standard error, its code for scripts.
pub(crate) fn code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_closed_pipe(&error) {
        // Whoever read the output has seen enough.
        return ExitCode::SUCCESS;
    }
    eprintln!("keyway: {error:#}");
    match error.downcast_ref::<Error>() {
        Some(Error::Connect { .. } | Error::Tls { .. } | Error::Timeout { .. } | Error::Unreachable(_)) => {
            ExitCode::from(3)
        }
        Some(Error::Url(_) | Error::TlsSettings(_) | Error::Listen { .. }) => ExitCode::from(2),
        _ if error.is::<Usage>() => ExitCode::from(2),
        _ if error.is::<Nothing>() => ExitCode::from(3),
        _ => ExitCode::from(1),
    }
}

/// What was typed cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Nobody is there to connect to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Nothing(pub(crate) String);

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
