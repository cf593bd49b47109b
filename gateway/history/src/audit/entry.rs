//! Records as they are read: the other end of [`super::line`].

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, SystemTime},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use super::{
    line::{LATEST, OPERATIONS},
    record::Outcome,
};

/// A record. What it does not have is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The file's name.
    #[serde(skip)]
    pub file: String,
    /// The line in it, from 1.
    #[serde(skip)]
    pub line: u64,
    /// The line itself, if the record is all it has.
    #[serde(skip)]
    text: String,
    /// The record's number.
    pub sequence: u64,
    /// When it began.
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    pub time: SystemTime,
    /// The session.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub session: String,
    /// Who did it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// In which role.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// From where.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// By which door.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub door: String,
    /// The service's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// The member's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub member: String,
    /// What was done: a [`Kind`](super::Kind)'s name, or `log` for what the log says about itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// What the log says about itself: `started`, `stopped`, `dropped`, `pruned`, `recovered`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event: String,
    /// How many records were dropped.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u64,
    /// `ok`, `error` or `refused`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub outcome: String,
    /// The code of a refusal.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// How long it took, in microseconds.
    #[serde(default)]
    pub duration_us: u64,
    /// The arguments' values, if they were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// How many bytes there were of arguments that were too long to be recorded, or not of their type.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub argument_bytes: u64,
}

impl Entry {
    /// The record as a JSON object, without hashes if it shares its line with others.
    #[must_use]
    pub fn json(&self) -> String {
        if self.text.is_empty() { serde_json::to_string(self).unwrap_or_default() } else { self.text.clone() }
    }
}

/// What a segment's lines have said of operations: who did what.
#[derive(Debug, Default)]
pub(super) struct Operations(HashMap<usize, Operation>);

#[derive(Debug, Deserialize)]
struct Operation {
    operation: usize,
    session: String,
    identity: String,
    role: String,
    source: String,
    door: String,
    service: String,
    member: String,
    kind: String,
}

/// A line of records.
#[derive(Debug, Deserialize)]
struct Line {
    sequence: u64,
    #[serde(default = "one")]
    holds: u64,
    /// Microseconds since 1970.
    time: u64,
    records: Vec<Item>,
}

#[derive(Debug)]
enum Item {
    Operation(Operation),
    Record(Record),
}

#[derive(Debug)]
struct Record {
    since: i64,
    operation: usize,
    duration_us: u64,
    outcome: String,
    code: String,
    arguments: Option<Value>,
}

impl Operations {
    /// Reads the records of a line. `None` if it has none, or not what it says.
    pub(super) fn read(&mut self, text: &str) -> Option<Vec<Entry>> {
        let Ok(Line { sequence, holds, time, records }) = serde_json::from_str(text) else {
            let entry: Entry = serde_json::from_str(text).ok()?;
            return Some(vec![Entry { text: text.to_owned(), ..entry }]);
        };
        let mut entries = Vec::new();
        for item in records {
            match item {
                // No log has more.
                Item::Operation(operation) if operation.operation < OPERATIONS => {
                    self.0.insert(operation.operation, operation);
                }
                Item::Operation(_) => return None,
                Item::Record(record) => {
                    let sequence = sequence.checked_add(entries.len() as u64)?;
                    entries.push(self.entry(sequence, time, record)?);
                }
            }
        }
        (entries.len() as u64 == holds).then_some(entries)
    }

    fn entry(&self, sequence: u64, base: u64, record: Record) -> Option<Entry> {
        let since = Duration::from_micros(base.checked_add_signed(record.since)?);
        if since > LATEST {
            return None;
        }
        let Operation { session, identity, role, source, door, service, member, kind, .. } =
            self.0.get(&record.operation)?;
        let (arguments, argument_bytes) = match record.arguments {
            Some(Value::Number(bytes)) => (None, bytes.as_u64()?),
            arguments => (arguments, 0),
        };
        Some(Entry {
            file: String::new(),
            line: 0,
            text: String::new(),
            sequence,
            time: SystemTime::UNIX_EPOCH + since,
            session: session.clone(),
            identity: identity.clone(),
            role: role.clone(),
            source: source.clone(),
            door: door.clone(),
            service: service.clone(),
            member: member.clone(),
            kind: kind.clone(),
            event: String::new(),
            count: 0,
            outcome: record.outcome,
            code: record.code,
            duration_us: record.duration_us,
            arguments,
            argument_bytes,
        })
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

/// An operation is an object, a record a list.
struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operation or a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
        Operation::deserialize(MapAccessDeserializer::new(map)).map(Item::Operation)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Item, A::Error> {
        let short = || A::Error::custom("a record has at least three members");
        let record = Record {
            since: list.next_element()?.ok_or_else(short)?,
            operation: list.next_element()?.ok_or_else(short)?,
            duration_us: list.next_element()?.ok_or_else(short)?,
            outcome: list.next_element()?.unwrap_or_else(|| Outcome::Ok.name().to_owned()),
            code: list.next_element()?.unwrap_or_default(),
            arguments: list.next_element()?,
        };
        match list.next_element::<IgnoredAny>()? {
            Some(_) => Err(A::Error::custom("a record has no more than six members")),
            None => Ok(Item::Record(record)),
        }
    }
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_rfc3339(&text).map_err(D::Error::custom)
}

fn write_time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_micros(*time))
}

const fn one() -> u64 {
    1
}

// As serde calls it.
#[expect(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
