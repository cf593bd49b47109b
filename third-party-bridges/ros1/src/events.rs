//! `<root>/events`: every signal that is shown, on one topic, as JSON (spec 6.6).

use std::{collections::BTreeMap, sync::Arc, time::UNIX_EPOCH};

use keyway_bridge::{Event, Service, Snapshot, keyway::ActionId};
use keyway_ros_types::json::to_json;
use tokio::task::AbortHandle;

use crate::publication::Publication;

/// Listens to all signals while the option is on.
pub(crate) struct Events {
    publication: Arc<Publication>,
    listeners: BTreeMap<(String, u32), Listening>,
}

struct Listening {
    service: Arc<Service>,
    task: AbortHandle,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Events {
    pub(crate) const fn new(publication: Arc<Publication>) -> Self {
        Self { publication, listeners: BTreeMap::new() }
    }

    /// These services are shown, and no others.
    pub(crate) fn follow(&mut self, services: &Snapshot) {
        self.listeners.retain(|(name, id), listening| {
            let service = services.get(name).filter(|service| Arc::ptr_eq(service, &listening.service));
            service.is_some_and(|service| service.members().signals.contains_key(id))
        });
        for (name, service) in services.iter() {
            for signal in service.signals() {
                let key = (name.clone(), signal.uid);
                if self.listeners.contains_key(&key) {
                    continue;
                }
                let Ok(mut listener) = service.listen(ActionId(signal.uid)) else { continue };
                let (publication, service_name, member) = (self.publication.clone(), name.clone(), signal.name.clone());
                let task = tokio::spawn(async move {
                    while let Some(event) = listener.next().await {
                        publication.publish_text(&text(&service_name, &member, &event));
                    }
                });
                self.listeners.insert(key, Listening { service: service.clone(), task: task.abort_handle() });
            }
        }
    }
}

fn text(service: &str, member: &str, event: &Event) -> String {
    let stamp = event.received.duration_since(UNIX_EPOCH).unwrap_or_default();
    let items = event.value.as_list().unwrap_or_default();
    let args: Vec<String> = items.iter().map(to_json).collect();
    let (service, member) = (serde_json::Value::from(service), serde_json::Value::from(member));
    let stamp = stamp.as_secs_f64();
    format!("{{\"service\":{service},\"member\":{member},\"stamp\":{stamp},\"args\":[{}]}}", args.join(","))
}
