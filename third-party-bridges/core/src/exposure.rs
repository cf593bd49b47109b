//! Which services and members a bridge shows.

use keyway::{ActionId, MetaObject};

/// An allow-list: `Service`, `Prefix*`, `Service.member`, and `!pattern`, which wins over the others.
///
/// The directory, and services and members whose names begin with `_`, are shown only where an entry without `*` names them. The
/// members that every object has are never shown.
///
/// ```
/// use keyway_bridge::Exposure;
///
/// let exposure = Exposure::parse(["ALMotion.move*", "ALText*", "!ALTextToSpeech.setVolume"])?;
/// assert!(exposure.member("ALMotion", "moveTo") && !exposure.member("ALMotion", "rest"));
/// assert!(exposure.member("ALTextToSpeech", "say") && !exposure.member("ALTextToSpeech", "setVolume"));
/// assert!(!exposure.service("ALMemory"));
/// # Ok::<(), keyway_bridge::PatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    shown: Vec<Pattern>,
    hidden: Vec<Pattern>,
}

/// Why a list of patterns is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Nothing would be shown.
    #[error("no service is named, so nothing would be shown; name at least one, such as \"ALTextToSpeech\" or \"AL*\"")]
    Nothing,
    /// The text is no pattern.
    #[error("{0:?} is no pattern; write \"Service\", \"Prefix*\", \"Service.member\", or one of them behind a \"!\"")]
    Malformed(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// All of it: names of services may have dots.
    text: String,
    /// Where its last dot is.
    dot: Option<usize>,
}

impl Exposure {
    /// Reads the entries of a list.
    pub fn parse<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, PatternError> {
        let mut exposure = Self { shown: Vec::new(), hidden: Vec::new() };
        for text in patterns {
            match text.strip_prefix('!') {
                Some(rest) => exposure.hidden.push(Pattern::parse(text, rest)?),
                None => exposure.shown.push(Pattern::parse(text, text)?),
            }
        }
        if exposure.shown.is_empty() { Err(PatternError::Nothing) } else { Ok(exposure) }
    }

    /// Whether anything of a service is shown.
    pub fn service(&self, service: &str) -> bool {
        let names_it = |pattern: &Pattern| pattern.parts().any(|(name, _)| is_named(name, service));
        let hides_it = |pattern: &Pattern| matches(&pattern.text, service);
        self.shown.iter().any(names_it) && !self.hidden.iter().any(hides_it)
    }

    /// Whether a member of a service is shown.
    pub fn member(&self, service: &str, member: &str) -> bool {
        let shows = |pattern: &Pattern| {
            pattern.parts().any(|(name, members)| {
                // What begins with `_` is not one of all.
                is_named(name, service) && is_named(members.unwrap_or("*"), member)
            })
        };
        let hides = |pattern: &Pattern| {
            pattern.parts().any(|(name, members)| matches(name, service) && matches(members.unwrap_or("*"), member))
        };
        self.shown.iter().any(shows) && !self.hidden.iter().any(hides)
    }

    /// What is shown of a service's members, with their ids.
    pub fn filter(&self, service: &str, members: &MetaObject) -> MetaObject {
        let is_shown = |id: u32, name: &str| !MetaObject::is_reserved(ActionId(id)) && self.member(service, name);
        let mut shown = members.clone();
        shown.methods.retain(|id, method| is_shown(*id, &method.name));
        shown.signals.retain(|id, signal| is_shown(*id, &signal.name));
        shown.properties.retain(|id, property| is_shown(*id, &property.name));
        shown
    }

    /// The entries, as they were written.
    pub fn patterns(&self) -> impl Iterator<Item = String> {
        let hidden = self.hidden.iter().map(|pattern| format!("!{}", pattern.text));
        self.shown.iter().map(|pattern| pattern.text.clone()).chain(hidden)
    }
}

impl Pattern {
    fn parse(written: &str, text: &str) -> Result<Self, PatternError> {
        let dot = text.rfind('.');
        let is_whole = !text.is_empty() && !text.starts_with('.') && !text.ends_with('.');
        if !is_whole || text.len() > MAX_LENGTH || text.contains(|letter: char| letter.is_control() || letter == '!') {
            return Err(PatternError::Malformed(written.to_owned()));
        }
        Ok(Self { text: text.to_owned(), dot })
    }

    /// What it may mean: a service and its members, or a service whose name has a dot.
    fn parts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let member = self.dot.map(|dot| (&self.text[..dot], Some(&self.text[dot + 1..])));
        member.into_iter().chain([(self.text.as_str(), None)])
    }
}

/// Whether a pattern shows a name: hidden names are shown by themselves only.
fn is_named(pattern: &str, name: &str) -> bool {
    let is_guarded = name.starts_with('_') || name == DIRECTORY;
    if is_guarded { pattern == name } else { matches(pattern, name) }
}

/// Whether all of a name is matched; `*` stands for any letters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// The name of service 1.
const DIRECTORY: &str = "ServiceDirectory";
const MAX_LENGTH: usize = 256;

#[cfg(test)]
mod tests {
    use keyway::Signature;

    use super::*;

    fn exposure(patterns: &[&str]) -> Exposure {
        Exposure::parse(patterns.iter().copied()).unwrap()
    }

    #[test]
    fn only_what_an_entry_names_is_shown() {
        let rows: &[(&[&str], &str, &str, bool)] = &[
            (&["Probe"], "Probe", "add", true),
            (&["Probe"], "Probes", "add", false),
            (&["Pro*"], "Probes", "add", true),
            (&["*"], "Probe", "add", true),
            (&["P*b*"], "Probe", "add", true),
            (&["P*x*"], "Probe", "add", false),
            (&["Probe.add"], "Probe", "add", true),
            (&["Probe.add"], "Probe", "sub", false),
            (&["Probe.a*"], "Probe", "all", true),
            (&["*.add"], "Probe", "add", true),
            (&["my.Probe"], "my.Probe", "add", true),
            (&["my.Probe.add"], "my.Probe", "add", true),
            (&["my.Probe.add"], "my.Probe", "sub", false),
            (&["Probe", "!Probe.add"], "Probe", "add", false),
            (&["Probe", "!Probe.add"], "Probe", "sub", true),
            (&["!Probe.add", "Probe.add"], "Probe", "add", false),
            (&["*", "!Probe"], "Probe", "add", false),
            (&["*", "!P*"], "Probe", "add", false),
        ];
        for (patterns, service, member, expected) in rows {
            assert_eq!(exposure(patterns).member(service, member), *expected, "{patterns:?} {service}.{member}");
        }
    }

    #[test]
    fn a_service_is_shown_when_anything_of_it_is() {
        assert!(exposure(&["Probe.add"]).service("Probe"));
        assert!(!exposure(&["Probe.add"]).service("Other"));
        assert!(!exposure(&["*", "!Probe"]).service("Probe"));
        assert!(exposure(&["*", "!Probe.add"]).service("Probe"));
    }

    #[test]
    fn the_directory_and_names_with_an_underscore_are_shown_by_exact_entries_only() {
        for patterns in [&["*"][..], &["Service*"], &["*.*"], &["_*"], &["Probe"]] {
            let exposure = exposure(patterns);
            assert!(!exposure.service("ServiceDirectory") && !exposure.service("_secret"), "{patterns:?}");
            assert!(!exposure.member("Probe", "_hidden") && !exposure.member("ServiceDirectory", "services"));
        }
        assert!(exposure(&["ServiceDirectory"]).member("ServiceDirectory", "services"));
        assert!(exposure(&["_secret"]).member("_secret", "open"));
        assert!(exposure(&["Probe._hidden"]).member("Probe", "_hidden"));
        assert!(!exposure(&["Probe._hidden"]).member("Probe", "add"));
        // `!` needs no exact name.
        assert!(!exposure(&["_secret", "!_*"]).service("_secret"));
    }

    #[test]
    fn the_members_that_every_object_has_are_not_shown() {
        let mut builder = MetaObject::builder();
        let add = builder.method("add", Signature::parse("(ii)").unwrap(), Signature::int32());
        builder.method("_secret", Signature::parse("()").unwrap(), Signature::void());
        builder.property("gain", Signature::double());
        let shown = exposure(&["*"]).filter("Probe", &builder.build().with_reserved());
        assert_eq!(shown.methods.keys().copied().collect::<Vec<_>>(), [add.0]);
        assert!(shown.signals.len() == 1 && shown.properties.len() == 1, "{shown:?}");
    }

    #[test]
    fn a_list_without_entries_is_refused() {
        assert_eq!(Exposure::parse([]), Err(PatternError::Nothing));
        assert_eq!(Exposure::parse(["!Probe"]), Err(PatternError::Nothing));
        for text in ["", "!", ".", "a.", ".a", "!!a", "a\n", &"a".repeat(257)] {
            assert_eq!(Exposure::parse([text]), Err(PatternError::Malformed(text.to_owned())));
        }
        let written = ["A", "B.c", "!D"];
        assert_eq!(exposure(&written).patterns().collect::<Vec<_>>(), written);
    }
}
