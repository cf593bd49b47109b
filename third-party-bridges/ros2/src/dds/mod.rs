//! DDS, on a thread of its own (DDS-6).
//!
//! The thread runs one task for each topic and service; what the rest of the bridge holds are the ends of bounded channels to
//! them. A task ends with its handle, and so does what it has in DDS.

mod bytes_of;
mod client;
mod crowd;
mod early;
mod goodbye;
mod graph;
mod newcomers;
mod participant;
mod reader;
mod request;
mod server;
mod writer;

use std::{io, net::Ipv4Addr, rc::Rc, sync::Arc, thread};

use futures_util::future::LocalBoxFuture;
use rustdds::{RTPSEntity, dds::CreateError};
use tokio::{
    sync::{mpsc, oneshot},
    task::{LocalSet, spawn_local},
};

use self::participant::Participant;
pub use self::request::Middleware;
pub(crate) use self::{
    client::{Client, NoResponse},
    crowd::Crowd,
    graph::Graph,
    server::{Asked, Server},
    writer::{Quality, Writer},
};
use crate::loopback::confined;

/// The participant's thread. Clones are the same; the thread ends with the last.
#[derive(Clone)]
pub(crate) struct Dds {
    jobs: mpsc::Sender<Job>,
}

/// Where it takes part, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// `ROS_DOMAIN_ID`
    pub(crate) domain: u16,
    /// Nothing leaves the machine, or it does not start.
    pub(crate) is_local: bool,
    /// The node that everything belongs to.
    pub(crate) graph: Arc<Graph>,
    /// Who else takes part.
    pub(crate) crowd: Arc<Crowd>,
    /// Closed when all threads have ended, and others are told.
    pub(crate) _alive: mpsc::Sender<()>,
}

type Job = Box<dyn FnOnce(Rc<Participant>) -> LocalBoxFuture<'static, ()> + Send>;

/// DDS does not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DdsError {
    /// The library refuses.
    #[error("{0}")]
    Create(#[from] CreateError),
    /// A socket cannot be kept on loopback, or a thread cannot be started.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The thread is gone.
    #[error("DDS has ended")]
    Ended,
}

impl Dds {
    /// Takes part in a domain. With `is_node`, others are told of the node, and it is seen who they are; one of its participants does that.
    pub(crate) async fn start(place: Place, is_node: bool) -> Result<Self, DdsError> {
        let (jobs, waiting) = mpsc::channel(JOBS);
        let (started, start) = oneshot::channel();
        thread::Builder::new().name("dds".to_owned()).spawn(move || run(&place, is_node, started, waiting))?;
        start.await.map_err(|_| DdsError::Ended)??;
        Ok(Self { jobs })
    }

    /// Runs a task there.
    fn spawn<F>(&self, job: impl FnOnce(Rc<Participant>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let (jobs, job): (_, Job) = (self.jobs.clone(), Box::new(move |participant| Box::pin(job(participant))));
        tokio::spawn(async move {
            // If the thread has ended, so has everything there.
            let _ = jobs.send(job).await;
        });
    }
}

fn run(place: &Place, is_node: bool, started: oneshot::Sender<Result<(), DdsError>>, mut jobs: mpsc::Receiver<Job>) {
    let open = || {
        let domain = rustdds::DomainParticipantBuilder::new(place.domain);
        let domain = if place.is_local { domain.with_only_networks([Ipv4Addr::LOCALHOST]) } else { domain };
        domain.build().map_err(DdsError::from)
    };
    let start = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let domain = if place.is_local { confined(open)? } else { open()? };
        Ok((runtime, Rc::new(Participant::new(domain, place.graph.clone(), &place.crowd)?)))
    };
    let (runtime, participant) = match start() {
        Ok(made) => made,
        Err(error) => {
            let _ = started.send(Err(error));
            return;
        }
    };
    // Whoever asked is gone: so are the jobs.
    let _ = started.send(Ok(()));
    let guid = participant.domain.guid();
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let crowd = is_node.then(|| place.crowd.clone());
        spawn_local(participant::listen(participant.clone(), crowd));
        participant.newcomers.are_settled(|| jobs.is_closed()).await;
        if is_node {
            spawn_local(graph::announce(participant.clone()));
        }
        while let Some(job) = jobs.recv().await {
            participant.newcomers.are_settled(|| jobs.is_closed()).await;
            spawn_local(job(participant.clone()));
        }
    });
    drop((tasks, participant));
    if let Err(error) = goodbye::say(place.domain, guid) {
        tracing::debug!(%error, "others find out by themselves that a participant has left");
    }
}

/// Tasks that wait to be started; who starts one waits.
const JOBS: usize = 256;
