//! One connection of the door.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use keyway::front::{AuthMap, AuthOutcome, AuthRequest, Client, CloseReason, Input, Local, Verdict, Warden};
use keyway_auth::{Outcome, Source};
use keyway_gateway::{Bus, Gateway, Member, Relay};
use keyway_pipe::ConnectionPermit;
use keyway_session::CapabilityMap;
use tokio::sync::oneshot;

use crate::words::shown;

/// Admits a client, and relays its messages.
pub(crate) struct Guarding {
    gateway: Gateway,
    client: Client,
    relay: Relay,
    /// Who the client is, once it has been found out.
    member: Option<oneshot::Receiver<Member>>,
    _permit: ConnectionPermit,
}

impl Guarding {
    pub(crate) fn new(gateway: &Gateway, bus: &Arc<Bus>, client: &Client, permit: ConnectionPermit) -> Self {
        let relay = Relay::new(gateway, bus, client);
        Self { gateway: gateway.clone(), client: client.clone(), relay, member: None, _permit: permit }
    }

    fn member(&mut self) -> Option<Member> {
        match &mut self.member {
            Some(member) => member.try_recv().ok(),
            // Nobody was asked: everybody is the same.
            None => Some(member(&self.client, "anonymous", &self.gateway.open_to_anybody()?)),
        }
    }
}

impl Warden for Guarding {
    fn judge(&mut self, request: AuthRequest, verdict: Verdict) {
        let (found, member_of) = oneshot::channel();
        self.member = Some(member_of);
        let (gateway, client) = (self.gateway.clone(), self.client.clone());
        tokio::spawn(async move {
            let source = client.address().ip().map_or(Source::Local, Source::Address);
            match gateway.authenticate(source, shown(&request.data)).await {
                Outcome::Accepted { identity, role } => {
                    // Before the verdict: whoever hears it finds the member.
                    let _ = found.send(member(&client, &identity.name, &role));
                    verdict.give(AuthOutcome::Done(AuthMap::new()));
                }
                Outcome::Refused { reason, .. } => {
                    tracing::info!(client = %client.address(), %reason, "refused");
                    verdict.give(AuthOutcome::Failed { reason: reason.to_string() });
                }
            }
        });
    }

    fn opened(&mut self, capabilities: &CapabilityMap) {
        match self.member() {
            Some(member) => self.relay.open(member, capabilities),
            // The rules were changed between the connection and its first message: it may come again.
            None => self.client.close(CloseReason::Local),
        }
    }

    fn on_message(&mut self, now: Instant, input: Input) -> Result<Option<Local>, CloseReason> {
        self.relay.on_message(now, input)
    }

    fn on_batch_end(&mut self) {
        self.relay.on_batch_end();
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.relay.poll_ready(context)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.relay.poll_timeout()
    }

    fn on_timeout(&mut self, now: Instant) -> Result<(), CloseReason> {
        self.relay.on_timeout(now);
        Ok(())
    }

    fn closed(&mut self, reason: &CloseReason) {
        tracing::debug!(client = %self.client.address(), %reason, "disconnected");
        self.relay.close();
    }
}

fn member(client: &Client, identity: &str, role: &str) -> Member {
    Member::new("qi", client.id().to_string(), identity, role, client.address().to_string())
}
