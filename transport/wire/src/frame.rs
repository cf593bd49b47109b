//! Whole messages.

use bytes::{BufMut, Bytes, BytesMut};
use keyway_value::{ActionId, Encoder, MessageId, ObjectId, Payload, ServiceId, Signature};

use crate::{Flags, Header, MessageKind};

/// A header and its payload. The header's `size` is that of the payload whenever a frame is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Who, what, which way.
    pub header: Header,
    /// The value.
    pub payload: Payload,
}

macro_rules! addressed {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(id: MessageId, service: ServiceId, object: ObjectId, action: ActionId, payload: Payload) -> Self {
            Self::new(MessageKind::$kind, id, service, object, action, payload)
        }
    )*};
}

impl Frame {
    /// A frame of any kind.
    pub fn new(
        kind: MessageKind,
        id: MessageId,
        service: ServiceId,
        object: ObjectId,
        action: ActionId,
        payload: Payload,
    ) -> Self {
        let size = size_of(&payload);
        let header = Header { id, size, version: 0, kind, flags: Flags::default(), service, object, action };
        Self { header, payload }
    }

    addressed! {
        /// A Call.
        call => Call;
        /// A Post.
        post => Post;
        /// An Event.
        event => Event;
    }

    /// A Capability frame (spec 5.2).
    pub fn capability(id: MessageId, payload: Payload) -> Self {
        Self::new(MessageKind::Capability, id, ServiceId::SERVER, ObjectId::NONE, ActionId(0), payload)
    }

    /// A Cancel of `call`, to where the call went (spec 8.5).
    pub fn cancel(id: MessageId, service: ServiceId, object: ObjectId, call: MessageId) -> Self {
        let payload = Bytes::copy_from_slice(&call.0.to_le_bytes()).into();
        Self::new(MessageKind::Cancel, id, service, object, ActionId(0), payload)
    }

    /// The result of a call.
    pub fn reply_to(call: &Header, payload: Payload) -> Self {
        Self::answer(MessageKind::Reply, call, payload)
    }

    /// The failure of a call: a dynamic that holds the text (spec 2.5).
    pub fn error_to(call: &Header, text: &str) -> Self {
        let mut encoder = Encoder::new();
        encoder.write_signature(&Signature::string());
        // Texts are made here or came in a frame: never longer than a count can say.
        let written = encoder.write_str(text.as_bytes());
        debug_assert!(written.is_ok());
        Self::answer(MessageKind::Error, call, encoder.finish())
    }

    /// The answer to a call that was stopped.
    pub fn canceled_to(call: &Header) -> Self {
        Self::answer(MessageKind::Canceled, call, Payload::new())
    }

    fn answer(kind: MessageKind, call: &Header, payload: Payload) -> Self {
        Self::new(kind, call.id, call.service, call.object, call.action, payload)
    }

    /// The same frame with these flags; only for peers that understand them (spec 2.7).
    #[must_use]
    pub const fn with_flags(mut self, flags: Flags) -> Self {
        self.header.flags = flags;
        self
    }

    /// The payload of a received frame, which is in one piece.
    pub const fn payload_bytes(&self) -> &Bytes {
        self.payload.first()
    }

    /// Appends the frame's bytes.
    pub fn encode_into(&self, buffer: &mut BytesMut) {
        buffer.reserve(Header::SIZE + self.payload.len());
        buffer.put_slice(&Header { size: size_of(&self.payload), ..self.header }.encode());
        self.payload.chunks().for_each(|chunk| buffer.put_slice(chunk));
    }

    /// The frame's bytes in one piece.
    pub fn to_bytes(&self) -> Bytes {
        let mut buffer = BytesMut::new();
        self.encode_into(&mut buffer);
        buffer.freeze()
    }
}

/// The largest payload is one byte short of 4 GiB; encoders refuse more long before.
fn size_of(payload: &Payload) -> u32 {
    u32::try_from(payload.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Header {
        Frame::call(MessageId(9), ServiceId(3), ObjectId(4), ActionId(105), Payload::new()).header
    }

    #[test]
    fn answers_repeat_id_and_address_of_their_call() {
        for answer in
            [Frame::reply_to(&call(), Payload::new()), Frame::error_to(&call(), "no"), Frame::canceled_to(&call())]
        {
            let header = answer.header;
            assert_eq!(
                (header.id, header.service, header.object, header.action, header.version),
                (MessageId(9), ServiceId(3), ObjectId(4), ActionId(105), 0)
            );
        }
    }

    #[test]
    fn an_error_is_a_dynamic_that_holds_a_string() {
        let error = Frame::error_to(&call(), "hello");
        assert_eq!(&error.payload.into_bytes()[..], b"\x01\0\0\0s\x05\0\0\0hello");
    }

    #[test]
    fn a_cancel_carries_the_id_of_its_call() {
        let cancel = Frame::cancel(MessageId(127), ServiceId(3), ObjectId(1), MessageId(126));
        // As in vector 12.
        assert_eq!(cancel.payload_bytes()[..], [126, 0, 0, 0]);
        assert_eq!(cancel.header.action, ActionId(0));
    }

    #[test]
    fn the_written_size_is_that_of_the_payload() {
        let mut frame = Frame::reply_to(&call(), Payload::from(vec![1, 2, 3]));
        frame.header.size = 77;
        assert_eq!(frame.to_bytes()[8..12], [3, 0, 0, 0]);
    }

    #[test]
    fn frames_are_coalesced_one_after_the_other() {
        let (first, second) = (Frame::error_to(&call(), "a"), Frame::canceled_to(&call()));
        let mut buffer = BytesMut::new();
        first.encode_into(&mut buffer);
        second.encode_into(&mut buffer);
        assert_eq!(buffer, [first.to_bytes(), second.to_bytes()].concat());
    }
}
