//! Which certificates a row of the configuration is about.

use keyway_policy::Glob;

use super::names::{DNS, EMAIL, IP, URI};

/// One row of the table.
#[derive(Debug, Clone)]
pub(crate) struct CertificateRule {
    pub(crate) subject: Option<Glob>,
    pub(crate) san: Option<SanPattern>,
    pub(crate) role: String,
}

/// A pattern of alternative names of one kind: one of host names does not match a URI that contains one.
#[derive(Debug, Clone)]
pub(crate) struct SanPattern {
    pub(crate) kind: &'static str,
    pub(crate) name: Glob,
}

impl CertificateRule {
    /// Whether a certificate meets all that the row asks for.
    pub(crate) fn matches(&self, subject: &str, sans: &[&str]) -> bool {
        let by_subject = self.subject.as_ref().is_none_or(|glob| glob.matches(subject));
        let by_san = self.san.as_ref().is_none_or(|pattern| sans.iter().any(|san| pattern.matches(san)));
        by_subject && by_san && (self.subject.is_some() || self.san.is_some())
    }
}

impl SanPattern {
    /// The kind and the pattern of a text such as `uri:spiffe://lab/*`; without a kind it is about host names.
    pub(crate) fn split(text: &str) -> (&'static str, String) {
        let stated = text.split_once(':').and_then(|(kind, rest)| {
            let known = [DNS, EMAIL, IP, URI].into_iter().find(|known| known.eq_ignore_ascii_case(kind))?;
            Some((known, rest))
        });
        let (kind, rest) = stated.unwrap_or((DNS, text));
        // As the names are, whose case counts in URIs only.
        (kind, if kind == URI { rest.to_owned() } else { rest.to_ascii_lowercase() })
    }

    fn matches(&self, san: &str) -> bool {
        san.split_once(':').is_some_and(|(kind, name)| kind == self.kind && self.name.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(subject: Option<&str>, san: Option<&str>) -> CertificateRule {
        let pattern = |text: &str| {
            let (kind, name) = SanPattern::split(text);
            SanPattern { kind, name: Glob::parse(&name).unwrap() }
        };
        let subject = subject.map(|subject| Glob::parse(subject).unwrap());
        CertificateRule { subject, san: san.map(pattern), role: String::new() }
    }

    #[test]
    fn a_pattern_is_about_names_of_its_kind() {
        for (pattern, san, matches) in [
            ("*.Lab.example", "dns:arm.lab.example", true),
            ("*.lab.example", "uri:https://x/.lab.example", false),
            ("*", "ip:192.0.2.7", false),
            ("DNS:arm", "dns:arm", true),
            ("email:*@Lab.example", "email:ops@lab.example", true),
            ("ip:192.0.2.*", "ip:192.0.2.7", true),
            ("ip:192.0.2.*", "dns:192.0.2.evil.example", false),
            ("ip:2001:DB8::7", "ip:2001:db8::7", true),
            ("uri:spiffe://lab/*", "uri:spiffe://lab/arm", true),
            ("uri:spiffe://lab/Arm", "uri:spiffe://lab/arm", false),
        ] {
            assert_eq!(rule(None, Some(pattern)).matches("CN=x", &[san]), matches, "{pattern} {san}");
        }
    }

    #[test]
    fn nobody_is_of_an_organisation_by_being_called_so() {
        let lab = rule(Some("CN=*,O=Lab"), None);
        assert!(lab.matches("CN=arm,O=Lab", &[]));
        assert!(!lab.matches(r"CN=arm\2CO\3DLab", &[]));
    }

    #[test]
    fn a_row_that_asks_for_nothing_is_about_nobody() {
        assert!(!rule(None, None).matches("CN=x", &["dns:x"]));
    }
}
