//! What a session's messages leave in the audit log.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use keyway_history::audit::{Arguments, Caller, Kind, Outcome, Overflow, Record, Recorder, Refusal, Slot};

use crate::{
    client::{ClientError, GatewayCode},
    rules::AuditRules,
};

/// The audit log as one session writes it.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    recorder: Recorder,
    caller: Arc<Caller>,
    overflow: Overflow,
}

/// Something that has begun, and will be recorded when its outcome is known.
#[derive(Debug)]
pub(crate) struct Entry {
    place: Place,
    time: SystemTime,
    started: Instant,
    caller: Arc<Caller>,
    service: Arc<str>,
    member: Arc<str>,
    kind: Kind,
    arguments: Option<Arguments>,
}

/// Where the record goes.
#[derive(Debug)]
enum Place {
    /// Dropped and counted where there is no room then.
    Whenever(Recorder),
    /// Its room is taken already.
    Reserved(Slot),
}

impl Journal {
    pub(crate) fn new(recorder: Recorder, caller: Arc<Caller>, rules: &AuditRules) -> Self {
        Self { recorder, caller, overflow: rules.overflow }
    }

    /// The same by other rules.
    pub(crate) fn by(&self, rules: &AuditRules) -> Self {
        Self { overflow: rules.overflow, ..self.clone() }
    }

    /// The session has begun.
    pub(crate) fn came(&self) {
        self.note(Kind::Login, &"".into(), "".into(), Outcome::Ok, Duration::ZERO);
    }

    /// The session is over, after so long; with a code if the gateway has ended it for that reason.
    pub(crate) fn went(&self, after: Duration, code: Option<&'static str>) {
        let outcome = code.map_or(Outcome::Ok, |code| Outcome::Refused(code.into()));
        self.note(Kind::Logout, &"".into(), "".into(), outcome, after);
    }

    /// Something begins. An error says that it may not, because it could not be recorded.
    pub(crate) fn begin(
        &self,
        now: Instant,
        kind: Kind,
        service: &Arc<str>,
        member: Arc<str>,
    ) -> Result<Entry, ClientError> {
        let not_recorded = |refusal: Refusal| ClientError::new(GatewayCode::NotRecorded, refusal.to_string());
        let place = match self.overflow {
            Overflow::FailClosed => Place::Reserved(self.recorder.reserve().map_err(not_recorded)?),
            _ => Place::Whenever(self.recorder.clone()),
        };
        Ok(Entry {
            place,
            time: SystemTime::now(),
            started: now,
            caller: self.caller.clone(),
            service: service.clone(),
            member,
            kind,
            arguments: None,
        })
    }

    /// Something was refused, for a reason with this code.
    pub(crate) fn refused(&self, kind: Kind, service: &Arc<str>, member: Arc<str>, code: &'static str) {
        self.note(kind, service, member, Outcome::Refused(code.into()), Duration::ZERO);
    }

    /// Something that has happened: it is too late to refuse it where it cannot be recorded.
    fn note(&self, kind: Kind, service: &Arc<str>, member: Arc<str>, outcome: Outcome, duration: Duration) {
        self.recorder.record(Record {
            time: SystemTime::now(),
            caller: self.caller.clone(),
            service: service.clone(),
            member,
            kind,
            outcome,
            duration,
            arguments: None,
        });
    }
}

impl Entry {
    /// With the arguments' values.
    pub(crate) fn with_arguments(mut self, arguments: Arguments) -> Self {
        self.arguments = Some(arguments);
        self
    }

    /// It is over; `ok` is whether the service did what it was asked.
    pub(crate) fn finish(self, ok: bool) {
        let record = Record {
            time: self.time,
            caller: self.caller,
            service: self.service,
            member: self.member,
            kind: self.kind,
            outcome: if ok { Outcome::Ok } else { Outcome::Error },
            duration: self.started.elapsed(),
            arguments: self.arguments,
        };
        match self.place {
            Place::Whenever(recorder) => recorder.record(record),
            Place::Reserved(slot) => slot.record(record),
        }
    }
}
