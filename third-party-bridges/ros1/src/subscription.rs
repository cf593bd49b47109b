//! A topic of other nodes that the bridge listens to (spec 4.1, TC-9).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use keyway_bridge::{NetworkError, OptIn};
use keyway_bridge_ros::Sink;
use keyway_ros_types::{Shape, body};
use parking_lot::Mutex;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::AbortHandle, time::sleep};

use crate::{
    http::{self, HttpError},
    master::{MasterError, result},
    stream::{ReadError, read_header, read_message},
    tcpros::Header,
    xmlrpc::{XmlCall, XmlValue},
};

/// A topic that is listened to, at all of its publishers but the bridge itself.
pub(crate) struct Subscription {
    topic: Subscribed,
    context: Context,
    /// Connections by the addresses of the publishers.
    links: Mutex<BTreeMap<String, AbortHandle>>,
    connected: Mutex<BTreeSet<String>>,
    sinks: Mutex<Vec<Sink>>,
}

/// What is listened to.
#[derive(Debug, Clone)]
pub(crate) struct Subscribed {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) md5: String,
    pub(crate) shape: Shape,
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
    #[error("the publisher closed")]
    Closed,
}

impl From<std::io::Error> for LinkError {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error.into())
    }
}

impl Subscription {
    pub(crate) fn new(topic: Subscribed, context: Context, sink: Sink) -> Arc<Self> {
        let (links, connected) = (Mutex::default(), Mutex::default());
        Arc::new(Self { topic, context, links, connected, sinks: Mutex::new(vec![sink]) })
    }

    /// Messages go there, too.
    pub(crate) fn add(&self, sink: Sink) {
        self.sinks.lock().push(sink);
    }

    pub(crate) fn name(&self) -> &str {
        &self.topic.name
    }

    pub(crate) fn kind(&self) -> &str {
        &self.topic.kind
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
        let (context, topic) = (&self.context, &self.topic);
        let protocols = XmlValue::Array(vec![XmlValue::Array(vec![XmlValue::text("TCPROS")])]);
        let params = vec![XmlValue::text(&context.caller), XmlValue::text(&topic.name), protocols];
        let call = XmlCall { method: "requestTopic".to_owned(), params };
        let answer = result("requestTopic", http::call(&context.opt_in, publisher, &call).await?)?;
        let Some([_, XmlValue::String(host), XmlValue::Int(port), ..]) = answer.as_array() else {
            return Err(MasterError::Answer { method: "requestTopic" }.into());
        };
        let mut stream = context.opt_in.dial(&format!("{host}:{port}"), DIAL).await?;
        let fields = [
            ("callerid", context.caller.as_str()),
            ("topic", &topic.name),
            ("type", &topic.kind),
            ("md5sum", &topic.md5),
            ("tcp_nodelay", "1"),
        ];
        stream.write_all(&Header::new(fields).to_bytes()).await?;
        let header = read_header(&mut stream).await?;
        if let Some(error) = header.get("error") {
            return Err(LinkError::Refused(error.chars().take(500).collect()));
        }
        let md5 = header.get("md5sum").unwrap_or("*");
        if md5 != "*" && md5 != topic.md5 {
            let kind = header.get("type").unwrap_or("?");
            let (theirs, ours) = (format!("{kind} [{md5}]"), format!("{} [{}]", topic.kind, topic.md5));
            return Err(LinkError::Type { theirs, ours });
        }
        Ok(stream)
    }

    fn take(&self, message: &bytes::Bytes) {
        match body::decode(&self.topic.shape, message) {
            Ok(value) => self.sinks.lock().iter().for_each(|sink| sink(value.clone())),
            Err(error) => tracing::warn!(topic = self.topic.name, %error, "a message is not of its type"),
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
        f.debug_struct("Subscription").field("topic", &self.topic.name).finish_non_exhaustive()
    }
}

/// Listens to a publisher, for as long as the master knows it.
async fn follow(subscription: Weak<Subscription>, publisher: String) {
    let mut failures = 0_usize;
    loop {
        let Some(connecting) = subscription.upgrade() else { return };
        let error = match connecting.connect(&publisher).await {
            Ok(mut stream) => {
                tracing::debug!(topic = connecting.topic.name, publisher, "connected");
                failures = 0;
                connecting.connected.lock().insert(publisher.clone());
                drop(connecting);
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
