//! A topic of other nodes that the bridge listens to (spec 4.1, TC-9).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use keyway_bridge::{NetworkError, OptIn};
use keyway_bridge_ros::Sink;
use keyway_ros_types::{Registry, RegistryError, Shape, TypeName, body};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::watch,
    task::AbortHandle,
    time::sleep,
};

use crate::{
    http::{self, HttpError},
    master::{MasterError, result},
    stream::{ReadError, read_header, read_message},
    tcpros::Header,
    xmlrpc::{XmlCall, XmlValue},
};

/// A topic that is listened to, at all of its publishers but the bridge itself.
pub(crate) struct Subscription {
    name: String,
    kind: TypeName,
    context: Context,
    /// What its messages are. Nobody knows until a publisher has told it, if it is defined nowhere here.
    known: watch::Sender<Option<Known>>,
    /// Connections by the addresses of the publishers.
    links: Mutex<BTreeMap<String, AbortHandle>>,
    connected: Mutex<BTreeSet<String>>,
    sinks: Mutex<Vec<Sink>>,
    /// Whether anybody takes messages: nothing is read before.
    is_taken: watch::Sender<bool>,
}

/// The type of messages.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) md5: String,
    pub(crate) shape: Shape,
    /// Where it is defined.
    pub(crate) registry: Registry,
}

/// Who listens.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) opt_in: OptIn,
    /// The node's name.
    pub(crate) caller: String,
    /// The node's address.
    pub(crate) api: String,
}

/// Why a connection to a publisher ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Answer(#[from] MasterError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the publisher refuses: {0}")]
    Refused(String),
    #[error("the publisher sends {theirs}, and {ours} is wanted")]
    Type { theirs: String, ours: String },
    #[error("the publisher's definition is of no use: {0}")]
    Definition(#[from] RegistryError),
    #[error("the publisher says that its definition has the checksum {claimed}, and it has {real}")]
    Checksum { claimed: String, real: String },
    #[error("the publisher closed")]
    Closed,
}

impl From<std::io::Error> for LinkError {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error.into())
    }
}

impl Subscription {
    pub(crate) fn new(name: &str, kind: &TypeName, known: Option<Known>, context: Context) -> Arc<Self> {
        let (name, kind, known) = (name.to_owned(), kind.clone(), watch::Sender::new(known));
        let (links, connected, sinks) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { name, kind, context, known, links, connected, sinks, is_taken: watch::Sender::new(false) })
    }

    /// Messages go there, too.
    pub(crate) fn add(&self, sink: Sink) {
        self.sinks.lock().push(sink);
        self.is_taken.send_replace(true);
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn kind(&self) -> &TypeName {
        &self.kind
    }

    /// The type of its messages, now or later.
    pub(crate) fn known(&self) -> watch::Receiver<Option<Known>> {
        self.known.subscribe()
    }

    /// The addresses of the publishers that it is connected to.
    pub(crate) fn connected(&self) -> Vec<String> {
        self.connected.lock().iter().cloned().collect()
    }

    /// These nodes publish the topic, and no others.
    pub(crate) fn publishers(self: &Arc<Self>, publishers: &[String]) {
        let mut links = self.links.lock();
        links.retain(|publisher, link| {
            let stays = publishers.contains(publisher);
            if !stays {
                link.abort();
                self.connected.lock().remove(publisher);
            }
            stays
        });
        for publisher in publishers.iter().take(MAX_PUBLISHERS) {
            // What the bridge publishes itself is not brought back.
            if *publisher != self.context.api && !links.contains_key(publisher) {
                let link = tokio::spawn(follow(Arc::downgrade(self), publisher.clone()));
                links.insert(publisher.clone(), link.abort_handle());
            }
        }
    }

    async fn connect(&self, publisher: &str) -> Result<TcpStream, LinkError> {
        let context = &self.context;
        let kind = self.kind.to_string();
        let md5 = self.known.borrow().as_ref().map_or_else(|| "*".to_owned(), |known| known.md5.clone());
        let protocols = XmlValue::Array(vec![XmlValue::Array(vec![XmlValue::text("TCPROS")])]);
        let params = vec![XmlValue::text(&context.caller), XmlValue::text(&self.name), protocols];
        let call = XmlCall { method: "requestTopic".to_owned(), params };
        let answer = result("requestTopic", http::call(&context.opt_in, publisher, &call).await?)?;
        let Some([_, XmlValue::String(host), XmlValue::Int(port), ..]) = answer.as_array() else {
            return Err(MasterError::Answer { method: "requestTopic" }.into());
        };
        let mut stream = context.opt_in.dial(&format!("{host}:{port}"), DIAL).await?;
        let fields = [
            ("callerid", context.caller.as_str()),
            ("topic", &self.name),
            ("type", &kind),
            ("md5sum", &md5),
            ("tcp_nodelay", "1"),
        ];
        stream.write_all(&Header::new(fields).to_bytes()).await?;
        let header = read_header(&mut stream).await?;
        if let Some(error) = header.get("error") {
            return Err(LinkError::Refused(error.chars().take(500).collect()));
        }
        self.check(&header)?;
        Ok(stream)
    }

    /// Whether a publisher's messages are of the type; if nobody knows it yet, it is what the publisher says, and has to be what the
    /// publisher claims.
    fn check(&self, header: &Header) -> Result<(), LinkError> {
        let (kind, md5) = (header.get("type").unwrap_or("*"), header.get("md5sum").unwrap_or("*"));
        let refused = |ours: &str| {
            let (theirs, ours) = (format!("{kind} [{md5}]"), format!("{} [{ours}]", self.kind));
            Err(LinkError::Type { theirs, ours })
        };
        if let Some(known) = &*self.known.borrow() {
            return if md5 == "*" || md5 == known.md5 { Ok(()) } else { refused(&known.md5) };
        }
        if kind != "*" && *kind != self.kind.to_string() {
            return refused("*");
        }
        let registry = Registry::of_publisher(&self.kind, header.get("message_definition").unwrap_or_default())?;
        let (real, shape) = (registry.message_md5(&self.kind)?, Shape::of_message(&registry, &self.kind)?);
        if md5 != real {
            return Err(LinkError::Checksum { claimed: md5.to_owned(), real });
        }
        tracing::info!(topic = self.name, kind, md5, "the publisher has told the type");
        let known = Known { md5: real, shape, registry };
        let mut is_ours = true;
        // Another one may have told it meanwhile.
        self.known.send_if_modified(|first| match first {
            Some(first) => {
                is_ours = first.md5 == known.md5;
                false
            }
            None => {
                *first = Some(known);
                true
            }
        });
        if is_ours { Ok(()) } else { refused("of another publisher") }
    }

    fn take(&self, message: &bytes::Bytes) {
        // It is known where somebody is connected.
        let Some(shape) = self.known.borrow().as_ref().map(|known| known.shape.clone()) else { return };
        match body::decode(&shape, message) {
            Ok(value) => self.sinks.lock().iter().for_each(|sink| sink(value.clone())),
            Err(error) => tracing::warn!(topic = self.name, %error, "a message is not of its type"),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.links.get_mut().values().for_each(AbortHandle::abort);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("topic", &self.name).finish_non_exhaustive()
    }
}

/// Listens to a publisher, for as long as the master knows it.
async fn follow(subscription: Weak<Subscription>, publisher: String) {
    let mut failures = 0_usize;
    loop {
        let Some(connecting) = subscription.upgrade() else { return };
        let error = match connecting.connect(&publisher).await {
            Ok(stream) => {
                // Many small messages come in one read.
                let mut stream = BufReader::new(stream);
                tracing::debug!(topic = connecting.name, publisher, "connected");
                failures = 0;
                connecting.connected.lock().insert(publisher.clone());
                let mut is_taken = connecting.is_taken.subscribe();
                drop(connecting);
                if is_taken.wait_for(|is_taken| *is_taken).await.is_err() {
                    return;
                }
                let error = loop {
                    match read_message(&mut stream, MAX_MESSAGE).await {
                        Ok(Some(message)) => match subscription.upgrade() {
                            Some(subscription) => subscription.take(&message),
                            None => return,
                        },
                        Ok(None) => break LinkError::Closed,
                        Err(error) => break error.into(),
                    }
                };
                if let Some(subscription) = subscription.upgrade() {
                    subscription.connected.lock().remove(&publisher);
                }
                error
            }
            Err(error) => {
                drop(connecting);
                error
            }
        };
        if failures == 0 {
            tracing::debug!(publisher, %error, "a publisher is not listened to; tried again");
        }
        sleep(PAUSES[failures.min(PAUSES.len() - 1)]).await;
        failures += 1;
    }
}

const PAUSES: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(5),
];
const DIAL: Duration = Duration::from_secs(5);
const MAX_MESSAGE: usize = 64 << 20;
/// How many publishers of one topic are listened to.
const MAX_PUBLISHERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown() -> Arc<Subscription> {
        let opt_in = OptIn::new(true, false).unwrap();
        let context = Context { opt_in, caller: "/me".to_owned(), api: "http://127.0.0.1:1/".to_owned() };
        Subscription::new("/t", &"pkg/Reading".parse().unwrap(), None, context)
    }

    fn header(kind: &str, md5: &str, definition: &str) -> Header {
        Header::new([("type", kind), ("md5sum", md5), ("message_definition", definition)])
    }

    #[test]
    fn a_publisher_that_claims_another_type_than_it_defines_is_refused() {
        let subscription = unknown();
        let claim = subscription.check(&header("pkg/Reading", "00000000000000000000000000000000", "int8 a\n"));
        let Err(LinkError::Checksum { real, .. }) = claim else { panic!("{claim:?}") };
        let other = subscription.check(&header("pkg/Other", &real, "int8 a\n"));
        assert!(matches!(other, Err(LinkError::Type { .. })), "{other:?}");
        for text in ["", "int8", "pkg/Nowhere a\n"] {
            assert!(subscription.check(&header("pkg/Reading", &real, text)).is_err(), "{text}");
        }
        assert!(subscription.known().borrow().is_none(), "nothing is learned of them");

        subscription.check(&header("pkg/Reading", &real, "int8 a # in degrees\n")).unwrap();
        assert_eq!(subscription.known().borrow().as_ref().map(|known| known.md5.clone()), Some(real.clone()));
        // From now on it is that type.
        subscription.check(&header("pkg/Reading", &real, "")).unwrap();
        let other = subscription.check(&header("pkg/Reading", "11111111111111111111111111111111", "int16 a\n"));
        assert!(matches!(other, Err(LinkError::Type { .. })), "{other:?}");
    }
}
