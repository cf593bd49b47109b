//! What passes between a client with a limited role and a service host, where it may hold objects: their metaobjects are shown as far
//! as the role may use them. Everything else of a splice passes unread.
//!
//! What a payload holds is told by the signatures of the object it is from, or for. Of services these are known. Of the client's own
//! objects, which hosts call, they are known from the payloads in which the client has passed them, and from nowhere else: a client
//! that is asked could say anything.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use keyway_value::{
    ActionId, CodecError, Decoder, Limits, MessageId, MetaObject, ObjectId, ObjectLayout, ServiceId, Signature,
};
use keyway_wire::{Flags, Frame, Header, MessageKind};
use parking_lot::Mutex;

use crate::{
    carried::Carried,
    client::{ClientError, GatewayCode},
    shown_objects::ShownObjects,
};

/// Between one client and one host.
pub(super) struct Screen {
    shown: Arc<ShownObjects>,
    layout: ObjectLayout,
    /// Objects of the host whose signals the client has subscribed to.
    heard: Mutex<HashMap<Address, Arc<Carried>, RandomState>>,
    own: Mutex<Own>,
}

type Address = (ServiceId, ObjectId);

/// The client's objects that the host was given.
#[derive(Default)]
struct Own {
    objects: HashMap<Address, Passed, RandomState>,
    /// What is called there, and may be answered with more of them.
    called: HashMap<MessageId, Signature, RandomState>,
    /// Of all, what is kept.
    size: usize,
}

/// An object that the client has passed.
enum Passed {
    Once(Arc<Carried>),
    /// More than once, and described in different ways: there is no telling which of them the host believes.
    Differently,
}

/// Why a frame is not passed on.
#[derive(Debug)]
pub(super) struct Unreadable(pub(super) String);

impl Unreadable {
    /// What whoever waits for an answer gets.
    pub(super) fn answer_to(&self, call: &Header) -> Frame {
        let text = format!("what a service sent cannot be passed on: {}", self.0);
        Frame::error_to(call, &ClientError::new(GatewayCode::Unreadable, text).to_string())
    }
}

impl Screen {
    pub(super) fn new(shown: Arc<ShownObjects>, layout: ObjectLayout) -> Self {
        Self { shown, layout, heard: Mutex::default(), own: Mutex::default() }
    }

    // === from the host ===

    /// An answer; `declared` is the type of the result, where it may hold objects.
    pub(super) fn answer(&self, frame: Frame, declared: Option<&Signature>) -> Result<Frame, Unreadable> {
        match frame.header.kind {
            MessageKind::Canceled => Ok(frame),
            MessageKind::Error => self.screened(frame, Some(&Signature::dynamic())),
            _ => self.screened(frame, declared),
        }
    }

    /// An event. Those of objects that the client has not subscribed to are not for it.
    pub(super) fn event(&self, frame: Frame) -> Result<Frame, Unreadable> {
        if self.shown.are_whole() {
            return Ok(frame);
        }
        let (address, action) = ((frame.header.service, frame.header.object), frame.header.action);
        let carried = self.heard.lock().get(&address).cloned();
        let carried = carried.ok_or_else(|| Unreadable("nobody has subscribed to it".to_owned()))?;
        self.screened(frame, carried.event(action))
    }

    /// A call or post to an object of the client.
    pub(super) fn call(&self, frame: Frame) -> Result<Frame, Unreadable> {
        if self.shown.are_whole() {
            return Ok(frame);
        }
        let (address, action) = ((frame.header.service, frame.header.object), frame.header.action);
        let carried = {
            let mut own = self.own.lock();
            if action == ActionId::TERMINATE {
                own.forget(&address);
                return Ok(frame);
            }
            let carried = match own.objects.get(&address) {
                Some(Passed::Once(carried)) => carried.clone(),
                // What every object has is known of any.
                _ if MetaObject::is_reserved(action) => Arc::default(),
                _ => return Err(Unreadable("the gateway does not know the object it is for; pass it anew".to_owned())),
            };
            if frame.header.kind == MessageKind::Call
                && let Some(result) = carried.result(action)
            {
                own.note_call(frame.header.id, result);
            }
            carried
        };
        self.screened(frame, carried.arguments(action))
    }

    /// `declared` is the type of the payload, where it may hold objects.
    fn screened(&self, mut frame: Frame, declared: Option<&Signature>) -> Result<Frame, Unreadable> {
        let dynamic = Signature::dynamic();
        let Some(signature) = actual(&frame, declared, &dynamic).filter(|_| !self.shown.are_whole()) else {
            return Ok(frame);
        };
        let (service, payload) = (frame.header.service, frame.payload_bytes());
        match self.shown.payload(service, payload, signature, self.layout) {
            Ok(None) => Ok(frame),
            Ok(Some(payload)) => {
                frame.header.size = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                frame.payload = payload;
                Ok(frame)
            }
            Err(error) => Err(Unreadable(error.to_string())),
        }
    }

    // === from the client ===

    /// A subscription to signals of an object.
    pub(super) fn listen(&self, address: Address, carried: &Arc<Carried>) {
        let mut heard = self.heard.lock();
        if heard.len() < MAX_OBJECTS || heard.contains_key(&address) {
            heard.insert(address, carried.clone());
        }
    }

    /// The client lets go of an object of the host.
    pub(super) fn release(&self, address: &Address) {
        self.heard.lock().remove(address);
    }

    /// A service of the host is gone.
    pub(super) fn forget(&self, service: ServiceId) {
        self.heard.lock().retain(|(of, _), _| *of != service);
    }

    /// A call or post, which may pass objects of the client; `declared` is the type of the arguments, where it may hold them.
    pub(super) fn passes(&self, frame: &Frame, declared: Option<&Signature>) {
        let dynamic = Signature::dynamic();
        let Some(signature) = actual(frame, declared, &dynamic).filter(|_| !self.shown.are_whole()) else { return };
        let mut decoder = Decoder::with(frame.payload_bytes(), self.layout, Limits::default(), None);
        let noted = decoder.visit_objects(signature, &mut |_, object| {
            self.own.lock().note((object.service, object.object), &object.metaobject);
            Ok::<_, CodecError>(())
        });
        if let Err(error) = noted {
            // The host does not know its objects either.
            tracing::debug!(%error, "a payload of a client cannot be read");
        }
    }

    /// An answer or event of an object of the client.
    pub(super) fn passes_back(&self, frame: &Frame) {
        if self.shown.are_whole() {
            return;
        }
        let (header, mut own) = (&frame.header, self.own.lock());
        let declared = match (header.kind, own.objects.get(&(header.service, header.object))) {
            (MessageKind::Event, Some(Passed::Once(carried))) => carried.event(header.action).cloned(),
            (MessageKind::Event, _) => None,
            _ => own.called.remove(&header.id),
        };
        drop(own);
        if header.kind != MessageKind::Canceled {
            self.passes(frame, declared.as_ref());
        }
    }
}

impl Own {
    fn note(&mut self, address: Address, metaobject: &MetaObject) {
        let carried = Carried::of(metaobject);
        match self.objects.get_mut(&address) {
            Some(Passed::Once(known)) if **known == carried => {}
            Some(passed) => {
                if let Passed::Once(known) = std::mem::replace(passed, Passed::Differently) {
                    self.size -= known.len();
                }
            }
            None if self.size + size(&carried) <= MAX_OBJECTS => {
                self.size += size(&carried);
                self.objects.insert(address, Passed::Once(Arc::new(carried)));
            }
            // It cannot be called: `call` says so.
            None => {}
        }
    }

    fn forget(&mut self, address: &Address) {
        match self.objects.remove(address) {
            Some(Passed::Once(carried)) => self.size -= size(&carried),
            Some(Passed::Differently) => self.size -= 1,
            None => {}
        }
    }

    fn note_call(&mut self, id: MessageId, result: &Signature) {
        if self.called.len() < MAX_OBJECTS {
            self.called.insert(id, result.clone());
        }
    }
}

/// How an object counts.
fn size(carried: &Carried) -> usize {
    1 + carried.len()
}

/// The type of a payload that may hold objects: flag bit 0 says that it brings its own.
fn actual<'a>(frame: &Frame, declared: Option<&'a Signature>, dynamic: &'a Signature) -> Option<&'a Signature> {
    if frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD) { Some(dynamic) } else { declared }
}

/// Objects of either side, and the types of their members, that are kept for one client and one host.
const MAX_OBJECTS: usize = 65_536;

#[cfg(test)]
mod tests;
