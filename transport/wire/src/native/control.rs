//! What the two ends say to each other on the control stream.

use bytes::Bytes;
use keyway_value::{ActionId, ObjectId, ServiceId};
use serde::{Deserialize, Serialize};

use super::{NativeError, SecretText};

/// A message of the control stream.
///
/// The number of a variant is its place here, and never changes; new ones are added at the end. Fields may be added at the end of
/// a message: who does not know them ignores them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Control {
    /// 0: the client's first message.
    Hello(Hello),
    /// 1: the server wants (other) credentials; the text is for people. The client answers with another `Authenticate`.
    Challenge {
        /// What is wanted.
        text: String,
    },
    /// 2: the client's second message, sent right behind the first, and its answer to every challenge.
    Authenticate(Proof),
    /// 3: the server lets the client in. Only now either side opens other streams.
    Welcome(Welcome),
    /// 4: a subscriber says what is to happen with a signal's events that it does not take fast enough. Best sent before it
    /// subscribes.
    Flow {
        /// The service.
        service: u32,
        /// The object of the service.
        object: u32,
        /// The signal or property.
        action: u32,
        /// What happens.
        overflow: Overflow,
    },
    /// 5: instead of the first `Authenticate`: the client goes on with a session whose connection was lost. The server answers with
    /// `Resumed`; with `Welcome` if it believes the key and knows nothing of the session any more; or with `Challenge` if it
    /// does not believe the key.
    Resume(Resume),
    /// 6: the session goes on. Each side now sends again what the other has not.
    Resumed {
        /// What the server has.
        held: Held,
        /// The key for the next time.
        key: Bytes,
    },
    /// 7: the server gives a newer key, which makes those before it worthless.
    Key {
        /// Sealed: nobody but the server can read it.
        key: Bytes,
    },
    /// 8: what has arrived, and need not be kept any more. Of the signals only those with news.
    Acknowledge(Held),
}

/// What one side has received of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// All frames of calls streams up to this number.
    pub calls: u64,
    /// All large frames up to this number.
    pub large: u64,
    /// The number of the last event of each signal: service, object, action. The action is 0 for those of service 1, which share
    /// a stream.
    pub events: Vec<(u32, u32, u32, u64)>,
}

/// A client that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The last key the server gave.
    pub key: Bytes,
    /// What the client has.
    pub held: Held,
}

/// The client's first message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The highest version the client speaks.
    pub version: u32,
    /// Its capabilities, encoded as in a Capability frame of QiMessaging (`{sm}`).
    pub capabilities: Bytes,
    /// Whether it wants to come back to the session when its connection is lost.
    pub resumes: bool,
}

/// How a client proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Proof {
    /// 0: by the certificate of the TLS handshake, or not at all.
    Nothing,
    /// 1: by a token.
    Token(SecretText),
    /// 2: by a user's name and a token or password.
    User {
        /// The name.
        user: String,
        /// The token or password.
        token: SecretText,
    },
}

/// The client is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version spoken from now on.
    pub version: u32,
    /// Names the session in logs and to `presence`. It opens nothing.
    pub session: [u8; 16],
    /// The server's capabilities, encoded as the client's.
    pub capabilities: Bytes,
    /// How the client comes back, if the session is kept.
    pub kept: Option<Kept>,
}

/// A session that outlives its connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What the client shows when it comes back. Sealed: nobody but the server can read it.
    pub key: Bytes,
    /// For how many seconds the session is kept without a connection.
    pub seconds: u32,
}

/// What happens with events for which a subscriber has no room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Overflow {
    /// 0: they wait, until the connection's whole queue is full; then it is closed as a slow consumer's.
    #[default]
    Block,
    /// 1: up to 256 of them and 1 MiB wait; the oldest make room.
    DropOldest,
    /// 2: one waits, the latest.
    Latest,
}

impl Control {
    /// The message in some bytes; `None` for one of a kind that is not known here, which is to be ignored.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, NativeError> {
        match postcard::take_from_bytes(bytes) {
            Ok((message, _)) => Ok(Some(message)),
            Err(_) => match postcard::take_from_bytes::<u32>(bytes) {
                Ok((number, _)) if number >= KINDS => Ok(None),
                _ => Err(NativeError::BadControl),
            },
        }
    }

    /// A [`Flow`](Self::Flow) for one signal.
    pub const fn flow(service: ServiceId, object: ObjectId, action: ActionId, overflow: Overflow) -> Self {
        Self::Flow { service: service.0, object: object.0, action: action.0, overflow }
    }
}

/// How many variants [`Control`] has.
const KINDS: u32 = 9;
