//! Traces of an object's calls (signal 86, spec 6).

use keyway_value::{ActionId, CodecError, Decoder, Encoder, QiValue, Signature, Value};

/// What is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceKind {
    /// A method is called.
    Call,
    /// It returned.
    Result,
    /// It failed.
    Error,
    /// A signal is emitted.
    Signal,
    /// Something newer.
    Other(i32),
}

impl From<i32> for TraceKind {
    fn from(number: i32) -> Self {
        match number {
            1 => Self::Call,
            2 => Self::Result,
            3 => Self::Error,
            4 => Self::Signal,
            other => Self::Other(other),
        }
    }
}

impl From<TraceKind> for i32 {
    fn from(kind: TraceKind) -> Self {
        match kind {
            TraceKind::Call => 1,
            TraceKind::Result => 2,
            TraceKind::Error => 3,
            TraceKind::Signal => 4,
            TraceKind::Other(other) => other,
        }
    }
}

/// A step of a traced call.
#[derive(Debug, Clone, PartialEq)]
pub struct EventTrace {
    /// The same for all steps of a call.
    pub id: u32,
    /// The step.
    pub kind: TraceKind,
    /// The method or signal.
    pub slot: ActionId,
    /// The arguments as a list, the result, or the error's text.
    pub arguments: Value,
    /// Seconds since 1970.
    pub seconds: i64,
    /// And microseconds.
    pub microseconds: i64,
    /// Processor time in user mode, in microseconds.
    pub user_us: i64,
    /// Processor time in the kernel, in microseconds.
    pub system_us: i64,
    /// Who called.
    pub caller: u32,
    /// Who was called.
    pub callee: u32,
}

type Fields = (u32, i32, u32, Value, (i64, i64), i64, i64, u32, u32);

impl QiValue for EventTrace {
    const MIN_SIZE: usize = Fields::MIN_SIZE;

    fn signature() -> Signature {
        let long = Signature::int64;
        let number = Signature::uint32;
        let time = Signature::named_tuple("timeval", &["tv_sec", "tv_usec"], [long(), long()]);
        let names = [
            "id",
            "kind",
            "slotId",
            "arguments",
            "timestamp",
            "userUsTime",
            "systemUsTime",
            "callerContext",
            "calleeContext",
        ];
        let types =
            [number(), Signature::int32(), number(), Signature::dynamic(), time, long(), long(), number(), number()];
        Signature::named_tuple("EventTrace", &names, types)
    }

    fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), CodecError> {
        self.id.encode(encoder)?;
        i32::from(self.kind).encode(encoder)?;
        self.slot.0.encode(encoder)?;
        self.arguments.encode(encoder)?;
        (self.seconds, self.microseconds, self.user_us, self.system_us).encode(encoder)?;
        (self.caller, self.callee).encode(encoder)
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let (id, kind, slot, arguments, (seconds, microseconds), user_us, system_us, caller, callee) =
            Fields::decode(decoder)?;
        Ok(Self {
            id,
            kind: kind.into(),
            slot: ActionId(slot),
            arguments,
            seconds,
            microseconds,
            user_us,
            system_us,
            caller,
            callee,
        })
    }
}
