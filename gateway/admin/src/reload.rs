//! Reading the configuration again when asked to.

use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

/// Somebody asks for a reload, and waits for what comes of it.
#[derive(Debug)]
pub struct ReloadRequest(oneshot::Sender<Result<Applied, Vec<Problem>>>);

/// Other rules are in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Whether something was changed, too, that only a restart puts into effect.
    pub restart_needed: bool,
}

/// Something that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: file, line and column.
    pub place: String,
    /// The stable code (docs/errors.md).
    pub code: String,
    /// What, and what to do about it.
    pub reason: String,
}

/// The answer of `/reload`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Reloaded {
    reloaded: bool,
    restart_needed: bool,
    problems: Vec<Problem>,
}

impl ReloadRequest {
    /// Says what came of it.
    pub fn answer(self, result: Result<Applied, Vec<Problem>>) {
        // Who asked may have gone.
        let _ = self.0.send(result);
    }
}

/// Asks for a reload, one after the other.
pub(crate) async fn reload(reloads: Option<&mpsc::Sender<ReloadRequest>>) -> (StatusCode, Reloaded) {
    let Some(reloads) = reloads else {
        let reason = "the gateway was started without a configuration file (--config): there is nothing to read again";
        return (StatusCode::CONFLICT, Reloaded::failed(reason));
    };
    let (answer, result) = oneshot::channel();
    let sent = reloads.send(ReloadRequest(answer)).await.is_ok();
    match result.await {
        Ok(Ok(Applied { restart_needed })) if sent => {
            (StatusCode::OK, Reloaded { reloaded: true, restart_needed, problems: Vec::new() })
        }
        Ok(Err(problems)) => (StatusCode::UNPROCESSABLE_ENTITY, Reloaded { problems, ..Reloaded::default() }),
        _ => (StatusCode::SERVICE_UNAVAILABLE, Reloaded::failed("the gateway is ending")),
    }
}

impl Reloaded {
    fn failed(reason: &str) -> Self {
        let problem = Problem { place: String::new(), code: String::new(), reason: reason.to_owned() };
        Self { problems: vec![problem], ..Self::default() }
    }
}
