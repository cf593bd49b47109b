//! Patterns of names: `*`, `?`, `[a-z]`, `[!a-z]`.

use std::fmt;

/// A pattern that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Vec<Part>,
}

/// Why a pattern is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// It matches nothing.
    #[error("an empty pattern matches nothing; write `*` for everything")]
    Empty,
    /// It is longer than names are.
    #[error("a pattern has at most {MAX_LENGTH} bytes")]
    TooLong,
    /// It contains a control character.
    #[error("a pattern has no control characters")]
    Control,
    /// `[` without `]`.
    #[error("`[` at {0} is not closed; a bracket itself is written `[[]`")]
    Unclosed(usize),
    /// `[]` or `[!]`.
    #[error("the class at {0} is empty")]
    EmptyClass(usize),
    /// `[z-a]`.
    #[error("the range in the class at {0} goes backwards")]
    Backwards(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(char),
    One,
    Many,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Checks a pattern.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > MAX_LENGTH {
            return Err(GlobError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(GlobError::Control);
        }
        let chars: Vec<char> = text.chars().collect();
        let mut parts = Vec::with_capacity(chars.len());
        let mut at = 0;
        while let Some(letter) = chars.get(at) {
            let part = match letter {
                '*' => Part::Many,
                '?' => Part::One,
                '[' => {
                    let (part, end) = class(&chars, at)?;
                    at = end;
                    part
                }
                other => Part::Literal(*other),
            };
            if part != Part::Many || parts.last() != Some(&Part::Many) {
                parts.push(part);
            }
            at += 1;
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The pattern that matches one text only.
    pub fn escape(text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        for letter in text.chars() {
            match letter {
                '*' | '?' | '[' => escaped.extend(['[', letter, ']']),
                other => escaped.push(other),
            }
        }
        escaped
    }

    /// Whether all of a text is matched. The time is at most the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut at = 0;
        // Where to go on after the last `*`, should what follows it not match.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            match (self.parts.get(at), rest.next()) {
                (None, None) => return true,
                (Some(Part::Many), _) => {
                    rest = before.clone();
                    at += 1;
                    retry = Some((at, before));
                    continue;
                }
                (Some(part), Some(letter)) if part.matches(letter) => {
                    at += 1;
                    continue;
                }
                _ => {}
            }
            let Some((resume, from)) = &mut retry else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            at = *resume;
            rest = from.clone();
        }
    }

    /// Whether it matches everything.
    pub fn is_everything(&self) -> bool {
        self.parts == [Part::Many]
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Part {
    fn matches(&self, letter: char) -> bool {
        match self {
            Self::Literal(wanted) => *wanted == letter,
            Self::One => true,
            Self::Many => false,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter)) != *negated
            }
        }
    }
}

/// The class that starts at `start`, and where its `]` is. A `]` that comes first belongs to the class.
fn class(chars: &[char], start: usize) -> Result<(Part, usize), GlobError> {
    let mut at = start + 1;
    let negated = chars.get(at) == Some(&'!');
    if negated {
        at += 1;
    }
    let first = at;
    let mut ranges = Vec::new();
    loop {
        match chars.get(at) {
            None if ranges.len() == 1 && chars.get(first) == Some(&']') => return Err(GlobError::EmptyClass(start)),
            None => return Err(GlobError::Unclosed(start)),
            Some(']') if at > first => return Ok((Part::Class { negated, ranges }, at)),
            Some(from) => match (chars.get(at + 1), chars.get(at + 2)) {
                (Some('-'), Some(to)) if *to != ']' => {
                    if to < from {
                        return Err(GlobError::Backwards(start));
                    }
                    ranges.push((*from, *to));
                    at += 3;
                }
                _ => {
                    ranges.push((*from, *from));
                    at += 1;
                }
            },
        }
    }
}

const MAX_LENGTH: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let rows = [
            ("*", "", true),
            ("*", "anything", true),
            ("AL*", "ALMotion", true),
            ("AL*", "XALMotion", false),
            ("*Motion", "ALMotion", true),
            ("*Motion", "ALMotions", false),
            ("A*o*n", "ALMotion", true),
            ("A*o*m", "ALMotion", false),
            ("a**b", "ab", true),
            ("?", "é", true),
            ("?", "", false),
            ("??", "a", false),
            ("[abc]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[*]", "*", true),
            ("[*]", "a", false),
            ("robot/*", "robot/ALMotion", true),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(Glob::parse(pattern).unwrap().matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn bad_patterns_are_refused() {
        let rows = [
            ("", GlobError::Empty),
            ("a\n", GlobError::Control),
            ("a[b", GlobError::Unclosed(1)),
            ("[]", GlobError::EmptyClass(0)),
            ("[!]", GlobError::EmptyClass(0)),
            ("[z-a]", GlobError::Backwards(0)),
        ];
        for (pattern, expected) in rows {
            assert_eq!(Glob::parse(pattern), Err(expected), "{pattern:?}");
        }
        assert_eq!(Glob::parse(&"a".repeat(257)), Err(GlobError::TooLong));
    }

    #[test]
    fn stars_without_end_take_no_time_without_end() {
        let glob = Glob::parse(&"*a".repeat(100)).unwrap();
        assert!(!glob.matches(&"a".repeat(99)));
        assert!(!glob.matches(&"ab".repeat(20_000)));
    }

    #[test]
    fn what_is_escaped_matches_itself() {
        for text in ["say", "a*b?[c]", "add::(ii)", "]"] {
            let glob = Glob::parse(&Glob::escape(text)).unwrap();
            assert!(glob.matches(text) && !glob.matches("a-b-c") && !glob.matches(""), "{text}");
        }
    }
}
