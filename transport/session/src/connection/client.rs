//! Asking to be let in (spec 5.1, 5.2, 5.4), also by peers from before authentication (14.3).

use std::fmt;

use keyway_value::{ActionId, ObjectId, ServiceId, Value};
use keyway_wire::{Frame, MessageIds, MessageKind};

use super::{
    DEFAULT_MAX_PAYLOAD, Out,
    authentication::{CONTINUE, ClientAuthenticator, DONE, ERROR, STATE, prefixed, said},
    is_authentication, is_connections_own,
};
use crate::{CapabilityMap, CloseReason, errors};

/// Settings of a client's end.
pub struct ClientConfig {
    /// What it announces.
    pub capabilities: CapabilityMap,
    /// Who it is; nobody in particular by default.
    pub authenticator: Option<Box<dyn ClientAuthenticator>>,
    /// Whether to refuse servers that know no authentication (14.3). Implied by an authenticator.
    pub require_authentication: bool,
    /// The largest payload accepted once the connection is open, in bytes.
    pub max_payload: u32,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            capabilities: CapabilityMap::libqi(),
            authenticator: None,
            require_authentication: false,
            max_payload: DEFAULT_MAX_PAYLOAD,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig").field("capabilities", &self.capabilities).finish_non_exhaustive()
    }
}

pub(super) struct Handshake {
    authenticator: Option<Box<dyn ClientAuthenticator>>,
    required: bool,
    steps: u32,
}

impl Handshake {
    pub(super) fn new(authenticator: Option<Box<dyn ClientAuthenticator>>, required: bool) -> Self {
        let required = required || authenticator.is_some();
        Self { authenticator, required, steps: 0 }
    }

    pub(super) fn first_frame(&mut self, own: &CapabilityMap) -> Frame {
        let mut map = own.clone();
        if let Some(authenticator) = &mut self.authenticator {
            map.merge(prefixed(authenticator.initial()));
        }
        authenticate(&map)
    }

    /// True when the connection is open.
    pub(super) fn handle(
        &mut self,
        frame: &Frame,
        own: &CapabilityMap,
        remote: &mut CapabilityMap,
        out: Out<'_>,
    ) -> Result<bool, CloseReason> {
        let header = &frame.header;
        match header.kind {
            // The id is not compared: servers have been seen to answer with another (5.3).
            MessageKind::Reply if is_authentication(header) => self.reply(frame, remote, out),
            MessageKind::Capability => {
                remote.remember(&super::capabilities_of(frame)?);
                // From a server that authenticates, the answer is still to come (5.2, 14.3).
                Ok(!self.required && announce(own, out))
            }
            MessageKind::Error if is_connections_own(header) => {
                // A server from before authentication has announced its capabilities by now (5.2, 14.3).
                let is_old = remote.iter().next().is_some() && !self.required;
                if is_old { Ok(announce(own, out)) } else { Err(CloseReason::Refused(errors::text_of(frame))) }
            }
            MessageKind::Call => {
                out(Frame::error_to(header, errors::CALL_NOT_HANDLED));
                Ok(false)
            }
            MessageKind::Unknown(_) => Ok(false),
            _ if is_connections_own(header) => {
                if self.required {
                    return Err(CloseReason::Refused("the server knows no authentication".to_owned()));
                }
                Ok(announce(own, out))
            }
            _ => Ok(false),
        }
    }

    fn reply(&mut self, frame: &Frame, remote: &mut CapabilityMap, out: Out<'_>) -> Result<bool, CloseReason> {
        let map = CapabilityMap::of_frame(frame)
            .map_err(|error| CloseReason::Protocol(format!("the answer to authenticate cannot be read: {error}")))?;
        remote.remember(&map);
        match map.get(STATE).and_then(Value::as_u64) {
            Some(DONE) => Ok(true),
            Some(CONTINUE) => {
                self.steps += 1;
                if self.steps > MAX_STEPS {
                    return Err(CloseReason::TooManyAttempts);
                }
                let Some(authenticator) = &mut self.authenticator else {
                    return Err(CloseReason::Refused("the server asks for credentials".to_owned()));
                };
                // No capabilities this time (5.4).
                let next = authenticator.next(said(&map)).map_err(CloseReason::Refused)?;
                out(authenticate(&prefixed(next)));
                Ok(false)
            }
            // libqi asks again, for ever (5.5, H8).
            Some(ERROR) => Err(CloseReason::Refused(errors::AUTHENTICATION_FAILED.to_owned())),
            _ => Err(CloseReason::InvalidAuthenticationState),
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// Goes on without authentication: the server learns our capabilities from a frame of their own (5.2).
fn announce(own: &CapabilityMap, out: Out<'_>) -> bool {
    out(Frame::capability(MessageIds::process().next(), own.encode()));
    true
}

fn authenticate(map: &CapabilityMap) -> Frame {
    let id = MessageIds::process().next();
    Frame::call(id, ServiceId::SERVER, ObjectId::NONE, ActionId::AUTHENTICATE, map.encode())
}

/// A dialogue that goes on for longer leads nowhere.
const MAX_STEPS: u32 = 16;
