//! What a session's messages leave in the audit log, and as traces.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use foldhash::fast::RandomState;
use keyway_history::audit::{Arguments, Caller, Kind, Operation, Outcome, Overflow, Record, Recorder, Refusal, Slot};
use keyway_value::ActionId;
use tracing::{Level, Span, field::Empty};

use crate::{
    access::Access,
    client::{ClientError, GatewayCode},
    rules::AuditRules,
};

/// The target of the spans of calls. They are of level TRACE: only who asks for this target pays for them.
pub const CALLS: &str = "keyway::call";

/// The audit log as one session writes it, and the traces.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    /// Without one, only traces are left.
    recorder: Option<Recorder>,
    caller: Arc<Caller>,
    /// What the session has done with services, to be done again: nothing that other sessions use is touched then.
    subjects: HashMap<(usize, ActionId, Kind), Known, RandomState>,
    overflow: Overflow,
    /// When something began last, by both clocks: what comes with one read begins at one time.
    began: Option<(Instant, SystemTime)>,
}

/// Kept with the access that it is of: as long as it is, nothing else has the same address.
#[derive(Debug, Clone)]
struct Known {
    subject: Arc<Subject>,
    _access: Arc<Access>,
}

/// What is recorded, and where.
#[derive(Debug)]
struct Subject {
    recorder: Option<Recorder>,
    operation: Arc<Operation>,
}

/// Something that has begun, and will be recorded when its outcome is known.
#[derive(Debug)]
pub(crate) struct Entry {
    place: Place,
    time: SystemTime,
    started: Instant,
    subject: Arc<Subject>,
    arguments: Option<Arguments>,
    /// As long as this is going on, for those who trace.
    span: Span,
}

/// Where the record goes.
#[derive(Debug)]
enum Place {
    /// Dropped and counted where there is no room then.
    Whenever,
    /// Its room is taken already.
    Reserved(Slot),
}

impl Journal {
    /// None if nobody reads it.
    pub(crate) fn new(recorder: Option<&Recorder>, caller: &Arc<Caller>, rules: &AuditRules) -> Option<Self> {
        let is_read = recorder.is_some() || tracing::enabled!(target: CALLS, Level::TRACE);
        is_read.then(|| Self {
            recorder: recorder.cloned(),
            caller: caller.clone(),
            overflow: rules.overflow,
            began: None,
            subjects: HashMap::default(),
        })
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

    /// Something begins with a service. An error says that it may not, because it could not be recorded.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        kind: Kind,
        access: &Arc<Access>,
        member: ActionId,
    ) -> Result<Entry, ClientError> {
        let key = (Arc::as_ptr(access).addr(), member, kind);
        let subject = match self.subjects.get(&key) {
            Some(known) => known.subject.clone(),
            None => {
                let subject = self.subject(kind, &access.service, access.member(member));
                if self.subjects.len() >= SUBJECTS {
                    self.subjects.clear();
                }
                self.subjects.insert(key, Known { subject: subject.clone(), _access: access.clone() });
                subject
            }
        };
        self.enter(now, subject)
    }

    /// Something begins that is about a service as a whole.
    pub(crate) fn begin_about(&mut self, now: Instant, kind: Kind, service: &Arc<str>) -> Result<Entry, ClientError> {
        let subject = self.subject(kind, service, "".into());
        self.enter(now, subject)
    }

    fn subject(&self, kind: Kind, service: &Arc<str>, member: Arc<str>) -> Arc<Subject> {
        let operation = Operation { caller: self.caller.clone(), service: service.clone(), member, kind };
        Arc::new(Subject { recorder: self.recorder.clone(), operation: Arc::new(operation) })
    }

    fn enter(&mut self, now: Instant, subject: Arc<Subject>) -> Result<Entry, ClientError> {
        let not_recorded = |refusal: Refusal| ClientError::new(GatewayCode::NotRecorded, refusal.to_string());
        let place = match (&subject.recorder, self.overflow) {
            (Some(recorder), Overflow::FailClosed) => Place::Reserved(recorder.reserve().map_err(not_recorded)?),
            _ => Place::Whenever,
        };
        let Operation { service, member, kind, .. } = &*subject.operation;
        let span = tracing::trace_span!(
            target: CALLS,
            parent: None,
            "call",
            otel.name = format_args!("{service}.{member}"),
            otel.kind = "server",
            otel.status_code = Empty,
            rpc.system = "qi",
            rpc.service = %service,
            rpc.method = %member,
            keyway.kind = ?kind,
            keyway.session = %self.caller.session,
        );
        Ok(Entry { place, time: self.time(now), started: now, subject, arguments: None, span })
    }

    fn time(&mut self, now: Instant) -> SystemTime {
        match self.began {
            Some((instant, time)) if instant == now => time,
            _ => self.began.insert((now, SystemTime::now())).1,
        }
    }

    /// Something was refused, for a reason with this code.
    pub(crate) fn refused(&self, kind: Kind, service: &Arc<str>, member: Arc<str>, code: &'static str) {
        self.note(kind, service, member, Outcome::Refused(code.into()), Duration::ZERO);
    }

    /// Something that has happened: it is too late to refuse it where it cannot be recorded.
    fn note(&self, kind: Kind, service: &Arc<str>, member: Arc<str>, outcome: Outcome, duration: Duration) {
        let Some(recorder) = &self.recorder else { return };
        recorder.record(Record {
            time: SystemTime::now(),
            operation: self.subject(kind, service, member).operation.clone(),
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

    /// It is over now; `ok` is whether the service did what it was asked.
    pub(crate) fn finish(self, now: Instant, ok: bool) {
        self.finish_with(now, ok, Recorder::record);
    }

    fn finish_with(self, now: Instant, ok: bool, record: impl FnOnce(&Recorder, Record)) {
        self.span.record("otel.status_code", if ok { "OK" } else { "ERROR" });
        let Subject { recorder: Some(recorder), operation } = &*self.subject else { return };
        let outcome = Record {
            time: self.time,
            operation: operation.clone(),
            outcome: if ok { Outcome::Ok } else { Outcome::Error },
            duration: now.saturating_duration_since(self.started),
            arguments: self.arguments,
        };
        match self.place {
            Place::Reserved(slot) => slot.record(outcome),
            Place::Whenever => record(recorder, outcome),
        }
    }
}

/// What came of one session's operations in one read: recorded in one go, so that sessions seldom wait for each other.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    records: Vec<Record>,
    recorder: Option<Recorder>,
}

impl Outcomes {
    /// Something is over now; `ok` is whether the service did what it was asked.
    pub(crate) fn add(&mut self, entry: Entry, now: Instant, ok: bool) {
        entry.finish_with(now, ok, |recorder, record| {
            self.recorder.get_or_insert_with(|| recorder.clone());
            self.records.push(record);
        });
    }

    /// Records what was added.
    pub(crate) fn record(&mut self) {
        if let Some(recorder) = &self.recorder {
            recorder.record_all(&mut self.records);
        }
    }
}

impl Drop for Outcomes {
    fn drop(&mut self) {
        self.record();
    }
}

/// Operations of a session that are remembered.
const SUBJECTS: usize = 64;
