//! Unix domain sockets.

use std::{
    io,
    io::IoSlice,
    net::Shutdown,
    task::{Context, Poll},
};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::{io::Interest, net::UnixStream};

use super::{Carrier, PeerAddress, read_to_the_edge};

/// A connection over a Unix domain socket.
#[derive(Debug)]
pub struct UnixCarrier {
    stream: UnixStream,
    peer: PeerAddress,
}

impl UnixCarrier {
    /// Takes over a connected stream.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let address = stream.peer_addr()?;
        let path = address.as_pathname().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { stream, peer: PeerAddress::Unix(path.into()) })
    }
}

impl Carrier for UnixCarrier {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(context)
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        read_to_the_edge(
            buffer,
            |read| self.stream.try_io(Interest::READABLE, read),
            |buffer| self.stream.try_read_buf(buffer),
        )
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(context)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            [slice] => self.stream.try_write(slice),
            slices => self.stream.try_write_vectored(slices),
        }
    }

    fn shutdown(&self) {
        // Fails only when the peer is gone already, which is what is wanted.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }
}
