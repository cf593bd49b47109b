//! Who a request is of.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header};
use base64::{Engine, prelude::BASE64_STANDARD};
use keyway_auth::{Footing, Identity, Method, Reason, Secret, Source, certificate::Names};
use keyway_gateway::{
    Gateway, Judged, Member, Origin, Shown,
    client::{ClientError, ClientSession, GatewayCode},
};
use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use uuid::Uuid;

use crate::{handle::Shared, problem::Problem, serve::Peer};

/// Sessions of those who are in, and tokens that were found good.
pub(crate) struct Identities {
    gateway: Gateway,
    /// The role of those who show nothing at this door.
    anonymous: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the SHA-256 of opaque tokens: as strong as the tokens, which are random. Failures are never remembered.
    tokens: HashMap<[u8; 32], Known>,
    sessions: HashMap<Who, Held>,
}

struct Known {
    /// Of the rules by which the token is good.
    generation: u64,
    who: Who,
    footing: Arc<Footing>,
}

/// Requests of the same client belong to one session, whichever connection they come over. Those of nobody in particular
/// are told apart by their address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Who {
    name: String,
    method: Method,
    role: String,
    address: Option<IpAddr>,
}

struct Held {
    id: String,
    session: ClientSession,
    sockets: Arc<AtomicUsize>,
    used: Instant,
}

/// Who a request is of.
pub(crate) struct Caller {
    pub(crate) session: ClientSession,
    sockets: Arc<AtomicUsize>,
}

/// A WebSocket or event stream; it counts until it is dropped.
pub(crate) struct Socket(Arc<AtomicUsize>);

impl Caller {
    /// Room for one more, if there is.
    pub(crate) fn one_more_socket(&self, limit: usize) -> Result<Socket, Problem> {
        let more = |held| (held < limit).then_some(held + 1);
        match self.sockets.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Socket(self.sockets.clone())),
            Err(_) => {
                let text = format!("this session has {limit} WebSockets and event streams already");
                Err(ClientError::new(GatewayCode::TooManySubscriptions, text).into())
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether somebody who came in may still be there: a reload may have taken that away.
pub(crate) struct Standing {
    shared: Arc<Shared>,
    peer: Peer,
    shown: HeaderMap,
    generation: u64,
}

impl Standing {
    pub(crate) fn new(shared: &Arc<Shared>, peer: Peer, headers: &HeaderMap) -> Self {
        let names = [header::AUTHORIZATION, header::SEC_WEBSOCKET_PROTOCOL];
        let shown = names.into_iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
        let generation = shared.gateway.generation();
        Self { shared: shared.clone(), peer, shown: shown.collect(), generation }
    }

    /// Looks again if rules have changed, and gives the session that it then is.
    pub(crate) async fn check(&mut self) -> Result<Option<Caller>, Problem> {
        let generation = self.shared.gateway.generation();
        if generation == self.generation {
            return Ok(None);
        }
        let caller = self.shared.identities.identify(&self.shown, &self.peer).await?;
        self.generation = generation;
        Ok(Some(caller))
    }
}

impl Identities {
    pub(crate) fn new(gateway: &Gateway, anonymous: Option<&str>) -> Self {
        Self { gateway: gateway.clone(), anonymous: anonymous.map(str::to_owned), state: Mutex::default() }
    }

    /// The session of a request.
    pub(crate) async fn identify(&self, headers: &HeaderMap, peer: &Peer) -> Result<Caller, Problem> {
        let address = peer.address;
        let origin = Origin {
            door: DOOR,
            session: String::new(),
            address: address.to_string(),
            source: Source::Address(address.ip().to_canonical()),
        };
        let shown = match shown(headers) {
            // Words count before the certificate: many clients may share one.
            Shown::Nothing => self.by_certificate(peer, &origin)?,
            shown => shown,
        };
        if let (Shown::Nothing, Some(role)) = (&shown, &self.anonymous) {
            let (name, method) = (ANONYMOUS.to_owned(), Method::Anonymous);
            let who = Who { name, method, role: role.clone(), address: Some(address.ip().to_canonical()) };
            // It stands on the listener, as long as there is the role.
            return Ok(self.session(who, None, address));
        }
        let token = match &shown {
            Shown::Bearer(secret) => hash(secret),
            _ => None,
        };
        let generation = self.gateway.generation();
        if let Some((who, footing)) = token.and_then(|token| self.known(&token, generation)) {
            return Ok(self.session(who, Some(footing), address));
        }
        match self.gateway.authenticate(&origin, shown).await {
            Judged::Accepted { identity: Identity { name, method }, role, footing } => {
                let nobody = (method == Method::Anonymous).then(|| address.ip().to_canonical());
                let who = Who { name, method, role, address: nobody };
                if let Some(token) = token.filter(|_| method == Method::Token) {
                    let mut state = self.state.lock();
                    // There are no more of the same generation than users.
                    state.tokens.retain(|_, known| known.generation == generation);
                    let known = Known { generation, who: who.clone(), footing: footing.clone() };
                    state.tokens.insert(token, known);
                }
                Ok(self.session(who, Some(footing), address))
            }
            Judged::Refused { reason, delay } => {
                tracing::info!(client = %address, %reason, "refused");
                Err(Problem::unauthenticated(&reason, delay))
            }
        }
    }

    /// What the certificate says of a client that says nothing itself.
    fn by_certificate(&self, peer: &Peer, origin: &Origin) -> Result<Shown, Problem> {
        let Some(certificate) = peer.certificate.as_ref().filter(|_| self.gateway.knows_certificates()) else {
            return Ok(Shown::Nothing);
        };
        match Names::read(certificate) {
            Ok(Names { subject, sans }) => Ok(Shown::Certificate { subject, sans }),
            Err(error) => {
                tracing::info!(client = %peer.address, %error, "refused");
                self.gateway.refused_login(origin, "", Reason::CertificateWithoutRole.code());
                Err(Problem::unauthenticated(&Reason::CertificateWithoutRole, Duration::ZERO))
            }
        }
    }

    /// Ends sessions that have not been used for long.
    pub(crate) fn expire(&self, now: Instant) {
        let mut ended = Vec::new();
        let mut sessions = Vec::new();
        {
            let mut state = self.state.lock();
            // Whoever holds a stream open is there.
            let idle = |_: &Who, held: &mut Held| {
                held.sockets.load(Ordering::Acquire) == 0 && now.saturating_duration_since(held.used) > IDLE
            };
            ended.extend(state.sessions.extract_if(idle));
            sessions.extend(state.sessions.values().map(|held| held.session.clone()));
        }
        for session in sessions {
            session.expire(now);
        }
    }

    fn known(&self, token: &[u8; 32], generation: u64) -> Option<(Who, Arc<Footing>)> {
        let state = self.state.lock();
        let known = state.tokens.get(token).filter(|known| known.generation == generation)?;
        Some((known.who.clone(), known.footing.clone()))
    }

    fn session(&self, who: Who, footing: Option<Arc<Footing>>, address: SocketAddr) -> Caller {
        let mut state = self.state.lock();
        let member = |id: &str| Member::new(DOOR, id.to_owned(), &who.name, &who.role, address.to_string());
        // One that a reload has ended is not gone on with.
        if let Some(held) = state.sessions.get_mut(&who).filter(|held| !held.session.is_over()) {
            held.used = Instant::now();
            return Caller { session: held.session.coming_as(member(&held.id)), sockets: held.sockets.clone() };
        }
        let id = Uuid::new_v4().to_string();
        let member = match footing {
            Some(footing) => member(&id).standing_on(footing),
            None => member(&id),
        };
        let session = self.gateway.session(member);
        if state.sessions.len() >= MAX_SESSIONS {
            // The one that was used least lately makes room.
            let oldest = state.sessions.iter().min_by_key(|(_, held)| held.used).map(|(who, _)| who.clone());
            if let Some(oldest) = oldest {
                state.sessions.remove(&oldest);
            }
        }
        let sockets = Arc::<AtomicUsize>::default();
        let held = Held { id, session: session.clone(), sockets: sockets.clone(), used: Instant::now() };
        state.sessions.insert(who, held);
        Caller { session, sockets }
    }
}

/// What the headers show of a client. Browsers cannot send `Authorization` with a WebSocket: there, a token may come as the
/// protocol `bearer.TOKEN`.
fn shown(headers: &HeaderMap) -> Shown {
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, rest)) = text.and_then(|text| text.split_once(' ')) else {
        return protocol_token(headers).map_or(Shown::Nothing, |token| Shown::Bearer(Secret::new(token.to_owned())));
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Shown::Bearer(Secret::new(rest.trim().to_owned()));
    }
    let named = |rest: &str| {
        let text = Secret::new(String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?);
        let (user, password) = text.expose().split_once(':')?;
        Some(Shown::Named { user: user.to_owned(), secret: Secret::new(password.to_owned()) })
    };
    let basic = scheme.eq_ignore_ascii_case("basic").then(|| named(rest)).flatten();
    // Something that cannot be read proves nothing, and is not the same as showing nothing.
    basic.unwrap_or_else(|| Shown::Bearer(Secret::new(String::new())))
}

fn protocol_token(headers: &HeaderMap) -> Option<&str> {
    let protocols = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|value| value.to_str().ok());
    protocols.flat_map(|list| list.split(',')).find_map(|protocol| protocol.trim().strip_prefix("bearer."))
}

fn hash(secret: &Secret) -> Option<[u8; 32]> {
    digest(&SHA256, secret.expose().as_bytes()).as_ref().try_into().ok()
}

/// As logs name it.
const DOOR: &str = "http";
/// Who shows nothing.
const ANONYMOUS: &str = "anonymous";
/// After which a session that is not used is over.
const IDLE: Duration = Duration::from_secs(900);
/// Sessions at a time.
const MAX_SESSIONS: usize = 8192;

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(name: header::HeaderName, value: &'static str) -> Shown {
        shown(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]))
    }

    #[test]
    fn tokens_and_passwords_are_read() {
        let token = of(header::AUTHORIZATION, "bearer abc");
        assert!(matches!(token, Shown::Bearer(secret) if secret.expose() == "abc"));
        let named = of(header::AUTHORIZATION, "Basic bmFvOnA6dw==");
        assert!(matches!(named, Shown::Named { user, secret } if user == "nao" && secret.expose() == "p:w"));
        let socket = of(header::SEC_WEBSOCKET_PROTOCOL, "keyway.v1, bearer.abc");
        assert!(matches!(socket, Shown::Bearer(secret) if secret.expose() == "abc"));
        assert!(matches!(shown(&HeaderMap::new()), Shown::Nothing));
    }

    #[test]
    fn what_cannot_be_read_does_not_count_as_nothing() {
        for text in ["Basic !", "Basic bmFv", "Digest x=y"] {
            assert!(
                matches!(of(header::AUTHORIZATION, text), Shown::Bearer(secret) if secret.expose().is_empty()),
                "{text}"
            );
        }
    }
}
