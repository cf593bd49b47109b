//! Sealed resume keys.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyway_auth::{
    Identity, Method,
    resume::{KeyFileError, ResumeError, Resumption, SealingKeys, UsedKeys},
};

const HOUR: Duration = Duration::from_secs(3600);

fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn said(session: u8, now: SystemTime) -> Resumption {
    let identity = Identity { name: "nao".to_owned(), method: Method::Token };
    Resumption::new([session; 16], identity, now, HOUR)
}

#[test]
fn a_key_says_what_was_sealed_and_no_two_are_alike() {
    let keys = SealingKeys::generate(start()).unwrap();
    let said = said(7, start());
    let sealed = keys.seal(&said).unwrap();
    assert_eq!(keys.open(start(), &sealed).unwrap(), said);
    assert_ne!(keys.seal(&said).unwrap(), sealed);
    assert!(!sealed.windows(3).any(|bytes| bytes == b"nao"));
    assert_eq!(format!("{keys:?}"), "SealingKeys { keys: 1, .. }");
}

#[test]
fn a_key_that_was_changed_anywhere_or_cut_is_refused() {
    let keys = SealingKeys::generate(start()).unwrap();
    let sealed = keys.seal(&said(7, start())).unwrap();
    for position in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        assert_eq!(keys.open(start(), &changed), Err(ResumeError::Unknown), "byte {position}");
        assert_eq!(keys.open(start(), &sealed[..position]), Err(ResumeError::Unknown), "{position} bytes");
    }
    assert_eq!(keys.open(start(), &[&sealed[..], &[0]].concat()), Err(ResumeError::Unknown));
    assert_eq!(keys.open(start(), &vec![1; 1 << 20]), Err(ResumeError::Unknown));
    let other = SealingKeys::generate(start()).unwrap();
    assert_eq!(other.open(start(), &sealed), Err(ResumeError::Unknown));
}

#[test]
fn a_key_is_believed_until_it_expires() {
    let keys = SealingKeys::generate(start()).unwrap();
    let sealed = keys.seal(&said(7, start())).unwrap();
    assert!(keys.open(start() + HOUR - Duration::from_secs(1), &sealed).is_ok());
    assert_eq!(keys.open(start() + HOUR, &sealed), Err(ResumeError::Expired));
}

#[test]
fn the_three_newest_sealing_keys_open_and_older_ones_are_dropped() {
    let mut keys = SealingKeys::generate(start()).unwrap();
    let sealed = keys.seal(&said(7, start())).unwrap();
    assert!(!keys.rotate(start() + HOUR / 2, HOUR).unwrap());
    for rotation in 1..=2 {
        assert!(keys.rotate(start() + rotation * HOUR, HOUR).unwrap());
        assert!(keys.open(start(), &sealed).is_ok());
        let newer = keys.seal(&said(8, start())).unwrap();
        assert_ne!(newer[1..5], sealed[1..5], "the newest key seals");
    }
    assert!(keys.rotate(start() + 3 * HOUR, HOUR).unwrap());
    assert_eq!(keys.open(start(), &sealed), Err(ResumeError::Unknown));
}

#[test]
fn a_key_is_used_once_and_makes_earlier_ones_worthless() {
    let mut used = UsedKeys::new(10);
    let first = said(7, start());
    let second = first.next(start(), HOUR);
    let third = second.next(start(), HOUR);
    used.redeem(start(), &first).unwrap();
    assert_eq!(used.redeem(start(), &first), Err(ResumeError::Used));
    used.redeem(start(), &third).unwrap();
    assert_eq!(used.redeem(start(), &second), Err(ResumeError::Used));
    used.redeem(start(), &said(8, start())).unwrap();
}

#[test]
fn used_keys_are_forgotten_when_they_have_expired_and_not_before() {
    let mut used = UsedKeys::new(3);
    for session in 0..3 {
        used.redeem(start(), &said(session, start())).unwrap();
    }
    assert_eq!(used.redeem(start(), &said(3, start())), Err(ResumeError::Full));
    let later = start() + HOUR;
    used.redeem(later, &said(3, later)).unwrap();
    assert_eq!(used.redeem(later, &said(3, later)), Err(ResumeError::Used));
}

#[test]
fn keys_outlive_a_restart_in_a_file_that_only_the_user_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resume-keys");
    assert!(SealingKeys::load(&path).unwrap().is_none());
    let mut keys = SealingKeys::generate(start()).unwrap();
    let old = keys.seal(&said(7, start())).unwrap();
    keys.rotate(start() + HOUR, HOUR).unwrap();
    keys.save(&path).unwrap();
    keys.save(&path).unwrap();
    let loaded = SealingKeys::load(&path).unwrap().unwrap();
    assert_eq!(loaded.open(start(), &old).unwrap(), said(7, start()));
    let new = loaded.seal(&said(8, start())).unwrap();
    assert_eq!(keys.open(start(), &new).unwrap(), said(8, start()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_file_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resume-keys");
    let mut keys = SealingKeys::generate(start()).unwrap();
    keys.rotate(start() + HOUR, HOUR).unwrap();
    keys.save(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    for damaged in [&text[..text.len() - 2], &format!("{text}1 2 3\n"), "", &text.replace(' ', "  ")] {
        std::fs::write(&path, damaged).unwrap();
        let error = SealingKeys::load(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::Line { .. }), "{error}");
        assert!(error.to_string().contains("resume-keys, line "), "{error}");
    }
}
