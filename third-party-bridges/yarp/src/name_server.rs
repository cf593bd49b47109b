//! The name server as a client sees it (spec 2).

use std::{env, fs, io, path::PathBuf, time::Duration};

use keyway_bridge::{NetworkError, OptIn};
use keyway_yarp_wire::{
    WireError,
    name_server::{Registration, Reply, ReplyLine, address_in_config, config_file, request},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Where the name server is.
#[derive(Debug, Clone)]
pub(crate) struct NameServer {
    opt_in: OptIn,
    configured: Option<String>,
}

/// A connection to it, for some commands.
#[derive(Debug)]
pub(crate) struct Conversation {
    stream: TcpStream,
    reply: Reply,
}

/// Why it was not asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameServerError {
    #[error("there is no {0}; start yarpserver, or name it with --name-server")]
    Unknown(String),
    #[error("{0} names no address")]
    Malformed(String),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("the connection to the name server failed: {0}")]
    Io(#[from] io::Error),
    #[error("the name server says what no name server says: {0}")]
    Wire(#[from] WireError),
    #[error("the name server does not answer")]
    Silent,
}

type Result<T> = std::result::Result<T, NameServerError>;

impl NameServer {
    pub(crate) const fn new(opt_in: OptIn, configured: Option<String>) -> Self {
        Self { opt_in, configured }
    }

    /// Its address: as configured, or in the file where YARP's programs look for it.
    pub(crate) fn address(&self) -> Result<String> {
        if let Some(address) = &self.configured {
            return Ok(address.clone());
        }
        let path = config_path();
        let shown = path.display().to_string();
        let text = fs::read_to_string(&path).map_err(|_| NameServerError::Unknown(shown.clone()))?;
        let (host, port) = address_in_config(&text).ok_or(NameServerError::Malformed(shown))?;
        Ok(format!("{host}:{port}"))
    }

    pub(crate) async fn connect(&self) -> Result<Conversation> {
        let stream = self.opt_in.dial(&self.address()?, PATIENCE).await?;
        Ok(Conversation { stream, reply: Reply::default() })
    }

    /// Where a port is, if it is anywhere.
    pub(crate) async fn query(&self, name: &str) -> Result<Option<Registration>> {
        self.connect().await?.query(name).await
    }
}

impl Conversation {
    pub(crate) async fn query(&mut self, name: &str) -> Result<Option<Registration>> {
        Ok(self.ask(&format!("query {name}")).await?.iter().find_map(|line| Registration::parse(line)))
    }

    /// Says a command and returns the lines of its reply.
    pub(crate) async fn ask(&mut self, command: &str) -> Result<Vec<String>> {
        let asked = async {
            self.stream.write_all(&request(command)).await?;
            let mut lines = Vec::new();
            loop {
                match self.reply.line()? {
                    Some(ReplyLine::End) => return Ok(lines),
                    Some(ReplyLine::Line(line)) if lines.len() < MAX_LINES => lines.push(line),
                    Some(ReplyLine::Line(_)) => {}
                    None => {
                        if self.stream.read_buf(self.reply.buffer()).await? == 0 {
                            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                        }
                    }
                }
            }
        };
        timeout(PATIENCE, asked).await.map_err(|_| NameServerError::Silent)?
    }

    /// Says that a port is there. Nothing is replied, so this is the end of the conversation.
    pub(crate) async fn announce(mut self, name: &str) -> Result<()> {
        let said = async {
            self.stream.write_all(&request(&format!("announce {name}"))).await?;
            self.stream.shutdown().await
        };
        Ok(timeout(PATIENCE, said).await.map_err(|_| NameServerError::Silent)??)
    }
}

/// Where YARP's programs look for the address.
fn config_path() -> PathBuf {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = variable("YARP_CONFIG_HOME")
        .or_else(|| variable("XDG_CONFIG_HOME").map(|folder| folder.join("yarp")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".config/yarp")))
        .unwrap_or_default();
    folder.join(config_file(&env::var("YARP_NAMESPACE").unwrap_or_else(|_| "/root".to_owned())))
}

const PATIENCE: Duration = Duration::from_secs(3);
/// What is read of a reply; the rest is left out.
const MAX_LINES: usize = 1000;
