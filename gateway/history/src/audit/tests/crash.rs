//! Processes and machines that stopped in the middle.

use super::*;

/// A log of which all but its last two records is known to be on disk; and how long it was then.
fn unsynced(folder: &Path) -> (Vec<(PathBuf, Vec<u8>)>, PathBuf, usize) {
    let log = AuditLog::open(folder, quick()).unwrap();
    log.recorder().record(call("alice", "first"));
    log.flush().unwrap();
    let head = fs::read(folder.join("audit-head.json")).unwrap();
    let segment = folder.join("audit-000001.jsonl");
    let known = fs::read(&segment).unwrap().len();
    log.recorder().record(call("alice", "second"));
    log.close().unwrap();
    fs::write(folder.join("audit-head.json"), head).unwrap();
    (files(folder), segment, known)
}

#[test]
fn a_log_that_ends_anywhere_goes_on() {
    let folder = temporary();
    let (all, segment, known) = unsynced(folder.path());
    let whole = fs::read(&segment).unwrap();
    let ends: Vec<_> = (0..=whole.len()).filter(|end| *end == 0 || whole[end - 1] == b'\n').collect();
    for end in known..=whole.len() {
        put_back(folder.path(), &all);
        fs::write(&segment, &whole[..end]).unwrap();
        let is_whole = ends.contains(&end);
        let report = verify(folder.path()).unwrap();
        assert_eq!((report.problem, report.unfinished), (None, !is_whole), "{end}");
        write(folder.path(), quick(), ["after".to_owned()]);
        assert_eq!(problem(folder.path()), None, "{end}");
        let recovered: Vec<_> = entries(folder.path()).into_iter().filter(|entry| entry.event == "recovered").collect();
        assert_eq!(recovered.len(), usize::from(!is_whole), "{end}");
        let last = ends.iter().rfind(|start| **start <= end).unwrap();
        if let [recovered] = &recovered[..] {
            assert!(recovered.json().contains(&format!("\"cut_bytes\":{},", end - last)), "{recovered:?}");
            let aside = folder.path().join(format!("audit-000001.jsonl.cut-{last}"));
            assert_eq!(fs::read(aside).unwrap(), &whole[*last..end]);
        }
        let expected = if *last > known { vec!["first", "second", "after"] } else { vec!["first", "after"] };
        assert_eq!(members(folder.path()), expected);
    }
}

#[test]
fn what_was_known_to_be_on_disk_is_never_cut_off() {
    let folder = temporary();
    let (all, segment, known) = unsynced(folder.path());
    for end in 0..known {
        put_back(folder.path(), &all);
        fs::write(&segment, &all.iter().find(|(path, _)| *path == segment).unwrap().1[..end]).unwrap();
        assert!(problem(folder.path()).is_some(), "{end}");
        let before = files(folder.path());
        assert!(matches!(AuditLog::open(folder.path(), quick()), Err(OpenError::Damaged(_))), "{end}");
        assert_eq!(files(folder.path()), before);
    }
}

#[test]
fn what_a_power_cut_leaves_is_set_aside() {
    let folder = temporary();
    let (_, segment, known) = unsynced(folder.path());
    // A page of zeros, and a later one that was written.
    let mut bytes = fs::read(&segment).unwrap();
    bytes[known..known + 40].fill(0);
    fs::write(&segment, &bytes).unwrap();
    assert_eq!(problem(folder.path()).unwrap().line, 3);
    write(folder.path(), quick(), ["after".to_owned()]);
    assert_eq!(problem(folder.path()), None);
    assert_eq!(members(folder.path()), ["first", "after"]);
    assert_eq!(events(folder.path()), ["started", "recovered", "started", "stopped"]);
}

#[test]
fn a_crash_between_two_segments_is_none() {
    let folder = temporary();
    write(folder.path(), quick(), ["first".to_owned()]);
    for left in [&b""[..], b"{\"sequ"] {
        fs::write(folder.path().join("audit-000002.jsonl"), left).unwrap();
        assert_eq!(problem(folder.path()), None);
        let all = files(folder.path());
        write(folder.path(), quick(), ["after".to_owned()]);
        assert_eq!((problem(folder.path()), members(folder.path())), (None, vec!["first".into(), "after".into()]));
        put_back(folder.path(), &all);
    }
}
