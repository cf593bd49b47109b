//! Why a connection was closed, as the other side is told.

use std::fmt;

/// Application error code of QUIC's CONNECTION_CLOSE. The text beside it is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u32);

impl CloseCode {
    /// The session is over; nothing is wrong.
    pub const DONE: Self = Self(0);
    /// The other side did not follow the protocol.
    pub const PROTOCOL: Self = Self(1);
    /// The other side speaks no version that this one does.
    pub const VERSION: Self = Self(2);
    /// The credentials are refused; the same ones will be again.
    pub const REFUSED: Self = Self(3);
    /// Nobody proved who they are in time.
    pub const TIMEOUT: Self = Self(4);
    /// A message is larger than is accepted.
    pub const TOO_LARGE: Self = Self(5);
    /// The other side does not read what it is sent.
    pub const SLOW_CONSUMER: Self = Self(6);
    /// Too many connections or attempts: come again later.
    pub const BUSY: Self = Self(7);
    /// This side is being stopped or restarted: connect again, with the resume key if there is one.
    pub const GOING_AWAY: Self = Self(8);
    /// The session goes on over another connection.
    pub const REPLACED: Self = Self(9);
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::DONE => "done",
            Self::PROTOCOL => "protocol violation",
            Self::VERSION => "no common version",
            Self::REFUSED => "refused",
            Self::TIMEOUT => "not authenticated in time",
            Self::TOO_LARGE => "too large",
            Self::SLOW_CONSUMER => "slow consumer",
            Self::BUSY => "busy",
            Self::GOING_AWAY => "going away",
            Self::REPLACED => "replaced",
            Self(code) => return write!(f, "code {code}"),
        })
    }
}
