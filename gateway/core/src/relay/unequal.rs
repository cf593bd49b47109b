//! Hosts that understand less than their client (spec 14): frames cannot just be passed on.

use std::{sync::Arc, time::Instant};

use keyway::front::Input;
use keyway_wire::MessageKind;

use super::{Relay, Target};

impl Relay {
    /// Whether some have been found.
    pub(super) fn has_unequal(&self) -> bool {
        self.legs.values().any(|leg| leg.is_unequal())
    }

    /// Hosts that understand less than their client: their services are served by objects of this process, which translate.
    pub(super) fn translate_unequal(&mut self, now: Instant) {
        let unequal: Vec<_> =
            self.legs.iter().filter(|(_, leg)| leg.is_unequal()).map(|(key, leg)| (key.clone(), leg.clone())).collect();
        for (key, leg) in unequal {
            self.legs.remove(&key);
            self.routes.retain(|_, route| {
                let is_its = matches!(&route.target, Target::Leg(other) if Arc::ptr_eq(other, &leg));
                if is_its {
                    route.service.translate();
                }
                !is_its
            });
            for frame in leg.take_unequal() {
                leg.withdraw(&frame.header);
                let input = match frame.header.kind {
                    MessageKind::Call => Input::Call(frame),
                    MessageKind::Post => Input::Post(frame),
                    // A client hosts nothing there yet, and cancels nothing that runs.
                    _ => continue,
                };
                if let Some(local) = self.take(now, input) {
                    self.client.serve(local);
                }
            }
        }
    }
}
