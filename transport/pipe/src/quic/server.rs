//! Accepting by QUIC.

use std::{
    collections::HashMap,
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use keyway_wire::{
    Url,
    native::{CloseCode, Control, Hello, Kept, Proof, Resume, VERSION, Welcome},
};
use parking_lot::Mutex;
use quinn::{VarInt, crypto::rustls::QuicServerConfig};
use ring::hmac;

use super::{
    Lanes, QuicDriver, QuicError, QuicOptions,
    comeback::{Comeback, Comer},
    control_io::ControlIo,
    error::close,
    kept::Window,
    open_windows, runtime, udp_socket,
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
    sessions: Sessions,
}

/// The sessions that clients may come back to, by their names.
type Sessions = Arc<Mutex<HashMap<[u8; 16], Weak<Lanes>>>>;

/// How a session is kept when its connection is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// For how long.
    pub time: Duration,
    /// Events of a subscription that are kept to be replayed...
    pub events: usize,
    /// ...and their bytes.
    pub bytes: usize,
    /// What the client shows when it comes back, sealed.
    pub key: Bytes,
}

/// A client that has sent its first packet.
pub struct QuicIncoming {
    incoming: quinn::Incoming,
    options: QuicOptions,
    sessions: Sessions,
    _under_way: UnderWay,
}

/// A client that wants to be let in: to be judged, and then welcomed or refused.
pub struct QuicRequest {
    connection: quinn::Connection,
    lanes: Arc<Lanes>,
    sender: Sender,
    control: ControlIo,
    hello: Hello,
    said: Said,
    attempts: u32,
    options: QuicOptions,
    sessions: Sessions,
    _under_way: UnderWay,
}

/// What a client says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Who it is.
    Proof(Proof),
    /// That it has been here before.
    Resume(Resume),
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
                    let configuration = endpoint_config(tls);
                    let endpoint = quinn::Endpoint::new(configuration, Some(config), socket, runtime())?;
                    let url = Url { port: Some(endpoint.local_addr()?.port()), ..url.clone() };
                    return Ok(Self {
                        endpoint,
                        url,
                        options,
                        handshakes: Arc::default(),
                        sessions: Sessions::default(),
                    });
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
            let (options, sessions) = (self.options.clone(), self.sessions.clone());
            return Some(QuicIncoming { incoming, options, sessions, _under_way: under_way });
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
        let Self { incoming, options, sessions, _under_way } = self;
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
            let said = said(&mut control).await?;
            Ok((control, hello, said))
        };
        match tokio::time::timeout_at(deadline, heard).await.unwrap_or(Err(QuicError::Timeout)) {
            Ok((_, hello, _)) if hello.version < VERSION => {
                let text = format!("version {VERSION} is spoken here");
                close(&connection, CloseCode::VERSION, &text);
                Err(QuicError::Protocol(text))
            }
            Ok((control, hello, said)) => {
                let lanes = Arc::new(Lanes::new(connection.clone(), limits));
                let sender = Sender::over_quic(lanes.clone());
                let attempts = 1;
                Ok(QuicRequest {
                    connection,
                    lanes,
                    sender,
                    control,
                    hello,
                    said,
                    attempts,
                    options,
                    sessions,
                    _under_way,
                })
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

    /// How it proves who it is, or that it has been here before.
    pub const fn said(&self) -> &Said {
        &self.said
    }

    /// Whether the session of this name is here, with a connection or without.
    pub fn finds(&self, session: &[u8; 16]) -> bool {
        self.sessions.lock().get(session).is_some_and(|lanes| lanes.strong_count() > 0)
    }

    /// Goes on with a session that is here over this connection; its handler is asked whether the key is the session's own. False if
    /// the session has just ended, or the client has said something else.
    pub fn rejoin(self, session: &[u8; 16]) -> bool {
        let lanes = self.sessions.lock().get(session).and_then(Weak::upgrade);
        match (lanes, self.said) {
            (Some(lanes), Said::Resume(Resume { key, held })) if !lanes.is_closed() => {
                self.lanes.refuse();
                lanes.hand_over(Comer { connection: self.connection, control: self.control, key, held });
                true
            }
            _ => {
                close(&self.connection, CloseCode::BUSY, "the session has just ended; come again");
                false
            }
        }
    }

    /// Asks for another proof; `text` tells people which. The client has the time of a handshake.
    pub async fn challenge(mut self, text: String) -> Result<Self, QuicError> {
        self.attempts += 1;
        let asked = async {
            if self.attempts > MAX_ATTEMPTS {
                return Err(QuicError::Protocol("too many attempts to authenticate".to_owned()));
            }
            self.control.send(&[Control::Challenge { text }]).await?;
            match said(&mut self.control).await? {
                said @ Said::Proof(_) => Ok(said),
                Said::Resume(_) => Err(QuicError::Protocol("credentials were to come".to_owned())),
            }
        };
        let asked = tokio::time::timeout(self.options.handshake_timeout, asked).await;
        match asked.unwrap_or(Err(QuicError::Timeout)) {
            Ok(said) => Ok(Self { said, ..self }),
            Err(error) => {
                fail(&self.connection, &error);
                Err(error)
            }
        }
    }

    /// Lets the client in. `session` names the session in logs, `capabilities` are this side's. With `keeping`, a client that asked
    /// for it may come back to the session.
    pub async fn welcome(
        mut self,
        session: [u8; 16],
        capabilities: Bytes,
        keeping: Option<Keeping>,
    ) -> Result<QuicDriver, QuicError> {
        open_windows(&self.connection);
        let keeping = keeping.filter(|_| self.hello.resumes);
        let kept = keeping.as_ref().map(|keeping| {
            let seconds = u32::try_from(keeping.time.as_secs()).unwrap_or(u32::MAX);
            Kept { key: keeping.key.clone(), seconds }
        });
        self.control.send(&[Control::Welcome(Welcome { version: VERSION, session, capabilities, kept })]).await?;
        let comeback = match keeping {
            Some(keeping) => {
                self.lanes.keep(Window { events: keeping.events, bytes: keeping.bytes });
                let mut sessions = self.sessions.lock();
                // Looked through when it has doubled: the ended ones cost as much as the others.
                if sessions.len() == sessions.capacity() {
                    sessions.retain(|_, lanes| lanes.strong_count() > 0);
                }
                sessions.insert(session, Arc::downgrade(&self.lanes));
                Comeback::Waits(keeping.time)
            }
            None => Comeback::Never,
        };
        Ok(QuicDriver::new(self.lanes, self.connection, self.control, comeback))
    }

    /// Turns the client away. How long to wait before is the caller's to decide.
    pub fn refuse(self, code: CloseCode, text: &str) {
        self.lanes.refuse();
        close(&self.connection, code, text);
    }
}

async fn said(control: &mut ControlIo) -> Result<Said, QuicError> {
    match control.next().await? {
        Control::Authenticate(proof) => Ok(Said::Proof(proof)),
        Control::Resume(resume) => Ok(Said::Resume(resume)),
        _ => Err(QuicError::Protocol("credentials were to come".to_owned())),
    }
}

/// Of a server that knows its old connections' packets when it is restarted, and tells their senders that it does not know them
/// any more (RFC 9000 section 10.3): they need not wait for their time-out.
fn endpoint_config(tls: &TlsServer) -> quinn::EndpointConfig {
    let resets = hmac::Key::new(hmac::HMAC_SHA256, &tls.derived_key(b"keyway quic resets"));
    let mut configuration = quinn::EndpointConfig::new(Arc::new(resets));
    let [a, b, c, d, e, f, g, h, ..] = tls.derived_key(b"keyway quic connection ids");
    let name = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    configuration.cid_generator(move || Box::new(quinn_proto::HashedConnectionIdGenerator::from_key(name)));
    configuration
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
