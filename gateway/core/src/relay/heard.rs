//! The subscriptions of a client, which end when other rules do not let it hear the signal any more.

use std::{collections::HashMap, sync::Arc};

use keyway::front::{Input, Local};
use keyway_history::audit::Kind;
use keyway_pipe::EventRule;
use keyway_policy::{Decision, Refusal};
use keyway_session::{ObjectRequest, SignalAddress};
use keyway_value::{ActionId, Link, MessageId, ObjectId, ServiceId, to_payload};
use keyway_wire::{Frame, Header};

use super::{Relay, Target};
use crate::{
    access::Access,
    client::{ClientError, GatewayCode, Overflow},
    rules::InForce,
};

/// What a client has subscribed to, by the names it gave its subscriptions.
#[derive(Default)]
pub(super) struct Heard(HashMap<Key, Subscription>);

type Key = (ServiceId, ObjectId, Link);

struct Subscription {
    signal: ActionId,
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
            ObjectRequest::RegisterEvent { signal, link, .. } => {
                if self.0.len() >= MAX_SUBSCRIPTIONS {
                    let text = "this session has too many subscriptions";
                    return Err(ClientError::new(GatewayCode::TooManySubscriptions, text));
                }
                if let Target::Leg(leg) = target {
                    leg.let_through((header.service, header.object, *signal));
                    leg.screen.listen((header.service, header.object), &access.carried);
                }
                let subscription = Subscription { signal: *signal, access: access.clone(), target: target.clone() };
                self.0.insert((header.service, header.object, *link), subscription);
            }
            ObjectRequest::UnregisterEvent { link, .. } => {
                self.0.remove(&(header.service, header.object, *link));
            }
            _ => {}
        }
        Ok(())
    }

    /// Forgets those of services that are gone.
    pub(super) fn retain(&mut self, stays: impl Fn(ServiceId) -> bool) {
        self.0.retain(|(service, ..), _| stays(*service));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What these rules say of each.
    fn limited<'a>(&'a self, rules: &'a InForce) -> impl Iterator<Item = (SignalAddress, Option<EventRule>)> + 'a {
        self.0.iter().map(|((service, object, _), Subscription { signal, access, .. })| {
            let overflow = rules.rules.overflow(&access.service, &access.member(*signal));
            ((*service, *object, *signal), overflow.and_then(event_rule))
        })
    }

    /// Takes out those that these rules do not allow, with why not.
    fn denied(&mut self, rules: &InForce) -> Vec<(Key, Subscription, Refusal)> {
        let mut denied = Vec::new();
        self.0.retain(|key, subscription| {
            let old = &subscription.access;
            let metaobject = old.metaobject.clone();
            let access = match key.1 {
                ObjectId::MAIN => Access::new(rules, &old.role, &old.service, metaobject),
                _ => Access::of_object(rules, &old.role, &old.service, metaobject),
            };
            match access.rules.subscribe(subscription.signal) {
                Decision::Deny(refusal) if !access.unlimited => {
                    let (signal, target) = (subscription.signal, subscription.target.clone());
                    denied.push((*key, Subscription { signal, access: old.clone(), target }, refusal.clone()));
                    false
                }
                _ => true,
            }
        });
        denied
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
            let Subscription { signal, access, target } = subscription;
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

/// Subscriptions of one session.
const MAX_SUBSCRIPTIONS: usize = 65_536;
