//! The control stream during the handshake: one message after the other.

use bytes::BytesMut;
use keyway_wire::native::{Control, ControlDecoder};
use quinn::{ReadError, RecvStream, SendStream, WriteError};

use super::QuicError;

/// Bytes read at once.
const READ: usize = 4 * 1024;

/// Both directions of a control stream.
pub(super) struct ControlIo {
    pub(super) send: SendStream,
    pub(super) receive: RecvStream,
    pub(super) decoder: ControlDecoder,
}

impl ControlIo {
    pub(super) fn new((send, receive): (SendStream, RecvStream)) -> Self {
        Self { send, receive, decoder: ControlDecoder::new() }
    }

    pub(super) async fn send(&mut self, messages: &[Control]) -> Result<(), QuicError> {
        let mut bytes = BytesMut::new();
        for message in messages {
            message.encode_into(&mut bytes)?;
        }
        self.send.write_all(&bytes).await.map_err(|error| match error {
            WriteError::ConnectionLost(error) => error.into(),
            error => QuicError::Protocol(error.to_string()),
        })
    }

    pub(super) async fn next(&mut self) -> Result<Control, QuicError> {
        loop {
            if let Some(message) = self.decoder.decode()? {
                return Ok(message);
            }
            match self.receive.read_chunk(READ, true).await {
                Ok(Some(chunk)) => self.decoder.push(&chunk.bytes),
                Ok(None) => return Err(QuicError::Protocol("the control stream ended in the handshake".to_owned())),
                Err(ReadError::ConnectionLost(error)) => return Err(error.into()),
                Err(error) => return Err(QuicError::Protocol(error.to_string())),
            }
        }
    }
}
