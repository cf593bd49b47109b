//! Calls the services that a rule names.

use std::{collections::BTreeMap, sync::Arc};

use keyway_bridge::{
    CallError, Peer, Service,
    keyway::{Signature, Value, value::convert::resolve_overload},
};
use keyway_ros_types::rules::{ExpressionError, PollRule, Source};

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
        let arguments = source.evaluate(root)?;
        self.invoke(source, arguments, true).await
    }

    async fn invoke(&mut self, source: &Source, arguments: Vec<Value>, is_write: bool) -> Result<Value, RuleError> {
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
        let result = match is_write {
            true => self.peer.call(&service, method, arguments).await,
            false => self.peer.poll(&service, method, arguments).await,
        };
        if let Err(CallError::Gone(_)) = &result {
            // It may be another one next time.
            self.services.remove(&source.service);
        }
        Ok(result?)
    }

    /// What the sources return, by their names.
    pub(super) async fn values(
        &mut self,
        rule: &PollRule,
        kept: &mut BTreeMap<String, Value>,
    ) -> Result<Value, RuleError> {
        let mut values = Vec::with_capacity(rule.sources.len());
        for (name, source) in &rule.sources {
            let value = match kept.get(name) {
                Some(value) => value.clone(),
                None => {
                    let arguments = source.evaluate(&Value::Void)?;
                    let value = self.invoke(source, arguments, false).await?;
                    if source.is_once {
                        kept.insert(name.clone(), value.clone());
                    }
                    value
                }
            };
            values.push((Value::from(name.as_str()), value.into_dynamic()));
        }
        Ok(Value::map(Signature::string(), Signature::dynamic(), values))
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
