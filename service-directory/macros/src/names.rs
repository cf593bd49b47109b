//! Names on the wire.

use syn::{Error, LitStr, Result};

/// How names on the wire follow from names in Rust.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Case {
    /// As they are written.
    #[default]
    AsWritten,
    /// `setLevel` for `set_level`.
    Camel,
}

impl Case {
    /// The value of `rename_all`.
    pub(crate) fn parse(text: Option<&LitStr>) -> Result<Self> {
        match text {
            None => Ok(Self::AsWritten),
            Some(text) if text.value() == "camelCase" => Ok(Self::Camel),
            Some(text) => Err(Error::new(text.span(), "the only case there is is \"camelCase\"")),
        }
    }

    /// The name on the wire: the one that is given, or what follows from the one in Rust.
    pub(crate) fn name(self, rust: &str, given: Option<&LitStr>) -> Result<String> {
        match given {
            Some(given) => checked(given),
            None => Ok(self.apply(rust)),
        }
    }

    fn apply(self, name: &str) -> String {
        if self == Self::AsWritten {
            return name.to_owned();
        }
        let bare = name.trim_start_matches('_');
        let mut changed = name[..name.len() - bare.len()].to_owned();
        for (i, word) in bare.split('_').filter(|word| !word.is_empty()).enumerate() {
            let mut letters = word.chars();
            match letters.next() {
                Some(first) if i > 0 => changed.extend(first.to_uppercase()),
                Some(first) => changed.push(first),
                None => {}
            }
            changed.push_str(letters.as_str());
        }
        changed
    }
}

/// A name that was given as text; signatures give some characters a meaning (spec 3.1, 3.2).
pub(crate) fn checked(name: &LitStr) -> Result<String> {
    let text = name.value();
    if text.is_empty() || text.contains(['<', '>', ',', '(', ')']) {
        return Err(Error::new(name.span(), "a name on the wire is not empty and has none of `<`, `>`, `,`, `(`, `)`"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::Case;

    #[test]
    fn camel_case_keeps_leading_underscores_and_joins_words() {
        let camel = |name| Case::Camel.apply(name);
        assert_eq!(camel("level"), "level");
        assert_eq!(camel("set_battery_level"), "setBatteryLevel");
        assert_eq!(camel("_hidden_member"), "_hiddenMember");
        assert_eq!(camel("isUp"), "isUp");
        assert_eq!(Case::AsWritten.apply("set_level"), "set_level");
    }
}
