//! Rates: `rate = "10/s"`, `burst = 20`, kept by token buckets. Time is a parameter.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{Code, Policy, Refusal, RuleId};

/// The rate of a rule, within its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateId(pub(crate) u32);

#[derive(Debug, Clone)]
pub(crate) struct RateLimit {
    pub(crate) rate: Rate,
    pub(crate) burst: f64,
    pub(crate) rule: RuleId,
}

/// How often, on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) per: Duration,
}

/// Why a text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RateError {
    /// No count, or no unit.
    #[error("a rate is a count over a time, such as `10/s`, `100/min` or `1000/h`")]
    Shape,
    /// A rate of 0 is a denial.
    #[error("a rate is at least 1; use `deny` to allow nothing")]
    Zero,
}

/// The buckets of one client. Each session has its own, and a new one when the policy changes.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    limits: Arc<[RateLimit]>,
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled: Option<Instant>,
}

impl Rate {
    pub(crate) fn parse(text: &str) -> Result<Self, RateError> {
        let (count, unit) = text.split_once('/').ok_or(RateError::Shape)?;
        let count: u32 = count.trim().parse().map_err(|_| RateError::Shape)?;
        let per = match unit.trim() {
            "s" => Duration::from_secs(1),
            "min" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(RateError::Shape),
        };
        if count == 0 { Err(RateError::Zero) } else { Ok(Self { count, per }) }
    }

    fn per_second(self) -> f64 {
        f64::from(self.count) / self.per.as_secs_f64()
    }
}

impl RateLimiter {
    /// Full buckets.
    pub fn new(policy: &Policy) -> Self {
        let limits = policy.rates();
        let buckets = limits.iter().map(|limit| Bucket { tokens: limit.burst, filled: None }).collect();
        Self { limits, buckets }
    }

    /// Takes one call out of each of the buckets, or out of none. `refused` names who asked, for the refusal.
    pub fn take(
        &mut self,
        now: Instant,
        rates: &[RateId],
        refused: impl FnOnce() -> (String, String, String),
    ) -> Result<(), RateRefused> {
        for RateId(at) in rates {
            let found = self.limits.get(*at as usize).zip(self.buckets.get_mut(*at as usize));
            let Some((limit, bucket)) = found else {
                // The rate of another policy: the caller kept a decision over a reload. Nothing vouches for it.
                return Err(RateRefused::of(None, Duration::ZERO, refused()));
            };
            bucket.fill(now, limit);
            if bucket.tokens < 1.0 {
                let wait = Duration::from_secs_f64((1.0 - bucket.tokens) / limit.rate.per_second());
                return Err(RateRefused::of(Some(limit.rule.clone()), wait, refused()));
            }
        }
        for RateId(at) in rates {
            if let Some(bucket) = self.buckets.get_mut(*at as usize) {
                bucket.tokens -= 1.0;
            }
        }
        Ok(())
    }
}

impl Bucket {
    fn fill(&mut self, now: Instant, limit: &RateLimit) {
        let elapsed = self.filled.map_or(Duration::ZERO, |filled| now.saturating_duration_since(filled));
        self.tokens = (self.tokens + elapsed.as_secs_f64() * limit.rate.per_second()).min(limit.burst);
        self.filled = Some(self.filled.map_or(now, |filled| filled.max(now)));
    }
}

/// A call that came too soon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct RateRefused {
    /// What the client is told.
    pub refusal: Box<Refusal>,
    /// How long until one call is allowed.
    pub wait: Duration,
}

impl RateRefused {
    fn of(rule: Option<RuleId>, wait: Duration, (role, service, member): (String, String, String)) -> Self {
        let detail = format!("the next is possible in {} ms", wait.as_millis());
        let refusal = Refusal { code: Code::Rate, rule, role, service, member, detail: Some(detail) };
        Self { refusal: Box::new(refusal), wait }
    }
}
