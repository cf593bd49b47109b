//! Keeps our ports registered: for ever, whatever becomes of the name server (NS-1 … NS-6).

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use keyway_bridge::OptIn;
use keyway_yarp_wire::{Carrier, Dialect, Dialled, Limits, name_server::Registration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use crate::name_server::{Conversation, NameServer, NameServerError};

/// Has ports registered and withdrawn. Clones are the same registrar.
#[derive(Debug, Clone)]
pub(crate) struct Registrar {
    wanted: Arc<watch::Sender<Wanted>>,
    done: watch::Receiver<u64>,
}

/// What is to be registered, at one moment.
#[derive(Debug, Clone, Default)]
struct Wanted {
    ports: BTreeMap<String, SocketAddr>,
    /// Goes up with each change.
    generation: u64,
    is_over: bool,
}

impl Registrar {
    pub(crate) fn start(name_server: NameServer, opt_in: OptIn, takeover: bool) -> Self {
        let (wanted, changes) = watch::channel(Wanted::default());
        let (done, is_done) = watch::channel(0);
        let states = BTreeMap::new();
        let keeper = Keeper { name_server, opt_in, takeover, wanted: Wanted::default(), states, trouble: None, done };
        tokio::spawn(keeper.run(changes));
        Self { wanted: Arc::new(wanted), done: is_done }
    }

    pub(crate) fn add(&self, name: &str, address: SocketAddr) {
        self.change(|wanted| {
            wanted.ports.insert(name.to_owned(), address);
        });
    }

    pub(crate) fn remove(&self, name: &str) {
        self.change(|wanted| {
            wanted.ports.remove(name);
        });
    }

    /// Until all ports that were added are registered, or it is known that they cannot be now.
    pub(crate) async fn settled(&self) {
        let generation = self.wanted.borrow().generation;
        // It ends with the keeper, and then there is nothing to wait for.
        let _ = self.done.clone().wait_for(|done| *done >= generation).await;
    }

    /// Withdraws all names; gives up soon, because the server may be gone.
    pub(crate) async fn stop(&self) {
        self.change(|wanted| {
            wanted.ports.clear();
            wanted.is_over = true;
        });
        if timeout(GOODBYE, self.settled()).await.is_err() {
            tracing::warn!("our ports stay in the name server, which does not answer; `yarp clean` removes them");
        }
    }

    fn change(&self, change: impl FnOnce(&mut Wanted)) {
        self.wanted.send_modify(|wanted| {
            change(wanted);
            wanted.generation += 1;
        });
    }
}

struct Keeper {
    name_server: NameServer,
    opt_in: OptIn,
    takeover: bool,
    wanted: Wanted,
    /// What is known of the ports that were or are to be registered.
    states: BTreeMap<String, (SocketAddr, State)>,
    /// What is wrong with the server, as it was logged.
    trouble: Option<String>,
    done: watch::Sender<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Somebody else has the name.
    Foreign,
    Registered,
}

impl Keeper {
    async fn run(mut self, mut changes: watch::Receiver<Wanted>) {
        let mut delay = FIRST_DELAY;
        let mut next = Instant::now();
        let mut was_reached = false;
        loop {
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = sleep_until(next) => {}
            }
            self.wanted = changes.borrow_and_update().clone();
            if self.trouble.is_none() || Instant::now() >= next || self.wanted.is_over {
                match self.look_after().await {
                    Ok(()) => {
                        self.say(None);
                        (delay, was_reached) = (FIRST_DELAY, true);
                        next = Instant::now() + POLL;
                    }
                    Err(error) => {
                        self.say(Some(error.to_string()));
                        next = Instant::now() + delay;
                        // One that was there comes back, and is looked for as often as before.
                        delay = (delay * 2).min(if was_reached { POLL } else { LAST_DELAY });
                    }
                }
            }
            self.done.send_replace(self.wanted.generation);
            if self.wanted.is_over {
                return;
            }
        }
    }

    /// Says each change of the server's state once.
    fn say(&mut self, trouble: Option<String>) {
        match (&self.trouble, &trouble) {
            (Some(_), None) => tracing::info!("the YARP name server is back"),
            (None, Some(error)) => tracing::warn!(error, "the YARP name server is not reached; tried until it is"),
            _ => {}
        }
        self.trouble = trouble;
    }

    /// Registers what is not, and looks whether the rest still is.
    async fn look_after(&mut self) -> Result<(), NameServerError> {
        let sample = self.states.iter().find(|(_, (_, state))| *state == State::Registered);
        if let Some((name, (address, _))) = sample {
            let found = self.name_server.query(name).await?;
            if !found.is_some_and(|found| is_at(&found, *address)) {
                tracing::info!("the YARP name server has forgotten our ports; they are registered again");
                self.states.clear();
            }
        }
        let is_wanted = |name: &String, address| self.wanted.ports.get(name) == Some(address);
        let gone = self.states.iter().filter(|(name, (address, _))| !is_wanted(name, address));
        let gone: Vec<_> = gone.map(|(name, (_, state))| (name.clone(), *state)).collect();
        let mut server: Conversation = self.name_server.connect().await?;
        for (name, state) in gone {
            if state == State::Registered {
                server.ask(&format!("unregister {name}")).await?;
            }
            self.states.remove(&name);
        }
        let pending: Vec<_> = self
            .wanted
            .ports
            .iter()
            .filter(|(name, _)| !self.states.contains_key(*name))
            .map(|(n, a)| (n.clone(), *a))
            .collect();
        for (name, address) in pending {
            let state = self.register(&name, address).await?;
            self.states.insert(name, (address, state));
        }
        Ok(())
    }

    async fn register(&self, name: &str, address: SocketAddr) -> Result<State, NameServerError> {
        let mut server = self.name_server.connect().await?;
        let before = server.query(name).await?.filter(|before| !is_at(before, address));
        if let Some(before) = before.filter(|_| !self.takeover)
            && self.is_alive(&before).await
        {
            let Registration { host, port, .. } = &before;
            tracing::error!(port = name, "the port is not shown: one of this name is alive at {host}:{port}");
            return Ok(State::Foreign);
        }
        let carriers = Carrier::ALL.map(Carrier::name).join(" ");
        // Of an address that is all of the machine's, the server takes the one it sees.
        let host = if address.ip().is_unspecified() { "...".to_owned() } else { address.ip().to_string() };
        server.ask(&format!("register {name} tcp {host} {}", address.port())).await?;
        for property in ["accepts", "offers"] {
            server.ask(&format!("set {name} {property} {carriers}")).await?;
        }
        if !address.ip().is_unspecified() {
            server.ask(&format!("set {name} ips {host}")).await?;
        }
        server.ask(&format!("set {name} process {}", std::process::id())).await?;
        // Without it, persistent connections to this port are never made.
        server.announce(name).await?;
        tracing::debug!(port = name, %address, "registered");
        Ok(State::Registered)
    }

    /// Whether somebody who speaks YARP is there.
    async fn is_alive(&self, registration: &Registration) -> bool {
        let greet = async {
            let address = format!("{}:{}", registration.host, registration.port);
            let mut stream = self.opt_in.dial(&address, HANDSHAKE).await.ok()?;
            stream.write_all(&Dialled::hello(Carrier::TextAck, "keyway")).await.ok()?;
            let mut dialled = Dialled::new(Carrier::TextAck, Dialect::default(), Limits::default());
            while dialled.welcome().ok()?.is_none() {
                if stream.read_buf(dialled.buffer()).await.ok()? == 0 {
                    return None;
                }
            }
            Some(())
        };
        matches!(timeout(HANDSHAKE, greet).await, Ok(Some(())))
    }
}

fn is_at(registration: &Registration, address: SocketAddr) -> bool {
    let same_host = address.ip().is_unspecified() || registration.host == address.ip().to_string();
    same_host && registration.port == address.port()
}

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LAST_DELAY: Duration = Duration::from_secs(30);
/// Between two looks at a server that is there.
const POLL: Duration = Duration::from_secs(5);
const HANDSHAKE: Duration = Duration::from_secs(2);
const GOODBYE: Duration = Duration::from_millis(1500);
