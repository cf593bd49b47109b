//! The chain of hashes: how a line is sealed, and what a sealed line states.
//!
//! ```text
//! {"sequence":N, … ,"holds":COUNT,"previous":"64 hex digits","hash":"64 hex digits"}
//! └───────────────────────── what is hashed ────────────────┘
//! ```
//!
//! A line has the records N to N + COUNT - 1; without a count, it has one.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// A SHA-256 hash, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first record of a log states as the one before it.
    pub const START: Self = Self([0; 32]);

    fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    fn digits(self) -> [u8; 64] {
        let mut digits = [0; 64];
        for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(self.0) {
            *pair = PAIRS[usize::from(byte)];
        }
        digits
    }

    /// Upper-case digits are none: a line has one spelling.
    fn from_digits(digits: &[u8]) -> Option<Self> {
        let value = |digit: u8| DIGITS.iter().position(|known| *known == digit).and_then(|at| u8::try_from(at).ok());
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().iter().try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A place in the chain: a record's number and hash, or 0 and [`Hash::START`] before the first. Written `SEQUENCE:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link {
    /// The record's number.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Link {
    /// Before the first record.
    pub const START: Self = Self { sequence: 0, hash: Hash::START };
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

/// Text that is not `SEQUENCE:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not SEQUENCE:HASH, with 64 hexadecimal digits; `keyway audit verify` prints one")]
pub struct NotALink;

impl FromStr for Link {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let (sequence, hash) = text.split_once(':').ok_or(NotALink)?;
        let hash = Hash::from_digits(hash.as_bytes()).ok_or(NotALink)?;
        Ok(Self { sequence: sequence.parse().map_err(|_| NotALink)?, hash })
    }
}

/// What a sealed line states, its hash being right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed {
    pub(crate) previous: Hash,
    /// The first record of the line.
    pub(crate) first: u64,
    /// The last one, with the line's hash.
    pub(crate) link: Link,
}

/// Why a line is not a sealed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotSealed {
    /// Its hash is not of its bytes.
    Hash,
    /// It is something else.
    Shape,
}

/// Appends a line to `out`, the first record of which has the number `first`. `body` writes the members between number and hashes,
/// each with a comma before it, and says how many records they are. Returns the line's last record.
pub(crate) fn seal(first: u64, previous: Hash, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> u64) -> Link {
    let start = out.len();
    out.extend_from_slice(SEQUENCE);
    out.extend_from_slice(itoa::Buffer::new().format(first).as_bytes());
    let count = body(out);
    if count > 1 {
        out.extend_from_slice(HOLDS);
        out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    }
    out.extend_from_slice(PREVIOUS);
    out.extend_from_slice(&previous.digits());
    out.push(b'"');
    let hash = Hash::of(&out[start..]);
    out.extend_from_slice(HASH);
    out.extend_from_slice(&hash.digits());
    out.extend_from_slice(b"\"}\n");
    Link { sequence: first + count.saturating_sub(1), hash }
}

/// Checks the hash of a line (without its line feed), and reads what it states.
pub(crate) fn unseal(line: &[u8]) -> Result<Sealed, NotSealed> {
    let (hashed, hash) = before_digits(line, HASH, b"\"}").ok_or(NotSealed::Shape)?;
    if Hash::of(hashed) != hash {
        return Err(NotSealed::Hash);
    }
    let (body, previous) = before_digits(hashed, PREVIOUS, b"\"").ok_or(NotSealed::Shape)?;
    let (first, last) = numbers(body).ok_or(NotSealed::Shape)?;
    Ok(Sealed { previous, first, link: Link { sequence: last, hash } })
}

/// How many records a line has, be it sealed or not.
pub(crate) fn count(line: &[u8]) -> u64 {
    let body = before_digits(line, HASH, b"\"}").and_then(|(hashed, _)| before_digits(hashed, PREVIOUS, b"\""));
    body.and_then(|(body, _)| numbers(body)).map_or(1, |(first, last)| last - first + 1)
}

/// The numbers of the first and last record.
fn numbers(body: &[u8]) -> Option<(u64, u64)> {
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
    let numbered = body.strip_prefix(SEQUENCE)?;
    let end = numbered.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(numbered.len());
    let first = number(&numbered[..end])?;
    let digits = body.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, count) = body.split_at(body.len() - digits);
    let count = if rest.ends_with(HOLDS) { number(count)? } else { 1 };
    Some((first, first.checked_add(count.checked_sub(1)?)?))
}

/// Splits `… NAME DIGITS END`.
fn before_digits<'a>(line: &'a [u8], name: &[u8], end: &[u8]) -> Option<(&'a [u8], Hash)> {
    let line = line.strip_suffix(end)?;
    let (rest, digits) = line.split_at_checked(line.len().checked_sub(64)?)?;
    Some((rest.strip_suffix(name)?, Hash::from_digits(digits)?))
}

const SEQUENCE: &[u8] = b"{\"sequence\":";
const HOLDS: &[u8] = b",\"holds\":";
const PREVIOUS: &[u8] = b",\"previous\":\"";
const HASH: &[u8] = b",\"hash\":\"";
const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// The two digits of each byte.
const PAIRS: [[u8; 2]; 256] = {
    let (mut pairs, mut byte) = ([[0; 2]; 256], 0);
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> (Vec<u8>, Link) {
        holding(1)
    }

    fn holding(count: u64) -> (Vec<u8>, Link) {
        let mut line = Vec::new();
        let link = seal(7, Hash::of(b"before"), &mut line, |out| {
            out.extend_from_slice(b",\"kind\":\"call\"");
            count
        });
        line.pop();
        (line, link)
    }

    #[test]
    fn a_sealed_line_is_json_and_states_its_place() {
        let (line, link) = line();
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(json["hash"], link.hash.to_string());
        let sealed = unseal(&line).unwrap();
        assert_eq!((sealed.previous, sealed.first, sealed.link), (Hash::of(b"before"), 7, link));
        assert_eq!((link.sequence, count(&line)), (7, 1));
    }

    #[test]
    fn a_line_of_many_records_states_the_first_and_how_many_they_are() {
        let (line, link) = holding(5);
        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&json["sequence"], &json["holds"]), (&7.into(), &5.into()));
        let sealed = unseal(&line).unwrap();
        assert_eq!((sealed.first, sealed.link), (7, link));
        assert_eq!((link.sequence, count(&line)), (11, 5));
    }

    #[test]
    fn no_bit_of_it_can_be_changed() {
        for (line, _) in [line(), holding(2)] {
            for at in 0..line.len() * 8 {
                let mut edited = line.clone();
                edited[at / 8] ^= 1 << (at % 8);
                assert!(unseal(&edited).is_err(), "bit {at}");
            }
        }
    }

    #[test]
    fn a_link_is_read_as_it_is_written() {
        let (_, link) = line();
        assert_eq!(link.to_string().parse(), Ok(link));
        assert_eq!("7:abc".parse::<Link>(), Err(NotALink));
    }
}
