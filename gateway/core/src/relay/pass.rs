//! Judging messages, and passing them on.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use keyway::front::{Input, Local};
use keyway_history::audit::{Arguments, Kind};
use keyway_policy::Code;
use keyway_session::errors;
use keyway_value::{ObjectId, Signature};
use keyway_wire::{Flags, Frame, Header};

use super::{
    FIRST_OF_CLIENT, Relay, Target,
    judge::{Judgement, judge},
    leg::{Leg, Refused},
};
use crate::{access::Access, journal::Entry, lease::Leased};

impl Relay {
    /// Judges a message, and passes it on.
    pub(super) fn pass(&mut self, now: Instant, input: Input, header: &Header) -> Option<Local> {
        let (route, admitted) = (self.routes.get(&header.service)?, self.admitted.as_mut()?);
        let hosts_it = route.service.is_hosted_by(&self.client);
        let is_post = match &input {
            Input::Call(_) => false,
            Input::Post(_) => true,
            // The client's own objects answer and emit; what it cancels is its own call.
            Input::Event(_) if header.object.0 < FIRST_OF_CLIENT && !hosts_it => return None,
            _ => return self.forward(input, header, None),
        };
        if self.gateway.is_draining() {
            self.gateway.metrics().refused("KW-O001");
            self.refuse(&input, ENDING);
            return None;
        }
        if !is_post && self.traffic.in_flight.load(Ordering::Relaxed) >= admitted.max_in_flight {
            self.gateway.metrics().refused("KW-G001");
            self.refuse(&input, TOO_MANY_CALLS);
            return None;
        }
        if !admitted.keeps_pace(now) {
            self.gateway.metrics().refused("KW-G002");
            self.refuse(&input, TOO_FAST);
            return None;
        }
        let (Input::Call(frame) | Input::Post(frame)) = &input else { return None };
        let access = if header.object == ObjectId::MAIN || admitted.unlimited {
            &route.access
        } else if hosts_it {
            // What callers have passed to its service, it may use.
            return self.forward(input, header, None);
        } else if header.object.0 >= FIRST_OF_CLIENT {
            // Its own objects a client does not call by way of others.
            self.refuse(&input, errors::CALL_NOT_HANDLED);
            return None;
        } else if let Some(access) = route.objects.get(&header.object) {
            access
        } else {
            self.find_object(input, header);
            return None;
        };
        let layout = self.client.shared().layout();
        match judge(access, frame, is_post, layout) {
            Judgement::Pass(rates, kind, member) => {
                let name = access.member(member);
                if let (Some(lease), Some(stay), true) = (&route.lease, &self.stay, uses(kind, header))
                    && let Err(leased) = lease.take(now, stay)
                {
                    self.gateway.metrics().refused(Leased::CODE);
                    if let Some(journal) = &admitted.journal {
                        journal.refused(kind, &access.service, name, Leased::CODE);
                    }
                    self.refuse(&input, &leased.to_string());
                    return None;
                }
                if let Err(text) = admitted.count(now, &rates, access, &name) {
                    self.gateway.metrics().refused(Code::Rate.code());
                    self.refuse(&input, &text);
                    return None;
                }
                let entry =
                    match admitted.journal.as_ref().map(|journal| journal.begin(now, kind, &access.service, name)) {
                        Some(Ok(entry)) => Some(match arguments(access, frame) {
                            Some(arguments) => entry.with_arguments(arguments),
                            None => entry,
                        }),
                        Some(Err(refusal)) => {
                            let text = refusal.to_string();
                            self.refuse(&input, &text);
                            return None;
                        }
                        None => None,
                    };
                self.forward(input, header, entry)
            }
            Judgement::Answer(payload) => {
                if !is_post {
                    let _ = self.client.sender().send(Frame::reply_to(header, payload));
                }
                None
            }
            Judgement::Refuse(refusal, kind, member) => {
                let refusal = refusal.refusal();
                let (text, code) = (refusal.to_string(), refusal.code.code());
                self.gateway.metrics().refused(code);
                if let Some(journal) = &admitted.journal {
                    journal.refused(kind, &access.service, access.member(member), code);
                }
                self.refuse(&input, &text);
                None
            }
            Judgement::Unreadable(text) => {
                self.refuse(&input, &text);
                None
            }
        }
    }

    /// Passes a message on that may pass.
    fn forward(&mut self, input: Input, header: &Header, entry: Option<Entry>) -> Option<Local> {
        let route = self.routes.get(&header.service)?;
        match &input {
            Input::Call(_) => drop(self.traffic.calls.fetch_add(1, Ordering::Relaxed)),
            Input::Post(_) => drop(self.traffic.posts.fetch_add(1, Ordering::Relaxed)),
            Input::Event(_) => drop(self.traffic.events_in.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        match &route.target {
            Target::Object(object) => {
                if let Some(entry) = entry {
                    entry.finish(true);
                }
                let is_asked = !matches!(input, Input::Answer(_) | Input::Event(_));
                let object = (is_asked && header.object == ObjectId::MAIN).then(|| object.clone());
                Some(Local { input, object })
            }
            Target::Leg(leg) => {
                let leg = leg.clone();
                match input {
                    Input::Call(frame) => {
                        leg.started(&frame.header, entry);
                        self.queue(leg, frame);
                    }
                    Input::Post(frame) => {
                        if let Some(entry) = entry {
                            entry.finish(true);
                        }
                        self.queue(leg, frame);
                    }
                    Input::Answer(frame) | Input::Event(frame) | Input::Cancel { frame, .. } => self.queue(leg, frame),
                    _ => {}
                }
                None
            }
        }
    }

    /// Gathers what goes to one host in one read.
    fn queue(&mut self, leg: Arc<Leg>, frame: Frame) {
        if self.batch_for.as_ref().is_some_and(|batched| !Arc::ptr_eq(batched, &leg)) {
            self.on_batch_end();
        }
        self.batch_for = Some(leg);
        self.batch.push(frame);
    }

    pub(super) fn send_to(&self, leg: &Leg, frame: Frame) {
        if let Err(Refused(frame)) = leg.send(frame)
            && leg.withdraw(&frame.header)
        {
            let _ = self.client.sender().send(Frame::error_to(&frame.header, errors::NOT_CONNECTED));
        }
    }
}

/// Whether a message does something with a service, other than reading, subscribing and asking for its members.
fn uses(kind: Kind, header: &Header) -> bool {
    kind == Kind::Set || (matches!(kind, Kind::Call | Kind::Post) && header.action.0 >= FIRST_OF_SERVICE)
}

/// The arguments of a call, if their values are to be recorded.
fn arguments(access: &Access, frame: &Frame) -> Option<Arguments> {
    let declared = access.recorded(frame.header.action)?;
    let is_dynamic = frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD);
    let signature = if is_dynamic { Signature::dynamic() } else { declared.clone() };
    Some(Arguments::new(signature, frame.payload_bytes().clone()))
}

/// Members with smaller ids are those that every object has (spec 6.3).
const FIRST_OF_SERVICE: u32 = 100;
/// What a client is told that calls while the gateway ends.
const ENDING: &str = "KW-O001: the gateway is ending; connect again, it may be back soon";
/// What a client is told that does not wait for answers.
const TOO_MANY_CALLS: &str =
    "KW-G001: too many calls of this session are under way; wait for answers, or raise limits.calls_in_flight";
/// What a client is told that is too fast.
const TOO_FAST: &str =
    "KW-G002: too many calls of this session in a second; slow down, or raise limits.calls_per_second";
