//! Calls the services that a rule names.

use std::{collections::BTreeMap, sync::Arc};

use keyway_bridge::{
    CallError, Peer, Service,
    keyway::{
        Value,
        value::{MetaMethod, convert::resolve_overload},
    },
};
use keyway_ros_types::rules::{Emitter, ExpressionError, Source};

use crate::RosNode;

/// Why a rule did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(super) enum RuleError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    #[error("{0}")]
    Message(String),
}

/// What a rule calls by.
pub(super) struct Caller<N> {
    node: N,
    peer: Peer,
    services: BTreeMap<String, Arc<Service>>,
    has_failed: bool,
}

impl<N: RosNode> Caller<N> {
    pub(super) fn new(node: &N, topic: &str) -> Self {
        let peer = node.bus().peer(N::FRONT, "rule", topic);
        Self { node: node.clone(), peer, services: BTreeMap::new(), has_failed: false }
    }

    /// Calls a method that may change something, with parts of a value.
    pub(super) async fn call(&mut self, source: &Source, root: &Value) -> Result<Value, RuleError> {
        self.invoke(source, root, async |peer, service, method, arguments| peer.call(service, method, arguments).await)
            .await
    }

    /// Calls a method that only tells something.
    pub(super) async fn poll(&mut self, source: &Source, root: &Value) -> Result<Value, RuleError> {
        self.invoke(source, root, async |peer, service, method, arguments| peer.poll(service, method, arguments).await)
            .await
    }

    /// Who emits a signal.
    pub(super) async fn emitter(&mut self, emitter: &Emitter) -> Result<Arc<Service>, RuleError> {
        match emitter {
            // As it is now: it may be another one than before.
            Emitter::Service(name) => Ok(self.node.bus().named(name).await?),
            Emitter::Returned(source) => {
                self.services.remove(&source.service);
                let object = async |peer: &Peer, service: &Service, method: &MetaMethod, arguments| {
                    peer.object(service, method, arguments).await
                };
                self.invoke(source, &Value::Void, object).await
            }
        }
    }

    async fn invoke<T>(
        &mut self,
        source: &Source,
        root: &Value,
        call: impl AsyncFnOnce(&Peer, &Service, &MetaMethod, Vec<Value>) -> Result<T, CallError>,
    ) -> Result<T, RuleError> {
        let arguments = source.evaluate(root)?;
        let service = match self.services.get(&source.service) {
            Some(service) => service.clone(),
            None => {
                let service = self.node.bus().named(&source.service).await?;
                self.services.insert(source.service.clone(), service.clone());
                service
            }
        };
        let method = resolve_overload(service.members(), &source.method, &arguments);
        let method = method.map_err(|error| RuleError::Message(error.to_string()))?;
        let result = call(&self.peer, &service, method, arguments).await;
        if let Err(CallError::Gone(_)) = &result {
            // It may be another one next time.
            self.services.remove(&source.service);
        }
        Ok(result?)
    }

    /// The first failure of several is told.
    pub(super) fn told(&mut self, topic: &str, error: Option<RuleError>) {
        match error {
            Some(error) if !self.has_failed => {
                self.node.warn(&format!("the rule of {topic} fails, and is tried on: {error}"));
                self.has_failed = true;
            }
            Some(_) => {}
            None => self.has_failed = false,
        }
    }
}
