//! Why clients leave.

use std::{fmt, io::ErrorKind};

use keyway_session::CloseReason;

use crate::client::GatewayCode;

/// Why a client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Departure {
    /// It closed its connection, as the end of its process does, too.
    Closed,
    /// It has answered nothing for `dead_after`: its power, its network or its machine is gone.
    Dead,
    /// The gateway ended the session: it stops, or the directory behind it was lost.
    Kicked,
    /// Its connection broke.
    Lost,
    /// It sent what no client may send.
    Refused,
    /// The configuration was changed: who it is has another role now, or none.
    Revoked,
    /// It did not read what it subscribed to.
    SlowConsumer,
}

impl Departure {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Closed, Self::Dead, Self::Kicked, Self::Lost, Self::Refused, Self::Revoked, Self::SlowConsumer];

    /// What the end of a connection means.
    pub fn of(reason: &CloseReason) -> Self {
        match reason {
            CloseReason::Remote => Self::Closed,
            CloseReason::Local => Self::Kicked,
            CloseReason::SlowConsumer => Self::SlowConsumer,
            // The system has asked the peer's machine and heard nothing, or heard that nobody can reach it.
            CloseReason::Io(error) => match error.kind() {
                ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Self::Dead,
                _ => Self::Lost,
            },
            _ => Self::Refused,
        }
    }

    /// As `left` says it, and as a label of metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Dead => "dead",
            Self::Kicked => "kicked",
            Self::Lost => "lost",
            Self::Refused => "refused",
            Self::Revoked => "revoked",
            Self::SlowConsumer => "slow-consumer",
        }
    }

    /// The code of the reason, where the gateway has one.
    pub(crate) const fn code(self) -> Option<&'static str> {
        match self {
            Self::Revoked => Some(GatewayCode::Revoked.code()),
            _ => None,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use super::*;

    fn broken(kind: ErrorKind) -> Departure {
        Departure::of(&CloseReason::Io(Arc::new(io::Error::from(kind))))
    }

    #[test]
    fn silence_is_death_and_a_reset_is_not() {
        assert_eq!(broken(ErrorKind::TimedOut), Departure::Dead);
        assert_eq!(broken(ErrorKind::HostUnreachable), Departure::Dead);
        assert_eq!(broken(ErrorKind::ConnectionReset), Departure::Lost);
    }

    #[test]
    fn who_breaks_the_protocol_is_refused() {
        assert_eq!(Departure::of(&CloseReason::Protocol("?".to_owned())), Departure::Refused);
        assert_eq!(Departure::of(&CloseReason::Remote), Departure::Closed);
        assert_eq!(Departure::of(&CloseReason::Local), Departure::Kicked);
        assert_eq!(Departure::of(&CloseReason::SlowConsumer), Departure::SlowConsumer);
    }

    #[test]
    fn every_departure_has_its_own_place_and_name() {
        for (place, why) in Departure::ALL.into_iter().enumerate() {
            assert_eq!(why.index(), place);
        }
        let names: std::collections::BTreeSet<_> = Departure::ALL.iter().map(|why| why.name()).collect();
        assert_eq!(names.len(), Departure::ALL.len());
    }
}
