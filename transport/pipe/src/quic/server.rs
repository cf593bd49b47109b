//! Accepting by QUIC.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use keyway_wire::{
    Url,
    native::{CloseCode, Control, Hello, Proof, VERSION, Welcome},
};
use quinn::{VarInt, crypto::rustls::QuicServerConfig};

use super::{
    Lanes, QuicDriver, QuicError, QuicOptions, STREAMS, WINDOW, control_io::ControlIo, error::close, runtime,
    udp_socket,
};
use crate::{
    PeerAddress, QueueLimits, Sender, TlsServer,
    resolve::{addresses, interface_addresses},
};

/// Handshakes under way from which on a client has to show that it receives at the address it sends from (a Retry, one round
/// trip more), so that nobody makes this machine work with packets of invented origin.
const TRUSTING: usize = 64;
/// Handshakes that wait to be taken on.
const MAX_INCOMING: usize = 4096;
/// Bytes of one of those.
const INCOMING_BYTES: u64 = 16 << 10;
/// Bytes of all of those.
const ALL_INCOMING_BYTES: u64 = 16 << 20;
/// Proofs a client may try on one connection.
const MAX_ATTEMPTS: u32 = 16;

/// A socket that listens on `quic://host:port`. Within a tokio runtime.
pub struct QuicListener {
    endpoint: quinn::Endpoint,
    url: Url,
    options: QuicOptions,
    handshakes: Arc<AtomicUsize>,
}

/// A client that has sent its first packet.
pub struct QuicIncoming {
    incoming: quinn::Incoming,
    options: QuicOptions,
    _under_way: UnderWay,
}

/// A client that wants to be let in: to be judged, and then welcomed or refused.
pub struct QuicRequest {
    connection: quinn::Connection,
    lanes: Arc<Lanes>,
    sender: Sender,
    control: ControlIo,
    hello: Hello,
    proof: Proof,
    attempts: u32,
    options: QuicOptions,
    _under_way: UnderWay,
}

/// Counts one handshake.
struct UnderWay(Arc<AtomicUsize>);

impl QuicListener {
    /// Listens on `url`; port 0 takes a free port.
    pub async fn bind(url: &Url, tls: &TlsServer, options: QuicOptions) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, format!("'{url}' is no quic://host:port"));
        let (Some(host), Some(port), true) = (url.host.as_deref(), url.port, url.is_quic()) else {
            return Err(invalid());
        };
        let crypto = QuicServerConfig::try_from(tls.quic()).map_err(io::Error::other)?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        config
            .transport_config(options.of_server())
            .max_incoming(MAX_INCOMING)
            .incoming_buffer_size(INCOMING_BYTES)
            .incoming_buffer_size_total(ALL_INCOMING_BYTES);
        let mut failure = None;
        for address in addresses(host, port, options.ipv6).await? {
            match udp_socket(address) {
                Ok(socket) => {
                    let configuration = quinn::EndpointConfig::default();
                    let endpoint = quinn::Endpoint::new(configuration, Some(config), socket, runtime())?;
                    let url = Url { port: Some(endpoint.local_addr()?.port()), ..url.clone() };
                    return Ok(Self { endpoint, url, options, handshakes: Arc::default() });
                }
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
    }

    /// Waits for the next client; `None` when the listener is [closed](Self::close).
    pub async fn accept(&self) -> Option<QuicIncoming> {
        loop {
            let incoming = self.endpoint.accept().await?;
            let busy = self.handshakes.load(Ordering::Relaxed) >= TRUSTING;
            if busy && incoming.may_retry() && !incoming.remote_address_validated() {
                // Refused only for those that cannot be asked to retry.
                let _ = incoming.retry();
                continue;
            }
            let under_way = UnderWay::new(&self.handshakes);
            return Some(QuicIncoming { incoming, options: self.options.clone(), _under_way: under_way });
        }
    }

    /// The URL listened on, with the port obtained.
    pub const fn local_url(&self) -> &Url {
        &self.url
    }

    /// The address of the socket.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// The URLs to tell clients: the one listened on, or one for each IPv4 interface when that is `0.0.0.0`.
    pub fn endpoints(&self) -> io::Result<Vec<Url>> {
        if !self.local_address()?.ip().is_unspecified() {
            return Ok(vec![self.url.clone()]);
        }
        let on = |ip: Ipv4Addr| Url { host: Some(ip.to_string()), ..self.url.clone() };
        Ok(interface_addresses()?.into_iter().map(on).collect())
    }

    /// Accepts nobody any more, and tells all clients that it goes away.
    pub fn close(&self) {
        self.endpoint.close(VarInt::from_u32(CloseCode::GOING_AWAY.0), b"the server is being stopped");
    }
}

impl QuicIncoming {
    /// Where it comes from.
    pub fn peer(&self) -> PeerAddress {
        PeerAddress::Quic(self.incoming.remote_address())
    }

    /// Turns it away before anything was done for it.
    pub fn refuse(self) {
        self.incoming.refuse();
    }

    /// Does the TLS handshake and hears who the client says it is, within [`QuicOptions::handshake_timeout`].
    pub async fn handshake(self, limits: QueueLimits) -> Result<QuicRequest, QuicError> {
        let Self { incoming, options, _under_way } = self;
        let host = incoming.remote_address().to_string();
        let limit = options.handshake_timeout;
        let deadline = tokio::time::Instant::now() + limit;
        let connecting = incoming.accept()?;
        let connection = match tokio::time::timeout_at(deadline, connecting).await {
            Ok(connected) => connected.map_err(|error| QuicError::of_connecting(&host, error))?,
            Err(_) => return Err(QuicError::Timeout),
        };
        let heard = async {
            let mut control = ControlIo::new(connection.accept_bi().await?);
            let Control::Hello(hello) = control.next().await? else {
                return Err(QuicError::Protocol("the first message is no Hello".to_owned()));
            };
            let proof = proof(&mut control).await?;
            Ok((control, hello, proof))
        };
        match tokio::time::timeout_at(deadline, heard).await.unwrap_or(Err(QuicError::Timeout)) {
            Ok((_, hello, _)) if hello.version < VERSION => {
                let text = format!("version {VERSION} is spoken here");
                close(&connection, CloseCode::VERSION, &text);
                Err(QuicError::Protocol(text))
            }
            Ok((control, hello, proof)) => {
                let lanes = Arc::new(Lanes::new(connection.clone(), limits));
                let sender = Sender::over_quic(lanes.clone());
                Ok(QuicRequest { connection, lanes, sender, control, hello, proof, attempts: 1, options, _under_way })
            }
            Err(error) => {
                fail(&connection, &error);
                Err(error)
            }
        }
    }
}

impl QuicRequest {
    /// Where it comes from.
    pub fn peer(&self) -> PeerAddress {
        PeerAddress::Quic(self.connection.remote_address())
    }

    /// What sends to the client once it is let in; what is sent before waits.
    pub const fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Waits until somebody [wakes](Sender::wake) the sender: whoever judges the client, say.
    pub async fn woken(&self) {
        self.lanes.driver.notified().await;
    }

    /// What the client announced. Its capabilities are a stranger's bytes.
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// How it proves who it is.
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Asks for another proof; `text` tells people which. The client has the time of a handshake.
    pub async fn challenge(mut self, text: String) -> Result<Self, QuicError> {
        self.attempts += 1;
        let asked = async {
            if self.attempts > MAX_ATTEMPTS {
                return Err(QuicError::Protocol("too many attempts to authenticate".to_owned()));
            }
            self.control.send(&[Control::Challenge { text }]).await?;
            proof(&mut self.control).await
        };
        let asked = tokio::time::timeout(self.options.handshake_timeout, asked).await;
        match asked.unwrap_or(Err(QuicError::Timeout)) {
            Ok(proof) => Ok(Self { proof, ..self }),
            Err(error) => {
                fail(&self.connection, &error);
                Err(error)
            }
        }
    }

    /// Lets the client in. `session` names the session in logs, `capabilities` are this side's.
    pub async fn welcome(mut self, session: [u8; 16], capabilities: Bytes) -> Result<QuicDriver, QuicError> {
        self.connection.set_receive_window(VarInt::from_u32(WINDOW));
        self.connection.set_max_concurrent_uni_streams(VarInt::from_u32(STREAMS));
        self.control.send(&[Control::Welcome(Welcome { version: VERSION, session, capabilities })]).await?;
        let ControlIo { send, receive, decoder } = self.control;
        Ok(QuicDriver::new(self.lanes, (send, receive, decoder)))
    }

    /// Turns the client away. How long to wait before is the caller's to decide.
    pub fn refuse(self, code: CloseCode, text: &str) {
        self.lanes.refuse();
        close(&self.connection, code, text);
    }
}

async fn proof(control: &mut ControlIo) -> Result<Proof, QuicError> {
    match control.next().await? {
        Control::Authenticate(proof) => Ok(proof),
        _ => Err(QuicError::Protocol("credentials were to come".to_owned())),
    }
}

fn fail(connection: &quinn::Connection, error: &QuicError) {
    let code = if matches!(error, QuicError::Timeout) { CloseCode::TIMEOUT } else { CloseCode::PROTOCOL };
    close(connection, code, &error.to_string());
}

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for QuicListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicListener").field("url", &self.url).finish_non_exhaustive()
    }
}

impl fmt::Debug for QuicIncoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicIncoming").field("peer", &self.peer()).finish_non_exhaustive()
    }
}

impl fmt::Debug for QuicRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicRequest").field("peer", &self.peer()).finish_non_exhaustive()
    }
}
