//! `[[lease]]`.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// A service that one client at a time may use exclusively.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Its name.
    pub service: String,
    /// What is called, without arguments, when the client that holds it is lost: `"ALMotion.stopMove"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_loss: Option<MemberPath>,
    /// A client that calls nothing for so long, and waits for no answer, has lost it: `"1s"` to `"1h"`.
    #[serde(with = "units::duration", default = "idle")]
    #[schemars(with = "String")]
    pub idle: Duration,
}

fn idle() -> Duration {
    Duration::from_secs(60)
}

/// A method of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct MemberPath {
    /// The service's name.
    pub service: String,
    /// The method's name.
    pub member: String,
}

impl TryFrom<String> for MemberPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.rsplit_once('.') {
            Some((service, member)) if !service.is_empty() && !member.is_empty() => {
                Ok(Self { service: service.to_owned(), member: member.to_owned() })
            }
            _ => Err(format!("{text:?} is no method; write \"Service.method\"")),
        }
    }
}

impl From<MemberPath> for String {
    fn from(path: MemberPath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service, self.member)
    }
}
