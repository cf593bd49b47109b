//! Logs that somebody changed.

use proptest::prelude::*;

use super::*;

/// Three segments.
fn segments(folder: &Path) -> Vec<PathBuf> {
    write(folder, Options { segment_bytes: 2000, ..quick() }, (0..12).map(|n| format!("m{n}")));
    let all: Vec<_> = files(folder).into_iter().map(|(path, _)| path).collect();
    let segments: Vec<_> = all.into_iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    assert_eq!(segments.len(), 3);
    segments
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

/// Changes a segment's lines, and tells what is found.
fn changed(segment: usize, change: impl FnOnce(&mut Vec<String>)) -> String {
    let folder = temporary();
    let segments = segments(folder.path());
    let mut lines = lines(&segments[segment]);
    change(&mut lines);
    fs::write(&segments[segment], lines.concat()).unwrap();
    assert!(segment < 2 || matches!(AuditLog::open(folder.path(), quick()), Err(OpenError::Damaged(_))));
    problem(folder.path()).unwrap().to_string()
}

#[test]
fn the_first_record_that_does_not_fit_is_named() {
    let of_two = |line: usize, what: &str| format!("audit-000002.jsonl:{line}: {what}");
    assert_eq!(
        changed(1, |lines| lines[2] = lines[2].replace("alice", "malice")),
        of_two(3, "the line was edited: it does not have the hash it states")
    );
    assert!(changed(1, |lines| drop(lines.remove(1))).starts_with(&of_two(2, "records ")));
    assert!(changed(1, |lines| lines.swap(1, 2)).starts_with(&of_two(2, "records ")));
    assert!(changed(1, |lines| lines.insert(2, lines[0].clone())).starts_with(&of_two(3, "out of order")));
    assert_eq!(changed(1, |lines| lines.insert(0, "{}\n".to_owned())), of_two(1, "not a line of an audit log"));
    assert!(changed(1, Vec::clear).starts_with("audit-000003.jsonl:1: records "));
    assert!(changed(2, |lines| lines.truncate(1)).starts_with("audit-000003.jsonl:2: the log is cut off"));
    assert!(changed(2, Vec::clear).starts_with("audit-000003.jsonl:1: the log is cut off"));
}

#[test]
fn files_that_are_missing_are_named() {
    for (at, what) in [(0, Flaw::MissingSegment), (1, Flaw::MissingSegment)] {
        let folder = temporary();
        let segments = segments(folder.path());
        fs::remove_file(&segments[at]).unwrap();
        let found = problem(folder.path()).unwrap();
        assert_eq!((found.file.as_str(), found.flaw), (&*segments[at].file_name().unwrap().to_string_lossy(), what));
        assert!(matches!(AuditLog::open(folder.path(), quick()), Err(OpenError::Damaged(_))));
    }
    let folder = temporary();
    fs::remove_file(&segments(folder.path())[2]).unwrap();
    assert!(matches!(problem(folder.path()).unwrap().flaw, Flaw::CutOff { .. }));
    assert!(matches!(AuditLog::open(folder.path(), quick()), Err(OpenError::Damaged(_))));
    let folder = temporary();
    segments(folder.path());
    fs::remove_file(folder.path().join("audit-head.json")).unwrap();
    assert_eq!(problem(folder.path()).unwrap().flaw, Flaw::HeadMissing);
    assert!(matches!(AuditLog::open(folder.path(), quick()), Err(OpenError::Damaged(_))));
}

#[test]
fn a_chain_that_was_made_anew_is_found_by_an_anchor() {
    let (real, forged) = (temporary(), temporary());
    write(real.path(), quick(), ["a".to_owned(), "b".to_owned()]);
    let anchor = verify(real.path()).unwrap().last;
    assert_eq!(verify_with(real.path(), &[anchor]).unwrap().problem, None);
    write(forged.path(), quick(), ["a".to_owned(), "c".to_owned()]);
    assert_eq!(problem(forged.path()), None);
    let found = verify_with(forged.path(), &[anchor]).unwrap().problem.unwrap();
    assert_eq!((found.line, found.flaw), (4, Flaw::Anchor { expected: anchor }));
    write(real.path(), quick(), ["d".to_owned()]);
    assert_eq!(verify_with(real.path(), &[anchor]).unwrap().problem, None);
    let later = Link { sequence: 99, ..anchor };
    assert!(matches!(verify_with(real.path(), &[later]).unwrap().problem.unwrap().flaw, Flaw::CutOff { .. }));
}

#[test]
fn an_anchor_within_a_line_of_another_chain_is_found() {
    let (real, forged) = (temporary(), temporary());
    write(real.path(), quick(), ["a".to_owned(), "b".to_owned()]);
    let anchor = verify(real.path()).unwrap().last;
    let log = AuditLog::open(forged.path(), Options { batch_every: Duration::from_millis(200), ..quick() }).unwrap();
    (0..9).for_each(|_| log.recorder().record(call("eve", "a")));
    log.close().unwrap();
    let last = verify(forged.path()).unwrap().last.sequence;
    assert!(last > anchor.sequence, "{last}");
    let found = verify_with(forged.path(), &[anchor]).unwrap().problem.unwrap();
    assert_eq!(found.flaw, Flaw::Anchor { expected: anchor });
}

#[test]
fn a_line_that_does_not_hold_what_it_says_is_not_read() {
    let operation = r#"{"operation":0,"session":"","identity":"a","role":"","source":"","door":"","service":"","member":"m","kind":"call"}"#;
    let head = r#"{"sequence":5,"time":1,"records":["#;
    let read = |rest: &str| entry::Operations::default().read(&format!("{head}{rest}}}"));
    assert_eq!(read(&format!("{operation},[0,0,7]]")).unwrap()[0].member, "m");
    assert_eq!(read(&format!("{operation},[0,0,7],[0,0,8,\"error\",\"\",[1]]],\"holds\":2")).unwrap().len(), 2);
    for wrong in [
        "]",
        "[0,0,7]]",
        &format!("{operation},[0,0,7]],\"holds\":2"),
        &format!("{operation},[-2,0,7]]"),
        &format!("{operation},[0,0]]"),
        &format!("{operation},[0,0,7,\"ok\",\"\",[],1]]"),
        &format!("{operation},[9223372036854775807,0,7]]"),
        &format!("{},[0,2048,7]]", operation.replace("\"operation\":0", "\"operation\":2048")),
    ] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}

#[test]
fn a_head_of_another_log_is_found() {
    let (one, other) = (temporary(), temporary());
    write(one.path(), quick(), ["a".to_owned()]);
    write(other.path(), quick(), ["b".to_owned()]);
    fs::copy(other.path().join("audit-head.json"), one.path().join("audit-head.json")).unwrap();
    assert_eq!(problem(one.path()).unwrap().flaw, Flaw::Head);
    assert!(matches!(AuditLog::open(one.path(), quick()), Err(OpenError::Damaged(_))));
}

#[test]
fn every_byte_that_is_edited_is_found() {
    let folder = temporary();
    write(folder.path(), quick(), ["a".to_owned()]);
    let all = files(folder.path());
    for (path, bytes) in all.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        for at in 0..bytes.len() {
            let mut edited = bytes.clone();
            edited[at] ^= 1 << (at % 8);
            fs::write(path, &edited).unwrap();
            assert!(problem(folder.path()).is_some(), "{} byte {at}", path.display());
        }
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(problem(folder.path()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_edit_is_found(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let folder = temporary();
        segments(folder.path());
        let mut all = files(folder.path());
        all.retain(|(_, bytes)| !bytes.is_empty());
        let before = all.clone();
        for (file, at, byte) in edits {
            let bytes = &mut all[file.index(before.len())].1;
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            let bytes = &mut all[cut.index(before.len())].1;
            let length = cut.index(bytes.len());
            bytes.truncate(length);
        }
        put_back(folder.path(), &all);
        prop_assert_eq!(problem(folder.path()).is_some(), all != before);
        // Whatever is found, reading ends.
        let read = Reader::open(folder.path()).unwrap().count();
        prop_assert!(read <= 20);
    }
}
