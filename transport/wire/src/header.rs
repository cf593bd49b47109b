//! The 28 bytes in front of every payload (spec 2.1).
//!
//! ```text
//!  0  magic 42 DE AD 42      4  id u32        8  size u32      12  version u16
//! 14  kind u8               15  flags u8     16  service u32   20  object u32   24  action u32
//! ```

use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};

use crate::FrameError;

/// The first four bytes of every frame.
pub const MAGIC: [u8; 4] = [0x42, 0xDE, 0xAD, 0x42];

/// What kind of message a frame is (spec 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Caller to host: run a method.
    Call,
    /// Host to caller: its result.
    Reply,
    /// Host to caller: why there is none.
    Error,
    /// Caller to host: run a method or emit a signal, without an answer.
    Post,
    /// Host to subscriber: a signal was emitted.
    Event,
    /// Either way: capabilities.
    Capability,
    /// Caller to host: stop a call.
    Cancel,
    /// Host to caller: the call was stopped.
    Canceled,
    /// None of these; dropped (spec 2.4).
    Unknown(u8),
}

impl From<u8> for MessageKind {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Call,
            2 => Self::Reply,
            3 => Self::Error,
            4 => Self::Post,
            5 => Self::Event,
            6 => Self::Capability,
            7 => Self::Cancel,
            8 => Self::Canceled,
            other => Self::Unknown(other),
        }
    }
}

impl From<MessageKind> for u8 {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Call => 1,
            MessageKind::Reply => 2,
            MessageKind::Error => 3,
            MessageKind::Post => 4,
            MessageKind::Event => 5,
            MessageKind::Capability => 6,
            MessageKind::Cancel => 7,
            MessageKind::Canceled => 8,
            MessageKind::Unknown(other) => other,
        }
    }
}

/// How the payload is to be read (spec 2.3). Unknown bits are kept and ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// The payload is one dynamic value.
    pub const DYNAMIC_PAYLOAD: Self = Self(1);
    /// The wanted type of the result follows the arguments.
    pub const RETURN_TYPE: Self = Self(2);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other` too.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A frame's header (spec 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// Repeated by the answer of a call.
    pub id: MessageId,
    /// Length of the payload in bytes.
    pub size: u32,
    /// 0.
    pub version: u16,
    /// The kind of message.
    pub kind: MessageKind,
    /// How the payload is to be read.
    pub flags: Flags,
    /// The service.
    pub service: ServiceId,
    /// The object of the service.
    pub object: ObjectId,
    /// The method, signal or property of the object.
    pub action: ActionId,
}

impl Header {
    /// Its length in bytes.
    pub const SIZE: usize = 28;

    /// The bytes.
    #[inline]
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.id.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.size.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.version.to_le_bytes());
        bytes[14] = self.kind.into();
        bytes[15] = self.flags.0;
        bytes[16..20].copy_from_slice(&self.service.0.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.object.0.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.action.0.to_le_bytes());
        bytes
    }

    /// The header in some bytes.
    #[inline]
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Result<Self, FrameError> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if bytes[..4] != MAGIC {
            return Err(FrameError::BadMagic);
        }
        Ok(Self {
            id: MessageId(word(4)),
            size: word(8),
            version: u16::from_le_bytes([bytes[12], bytes[13]]),
            kind: bytes[14].into(),
            flags: Flags(bytes[15]),
            service: ServiceId(word(16)),
            object: ObjectId(word(20)),
            action: ActionId(word(24)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_captured_header_of_an_authentication_is_read_and_written() {
        // The first frame of vector 01.
        let bytes = [0x42, 0xDE, 0xAD, 0x42, 3, 0, 0, 0, 0xA1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0];
        let header = Header::decode(&bytes).unwrap();
        assert_eq!((header.id, header.size, header.kind), (MessageId(3), 161, MessageKind::Call));
        assert_eq!(
            (header.service, header.object, header.action),
            (ServiceId::SERVER, ObjectId::NONE, ActionId::AUTHENTICATE)
        );
        assert_eq!(header.encode(), bytes);
    }

    #[test]
    fn the_magic_is_not_accepted_in_the_other_byte_order() {
        let mut bytes = [0; Header::SIZE];
        bytes[..4].copy_from_slice(&[0x42, 0xAD, 0xDE, 0x42]);
        assert_eq!(Header::decode(&bytes), Err(FrameError::BadMagic));
    }

    #[test]
    fn every_kind_of_message_keeps_its_number() {
        for number in 0..=u8::MAX {
            assert_eq!(u8::from(MessageKind::from(number)), number);
            assert_eq!(matches!(MessageKind::from(number), MessageKind::Unknown(_)), !(1..=8).contains(&number));
        }
    }

    proptest! {
        #[test]
        fn any_header_is_written_as_it_was_read(mut bytes in any::<[u8; Header::SIZE]>()) {
            bytes[..4].copy_from_slice(&MAGIC);
            prop_assert_eq!(Header::decode(&bytes).unwrap().encode(), bytes);
        }
    }
}
