//! Logs that are written, damaged, cut and read again.

mod crash;
mod damage;
mod full;
mod writing;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

use super::*;

fn operation(caller: Caller, service: &str, member: &str, kind: Kind) -> Arc<Operation> {
    Arc::new(Operation { caller: Arc::new(caller), service: service.into(), member: member.into(), kind })
}

/// The same, but something else was done.
fn of_kind(kind: Kind, record: Record) -> Record {
    let operation = Operation { kind, ..(*record.operation).clone() };
    Record { operation: Arc::new(operation), ..record }
}

/// A record of `identity` calling `member`.
fn call(identity: &str, member: &str) -> Record {
    let caller =
        Caller { identity: identity.into(), role: "operator".into(), door: "tcps".into(), ..Caller::default() };
    Record {
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        operation: operation(caller, "ALMotion", member, Kind::Call),
        outcome: Outcome::Ok,
        duration: Duration::from_micros(12),
        arguments: None,
    }
}

/// A folder in memory, where there is one: these tests count bytes, not what the disk does.
fn temporary() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// No pauses, and on disk only when that is asked for.
fn quick() -> Options {
    Options {
        batch_every: Duration::ZERO,
        sync_every: Duration::from_secs(3600),
        retry_every: Duration::from_millis(5),
        ..Options::default()
    }
}

/// Writes calls into a log, each into a line of its own. It is closed then.
fn write(folder: &Path, options: Options, members: impl IntoIterator<Item = String>) {
    let log = AuditLog::open(folder, options).unwrap();
    let recorder = log.recorder();
    for member in members {
        recorder.try_record(call("alice", &member)).unwrap();
        log.flush().unwrap();
    }
    log.close().unwrap();
}

fn entries(folder: &Path) -> Vec<Entry> {
    Reader::open(folder).unwrap().map(Result::unwrap).collect()
}

/// The members of all calls.
fn members(folder: &Path) -> Vec<String> {
    entries(folder).into_iter().filter(|entry| entry.kind == "call").map(|entry| entry.member).collect()
}

/// What the log says about itself.
fn events(folder: &Path) -> Vec<String> {
    entries(folder).into_iter().filter(|entry| entry.kind == "log").map(|entry| entry.event).collect()
}

/// A folder as it is now, to be put back.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

fn put_back(folder: &Path, files: &[(PathBuf, Vec<u8>)]) {
    fs::read_dir(folder).unwrap().for_each(|entry| fs::remove_file(entry.unwrap().path()).unwrap());
    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

fn problem(folder: &Path) -> Option<Problem> {
    verify(folder).unwrap().problem
}
