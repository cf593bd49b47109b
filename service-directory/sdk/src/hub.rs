//! Who is subscribed to one object, and how an emission reaches them.

use std::sync::Arc;

use bytes::Bytes;
use keyway_pipe::ConnectionId;
use keyway_session::{Subscriptions, errors};
use keyway_value::{
    ActionId, CodecError, Encoder, Link, ObjectExporter, ObjectId, ObjectReference, ObjectValue, Payload, ServiceId,
    Signature, convert,
};
use keyway_wire::{Flags, Frame};
use parking_lot::Mutex;

use crate::{
    Error, Result,
    exchange::{Exchange, Passing},
    peer::{IDS, Peer},
    signal::Emission,
};

/// One remote subscription (spec 6.2).
pub(crate) struct Subscriber {
    pub(crate) peer: Arc<Peer>,
    pub(crate) service: ServiceId,
    pub(crate) object: ObjectId,
    /// The signature events are converted to (registerEventWithSignature, 6.9).
    pub(crate) wanted: Option<Signature>,
}

/// The remote subscriptions of one object.
#[derive(Default)]
pub(crate) struct Hub {
    // Held while an emission is queued to all, which keeps the order of emissions equal for every subscriber.
    subscriptions: Mutex<Subscriptions<ConnectionId, Subscriber>>,
}

impl Hub {
    pub(crate) fn subscribe(self: &Arc<Self>, action: ActionId, link: Link, subscriber: Subscriber) -> Result<()> {
        let peer = subscriber.peer.clone();
        if !self.subscriptions.lock().register(peer.id(), link, action, subscriber) {
            return Err(Error::remote(errors::TOO_MANY_SUBSCRIPTIONS));
        }
        peer.remember_hub(self);
        Ok(())
    }

    pub(crate) fn unsubscribe(&self, connection: ConnectionId, link: Link) -> bool {
        self.subscriptions.lock().unregister(connection, link).is_some()
    }

    pub(crate) fn forget(&self, connection: ConnectionId) {
        drop(self.subscriptions.lock().remove_connection(connection));
    }

    pub(crate) fn subscribers(&self, action: ActionId) -> usize {
        self.subscriptions.lock().subscribers(action).count()
    }

    /// Queues one event for every subscriber of `action`. Equal frames are encoded once and shared.
    pub(crate) fn emit(&self, action: ActionId, signature: &Signature, emission: &Emission<'_>) {
        let subscriptions = self.subscriptions.lock();
        let mut shared: Option<Shared> = None;
        for subscriber in subscriptions.subscribers(action) {
            if let Some(frame) = shared.as_ref().and_then(|shared| shared.frame_for(subscriber)) {
                // A refusal means that the connection is closing: its subscriptions end with it.
                let _ = subscriber.peer.sender().send_shared(frame);
                continue;
            }
            match encode(action, signature, emission, subscriber) {
                Ok((frame, alike)) => {
                    let _ = subscriber.peer.sender().send_shared(frame.clone());
                    if alike {
                        shared = Some(Shared::new(subscriber, frame));
                    }
                }
                Err(error) => tracing::warn!(%error, %action, "an event cannot be encoded for a subscriber"),
            }
        }
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

/// The last frame that can serve other subscribers too.
struct Shared {
    service: ServiceId,
    object: ObjectId,
    frame: Bytes,
}

impl Shared {
    fn new(subscriber: &Subscriber, frame: Bytes) -> Self {
        Self { service: subscriber.service, object: subscriber.object, frame }
    }

    fn frame_for(&self, subscriber: &Subscriber) -> Option<Bytes> {
        let alike =
            self.service == subscriber.service && self.object == subscriber.object && subscriber.wanted.is_none();
        alike.then(|| self.frame.clone())
    }
}

/// The event for one subscriber, and whether others may get the same bytes: only if they hold no object.
fn encode(
    action: ActionId,
    signature: &Signature,
    emission: &Emission<'_>,
    subscriber: &Subscriber,
) -> Result<(Bytes, bool)> {
    let exchange =
        Exchange::Peer { peer: subscriber.peer.clone(), service: subscriber.service, passing: Passing::Returned };
    if let Some(wanted) = &subscriber.wanted
        && let Some(payload) = converted(signature, wanted, emission, &exchange)?
    {
        return Ok((frame(action, subscriber, payload, Flags::DYNAMIC_PAYLOAD), false));
    }
    let (payload, objects) = match emission {
        Emission::Bytes(bytes) => (Payload::from(bytes.clone()), false),
        Emission::Encode(encode) => {
            let mut exporter = Watched { exchange: &exchange, used: false };
            let mut encoder = Encoder::with(exchange.layout(), Some(&mut exporter));
            encode(&mut encoder)?;
            let payload = encoder.finish();
            (payload, exporter.used)
        }
    };
    let alike = !objects && subscriber.wanted.is_none();
    Ok((frame(action, subscriber, payload, Flags::default()), alike))
}

/// The payload in the wanted signature, or `None` where it does not convert (then the plain event is sent, 6.9).
fn converted(
    signature: &Signature,
    wanted: &Signature,
    emission: &Emission<'_>,
    exchange: &Exchange,
) -> Result<Option<Payload>> {
    let loopback = Exchange::loopback();
    let bytes = match emission {
        Emission::Bytes(bytes) => bytes.clone(),
        Emission::Encode(encode) => loopback.encode(encode)?.into_bytes(),
    };
    let value = loopback.decode_value(&bytes, signature)?;
    match convert::convert(value.unwrap_dynamic(), wanted) {
        Ok(value) => Ok(Some(exchange.encode(|encoder| encoder.write_dynamic(&value))?)),
        Err(_) => Ok(None),
    }
}

fn frame(action: ActionId, subscriber: &Subscriber, payload: Payload, flags: Flags) -> Bytes {
    let mut frame = Frame::event(IDS.next(), subscriber.service, subscriber.object, action, payload);
    frame.header.flags = flags;
    frame.to_bytes()
}

/// Notices whether anything was exported.
struct Watched<'a> {
    exchange: &'a Exchange,
    used: bool,
}

impl ObjectExporter for Watched<'_> {
    fn export(&mut self, object: &ObjectValue) -> Result<ObjectReference, CodecError> {
        self.used = true;
        let mut exchange = self.exchange;
        exchange.export(object)
    }
}
