//! `<root>/events`: every signal that is shown, on one topic, as JSON (spec 6.6).

use std::{collections::BTreeMap, fmt, sync::Arc, time::UNIX_EPOCH};

use keyway_bridge::{Event, Service, Snapshot, keyway::ActionId};
use keyway_ros_types::json::to_json;
use tokio::task::AbortHandle;

/// Listens to all signals while it is there.
pub struct Events {
    sink: Sink,
    listeners: BTreeMap<(String, u32), Listening>,
}

/// Where texts go.
type Sink = Arc<dyn Fn(&str) + Send + Sync>;

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
    /// Gives every event to `sink`, which waits for nobody.
    pub fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), listeners: BTreeMap::new() }
    }

    /// These services are shown, and no others.
    pub fn follow(&mut self, services: &Snapshot) {
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
                let (sink, service_name, member) = (self.sink.clone(), name.clone(), signal.name.clone());
                let task = tokio::spawn(async move {
                    while let Some(event) = listener.next().await {
                        sink(&text(&service_name, &member, &event));
                    }
                });
                self.listeners.insert(key, Listening { service: service.clone(), task: task.abort_handle() });
            }
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("signals", &self.listeners.len()).finish_non_exhaustive()
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
