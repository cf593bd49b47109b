//! Asking to be let in (spec 5.1, 5.2, 5.4).

use std::fmt;

use keyway_value::{ActionId, MessageId, ObjectId, ServiceId};
use keyway_wire::{Frame, MessageKind};

use super::{
    DEFAULT_MAX_PAYLOAD, IDS, Out,
    authentication::{CONTINUE, ClientAuthenticator, DONE, STATE, prefixed, said},
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
    /// The largest payload accepted, in bytes.
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
            MessageKind::Error if is_connections_own(header) => {
                // A server from before authentication has announced its capabilities by now (5.2, 14.3).
                if remote.iter().next().is_some() {
                    return self.open_without(own, &errors::text_of(frame), out);
                }
                Err(CloseReason::Refused(errors::text_of(frame)))
            }
            MessageKind::Call => {
                out(Frame::error_to(header, errors::CALL_NOT_HANDLED));
                Ok(false)
            }
            _ if is_connections_own(header) => self.open_without(own, "the server knows no authentication", out),
            _ => Ok(false),
        }
    }

    fn reply(&mut self, frame: &Frame, remote: &mut CapabilityMap, out: Out<'_>) -> Result<bool, CloseReason> {
        let map = CapabilityMap::decode(frame.payload_bytes())
            .map_err(|error| CloseReason::Protocol(format!("the answer to authenticate cannot be read: {error}")))?;
        let state = map.get(STATE).and_then(keyway_value::Value::as_u64).and_then(|state| u32::try_from(state).ok());
        let asked = said(&map);
        remote.merge(map);
        match state {
            Some(DONE) => Ok(true),
            Some(CONTINUE) => {
                self.steps += 1;
                if self.steps > MAX_STEPS {
                    return Err(CloseReason::TooManyAttempts);
                }
                let Some(authenticator) = &mut self.authenticator else {
                    return Err(CloseReason::Refused("the server asks for credentials".to_owned()));
                };
                let next = authenticator.next(asked).map_err(CloseReason::Refused)?;
                out(authenticate(&prefixed(next)));
                Ok(false)
            }
            Some(1) => Err(CloseReason::Refused(errors::AUTHENTICATION_FAILED.to_owned())),
            _ => Err(CloseReason::Protocol("Invalid authentication state token.".to_owned())),
        }
    }

    fn open_without(&self, own: &CapabilityMap, why: &str, out: Out<'_>) -> Result<bool, CloseReason> {
        if self.required {
            return Err(CloseReason::Refused(why.to_owned()));
        }
        out(Frame::capability(IDS.next(), own.encode()));
        Ok(true)
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("steps", &self.steps).finish_non_exhaustive()
    }
}

fn authenticate(map: &CapabilityMap) -> Frame {
    let id: MessageId = IDS.next();
    Frame::call(id, ServiceId::SERVER, ObjectId::NONE, ActionId::AUTHENTICATE, map.encode())
}

/// A dialogue that goes on for longer leads nowhere.
const MAX_STEPS: u32 = 16;
