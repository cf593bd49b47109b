//! What a changed policy would have decided.

use std::fmt;

use crate::{Explanation, MemberError, Observed, Outcome, Policy, selector::Member};

/// An access that two policies decide differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What was observed.
    pub observed: Observed,
    /// What the first policy says.
    pub before: Explanation,
    /// What the second policy says.
    pub after: Explanation,
}

/// Compares two policies over observed accesses; each difference is listed once.
pub fn replay(before: &Policy, after: &Policy, observed: &[Observed]) -> Result<Vec<Difference>, MemberError> {
    let mut unique: Vec<_> = observed.iter().collect();
    unique.sort();
    unique.dedup();
    let mut differences = Vec::new();
    for access in unique {
        let member = Member::new(access.kind, &access.member)?;
        let by = |policy| Explanation::of(policy, &access.role, &access.service, &member);
        let (before, after) = (by(before), by(after));
        // Conditions that changed matter too: the arguments of the access are not known here.
        let changed_limits = after.outcome == Outcome::Conditional && before.limits() != after.limits();
        if before.outcome != after.outcome || changed_limits {
            differences.push(Difference { observed: access.clone(), before, after });
        }
    }
    Ok(differences)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "before: {}\nafter:  {}", self.before, self.after)
    }
}

impl Explanation {
    /// The conditions without the places of their rules, which move when a file is edited.
    fn limits(&self) -> Vec<&str> {
        let texts = self.conditions.iter().map(|text| text.rsplit_once(" (").map_or(text.as_str(), |(text, _)| text));
        texts.collect()
    }
}
