//! Queues and disks that are full.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
};

use super::{
    super::store::{self, Append, Opener},
    *,
};

/// A file on a disk with so much room; what does not fit is written in part.
#[derive(Debug)]
struct Small(Box<dyn Append>, Arc<AtomicU64>);

impl Append for Small {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.1.load(SeqCst);
        let fits = room.min(bytes.len() as u64);
        self.1.fetch_sub(fits, SeqCst);
        self.0.append(&bytes[..usize::try_from(fits).unwrap()])?;
        if fits < bytes.len() as u64 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.cut(length)
    }
}

fn small(room: &Arc<AtomicU64>) -> Opener {
    let (files, room) = (store::files(), room.clone());
    Box::new(move |path| Ok(Box::new(Small(files(path)?, room.clone()))))
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_full_disk_refuses_what_must_be_recorded_and_counts_the_rest() {
    let folder = temporary();
    let room = Arc::new(AtomicU64::new(1000));
    let options = Options { queue: 8, ..quick() };
    let log = AuditLog::open_with(folder.path(), options, small(&room)).unwrap();
    let recorder = log.recorder();
    until(|| {
        recorder.record(call("alice", "before"));
        recorder.is_failing()
    });
    assert_eq!(recorder.try_record(call("alice", "must")), Err(Refusal::Failing));
    assert_eq!(recorder.record_by(Overflow::FailClosed, call("alice", "must")), Err(Refusal::Failing));
    assert_eq!(log.flush(), Err(CloseError));
    (0..20).for_each(|_| recorder.record(call("alice", "may")));
    let dropped = recorder.dropped();
    assert!(dropped >= 12, "{dropped}");
    // Half a line is there, or none: nothing that does not fit.
    assert_eq!(problem(folder.path()), None);
    room.store(1 << 30, SeqCst);
    until(|| !recorder.is_failing() && recorder.dropped() == 0);
    recorder.try_record(call("alice", "after")).unwrap();
    log.close().unwrap();
    assert_eq!(problem(folder.path()), None);
    assert_eq!(members(folder.path()).last().unwrap(), "after");
    let counted: u64 =
        entries(folder.path()).iter().filter(|entry| entry.event == "dropped").map(|entry| entry.count).sum();
    assert_eq!(counted, dropped);
}

#[test]
fn a_log_on_a_full_disk_can_be_closed_and_goes_on_later() {
    let folder = temporary();
    let room = Arc::new(AtomicU64::new(700));
    let log = AuditLog::open_with(folder.path(), quick(), small(&room)).unwrap();
    let recorder = log.recorder();
    until(|| {
        recorder.record(call("alice", "before"));
        recorder.is_failing()
    });
    assert_eq!(log.close(), Err(CloseError));
    assert_eq!(recorder.try_record(call("alice", "late")), Err(Refusal::Failing));
    write(folder.path(), quick(), ["after".to_owned()]);
    assert_eq!(problem(folder.path()), None);
    assert_eq!(members(folder.path()).last().unwrap(), "after");
}

#[test]
fn room_that_was_taken_is_kept_and_given_back() {
    let folder = temporary();
    let log = AuditLog::open(folder.path(), Options { queue: 2, ..quick() }).unwrap();
    let recorder = log.recorder();
    let (first, second) = (recorder.reserve().unwrap(), recorder.reserve().unwrap());
    assert_eq!(recorder.reserve().err(), Some(Refusal::Full));
    recorder.record(of_kind(Kind::Post, call("alice", "dropped")));
    assert_eq!(recorder.dropped(), 1);
    drop(second);
    let third = recorder.reserve().unwrap();
    first.record(call("alice", "first"));
    third.record(call("alice", "third"));
    log.close().unwrap();
    assert_eq!(recorder.try_record(call("alice", "late")), Err(Refusal::Closed));
    assert_eq!(members(folder.path()), ["first", "third"]);
    let stated = entries(folder.path()).into_iter().find(|entry| entry.event == "dropped").unwrap();
    assert!(stated.json().contains("\"count\":1,\"post\":1,"), "{stated:?}");
    assert_eq!(problem(folder.path()), None);
}
