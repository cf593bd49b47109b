//! Service 1 of the gateway, as one role sees it (spec 7.1, 12.3).

use std::sync::{Arc, Weak};

use keyway::{CallContext, Error, Object, Result, Signal, machine_id};
use keyway_pipe::ConnectionId;
use keyway_value::{QiString, ServiceId, ServiceInfo};

use super::Bus;

/// The directory for clients of one role. Its members are those of every directory, added in the order of their ids.
#[derive(Debug)]
pub(crate) struct View {
    role: Arc<str>,
    object: Object,
    added: Signal<(u32, String)>,
    removed: Signal<(u32, String)>,
}

impl View {
    pub(super) fn new(bus: &Arc<Bus>, role: Arc<str>) -> Self {
        let (added, removed) = (Signal::new(), Signal::new());
        let asked = Asked { bus: Arc::downgrade(bus), role: role.clone() };
        let object = object(&asked, &added, &removed);
        Self { role, object, added, removed }
    }

    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    pub(super) fn role(&self) -> &str {
        &self.role
    }

    pub(super) fn announce(&self, added: bool, id: ServiceId, name: &str) {
        let signal = if added { &self.added } else { &self.removed };
        signal.emit(&(id.0, name.to_owned()));
    }
}

/// What the members of a view need.
#[derive(Clone)]
struct Asked {
    bus: Weak<Bus>,
    role: Arc<str>,
}

impl Asked {
    fn bus(&self) -> Result<Arc<Bus>> {
        self.bus.upgrade().ok_or(Error::NotConnected)
    }

    fn service(&self, context: &CallContext, name: &QiString) -> Result<ServiceInfo> {
        let bus = self.bus()?;
        let rules = bus.rules.load();
        let visible = |name: &str| rules.rules.policy.may_see(&self.role, name);
        let found = bus.catalog.lock().service(name, context.connection(), context.relative_endpoints(), visible);
        found.map_err(|error| Error::remote(error.to_string()))
    }

    fn services(&self, context: &CallContext) -> Result<Vec<ServiceInfo>> {
        let bus = self.bus()?;
        let rules = bus.rules.load();
        let visible = |name: &str| rules.rules.policy.may_see(&self.role, name);
        Ok(bus.catalog.lock().services(context.connection(), context.relative_endpoints(), visible))
    }
}

fn object(asked: &Asked, added: &Signal<(u32, String)>, removed: &Signal<(u32, String)>) -> Object {
    let mut builder = Object::builder();
    let a = asked.clone();
    builder.method_with_context("service", move |context, (name,): (QiString,)| a.service(context, &name));
    let a = asked.clone();
    builder.method_with_context("services", move |context, ()| a.services(context));
    let a = asked.clone();
    builder.method_async_with_context("registerService", move |context, (info,): (ServiceInfo,)| {
        let a = a.clone();
        async move { a.bus()?.register(owner(&context)?, &a.role, info).await.map(|id| id.0) }
    });
    let a = asked.clone();
    builder.method_async_with_context("unregisterService", move |context, (id,): (u32,)| {
        let a = a.clone();
        async move { a.bus()?.unregister(owner(&context)?, ServiceId(id)).await }
    });
    let a = asked.clone();
    builder.method_async_with_context("serviceReady", move |context, (id,): (u32,)| {
        let a = a.clone();
        async move { a.bus()?.ready(owner(&context)?, ServiceId(id)).await }
    });
    let a = asked.clone();
    builder.method_with_context("updateServiceInfo", move |context, (info,): (ServiceInfo,)| {
        a.bus()?.update(owner(context)?, info)
    });
    builder.signal("serviceAdded", added);
    builder.signal("serviceRemoved", removed);
    builder.method("machineId", |()| machine_id().to_owned());
    builder.method("_socketOfService", |(_,): (u32,)| {
        Err::<Object, _>(Error::remote("Uncaught error: attempting to dereference a null pointer"))
    });
    builder.refuse_posts();
    builder.build()
}

/// The connection that asks.
fn owner(context: &CallContext) -> Result<ConnectionId> {
    context.connection().ok_or(Error::NotConnected)
}
