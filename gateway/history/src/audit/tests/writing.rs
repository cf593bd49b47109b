//! What is written, by one and by many.

use std::thread;

use bytes::Bytes;
use keyway_value::to_payload;

use super::*;

#[test]
fn a_record_is_read_as_it_was_written() {
    let folder = temporary();
    let log = AuditLog::open(folder.path(), quick()).unwrap();
    let payload = to_payload(&(1_i32, "one".to_owned())).unwrap().into_bytes();
    let arguments = Some(Arguments::new("(is)".parse().unwrap(), payload));
    log.recorder().record(Record { arguments, ..call("al\"ice", "move\nTo") });
    let outcome = Outcome::Refused("policy.denied".into());
    log.recorder().record(Record { outcome, ..of_kind(Kind::Set, call("bob", "speed")) });
    log.close().unwrap();
    let entries = entries(folder.path());
    let [started, first, second, stopped] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((&*started.event, &*stopped.event), ("started", "stopped"));
    assert_eq!((&*first.identity, &*first.member, &*first.outcome), ("al\"ice", "move\nTo", "ok"));
    assert_eq!((first.sequence, first.line, first.duration_us), (2, 2, 12));
    assert_eq!(first.time, call("", "").time);
    assert_eq!(first.arguments, Some(serde_json::json!([1, "one"])));
    assert_eq!((&*second.kind, &*second.outcome, &*second.code), ("set", "refused", "policy.denied"));
    let report = verify(folder.path()).unwrap();
    assert_eq!((report.records, report.last.sequence, report.problem), (4, 4, None));
}

#[test]
fn long_arguments_and_wrong_ones_are_recorded_by_their_length() {
    let folder = temporary();
    let log = AuditLog::open(folder.path(), Options { argument_bytes: 100, ..quick() }).unwrap();
    // The last is a list of 2^32 - 1 empty tuples.
    for (signature, payload) in [("(s)", vec![0; 101]), ("(s)", vec![9, 9, 9]), ("([()])", vec![255; 4])] {
        let arguments = Arguments::new(signature.parse().unwrap(), Bytes::from(payload));
        log.recorder().record(Record { arguments: Some(arguments), ..call("a", "m") });
    }
    log.close().unwrap();
    let lines: Vec<_> = entries(folder.path()).into_iter().filter(|entry| entry.kind == "call").collect();
    for (entry, length) in lines.iter().zip([101, 3, 4]) {
        assert_eq!((entry.argument_bytes, &entry.arguments), (length, &None));
    }
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_name_is_cut_where_it_is_too_long() {
    let folder = temporary();
    write(folder.path(), quick(), ["é".repeat(100_000)]);
    let entry = &entries(folder.path())[1];
    assert_eq!(entry.member, format!("{}…", "é".repeat(256)));
}

#[test]
fn the_chain_goes_on_over_segments_and_runs() {
    let folder = temporary();
    let options = Options { segment_bytes: 2000, ..quick() };
    for run in 0..3 {
        write(folder.path(), options, (0..20).map(|n| format!("m{run}-{n}")));
        assert_eq!(problem(folder.path()), None);
    }
    let report = verify(folder.path()).unwrap();
    assert!(report.segments > 8, "{report:?}");
    assert_eq!(report.records, 66);
    for (path, bytes) in files(folder.path()) {
        assert!(bytes.len() <= 2000, "{}", path.display());
    }
    let expected: Vec<_> = (0..3).flat_map(|run| (0..20).map(move |n| format!("m{run}-{n}"))).collect();
    assert_eq!(members(folder.path()), expected);
}

#[test]
fn old_segments_are_deleted_and_the_chain_says_so() {
    let folder = temporary();
    let options = Options { segment_bytes: 2000, keep_bytes: Some(6000), ..quick() };
    for run in 0..4 {
        write(folder.path(), options, (0..20).map(|n| format!("m{run}-{n}")));
        assert_eq!(problem(folder.path()), None);
    }
    let kept: usize = files(folder.path()).iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(kept < 8500, "{kept}");
    assert!(events(folder.path()).contains(&"pruned".to_owned()));
    let report = verify(folder.path()).unwrap();
    assert_eq!(report.start.sequence + report.records, report.last.sequence);
    // The oldest that is left belongs there.
    let oldest = files(folder.path()).into_iter().find(|(path, _)| path.extension().is_some_and(|end| end == "jsonl"));
    fs::remove_file(oldest.unwrap().0).unwrap();
    assert_eq!(problem(folder.path()).unwrap().flaw, Flaw::MissingSegment);
}

#[test]
fn many_write_at_once_and_nothing_is_lost() {
    let folder = temporary();
    let options = Options { queue: 64, segment_bytes: 50_000, sync_every: Duration::ZERO, ..quick() };
    let log = AuditLog::open(folder.path(), options).unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            let recorder = log.recorder();
            scope.spawn(move || {
                for n in 0..500 {
                    let record = call(&format!("w{writer}"), &n.to_string());
                    while recorder.try_record(record.clone()) == Err(Refusal::Full) {
                        thread::yield_now();
                    }
                }
            });
        }
        // A log that grows can be verified, and followed.
        (0..10).for_each(|_| assert_eq!(problem(folder.path()), None));
    });
    log.flush().unwrap();
    let entries = entries(folder.path());
    for writer in 0..4 {
        let own = entries.iter().filter(|entry| entry.identity == format!("w{writer}"));
        assert!(own.map(|entry| &entry.member).eq(&(0..500).map(|n: u32| n.to_string()).collect::<Vec<_>>()));
    }
    assert!(entries.iter().zip(1..).all(|(entry, sequence)| entry.sequence == sequence));
    assert_eq!(problem(folder.path()), None);
}

#[test]
fn a_reader_follows_a_log_into_its_next_segments() {
    let folder = temporary();
    let log = AuditLog::open(folder.path(), Options { segment_bytes: 2000, ..quick() }).unwrap();
    log.flush().unwrap();
    let mut reader = Reader::last(folder.path(), 0).unwrap();
    for n in 0..30 {
        assert!(reader.next().is_none());
        log.recorder().record(call("alice", &n.to_string()));
        log.flush().unwrap();
        assert_eq!(reader.next().unwrap().unwrap().member, n.to_string());
    }
    let last: Vec<_> = Reader::last(folder.path(), 12).unwrap().map(|entry| entry.unwrap().member).collect();
    assert_eq!(last, (18..30).map(|n: u32| n.to_string()).collect::<Vec<_>>());
    assert_eq!(Reader::last(folder.path(), 1000).unwrap().count(), 31);
}

#[test]
fn a_filter_means_what_has_all_of_it() {
    let folder = temporary();
    let log = AuditLog::open(folder.path(), quick()).unwrap();
    log.recorder().record(call("alice", "moveTo"));
    let refused = Record { outcome: Outcome::Refused("policy.denied".into()), ..call("bob", "moveInit") };
    log.recorder().record(refused.clone());
    let on = call("bob", "on");
    let operation = Operation { service: "ALLeds".into(), ..(*on.operation).clone() };
    let time = refused.time + Duration::from_secs(9);
    log.recorder().record(Record { time, operation: Arc::new(operation), ..on });
    log.close().unwrap();
    let meant = |filter: Filter| {
        entries(folder.path())
            .into_iter()
            .filter(|entry| filter.matches(entry))
            .map(|entry| entry.member)
            .collect::<Vec<_>>()
    };
    let glob = |text: &str| Some(text.parse().unwrap());
    assert_eq!(meant(Filter { identity: glob("bob"), ..Filter::default() }), ["moveInit", "on"]);
    assert_eq!(meant(Filter { member: glob("move*"), outcome: glob("ok"), ..Filter::default() }), ["moveTo"]);
    assert_eq!(meant(Filter { outcome: glob("policy.*"), ..Filter::default() }), ["moveInit"]);
    assert_eq!(meant(Filter { service: glob("AL*"), until: Some(refused.time), ..Filter::default() }), [""; 0]);
    let since = Some(refused.time + Duration::from_secs(1));
    assert_eq!(meant(Filter { kind: glob("call"), since, ..Filter::default() }), ["on"]);
}

#[test]
fn two_processes_do_not_write_to_one_log() {
    let folder = temporary();
    let log = AuditLog::open(folder.path(), quick()).unwrap();
    assert!(matches!(AuditLog::open(folder.path(), quick()), Err(OpenError::InUse(_))));
    log.close().unwrap();
    AuditLog::open(folder.path(), quick()).unwrap();
}

#[test]
fn records_of_one_batch_share_a_line_and_are_read_one_by_one() {
    let folder = temporary();
    let log = AuditLog::open(folder.path(), Options { batch_every: Duration::from_millis(200), ..quick() }).unwrap();
    let shared = call("alice", "moveTo");
    // Records come as they end, not as they begin.
    let times = [5_u64, 3, 9, 9].map(|micros| shared.time + Duration::from_micros(micros));
    for time in times {
        log.recorder().record(Record { time, ..shared.clone() });
    }
    let refused = Outcome::Refused("policy.denied".into());
    log.recorder().record(Record { outcome: refused, ..call("bob", "rest") });
    log.close().unwrap();
    let entries = entries(folder.path());
    let calls: Vec<_> = entries.iter().filter(|entry| entry.kind == "call").collect();
    assert_eq!(calls.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
    assert!(calls.iter().zip(times).all(|(entry, time)| entry.time == time && entry.member == "moveTo"));
    assert_eq!((&*calls[4].identity, &*calls[4].member, &*calls[4].code), ("bob", "rest", "policy.denied"));
    let text = fs::read_to_string(folder.path().join("audit-000001.jsonl")).unwrap();
    assert!(text.lines().count() < entries.len(), "{text}");
    assert_eq!(text.matches("moveTo").count(), 1, "{text}");
    let json: serde_json::Value = serde_json::from_str(&calls[1].json()).unwrap();
    assert_eq!((&json["sequence"], &json["member"]), (&3.into(), &"moveTo".into()));
    assert_eq!((&json["time"], &json.get("code")), (&"2023-11-14T22:13:20.000003Z".into(), &None));
    let last = Reader::last(folder.path(), 3).unwrap().map(|entry| entry.unwrap().sequence);
    assert_eq!(last.collect::<Vec<_>>(), [5, 6, 7]);
    let report = verify(folder.path()).unwrap();
    assert_eq!((report.records, report.last.sequence, report.problem), (7, 7, None));
}

#[test]
fn more_operations_than_have_numbers_are_written_and_read() {
    let folder = temporary();
    let log = AuditLog::open(folder.path(), Options { batch_every: Duration::from_millis(20), ..quick() }).unwrap();
    let expected: Vec<_> = (0..5000).map(|n| format!("m{}", n % 2500)).collect();
    for member in &expected {
        log.recorder().try_record(call("alice", member)).unwrap();
    }
    log.close().unwrap();
    assert_eq!(members(folder.path()), expected);
    assert_eq!(problem(folder.path()), None);
}
