//! The subscriptions of a client, which end when other rules do not let it hear the signal any more.

use std::{collections::HashMap, sync::Arc};

use keyway::front::{Input, Local};
use keyway_history::audit::Kind;
use keyway_pipe::EventRule;
use keyway_policy::{Decision, Refusal};
use keyway_session::{ObjectRequest, SignalAddress};
use keyway_value::{ActionId, Link, MessageId, ObjectId, Payload, ServiceId, to_payload};
use keyway_wire::{Frame, Header};

use super::{Relay, Target};
use crate::{
    access::Access,
    client::{ClientError, GatewayCode, Overflow},
    rules::InForce,
};

/// What a client has subscribed to, by the names it gave its subscriptions.
#[derive(Default)]
pub(super) struct Heard {
    subscriptions: HashMap<Key, Subscription>,
    /// Bytes of the types that events are to be converted to.
    wanted: usize,
}

type Key = (ServiceId, ObjectId, Link);

struct Subscription {
    signal: ActionId,
    /// The call that asked for it.
    call: MessageId,
    /// The type that events are to be converted to (spec 6.9).
    wanted: Option<Box<str>>,
    access: Arc<Access>,
    target: Target,
}

impl Heard {
    /// Notes what one of the members that every object has was asked for, and may be asked for.
    pub(super) fn note(
        &mut self,
        header: &Header,
        request: &ObjectRequest,
        access: &Arc<Access>,
        target: &Target,
    ) -> Result<(), ClientError> {
        match request {
            ObjectRequest::RegisterEvent { signal, link, signature } => {
                let wanted = signature.as_ref().map(|wanted| wanted.to_string().into_boxed_str());
                let length = wanted.as_ref().map_or(0, |wanted| wanted.len());
                if self.subscriptions.len() >= MAX_SUBSCRIPTIONS || self.wanted + length > MAX_WANTED {
                    let text = "this session has too many subscriptions";
                    return Err(ClientError::new(GatewayCode::TooManySubscriptions, text));
                }
                if let Target::Leg(leg) = target {
                    leg.let_through((header.service, header.object, *signal));
                    leg.screen.listen((header.service, header.object), &access.carried);
                }
                let key = (header.service, header.object, *link);
                self.take(&key);
                self.wanted += length;
                let (access, target) = (access.clone(), target.clone());
                self.subscriptions
                    .insert(key, Subscription { signal: *signal, call: header.id, wanted, access, target });
            }
            ObjectRequest::UnregisterEvent { link, .. } => drop(self.take(&(header.service, header.object, *link))),
            _ => {}
        }
        Ok(())
    }

    /// Forgets those of services that are gone.
    pub(super) fn retain(&mut self, stays: impl Fn(ServiceId) -> bool) {
        self.forget(|(service, ..), _| !stays(*service));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn forget(&mut self, goes: impl Fn(&Key, &Subscription) -> bool) {
        self.subscriptions.retain(|key, subscription| {
            let stays = !goes(key, subscription);
            if !stays {
                self.wanted -= subscription.length();
            }
            stays
        });
    }

    /// Those whose host is not connected any more.
    pub(super) fn lost(&self) -> impl Iterator<Item = &Key> {
        self.subscriptions.iter().filter(|(_, subscription)| subscription.is_lost()).map(|(key, _)| key)
    }

    /// Forgets those that cannot be made again: of objects that were passed over the connection and are gone with it, and those
    /// of which the client was told that they were not made.
    pub(super) fn forget_hopeless(&mut self) {
        self.forget(|(_, object, _), Subscription { call, target, .. }| match target {
            Target::Leg(leg) => leg.is_closed() && (*object != ObjectId::MAIN || leg.has_failed(*call)),
            Target::Object(_) => false,
        });
    }

    /// Says where a service's lost subscriptions are from now on, and gives what is to be asked there of its main object.
    pub(super) fn lead_to(&mut self, service: ServiceId, target: &Target) -> Vec<(ActionId, Payload)> {
        let lost =
            self.subscriptions.iter_mut().filter(|(key, subscription)| key.0 == service && subscription.is_lost());
        let requests = lost.map(|((_, object, link), subscription)| {
            let Subscription { signal, wanted, access, target: led, .. } = subscription;
            *led = target.clone();
            if let Target::Leg(leg) = target {
                leg.screen.listen((service, *object), &access.carried);
            }
            match wanted {
                None => (ActionId::REGISTER_EVENT, to_payload(&(service.0, signal.0, link.0))),
                Some(wanted) => {
                    let arguments = (service.0, signal.0, link.0, wanted.to_string());
                    (ActionId::REGISTER_EVENT_WITH_SIGNATURE, to_payload(&arguments))
                }
            }
        });
        requests.map(|(action, payload)| (action, payload.unwrap_or_default())).collect()
    }

    /// What these rules say of each.
    fn limited<'a>(&'a self, rules: &'a InForce) -> impl Iterator<Item = (SignalAddress, Option<EventRule>)> + 'a {
        self.subscriptions.iter().map(|((service, object, _), Subscription { signal, access, .. })| {
            let overflow = rules.rules.overflow(&access.service, &access.member(*signal));
            ((*service, *object, *signal), overflow.and_then(event_rule))
        })
    }

    /// Takes out those that these rules do not allow, with why not.
    fn denied(&mut self, rules: &InForce) -> Vec<(Key, Subscription, Refusal)> {
        let refused = self.subscriptions.iter().filter_map(|(key, subscription)| {
            let old = &subscription.access;
            let metaobject = old.metaobject.clone();
            let access = match key.1 {
                ObjectId::MAIN => Access::new(rules, &old.role, &old.service, metaobject),
                _ => Access::of_object(rules, &old.role, &old.service, metaobject),
            };
            match access.rules.subscribe(subscription.signal) {
                Decision::Deny(refusal) if !access.unlimited => Some((*key, refusal.clone())),
                _ => None,
            }
        });
        let refused: Vec<_> = refused.collect();
        let taken = refused.into_iter().filter_map(|(key, refusal)| Some((key, self.take(&key)?, refusal)));
        taken.collect()
    }

    fn take(&mut self, key: &Key) -> Option<Subscription> {
        let subscription = self.subscriptions.remove(key)?;
        self.wanted -= subscription.length();
        Some(subscription)
    }
}

impl Subscription {
    fn is_lost(&self) -> bool {
        matches!(&self.target, Target::Leg(leg) if leg.is_closed())
    }

    fn length(&self) -> usize {
        self.wanted.as_ref().map_or(0, |wanted| wanted.len())
    }
}

impl Relay {
    /// The events of this client's subscriptions are dropped as the rules now in force say.
    pub(super) fn limit_events(&self, rules: &InForce) {
        for (signal, rule) in self.heard.limited(rules) {
            self.client.sender().limit_events(signal, rule);
        }
    }

    /// Ends the subscriptions that the rules now in force do not allow: their hosts are told, and nothing more of them comes through.
    pub(super) fn end_subscriptions(&mut self, rules: &InForce) {
        for ((service, object, link), subscription, refusal) in self.heard.denied(rules) {
            let Subscription { signal, access, target, .. } = subscription;
            let code = refusal.code.code();
            tracing::info!(client = %self.client.address(), service = %access.service, signal = %access.member(signal), code, "a subscription was ended");
            self.gateway.metrics().refused(code);
            if let Some(journal) = self.admitted.as_ref().and_then(|admitted| admitted.journal.as_ref()) {
                journal.refused(Kind::Unsubscribe, &access.service, access.member(signal), code);
            }
            let arguments = to_payload(&(service.0, signal.0, link.0)).unwrap_or_default();
            match target {
                Target::Leg(leg) => {
                    leg.hold_back((service, object, signal));
                    let asking =
                        async move { leg.ask(service, object, ActionId::UNREGISTER_EVENT, arguments).await.map(drop) };
                    // The host may be gone, and its events with it.
                    tokio::spawn(asking);
                }
                Target::Object(main) => {
                    let frame = Frame::post(MessageId(0), service, object, ActionId::UNREGISTER_EVENT, arguments);
                    let main = (object == ObjectId::MAIN).then_some(main);
                    self.client.serve(Local { input: Input::Post(frame), object: main, answered: None });
                }
            }
        }
    }
}

/// A rule for the queue of one connection; none if events wait there like anything else.
pub(super) const fn event_rule(overflow: Overflow) -> Option<EventRule> {
    match overflow {
        Overflow::Block => None,
        Overflow::DropOldest => Some(EventRule::DropOldest),
        Overflow::Latest => Some(EventRule::Latest),
        Overflow::Disconnect => Some(EventRule::Disconnect),
    }
}

/// Subscriptions of one session...
const MAX_SUBSCRIPTIONS: usize = 65_536;
/// ...and bytes of the types that their events are to be converted to.
const MAX_WANTED: usize = 1 << 20;
