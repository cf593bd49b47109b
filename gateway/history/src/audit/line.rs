//! A record, or a word of the log about itself, as the members of a JSON object.

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::Arc,
    time::{Duration, SystemTime},
};

use keyway_value::transcode::Transcode;

use super::record::{Arguments, Kind, Operation, Outcome, Record};

/// What the log says about itself. Written with the kind `log`.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// Records that found the queue full, by [`Kind::index`].
    Dropped([u64; Kind::ALL.len()]),
    /// Old segments were deleted, through this record.
    Pruned { through: u64 },
    /// What a crash left behind the last whole record was cut off.
    Recovered { file: String, cut_bytes: u64 },
    /// A writer began.
    Started,
    /// It ended in order.
    Stopped,
}

/// What was written last and will be again: most records are of sessions that have records already, and of the same second.
#[derive(Debug, Default)]
pub(crate) struct Known {
    operations: HashMap<usize, (Arc<Operation>, Box<[u8]>)>,
    second: u64,
    /// Its text, up to the fraction.
    second_text: String,
}

impl Known {
    fn operation(&mut self, operation: &Arc<Operation>, out: &mut Vec<u8>) {
        // As long as it is kept here, no other operation has its address.
        let address = Arc::as_ptr(operation).addr();
        if let Some((_, written)) = self.operations.get(&address) {
            out.extend_from_slice(written);
            return;
        }
        let start = out.len();
        let Operation { caller, service, member, kind } = &**operation;
        text("session", &caller.session, out);
        text("identity", &caller.identity, out);
        text("role", &caller.role, out);
        text("source", &caller.source, out);
        text("door", &caller.door, out);
        text("service", service, out);
        text("member", member, out);
        text("kind", kind.name(), out);
        if self.operations.len() >= OPERATIONS {
            self.operations.clear();
        }
        self.operations.insert(address, (operation.clone(), out[start..].into()));
    }

    fn time(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        // Later than the year 9999 is a broken clock, of which the text cannot be written.
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(LATEST);
        if self.second_text.is_empty() || self.second != since.as_secs() {
            self.second = since.as_secs();
            let second = SystemTime::UNIX_EPOCH + Duration::from_secs(self.second);
            self.second_text = humantime::format_rfc3339_seconds(second).to_string();
            // The zone comes behind the fraction.
            self.second_text.pop();
        }
        out.extend_from_slice(b",\"time\":\"");
        out.extend_from_slice(self.second_text.as_bytes());
        let mut fraction = *b".000000Z\"";
        let mut micros = since.subsec_micros();
        for digit in fraction[1..7].iter_mut().rev() {
            *digit += (micros % 10) as u8;
            micros /= 10;
        }
        out.extend_from_slice(&fraction);
    }
}

/// Writes a record's members.
pub(crate) fn record(record: &Record, argument_bytes: usize, known: &mut Known, out: &mut Vec<u8>) {
    known.time(record.time, out);
    known.operation(&record.operation, out);
    text("outcome", record.outcome.name(), out);
    if let Outcome::Refused(code) = &record.outcome {
        text("code", code, out);
    }
    number("duration_us", u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX), out);
    if let Some(values) = &record.arguments {
        arguments(values, argument_bytes, out);
    }
}

/// Writes an event's members.
pub(crate) fn event(event: &Event, now: SystemTime, out: &mut Vec<u8>) {
    Known::default().time(now, out);
    text("kind", "log", out);
    match event {
        Event::Dropped(counts) => {
            text("event", "dropped", out);
            number("count", counts.iter().sum(), out);
            for (kind, count) in Kind::ALL.into_iter().zip(counts).filter(|(_, count)| **count > 0) {
                number(kind.name(), *count, out);
            }
        }
        Event::Pruned { through } => {
            text("event", "pruned", out);
            number("through", *through, out);
        }
        Event::Recovered { file, cut_bytes } => {
            text("event", "recovered", out);
            text("file", file, out);
            number("cut_bytes", *cut_bytes, out);
        }
        Event::Started => text("event", "started", out),
        Event::Stopped => text("event", "stopped", out),
    }
}

/// A string that is cut where it is too long, so that no peer decides how long a line is.
fn text(name: &str, value: &str, out: &mut Vec<u8>) {
    member(name, out);
    if value.len() > TEXT_BYTES {
        let end = (0..=TEXT_BYTES).rev().find(|at| value.is_char_boundary(*at)).unwrap_or(0);
        return json(&format!("{}…", &value[..end]), out);
    }
    json(value, out);
}

fn json(value: &str, out: &mut Vec<u8>) {
    // Names seldom have anything in them that JSON escapes.
    if value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else {
        // Text always is JSON, and a vector takes it.
        let _ = serde_json::to_writer(&mut *out, value);
    }
}

fn member(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn number(name: &str, value: u64, out: &mut Vec<u8>) {
    member(name, out);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// `"arguments":[…]`, or how many bytes they had where they are too long or not of their type.
fn arguments(Arguments(arguments): &Arguments, argument_bytes: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b",\"arguments\":");
    let written = arguments.length <= argument_bytes && {
        let mut bounded = Bounded { left: argument_bytes.saturating_mul(JSON_GROWTH), out: &mut *out };
        let values = Transcode::new(&arguments.payload, &arguments.signature);
        serde_json::to_writer(&mut bounded, &values).is_ok()
    };
    if !written {
        out.truncate(start);
        number("argument_bytes", arguments.length as u64, out);
    }
}

/// A vector that takes so much and no more: some types take no bytes, and a list of many of them is long in JSON.
struct Bounded<'a> {
    left: usize,
    out: &'a mut Vec<u8>,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Operations that are remembered.
const OPERATIONS: usize = 2048;
/// Bytes of a name or address.
const TEXT_BYTES: usize = 512;
/// What JSON may need for each byte of a payload.
const JSON_GROWTH: usize = 8;
/// Seconds from 1970 to the end of 9999.
const LATEST: Duration = Duration::from_secs(253_402_300_799);
