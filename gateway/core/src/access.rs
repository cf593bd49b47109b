//! What a role may do with a service, ready for the hot path.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, OnceLock},
};

use foldhash::fast::RandomState;
use keyway_policy::ServiceAccess;
use keyway_value::{ActionId, MetaObject, Payload, Signature, to_payload};
use parking_lot::Mutex;

use crate::{
    carried::Carried,
    client::Overflow,
    rules::{InForce, Rules},
};

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
    /// Signals of which it is said what happens to events for a subscriber that does not keep up.
    overflow: HashMap<ActionId, Overflow, RandomState>,
    members: HashMap<ActionId, Arc<str>, RandomState>,
    /// Methods whose arguments are recorded with their values.
    recorded: HashSet<ActionId, RandomState>,
    /// Which members may carry objects.
    pub(crate) carried: Arc<Carried>,
    shown: OnceLock<Payload>,
    /// Metaobjects of objects that the service has returned last, and what is shown of them.
    objects: Mutex<VecDeque<(Arc<MetaObject>, Arc<MetaObject>)>>,
}

impl Access {
    /// To the service itself.
    pub(crate) fn new(in_force: &InForce, role: &Arc<str>, service: &Arc<str>, metaobject: Arc<MetaObject>) -> Self {
        let rules = in_force.rules.policy.access(role, service, &metaobject);
        Self::with(in_force, rules, role, service, metaobject)
    }

    /// To an object that the service has returned.
    pub(crate) fn of_object(
        in_force: &InForce,
        role: &Arc<str>,
        service: &Arc<str>,
        metaobject: Arc<MetaObject>,
    ) -> Self {
        let rules = in_force.rules.policy.object_access(role, service, &metaobject);
        Self::with(in_force, rules, role, service, metaobject)
    }

    fn with(
        in_force: &InForce,
        access: ServiceAccess,
        role: &Arc<str>,
        service: &Arc<str>,
        metaobject: Arc<MetaObject>,
    ) -> Self {
        let InForce { rules, generation } = in_force;
        let Rules { policy, audit, .. } = rules;
        let recorded = metaobject.methods.values().filter(|method| audit.records_arguments(service, &method.name));
        let recorded = recorded.map(|method| ActionId(method.uid)).collect();
        let overflow = metaobject.signals.values();
        let overflow =
            overflow.filter_map(|signal| Some((ActionId(signal.uid), rules.overflow(service, &signal.name)?)));
        let overflow = overflow.collect();
        let methods = metaobject.methods.values().map(|method| (method.uid, &method.name));
        let signals = metaobject.signals.values().map(|signal| (signal.uid, &signal.name));
        let members = signals.chain(methods).map(|(id, name)| (ActionId(id), name.as_str().into())).collect();
        Self {
            role: role.clone(),
            service: service.clone(),
            unlimited: policy.is_unlimited(role),
            rules: access,
            carried: Arc::new(Carried::of(&metaobject)),
            metaobject,
            generation: *generation,
            overflow,
            members,
            recorded,
            shown: OnceLock::new(),
            objects: Mutex::default(),
        }
    }

    /// The name of a method or signal, for the audit log.
    pub(crate) fn member(&self, action: ActionId) -> Arc<str> {
        match self.members.get(&action) {
            Some(name) => name.clone(),
            None => action.0.to_string().into(),
        }
    }

    /// What happens to a signal's events for a subscriber that does not keep up, if it is said.
    pub(crate) fn overflow(&self, signal: ActionId) -> Option<Overflow> {
        self.overflow.get(&signal).copied()
    }

    /// The declared types of a method's arguments, if their values are recorded.
    pub(crate) fn recorded(&self, method: ActionId) -> Option<&Signature> {
        let method = self.recorded.contains(&method).then(|| self.metaobject.methods.get(&method.0))?;
        method.map(|method| &method.parameters_signature)
    }

    /// The metaobject with what may be used, as it goes over the wire.
    pub(crate) fn shown(&self) -> Payload {
        let encode = || to_payload(&self.rules.filter_metaobject(&self.metaobject)).unwrap_or_default();
        self.shown.get_or_init(encode).clone()
    }

    /// What is shown of an object that the service returns, by the rules this was made of.
    pub(crate) fn shown_object(&self, in_force: &InForce, metaobject: &Arc<MetaObject>) -> Arc<MetaObject> {
        if self.unlimited {
            return metaobject.clone();
        }
        let mut objects = self.objects.lock();
        if let Some((_, shown)) = objects.iter().find(|(known, _)| known == metaobject) {
            return shown.clone();
        }
        let rules = in_force.rules.policy.object_access(&self.role, &self.service, metaobject);
        let shown = Arc::new(rules.filter_metaobject(metaobject));
        if objects.len() >= MAX_KINDS {
            objects.pop_front();
        }
        objects.push_back((metaobject.clone(), shown.clone()));
        shown
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

/// Kinds of objects that a service returns, of which it is remembered what is shown.
const MAX_KINDS: usize = 16;
