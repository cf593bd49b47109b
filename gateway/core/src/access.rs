//! What a role may do with a service, ready for the hot path.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use keyway_policy::{Policy, ServiceAccess};
use keyway_value::{ActionId, MetaObject, Payload, to_payload};

/// The policy compiled for one role and one service, with what else a relay looks up.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) role: Arc<str>,
    pub(crate) service: Arc<str>,
    /// Whether nothing needs to be looked at.
    pub(crate) unlimited: bool,
    pub(crate) rules: ServiceAccess,
    pub(crate) metaobject: Arc<MetaObject>,
    pub(crate) generation: u64,
    members: HashMap<ActionId, Arc<str>>,
    shown: OnceLock<Payload>,
}

impl Access {
    pub(crate) fn new(
        policy: &Policy,
        generation: u64,
        role: &Arc<str>,
        service: &Arc<str>,
        metaobject: Arc<MetaObject>,
    ) -> Self {
        let methods = metaobject.methods.values().map(|method| (method.uid, &method.name));
        let signals = metaobject.signals.values().map(|signal| (signal.uid, &signal.name));
        let members = signals.chain(methods).map(|(id, name)| (ActionId(id), name.as_str().into())).collect();
        Self {
            role: role.clone(),
            service: service.clone(),
            unlimited: policy.is_unlimited(role),
            rules: policy.access(role, service, &metaobject),
            metaobject,
            generation,
            members,
            shown: OnceLock::new(),
        }
    }

    /// The name of a method or signal, for the audit log.
    pub(crate) fn member(&self, action: ActionId) -> Arc<str> {
        match self.members.get(&action) {
            Some(name) => name.clone(),
            None => action.0.to_string().into(),
        }
    }

    /// The metaobject with what may be used, as it goes over the wire.
    pub(crate) fn shown(&self) -> Payload {
        let encode = || to_payload(&self.rules.filter_metaobject(&self.metaobject)).unwrap_or_default();
        self.shown.get_or_init(encode).clone()
    }

    /// The names of the properties that may be used.
    pub(crate) fn property_names(&self) -> Payload {
        let shown = |id: &u32| self.rules.shows_property(ActionId(*id));
        let names: Vec<String> = self
            .metaobject
            .properties
            .iter()
            .filter(|(id, _)| shown(id))
            .map(|(_, property)| property.name.clone())
            .collect();
        to_payload(&names).unwrap_or_default()
    }
}
