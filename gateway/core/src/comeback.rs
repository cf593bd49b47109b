//! Keys by which clients come back to their sessions, when a connection is lost or the gateway was restarted.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use keyway_auth::{
    Footing, Identity, Reason,
    resume::{ResumeError, Resumption, SealingKeys, UsedKeys},
};
use parking_lot::Mutex;

/// For how long a key is believed; a session gets another one long before.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// After how long keys are sealed anew.
const ROTATION: Duration = Duration::from_secs(24 * 3600);
/// Sessions that ended, or came back, and whose keys are remembered until they expire.
const REMEMBERED: usize = 100_000;

/// What a gateway seals the keys of its sessions with.
#[derive(Debug)]
pub struct Comebacks {
    sealing: Mutex<Sealing>,
    used: Mutex<UsedKeys>,
}

#[derive(Debug)]
struct Sealing {
    /// Nothing where the system has no randomness: then no session is kept.
    keys: Option<SealingKeys>,
    file: Option<PathBuf>,
}

/// The keys of one session.
pub struct Comeback {
    last: Resumption,
    /// Keys with lower numbers are worthless.
    floor: u64,
    /// The number of the key that was shown, while the client may not have the next one.
    shown: Option<u64>,
}

impl Comebacks {
    /// With keys of its own, which nobody knows after a restart.
    pub fn in_memory() -> Self {
        let keys = SealingKeys::generate(SystemTime::now()).ok();
        Self { sealing: Mutex::new(Sealing { keys, file: None }), used: Mutex::new(UsedKeys::new(REMEMBERED)) }
    }

    /// Seals with the keys of a file from now on, which are written there when others are made.
    pub fn seal_with(&self, keys: SealingKeys, file: PathBuf) {
        *self.sealing.lock() = Sealing { keys: Some(keys), file: Some(file) };
    }

    /// The keys of a new session.
    pub fn begin(
        &self,
        session: [u8; 16],
        identity: Identity,
        footing: Option<&Footing>,
    ) -> Option<(Comeback, Vec<u8>)> {
        let credential = footing.and_then(Footing::credential);
        let first = Resumption::new(session, identity, SystemTime::now(), LIFETIME).shown_by(credential);
        let key = self.seal(&first)?;
        Some((Comeback { last: first, floor: 0, shown: None }, key))
    }

    /// The session that a key is for, if the key is believed.
    pub fn session_of(&self, key: &[u8]) -> Option<[u8; 16]> {
        self.open(key).ok().map(|said| said.session)
    }

    /// Whose key it is, and what that stands on. It counts once.
    pub(crate) fn redeem(&self, key: &[u8]) -> Result<(Identity, Footing), Reason> {
        let said = self.open(key).map_err(Reason::Resume)?;
        self.used.lock().redeem(SystemTime::now(), &said).map_err(Reason::Resume)?;
        let footing = Footing::recalled(&said.identity, said.credential);
        Ok((said.identity, footing))
    }

    fn open(&self, key: &[u8]) -> Result<Resumption, ResumeError> {
        let now = SystemTime::now();
        let said = self.sealing.lock().keys.as_ref().ok_or(ResumeError::Unknown)?.open(now, key)?;
        if self.used.lock().is_used(&said) { Err(ResumeError::Used) } else { Ok(said) }
    }

    fn seal(&self, said: &Resumption) -> Option<Vec<u8>> {
        let mut sealing = self.sealing.lock();
        let Sealing { keys, file } = &mut *sealing;
        let keys = keys.as_mut()?;
        if let (Ok(true), Some(file)) = (keys.rotate(SystemTime::now(), ROTATION), file)
            && let Err(error) = keys.save(file)
        {
            tracing::warn!(%error, "sessions will not be found again after a restart; make the file writable");
        }
        keys.seal(said).ok()
    }
}

impl Comeback {
    /// Another key, for a client that is connected.
    pub fn renew(&mut self, comebacks: &Comebacks) -> Option<Vec<u8>> {
        let next = self.last.next(SystemTime::now(), LIFETIME);
        let key = comebacks.seal(&next)?;
        self.last = next;
        Some(key)
    }

    /// Somebody has come with this key. The next one, if it is good.
    pub fn resume(&mut self, comebacks: &Comebacks, key: &[u8]) -> Option<Vec<u8>> {
        let said = comebacks.open(key).ok()?;
        if said.session != self.last.session || said.number < self.floor {
            return None;
        }
        self.shown = Some(said.number);
        self.renew(comebacks)
    }

    /// The client has the next key.
    pub fn resumed(&mut self) {
        if let Some(shown) = self.shown.take() {
            self.floor = shown + 1;
        }
    }

    /// The session is over: none of its keys opens anything any more.
    pub fn end(self, comebacks: &Comebacks) {
        // Refused only when too many are remembered; the key expires all the same.
        let _ = comebacks.used.lock().redeem(SystemTime::now(), &self.last);
    }
}

impl fmt::Debug for Comeback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Comeback")
            .field("number", &self.last.number)
            .field("floor", &self.floor)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use keyway_auth::Method;

    use super::*;

    fn begun(comebacks: &Comebacks) -> (Comeback, Vec<u8>) {
        let identity = Identity { name: "nao".into(), method: Method::Token };
        comebacks.begin([7; 16], identity, None).unwrap()
    }

    #[test]
    fn a_key_is_good_until_the_client_has_the_next_one() {
        let comebacks = Comebacks::in_memory();
        let (mut session, first) = begun(&comebacks);
        assert_eq!(comebacks.session_of(&first), Some([7; 16]));
        // The answer was lost: the client shows the first again.
        session.resume(&comebacks, &first).unwrap();
        let second = session.resume(&comebacks, &first).unwrap();
        session.resumed();
        assert_eq!(session.resume(&comebacks, &first), None);
        assert!(session.resume(&comebacks, &second).is_some());
    }

    #[test]
    fn the_key_of_a_session_that_has_ended_opens_nothing() {
        let comebacks = Comebacks::in_memory();
        let (mut session, first) = begun(&comebacks);
        let renewed = session.renew(&comebacks).unwrap();
        session.end(&comebacks);
        for key in [first, renewed] {
            assert_eq!(comebacks.session_of(&key), None);
            assert_eq!(comebacks.redeem(&key).unwrap_err(), Reason::Resume(ResumeError::Used));
        }
    }

    #[test]
    fn a_key_says_once_whose_it_was_to_a_gateway_that_does_not_know_the_session() {
        let comebacks = Comebacks::in_memory();
        let (_, key) = begun(&comebacks);
        assert_eq!(comebacks.redeem(&key).unwrap().0.name, "nao");
        assert_eq!(comebacks.redeem(&key).unwrap_err(), Reason::Resume(ResumeError::Used));
    }

    #[test]
    fn a_key_of_another_session_or_gateway_is_no_key() {
        let (comebacks, other) = (Comebacks::in_memory(), Comebacks::in_memory());
        let (mut session, key) = begun(&comebacks);
        assert_eq!(other.session_of(&key), None);
        let identity = Identity { name: "eva".into(), method: Method::Token };
        let (_, foreign) = comebacks.begin([8; 16], identity, None).unwrap();
        assert_eq!(session.resume(&comebacks, &foreign), None);
    }
}
