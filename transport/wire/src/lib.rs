//! QiMessaging frames: headers, whole messages, an incremental decoder with limits, and the URLs of peers (spec 1, 2).
//!
//! What goes over the streams of QUIC instead is in [`native`].
//!
//! No I/O: bytes go in, [`Frame`]s come out. What frames mean is `keyway-session`'s; who moves them is `keyway-pipe`'s.
//!
//! ```
//! use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
//! use keyway_wire::{Frame, FrameDecoder, FrameLimits};
//!
//! let call = Frame::call(MessageId(7), ServiceId(1), ObjectId(1), ActionId(108), Payload::new());
//! let mut bytes = bytes::BytesMut::from(&call.to_bytes()[..]);
//! let mut decoder = FrameDecoder::new(FrameLimits::default());
//! assert_eq!(decoder.decode(&mut bytes)?.unwrap().header.id, MessageId(7));
//! # Ok::<(), keyway_wire::FrameError>(())
//! ```

mod decoder;
mod endpoint;
mod frame;
mod header;
mod message_ids;
pub mod native;
mod url;

pub use decoder::{FrameDecoder, FrameError, FrameLimits};
pub use endpoint::{Endpoint, EndpointError};
pub use frame::Frame;
pub use header::{Flags, Header, MAGIC, MessageKind};
pub use message_ids::MessageIds;
pub use url::{DEFAULT_PORT, Url};
