//! One connection of the door.

use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use keyway::front::{AuthMap, AuthOutcome, AuthRequest, Client, CloseReason, Input, Local, Verdict, Warden};
use keyway_auth::{
    Footing, Identity, Method, Reason, Source,
    certificate::{Names, NamesError},
};
use keyway_gateway::{Comeback, Gateway, Judged, Member, Origin, Relay, Shown};
use keyway_pipe::{ConnectionPermit, PeerAddress};
use keyway_session::CapabilityMap;
use tokio::sync::oneshot;

use crate::words::shown;

/// Who a client is.
#[derive(Debug, Clone)]
struct Found {
    identity: Identity,
    role: Arc<str>,
    /// What the role stands on; nothing where everybody has it.
    footing: Option<Arc<Footing>>,
}

/// Admits a client, and relays its messages.
pub(crate) struct Guarding {
    gateway: Gateway,
    client: Client,
    relay: Relay,
    /// The role of those who show nothing.
    anonymous: Option<Arc<str>>,
    /// Who the client is, once it has been found out.
    found: Option<oneshot::Receiver<Found>>,
    known: Option<Found>,
    /// How it comes back, over quic.
    comeback: Option<Comeback>,
    /// Where it was last, over quic, and when that is looked at again.
    address: Option<SocketAddr>,
    look_at: Instant,
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
        let address = match client.address() {
            PeerAddress::Quic(address) => Some(*address),
            _ => None,
        };
        Self {
            gateway: gateway.clone(),
            client: client.clone(),
            relay,
            anonymous,
            found: None,
            known: None,
            comeback: None,
            address,
            look_at: Instant::now(),
            _permit: permit,
        }
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

    /// Tells presence if the client is somewhere else now.
    fn follow(&mut self) {
        let Some(before) = self.address else { return };
        if let Some(now) = self.client.sender().current_address().filter(|now| *now != before) {
            self.address = Some(now);
            self.relay.moved(&PeerAddress::Quic(now));
        }
    }

    fn found(&mut self) -> Option<&Found> {
        if self.known.is_none() {
            self.known = match &mut self.found {
                Some(found) => found.try_recv().ok(),
                // Nobody was asked: everybody is the same.
                None => {
                    let role = self.gateway.open_to_anybody(self.anonymous.as_deref())?;
                    Some(Found::anybody(role.into()))
                }
            };
        }
        self.known.as_ref()
    }
}

impl Warden for Guarding {
    fn judge(&mut self, request: AuthRequest, verdict: Verdict) {
        let (found, finding) = oneshot::channel();
        self.found = Some(finding);
        let address = self.client.address();
        let origin = Origin {
            door: DOOR,
            session: self.client.id().to_string(),
            address: address.to_string(),
            source: address.ip().map_or(Source::Local, Source::Address),
        };
        let shown = match shown(&request.data) {
            Shown::Nothing => match self.by_certificate() {
                Ok(shown) => shown,
                Err(error) => {
                    tracing::info!(client = %address, %error, "refused");
                    self.gateway.refused_login(&origin, "", Reason::CertificateWithoutRole.code());
                    return verdict.give(AuthOutcome::Failed { reason: Reason::CertificateWithoutRole.to_string() });
                }
            },
            // Words count before the certificate: many clients may share one.
            shown => shown,
        };
        if let (Shown::Nothing, Some(role)) = (&shown, &self.anonymous) {
            // Nobody waits for this end any more, once it is dropped.
            let _ = found.send(Found::anybody(role.clone()));
            return verdict.give(AuthOutcome::Done(AuthMap::new()));
        }
        let (gateway, client) = (self.gateway.clone(), self.client.clone());
        tokio::spawn(async move {
            match gateway.authenticate(&origin, shown).await {
                Judged::Accepted { identity, role, footing } => {
                    // Before the verdict: whoever hears it finds who it is.
                    let _ = found.send(Found { identity, role: role.into(), footing: Some(footing) });
                    verdict.give(AuthOutcome::Done(AuthMap::new()));
                }
                Judged::Refused { reason, .. } => {
                    tracing::info!(client = %client.address(), %reason, "refused");
                    verdict.give(AuthOutcome::Failed { reason: reason.to_string() });
                }
            }
        });
    }

    fn opened(&mut self, capabilities: &CapabilityMap) {
        let (id, address) = (self.client.id().to_string(), self.client.address().to_string());
        match self.found() {
            Some(Found { identity, role, footing }) => {
                let member = Member::new(DOOR, id, &identity.name, role, address);
                let member = match footing {
                    Some(footing) => member.standing_on(footing.clone()),
                    None => member,
                };
                self.relay.open(member, capabilities);
            }
            // The rules were changed between the connection and its first message: it may come again.
            None => self.client.close(CloseReason::Local),
        }
    }

    fn on_message(&mut self, now: Instant, input: Input) -> Result<Option<Local>, CloseReason> {
        if now >= self.look_at {
            self.look_at = now + LOOKING;
            self.follow();
        }
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
        self.relay.on_timeout(now)
    }

    fn resume_key(&mut self, session: [u8; 16]) -> Option<Vec<u8>> {
        if let Some(comeback) = &mut self.comeback {
            return comeback.renew(self.gateway.comebacks());
        }
        let Found { identity, footing, .. } = self.found()?.clone();
        let (comeback, key) = self.gateway.comebacks().begin(session, identity, footing.as_deref())?;
        self.comeback = Some(comeback);
        Some(key)
    }

    fn resuming(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let next = self.comeback.as_mut()?.resume(self.gateway.comebacks(), key);
        tracing::debug!(client = %self.client.address(), believed = next.is_some(), "a client comes back");
        next
    }

    fn resumed(&mut self) {
        self.follow();
        if let Some(comeback) = &mut self.comeback {
            comeback.resumed();
        }
    }

    fn closed(&mut self, reason: &CloseReason) {
        if let Some(comeback) = self.comeback.take() {
            comeback.end(self.gateway.comebacks());
        }
        tracing::debug!(client = %self.client.address(), %reason, "disconnected");
        self.relay.close(reason);
    }
}

/// How often a client that sends something is looked at for its address.
const LOOKING: Duration = Duration::from_secs(1);
/// As logs name it.
const DOOR: &str = "qi";
impl Found {
    /// Who shows nothing.
    fn anybody(role: Arc<str>) -> Self {
        let identity = Identity { name: "anonymous".to_owned(), method: Method::Anonymous };
        Self { identity, role, footing: None }
    }
}
