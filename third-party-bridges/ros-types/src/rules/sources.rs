//! What a rule polls, in the order in which it is called.

use std::collections::{BTreeMap, BTreeSet};

use super::{ExpressionError, Source};

/// Methods by names of the rule's own. What is called once comes first; a source whose arguments are parts of another comes after
/// that one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sources(Vec<(String, Source)>);

impl Sources {
    /// Orders them. Each may use the others, but not in a circle.
    pub fn new(sources: BTreeMap<String, Source>) -> Result<Self, ExpressionError> {
        let mut known = BTreeSet::new();
        let mut ordered = Vec::with_capacity(sources.len());
        let mut waiting: Vec<(String, Source)> = sources.into_iter().collect();
        waiting.sort_by_key(|(_, source)| !source.is_once);
        while !waiting.is_empty() {
            let ready = waiting.iter().position(|(_, source)| source.uses().all(|name| known.contains(name)));
            let Some(ready) = ready else {
                let missing = waiting.iter().flat_map(|(_, source)| source.uses()).find(|name| !known.contains(*name));
                return Err(ExpressionError::NoSuchSource(missing.unwrap_or_default().to_owned()));
            };
            let (name, source) = waiting.remove(ready);
            known.insert(name.clone());
            ordered.push((name, source));
        }
        Ok(Self(ordered))
    }

    /// Fails if a method uses what is no source, such as the one that is called when nobody listens any more.
    pub fn check(&self, source: &Source) -> Result<(), ExpressionError> {
        match source.uses().find(|used| !self.0.iter().any(|(name, _)| name == used)) {
            Some(missing) => Err(ExpressionError::NoSuchSource(missing.to_owned())),
            None => Ok(()),
        }
    }

    /// In the order in which they are called.
    pub fn iter(&self) -> impl Iterator<Item = &(String, Source)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(texts: &[(&str, &str)]) -> Result<Vec<String>, ExpressionError> {
        let parsed = texts.iter().map(|(name, text)| ((*name).to_owned(), Source::parse(text).unwrap())).collect();
        Sources::new(parsed).map(|sources| sources.iter().map(|(name, _)| name.clone()).collect())
    }

    #[test]
    fn a_source_is_called_after_what_it_uses_and_what_is_called_once_first() {
        let camera = [("a", "V.getImage(handle)"), ("b", "V.now()"), ("handle", "V.open(\"x\") @once")];
        assert_eq!(sources(&camera).unwrap(), ["handle", "a", "b"]);
        let chain = [("a", "V.f(b[0])"), ("b", "V.g(-c.x)"), ("c", "V.h()")];
        assert_eq!(sources(&chain).unwrap(), ["c", "b", "a"]);
    }

    #[test]
    fn circles_and_names_of_nothing_are_refused() {
        let missing = |texts: &[(&str, &str)]| sources(texts).unwrap_err().to_string();
        assert!(missing(&[("a", "V.f(b)")]).contains("\"b\""), "{}", missing(&[("a", "V.f(b)")]));
        assert!(missing(&[("a", "V.f(b)"), ("b", "V.f(a)")]).contains("is not among the sources"));
        let handle = BTreeMap::from([("handle".to_owned(), Source::parse("V.open()").unwrap())]);
        let known = Sources::new(handle).unwrap();
        assert_eq!(known.check(&Source::parse("V.close(handle, 1)").unwrap()), Ok(()));
        assert!(known.check(&Source::parse("V.close(handel)").unwrap()).is_err());
    }
}
