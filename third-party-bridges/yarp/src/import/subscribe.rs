//! What a port sends, as signals.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use keyway_bridge::Peer;
use keyway_yarp_wire::{Bottle, Carrier, admin};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{Heard, SUBSCRIBE, Status, connected::keep_connected, values};
use crate::{
    port::{Data, Dialling, Port, Purpose, Reader, Way, dial},
    shared::Shared,
};

impl Reader for Heard {
    fn read<'a>(&'a self, message: Data, _: &'a Peer) -> Pin<Box<dyn Future<Output = Bottle> + Send + 'a>> {
        Box::pin(async move {
            let values = values(&message.bottle.items);
            self.data.emit(&(values.clone(),));
            self.stamped.emit(&(values.clone(), message.envelope));
            // Nothing refuses it.
            let _ = self.last.set(values);
            Bottle::default()
        })
    }
}

/// Opens a port, and has the other connect to it, again and again.
pub(super) async fn run(
    shared: Arc<Shared>,
    folder: String,
    source: String,
    carrier: Carrier,
    heard: Heard,
    status: Status,
) {
    let name = format!("{folder}:i");
    let purpose = Purpose { reader: Some(Box::new(heard)), outputs: None };
    let port = match Port::open(&shared, &name, purpose).await {
        Ok(port) => port,
        Err(error) => {
            tracing::error!(port = name, %error, "the import has no port");
            return;
        }
    };
    let connect = || async {
        // The other looks our port up.
        shared.registrar.settled().await;
        match timeout(PATIENCE, ask(&shared, &source, &name, carrier)).await {
            Ok(Ok(())) => tracing::info!(port = name, from = source, "asked to be connected to"),
            Ok(Err(error)) => tracing::debug!(port = name, from = source, error, "an imported port is not there"),
            Err(_) => tracing::debug!(port = name, from = source, "an imported port does not answer"),
        }
    };
    keep_connected(&port, (Way::In, &source), (&status, SUBSCRIBE), connect).await;
}

/// Asks a port to connect to ours, as `yarp connect` does.
async fn ask(shared: &Shared, source: &str, ours: &str, carrier: Carrier) -> Result<(), String> {
    let connection = dial(shared, "admin", source, Carrier::TextAck).await.map_err(|error| error.to_string())?;
    let Dialling { mut stream, mut dialled } = connection;
    stream.write_all(&admin::ask_to_add(ours, carrier)).await.map_err(|error| error.to_string())?;
    loop {
        if let Some(reply) = dialled.reply().map_err(|error| error.to_string())? {
            tracing::debug!(%reply, source, "asked");
            return Ok(());
        }
        if stream.read_buf(dialled.buffer()).await.map_err(|error| error.to_string())? == 0 {
            return Err("the connection was lost".to_owned());
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
