//! The native protocol: what goes over the streams of a QUIC connection (`docs/native-protocol.md`).
//!
//! Headers and control messages are postcard; payloads are those of QiMessaging and pass between native and qi peers untouched.
//! The first bidirectional stream is the [control](Control) stream. All other streams are unidirectional: one byte that says
//! what the stream is ([`StreamKind`]), then frames, each a [`NativeHeader`] and its payload.
//!
//! ```
//! use bytes::BytesMut;
//! use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
//! use keyway_wire::{Frame, native::{NativeDecoder, NativeHeader}};
//!
//! let call = Frame::call(MessageId(7), ServiceId(1), ObjectId(1), ActionId(108), Payload::from(vec![1, 2]));
//! let mut stream = BytesMut::new();
//! NativeHeader { sequence: 0, header: call.header }.encode_into(&mut stream);
//! stream.extend_from_slice(&[1, 2]);
//! let mut decoder = NativeDecoder::new();
//! decoder.push(&stream);
//! assert_eq!(decoder.decode(64)?, Some((0, call)));
//! # Ok::<(), keyway_wire::native::NativeError>(())
//! ```

mod close_code;
mod control;
mod control_stream;
mod decoder;
mod header;
mod secret;

pub use close_code::CloseCode;
pub use control::{Control, Held, Hello, Kept, Overflow, Proof, Resume, Welcome};
pub use control_stream::{ControlDecoder, MAX_CONTROL};
pub use decoder::NativeDecoder;
pub use header::NativeHeader;
pub use secret::SecretText;

/// The protocol's name in the TLS handshake (ALPN). A change that older peers do not survive gets another.
pub const ALPN: &[u8] = b"keyway/1";
/// The version in [`Hello`]; a server answers with the lower of its own and the client's.
pub const VERSION: u32 = 1;

/// What a unidirectional stream carries: its first byte.
///
/// A stream of another kind is refused (STOP_SENDING) and otherwise ignored, so that kinds may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum StreamKind {
    /// Calls, posts, cancels and answers.
    Calls = 0,
    /// The events of a subscription.
    Events = 1,
    /// One large call, post or answer; then the stream ends.
    Large = 2,
}

impl StreamKind {
    /// The kind with this number, if there is one.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Calls),
            1 => Some(Self::Events),
            2 => Some(Self::Large),
            _ => None,
        }
    }
}

/// Bytes that are not of the native protocol: the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NativeError {
    /// A header that no encoder writes.
    #[error("the bytes are no header of the native protocol")]
    BadHeader,
    /// A control message that no encoder writes.
    #[error("the bytes are no control message of the native protocol")]
    BadControl,
    /// More than is accepted.
    #[error("{size} bytes are announced, {limit} are allowed")]
    TooLarge {
        /// Announced.
        size: u32,
        /// Allowed.
        limit: u32,
    },
}
