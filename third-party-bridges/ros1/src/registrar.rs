//! Keeps the master's knowledge of this node as it should be, for ever (spec 2, R1-3 to R1-6).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    io::AsyncWriteExt,
    time::{sleep, timeout},
};

use crate::{
    master::MasterError,
    node::{Node, SIM_TIME},
    stream::read_header,
    tcpros::Header,
    xmlrpc::XmlValue,
};

/// What the master has been told.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    pid: Option<i32>,
    publications: BTreeMap<String, String>,
    subscriptions: BTreeMap<String, String>,
    services: Vec<String>,
    /// Whether it tells of the parameter by which a simulation has its own time.
    tells_time: bool,
    shown: Option<Vec<String>>,
    /// Names that others have; each is told once.
    foreign: Vec<String>,
}

impl Registered {
    fn is_empty(&self) -> bool {
        self.publications.is_empty() && self.subscriptions.is_empty() && self.services.is_empty()
    }
}

/// Registers what there is, and again whenever the master has forgotten it.
pub(crate) async fn run(node: Arc<Node>, root: String, known: Arc<tokio::sync::Mutex<Registered>>) {
    let mut failures = 0_usize;
    loop {
        let outcome = {
            let mut known = known.lock().await;
            let outcome = update(&node, &root, &mut known).await;
            if outcome.is_err() {
                // Whatever it knows, it is told again.
                *known = Registered::default();
            }
            outcome
        };
        let pause = match outcome {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!(master = node.master.uri(), "the master is there again");
                }
                failures = 0;
                CHECK
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(master = node.master.uri(), %error, "no master; tried until there is one");
                }
                let pause = PAUSES[failures.min(PAUSES.len() - 1)];
                failures += 1;
                pause
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = node.changed.notified(), if failures == 0 => {}
            () = node.dismissed.notified() => {
                leave(&node, &root, &mut *known.lock().await).await;
                sleep(DISMISSED).await;
            }
        }
    }
}

/// Tells the master that the node is gone; takes 2 s at most.
pub(crate) async fn leave(node: &Node, root: &str, known: &mut Registered) {
    let goodbye = async {
        let at = node.service_api();
        let mut calls = Calls::default();
        for name in &known.services {
            calls.add(node.master.unregister_service(name, &at)).await;
        }
        calls.finish().await;
        let mut calls = Calls::default();
        for topic in known.publications.keys() {
            calls.add(node.master.unregister_publisher(topic, &node.api)).await;
        }
        calls.finish().await;
        let mut calls = Calls::default();
        for topic in known.subscriptions.keys() {
            calls.add(node.master.unregister_subscriber(topic, &node.api)).await;
        }
        calls.finish().await;
        if known.tells_time {
            // Whatever it says: the address is gone in a moment.
            let _ = node.master.unsubscribe_param(SIM_TIME, &node.api).await;
        }
        for name in ["bridge_version", "services"] {
            // A parameter that is gone already is what is wanted.
            let _ = node.master.delete_param(&format!("{root}/{name}")).await;
        }
    };
    if timeout(GOODBYE, goodbye).await.is_err() {
        tracing::warn!(master = node.master.uri(), "the master did not take the goodbye in time");
    }
    *known = Registered::default();
}

/// Goodbyes, some at a time: each takes the master about a millisecond. A master that is gone has nothing to forget.
struct Calls<F: Future>(FuturesUnordered<F>);

impl<F: Future> Default for Calls<F> {
    fn default() -> Self {
        Self(FuturesUnordered::new())
    }
}

impl<F: Future<Output = Result<(), MasterError>>> Calls<F> {
    async fn add(&mut self, call: F) {
        self.0.push(call);
        if self.0.len() >= AT_ONCE {
            self.0.next().await;
        }
    }

    async fn finish(mut self) {
        while self.0.next().await.is_some() {}
    }
}

async fn update(node: &Arc<Node>, root: &str, known: &mut Registered) -> Result<(), MasterError> {
    let pid = node.master.pid().await?;
    if known.pid != Some(pid) {
        *known = Registered { pid: Some(pid), ..Registered::default() };
    }
    if !known.is_empty() {
        match node.master.lookup_node(&node.name).await {
            Ok(api) if api == node.api => {}
            Ok(_) | Err(MasterError::Refused { .. }) => {
                node.warn("the master has forgotten the bridge");
                *known = Registered { pid: Some(pid), ..Registered::default() };
            }
            Err(error) => return Err(error),
        }
    }
    if !known.tells_time {
        let value = node.master.subscribe_param(SIM_TIME, &node.api).await?;
        node.parameter(SIM_TIME, &value);
        known.tells_time = true;
    }
    let graph = node.graph();

    let wanted: BTreeMap<String, String> =
        graph.publications.values().map(|topic| (topic.name.clone(), topic.kind.clone())).collect();
    for topic in gone(&known.publications, &wanted) {
        node.master.unregister_publisher(&topic, &node.api).await?;
        known.publications.remove(&topic);
    }
    for (topic, kind) in wanted {
        if !known.publications.contains_key(&topic)
            && is_taken(&topic, node.master.register_publisher(&topic, &kind, &node.api).await)?
        {
            known.publications.insert(topic, kind);
        }
    }

    let wanted: BTreeMap<String, String> =
        graph.subscriptions.values().map(|topic| (topic.name().to_owned(), topic.kind().to_string())).collect();
    for topic in gone(&known.subscriptions, &wanted) {
        node.master.unregister_subscriber(&topic, &node.api).await?;
        known.subscriptions.remove(&topic);
    }
    for (topic, kind) in wanted {
        if known.subscriptions.contains_key(&topic) {
            continue;
        }
        match node.master.register_subscriber(&topic, &kind, &node.api).await {
            Ok(publishers) => {
                if let Some(subscription) = graph.subscriptions.get(&topic) {
                    subscription.publishers(&publishers);
                }
                known.subscriptions.insert(topic, kind);
            }
            Err(error) => {
                is_taken(&topic, Err(error))?;
            }
        }
    }

    let at = node.service_api();
    let old: Vec<String> = known.services.iter().filter(|name| !graph.services.contains_key(*name)).cloned().collect();
    for name in old {
        node.master.unregister_service(&name, &at).await?;
        known.services.retain(|known| *known != name);
    }
    known.foreign.retain(|name| graph.services.contains_key(name));
    for name in graph.services.keys() {
        if known.services.contains(name) {
            continue;
        }
        if is_foreign(node, name, &at).await? {
            if !known.foreign.contains(name) {
                node.error(&format!("another node provides {name}, so the bridge does not"));
                known.foreign.push(name.clone());
            }
        } else if is_taken(name, node.master.register_service(name, &at, &node.api).await)? {
            known.services.push(name.clone());
            known.foreign.retain(|foreign| foreign != name);
        }
    }

    if known.shown.as_ref() != Some(&graph.shown) {
        let version = XmlValue::text(env!("CARGO_PKG_VERSION"));
        node.master.set_param(&format!("{root}/bridge_version"), version).await?;
        let names = XmlValue::Array(graph.shown.iter().map(XmlValue::text).collect());
        node.master.set_param(&format!("{root}/services"), names).await?;
        known.shown = Some(graph.shown);
    }
    Ok(())
}

/// What is known and has another type now, or is no longer wanted.
fn gone(known: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> Vec<String> {
    known.iter().filter(|(name, kind)| wanted.get(*name) != Some(kind)).map(|(name, _)| name.clone()).collect()
}

/// Whether the master took it. What it refuses is told, and does not keep other things from being registered.
fn is_taken(name: &str, result: Result<(), MasterError>) -> Result<bool, MasterError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.is_of_the_connection() => Err(error),
        Err(error) => {
            tracing::error!(name, %error, "not registered");
            Ok(false)
        }
    }
}

/// Whether another node provides a service, and is there (R1-6).
async fn is_foreign(node: &Node, name: &str, own: &str) -> Result<bool, MasterError> {
    let provider = match node.master.lookup_service(name).await {
        Ok(provider) => provider,
        Err(error) if error.is_of_the_connection() => return Err(error),
        Err(_) => return Ok(false),
    };
    let Some(address) = provider.strip_prefix("rosrpc://").filter(|_| provider != own) else {
        return Ok(false);
    };
    let address = address.trim_end_matches('/');
    let probe = async {
        let mut stream = node.opt_in.dial(address, PROBE).await.ok()?;
        let fields = [("callerid", node.name.as_str()), ("service", name), ("md5sum", "*"), ("probe", "1")];
        stream.write_all(&Header::new(fields).to_bytes()).await.ok()?;
        let answer = read_header(&mut stream).await.ok()?;
        answer.get("error").is_none().then_some(())
    };
    Ok(timeout(PROBE, probe).await.ok().flatten().is_some())
}

/// How often the master is asked whether it is still the same.
const CHECK: Duration = Duration::from_secs(3);
/// How long after a failure it is tried again.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(5)];
const DISMISSED: Duration = Duration::from_secs(10);
const GOODBYE: Duration = Duration::from_secs(2);
const AT_ONCE: usize = 8;
const PROBE: Duration = Duration::from_secs(2);
