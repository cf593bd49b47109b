//! Judging messages, and passing them on.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use keyway::{
    Object,
    front::{Answered, Input, Local},
};
use keyway_history::audit::Arguments;
use keyway_session::{ObjectRequest, errors};
use keyway_value::{ActionId, ObjectId, Signature};
use keyway_wire::{Flags, Frame, Header};

use super::{
    Asked, FIRST_OF_CLIENT, Relay, Target,
    heard::event_rule,
    judge::{Judgement, judge, subscription},
    leg::{Leg, Refused},
};
use crate::{
    access::Access,
    allowance::Passing,
    client::{ClientError, GatewayCode},
    journal::{Entry, Journal},
    under_way::UnderWay,
};

/// What goes with a message that may pass.
#[derive(Default)]
struct Passed {
    entry: Option<Entry>,
    /// The types of a call's arguments and result, where they may hold objects and the client may not see all of these.
    arguments: Option<Signature>,
    result: Option<Signature>,
}

impl Relay {
    /// Judges a message, and passes it on.
    pub(super) fn pass(&mut self, now: Instant, input: Input, header: &Header) -> Option<Local> {
        let route = self.routes.get(&header.service)?;
        let hosts_it = route.service.is_hosted_by(self.client.id());
        let Some(asked) = Asked::by(&input) else {
            // The client's own objects answer and emit; what it cancels is its own call.
            let may_pass = !matches!(input, Input::Event(_)) || header.object.0 >= FIRST_OF_CLIENT || hosts_it;
            return may_pass.then(|| self.forward(now, input, header, Passed::default())).flatten();
        };
        if let Err(error) = self.may_begin(&asked) {
            let (service, member) = self.names(header);
            self.deny(&input, asked.kind, &service, member, &error);
            return None;
        }
        let (route, admitted) = (self.routes.get(&header.service)?, self.admitted.as_mut()?);
        let (Input::Call(frame) | Input::Post(frame)) = &input else { return None };
        let access: &Arc<Access> = if header.object == ObjectId::MAIN || admitted.unlimited {
            &route.access
        } else if hosts_it {
            // What callers have passed to its service, it may use.
            return self.forward(now, input, header, Passed::default());
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
        match judge(access, frame, asked.is_post, self.client.shared().layout()) {
            Judgement::Pass(rates, kind, member) => {
                let passing = Passing { kind, member, access, rates: &rates, lease: route.lease.as_ref() };
                let heard = subscription(access, frame, self.client.shared().layout());
                let begun = admitted.allowance.take(now, &passing, self.stay.as_ref()?).and_then(|()| {
                    if let Some(request) = &heard {
                        self.heard.note(header, request, access, &route.target)?;
                        if let ObjectRequest::RegisterEvent { signal, .. } = request {
                            let rule = access.overflow(*signal).and_then(event_rule);
                            self.client.sender().limit_events((header.service, header.object, *signal), rule);
                        }
                    }
                    let begin = |journal: &mut Journal| journal.begin(now, kind, access, member);
                    admitted.journal.as_mut().map(begin).transpose()
                });
                match begun {
                    Ok(entry) => {
                        let entry = entry.map(|entry| match arguments(access, frame) {
                            Some(arguments) => entry.with_arguments(arguments),
                            None => entry,
                        });
                        let mut passed = Passed { entry, ..Passed::default() };
                        if !admitted.unlimited {
                            passed.arguments = access.carried.arguments(header.action).cloned();
                            passed.result = access.carried.result(header.action).cloned();
                        }
                        self.forward(now, input, header, passed)
                    }
                    Err(error) => {
                        self.deny(&input, kind, &access.service, access.member(member), &error);
                        None
                    }
                }
            }
            Judgement::Answer(payload) => {
                if !asked.is_post {
                    let _ = self.client.sender().send(Frame::reply_to(header, payload));
                }
                None
            }
            Judgement::Refuse(refusal, kind, member) => {
                let error = ClientError::from(refusal.refusal());
                self.deny(&input, kind, &access.service, access.member(member), &error);
                None
            }
            Judgement::Unreadable(text) => {
                self.refuse(&input, &text);
                None
            }
        }
    }

    /// Whether anything may begin now: not while the gateway ends, and no call where too many are under way.
    pub(super) fn may_begin(&self, asked: &Asked) -> Result<(), ClientError> {
        if self.gateway.is_draining() {
            return Err(ClientError::new(GatewayCode::Ending, "the gateway is ending"));
        }
        let limit = self.admitted.as_ref().map_or(0, |admitted| admitted.max_in_flight);
        if asked.is_post { Ok(()) } else { self.traffic.room(limit) }
    }

    /// Passes a message on that may pass.
    fn forward(&mut self, now: Instant, input: Input, header: &Header, passed: Passed) -> Option<Local> {
        let Passed { entry, arguments, result } = passed;
        let route = self.routes.get(&header.service)?;
        match &input {
            Input::Call(_) => drop(self.traffic.calls.fetch_add(1, Ordering::Relaxed)),
            Input::Post(_) => drop(self.traffic.posts.fetch_add(1, Ordering::Relaxed)),
            Input::Event(_) => drop(self.traffic.events_in.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
        match &route.target {
            Target::Object(object) => {
                let is_asked = !matches!(input, Input::Answer(_) | Input::Event(_));
                let object = (is_asked && header.object == ObjectId::MAIN).then(|| object.clone());
                Some(self.serve(input, object, entry))
            }
            Target::Leg(leg) => {
                let leg = leg.clone();
                if header.action == ActionId::TERMINATE {
                    leg.screen.release(&(header.service, header.object));
                }
                match input {
                    Input::Call(frame) => {
                        leg.started(&frame.header, entry, result);
                        leg.screen.passes(&frame, arguments.as_ref());
                        self.queue(leg, frame);
                    }
                    Input::Post(frame) => {
                        if let Some(entry) = entry {
                            entry.finish(now, true);
                        }
                        leg.screen.passes(&frame, arguments.as_ref());
                        self.queue(leg, frame);
                    }
                    Input::Answer(frame) | Input::Event(frame) => {
                        leg.screen.passes_back(&frame);
                        self.queue(leg, frame);
                    }
                    Input::Cancel { frame, .. } => self.queue(leg, frame),
                    _ => {}
                }
                None
            }
        }
    }

    /// Has an object of this process serve a message. A call is under way until it is answered.
    pub(super) fn serve(&self, input: Input, object: Option<Object>, entry: Option<Entry>) -> Local {
        let answered = match (&input, entry) {
            (Input::Call(_), entry) => {
                let running = UnderWay::new(&self.traffic).recorded(entry);
                Some(Box::new(move |ok| running.finish(ok)) as Answered)
            }
            (_, Some(entry)) => {
                entry.finish(Instant::now(), true);
                None
            }
            _ => None,
        };
        Local { input, object, answered }
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

/// The arguments of a call, if their values are to be recorded.
fn arguments(access: &Access, frame: &Frame) -> Option<Arguments> {
    let declared = access.recorded(frame.header.action)?;
    let is_dynamic = frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD);
    let signature = if is_dynamic { Signature::dynamic() } else { declared.clone() };
    Some(Arguments::new(signature, frame.payload_bytes().clone()))
}
