//! Records, or a word of the log about itself, as the members of a JSON object.
//!
//! A line of records has their numbers only, and who did what once a segment:
//!
//! ```text
//! "time":BASE,"records":[{"operation":0,"session":…,"identity":…,"role":…,"source":…,"door":…,"service":…,"member":…,"kind":…},[0,0,350],[20,0,410,"error"],…]
//! ```
//!
//! An object says what an operation's number stands for, until it is said anew. A list is a record: when it began (microseconds
//! from BASE, which is in microseconds since 1970), its operation, its duration in microseconds; unless these are `"ok"`, `""` and
//! none: its outcome, the code of a refusal, its arguments (or, as a number, their bytes).

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

/// What the segment's lines have said of operations.
#[derive(Debug, Default)]
pub(crate) struct Known {
    operations: HashMap<usize, (Arc<Operation>, usize)>,
}

impl Known {
    /// Nothing is known at the beginning of a segment.
    pub(crate) fn clear(&mut self) {
        self.operations.clear();
    }

    /// An operation's number. If it is a new one, what it stands for is written.
    fn number(&mut self, operation: &Arc<Operation>, out: &mut Vec<u8>) -> usize {
        // As long as it is kept here, no other operation has its address.
        let address = Arc::as_ptr(operation).addr();
        if let Some((_, number)) = self.operations.get(&address) {
            return *number;
        }
        if self.operations.len() >= OPERATIONS {
            self.operations.clear();
        }
        let new = self.operations.len();
        self.operations.insert(address, (operation.clone(), new));
        let Operation { caller, service, member, kind } = &**operation;
        out.extend_from_slice(b"{\"operation\":");
        integer(new as u64, out);
        text("session", &caller.session, out);
        text("identity", &caller.identity, out);
        text("role", &caller.role, out);
        text("source", &caller.source, out);
        text("door", &caller.door, out);
        text("service", service, out);
        text("member", member, out);
        text("kind", kind.name(), out);
        out.extend_from_slice(b"},");
        new
    }

    fn forget(&mut self, operation: &Arc<Operation>) {
        self.operations.remove(&Arc::as_ptr(operation).addr());
    }
}

/// Writes the members of a line with as many records as fit into `room` bytes, and with one in any case. Returns how many they are.
pub(crate) fn records(
    records: &[Record],
    room: usize,
    argument_bytes: usize,
    known: &mut Known,
    out: &mut Vec<u8>,
) -> usize {
    let base = records.first().map_or(0, |record| micros(record.time));
    number("time", base, out);
    member("records", out);
    out.push(b'[');
    let (start, mut count) = (out.len(), 0);
    for record in records {
        let (before, operations) = (out.len(), known.operations.len());
        if count > 0 {
            out.push(b',');
        }
        item(record, base, argument_bytes, known, out);
        if count > 0 && out.len() - start > room {
            out.truncate(before);
            if known.operations.len() != operations {
                known.forget(&record.operation);
            }
            break;
        }
        count += 1;
    }
    out.push(b']');
    count
}

fn item(record: &Record, base: u64, argument_bytes: usize, known: &mut Known, out: &mut Vec<u8>) {
    let operation = known.number(&record.operation, out);
    let time = micros(record.time);
    out.push(b'[');
    if time < base {
        out.push(b'-');
    }
    integer(time.abs_diff(base), out);
    out.push(b',');
    integer(operation as u64, out);
    out.push(b',');
    integer(u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX), out);
    if record.outcome != Outcome::Ok || record.arguments.is_some() {
        out.push(b',');
        json(record.outcome.name(), out);
        out.push(b',');
        json(if let Outcome::Refused(code) = &record.outcome { code } else { "" }, out);
    }
    if let Some(values) = &record.arguments {
        out.push(b',');
        arguments(values, argument_bytes, out);
    }
    out.push(b']');
}

/// Microseconds since 1970. Before it, or later than the year 9999, is a broken clock, of which the text cannot be written.
fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(LATEST);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Writes an event's members.
pub(crate) fn event(event: &Event, now: SystemTime, out: &mut Vec<u8>) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_micros(micros(now));
    text("time", &humantime::format_rfc3339_micros(now).to_string(), out);
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
    integer(value, out);
}

fn integer(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The values of arguments, or how many bytes they had where they are too long or not of their type.
fn arguments(Arguments(arguments): &Arguments, argument_bytes: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let written = arguments.length <= argument_bytes && {
        let mut bounded = Bounded { left: argument_bytes.saturating_mul(JSON_GROWTH), out: &mut *out };
        let values = Transcode::new(&arguments.payload, &arguments.signature);
        serde_json::to_writer(&mut bounded, &values).is_ok()
    };
    if !written {
        out.truncate(start);
        integer(arguments.length as u64, out);
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

/// Operations that have numbers.
pub(crate) const OPERATIONS: usize = 2048;
/// Bytes of a name or address.
const TEXT_BYTES: usize = 512;
/// What JSON may need for each byte of a payload.
const JSON_GROWTH: usize = 8;
/// Seconds from 1970 to the end of 9999.
pub(crate) const LATEST: Duration = Duration::from_secs(253_402_300_799);
