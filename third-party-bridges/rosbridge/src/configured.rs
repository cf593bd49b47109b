//! What rules and imports do as a client of its own, which is the bridge.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use keyway_bridge::{Bus, CallError};
use keyway_bridge_ros::{Output, RosClient, RosNode, RosService, RosTopic, Sink, StartError};
use keyway_ros_types::{MessageShape, Shape, Stamp, TypeName};
use keyway_value::Value;
use serde_json::Value as Json;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    graph::{Asked, Graph, now},
    message::{MessageError, Reader, to_json},
};

/// The graph, for rules and imports.
#[derive(Clone)]
pub(crate) struct Configured(pub(crate) Arc<Graph>);

impl RosNode for Configured {
    const FRONT: &'static str = crate::NAME;

    type Output = Published;

    type Client = Asking;

    fn bus(&self) -> &Bus {
        &self.0.bus
    }

    fn warn(&self, text: &str) {
        tracing::warn!("{text}");
    }

    fn publish(&self, topic: &RosTopic<'_>) -> Result<Published, StartError> {
        self.0.advertise_own(topic.name, topic.kind).map_err(StartError::Refused)?;
        Ok(Published { graph: self.0.clone(), topic: topic.name.to_owned(), seq: AtomicU32::new(0) })
    }

    fn subscribe(&self, topic: &RosTopic<'_>, sink: Sink) -> Result<(), StartError> {
        self.0.listen_own(topic.name, topic.kind, sink).map_err(StartError::Refused)
    }

    fn client(&self, service: &RosService<'_>) -> Result<Asking, StartError> {
        Ok(Asking {
            graph: self.0.clone(),
            service: service.name.to_owned(),
            kind: service.kind.clone(),
            request: Shape::Message(service.request.clone()),
            response: service.response.clone(),
            limit: service.limit,
        })
    }
}

/// A topic that the bridge publishes.
pub(crate) struct Published {
    graph: Arc<Graph>,
    topic: String,
    seq: AtomicU32,
}

impl Output for Published {
    type Error = std::convert::Infallible;

    fn is_heard(&self) -> bool {
        self.graph.is_heard(&self.topic)
    }

    fn next_stamp(&self) -> Stamp {
        Stamp { seq: self.seq.fetch_add(1, Ordering::Relaxed), ..now() }
    }

    fn publish(&self, message: Value) -> Result<(), Self::Error> {
        self.graph.publish_own(&self.topic, message);
        Ok(())
    }
}

/// A service that a client serves, as methods call it.
pub(crate) struct Asking {
    graph: Arc<Graph>,
    service: String,
    kind: TypeName,
    request: Shape,
    response: Arc<MessageShape>,
    limit: std::time::Duration,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskingError {
    /// No client serves it.
    #[error("ros service {0} not available")]
    NotAvailable(String),
    /// It is another service.
    #[error("ros service {service} is of the type {theirs}, not {ours}")]
    Type { service: String, theirs: TypeName, ours: TypeName },
    /// As calls of members fail.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What the client says.
    #[error("{0}")]
    Failed(String),
    /// It is not what the service's type says.
    #[error("cannot decode response: {0}")]
    Response(#[from] MessageError),
}

impl RosClient for Asking {
    type Error = AskingError;

    async fn call(&self, request: Value) -> Result<Value, AskingError> {
        let service = self.service.clone();
        let (asks, theirs) = self.graph.server(&service).ok_or_else(|| AskingError::NotAvailable(service.clone()))?;
        if theirs != self.kind {
            return Err(AskingError::Type { service, theirs, ours: self.kind.clone() });
        }
        let args = to_json(&self.request, &request, self.graph.options.load().flavour);
        let (answer, answered) = oneshot::channel();
        let asked = Asked { service: service.clone(), args, answer };
        asks.try_send(asked).map_err(|_| CallError::Busy)?;
        let answer = timeout(self.limit, answered).await.map_err(|_| CallError::Timeout(self.limit))?;
        match answer.map_err(|_| CallError::Gone(service))? {
            Ok(values) => Ok(Reader::new(now()).message(&self.response, &values)?),
            Err(Json::String(text)) => Err(AskingError::Failed(text)),
            Err(other) => Err(AskingError::Failed(other.to_string())),
        }
    }
}
