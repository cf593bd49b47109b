//! What a service host sends to one client: judged as to objects, and passed on.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use keyway_pipe::{Handler, Sender};
use keyway_session::{CloseReason, Connection, Input, SharedCapabilities, errors};
use keyway_wire::{Frame, MessageKind};

use super::{HIGH_WATER, Leg, State, send_all};
use crate::{
    client::{ClientError, GatewayCode},
    journal::Outcomes,
    relay::screen::Unreadable,
};

/// What the host sends.
pub(super) struct LegHandler {
    connection: Connection,
    leg: Arc<Leg>,
    /// What the client shares with the gateway.
    shared: SharedCapabilities,
    batch: Vec<Frame>,
    outcomes: Outcomes,
    /// How long the host may take to let this client in, and until when.
    patience: Duration,
    deadline: Instant,
}

impl LegHandler {
    /// A host that is connected to now, and has `patience` to let the client in.
    pub(super) fn new(leg: Arc<Leg>, connection: Connection, shared: SharedCapabilities, patience: Duration) -> Self {
        let deadline = Instant::now() + patience;
        let (batch, outcomes) = (Vec::new(), Outcomes::default());
        Self { connection, leg, shared, batch, outcomes, patience, deadline }
    }

    fn opened(&self, sender: &Sender) -> Result<(), CloseReason> {
        let mut state = self.leg.state.lock();
        let State::Opening { frames, .. } = &mut *state else { return Err(CloseReason::Local) };
        let frames = std::mem::take(frames);
        if self.connection.shared() != self.shared {
            *state = State::Unequal(frames);
            drop(state);
            self.leg.client.wake();
            return Err(CloseReason::Local);
        }
        // In one go, and before anybody else's: in the order of the client.
        let _cork = sender.cork();
        for frame in frames {
            let _ = sender.send(frame);
        }
        *state = State::Open(sender.clone());
        Ok(())
    }
}

impl Handler for LegHandler {
    fn on_frame(&mut self, now: Instant, frame: Frame, sender: &Sender) -> Result<(), CloseReason> {
        match self.connection.handle_frame(now, frame, &mut |frame| _ = sender.send(frame))? {
            Input::Opened => return self.opened(sender),
            Input::Answer(frame) => self.batch.extend(self.leg.finished(now, frame, &mut self.outcomes)),
            Input::Event(frame) if self.leg.is_held_back(&frame.header) => {}
            Input::Event(frame) => {
                let header = frame.header;
                match self.leg.screen.event(frame) {
                    Ok(frame) => {
                        self.leg.traffic.events_out.fetch_add(1, Ordering::Relaxed);
                        self.batch.push(frame);
                    }
                    Err(Unreadable(why)) => {
                        tracing::debug!(service = %header.service, action = %header.action, why, "an event is not passed on");
                    }
                }
            }
            Input::Call(frame) | Input::Post(frame) => {
                let header = frame.header;
                match self.leg.screen.call(frame) {
                    Ok(frame) => self.batch.push(frame),
                    Err(unreadable) if header.kind == MessageKind::Call => {
                        // A host that is gone needs no answer.
                        let _ = sender.send(unreadable.answer_to(&header));
                    }
                    Err(Unreadable(why)) => {
                        tracing::debug!(service = %header.service, action = %header.action, why, "a post is not passed on");
                    }
                }
            }
            Input::Cancel { frame, .. } => self.batch.push(frame),
            _ => {}
        }
        Ok(())
    }

    fn on_batch_end(&mut self) {
        // Before anybody hears of it.
        self.outcomes.record();
        send_all(&self.leg.client, self.batch.drain(..));
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.leg.client.poll_room(context, HIGH_WATER)
    }

    fn max_payload(&self) -> u32 {
        self.connection.max_payload()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let opening = (!self.connection.is_open()).then_some(self.deadline);
        [opening, self.connection.poll_timeout()].into_iter().flatten().min()
    }

    fn on_timeout(&mut self, now: Instant, sender: &Sender) -> Result<(), CloseReason> {
        if !self.connection.is_open() && now >= self.deadline {
            let waited = self.patience.as_secs_f64();
            let text = format!("the service's host took the connection and said nothing for {waited} s; try again");
            return Err(CloseReason::Refused(ClientError::new(GatewayCode::Unreachable, text).to_string()));
        }
        self.connection.handle_timeout(now, &mut |frame| _ = sender.send(frame))
    }

    fn on_closed(&mut self, reason: CloseReason) {
        if matches!(*self.leg.state.lock(), State::Unequal(_)) {
            return;
        }
        match reason {
            CloseReason::Refused(text) => self.leg.close(&text),
            _ => self.leg.close(errors::NOT_CONNECTED),
        }
    }
}
