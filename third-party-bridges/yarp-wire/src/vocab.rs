//! Short words that travel as a number.

use std::fmt;

/// Up to four characters, or eight in [`Dialect::V4`](crate::Dialect::V4), the first in the lowest byte.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Vocab(pub u64);

impl Vocab {
    /// What `false` is.
    pub const FALSE: Self = Self(0);
    /// What `true` is.
    pub const TRUE: Self = Self(b'1' as u64);
    /// What begins an error.
    pub const FAIL: Self = Self::new("fail");
    /// What begins a reply of several lines.
    pub const MANY: Self = Self::new("many");
    /// What stands for no value.
    pub const NULL: Self = Self::new("null");
    /// Success.
    pub const OK: Self = Self::new("ok");

    /// The first eight characters of a word.
    pub const fn new(word: &str) -> Self {
        Self::of(word.as_bytes(), 8)
    }

    /// The first `length` characters of a word.
    pub(crate) const fn of(word: &[u8], length: usize) -> Self {
        let (mut number, mut at) = (0, 0);
        while at < word.len() && at < length && at < 8 {
            number |= (word[at] as u64) << (8 * at);
            at += 1;
        }
        Self(number)
    }

    /// The characters.
    pub fn word(self) -> Vec<u8> {
        let bytes = self.0.to_le_bytes();
        let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes[..length].to_vec()
    }

    /// Whether it fits the four characters of [`Dialect::V3`](crate::Dialect::V3).
    pub const fn is_short(self) -> bool {
        self.0 <= u32::MAX as u64
    }
}

impl fmt::Debug for Vocab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", String::from_utf8_lossy(&self.word()))
    }
}
