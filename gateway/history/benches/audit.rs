//! What recording costs those who call, and how many records the log's thread writes: `cargo bench -p keyway-history`.

use std::{
    env,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use keyway_history::audit::{self, AuditLog, Caller, Kind, Operation, Options, Outcome, Record, Refusal};

fn record(operation: &Arc<Operation>) -> Record {
    Record {
        time: SystemTime::now(),
        operation: operation.clone(),
        outcome: Outcome::Ok,
        duration: Duration::from_micros(123),
        arguments: None,
    }
}

fn main() {
    let folder = env::temp_dir().join(format!("keyway-audit-bench-{}", std::process::id()));
    let caller = Arc::new(Caller {
        session: "7f3a".into(),
        identity: "alice".into(),
        role: "operator".into(),
        source: "192.168.1.20:51234".into(),
        door: "tcps".into(),
    });
    let operation = Operation { caller, service: "ALMotion".into(), member: "moveTo".into(), kind: Kind::Call };
    let operation = Arc::new(operation);

    // Into a queue with room.
    let count = 200_000_u32;
    let log = AuditLog::open(&folder, Options { queue: 1 << 18, ..Options::default() }).expect("opens");
    let recorder = log.recorder();
    let begun = Instant::now();
    for _ in 0..count {
        recorder.record(record(&operation));
    }
    let each = begun.elapsed() / count;
    println!("record(), queue with room: {each:?} each, the clock included; {} dropped", recorder.dropped());
    let begun = Instant::now();
    log.flush().expect("writes");
    println!("flush of what waited: {:?}", begun.elapsed());

    // As many as the thread writes.
    let count = 1_000_000_u32;
    let begun = Instant::now();
    for _ in 0..count {
        while recorder.try_record(record(&operation)) == Err(Refusal::Full) {
            thread::sleep(Duration::from_micros(200));
        }
    }
    log.flush().expect("writes");
    println!("written: {:.0} records/s", f64::from(count) / begun.elapsed().as_secs_f64());
    log.close().expect("closes");

    let begun = Instant::now();
    let report = audit::verify(&folder).expect("can be read");
    assert_eq!(report.problem, None);
    println!("verify: {:.0} records/s", report.records as f64 / begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let read = audit::Reader::open(&folder).expect("can be read").count();
    println!("read: {:.0} records/s", read as f64 / begun.elapsed().as_secs_f64());
    std::fs::remove_dir_all(&folder).expect("is ours");
}
