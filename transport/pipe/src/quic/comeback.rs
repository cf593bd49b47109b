//! What becomes of a session whose connection is lost: a server waits for its client, a client dials again.

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use keyway_wire::{
    Url,
    native::{CloseCode, Held, Welcome},
};
use quinn::{ConnectionError, VarInt};

use super::{
    QuicEndpoint, QuicError,
    client::{Arrival, MakeDialogue},
    control_io::ControlIo,
};
use crate::TlsClient;

/// The first attempt to come back may take so long, the next ones twice as long each...
const FIRST_ATTEMPT: Duration = Duration::from_millis(500);
/// ...up to this.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(10);
/// Between a failed attempt and the next one, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What this end does when the connection is lost.
pub(super) enum Comeback {
    /// The session is over.
    Never,
    /// The client may come back for so long.
    Waits(Duration),
    /// The server is called again.
    Dials(Box<Dialer>),
}

/// A client that has come back over another connection.
pub(super) struct Comer {
    pub(super) connection: quinn::Connection,
    pub(super) control: ControlIo,
    /// The key it has shown.
    pub(super) key: Bytes,
    /// What it has.
    pub(super) held: Held,
}

impl Comer {
    /// It is not the one it says.
    pub(super) fn refuse(self, text: &str) {
        super::error::close(&self.connection, CloseCode::REFUSED, text);
    }
}

/// How a server is reached again.
pub(super) struct Dialer {
    pub(super) endpoint: QuicEndpoint,
    pub(super) url: Url,
    pub(super) tls: TlsClient,
    pub(super) capabilities: Bytes,
    pub(super) dialogue: MakeDialogue,
    /// The last key the server gave.
    pub(super) key: Bytes,
    /// For how long the server keeps the session.
    pub(super) kept_for: Duration,
}

/// A server that was reached again.
pub(super) struct Reached {
    pub(super) connection: quinn::Connection,
    pub(super) control: ControlIo,
    pub(super) how: How,
}

/// What the server said.
pub(super) enum How {
    /// The session goes on. What the server has, and the key for the next time.
    Resumed(Held, Bytes),
    /// The server knows nothing of it any more, and has begun another.
    Anew(Welcome),
}

impl Dialer {
    /// Calls the server until it answers, or it is too late, or it says no.
    pub(super) async fn call(&self, held: Held) -> Result<Reached, QuicError> {
        let deadline = Instant::now() + self.kept_for;
        let (mut limit, mut pause) = (FIRST_ATTEMPT, FIRST_PAUSE);
        loop {
            let arrival = Arrival { key: self.key.clone(), held: held.clone() };
            let attempt = self.endpoint.reach(&self.url, &self.tls, &self.capabilities, &self.dialogue, Some(arrival));
            let error = match tokio::time::timeout(limit, attempt).await {
                Ok(Ok(reached)) => return Ok(reached),
                Ok(Err(error)) => error,
                Err(_) => QuicError::Timeout,
            };
            if is_final(&error) || Instant::now() + pause >= deadline {
                return Err(error);
            }
            tracing::debug!(server = %self.url, %error, "not reached again yet");
            tokio::time::sleep(pause).await;
            limit = (limit * 2).min(LONGEST_ATTEMPT);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Whether another attempt would end the same way.
fn is_final(error: &QuicError) -> bool {
    match error {
        QuicError::Closed { code, .. } => {
            !matches!(*code, CloseCode::GOING_AWAY | CloseCode::BUSY | CloseCode::TIMEOUT)
        }
        QuicError::Challenged(_) | QuicError::Settings(_) | QuicError::Tls(_) | QuicError::Protocol(_) => true,
        QuicError::Io(_) | QuicError::Timeout => false,
    }
}

/// Whether a session may go on after a connection that ended like this.
pub(super) fn is_lost(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            let away = [CloseCode::GOING_AWAY, CloseCode::BUSY].map(|code| VarInt::from_u32(code.0));
            away.contains(&close.error_code)
        }
        // This end has closed the endpoint.
        ConnectionError::LocallyClosed => false,
        _ => true,
    }
}

impl fmt::Debug for Comeback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("Never"),
            Self::Waits(limit) => f.debug_tuple("Waits").field(limit).finish(),
            Self::Dials(dialer) => f.debug_tuple("Dials").field(dialer).finish(),
        }
    }
}
