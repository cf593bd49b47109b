//! The inner half of a splice: one client's own connection to one service host (DESIGN 4).
//!
//! Frames pass unchanged in both directions, so that message ids, links, object ids and what is in payloads mean the same on
//! both sides. All that is kept is which calls are under way, so that each is answered when the host dies. Of objects that pass, a
//! limited role is shown a part ([`Screen`]).

mod handler;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use keyway::Session;
use keyway_pipe::{QueueLimits, Sender, pipe};
use keyway_session::{CapabilityMap, CloseReason, Connection, SharedCapabilities, SignalAddress, errors};
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId, ServiceInfo, Signature};
use keyway_wire::{Frame, Header, MessageKind};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use self::handler::LegHandler;
use super::screen::Screen;
use crate::{
    journal::{Entry, Outcomes},
    metrics::Traffic,
    shown_objects::ShownObjects,
};

/// A client's connection to a service host.
pub(crate) struct Leg {
    /// To the client.
    client: Sender,
    state: Mutex<State>,
    calls: Mutex<HashMap<MessageId, Running, RandomState>>,
    /// Of the client, on all its legs.
    traffic: Arc<Traffic>,
    /// Signals that the client may not hear any more, and whether there are any.
    held_back: Mutex<HashSet<SignalAddress>>,
    holds_back: AtomicBool,
    /// Set when the leg is lost, for the session to look after what the client had there.
    lost: Arc<AtomicBool>,
    /// Requests to subscribe that were under way then.
    failed: Mutex<Vec<MessageId>>,
    /// What the client is shown of objects.
    pub(super) screen: Screen,
}

enum State {
    /// Not there yet; what the client has sent meanwhile.
    Opening {
        frames: Vec<Frame>,
        bytes: usize,
    },
    Open(Sender),
    /// The host understands less than the client does: what passes between them has to be translated.
    Unequal(Vec<Frame>),
    Closed,
}

/// A call under way.
struct Running {
    header: Header,
    asker: Asker,
    /// The type of the result, where it may hold objects.
    result: Option<Signature>,
}

/// Who waits for the answer.
enum Asker {
    /// The client; the answer is passed on, and noted.
    Client(Option<Entry>),
    /// The gateway itself.
    Gateway(oneshot::Sender<Result<Bytes, String>>),
}

/// A frame that a leg does not take.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Frame);

impl Leg {
    /// Begins to connect to a service's host as `client`.
    pub(crate) fn open(
        session: Session,
        info: ServiceInfo,
        client: Sender,
        (capabilities, shared): (CapabilityMap, SharedCapabilities),
        (traffic, shown, lost): (Arc<Traffic>, Arc<ShownObjects>, Arc<AtomicBool>),
        queue: QueueLimits,
    ) -> Arc<Self> {
        let leg = Arc::new(Self {
            client,
            state: Mutex::new(State::Opening { frames: Vec::new(), bytes: 0 }),
            calls: Mutex::default(),
            traffic,
            held_back: Mutex::default(),
            holds_back: AtomicBool::default(),
            lost,
            failed: Mutex::default(),
            screen: Screen::new(shown, shared.layout()),
        });
        let opening = leg.clone();
        tokio::spawn(async move {
            let carrier = match session.carrier_to(&info).await {
                Ok(carrier) => carrier,
                Err(error) => return opening.close(&error.to_string()),
            };
            let (sender, driver) = pipe(carrier, queue);
            let now = Instant::now();
            let mut connection = Connection::client(session.client_config(capabilities), now);
            connection.start(now, &mut |frame| _ = sender.send(frame));
            let handler = LegHandler::new(opening, connection, shared, session.connect_timeout());
            driver.run(handler).await;
        });
        leg
    }

    /// Passes a frame of the client on.
    pub(crate) fn send(&self, frame: Frame) -> Result<(), Refused> {
        let mut state = self.state.lock();
        match &mut *state {
            State::Open(sender) => {
                let sender = sender.clone();
                drop(state);
                // A pipe that closes says so to its handler, which answers the calls.
                let _ = sender.send(frame);
                Ok(())
            }
            State::Opening { frames, bytes } => {
                *bytes += Header::SIZE + frame.payload.len();
                if *bytes > MAX_WAITING {
                    return Err(Refused(frame));
                }
                frames.push(frame);
                Ok(())
            }
            State::Unequal(frames) => {
                frames.push(frame);
                Ok(())
            }
            State::Closed => Err(Refused(frame)),
        }
    }

    /// The way to the host, if it is open.
    pub(crate) fn sender(&self) -> Option<Sender> {
        match &*self.state.lock() {
            State::Open(sender) => Some(sender.clone()),
            _ => None,
        }
    }

    /// Whether the host takes what it is sent; the task is woken when it does.
    pub(crate) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        match &*self.state.lock() {
            State::Open(sender) => sender.poll_room(context, HIGH_WATER),
            _ => Poll::Ready(()),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(*self.state.lock(), State::Closed)
    }

    /// Whether a request to subscribe was not answered by the host before the leg was lost.
    pub(crate) fn has_failed(&self, call: MessageId) -> bool {
        self.failed.lock().contains(&call)
    }

    /// Whether the host understands less than the client.
    pub(crate) fn is_unequal(&self) -> bool {
        matches!(*self.state.lock(), State::Unequal(_))
    }

    /// What waits to be served in another way, because the host understands less than the client.
    pub(crate) fn take_unequal(&self) -> Vec<Frame> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Closed) {
            State::Unequal(frames) => frames,
            other => {
                *state = other;
                Vec::new()
            }
        }
    }

    /// Forgets a call that was not passed on. False if it was answered already.
    pub(crate) fn withdraw(&self, call: &Header) -> bool {
        let known = self.calls.lock().remove(&call.id).is_some();
        if known {
            self.traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        known
    }

    /// Remembers a call, so that it is answered in any case. `result` is the type of its result, where that may hold objects.
    pub(crate) fn started(&self, header: &Header, entry: Option<Entry>, result: Option<Signature>) {
        let running = Running { header: *header, asker: Asker::Client(entry), result };
        let before = self.calls.lock().insert(header.id, running);
        // Two calls with one id would be the client's mistake; one of the answers is for both.
        if before.is_none() {
            self.traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks for the members of an object that the client has been given.
    pub(crate) async fn ask_metaobject(&self, service: ServiceId, object: ObjectId) -> Result<Bytes, String> {
        let payload = Bytes::copy_from_slice(&object.0.to_le_bytes()).into();
        self.ask(service, object, ActionId::META_OBJECT, payload).await
    }

    /// Calls something on behalf of the gateway itself.
    pub(crate) async fn ask(
        &self,
        service: ServiceId,
        object: ObjectId,
        action: ActionId,
        payload: Payload,
    ) -> Result<Bytes, String> {
        let (asker, answer) = oneshot::channel();
        let frame = {
            let mut calls = self.calls.lock();
            // Clients count their calls from 1 (spec 2.1).
            let free = (0..u32::MAX).rev().map(MessageId).find(|id| !calls.contains_key(id));
            let id = free.ok_or(errors::CALL_NOT_HANDLED)?;
            let frame = Frame::call(id, service, object, action, payload);
            calls.insert(id, Running { header: frame.header, asker: Asker::Gateway(asker), result: None });
            frame
        };
        self.traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        if let Err(Refused(frame)) = self.send(frame) {
            self.withdraw(&frame.header);
        }
        answer.await.unwrap_or_else(|_| Err(errors::NOT_CONNECTED.to_owned()))
    }

    /// Lets no events of a signal through to the client.
    pub(crate) fn hold_back(&self, signal: SignalAddress) {
        let mut held_back = self.held_back.lock();
        held_back.insert(signal);
        self.holds_back.store(true, Ordering::Release);
    }

    /// Lets events of a signal through, as usual.
    pub(crate) fn let_through(&self, signal: SignalAddress) {
        if self.holds_back.load(Ordering::Acquire) {
            self.held_back.lock().remove(&signal);
        }
    }

    fn is_held_back(&self, header: &Header) -> bool {
        let key = (header.service, header.object, header.action);
        self.holds_back.load(Ordering::Acquire) && self.held_back.lock().contains(&key)
    }

    /// A call has been answered. Gives the answer back if it is for the client.
    fn finished(&self, now: Instant, answer: Frame, outcomes: &mut Outcomes) -> Option<Frame> {
        let running = self.calls.lock().remove(&answer.header.id)?;
        self.traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
        let is_reply = answer.header.kind == MessageKind::Reply;
        match running.asker {
            Asker::Client(entry) => {
                let header = answer.header;
                let screened = self.screen.answer(answer, running.result.as_ref());
                if let Some(entry) = entry {
                    outcomes.add(entry, now, is_reply && screened.is_ok());
                }
                Some(screened.unwrap_or_else(|unreadable| unreadable.answer_to(&header)))
            }
            Asker::Gateway(asker) => {
                let result = if is_reply { Ok(answer.payload.into_bytes()) } else { Err(errors::text_of(&answer)) };
                // The session may be over.
                let _ = asker.send(result);
                None
            }
        }
    }

    /// The service is gone: what was asked of it fails (spec 7.6).
    pub(crate) fn fail_service(&self, service: ServiceId) {
        let failed: Vec<Running> = {
            let mut calls = self.calls.lock();
            let ids: Vec<_> =
                calls.iter().filter(|(_, running)| running.header.service == service).map(|(id, _)| *id).collect();
            ids.into_iter().filter_map(|id| calls.remove(&id)).collect()
        };
        self.screen.forget(service);
        self.fail(failed, "Service removed");
    }

    /// Ends the connection to the host.
    pub(crate) fn end(&self) {
        let state = std::mem::replace(&mut *self.state.lock(), State::Closed);
        if let State::Open(sender) = state {
            sender.close(CloseReason::Local);
        }
    }

    fn close(&self, why: &str) {
        let (failed, _waiting) = {
            // Whoever sees that it is closed sees what has failed. A call that comes later is refused.
            let mut state = self.state.lock();
            let failed = std::mem::take(&mut *self.calls.lock());
            let subscribes = |header: &Header| {
                matches!(header.action, ActionId::REGISTER_EVENT | ActionId::REGISTER_EVENT_WITH_SIGNATURE)
            };
            let requests = failed.iter().filter(|(_, running)| subscribes(&running.header));
            self.failed.lock().extend(requests.map(|(id, _)| *id));
            (failed, std::mem::replace(&mut *state, State::Closed))
        };
        self.fail(failed.into_values(), why);
        self.lost.store(true, Ordering::Release);
        self.client.wake();
    }

    fn fail(&self, calls: impl IntoIterator<Item = Running>, why: &str) {
        let now = Instant::now();
        for Running { header, asker, .. } in calls {
            self.traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
            let Asker::Client(entry) = asker else { continue };
            if let Some(entry) = entry {
                entry.finish(now, false);
            }
            // A client that is gone needs no answer.
            let _ = self.client.send(Frame::error_to(&header, why));
        }
    }
}

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leg").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Sends frames in one write.
pub(crate) fn send_all(sender: &Sender, frames: impl ExactSizeIterator<Item = Frame>) {
    let _cork = (frames.len() > 1).then(|| sender.cork());
    for frame in frames {
        // A pipe that closes says so to its handler.
        let _ = sender.send(frame);
    }
}

/// Bytes that may wait for a connection to the host.
const MAX_WAITING: usize = 4 << 20;
/// Bytes waiting for one side, from which on the other side is not read.
const HIGH_WATER: usize = 1 << 20;
