//! What stands in front of every payload.
//!
//! A postcard struct: integers from 16 bits on are varints, least significant seven bits first.
//!
//! ```text
//! kind u8   flags u8   service u32   object u32   action u32   id u32   sequence u64   size u32
//! ```

use bytes::BytesMut;
use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
use serde::{Deserialize, Serialize};

use super::NativeError;
use crate::{Flags, Header};

/// A header of QiMessaging, as it is written natively, and the frame's number in its order.
///
/// The `version` of the qi header has no place here: it is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NativeHeader {
    /// The number of an event among those of its subscription, from 1 on; 0 for a frame that is not numbered. What is missing
    /// between two events was dropped.
    pub sequence: u64,
    /// The rest. Its `size` is that of the payload that follows.
    pub header: Header,
}

/// The fields in their order.
#[derive(Serialize, Deserialize)]
struct Fields {
    kind: u8,
    flags: u8,
    service: u32,
    object: u32,
    action: u32,
    id: u32,
    sequence: u64,
    size: u32,
}

impl NativeHeader {
    /// The longest it can be, in bytes.
    pub const MAX_SIZE: usize = 2 + 5 * 5 + 10;

    /// Appends the bytes.
    pub fn encode_into(&self, buffer: &mut BytesMut) {
        let header = &self.header;
        let fields = Fields {
            kind: header.kind.into(),
            flags: header.flags.0,
            service: header.service.0,
            object: header.object.0,
            action: header.action.0,
            id: header.id.0,
            sequence: self.sequence,
            size: header.size,
        };
        let mut bytes = [0; Self::MAX_SIZE];
        let written = postcard::to_slice(&fields, &mut bytes);
        // The array has room for the longest.
        debug_assert!(written.is_ok());
        buffer.extend_from_slice(written.as_deref().unwrap_or_default());
    }

    /// The header at the beginning of `bytes` and its length; `None` while it has not arrived whole.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, NativeError> {
        let (fields, rest) = match postcard::take_from_bytes::<Fields>(bytes) {
            Ok(found) => found,
            Err(postcard::Error::DeserializeUnexpectedEnd) if bytes.len() < Self::MAX_SIZE => return Ok(None),
            Err(_) => return Err(NativeError::BadHeader),
        };
        let header = Header {
            id: MessageId(fields.id),
            size: fields.size,
            version: 0,
            kind: fields.kind.into(),
            flags: Flags(fields.flags),
            service: ServiceId(fields.service),
            object: ObjectId(fields.object),
            action: ActionId(fields.action),
        };
        Ok(Some((Self { sequence: fields.sequence, header }, bytes.len() - rest.len())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Frame, MessageKind};

    #[test]
    fn the_header_of_a_call_is_written_as_the_document_shows_it() {
        let payload = keyway_value::Payload::from(vec![0; 9]);
        let call = Frame::call(MessageId(300), ServiceId(2), ObjectId(1), ActionId(108), payload);
        let mut bytes = BytesMut::new();
        NativeHeader { sequence: 0, header: call.header }.encode_into(&mut bytes);
        assert_eq!(bytes[..], [0x01, 0x00, 0x02, 0x01, 0x6C, 0xAC, 0x02, 0x00, 0x09]);
    }

    #[test]
    fn the_longest_header_fits() {
        let header = Header {
            id: MessageId(u32::MAX),
            size: u32::MAX,
            version: 0,
            kind: MessageKind::Unknown(255),
            flags: Flags(255),
            service: ServiceId(u32::MAX),
            object: ObjectId(u32::MAX),
            action: ActionId(u32::MAX),
        };
        let mut bytes = BytesMut::new();
        NativeHeader { sequence: u64::MAX, header }.encode_into(&mut bytes);
        assert_eq!(bytes.len(), NativeHeader::MAX_SIZE);
        for end in 0..bytes.len() {
            assert_eq!(NativeHeader::decode(&bytes[..end]), Ok(None));
        }
        let decoded = NativeHeader::decode(&bytes).unwrap().unwrap();
        assert_eq!(decoded, (NativeHeader { sequence: u64::MAX, header }, bytes.len()));
    }

    #[test]
    fn a_number_that_does_not_end_is_refused() {
        assert_eq!(NativeHeader::decode(&[0x80; NativeHeader::MAX_SIZE]), Err(NativeError::BadHeader));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_refused_or_waited_for(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(Some((header, length))) = NativeHeader::decode(&bytes) {
                prop_assert!(length <= NativeHeader::MAX_SIZE);
                let mut written = BytesMut::new();
                header.encode_into(&mut written);
                prop_assert!(written.len() <= length);
                prop_assert_eq!(NativeHeader::decode(&written).unwrap().unwrap(), (header, written.len()));
            }
        }
    }
}
