//! Client certificates: subject or alternative name → role.

use keyway_policy::Glob;

/// One row of the table.
#[derive(Debug, Clone)]
pub(crate) struct CertificateRule {
    pub(crate) subject: Option<Glob>,
    pub(crate) san: Option<Glob>,
    pub(crate) role: String,
}

impl CertificateRule {
    /// Whether a certificate meets all that the row asks for. Alternative names are compared without case.
    pub(crate) fn matches(&self, subject: &str, sans: &[&str]) -> bool {
        let by_subject = self.subject.as_ref().is_none_or(|glob| glob.matches(subject));
        let by_san =
            self.san.as_ref().is_none_or(|glob| sans.iter().any(|san| glob.matches(&san.to_ascii_lowercase())));
        by_subject && by_san && (self.subject.is_some() || self.san.is_some())
    }
}
