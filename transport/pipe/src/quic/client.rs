//! Connecting by QUIC.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use keyway_wire::{
    Url,
    native::{CloseCode, Control, Held, Hello, Proof, Resume, VERSION, Welcome},
};
use quinn::crypto::rustls::QuicClientConfig;

use super::{
    Lanes, QuicDriver, QuicError, QuicOptions,
    comeback::{Comeback, Dialer, How, Reached},
    control_io::ControlIo,
    error::close,
    kept::Window,
    runtime, udp_socket,
};
use crate::{QueueLimits, Sender, TlsClient, TlsError, resolve::addresses};

/// Answers of a client to challenges.
const MAX_STEPS: u32 = 16;

/// Who a client is: its first proof for `None`, another for every challenge; `None` if it has no more to say.
pub type Dialogue = Box<dyn FnMut(Option<&str>) -> Option<Proof> + Send>;
/// Makes a dialogue for each connection.
pub type MakeDialogue = Arc<dyn Fn() -> Dialogue + Send + Sync>;

/// A client that comes back.
pub(super) struct Arrival {
    pub(super) key: Bytes,
    pub(super) held: Held,
}

/// A UDP socket from which any number of QUIC connections are made. Cheap to clone. Within a tokio runtime.
#[derive(Clone)]
pub struct QuicEndpoint {
    endpoint: quinn::Endpoint,
    options: QuicOptions,
}

/// An open connection.
#[derive(Debug)]
pub struct QuicConnected {
    /// Sends.
    pub sender: Sender,
    /// Receives.
    pub driver: QuicDriver,
    /// What the server said.
    pub welcome: Welcome,
}

impl QuicEndpoint {
    /// Opens a socket on a free port.
    pub fn new(options: QuicOptions) -> io::Result<Self> {
        let socket = udp_socket(any_port(&options))?;
        let endpoint = quinn::Endpoint::new(quinn::EndpointConfig::default(), None, socket, runtime())?;
        Ok(Self { endpoint, options })
    }

    /// Connects to `quic://host:port` and says who this is.
    ///
    /// There is no time-out but the one of QUIC, `dead_after`; a caller with less patience wraps the future. If the server keeps
    /// sessions, the connection that is lost later is made again by the driver, and the session goes on.
    pub async fn connect(
        &self,
        url: &Url,
        tls: &TlsClient,
        capabilities: Bytes,
        dialogue: MakeDialogue,
        limits: QueueLimits,
    ) -> Result<QuicConnected, QuicError> {
        let Reached { connection, control, how } = self.reach(url, tls, &capabilities, &dialogue, None).await?;
        let How::Anew(welcome) = how else {
            return Err(QuicError::Protocol("the server goes on with a session that never began".to_owned()));
        };
        let window = Window::of_client(&limits);
        let lanes = Arc::new(Lanes::new(connection.clone(), limits));
        let comeback = match &welcome.kept {
            Some(kept) => {
                lanes.keep(window);
                Comeback::Dials(Box::new(Dialer {
                    endpoint: self.clone(),
                    url: url.clone(),
                    tls: tls.clone(),
                    capabilities,
                    dialogue,
                    key: kept.key.clone(),
                    kept_for: Duration::from_secs(kept.seconds.into()),
                }))
            }
            None => Comeback::Never,
        };
        let sender = Sender::over_quic(lanes.clone());
        Ok(QuicConnected { sender, driver: QuicDriver::new(lanes, connection, control, comeback), welcome })
    }

    /// A connection whose handshake is done, to go on with a session or to begin one.
    pub(super) async fn reach(
        &self,
        url: &Url,
        tls: &TlsClient,
        capabilities: &Bytes,
        dialogue: &MakeDialogue,
        arrival: Option<Arrival>,
    ) -> Result<Reached, QuicError> {
        let (Some(host), Some(port)) = (url.host.as_deref(), url.port) else {
            let text = format!("'{url}' is no quic://host:port");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text).into());
        };
        let connection = self.dial(host, port, tls).await?;
        let opened = connection.open_bi().await.map_err(|lost| QuicError::of_connecting(host, lost))?;
        let mut control = ControlIo::new(opened);
        let hello = Hello { version: VERSION, capabilities: capabilities.clone(), resumes: true };
        match introduce(&mut control, hello, &mut dialogue(), arrival).await {
            Ok(how) => Ok(Reached { connection, control, how }),
            Err(error) => {
                // A server that does not like the client's certificate says so when the client believes to be connected.
                let lost = connection.close_reason();
                let error = lost.map_or(error, |lost| QuicError::of_connecting(host, lost));
                let code = if matches!(error, QuicError::Protocol(_)) { CloseCode::PROTOCOL } else { CloseCode::DONE };
                close(&connection, code, &error.to_string());
                Err(error)
            }
        }
    }

    /// Goes on from another socket, for all connections: when the program knows that its network has changed. Connections live on
    /// without a new handshake.
    pub fn rebind(&self) -> io::Result<()> {
        self.endpoint.rebind(udp_socket(any_port(&self.options))?)
    }

    /// Where packets leave from.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    async fn dial(&self, host: &str, port: u16, tls: &TlsClient) -> Result<quinn::Connection, QuicError> {
        let (config, name) = tls.quic(host)?;
        let config = QuicClientConfig::try_from(config).map_err(|error| TlsError::Refused(error.to_string()))?;
        let mut config = quinn::ClientConfig::new(Arc::new(config));
        config.transport_config(self.options.of_client());
        let mut failure = None;
        for address in addresses(host, port, self.options.ipv6).await? {
            let connecting = self.endpoint.connect_with(config.clone(), address, &name);
            match connecting.map_err(io::Error::other)?.await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = Some(QuicError::of_connecting(host, error)),
            }
        }
        Err(failure.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable).into()))
    }
}

impl fmt::Debug for QuicEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicEndpoint").field("local", &self.local_address().ok()).finish_non_exhaustive()
    }
}

async fn introduce(
    control: &mut ControlIo,
    hello: Hello,
    dialogue: &mut Dialogue,
    arrival: Option<Arrival>,
) -> Result<How, QuicError> {
    let first = match arrival {
        Some(Arrival { key, held }) => Control::Resume(Resume { key, held }),
        None => Control::Authenticate(dialogue(None).unwrap_or(Proof::Nothing)),
    };
    let mut is_said = matches!(first, Control::Authenticate(_));
    control.send(&[Control::Hello(hello), first]).await?;
    for _ in 0..MAX_STEPS {
        match control.next().await? {
            Control::Welcome(welcome) if welcome.version == VERSION => return Ok(How::Anew(welcome)),
            Control::Welcome(welcome) => {
                return Err(QuicError::Protocol(format!("the server speaks version {}", welcome.version)));
            }
            Control::Resumed { held, key } if !is_said => return Ok(How::Resumed(held, key)),
            // Asked for after a key that is not believed: the first proof is still to be shown.
            Control::Challenge { text } => {
                let asked = std::mem::replace(&mut is_said, true).then_some(text.as_str());
                match dialogue(asked) {
                    Some(proof) => control.send(&[Control::Authenticate(proof)]).await?,
                    None => return Err(QuicError::Challenged(text)),
                }
            }
            other => return Err(QuicError::Protocol(format!("in the handshake the server said {other:?}"))),
        }
    }
    Err(QuicError::Protocol("the handshake goes on for ever".to_owned()))
}

fn any_port(options: &QuicOptions) -> SocketAddr {
    if options.ipv6 { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() }
}
