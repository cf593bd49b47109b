//! Those who must not notice what others do to a directory.

use std::time::Duration;

use keyway::{Object, Proxy, Session, SessionBuilder, Signal, SignalStream};
use tokio::{sync::watch, task::JoinHandle, time};

use crate::{
    eventually,
    process::{Keyway, Running},
};

/// A session with a service, another that calls it all the time, and a listener to both the service and the directory.
#[derive(Debug)]
pub struct Bystander {
    host: Session,
    caller: Session,
    service: Proxy,
    rung: SignalStream<(u32,)>,
    rings: u32,
    calls: watch::Receiver<u64>,
    calling: JoinHandle<()>,
    /// Who newcomers are, and where they connect.
    builder: SessionBuilder,
    url: String,
}

impl Bystander {
    /// Takes its place at a directory.
    ///
    /// # Panics
    ///
    /// When the directory does not do its work.
    pub async fn at(url: &str) -> Self {
        Self::between(url, Session::builder(), url).await
    }

    /// Takes its place with its host at a directory, and its caller at a gateway in front of that.
    ///
    /// # Panics
    ///
    /// When they do not do their work.
    pub async fn between(directory: &str, builder: SessionBuilder, url: &str) -> Self {
        let rung = Signal::<(u32,)>::new();
        let mut object = Object::builder();
        object.method("add", |(a, b): (i32, i32)| a.wrapping_add(b)).signal("rung", &rung);
        object.method("ring", move |(number,): (u32,)| rung.emit(&(number,)));
        let host = Session::connect(directory).await.expect("a session for the host");
        host.register(NAME, object).await.expect("a service");
        let caller = builder.clone().connect(url).await.expect("a session for the caller");
        let service = eventually("the service", caller.wait_for_service(NAME)).await.expect("the service");
        let rung = service.signal("rung").await.expect("a subscription");
        let (count, calls) = watch::channel(0);
        let calling = tokio::spawn(call_on_and_on(service.clone(), count));
        Self { host, caller, service, rung, rings: 0, calls, calling, builder, url: url.to_owned() }
    }

    /// Calls went on all the time and go on, events arrive, the service is still there, and the directory takes in others.
    ///
    /// # Panics
    ///
    /// When any of this is not so.
    pub async fn is_unharmed(&mut self) {
        let until = *self.calls.borrow_and_update() + 3;
        let calling = self.calls.wait_for(|count| *count >= until);
        assert!(eventually("a bystander's call", calling).await.is_ok(), "a bystander's call has failed");
        self.rings += 1;
        self.service.call::<()>("ring", (self.rings,)).await.expect("a bystander's call");
        let event = eventually("a bystander's event", self.rung.next()).await;
        assert_eq!(event.expect("the subscription goes on").expect("an event"), (self.rings,), "no event is lost");
        assert!(self.host.is_connected() && self.caller.is_connected());
        let known = self.caller.service_info(NAME).await.expect("the directory answers");
        let at_host = self.host.service_info(NAME).await.expect("the directory answers");
        assert_eq!(known.service_id, at_host.service_id);
        let is_direct = self.host.url().as_deref() == Some(&self.url);
        assert!(!is_direct || known.endpoints == at_host.endpoints, "{known:?}");
        let connecting = self.builder.clone().connect(&self.url);
        let newcomer = eventually("a newcomer", connecting).await.expect("newcomers get in");
        let service = newcomer.service(NAME).await.expect("newcomers find the service");
        assert_eq!(service.call::<i32>("add", (40, 2)).await.expect("newcomers call it"), 42);
        newcomer.close().await;
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.calling.abort();
    }
}

/// A directory in a process of its own, a bystander, and how much memory there was before anything happened.
#[derive(Debug)]
pub struct Scene {
    /// The directory.
    pub directory: Running,
    /// The one who must not notice.
    pub bystander: Bystander,
    before: u64,
}

impl Scene {
    /// Starts a directory with these arguments.
    pub async fn new(arguments: &[&str]) -> Self {
        let directory = Keyway::directory(arguments);
        let mut bystander = Bystander::at(&directory.url).await;
        bystander.is_unharmed().await;
        let before = directory.resident_kib();
        Self { directory, bystander, before }
    }

    /// Where the directory listens.
    pub fn url(&self) -> &str {
        &self.directory.url
    }

    /// What happened has changed nothing: the bystander is well, the memory is where it was, and nothing panicked.
    ///
    /// # Panics
    ///
    /// When it has.
    pub async fn is_unharmed(&mut self) {
        self.bystander.is_unharmed().await;
        self.directory.shrinks_to(self.before + ALLOWED_KIB).await;
        let said = self.directory.said();
        assert!(!said.contains("panicked"), "{said}");
    }

    /// Counts growth from now on: for input that is dear but bounded, of which the allocator keeps what one round has taken.
    ///
    /// # Panics
    ///
    /// When that is too much as well.
    pub fn settle(&mut self) {
        let grown = self.grown_kib();
        assert!(grown < ONE_ROUND_KIB, "one round takes {grown} KiB");
        self.before += grown;
    }

    /// How much the directory has grown, in KiB.
    pub fn grown_kib(&self) -> u64 {
        self.directory.resident_kib().saturating_sub(self.before)
    }
}

async fn call_on_and_on(service: Proxy, count: watch::Sender<u64>) {
    let mut pace = time::interval(PACE);
    for number in 0_i32.. {
        pace.tick().await;
        match eventually("a bystander's call", service.call::<i32>("add", (number, 1))).await {
            Ok(sum) if sum == number.wrapping_add(1) => count.send_modify(|count| *count += 1),
            // Ends the counting, which the test sees.
            other => return eprintln!("a bystander's call: {other:?}"),
        }
    }
}

const NAME: &str = "Bystander";
/// Calls all the time would leave the two processors of CI nothing else to do.
const PACE: Duration = Duration::from_millis(2);
/// What the allocator may keep of memory that was given back.
const ALLOWED_KIB: u64 = 8 * 1024;
/// What the dearest input that is accepted may take for a moment, on each of the network threads.
const ONE_ROUND_KIB: u64 = 64 * 1024;
