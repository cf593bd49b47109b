//! How the door listens.

use std::time::Duration;

use keyway::TlsServer;
use keyway_pipe::SocketOptions;

/// Settings of the door.
#[derive(Debug, Clone)]
pub struct DoorSettings {
    /// Where: `https://host:port`, or `http://host:port` where the host is this machine's own (loopback). Port 0 is a free one.
    pub urls: Vec<String>,
    /// The certificate, which `https` needs.
    pub tls: Option<TlsServer>,
    /// Web pages of which origins may use the door, such as `https://panel.example`; `*` for all. Programs that are no
    /// browsers send no origin, and are not concerned.
    pub origins: Vec<String>,
    /// The role of clients that show nothing, where it is another than the one of the whole gateway.
    pub anonymous: Option<String>,
    /// Bytes of a request's body, and of a WebSocket message.
    pub body_limit: usize,
    /// How long a body may take to come.
    pub body_time: Duration,
    /// WebSockets and event streams of one session.
    pub sockets_per_session: usize,
    /// Requests at a time over one connection of HTTP/2, and over one WebSocket.
    pub requests_per_connection: u32,
    /// Options of TCP.
    pub socket: SocketOptions,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            tls: None,
            origins: Vec::new(),
            anonymous: None,
            body_limit: 16 << 20,
            body_time: Duration::from_secs(30),
            sockets_per_session: 64,
            requests_per_connection: 128,
            socket: SocketOptions::default(),
        }
    }
}

/// Why a door does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No URL that this door knows.
    #[error("{0} is no URL of this door; they look like https://host:port, or http://127.0.0.1:port")]
    Url(String),
    /// Tokens would go through the network for everybody to read.
    #[error("{0} is not on loopback; use https there")]
    NotLoopback(String),
    /// No certificate.
    #[error("{0} needs a certificate and its key")]
    NoCertificate(String),
    /// The system refuses.
    #[error("cannot listen on {url}: {source}; choose another address, or port 0 for a free one")]
    Listen {
        /// Where.
        url: String,
        /// What the system said.
        source: std::io::Error,
    },
}
