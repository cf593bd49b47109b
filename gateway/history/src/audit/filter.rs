//! Which records are meant.

use std::{convert::Infallible, str::FromStr, time::SystemTime};

use super::entry::Entry;

/// A pattern, in which `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Whether `text` is meant.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            // The earliest place leaves the most for the others.
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

impl From<&str> for Glob {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Glob {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::from(text))
    }
}

/// Records with all that is asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Who did it.
    pub identity: Option<Glob>,
    /// The service's name.
    pub service: Option<Glob>,
    /// The member's name.
    pub member: Option<Glob>,
    /// What was done: call, login, log and so on.
    pub kind: Option<Glob>,
    /// `ok`, `error`, `refused`, or the code of a refusal.
    pub outcome: Option<Glob>,
    /// Not before this.
    pub since: Option<SystemTime>,
    /// Before this.
    pub until: Option<SystemTime>,
}

impl Filter {
    /// Whether a record is meant.
    #[must_use]
    pub fn matches(&self, entry: &Entry) -> bool {
        let meant = |glob: &Option<Glob>, text: &str| glob.as_ref().is_none_or(|glob| glob.matches(text));
        meant(&self.identity, &entry.identity)
            && meant(&self.service, &entry.service)
            && meant(&self.member, &entry.member)
            && meant(&self.kind, &entry.kind)
            && (meant(&self.outcome, &entry.outcome) || !entry.code.is_empty() && meant(&self.outcome, &entry.code))
            && self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let matches = |glob: &str, text: &str| Glob(glob.to_owned()).matches(text);
        for (glob, text) in
            [("", ""), ("*", ""), ("AL*", "ALMotion"), ("*o*o*", "ALMotion_o"), ("a*b*c", "abbc"), ("a", "a")]
        {
            assert!(matches(glob, text), "{glob} {text}");
        }
        for (glob, text) in [("", "a"), ("a", "ab"), ("AL*", "Robot"), ("a*a", "a"), ("a*b*c", "acb"), ("*b", "ba")] {
            assert!(!matches(glob, text), "{glob} {text}");
        }
    }
}
