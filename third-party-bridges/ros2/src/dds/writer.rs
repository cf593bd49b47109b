//! Topics that are written.

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use rustdds::{
    DataWriterStatus, Duration, QosPolicies, SampleIdentity, StatusEvented, Timestamp, WriteOptionsBuilder,
    dds::WriteError,
    policy::{Durability, History, Reliability, ResourceLimits},
};
use tokio::sync::{mpsc, watch};

use super::{Dds, participant::BodyWriter};
use crate::names::DdsTopic;

/// How messages are kept and delivered (spec 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quality {
    /// Nothing is lost on the way to those who listen.
    Usual,
    /// Who comes later gets the last message.
    Latched,
    /// Who comes later gets the last few.
    Log,
    /// Messages may be lost.
    Sensor,
}

impl Quality {
    pub(super) fn policies(self) -> QosPolicies {
        let policies = QosPolicies::builder();
        let reliable = Reliability::Reliable { max_blocking_time: Duration::from_millis(100) };
        let policies = match self {
            Self::Usual => policies.reliability(reliable).history(History::KeepLast { depth: 10 }),
            Self::Latched => policies
                .reliability(reliable)
                .durability(Durability::TransientLocal)
                .history(History::KeepLast { depth: 1 }),
            Self::Log => policies
                .reliability(reliable)
                .durability(Durability::TransientLocal)
                .history(History::KeepLast { depth: 16 }),
            Self::Sensor => policies.reliability(Reliability::BestEffort).history(History::KeepLast { depth: 5 }),
        };
        policies.build()
    }

    /// Those of a writer: it may have so many messages on the way to a reader that is slow.
    pub(super) fn writer_policies(self) -> QosPolicies {
        let max_samples = if self == Self::Latched { 64 } else { 1024 };
        let limits = ResourceLimits { max_samples, max_instances: 1, max_samples_per_instance: max_samples };
        self.policies().modify_by(&QosPolicies::builder().resource_limits(limits).build())
    }
}

/// A topic that is written, until this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    bodies: mpsc::Sender<Bytes>,
    /// How many listen.
    pub(crate) heard_by: watch::Receiver<usize>,
}

impl Writer {
    /// Sends a message, and waits while those who listen are slow. Messages to a topic that DDS does not take are lost; the log
    /// says why.
    pub(crate) async fn write(&self, body: Bytes) {
        let _ = self.bodies.send(body).await;
    }

    /// Sends a message unless those who listen are slow.
    pub(crate) fn try_write(&self, body: Bytes) -> bool {
        self.bodies.try_send(body).is_ok()
    }
}

impl Dds {
    /// Begins to write a topic.
    pub(crate) fn writer(&self, topic: DdsTopic, quality: Quality) -> Writer {
        let (bodies, written) = mpsc::channel(ON_THE_WAY);
        let (count, heard_by) = watch::channel(0);
        self.spawn(move |participant| async move {
            match participant.writer(&topic, &quality.writer_policies()) {
                Ok(writer) => serve(&writer, written, count).await,
                Err(error) => tracing::error!(topic = topic.name, %error, "DDS does not take the topic"),
            }
        });
        Writer { bodies, heard_by }
    }
}

async fn serve(writer: &BodyWriter, mut bodies: mpsc::Receiver<Bytes>, count: watch::Sender<usize>) {
    let mut statuses = writer.endpoint.as_async_status_stream();
    loop {
        tokio::select! {
            body = bodies.recv() => match body {
                Some(body) => {
                    let writing = write(writer, body, None);
                    tokio::select! {
                        _ = writing => {}
                        // Whoever wrote is gone, and so is what waits.
                        () = count.closed() => return,
                    }
                }
                None => return,
            },
            Some(status) = statuses.next() => tell(&count, &status),
        }
        // Those that have left while something was written.
        while let Some(Some(status)) = statuses.next().now_or_never() {
            tell(&count, &status);
        }
    }
}

fn tell(count: &watch::Sender<usize>, status: &DataWriterStatus) {
    if let DataWriterStatus::PublicationMatched { current, .. } = status {
        count.send_replace(usize::try_from(current.count()).unwrap_or(0));
    }
}

/// Writes as soon as there is room, and says whether that was done. With `related`, it is said beside the message which other it
/// belongs to; when it was written is always said, as others sort by it.
pub(super) async fn write(writer: &BodyWriter, mut body: Bytes, related: Option<SampleIdentity>) -> bool {
    loop {
        let options =
            WriteOptionsBuilder::new().source_timestamp(Timestamp::now()).related_sample_identity_opt(related);
        match writer.endpoint.async_write_with_options(body, options.build()).await {
            Err(WriteError::WouldBlock { data }) => body = data,
            Err(error) => {
                tracing::warn!(%error, "a message is not written");
                return false;
            }
            Ok(_) => return true,
        }
    }
}

/// Messages between the bridge and the thread.
const ON_THE_WAY: usize = 64;
