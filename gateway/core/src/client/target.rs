//! What an operation is about: a service, or an object that a service returned.

use std::{fmt, sync::Arc};

use keyway::Proxy;
use keyway_policy::Decision;
use keyway_value::{ActionId, MetaMethod, MetaObject, MetaProperty, MetaSignal};

use super::{ClientError, GatewayCode, MAX_QUOTED};
use crate::{
    access::Access,
    bus::{Bus, Service},
};

/// A service or object, as a role may use it. It is a snapshot: look it up again for the next operation.
#[derive(Clone)]
pub struct Target {
    pub(super) bus: Arc<Bus>,
    pub(super) access: Arc<Access>,
    pub(super) place: Place,
}

#[derive(Clone)]
pub(super) enum Place {
    Service(Arc<Service>),
    Object(Proxy),
}

impl Target {
    /// The members that may be used, without those that every object has.
    pub fn metaobject(&self) -> MetaObject {
        let mut shown = self.access.rules.filter_metaobject(&self.access.metaobject);
        shown.methods.retain(|id, _| !MetaObject::is_reserved(ActionId(*id)));
        shown.signals.retain(|id, _| !MetaObject::is_reserved(ActionId(*id)));
        shown
    }

    /// All methods of a name, or the one of a full name (`add::(ii)`), those that may be called first.
    pub fn methods(&self, name: &str) -> Vec<&MetaMethod> {
        let offered = |method: &&MetaMethod| is_offered(ActionId(method.uid));
        let mut methods: Vec<_> = self.access.metaobject.methods_named(name).filter(offered).collect();
        let denied = |method: &&MetaMethod| matches!(self.access.rules.call(ActionId(method.uid)), Decision::Deny(_));
        methods.sort_by_key(denied);
        methods
    }

    /// A property by name.
    pub fn property(&self, name: &str) -> Option<&MetaProperty> {
        self.access.metaobject.property_by_name(name)
    }

    /// A signal by name.
    pub fn signal(&self, name: &str) -> Option<&MetaSignal> {
        let signal = self.access.metaobject.signal_by_name(name);
        signal.filter(|signal| !MetaObject::is_reserved(ActionId(signal.uid)))
    }

    /// The error for a member that is not there.
    pub fn unknown(&self, member: &str) -> ClientError {
        let refusal = keyway_policy::Refusal {
            code: keyway_policy::Code::UnknownMember,
            rule: None,
            role: self.access.role.to_string(),
            service: self.access.service.to_string(),
            member: member.chars().take(MAX_QUOTED).collect(),
            detail: None,
        };
        ClientError::from(&refusal)
    }

    /// The way to it.
    pub(super) async fn proxy(&self) -> Result<Proxy, ClientError> {
        let service = match &self.place {
            Place::Object(proxy) => return Ok(proxy.clone()),
            Place::Service(service) => service,
        };
        let unreachable = |_| ClientError::new(GatewayCode::Unreachable, "the service cannot be reached now");
        service.proxy(self.bus.session()).await.map_err(unreachable)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("service", &self.access.service)
            .field("role", &self.access.role)
            .finish_non_exhaustive()
    }
}

/// Whether a method may be called by name at all: what every object has is for protocols of frames, statistics aside.
pub(super) fn is_offered(action: ActionId) -> bool {
    !MetaObject::is_reserved(action) || (ActionId::IS_STATS_ENABLED.0..=ActionId::ENABLE_TRACE.0).contains(&action.0)
}
