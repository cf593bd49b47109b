//! Topics that are read.

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::{Dds, Quality};
use crate::names::DdsTopic;

/// A topic that is read, until this is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    bodies: mpsc::Receiver<Bytes>,
}

impl Reader {
    /// The next message; none if DDS does not take the topic.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        self.bodies.recv().await
    }
}

impl Dds {
    /// Begins to read a topic, but for what the bridge writes there itself.
    pub(crate) fn reader(&self, topic: DdsTopic, quality: Quality) -> Reader {
        let (read, bodies) = mpsc::channel(WAITING);
        self.spawn(move |participant| async move {
            let reader = match participant.reader(&topic, &quality.policies()) {
                Ok(reader) => reader,
                Err(error) => {
                    tracing::error!(topic = topic.name, %error, "DDS does not take the topic");
                    return;
                }
            };
            let mut changes = std::pin::pin!(reader.endpoint.as_async_stream());
            loop {
                let change = tokio::select! {
                    change = changes.next() => change,
                    () = read.closed() => return,
                };
                match change {
                    Some(Ok(change)) if participant.is_own(change.writer_guid()) => {}
                    Some(Ok(change)) => {
                        if read.send(change.into_value()).await.is_err() {
                            return;
                        }
                    }
                    Some(Err(error)) => tracing::debug!(topic = topic.name, %error, "a message cannot be read"),
                    None => return,
                }
            }
        });
        Reader { bodies }
    }
}

/// Messages between the thread and the bridge; those behind them wait in DDS, which lets the oldest go.
const WAITING: usize = 64;
