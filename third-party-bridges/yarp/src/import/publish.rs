//! What is written to a port.

use std::sync::Arc;

use keyway_yarp_wire::{Bottle, Carrier};
use parking_lot::Mutex;

use super::{PUBLISH, Status, connected::keep_connected, unavailable};
use crate::{
    port::{Inner, Outputs, Port, Purpose, Way},
    shared::Shared,
};

/// Writes to the port, once it is there. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Publisher {
    port: Arc<Mutex<Option<Arc<Inner>>>>,
}

impl Publisher {
    pub(super) fn send(&self, bottle: Bottle) -> Result<(), String> {
        let port = self.port.lock().clone();
        let outputs = port.as_ref().and_then(|port| Some((port, port.outputs()?)));
        match outputs.filter(|(_, outputs)| *outputs.count().borrow() > 0) {
            Some((port, outputs)) => {
                outputs.send(port.name(), bottle);
                Ok(())
            }
            None => Err(unavailable("it is not connected")),
        }
    }
}

/// Opens a port and connects it, again and again.
pub(super) async fn run(
    shared: Arc<Shared>,
    folder: String,
    target: String,
    carrier: Carrier,
    publisher: Publisher,
    status: Status,
) {
    let name = format!("{folder}:o");
    let outputs = Outputs::new(shared.options.dialect, false, shared.options.envelope);
    let port = match Port::open(&shared, &name, Purpose { reader: None, outputs: Some(outputs) }).await {
        Ok(port) => port,
        Err(error) => {
            tracing::error!(port = name, %error, "the import has no port");
            return;
        }
    };
    *publisher.port.lock() = Some(port.inner().clone());
    let connect = || async {
        // Why it failed is in the log.
        let _ = port.inner().add_output(&target, carrier, &target).await;
    };
    keep_connected(&port, (Way::Out, &target), (&status, PUBLISH), connect).await;
}
