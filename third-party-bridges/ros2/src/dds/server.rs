//! Services that are provided.

use std::{collections::HashSet, time::Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use rustdds::{DataWriterStatus, GUID, StatusEvented, dds::CreateResult};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep_until,
};

use super::{
    Dds, Quality,
    early::{Early, Response},
    participant::{BodyReader, BodyWriter, Participant},
    request::{Middleware, RequestId},
    writer::write,
};
use crate::names::DdsTopic;

/// A service that is provided, until this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    _open: oneshot::Sender<()>,
}

/// A request that has come.
#[derive(Debug)]
pub(crate) struct Asked<S> {
    /// What was asked.
    pub(crate) service: S,
    /// The request.
    pub(crate) body: Bytes,
    /// The participant that asks.
    pub(crate) client: [u8; 12],
    id: RequestId,
    answers: mpsc::Sender<Response>,
}

impl<S> Asked<S> {
    /// How many bytes an answer may have.
    pub(crate) const fn most(&self) -> usize {
        self.id.most_of_a_response()
    }

    /// Answers, unless the service is gone.
    pub(crate) async fn answer(self, body: Bytes) {
        let _ = self.answers.send((self.id, self.client, body)).await;
    }
}

impl Dds {
    /// Provides a service: what is asked of it is told to `asked`, with the service.
    pub(crate) fn server<S: Clone + Send + 'static>(
        &self,
        topics: (DdsTopic, DdsTopic),
        middleware: Middleware,
        service: S,
        asked: mpsc::Sender<Asked<S>>,
    ) -> Server {
        let (open, mut closed) = oneshot::channel();
        self.spawn(move |participant| async move {
            let (reader, writer) = match open_both(&participant, &topics) {
                Ok(endpoints) => endpoints,
                Err(error) => {
                    tracing::error!(topic = topics.0.name, %error, "DDS does not take the service");
                    return;
                }
            };
            let (answers, mut answered) = mpsc::channel(ANSWERS);
            let mut requests = std::pin::pin!(reader.endpoint.as_async_stream());
            let mut statuses = writer.endpoint.as_async_status_stream();
            let mut listening = HashSet::<GUID>::new();
            let (mut early, mut lost) = (Early::default(), 0_u64);
            loop {
                let listens = |client: &[u8; 12]| listening.iter().any(|reader| reader.to_bytes()[..12] == *client);
                while let Some((id, _, body)) = early.take(Instant::now(), listens) {
                    let (body, related) = id.response(body);
                    tokio::select! {
                        _ = write(&writer, body, related) => {}
                        _ = &mut closed => return,
                    }
                }
                tokio::select! {
                    _ = &mut closed => return,
                    Some(request) = requests.next() => {
                        let request = match request {
                            Ok(request) => request,
                            Err(error) => {
                                tracing::debug!(topic = topics.0.name, %error, "a request cannot be read");
                                continue;
                            }
                        };
                        let Some((id, body)) = middleware.request(&request) else { continue };
                        let mut client = [0; 12];
                        client.copy_from_slice(&request.writer_guid().to_bytes()[..12]);
                        let (service, answers) = (service.clone(), answers.clone());
                        if asked.try_send(Asked { service, body, client, id, answers }).is_err() {
                            lost += 1;
                            tracing::warn!(topic = topics.0.name, lost, "there are too many requests; one is lost");
                        }
                    }
                    Some(status) = statuses.next() => note(&mut listening, &status),
                    Some(response) = answered.recv() => early.keep(Instant::now(), response),
                    () = until(early.due()) => {}
                }
            }
        });
        Server { _open: open }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn note(listening: &mut HashSet<GUID>, status: &DataWriterStatus) {
    if let DataWriterStatus::PublicationMatched { current, reader, .. } = status {
        match current.count_change() > 0 {
            true => listening.insert(*reader),
            false => listening.remove(reader),
        };
    }
}

fn open_both(
    participant: &Participant,
    (request, response): &(DdsTopic, DdsTopic),
) -> CreateResult<(BodyReader, BodyWriter)> {
    let reader = participant.reader(request, &Quality::Usual.policies())?;
    let writer = participant.writer(response, &Quality::Usual.writer_policies())?;
    Ok((reader, writer))
}

/// Answers that wait to be written; those behind them wait.
const ANSWERS: usize = 64;
