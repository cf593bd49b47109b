//! Messages in a row: each a varint with its length, then its postcard bytes.

use bytes::{Buf, BufMut, BytesMut};

use super::{Control, NativeError};

/// The longest message, in bytes. Before authentication, this and the flow-control window bound what a stranger can make wait.
pub const MAX_CONTROL: u32 = 32 << 10;

/// Cuts the control stream into messages.
#[derive(Debug, Default)]
pub struct ControlDecoder {
    buffer: BytesMut,
}

impl ControlDecoder {
    /// A decoder at the start of the stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes that have arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message. Unknown ones are skipped.
    pub fn decode(&mut self) -> Result<Option<Control>, NativeError> {
        loop {
            let (size, rest) = match postcard::take_from_bytes::<u32>(&self.buffer) {
                Ok(found) => found,
                Err(postcard::Error::DeserializeUnexpectedEnd) => return Ok(None),
                Err(_) => return Err(NativeError::BadControl),
            };
            if size > MAX_CONTROL {
                return Err(NativeError::TooLarge { size, limit: MAX_CONTROL });
            }
            let size = size as usize;
            let Some(message) = rest.get(..size) else {
                return Ok(None);
            };
            let decoded = Control::decode(message)?;
            let prefix = self.buffer.len() - rest.len();
            self.buffer.advance(prefix + size);
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            if decoded.is_some() {
                return Ok(decoded);
            }
        }
    }
}

impl Control {
    /// Appends the length and the message. One that is longer than [`MAX_CONTROL`] is refused.
    pub fn encode_into(&self, buffer: &mut BytesMut) -> Result<(), NativeError> {
        let mut message = zeroize::Zeroizing::new(Vec::new());
        postcard::to_io(self, &mut *message).map_err(|_| NativeError::BadControl)?;
        let size = u32::try_from(message.len()).unwrap_or(u32::MAX);
        if size > MAX_CONTROL {
            return Err(NativeError::TooLarge { size, limit: MAX_CONTROL });
        }
        let mut prefix = [0; 5];
        let prefix = postcard::to_slice(&size, &mut prefix).map_err(|_| NativeError::BadControl)?;
        buffer.put_slice(prefix);
        buffer.put_slice(&message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::native::{Held, Hello, Kept, Overflow, Proof, Resume, SecretText, VERSION, Welcome};

    fn bytes_of(message: &Control) -> BytesMut {
        let mut bytes = BytesMut::new();
        message.encode_into(&mut bytes).unwrap();
        bytes
    }

    fn messages() -> Vec<Control> {
        let capabilities = Bytes::from_static(&[0, 0, 0, 0]);
        let welcome = |kept| {
            let capabilities = capabilities.clone();
            Control::Welcome(Welcome { version: VERSION, session: [0x11; 16], capabilities, kept })
        };
        vec![
            Control::Hello(Hello { version: VERSION, capabilities: capabilities.clone(), resumes: true }),
            Control::Authenticate(Proof::Nothing),
            Control::Authenticate(Proof::User { user: "nao".into(), token: SecretText::new("abc".into()) }),
            Control::Challenge { text: "user and token".into() },
            Control::Authenticate(Proof::Token(SecretText::new("abc".into()))),
            welcome(None),
            welcome(Some(Kept { key: Bytes::from_static(&[0xAB, 0xCD]), seconds: 60 })),
            Control::Flow { service: 2, object: 1, action: 300, overflow: Overflow::Latest },
            Control::Resume(Resume {
                key: Bytes::from_static(&[0xAB, 0xCD]),
                held: Held { calls: 300, large: 0, events: vec![(2, 1, 300, 7)] },
            }),
            Control::Resumed { held: Held::default(), key: Bytes::from_static(&[0xEF]) },
            Control::Key { key: Bytes::from_static(&[0xEF]) },
            Control::Acknowledge(Held { calls: 300, ..Held::default() }),
        ]
    }

    #[test]
    fn the_messages_are_written_as_the_document_shows_them() {
        let document = include_str!("../../../../docs/native-protocol.md");
        for message in messages() {
            let text: Vec<_> = bytes_of(&message).iter().map(|byte| format!("{byte:02X}")).collect();
            let text = text.join(" ");
            assert!(document.contains(&format!("`{text}`")), "{message:?} is {text}");
        }
    }

    #[test]
    fn a_message_cut_anywhere_comes_out_whole() {
        let messages = messages();
        let stream: Vec<u8> = messages.iter().flat_map(|message| bytes_of(message).to_vec()).collect();
        let (mut decoder, mut found) = (ControlDecoder::new(), Vec::new());
        for byte in stream {
            decoder.push(&[byte]);
            found.extend(decoder.decode().unwrap());
        }
        assert_eq!(found, messages);
        assert_eq!(decoder.buffer.capacity(), 0);
    }

    #[test]
    fn messages_and_fields_of_later_versions_are_skipped() {
        let mut decoder = ControlDecoder::new();
        decoder.push(&[3, 99, 1, 2]);
        let mut known = bytes_of(&Control::Authenticate(Proof::Nothing));
        known[0] += 2;
        known.extend_from_slice(&[7, 7]);
        decoder.push(&known);
        assert_eq!(decoder.decode(), Ok(Some(Control::Authenticate(Proof::Nothing))));
        assert_eq!(decoder.decode(), Ok(None));
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_before_it_has_arrived() {
        let mut decoder = ControlDecoder::new();
        decoder.push(&[0x81, 0x80, 0x02]);
        assert_eq!(decoder.decode(), Err(NativeError::TooLarge { size: MAX_CONTROL + 1, limit: MAX_CONTROL }));
        let text = "x".repeat(MAX_CONTROL as usize);
        assert!(Control::Challenge { text }.encode_into(&mut BytesMut::new()).is_err());
    }

    #[test]
    fn a_token_is_not_printed() {
        let proof = Proof::User { user: "nao".into(), token: SecretText::new("abc".into()) };
        assert_eq!(format!("{proof:?}"), "User { user: \"nao\", token: <secret> }");
    }

    proptest! {
        #[test]
        fn any_bytes_are_messages_or_refused_or_waited_for(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut decoder = ControlDecoder::new();
            decoder.push(&bytes);
            while let Ok(Some(message)) = decoder.decode() {
                let mut again = ControlDecoder::new();
                again.push(&bytes_of(&message));
                prop_assert_eq!(again.decode(), Ok(Some(message)));
            }
        }
    }
}
