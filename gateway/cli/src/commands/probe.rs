//! `keyway probe`: what listens at a URL.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use clap::Args;
use keyway::{CapabilityMap, Error};
use keyway_session::{ClientConfig, Connection, Input};
use keyway_wire::{FrameDecoder, FrameLimits, Url};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use crate::{
    exit::Usage,
    output::{self, coloured},
};

const EXAMPLES: &str = "Examples:
  keyway probe tcp://robot:9559
  keyway probe robot                 missing parts are tcp and port 9559
  keyway probe --json robot

Exit status: 0 a service directory or service host that lets anybody in, 1 something else, 3 nothing.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProbeArgs {
    /// Where
    #[arg(env = "QI_URL", value_name = "URL")]
    url: String,
    /// Seconds to wait for an answer
    #[arg(long, default_value_t = 3.0, value_name = "S")]
    timeout: f64,
    /// JSON
    #[arg(long)]
    json: bool,
}

/// What was found out.
#[derive(Debug)]
enum Finding {
    /// QiMessaging, and it let us in.
    Open { capabilities: CapabilityMap, services: Option<usize> },
    /// QiMessaging, with another answer to strangers.
    Closed { capabilities: CapabilityMap, reason: String },
    /// It answered in TLS.
    Tls,
    /// It answered in HTTP.
    Http(String),
    /// It said something else.
    Foreign(Vec<u8>),
    /// It hung up.
    HungUp,
    /// It took the connection and said nothing.
    Silent,
}

pub(crate) fn run(args: &ProbeArgs) -> anyhow::Result<()> {
    let patience = Duration::try_from_secs_f64(args.timeout)
        .map_err(|_| Usage("--timeout is a number of seconds, such as 3".to_owned()))?;
    let url = Url::parse(&args.url).with_connect_defaults();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let finding = runtime.block_on(async {
        let finding = match tokio::time::timeout(patience, knock(&url)).await {
            Ok(finding) => finding?,
            Err(_) => Finding::Silent,
        };
        anyhow::Ok(count_services(finding, &url).await)
    })?;
    let report = Report::new(&finding, &url);
    if args.json {
        println!("{}", report.json(&finding, &url));
    } else {
        print!("{}", report.text(&finding));
    }
    match finding {
        Finding::Open { .. } => Ok(()),
        _ => Err(anyhow::anyhow!("no way in for `keyway` as things are")),
    }
}

/// Connects, says the first words of QiMessaging (spec 5.1) and listens for an answer.
async fn knock(url: &Url) -> anyhow::Result<Finding> {
    let nothing = |source: io::Error| Error::Connect { url: url.to_string(), source: source.into() };
    match (url.scheme.as_deref(), url.host.as_deref(), url.port) {
        (Some("tcp" | "tcps" | "tcpsm" | "http" | "https"), Some(host), Some(port)) => {
            converse(TcpStream::connect((host, port)).await.map_err(nothing)?).await
        }
        (Some("unix"), Some(path), _) => converse(UnixStream::connect(path).await.map_err(nothing)?).await,
        _ => Err(Usage(format!("{url} is not a URL to probe; tcp://host:port and unix:///path are")).into()),
    }
}

async fn converse(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) -> anyhow::Result<Finding> {
    let now = Instant::now();
    let mut connection = Connection::client(ClientConfig::default(), now);
    let mut first = BytesMut::new();
    connection.start(now, &mut |frame| frame.encode_into(&mut first));
    // A peer that hangs up before reading may have said why.
    let _ = stream.write_all(&first).await;
    let mut buffer = BytesMut::new();
    let mut is_greeting = true;
    let mut decoder = FrameDecoder::new(FrameLimits { max_payload: LARGEST_ANSWER });
    loop {
        let count = stream.read_buf(&mut buffer).await.unwrap_or_default();
        if count == 0 {
            return Ok(if buffer.is_empty() { Finding::HungUp } else { foreign(&buffer) });
        }
        if is_greeting && !MAGIC.starts_with(&buffer[..buffer.len().min(MAGIC.len())]) {
            return Ok(foreign(&buffer));
        }
        is_greeting = false;
        loop {
            let frame = match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return Ok(foreign(&buffer)),
            };
            match connection.handle_frame(now, frame, &mut |_| {}) {
                Ok(Input::Opened) => {
                    return Ok(Finding::Open {
                        capabilities: connection.remote_capabilities().clone(),
                        services: None,
                    });
                }
                Ok(_) => {}
                Err(reason) => {
                    let capabilities = connection.remote_capabilities().clone();
                    return Ok(Finding::Closed { capabilities, reason: reason.to_string() });
                }
            }
        }
    }
}

/// Names what does not speak QiMessaging by its first bytes.
fn foreign(bytes: &[u8]) -> Finding {
    match bytes {
        [0x15 | 0x16, 0x03, ..] => Finding::Tls,
        _ if bytes.starts_with(b"HTTP/") => {
            Finding::Http(String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned())
        }
        _ => Finding::Foreign(bytes[..bytes.len().min(SHOWN)].to_vec()),
    }
}

/// A directory says how many services it has; a service host cannot.
async fn count_services(finding: Finding, url: &Url) -> Finding {
    match finding {
        Finding::Open { capabilities, .. } => {
            let session = keyway::Session::connect(&url.to_string()).await;
            let services = match session {
                Ok(session) => session.services().await.ok().map(|services| services.len()),
                Err(_) => None,
            };
            Finding::Open { capabilities, services }
        }
        other => other,
    }
}

/// The finding in words.
struct Report {
    kind: &'static str,
    what: String,
    /// The line that would work.
    next: String,
}

impl Report {
    fn new(finding: &Finding, url: &Url) -> Self {
        let (kind, what, next) = match finding {
            Finding::Open { services: Some(count), .. } => (
                "directory",
                format!("a QiMessaging service directory with {count} services, open to anybody"),
                format!("keyway info --qi-url {url}"),
            ),
            Finding::Open { services: None, .. } => (
                "host",
                "a QiMessaging service host, not a directory".to_owned(),
                "keyway info --qi-url URL, with the URL of the directory it belongs to".to_owned(),
            ),
            Finding::Closed { reason, .. } => (
                "refused",
                format!("a QiMessaging server that wants to know who asks: {reason}"),
                format!("keyway info --qi-url {url} --user nao --token TOKEN"),
            ),
            Finding::Tls => {
                let tls = url.to_string().replacen("tcp://", "tcps://", 1);
                (
                    "tls",
                    "a TLS server, probably a robot's or a gateway's secure door".to_owned(),
                    format!("keyway probe {tls}"),
                )
            }
            Finding::Http(line) => {
                ("http", format!("an HTTP server ({line})"), format!("curl -i http://{}", authority(url)))
            }
            Finding::Foreign(bytes) => (
                "foreign",
                format!("something that is not QiMessaging; it begins with {:?}", String::from_utf8_lossy(bytes)),
                "ask whoever runs it for the port of the service directory, often 9559".to_owned(),
            ),
            Finding::HungUp => (
                "closed",
                "something that hangs up on QiMessaging: another protocol, TLS, or too many connections".to_owned(),
                format!("openssl s_client -connect {}", authority(url)),
            ),
            Finding::Silent => (
                "silent",
                "something that takes connections and says nothing".to_owned(),
                format!("keyway probe --timeout 30 {url}"),
            ),
        };
        Self { kind, what, next }
    }

    fn text(&self, finding: &Finding) -> String {
        let mut text = format!("{}\n", self.what);
        if let Some(capabilities) = capabilities(finding).filter(|map| map.iter().next().is_some()) {
            text.push_str("capabilities:\n");
            for (name, value) in capabilities.iter() {
                text.push_str(&format!("  {} {}\n", name.to_string_lossy(), output::json::text(value)));
            }
        }
        text.push_str(&format!("next: {}\n", coloured(output::NAME, &self.next)));
        text
    }

    fn json(&self, finding: &Finding, url: &Url) -> serde_json::Value {
        let capabilities = capabilities(finding).map(|map| {
            let pairs =
                map.iter().map(|(name, value)| (name.to_string_lossy().into_owned(), output::json::tree(value)));
            pairs.collect::<serde_json::Map<_, _>>()
        });
        let services = match finding {
            Finding::Open { services, .. } => *services,
            _ => None,
        };
        json!({
            "url": url.to_string(),
            "kind": self.kind,
            "what": self.what,
            "capabilities": capabilities,
            "services": services,
            "authentication": matches!(finding, Finding::Closed { .. }),
            "next": self.next,
        })
    }
}

fn capabilities(finding: &Finding) -> Option<&CapabilityMap> {
    match finding {
        Finding::Open { capabilities, .. } | Finding::Closed { capabilities, .. } => Some(capabilities),
        _ => None,
    }
}

fn authority(url: &Url) -> String {
    format!("{}:{}", url.host.as_deref().unwrap_or_default(), url.port.unwrap_or_default())
}

/// First bytes of every frame (spec 2.1).
const MAGIC: [u8; 4] = [0x42, 0xde, 0xad, 0x42];
/// Enough for a capability map.
const LARGEST_ANSWER: u32 = 64 * 1024;
/// How much of a foreign greeting is shown, in bytes.
const SHOWN: usize = 40;
