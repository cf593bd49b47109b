//! The driver's side of a connection.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use keyway_pipe::{ConnectionPermit, Handler, Sender};
use keyway_session::{AuthOutcome, CapabilityMap, CloseReason, Connection, Input};
use keyway_value::{ActionId, ObjectId, ServiceId};
use keyway_wire::{Frame, native::Welcome};
use parking_lot::Mutex;

use crate::{
    front::{Local, Verdict, Warden},
    peer::Peer,
};

/// How often the client of a session that is kept gets another key.
const RENEW: Duration = Duration::from_secs(6 * 3600);

/// Hands what arrives to the peer, past whoever watches over it.
pub(crate) struct PeerHandler {
    connection: Connection,
    peer: Arc<Peer>,
    permit: Option<ConnectionPermit>,
    guarded: Option<Guarded>,
}

/// A connection that somebody watches over.
pub(crate) struct Guarded {
    pub(crate) warden: Box<dyn Warden>,
    /// What has been decided about the client, and not yet been told to it.
    pub(crate) verdict: Arc<Mutex<Option<AuthOutcome>>>,
    /// When the connection began: a time that has come already.
    pub(crate) began: Instant,
    /// The name of the session, where it is kept, and when its client gets another key.
    renewal: Option<([u8; 16], Instant)>,
}

impl PeerHandler {
    pub(crate) fn new(connection: Connection, peer: Arc<Peer>, permit: Option<ConnectionPermit>) -> Self {
        Self { connection, peer, permit, guarded: None }
    }

    /// With somebody who sees every message first.
    pub(crate) fn guarded(mut self, warden: Box<dyn Warden>) -> Self {
        self.guarded = Some(Guarded { warden, verdict: Arc::default(), began: Instant::now(), renewal: None });
        self
    }

    /// With a name for the session, by which its client has a key.
    pub(crate) fn named(mut self, session: [u8; 16]) -> Self {
        if let Some(guarded) = &mut self.guarded {
            guarded.renewal = Some((session, guarded.began + RENEW));
        }
        self
    }

    /// For a connection whose handshake is done already, as that of the native protocol.
    pub(crate) fn opened_already(mut self) -> Self {
        self.opened();
        self
    }

    /// Sends what the state machine wants sent before anything has arrived.
    pub(crate) fn start(&mut self, now: Instant) {
        let sender = self.peer.sender().clone();
        // A closing connection reports itself through `on_closed`.
        self.connection.start(now, &mut |frame| _ = sender.send(frame));
    }

    fn opened(&mut self) {
        self.permit = None;
        self.peer.open(self.connection.shared());
        if let Some(guarded) = &mut self.guarded {
            guarded.warden.opened(self.connection.remote_capabilities());
        }
    }

    #[inline]
    fn take(&mut self, now: Instant, input: Input) -> Result<(), CloseReason> {
        match input {
            Input::None => Ok(()),
            Input::Opened => {
                self.opened();
                Ok(())
            }
            Input::Authenticate(request) => {
                if let Some(Guarded { warden, verdict, .. }) = &mut self.guarded {
                    warden.judge(request, Verdict::new(verdict.clone(), self.peer.sender().clone()));
                }
                Ok(())
            }
            input => {
                match &mut self.guarded {
                    Some(Guarded { warden, .. }) => {
                        if let Some(local) = warden.on_message(now, input)? {
                            self.peer.serve(local);
                        }
                    }
                    None => self.peer.serve(Local { input, object: None, answered: None }),
                }
                Ok(())
            }
        }
    }

    fn verdict(&self) -> Option<AuthOutcome> {
        self.guarded.as_ref().and_then(|guarded| guarded.verdict.lock().take())
    }
}

impl Handler for PeerHandler {
    fn on_frame(&mut self, now: Instant, frame: Frame, sender: &Sender) -> Result<(), CloseReason> {
        // Sending only fails when the connection is closing, and then `on_closed` follows.
        let input = self.connection.handle_frame(now, frame, &mut |frame| _ = sender.send(frame))?;
        self.take(now, input)
    }

    fn on_batch_end(&mut self) {
        if let Some(guarded) = &mut self.guarded {
            guarded.warden.on_batch_end();
        }
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.guarded {
            Some(guarded) => guarded.warden.poll_ready(context),
            None => Poll::Ready(()),
        }
    }

    fn max_payload(&self) -> u32 {
        self.connection.max_payload()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let own = self.connection.poll_timeout();
        match &self.guarded {
            // A verdict is to be told at once.
            Some(guarded) if !self.connection.is_open() && guarded.verdict.lock().is_some() => Some(guarded.began),
            Some(guarded) => {
                let renewal = guarded.renewal.map(|(_, at)| at);
                [own, guarded.warden.poll_timeout(), renewal].into_iter().flatten().min()
            }
            None => own,
        }
    }

    fn on_timeout(&mut self, now: Instant, sender: &Sender) -> Result<(), CloseReason> {
        if let Some(outcome) = self.verdict() {
            let inputs = self.connection.authenticate(now, outcome, &mut |frame| _ = sender.send(frame))?;
            for input in inputs {
                self.take(now, input)?;
            }
            self.on_batch_end();
        }
        if let Some(guarded) = &mut self.guarded {
            guarded.renew(now, sender);
            guarded.warden.on_timeout(now)?;
        }
        self.connection.handle_timeout(now, &mut |frame| _ = sender.send(frame))
    }

    fn on_gap(&mut self, signal: (ServiceId, ObjectId, ActionId), missed: u64) {
        self.peer.missed(signal, missed);
    }

    fn is_waiting(&self) -> bool {
        self.peer.has_calls()
    }

    fn on_resuming(&mut self, key: &[u8]) -> Option<Bytes> {
        self.guarded.as_mut()?.warden.resuming(key).map(Bytes::from)
    }

    fn on_resumed(&mut self) {
        if let Some(guarded) = &mut self.guarded {
            guarded.warden.resumed();
        }
    }

    fn on_restarted(&mut self, _now: Instant, welcome: &Welcome, _sender: &Sender) -> Result<(), CloseReason> {
        let announced = CapabilityMap::decode(&welcome.capabilities);
        let announced = announced.map_err(|error| CloseReason::Protocol(error.to_string()))?;
        self.connection = self.connection.reopened(&announced);
        if self.connection.shared() != self.peer.shared() {
            // What is under way was encoded for another server: the program connects anew.
            return Err(CloseReason::Remote);
        }
        self.peer.restarted();
        Ok(())
    }

    fn on_closed(&mut self, reason: CloseReason) {
        if let Some(guarded) = &mut self.guarded {
            guarded.warden.closed(&reason);
        }
        self.peer.end(&reason);
    }
}

impl Guarded {
    fn renew(&mut self, now: Instant, sender: &Sender) {
        if let Some((session, at)) = &mut self.renewal
            && now >= *at
        {
            *at = now + RENEW;
            if let Some(key) = self.warden.resume_key(*session) {
                // Refused only by a session that is over.
                let _ = sender.offer_key(key.into());
            }
        }
    }
}

impl fmt::Debug for PeerHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerHandler").field("peer", &self.peer).finish_non_exhaustive()
    }
}
