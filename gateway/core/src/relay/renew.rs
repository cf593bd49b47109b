//! Subscriptions outlive the connection to a service's host: over a new one they are made again, while the service is there.
//!
//! A host may hang up on who reads too slowly, and cables are pulled. Calls are then answered with an error, and the next one opens
//! a new [`Leg`](super::leg::Leg). A subscriber asks for nothing more, and would wait for ever. What is emitted between is lost.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use keyway::front::{Input, Local};
use keyway_value::{MessageId, ObjectId, ServiceId};
use keyway_wire::Frame;

use super::{Relay, Route, Target};
use crate::pauses::Pauses;

/// When that is tried.
#[derive(Default)]
pub(super) struct Renewal {
    pub(super) due: Option<Instant>,
    pauses: Pauses,
}

impl Relay {
    /// Whether connections to hosts were lost since the last look.
    pub(super) fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Looks after what was subscribed to over connections that are lost.
    pub(super) fn look_after_lost(&mut self, now: Instant) {
        if self.lost.swap(false, Ordering::AcqRel) {
            self.legs.retain(|_, leg| !leg.is_closed());
            self.heard.forget_hopeless();
            if self.heard.lost().next().is_some() && self.renewal.due.is_none() {
                self.renewal.due = Some(now + self.renewal.pauses.next(now));
            }
        }
        if self.renewal.due.is_some_and(|due| due <= now) {
            self.renewal.due = None;
            let services: BTreeSet<_> = self.heard.lost().map(|(service, ..)| *service).collect();
            for service in services {
                self.subscribe_again(service);
            }
        }
    }

    fn subscribe_again(&mut self, id: ServiceId) {
        // If the service is gone, so are the subscriptions: `refresh` forgets them.
        let Some((name, target)) = self.route_again(id) else { return };
        let requests = self.heard.lead_to(id, &target);
        tracing::info!(client = %self.client.address(), service = %name, subscriptions = requests.len(), "the connection to a service's host was lost; subscribing again over a new one");
        for (action, payload) in requests {
            match &target {
                Target::Leg(leg) => {
                    let leg = leg.clone();
                    // A leg that is lost again says so itself.
                    tokio::spawn(async move {
                        if let Err(error) = leg.ask(id, ObjectId::MAIN, action, payload).await {
                            tracing::debug!(%id, error, "a subscription was not made again");
                        }
                    });
                }
                Target::Object(main) => {
                    let frame = Frame::post(MessageId(0), id, ObjectId::MAIN, action, payload);
                    self.client.serve(Local { input: Input::Post(frame), object: Some(main.clone()), answered: None });
                }
            }
        }
    }

    /// The way to a service, a new one if need be, and the service's name.
    fn route_again(&mut self, id: ServiceId) -> Option<(Arc<str>, Target)> {
        let is_lost = |route: &Route| matches!(&route.target, Target::Leg(leg) if leg.is_closed());
        if self.routes.get(&id).is_none_or(is_lost) {
            let (service, role) = (self.bus.service(id)?, self.admitted.as_ref()?.member.role.clone());
            let access = self.bus.known_access(&service, &role)?;
            self.route(&service, access).ok()?;
        }
        self.routes.get(&id).map(|route| (route.service.name.clone(), route.target.clone()))
    }
}
