//! `keyway probe`: what listens at a URL.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use clap::Args;
use keyway::{CapabilityMap, Error, Session, TlsClient};
use keyway_pipe::{Carrier, SocketOptions};
use keyway_session::{ClientConfig, Connection, Input};
use keyway_wire::{FrameDecoder, FrameLimits, Url};
use serde_json::json;

use crate::{
    exit::Usage,
    output::{self, coloured},
    tls::TlsArgs,
};

const EXAMPLES: &str = "Examples:
  keyway probe tcp://robot:9559
  keyway probe robot                 missing parts are tcp and port 9559
  keyway probe --pin robot.pem tcps://robot:9503
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
    #[command(flatten)]
    tls: TlsArgs,
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
    let tls = args.tls.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let finding = runtime.block_on(async {
        let finding = match tokio::time::timeout(patience, knock(&url, tls.as_ref())).await {
            Ok(finding) => finding?,
            Err(_) => Finding::Silent,
        };
        anyhow::Ok(count_services(finding, &url, tls).await)
    })?;
    let report = Report::new(&finding, &url, &args.tls.words());
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
async fn knock(url: &Url, tls: Option<&TlsClient>) -> anyhow::Result<Finding> {
    let with_tls = url.is_tls() && tls.is_some();
    let to = match url.scheme.as_deref() {
        Some("tcp" | "unix") => url.clone(),
        Some("tcps" | "tcpsm") if with_tls => url.clone(),
        // Without settings only as far as to see that TLS is spoken there.
        Some("tcps" | "tcpsm" | "http" | "https") => Url { scheme: Some("tcp".to_owned()), ..url.clone() },
        _ => Url::default(),
    };
    if !to.is_valid() {
        return Err(Usage(format!("{url} is not a URL to probe; tcp://host:port and unix:///path are")).into());
    }
    if let Some(missing) = tls.and_then(|tls| keyway_pipe::missing_tls(&to, Some(tls))) {
        return Err(Error::TlsSettings(missing).into());
    }
    let options = SocketOptions::from_environment();
    let carrier = keyway_pipe::connect_with(&to, &options, tls).await.map_err(|error| connect_error(url, error))?;
    converse(&carrier).await
}

fn connect_error(url: &Url, source: io::Error) -> Error {
    let url = url.to_string();
    match source.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(error) => Error::Tls { url, source: Clone::clone(error) },
        None => Error::Connect { url, source: source.into() },
    }
}

/// Reads what has come; 0 bytes at the end, however it ended.
async fn receive(carrier: &Arc<dyn Carrier>, buffer: &mut BytesMut) -> usize {
    buffer.reserve(READ);
    loop {
        if poll_fn(|context| carrier.poll_read_ready(context)).await.is_err() {
            return 0;
        }
        match carrier.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome.unwrap_or_default(),
        }
    }
}

async fn send(carrier: &Arc<dyn Carrier>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        poll_fn(|context| carrier.poll_write_ready(context)).await?;
        match carrier.try_write_vectored(&[IoSlice::new(bytes)]) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn converse(carrier: &Arc<dyn Carrier>) -> anyhow::Result<Finding> {
    let now = Instant::now();
    let mut connection = Connection::client(ClientConfig::default(), now);
    let mut first = BytesMut::new();
    connection.start(now, &mut |frame| frame.encode_into(&mut first));
    // A peer that hangs up before reading may have said why.
    let _ = send(carrier, &first).await;
    let mut buffer = BytesMut::new();
    let mut is_greeting = true;
    let mut decoder = FrameDecoder::new(FrameLimits { max_payload: LARGEST_ANSWER });
    loop {
        let count = receive(carrier, &mut buffer).await;
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
async fn count_services(finding: Finding, url: &Url, tls: Option<TlsClient>) -> Finding {
    match finding {
        Finding::Open { capabilities, .. } => {
            let builder = Session::builder();
            let builder = if let Some(tls) = tls { builder.tls(tls) } else { builder };
            let session = builder.connect(&url.to_string()).await;
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
    fn new(finding: &Finding, url: &Url, tls: &str) -> Self {
        let (kind, what, next) = match finding {
            Finding::Open { services: Some(count), .. } => (
                "directory",
                format!("a QiMessaging service directory with {count} services, open to anybody"),
                format!("keyway info {tls}--qi-url {url}"),
            ),
            Finding::Open { services: None, .. } => (
                "host",
                "a QiMessaging service host, not a directory".to_owned(),
                "keyway info --qi-url URL, with the URL of the directory it belongs to".to_owned(),
            ),
            Finding::Closed { reason, .. } => (
                "refused",
                format!("a QiMessaging server that wants to know who asks: {reason}"),
                format!("keyway info {tls}--qi-url {url} --user nao --token TOKEN"),
            ),
            Finding::Tls => {
                let secure = url.to_string().replacen("tcp://", "tcps://", 1);
                (
                    "tls",
                    "a TLS server, probably a robot's or a gateway's secure door".to_owned(),
                    format!("keyway probe --pin SHA256|FILE {secure}"),
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
                format!("keyway probe {tls}--timeout 30 {url}"),
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
/// What is read at once, in bytes.
const READ: usize = 4096;
/// Enough for a capability map.
const LARGEST_ANSWER: u32 = 64 * 1024;
/// How much of a foreign greeting is shown, in bytes.
const SHOWN: usize = 40;
