//! One connection of the door.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use keyway::front::{AuthMap, AuthOutcome, AuthRequest, Client, CloseReason, Input, Local, Verdict, Warden};
use keyway_auth::{
    Outcome, Reason, Source,
    certificate::{Names, NamesError},
};
use keyway_gateway::{Gateway, Member, Relay, Shown};
use keyway_pipe::ConnectionPermit;
use keyway_session::CapabilityMap;
use tokio::sync::oneshot;

use crate::words::shown;

/// Admits a client, and relays its messages.
pub(crate) struct Guarding {
    gateway: Gateway,
    client: Client,
    relay: Relay,
    /// The role of those who show nothing.
    anonymous: Option<Arc<str>>,
    /// Who the client is, once it has been found out.
    member: Option<oneshot::Receiver<Member>>,
    _permit: ConnectionPermit,
}

impl Guarding {
    pub(crate) fn new(
        gateway: &Gateway,
        relay: Relay,
        client: &Client,
        anonymous: Option<Arc<str>>,
        permit: ConnectionPermit,
    ) -> Self {
        Self { gateway: gateway.clone(), client: client.clone(), relay, anonymous, member: None, _permit: permit }
    }

    /// What the certificate says of a client that says nothing itself.
    fn by_certificate(&self) -> Result<Shown, NamesError> {
        if !self.gateway.knows_certificates() {
            return Ok(Shown::Nothing);
        }
        match self.client.certificates().first() {
            Some(certificate) => {
                let Names { subject, sans } = Names::read(certificate)?;
                Ok(Shown::Certificate { subject, sans })
            }
            None => Ok(Shown::Nothing),
        }
    }

    fn member(&mut self) -> Option<Member> {
        match &mut self.member {
            Some(member) => member.try_recv().ok(),
            // Nobody was asked: everybody is the same.
            None => {
                let role = self.gateway.open_to_anybody(self.anonymous.as_deref())?;
                Some(member(&self.client, ANONYMOUS, &role))
            }
        }
    }
}

impl Warden for Guarding {
    fn judge(&mut self, request: AuthRequest, verdict: Verdict) {
        let (found, member_of) = oneshot::channel();
        self.member = Some(member_of);
        let shown = match shown(&request.data) {
            Shown::Nothing => match self.by_certificate() {
                Ok(shown) => shown,
                Err(error) => {
                    tracing::info!(client = %self.client.address(), %error, "refused");
                    return verdict.give(AuthOutcome::Failed { reason: Reason::CertificateWithoutRole.to_string() });
                }
            },
            // Words count before the certificate: many clients may share one.
            shown => shown,
        };
        if let (Shown::Nothing, Some(role)) = (&shown, &self.anonymous) {
            // Nobody waits for this end any more, once it is dropped.
            let _ = found.send(member(&self.client, ANONYMOUS, role));
            return verdict.give(AuthOutcome::Done(AuthMap::new()));
        }
        let (gateway, client) = (self.gateway.clone(), self.client.clone());
        tokio::spawn(async move {
            let source = client.address().ip().map_or(Source::Local, Source::Address);
            match gateway.authenticate(source, shown).await {
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
        self.relay.close(reason);
    }
}

/// Who shows nothing.
const ANONYMOUS: &str = "anonymous";

fn member(client: &Client, identity: &str, role: &str) -> Member {
    Member::new("qi", client.id().to_string(), identity, role, client.address().to_string())
}
