//! A time as people name it.

use std::{
    str::FromStr,
    time::{Duration, SystemTime},
};

/// A point in time: `2026-01-31T08:00:00Z`, `2026-01-31`, or `2h` for two hours ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) SystemTime);

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if let Ok(time) = humantime::parse_rfc3339_weak(text) {
            return Ok(Self(time));
        }
        if let Ok(time) = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")) {
            return Ok(Self(time));
        }
        let ago: Option<Duration> = humantime::parse_duration(text).ok();
        let time = ago.and_then(|ago| SystemTime::now().checked_sub(ago));
        time.map(Self).ok_or("neither a time (2026-01-31T08:00:00Z), nor a date, nor how long ago (2h, 3days)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_a_date_and_an_age_are_times() {
        let seconds =
            |text: &str| text.parse::<Moment>().unwrap().0.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(seconds("2026-01-31T08:00:00Z"), 1_769_846_400);
        assert_eq!(seconds("2026-01-31"), 1_769_817_600);
        assert!("2h".parse::<Moment>().unwrap().0 < SystemTime::now());
        assert!("soon".parse::<Moment>().is_err());
    }
}
