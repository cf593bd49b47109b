//! Connections to other ports.

use std::time::Duration;

use keyway_bridge::NetworkError;
use keyway_yarp_wire::{Carrier, Dialled, Limits, WireError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::tune;
use crate::{name_server::NameServerError, shared::Shared};

/// A connection to a port that has said welcome.
#[derive(Debug)]
pub(crate) struct Dialling {
    pub(crate) stream: TcpStream,
    pub(crate) dialled: Dialled,
}

/// Why a port is not reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("no port has the name {0}")]
    Unknown(String),
    #[error(transparent)]
    NameServer(#[from] NameServerError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("the connection to {0} was lost")]
    Lost(String),
    #[error("{0} does not answer")]
    Silent(String),
    #[error("{0} does not speak YARP: {1}")]
    Wire(String, WireError),
}

/// Asks the name server where `port` is and connects to it, as the port `from`.
pub(crate) async fn dial(shared: &Shared, from: &str, port: &str, carrier: Carrier) -> Result<Dialling, DialError> {
    let found = shared.name_server.query(port).await?.ok_or_else(|| DialError::Unknown(port.to_owned()))?;
    let mut stream = shared.opt_in.dial(&format!("{}:{}", found.host, found.port), PATIENCE).await?;
    tune(&stream);
    let mut dialled = Dialled::new(carrier, shared.options.dialect, Limits::default());
    let lost = |_| DialError::Lost(port.to_owned());
    let greet = async {
        stream.write_all(&Dialled::hello(carrier, from)).await.map_err(lost)?;
        while dialled.welcome().map_err(|error| DialError::Wire(port.to_owned(), error))?.is_none() {
            if stream.read_buf(dialled.buffer()).await.map_err(lost)? == 0 {
                return Err(DialError::Lost(port.to_owned()));
            }
        }
        Ok(())
    };
    timeout(PATIENCE, greet).await.map_err(|_| DialError::Silent(port.to_owned()))??;
    Ok(Dialling { stream, dialled })
}

const PATIENCE: Duration = Duration::from_secs(3);
