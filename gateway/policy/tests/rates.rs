//! Token buckets, in simulated time.

use std::time::{Duration, Instant};

use keyway_policy::{Code, Decision, Policy, RateId, RateLimiter};
use keyway_value::{ActionId, MetaObject, Signature};

#[test]
fn a_burst_passes_and_then_the_rate() {
    let policy = policy("rate = '10/s'\nburst = 3");
    let rates = rates(&policy);
    let mut limiter = RateLimiter::new(&policy);
    let start = Instant::now();
    let mut take =
        |at: u64| limiter.take(start + Duration::from_millis(at), &rates, who).map_err(|refused| refused.wait);
    assert_eq!([take(0), take(0), take(0)], [Ok(()); 3]);
    assert_eq!(take(0), Err(Duration::from_millis(100)));
    assert_eq!(take(60), Err(Duration::from_millis(40)));
    assert_eq!(take(100), Ok(()));
    assert_eq!(take(50), Err(Duration::from_millis(100)), "time that goes back fills nothing");
    let passed = (0..1000).filter(|at| take(101 + at).is_ok()).count();
    assert_eq!(passed, 10);
    assert_eq!((0..5).filter(|_| take(60_000).is_ok()).count(), 3);
}

#[test]
fn a_refusal_names_the_rule() {
    let policy = policy("rate = '1/h'");
    let mut limiter = RateLimiter::new(&policy);
    let now = Instant::now();
    limiter.take(now, &rates(&policy), who).unwrap();
    let refused = limiter.take(now, &rates(&policy), who).unwrap_err();
    assert_eq!((refused.refusal.code, refused.wait), (Code::Rate, Duration::from_secs(3600)));
    assert!(refused.to_string().contains("KW-P005") && refused.to_string().contains("p.toml:3"), "{refused}");
}

#[test]
fn every_rate_that_applies_counts_and_none_if_one_refuses() {
    let policy = policy("rate = '2/s'\n[[rule]]\nrole = 'r'\nservice = '*'\nallow = ['*']\nrate = '1/s'");
    let rates = rates(&policy);
    assert_eq!(rates.len(), 2);
    let mut limiter = RateLimiter::new(&policy);
    let now = Instant::now();
    limiter.take(now, &rates, who).unwrap();
    assert!(limiter.take(now, &rates, who).is_err());
    // The refused call took nothing out of the first bucket.
    limiter.take(now, &rates[..1], who).unwrap();
    assert!(limiter.take(now, &rates[..1], who).is_err());
}

#[test]
fn the_rate_of_another_policy_is_refused() {
    let policy = policy("rate = '1/s'");
    let mut limiter = RateLimiter::new(&Policy::default());
    assert!(limiter.take(Instant::now(), &rates(&policy), who).is_err());
}

fn policy(rate: &str) -> Policy {
    let text = format!("[[role]]\nname = 'r'\n[[rule]]\nrole = 'r'\nservice = 'S'\nallow = ['m']\n{rate}");
    Policy::parse("p.toml", &text).unwrap()
}

fn rates(policy: &Policy) -> Vec<RateId> {
    let mut builder = MetaObject::builder();
    builder.method("m", Signature::tuple([]), Signature::void());
    let access = policy.access("r", "S", &builder.build());
    match access.call(ActionId(100)) {
        Decision::Allow { rates } => rates.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn who() -> (String, String, String) {
    ("r".into(), "S".into(), "m".into())
}
