//! Latencies and rates of a slice, and their medians over rounds.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// A histogram of nanoseconds up to two minutes, exact to three digits.
pub(super) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 120_000_000_000, 3)?)
}

/// One slice, or the medians of several. Latencies are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) per_second: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Figures {
    /// Of all that completed in a slice.
    pub(super) fn of(latencies: &Histogram<u64>, elapsed: Duration) -> Self {
        let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0;
        Self {
            per_second: latencies.len() as f64 / elapsed.as_secs_f64().max(f64::EPSILON),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: latencies.max() as f64 / 1000.0,
        }
    }

    /// The median of each figure; of the maxima, the largest.
    pub(super) fn median(rounds: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure));
        Self {
            per_second: middle(|round| round.per_second),
            p50: middle(|round| round.p50),
            p90: middle(|round| round.p90),
            p99: middle(|round| round.p99),
            p999: middle(|round| round.p999),
            max: rounds.iter().map(|round| round.max).fold(0.0, f64::max),
        }
    }
}

/// The median of the quotients of two servers' figures, round by round: what slows a whole round down cancels out.
pub(super) fn ratio(rounds: &[Figures], reference: &[Figures], figure: fn(&Figures) -> f64) -> f64 {
    median(rounds.iter().zip(reference).map(|(ours, theirs)| figure(ours) / figure(theirs)))
}

/// The middle one, or the mean of the middle two; of nothing, not a number.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_ignore_one_bad_round_and_ratios_are_taken_round_by_round() {
        assert_eq!(median([3.0, 1.0, 900.0].into_iter()), 3.0);
        assert_eq!(median([1.0, 2.0].into_iter()), 1.5);
        let round = |per_second| Figures { per_second, p50: 1.0, p90: 1.0, p99: 1.0, p999: 1.0, max: per_second };
        let (ours, theirs) = ([50.0, 20.0, 80.0].map(round), [100.0, 40.0, 160.0].map(round));
        assert_eq!(ratio(&ours, &theirs, |round| round.per_second), 0.5);
        assert_eq!(Figures::median(&ours).max, 80.0);
    }

    #[test]
    fn percentiles_are_those_of_the_latencies() {
        let mut latencies = histogram().unwrap();
        (1..=1000_u64).for_each(|micros| latencies.record(micros * 1000).unwrap());
        let figures = Figures::of(&latencies, Duration::from_secs(2));
        assert_eq!(figures.per_second, 500.0);
        assert!((figures.p50 - 500.0).abs() < 1.0 && (figures.p999 - 999.0).abs() < 1.0, "{figures:?}");
    }
}
