//! What a client is shown of the objects that services pass to it: objects travel with their metaobjects (spec 10.1), which name
//! everything that could be used. Of each goes out what the client's role may use.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use keyway_pipe::ConnectionId;
use keyway_value::{CodecError, MetaObject, ObjectLayout, Payload, ServiceId, Signature, replace_metaobjects};

use crate::bus::Bus;

/// For one client. By the rules in force, whenever it is asked.
pub(crate) struct ShownObjects {
    bus: Arc<Bus>,
    role: Arc<str>,
    client: ConnectionId,
    unlimited: AtomicBool,
}

impl ShownObjects {
    pub(crate) fn new(bus: &Arc<Bus>, role: &Arc<str>, client: ConnectionId, unlimited: bool) -> Arc<Self> {
        let (bus, role, unlimited) = (bus.clone(), role.clone(), unlimited.into());
        Arc::new(Self { bus, role, client, unlimited })
    }

    /// Whether the client is shown everything, so that nothing has to be read.
    pub(crate) fn are_whole(&self) -> bool {
        self.unlimited.load(Ordering::Relaxed)
    }

    /// Other rules are in force.
    pub(crate) fn renew(&self, unlimited: bool) {
        self.unlimited.store(unlimited, Ordering::Relaxed);
    }

    /// What is shown of an object that comes by way of a service.
    pub(crate) fn metaobject(&self, service: ServiceId, metaobject: &Arc<MetaObject>) -> Arc<MetaObject> {
        if self.are_whole() {
            return metaobject.clone();
        }
        // Of a service that has left nothing can be used.
        let Some(service) = self.bus.service(service) else { return Arc::default() };
        if service.is_hosted_by(self.client) {
            // What callers pass to its service, it may use.
            return metaobject.clone();
        }
        let rules = self.bus.rules();
        let access = service.access(&self.role, &rules);
        access.map(|access| access.shown_object(&rules, metaobject)).unwrap_or_default()
    }

    /// A payload of this type as the client gets it, by way of a service; `None` if it is the same.
    pub(crate) fn payload(
        &self,
        service: ServiceId,
        payload: &Bytes,
        signature: &Signature,
        layout: ObjectLayout,
    ) -> Result<Option<Payload>, CodecError> {
        replace_metaobjects(payload, signature, layout, |reference| {
            let shown = self.metaobject(service, &reference.metaobject);
            (*shown != *reference.metaobject).then_some(shown)
        })
    }
}
