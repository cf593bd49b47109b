//! TLS over TCP.

use std::{
    fmt,
    future::poll_fn,
    io::{self, BufRead, IoSlice, Read, Write},
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use rustls::{ServerConfig, pki_types::CertificateDer};

use super::{Carrier, PeerAddress, TcpCarrier};
use crate::{
    scratch,
    tls::{HandshakeError, TlsClient},
};

/// What a peer may send before the handshake is done.
const HANDSHAKE_BYTES: usize = 64 * 1024;
/// What is encrypted before the socket has taken it.
const ENCRYPTED: usize = 64 * 1024;
/// A larger buffer of the TLS library is given back once it is empty.
const KEPT: usize = 4 * 1024;

/// A TLS connection.
///
/// The handshake of an accepted one is done by reading: until then there is nothing to read, and nothing can be written. What has been
/// encrypted and does not fit the socket stays here, but the last byte of it is reported as written only with the socket's having taken
/// all: a writer that has written everything may close.
pub struct TlsCarrier {
    tcp: TcpCarrier,
    peer: PeerAddress,
    state: Mutex<State>,
}

struct State {
    tls: rustls::Connection,
    /// Received and not decrypted, for want of room where it was to go.
    encrypted: BytesMut,
    /// Decrypted bytes wait for the same reason.
    decrypted: bool,
    /// What the peer may still send before the handshake is done.
    handshake_room: usize,
    /// The first byte that will be given to be written has been encrypted already.
    held: bool,
    /// Nothing more comes.
    ended: bool,
    /// Nothing more comes, for this reason, to be told once.
    failure: Option<io::Error>,
    /// Waits to write until the handshake is done.
    writer: Option<Waker>,
}

impl TlsCarrier {
    /// The side that was connected to. The handshake is still to be done.
    pub(crate) fn accepted(tcp: TcpCarrier, config: Arc<ServerConfig>) -> io::Result<Self> {
        let tls = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(Self::new(tcp, tls.into()))
    }

    /// Takes over a connected stream, and does the handshake with the server at its other end, which is believed to be `host` as far as
    /// `settings` say. Takes as long as the server takes.
    pub(crate) async fn connected(tcp: TcpCarrier, settings: &TlsClient, host: &str) -> io::Result<Self> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        let carrier = Self::new(tcp, settings.connection(host).map_err(invalid)?.into());
        poll_fn(|context| carrier.poll_handshake(context)).await.map_err(|error| {
            let tls_error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match tls_error {
                Some(tls_error) => io::Error::new(io::ErrorKind::InvalidData, HandshakeError::new(host, tls_error)),
                None if is_end(&error) => io::Error::new(error.kind(), HandshakeError::hung_up(host)),
                None => error,
            }
        })?;
        Ok(carrier)
    }

    fn new(tcp: TcpCarrier, mut tls: rustls::Connection) -> Self {
        tls.set_buffer_limit(Some(ENCRYPTED));
        let peer = match tcp.peer() {
            PeerAddress::Tcp(address) => PeerAddress::Tls(*address),
            other => other.clone(),
        };
        let state = State {
            tls,
            encrypted: BytesMut::new(),
            decrypted: false,
            handshake_room: HANDSHAKE_BYTES,
            held: false,
            ended: false,
            failure: None,
            writer: None,
        };
        Self { tcp, peer, state: Mutex::new(state) }
    }

    fn poll_handshake(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.state.lock().tls.is_handshaking() {
                // The last message leaves now; what the socket does not take goes with the first frame.
                return Poll::Ready(self.state.lock().flush(&self.tcp).map(|_| ()));
            }
            ready!(self.poll_read_ready(context))?;
            // What comes behind the handshake waits in the state.
            let mut no_room = BytesMut::new();
            match self.try_read(&mut no_room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(_) => {}
            }
        }
    }
}

impl Carrier for TlsCarrier {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        // Answers of the TLS library's own: handshake, alerts, new keys.
        // That they cannot be written is for who writes to say: what the peer has said before it went away is read.
        while let Ok(false) = state.flush(&self.tcp) {
            if !matches!(self.tcp.poll_write_ready(context), Poll::Ready(Ok(()))) {
                break;
            }
        }
        if state.decrypted || state.ended || state.failure.is_some() || !state.encrypted.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.tcp.poll_read_ready(context)
    }

    fn try_read(&self, buffer: &mut BytesMut) -> io::Result<usize> {
        let mut state = self.state.lock();
        let outcome = state.read(&self.tcp, buffer);
        let writer = if state.tls.is_handshaking() { None } else { state.writer.take() };
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        outcome
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        if state.tls.is_handshaking() {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        while !state.flush(&self.tcp)? {
            ready!(self.tcp.poll_write_ready(context))?;
        }
        self.tcp.poll_write_ready(context)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.state.lock().write(&self.tcp, slices)
    }

    fn shutdown(&self) {
        let mut state = self.state.lock();
        state.tls.send_close_notify();
        // The end of the stream says the same.
        let _ = state.flush(&self.tcp);
        self.tcp.shutdown();
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    fn local(&self) -> Option<SocketAddr> {
        self.tcp.local()
    }

    fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        let state = self.state.lock();
        // Before the end of the handshake nobody has shown that the key is theirs.
        let chain = if state.tls.is_handshaking() { None } else { state.tls.peer_certificates() };
        chain.map_or_else(Vec::new, <[_]>::to_vec)
    }
}

impl State {
    /// Writes what is encrypted, and says whether that was all of it.
    fn flush(&mut self, tcp: &TcpCarrier) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut Socket(tcp)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn write(&mut self, tcp: &TcpCarrier, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.tls.is_handshaking() || !self.flush(tcp)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut taken = 0;
        if self.held {
            // Everything before is with the socket now, and this byte too.
            taken = 1;
            self.held = false;
            let mut rest = slices.to_vec();
            let mut rest = &mut rest[..];
            IoSlice::advance_slices(&mut rest, 1);
            if !rest.is_empty() {
                taken += self.tls.writer().write_vectored(rest)?;
            }
        } else {
            taken += self.tls.writer().write_vectored(slices)?;
        }
        if self.flush(tcp)? {
            return Ok(taken);
        }
        self.held = true;
        match taken - 1 {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            reported => Ok(reported),
        }
    }

    fn read(&mut self, tcp: &TcpCarrier, buffer: &mut BytesMut) -> io::Result<usize> {
        let before = buffer.len();
        self.hand_over(buffer)?;
        if buffer.len() == before && !self.decrypted && !self.ended {
            self.receive(tcp, buffer)?;
        }
        match buffer.len() - before {
            0 => {}
            length => return Ok(length),
        }
        match self.failure.take() {
            Some(failure) => Err(failure),
            None if self.ended => Ok(0),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Reads once, and decrypts what has come.
    fn receive(&mut self, tcp: &TcpCarrier, buffer: &mut BytesMut) -> io::Result<()> {
        if !self.encrypted.is_empty() {
            let mut encrypted = std::mem::take(&mut self.encrypted);
            let digested = self.digest(&encrypted, buffer);
            encrypted.advance(digested);
            if !encrypted.is_empty() {
                self.encrypted = encrypted;
            }
        } else {
            let mut encrypted = scratch::ENCRYPTED.take();
            match tcp.try_read(&mut encrypted) {
                Ok(0) => {
                    self.ended = true;
                    if self.tls.is_handshaking() {
                        self.failure = Some(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Ok(_) => {
                    let digested = self.digest(&encrypted, buffer);
                    self.encrypted = BytesMut::from(&encrypted[digested..]);
                    if encrypted.len() > KEPT {
                        // Lets the TLS library shrink its buffer.
                        let _ = self.tls.read_tls(&mut Nothing);
                    }
                }
                Err(error) => {
                    scratch::ENCRYPTED.put(encrypted);
                    return Err(error);
                }
            }
            scratch::ENCRYPTED.put(encrypted);
        }
        // The answers: of the handshake, or an alert that says what was wrong.
        // That they cannot be written is seen by who reads on or writes.
        let _ = self.flush(tcp);
        Ok(())
    }

    /// Decrypts as much as there is room for, and says how much that was.
    fn digest(&mut self, encrypted: &[u8], buffer: &mut BytesMut) -> usize {
        let mut rest = encrypted;
        while !rest.is_empty() && !self.decrypted {
            let handshaking = self.tls.is_handshaking();
            if let Err(error) = self.digest_once(&mut rest, handshaking).and_then(|()| self.hand_over(buffer)) {
                self.failure = Some(error);
                self.ended = true;
            }
            if self.ended {
                return encrypted.len();
            }
        }
        encrypted.len() - rest.len()
    }

    fn digest_once(&mut self, rest: &mut &[u8], handshaking: bool) -> io::Result<()> {
        let length = self.tls.read_tls(rest)?;
        if handshaking {
            let too_much = || io::Error::new(io::ErrorKind::InvalidData, "the TLS handshake is too long");
            self.handshake_room = self.handshake_room.checked_sub(length).ok_or_else(too_much)?;
        }
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let state = self.tls.process_new_packets().map_err(invalid)?;
        self.ended |= state.peer_has_closed() || length == 0;
        Ok(())
    }

    /// Passes on what is decrypted, as much as there is room for.
    fn hand_over(&mut self, buffer: &mut BytesMut) -> io::Result<()> {
        loop {
            let mut reader = self.tls.reader();
            let chunk = match reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => &[],
                Err(error) => return Err(error),
            };
            let room = buffer.capacity() - buffer.len();
            self.decrypted = room == 0 && !chunk.is_empty();
            let length = chunk.len().min(room);
            if length == 0 {
                return Ok(());
            }
            buffer.extend_from_slice(&chunk[..length]);
            reader.consume(length);
        }
    }
}

impl fmt::Debug for TlsCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsCarrier").field("peer", &self.peer).finish_non_exhaustive()
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// The socket as the TLS library writes to it.
struct Socket<'a>(&'a TcpCarrier);

impl Write for Socket<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.try_write_vectored(&[IoSlice::new(buffer)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has nothing to be read.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
