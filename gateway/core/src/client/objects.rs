//! Objects that services returned, held for a session.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use keyway::Proxy;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{ClientError, ClientSession, GatewayCode, Target, target::Place};
use crate::{access::Access, bus::Bus, rules::InForce};

/// By ids that tell nothing and cannot be guessed.
#[derive(Default)]
pub(super) struct Objects(HashMap<Uuid, Held>);

struct Held {
    bus: Arc<Bus>,
    access: Arc<Access>,
    proxy: Proxy,
    used: Instant,
}

impl Objects {
    /// What has not been used for long.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Proxy> {
        let old = |held: &mut Held| now.saturating_duration_since(held.used) > IDLE;
        self.0.extract_if(|_, held| old(held)).map(|(_, held)| held.proxy).collect()
    }
}

impl ClientSession {
    /// An object that a service returned to this session.
    pub fn object(&self, id: &str) -> Result<Target, ClientError> {
        let unknown = || ClientError::new(GatewayCode::NoObject, "no such object is held for this client");
        let id = Uuid::parse_str(id).map_err(|_| unknown())?;
        let rules = self.gateway.in_force();
        let mut objects = self.shared.objects.lock();
        let held = objects.0.get_mut(&id).ok_or_else(unknown)?;
        held.used = Instant::now();
        if held.access.generation != rules.generation {
            held.access = Arc::new(access(&rules, &held.access, &held.proxy));
        }
        Ok(Target { bus: held.bus.clone(), access: held.access.clone(), place: Place::Object(held.proxy.clone()) })
    }

    /// Lets go of an object: its host is told.
    pub fn release(&self, id: &str) -> Result<(), ClientError> {
        let released = Uuid::parse_str(id).ok().and_then(|id| self.shared.objects.lock().0.remove(&id));
        let unknown = || ClientError::new(GatewayCode::NoObject, "no such object is held for this client");
        released.map(drop).ok_or_else(unknown)
    }

    /// Takes an object in, and says what the client is told of it. Where nothing of it may be used, or too many are held, it has
    /// no id, and its host is told that it is not needed.
    pub(super) fn hold(&self, from: &Target, proxy: Proxy) -> Value {
        let rules = self.gateway.in_force();
        let access = Arc::new(access(&rules, &from.access, &proxy));
        let uid = proxy.uid().map(|uid| uid.to_string());
        let target = Target { bus: from.bus.clone(), access, place: Place::Object(proxy.clone()) };
        let methods: Vec<_> = target
            .metaobject()
            .methods
            .into_values()
            .map(|method| format!("{}::{}", method.name, method.parameters_signature))
            .collect();
        let mut objects = self.shared.objects.lock();
        if methods.is_empty() || objects.0.len() >= MAX_OBJECTS {
            drop(objects);
            return json!({ "uid": uid, "methods": methods });
        }
        let id = Uuid::new_v4();
        let Target { bus, access, .. } = target;
        objects.0.insert(id, Held { bus, access, proxy, used: Instant::now() });
        json!({ "id": id.to_string(), "uid": uid, "methods": methods })
    }
}

fn access(rules: &InForce, of: &Access, proxy: &Proxy) -> Access {
    Access::of_object(rules, &of.role, &of.service, proxy.metaobject())
}

/// After which an object that is not used is let go of.
const IDLE: Duration = Duration::from_secs(600);
/// Objects of one session.
const MAX_OBJECTS: usize = 1024;
