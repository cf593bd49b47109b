//! The audit log: who called what, when, with which outcome.
//!
//! A log is a folder of segments, `audit-000001.jsonl` and so on, each a text file with one JSON object a line. A line has the
//! records of one batch, or what the log says of itself. Every line states the SHA-256 hash of the line before it and its own,
//! over the exact bytes of the line up to `,"hash":`; the chain goes on from segment to segment, from 64 zeros before the first
//! record. `audit-head.json` states the last record that is known to be on disk, so that an end that was cut off is noticed. It is
//! a line of the same make.
//!
//! A record of a call takes some 15 bytes: who did what is said once a segment and then has a number (`line.rs`). [`Reader`]
//! puts them together again.
//!
//! Who may write to the folder can make a new chain with a new head. Against them, keep an *anchor* somewhere else now and then:
//! `SEQUENCE:HASH`, as [`Report::last`] prints it; [`verify_with`] tells whether the log still continues it.
//!
//! Writing ([`AuditLog`], [`Recorder`]) is a bounded queue and one thread. Where the disk is full or fails, the thread keeps what it
//! has, takes half-written lines back and tries again; meanwhile calls that must be recorded are refused, and the queue takes
//! others until it is full and they are counted instead. The count is written into the chain when it goes on. What was on its way to
//! a disk that fails (`fsync` with an error) may be lost, as the system does not write it again: the log then shows where it breaks off.

mod chain;
mod entry;
mod filter;
mod head;
mod line;
mod lines;
mod log;
mod queue;
mod read;
mod record;
mod recovery;
mod segment;
mod store;
#[cfg(test)]
mod tests;
mod verify;
mod walk;
mod writer;

pub use chain::{Hash, Link, NotALink};
pub use entry::Entry;
pub use filter::{Filter, Glob};
pub use log::{AuditLog, CloseError, Options, Overflow, Recorder, Refusal, Slot};
pub use read::{ReadError, Reader};
pub use record::{Arguments, Caller, Kind, Operation, Outcome, Record};
pub use recovery::OpenError;
pub use verify::{Problem, Report, verify, verify_with};
pub use walk::Flaw;
