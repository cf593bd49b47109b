//! What the steps came to.

use std::{process::ExitCode, time::Duration};

/// Counts of one step, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The steps that ran.
#[derive(Default)]
pub(crate) struct Summary {
    steps: Vec<(String, Counts, Duration)>,
}

impl Summary {
    pub(crate) fn add(&mut self, name: &str, counts: Counts, took: Duration) {
        self.steps.push((name.to_owned(), counts, took));
    }

    /// Prints the table, and last the line that counts.
    pub(crate) fn finish(&self) -> ExitCode {
        let mut all = Counts::default();
        println!();
        for (name, counts, took) in &self.steps {
            let Counts { passed, failed, skipped } = counts;
            println!(
                "{name:<28} {passed:>5} passed {failed:>4} failed {skipped:>4} skipped {:>7.1} s",
                took.as_secs_f64()
            );
            all.add(*counts);
        }
        println!("{} passed, {} failed, {} skipped", all.passed, all.failed, all.skipped);
        if all.failed == 0 && all.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Adds up what cargo's test harness and pytest print at their ends.
pub(crate) fn counts(output: &str) -> Counts {
    let mut all = Counts::default();
    for line in output.lines() {
        if let Some(result) = line.trim().strip_prefix("test result: ") {
            all.add(line_counts(result.split_once(". ").map_or(result, |(_, rest)| rest)));
        } else if line.contains(" in ") && line.trim_start_matches('=').trim().starts_with(|c: char| c.is_ascii_digit())
        {
            all.add(line_counts(line.trim_matches(['=', ' '])));
        }
    }
    all
}

fn line_counts(line: &str) -> Counts {
    let mut counts = Counts::default();
    for item in line.split([',', ';']) {
        let mut words = item.split_whitespace();
        let (Some(number), Some(word)) = (words.next().and_then(|number| number.parse::<u64>().ok()), words.next())
        else {
            continue;
        };
        match word {
            "passed" => counts.passed += number,
            "failed" | "error" | "errors" => counts.failed += number,
            "skipped" | "ignored" => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_both_runners_are_counted() {
        let output = "test result: ok. 10 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
                      259 passed, 3 skipped in 6.69s\n1 failed, 2 passed in 1.2s\nnothing in particular";
        assert_eq!(counts(output), Counts { passed: 271, failed: 2, skipped: 5 });
    }
}
