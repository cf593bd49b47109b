//! Connecting by the native protocol.

use std::{io, sync::Arc};

use keyway_pipe::{Dialogue, MakeDialogue, QuicConnected, QuicEndpoint, QuicError, QuicOptions};
use keyway_session::{AuthMap, CapabilityMap, ClientAuthenticator, Connection};
use keyway_value::Value;
use keyway_wire::{
    Url,
    native::{CloseCode, Proof, SecretText},
};

use super::builder::{Settings, connect_error};
use crate::{Error, Result, host::Host, peer::Peer, peer_handler::PeerHandler};

/// Connects and authenticates.
pub(super) async fn open(settings: &Settings, url: &Url, host: &Arc<Host>) -> Result<Arc<Peer>> {
    let (Some(tls), Some(name)) = (&settings.tls, &url.host) else {
        // Both were looked for before.
        return Err(Error::Url(format!("'{url}' cannot be connected to by QUIC")));
    };
    let endpoint = match &settings.quic {
        Some(endpoint) => endpoint.clone(),
        None => {
            let mut options = QuicOptions::default();
            options.ipv6 = settings.socket.ipv6;
            QuicEndpoint::new(options).map_err(|error| connect_error(url, error))?
        }
    };
    let who: MakeDialogue = match settings.authenticator.clone() {
        Some(make) => {
            // What cannot be said is better known before anything is.
            proof(&make().initial()).map_err(Error::Closed)?;
            Arc::new(move || dialogue(make()))
        }
        None => Arc::new(|| Box::new(|asked| asked.is_none().then_some(Proof::Nothing))),
    };
    let own = settings.capabilities.clone();
    let connected = endpoint.connect(url, tls, own.encode().into_bytes(), who, settings.queue.clone()).await;
    let QuicConnected { sender, driver, welcome } = connected.map_err(|error| failure(url, name, error))?;
    let announced = CapabilityMap::decode(&welcome.capabilities)?;
    let peer = Peer::new(sender, url.to_string(), host.clone());
    let connection = Connection::opened(false, own, &announced, settings.max_payload);
    let handler = PeerHandler::new(connection, peer.clone(), None).opened_already();
    tokio::spawn(driver.run(handler));
    Ok(peer)
}

fn dialogue(mut authenticator: Box<dyn ClientAuthenticator>) -> Dialogue {
    Box::new(move |asked| {
        let words = match asked {
            None => authenticator.initial(),
            Some(text) => {
                let asked = AuthMap::from([("challenge".to_owned(), Value::from(text))]);
                authenticator.next(asked).ok()?
            }
        };
        proof(&words).ok()
    })
}

/// The words of an authenticator that the native protocol knows: a user and a token, or a token.
fn proof(words: &AuthMap) -> Result<Proof, String> {
    let word = |name| words.get(name).and_then(Value::as_str);
    let token = |token: &str| SecretText::new(token.to_owned());
    match (word("user"), word("token")) {
        (Some(user), Some(secret)) => Ok(Proof::User { user: user.to_owned(), token: token(secret) }),
        (None, Some(secret)) => Ok(Proof::Token(token(secret))),
        (None, None) if words.is_empty() => Ok(Proof::Nothing),
        _ => Err("over QUIC an authenticator says a user and a token, a token, or nothing".to_owned()),
    }
}

fn failure(url: &Url, host: &str, error: QuicError) -> Error {
    match error {
        QuicError::Io(error) => connect_error(url, io::Error::new(error.kind(), error)),
        QuicError::Tls(source) => Error::Tls { url: url.to_string(), source },
        QuicError::Settings(error) => error.into(),
        QuicError::Closed { code: CloseCode::REFUSED, text } => Error::Closed(text),
        other => Error::Closed(format!("{host}: {other}")),
    }
}
