//! What a verified token says.

use keyway_policy::Glob;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{JwtError, JwtRules, decode};

#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// Of a token that was verified before.
    pub(crate) fn of(token: &str) -> Option<Self> {
        let claims = token.split('.').nth(1)?;
        serde_json::from_slice(&decode(claims).ok()?).ok()
    }

    /// Time, issuer and audience.
    pub(super) fn check(&self, rules: &JwtRules, now: u64) -> Result<(), JwtError> {
        let (now, leeway) = (now as f64, rules.leeway as f64);
        let time = |name: &str| self.0.get(name).map(|value| value.as_f64().ok_or(JwtError::Malformed)).transpose();
        if time("exp")?.is_none_or(|expires| now >= expires + leeway) {
            return Err(JwtError::Expired);
        }
        if time("nbf")?.is_some_and(|starts| now + leeway < starts) {
            return Err(JwtError::NotYet);
        }
        self.check_parties(rules)
    }

    /// Issuer and audience.
    pub(super) fn check_parties(&self, rules: &JwtRules) -> Result<(), JwtError> {
        if self.text("iss") != Some(&rules.issuer) {
            return Err(JwtError::Issuer);
        }
        let is_audience = |value: &Value| value.as_str() == Some(&rules.audience);
        let for_us = match self.0.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(is_audience),
            Some(audience) => is_audience(audience),
            None => false,
        };
        if for_us { Ok(()) } else { Err(JwtError::Audience) }
    }

    pub(super) fn subject(&self) -> Option<&str> {
        self.text("sub").filter(|subject| !subject.is_empty())
    }

    /// Whether a claim is, or has in its list, a value. The words of `scope` are a list (RFC 8693).
    pub(super) fn has(&self, claim: &str, value: &Glob) -> bool {
        match self.0.get(claim) {
            Some(Value::String(text)) if claim == "scope" => text.split(' ').any(|word| value.matches(word)),
            Some(Value::String(text)) => value.matches(text),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).any(|text| value.matches(text)),
            _ => false,
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}
