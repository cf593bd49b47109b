//! Services of ROS that the bridge calls (TC-10).

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use keyway_bridge::NetworkError;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::{
    master::MasterError,
    node::Node,
    stream::{ReadError, read_header, read_message},
    tcpros::{Header, frame},
};

/// A service of ROS, wherever it is provided.
pub(crate) struct Client {
    node: Arc<Node>,
    service: String,
    md5: String,
    /// How long a call may take.
    limit: Duration,
    /// Connections that nobody uses.
    idle: Mutex<Vec<BufReader<TcpStream>>>,
}

/// Why a call has no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody provides it.
    #[error("ros service {0} not available")]
    NotAvailable(String),
    /// The provider does not take the bridge for a caller.
    #[error("ros service {service} refuses: {text}")]
    Refused { service: String, text: String },
    /// The call failed; the text is the provider's.
    #[error("{0}")]
    Failed(String),
    /// The provider does not answer.
    #[error("timeout after {0:?}")]
    Timeout(Duration),
    /// The connection broke during the call.
    #[error("ros service {service} is gone: {source}")]
    Broken { service: String, source: ReadError },
    /// The master is not there.
    #[error(transparent)]
    Master(#[from] MasterError),
}

impl Client {
    pub(crate) fn new(node: Arc<Node>, service: &str, md5: String, limit: Duration) -> Self {
        Self { node, service: service.to_owned(), md5, limit, idle: Mutex::default() }
    }

    /// The body of the response.
    pub(crate) async fn call(&self, request: &[u8]) -> Result<Bytes, ClientError> {
        timeout(self.limit, self.attempt(request)).await.map_err(|_| ClientError::Timeout(self.limit))?
    }

    async fn attempt(&self, request: &[u8]) -> Result<Bytes, ClientError> {
        let mut stream = match self.reused() {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let broken = |source| ClientError::Broken { service: self.service.clone(), source };
        // From here on the provider may have begun: a call that fails is not made again.
        stream.write_all(&frame(request)).await.map_err(|error| broken(error.into()))?;
        let is_ok = stream.read_u8().await.map_err(|error| broken(error.into()))? != 0;
        let body = read_message(&mut stream, MAX_RESPONSE).await.map_err(broken)?;
        let body = body.ok_or_else(|| broken(io::Error::from(io::ErrorKind::UnexpectedEof).into()))?;
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(stream);
        }
        drop(idle);
        if is_ok { Ok(body) } else { Err(ClientError::Failed(String::from_utf8_lossy(&body).into_owned())) }
    }

    /// A connection of an earlier call that is still there.
    fn reused(&self) -> Option<BufReader<TcpStream>> {
        loop {
            let stream = self.idle.lock().pop()?;
            let mut nothing = [0];
            if !stream.buffer().is_empty() {
                // Nobody has asked for that.
                continue;
            }
            match stream.get_ref().try_read(&mut nothing) {
                // There is nothing to be read, and no end.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(stream),
                _ => {}
            }
        }
    }

    async fn connect(&self) -> Result<BufReader<TcpStream>, ClientError> {
        let not_available = || ClientError::NotAvailable(self.service.clone());
        let provider = match self.node.master.lookup_service(&self.service).await {
            Ok(provider) => provider,
            Err(error) if error.is_of_the_connection() => return Err(error.into()),
            Err(_) => return Err(not_available()),
        };
        let address = provider.strip_prefix("rosrpc://").ok_or_else(not_available)?.trim_end_matches('/');
        let mut stream = match self.node.opt_in.dial(address, self.limit).await {
            Ok(stream) => stream,
            Err(error @ NetworkError::NotLoopback { .. }) => {
                return Err(ClientError::Refused { service: self.service.clone(), text: error.to_string() });
            }
            // The master does not forget providers that have ended without a goodbye.
            Err(_) => return Err(not_available()),
        };
        let fields = [
            ("callerid", self.node.name.as_str()),
            ("service", &self.service),
            ("md5sum", &self.md5),
            ("persistent", "1"),
        ];
        let broken = |source| ClientError::Broken { service: self.service.clone(), source };
        stream.write_all(&Header::new(fields).to_bytes()).await.map_err(|error| broken(error.into()))?;
        let header = read_header(&mut stream).await.map_err(broken)?;
        match header.get("error") {
            Some(text) => {
                let text = text.chars().take(500).collect();
                Err(ClientError::Refused { service: self.service.clone(), text })
            }
            None => Ok(BufReader::new(stream)),
        }
    }
}

const IDLE: usize = 4;
const MAX_RESPONSE: usize = 64 << 20;
