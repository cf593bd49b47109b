//! Accepting connections by the native protocol.

use std::{io, sync::Arc, time::Duration};

use keyway_pipe::{
    ConnectionCap, ConnectionPermit, Keeping, QuicError, QuicIncoming, QuicListener, QuicOptions, QuicRequest, Said,
    TlsServer,
};
use keyway_session::{AuthMap, AuthOutcome, AuthRequest, CapabilityMap, CloseReason, Connection, errors};
use keyway_value::Value;
use keyway_wire::{
    Url,
    native::{CloseCode, Proof},
};
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use super::{AUTHENTICATION_VERSION, Accepted, Serving, ServingSettings, follow_interfaces, run, texts};
use crate::{
    front::{Client, Kept, RESUME_KEY, Verdict, Warden},
    host::Host,
    peer::Peer,
    peer_handler::PeerHandler,
};

pub(super) async fn start(
    url: &Url,
    tls: &TlsServer,
    settings: &ServingSettings,
    host: Arc<Host>,
) -> io::Result<Serving> {
    let mut options = QuicOptions::default();
    options.handshake_timeout = settings.front.authentication_timeout;
    options.ipv6 = settings.front.socket.ipv6;
    options.dead_after = settings.front.quic_dead_after;
    let listener = QuicListener::bind(url, tls, options).await?;
    let is_wildcard = listener.local_address()?.ip().is_unspecified();
    let (published, endpoints) = watch::channel(texts(&listener.endpoints()?));
    let accepted: Accepted = Arc::new(Mutex::default());
    let (settings, connections) = (settings.clone(), accepted.clone());
    let accepting = tokio::spawn(async move {
        let following = follow_interfaces(is_wildcard, || listener.endpoints(), &published);
        tokio::join!(accept(&listener, settings, host, connections), following);
    });
    Ok(Serving { endpoints, accepting: accepting.abort_handle(), accepted })
}

async fn accept(listener: &QuicListener, settings: ServingSettings, host: Arc<Host>, accepted: Accepted) {
    let cap = ConnectionCap::new(settings.front.unauthenticated_per_source, usize::MAX);
    let settings = Arc::new(settings);
    while let Some(incoming) = listener.accept().await {
        let Some(permit) = cap.admit(&incoming.peer()) else {
            tracing::debug!(peer = %incoming.peer(), "refused: too many unauthenticated connections from there");
            incoming.refuse();
            continue;
        };
        let (settings, host, accepted) = (settings.clone(), host.clone(), accepted.clone());
        tokio::spawn(async move {
            let peer = incoming.peer();
            if let Err(error) = serve(incoming, permit, &settings, &host, &accepted).await {
                tracing::debug!(%peer, %error, "no session came of a connection");
            }
        });
    }
}

async fn serve(
    incoming: QuicIncoming,
    permit: ConnectionPermit,
    settings: &ServingSettings,
    host: &Arc<Host>,
    accepted: &Accepted,
) -> Result<(), QuicError> {
    let request = incoming.handshake(settings.front.queue.clone()).await?;
    let announced = match CapabilityMap::decode(&request.hello().capabilities) {
        Ok(announced) => announced,
        Err(error) => {
            let text = format!("the capabilities cannot be read: {error}");
            request.refuse(CloseCode::PROTOCOL, &text);
            return Err(QuicError::Protocol(text));
        }
    };
    if let (Said::Resume(resume), Some(guard)) = (request.said(), &settings.guard)
        && let Some(session) = guard.session_of(&resume.key)
        && request.finds(&session)
    {
        // Its warden is there, and knows the key.
        request.rejoin(&session);
        return Ok(());
    }
    let sender = request.sender().clone();
    let peer = Peer::new(sender.clone(), request.peer().to_string(), host.clone());
    let mut warden = match &settings.guard {
        Some(guard) => {
            let Some(warden) = guard.admit(&Client::new(peer.clone())) else {
                request.refuse(CloseCode::BUSY, "come again later");
                return Ok(());
            };
            Some(warden)
        }
        None => None,
    };
    let own = settings.front.capabilities.clone();
    let welcomed = async {
        let request = match (&settings.guard, &mut warden) {
            (Some(guard), Some(warden)) if guard.authenticates() => judged(request, &mut **warden, settings).await?,
            _ => request,
        };
        let name = Uuid::new_v4().into_bytes();
        let Kept { time, events, bytes } = settings.front.kept;
        let key = warden.as_mut().and_then(|warden| warden.resume_key(name));
        let keeping = key.map(|key| Keeping { time, events, bytes, key: key.into() });
        let driver = request.welcome(name, own.encode().into_bytes(), keeping).await?;
        Ok::<_, QuicError>((driver, name))
    };
    let (driver, name) = match welcomed.await {
        Ok(welcomed) => welcomed,
        Err(error) => {
            let reason = CloseReason::Refused(error.to_string());
            peer.close(reason.clone());
            if let Some(warden) = &mut warden {
                warden.closed(&reason);
            }
            return Err(error);
        }
    };
    let connection = Connection::opened(true, own, &announced, settings.front.max_payload);
    let handler = PeerHandler::new(connection, peer.clone(), Some(permit));
    let handler = match warden {
        Some(warden) => handler.guarded(warden).named(name),
        None => handler,
    };
    run(sender, &peer, host, accepted, driver.run(handler.opened_already()));
    Ok(())
}

/// Has the client judged, as often as it takes, within the time for it.
async fn judged(
    request: QuicRequest,
    warden: &mut dyn Warden,
    settings: &ServingSettings,
) -> Result<QuicRequest, QuicError> {
    let deadline = tokio::time::Instant::now() + settings.front.authentication_timeout;
    let mut request = request;
    loop {
        let verdict: Arc<Mutex<Option<AuthOutcome>>> = Arc::default();
        let data = words(request.said(), &request.peer().to_string());
        warden.judge(AuthRequest { data }, Verdict::new(verdict.clone(), request.sender().clone()));
        let decided = async {
            loop {
                // Taken in a statement of its own: the lock is not held while waiting.
                let outcome = verdict.lock().take();
                match outcome {
                    Some(outcome) => return outcome,
                    None => request.woken().await,
                }
            }
        };
        match tokio::time::timeout_at(deadline, decided).await {
            Ok(AuthOutcome::Done(_)) => return Ok(request),
            Ok(AuthOutcome::Continue(asked)) => request = request.challenge(challenge(&asked)).await?,
            // It may still show what it has shown the first time.
            Ok(AuthOutcome::Failed { reason }) if matches!(request.said(), Said::Resume(_)) => {
                request = request.challenge(reason).await?;
            }
            Ok(AuthOutcome::Failed { reason }) => {
                tokio::time::sleep(FAILURE_DELAY).await;
                let text = refusal(&reason);
                request.refuse(CloseCode::REFUSED, &text);
                return Err(QuicError::Closed { code: CloseCode::REFUSED, text });
            }
            Err(_) => {
                request.refuse(CloseCode::TIMEOUT, "no verdict in time");
                return Err(QuicError::Timeout);
            }
        }
    }
}

/// A proof in the words of the dialogue between qi peers (spec 5.4); where the client is, is ours to say.
fn words(said: &Said, remote_endpoint: &str) -> AuthMap {
    let mut words = AuthMap::from([("remoteEndpoint".to_owned(), Value::from(remote_endpoint))]);
    let mut say = |name: &str, text: &str| _ = words.insert(name.to_owned(), Value::from(text));
    match said {
        Said::Proof(Proof::User { user, token }) => {
            say("user", user);
            say("token", token.expose());
        }
        Said::Proof(Proof::Token(token)) => say("token", token.expose()),
        Said::Proof(_) => {}
        Said::Resume(resume) => {
            words.insert(RESUME_KEY.to_owned(), Value::Raw(resume.key.clone()));
        }
    }
    words
}

/// What is asked for, for people.
fn challenge(asked: &AuthMap) -> String {
    let names: Vec<_> = asked.keys().map(String::as_str).collect();
    if names.is_empty() { "credentials are wanted".to_owned() } else { names.join(", ") }
}

/// In the words of a refusal between qi peers (spec 5.4).
fn refusal(reason: &str) -> String {
    let (major, minor) = AUTHENTICATION_VERSION;
    let failed = errors::AUTHENTICATION_FAILED;
    if reason.is_empty() { failed.to_owned() } else { format!("{failed}: {reason} [{major}.{minor}]") }
}

/// How long a refusal is kept back, as between qi peers (spec 5.14).
const FAILURE_DELAY: Duration = Duration::from_millis(100);
