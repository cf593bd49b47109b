//! Sizes and durations as people write them.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes, written with their unit: `"64KiB"`, `"256MiB"`, `"1GiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// As a count in memory; the largest there is, if it is larger.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    pub(crate) const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    pub(crate) const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

impl TryFrom<String> for ByteSize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = |_| format!("{text:?} is no size; write a number and its unit, such as \"64KiB\"");
        bytesize::ByteSize::from_str(&text).map(|size| Self(size.as_u64())).map_err(wrong)
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

/// In the largest unit that needs no fraction, so that it is read as what was written.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        let fits = |shift: &u32| self.0 != 0 && self.0.trailing_zeros() >= *shift;
        match units.iter().find(|(shift, _)| fits(shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// Durations: `"10s"`, `"1m 30s"`, `"250ms"`.
pub(crate) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |why| format!("{text:?} is no duration ({why}); write a number and its unit, such as \"10s\"");
        humantime::parse_duration(&text).map_err(|why| D::Error::custom(wrong(why)))
    }
}

/// Durations that may be missing.
pub(crate) mod optional_duration {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    use super::duration;

    pub(crate) fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => duration::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_written_as_it_is_read() {
        for text in ["0B", "1B", "1000B", "64KiB", "1023KiB", "256MiB", "3GiB", "2TiB"] {
            assert_eq!(ByteSize::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        assert_eq!(ByteSize::try_from("1.5 KiB".to_owned()), Ok(ByteSize(1536)));
        assert_eq!(ByteSize::try_from("1kB".to_owned()), Ok(ByteSize(1000)));
        assert!(ByteSize::try_from("much".to_owned()).unwrap_err().contains("64KiB"));
    }
}
