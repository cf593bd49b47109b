//! TCP.

use std::{
    io,
    io::IoSlice,
    net::{Shutdown, SocketAddr},
    task::{Context, Poll},
};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream};

use super::{Carrier, PeerAddress, read_to_the_edge};
use crate::SocketOptions;

/// A TCP connection.
#[derive(Debug)]
pub struct TcpCarrier {
    stream: TcpStream,
    peer: PeerAddress,
}

impl TcpCarrier {
    /// Takes over a connected stream and sets the options of spec 1.14 on it.
    pub fn new(stream: TcpStream, options: &SocketOptions) -> io::Result<Self> {
        options.apply(&SockRef::from(&stream))?;
        let peer = PeerAddress::Tcp(stream.peer_addr()?);
        Ok(Self { stream, peer })
    }
}

impl Carrier for TcpCarrier {
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

    fn local(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok()
    }
}
