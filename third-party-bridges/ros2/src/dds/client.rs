//! Services that are called.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use rustdds::{DataReaderStatus, DataWriterStatus, RTPSEntity, StatusEvented};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    Dds, Quality,
    request::{Middleware, RequestId},
    writer::write,
};
use crate::names::DdsTopic;

/// A service that may be called, until this is dropped.
#[derive(Debug)]
pub(crate) struct Client {
    requests: mpsc::Sender<(Bytes, oneshot::Sender<Bytes>)>,
    is_provided: watch::Receiver<bool>,
    limit: Duration,
}

/// Why a call has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoResponse {
    /// Too many calls wait.
    #[error("busy")]
    Busy,
    /// Whoever provides it was there when the call began.
    #[error("the provider is gone")]
    Gone,
    /// Nobody provides it.
    #[error("not available")]
    NotAvailable,
    /// The provider does not answer.
    #[error("timeout after {0:?}")]
    Timeout(Duration),
}

impl Client {
    /// The body of the response.
    pub(crate) async fn call(&self, request: Bytes) -> Result<Bytes, NoResponse> {
        let mut is_provided = self.is_provided.clone();
        if !*is_provided.borrow_and_update() {
            return Err(NoResponse::NotAvailable);
        }
        let (answer, answered) = oneshot::channel();
        self.requests.try_send((request, answer)).map_err(|_| NoResponse::Busy)?;
        tokio::select! {
            body = answered => body.map_err(|_| NoResponse::Gone),
            _ = is_provided.wait_for(|is_provided| !is_provided) => Err(NoResponse::Gone),
            () = tokio::time::sleep(self.limit) => Err(NoResponse::Timeout(self.limit)),
        }
    }
}

impl Dds {
    /// Gets ready to call a service; a call may take so long.
    pub(crate) fn client(&self, topics: (DdsTopic, DdsTopic), middleware: Middleware, limit: Duration) -> Client {
        let (requests, mut asked) = mpsc::channel::<(Bytes, oneshot::Sender<Bytes>)>(REQUESTS);
        let (provided, is_provided) = watch::channel(false);
        self.spawn(move |participant| async move {
            let made = participant
                .writer(&topics.0, &Quality::Usual.writer_policies())
                .and_then(|writer| Ok((writer, participant.reader(&topics.1, &Quality::Usual.policies())?)));
            let (writer, reader) = match made {
                Ok(endpoints) => endpoints,
                Err(error) => {
                    tracing::error!(topic = topics.0.name, %error, "DDS does not take the service");
                    return;
                }
            };
            let mut responses = std::pin::pin!(reader.endpoint.as_async_stream());
            let mut readers = writer.endpoint.as_async_status_stream();
            let mut writers = reader.endpoint.as_async_status_stream();
            let mut waiting: HashMap<RequestId, oneshot::Sender<Bytes>> = HashMap::new();
            // Whoever provides it reads requests and writes responses.
            let (mut reading, mut writing) = (0, 0);
            // Fast DDS counts requests as DDS counts messages.
            let mut number = 1;
            loop {
                tokio::select! {
                    Some(status) = readers.next() => {
                        if let DataWriterStatus::PublicationMatched { current, .. } = status {
                            reading = current.count();
                            provided.send_replace(reading > 0 && writing > 0);
                        }
                    }
                    Some(status) = writers.next() => {
                        if let DataReaderStatus::SubscriptionMatched { current, .. } = status {
                            writing = current.count();
                            provided.send_replace(reading > 0 && writing > 0);
                        }
                    }
                    Some(response) = responses.next() => {
                        // Those to other clients come here too.
                        let answered = response.ok().and_then(|response| middleware.response(&response));
                        if let Some((id, body)) = answered
                            && let Some(answer) = waiting.remove(&id)
                        {
                            // The call may have been given up.
                            let _ = answer.send(body);
                        }
                    }
                    request = asked.recv() => {
                        let Some((body, answer)) = request else { return };
                        waiting.retain(|_, answer| !answer.is_closed());
                        let id = RequestId::of_client(middleware, writer.endpoint.guid(), number);
                        waiting.insert(id, answer);
                        if write(&writer, id.request(body), None).await {
                            number += 1;
                        }
                    }
                }
            }
        });
        Client { requests, is_provided, limit }
    }
}

/// Calls that wait to be written.
const REQUESTS: usize = 64;
