//! Headers and bodies from connections of strangers: memory is taken for what came, not for what was announced.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

use crate::tcpros::{Header, HeaderError, MAX_HEADER};

/// What does not come as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReadError {
    /// The connection broke, or ended within something.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The fields are none.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// More than anybody needs.
    #[error("a message of {size} bytes is refused; the limit is {limit}")]
    TooLarge {
        /// As announced.
        size: usize,
        /// What would be read.
        limit: usize,
    },
    /// It takes too long.
    #[error("the header did not come within {PATIENCE:?}")]
    Late,
}

/// How long a header may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The header that a connection begins with.
pub(crate) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> Result<Header, ReadError> {
    let read = async {
        let size = stream.read_u32_le().await? as usize;
        if size > MAX_HEADER {
            return Err(HeaderError::TooLarge(size).into());
        }
        Ok(Header::parse(&read_body(stream, size).await?)?)
    };
    timeout(PATIENCE, read).await.map_err(|_| ReadError::Late)?
}

/// The next message; `None` when the other end has closed between two messages.
pub(crate) async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> Result<Option<Bytes>, ReadError> {
    let mut length = [0; 4];
    match stream.read(&mut length).await? {
        0 => return Ok(None),
        read => stream.read_exact(&mut length[read..]).await?,
    };
    let size = u32::from_le_bytes(length) as usize;
    if size > limit {
        return Err(ReadError::TooLarge { size, limit });
    }
    Ok(Some(read_body(stream, size).await?))
}

async fn read_body(stream: &mut (impl AsyncRead + Unpin), size: usize) -> Result<Bytes, io::Error> {
    let mut body = BytesMut::with_capacity(size.min(CHUNK));
    let mut rest = stream.take(size as u64);
    while body.len() < size {
        body.reserve((size - body.len()).min(CHUNK));
        if rest.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(body.freeze())
}

const CHUNK: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_read_whole_or_not_at_all() {
        let mut bytes = &b"\x02\0\0\0ab\0\0\0\0"[..];
        assert_eq!(read_message(&mut bytes, 10).await.unwrap().unwrap()[..], b"ab"[..]);
        assert_eq!(read_message(&mut bytes, 10).await.unwrap().unwrap()[..], b""[..]);
        assert!(read_message(&mut bytes, 10).await.unwrap().is_none());
        let mut large = &b"\xff\xff\xff\xff"[..];
        assert!(matches!(read_message(&mut large, 10).await, Err(ReadError::TooLarge { .. })));
        let mut cut_off = &b"\x02\0\0\0a"[..];
        assert!(matches!(read_message(&mut cut_off, 10).await, Err(ReadError::Io(_))));
    }

    #[tokio::test]
    async fn a_header_that_is_too_large_is_not_read() {
        let mut large = &b"\0\0\x02\0aaaa"[..];
        let error = read_header(&mut large).await.unwrap_err();
        assert!(matches!(error, ReadError::Header(HeaderError::TooLarge(131_072))), "{error}");
    }
}
