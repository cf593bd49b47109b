//! Statistics and traces of an object's calls (actions 80–86, spec 6).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use keyway_session::{EventTrace, StatsTable, TraceKind};
use keyway_value::{ActionId, Payload, QiValue, Signature, Value};
use parking_lot::Mutex;

use crate::{
    Result,
    answer::{Answer, Running},
    context::CallContext,
    exchange::Exchange,
    signal::{Emission, SignalCore},
};

/// Watches calls while somebody asked for it; costs two loads per call otherwise.
pub(crate) struct Observer {
    measuring: AtomicBool,
    tracing: AtomicBool,
    stats: Mutex<StatsTable>,
    trace: Arc<SignalCore>,
    next_trace: AtomicU32,
}

impl Observer {
    pub(crate) fn new(trace: Arc<SignalCore>) -> Self {
        Self {
            measuring: AtomicBool::new(false),
            tracing: AtomicBool::new(false),
            stats: Mutex::default(),
            trace,
            next_trace: AtomicU32::new(1),
        }
    }

    pub(crate) fn is_measuring(&self) -> bool {
        self.measuring.load(Ordering::Relaxed)
    }

    pub(crate) fn measure(&self, on: bool) {
        self.measuring.store(on, Ordering::Relaxed);
    }

    /// Trace is on while somebody listens to the trace signal, or asked for it.
    pub(crate) fn is_tracing(&self) -> bool {
        self.tracing.load(Ordering::Relaxed)
    }

    pub(crate) fn set_tracing(&self, on: bool) {
        self.tracing.store(on, Ordering::Relaxed);
    }

    /// Called when subscriptions to the trace signal change.
    pub(crate) fn subscriptions_changed(&self) {
        self.set_tracing(self.trace.subscribers() > 0);
    }

    pub(crate) fn trace_signal(&self) -> &Arc<SignalCore> {
        &self.trace
    }

    pub(crate) fn stats(&self) -> &Mutex<StatsTable> {
        &self.stats
    }

    pub(crate) fn is_idle(&self) -> bool {
        !self.is_measuring() && !self.is_tracing()
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("measuring", &self.measuring).finish_non_exhaustive()
    }
}

/// Runs a call that is being watched.
pub(super) fn observed(
    object: &super::Object,
    action: ActionId,
    bytes: &Bytes,
    context: &CallContext,
    run: impl FnOnce() -> Answer,
) -> Answer {
    let observer = &object.0.observer;
    let started = Instant::now();
    let id = observer.next_trace.fetch_add(1, Ordering::Relaxed);
    let caller = context.connection().map_or(0, |connection| u32::try_from(connection.0).unwrap_or(u32::MAX));
    let note = Note { object: object.clone(), action, id, started, caller };
    if observer.is_tracing() {
        let parameters = object.signatures(action).map(|(parameters, _)| parameters.clone());
        let arguments = parameters.and_then(|parameters| readable(bytes, &parameters, context.arguments()));
        note.trace(TraceKind::Call, as_list(arguments));
    }
    match run() {
        Answer::Ready(result) => {
            note.done(&result, context.results());
            Answer::Ready(result)
        }
        Answer::Pending(future) => Answer::Pending(note.watch(future, context.results().clone())),
        Answer::Unstoppable(future) => Answer::Unstoppable(note.watch(future, context.results().clone())),
        Answer::Told(start) => {
            let results = context.results().clone();
            Answer::Told(Box::new(|cancelled| note.watch(start(cancelled), results)))
        }
    }
}

/// One watched call.
struct Note {
    object: super::Object,
    action: ActionId,
    id: u32,
    started: Instant,
    caller: u32,
}

impl Note {
    fn watch(self, future: Running, results: Exchange) -> Running {
        Box::pin(async move {
            let result = future.await;
            self.done(&result, &results);
            result
        })
    }

    fn done(&self, result: &Result<Payload>, results: &Exchange) {
        let observer = &self.object.0.observer;
        if observer.is_measuring() {
            let wall = self.started.elapsed().as_secs_f32();
            observer.stats.lock().record(self.action, wall, 0.0, 0.0);
        }
        if observer.is_tracing() {
            match result {
                Ok(payload) => {
                    let signature = self.object.signatures(self.action).map(|(_, result)| result.clone());
                    let bytes = payload.clone().into_bytes();
                    let value = signature.and_then(|signature| readable(&bytes, &signature, results));
                    self.trace(TraceKind::Result, value.unwrap_or(Value::Void));
                }
                Err(error) => self.trace(TraceKind::Error, Value::from(error.to_string())),
            }
        }
    }

    fn trace(&self, kind: TraceKind, arguments: Value) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let event = EventTrace {
            id: self.id,
            kind,
            slot: self.action,
            arguments,
            seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
            microseconds: i64::from(now.subsec_micros()),
            user_us: 0,
            system_us: 0,
            caller: self.caller,
            callee: 0,
        };
        let trace = &self.object.0.observer.trace;
        trace.emit(&Emission::Encode(&|encoder| (event.clone(),).encode(encoder)));
    }
}

/// The value, if it can be shown: objects are not, because looking at them would take a reference.
fn readable(bytes: &Bytes, signature: &Signature, exchange: &Exchange) -> Option<Value> {
    let layout = exchange.layout();
    let mut decoder = keyway_value::Decoder::with(bytes, layout, keyway_value::Limits::default(), None);
    let value = decoder.read_value(signature).ok()?;
    Some(without_objects(value))
}

fn without_objects(value: Value) -> Value {
    if value.signature().contains_object_or_dynamic() && holds_object(&value) { Value::from("<object>") } else { value }
}

fn holds_object(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Dynamic(inner) => holds_object(inner),
        Value::List(list) => list.items.iter().any(holds_object),
        Value::Tuple(tuple) => tuple.items.iter().any(holds_object),
        Value::Map(map) => map.entries.iter().any(|(key, value)| holds_object(key) || holds_object(value)),
        Value::Optional(optional) => optional.value.as_deref().is_some_and(holds_object),
        _ => false,
    }
}

/// Arguments as libqi shows them: a list of dynamics.
fn as_list(arguments: Option<Value>) -> Value {
    let items = match arguments {
        Some(Value::Tuple(tuple)) => tuple.items,
        Some(other) => vec![other],
        None => Vec::new(),
    };
    Value::from(items.into_iter().map(|item| Value::Dynamic(Box::new(item.unwrap_dynamic()))).collect::<Vec<_>>())
}
