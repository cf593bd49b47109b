//! Failures in simulated time.

mod configured;

use std::{net::Ipv4Addr, time::Duration};

use configured::{at, config, password_hash, secret};
use keyway_auth::{Authenticator, Credentials, Outcome, Reason, Source};

#[test]
fn delays_grow_and_the_right_password_has_to_wait_too() {
    let authenticator = authenticator("");
    let mut now = 0;
    let mut delays = Vec::new();
    for _ in 0..8 {
        let (reason, delay) = refused(&attempt(&authenticator, now, 1, "ann", "wrong"));
        assert_eq!(reason, Reason::InvalidCredentials);
        delays.push(delay.as_secs());
        if !delay.is_zero() {
            let (reason, left) = refused(&attempt(&authenticator, now + 400, 1, "ann", "right"));
            assert_eq!((reason, left), (Reason::LockedOut, delay.saturating_sub(Duration::from_millis(400))));
        }
        now += u64::try_from(delay.as_millis()).unwrap();
    }
    assert_eq!(delays, [0, 0, 0, 1, 2, 4, 8, 16]);
    assert!(accepted(&attempt(&authenticator, now, 1, "ann", "right")));
    // What a source did is not forgotten by its success.
    assert_eq!(refused(&attempt(&authenticator, now, 1, "bob", "wrong")).1.as_secs(), 32);
    assert_eq!(refused(&attempt(&authenticator, now + 2 * 3_600_000, 1, "bob", "wrong")).1, Duration::ZERO);
}

#[test]
fn a_thousand_wrong_passwords_of_one_source_leave_others_unaffected() {
    let authenticator = authenticator("");
    let mut looked_at = 0;
    for number in 0..1000 {
        let (reason, _) = refused(&attempt(&authenticator, number * 10, 1, "ann", "wrong"));
        looked_at += u32::from(reason == Reason::InvalidCredentials);
        if number % 50 == 0 {
            assert!(accepted(&attempt(&authenticator, number * 10, 2, "ann", "right")), "{number}");
        }
    }
    assert!(looked_at < 10, "{looked_at}");
}

#[test]
fn many_sources_that_guess_at_one_user_are_slowed_down() {
    let authenticator = authenticator("");
    let guesses = (0..1000)
        .filter(|source| refused(&attempt(&authenticator, 0, *source, "ann", "wrong")).0 == Reason::InvalidCredentials);
    assert_eq!(guesses.count(), 51);
    assert_eq!(refused(&attempt(&authenticator, 0, 5000, "ann", "right")).0, Reason::LockedOut);
    assert!(accepted(&attempt(&authenticator, 0, 5000, "bob", "right")));
    assert!(accepted(&attempt(&authenticator, 1000, 5000, "ann", "right")));
}

#[test]
fn users_that_do_not_exist_look_like_those_that_do() {
    let authenticator = authenticator("");
    for source in 0..60 {
        let known = refused(&attempt(&authenticator, 0, source, "ann", "wrong"));
        let unknown = refused(&attempt(&authenticator, 0, source + 1000, "nobody", "wrong"));
        assert_eq!(known, unknown, "{source}");
    }
}

#[test]
fn memory_is_bounded_whatever_sources_and_names_come() {
    let authenticator = authenticator("[lockout]\nentries = 1000\n");
    for source in 0..10_000 {
        attempt(&authenticator, u64::from(source), source, &format!("name{source}"), "wrong");
        assert!(authenticator.remembered() <= 2000);
    }
    // Users that exist are not pushed out by names that do not.
    for source in 20_000..20_051 {
        attempt(&authenticator, 10_000, source, "ann", "wrong");
    }
    for source in 30_000..32_000 {
        attempt(&authenticator, 10_000, source, &format!("other{source}"), "wrong");
    }
    assert_eq!(refused(&attempt(&authenticator, 10_000, 40_000, "ann", "right")).0, Reason::LockedOut);
    // The default too holds for 10,000 sources.
    let usual = self::authenticator("");
    (0..30_000).for_each(|source| drop(attempt(&usual, 0, source, &format!("name{source}"), "wrong")));
    assert_eq!(usual.remembered(), 20_000);
}

#[test]
fn a_reload_forgets_no_failure() {
    let authenticator = authenticator("");
    (0..5).for_each(|_| drop(attempt(&authenticator, 0, 1, "ann", "wrong")));
    let reloaded = authenticator.with_config(config(&users()));
    assert_eq!(refused(&attempt(&reloaded, 0, 1, "ann", "right")).0, Reason::LockedOut);
}

#[test]
fn huge_names_and_secrets_are_refused_without_a_trace() {
    let authenticator = authenticator("");
    let huge = "x".repeat(1 << 20);
    assert_eq!(refused(&attempt(&authenticator, 0, 1, &huge, "right")).0, Reason::InvalidCredentials);
    assert_eq!(authenticator.remembered(), 1);
    assert_eq!(refused(&attempt(&authenticator, 0, 2, "ann", &huge)).0, Reason::InvalidCredentials);
    // A token does not make up for a name that nobody has.
    let (token, hash) = keyway_auth::token::generate().unwrap();
    let nao = format!("[[user]]\nname = 'nao'\nrole = 'guest'\ntoken_hash = '{hash}'\n");
    let authenticator = Authenticator::new(config(&nao));
    assert!(accepted(&authenticator.begin(at(0), Source::Local, &Credentials::Bearer(&token))));
    assert!(!accepted(&attempt(&authenticator, 0, 1, &huge, token.expose())));
}

#[test]
fn one_source_verifies_a_few_passwords_at_a_time() {
    let authenticator = authenticator("[lockout]\nparallel_per_source = 1\nfree_per_source = 1000\n");
    let outcomes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..20).map(|_| attempt(&authenticator, 0, 1, "ann", "right")).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(outcomes.iter().any(accepted));
    for outcome in outcomes.iter().filter(|outcome| !accepted(outcome)) {
        assert_eq!(refused(outcome).0, Reason::Busy);
    }
    assert!(accepted(&attempt(&authenticator, 0, 1, "ann", "right")));
}

fn authenticator(settings: &str) -> Authenticator {
    Authenticator::new(config(&format!("{settings}{}", users())))
}

fn users() -> String {
    let user =
        |name| format!("[[user]]\nname = '{name}'\nrole = 'guest'\npassword_hash = '{}'\n", password_hash("right"));
    ["ann", "bob"].map(user).concat()
}

fn attempt(authenticator: &Authenticator, now: u64, source: u32, user: &str, password: &str) -> Outcome {
    let source = Source::Address(Ipv4Addr::from(source).into());
    authenticator.begin(at(now), source, &Credentials::Named { user, secret: &secret(password) })
}

fn accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

fn refused(outcome: &Outcome) -> (Reason, Duration) {
    match outcome {
        Outcome::Refused { reason, delay } => (*reason, *delay),
        Outcome::Accepted { .. } => panic!("{outcome:?}"),
    }
}
