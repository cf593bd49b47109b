//! `[audit]`.

use std::{path::PathBuf, time::Duration};

use keyway_history::audit;
use keyway_policy::Glob;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ByteSize, units};

/// The log of who did what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Where the log is kept; nothing is logged if it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Members whose argument values are recorded, as patterns: `"ALMotion.*"`.
    pub arguments: Vec<MemberGlob>,
    /// What happens when there is no room for a record.
    pub overflow: AuditOverflow,
    /// Records that may wait to be written.
    pub queue: usize,
    /// A segment that would grow beyond this is followed by another.
    pub segment_size: ByteSize,
    /// The oldest segments are deleted when all have more than this; all are kept if it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<ByteSize>,
    /// Arguments larger than this (at most `"64KiB"`) are recorded by their length.
    pub argument_size: ByteSize,
    /// At most so much is lost when the machine stops; `"0s"` waits for the disk after each batch.
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub sync_every: Duration,
}

/// What happens when there is no room for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuditOverflow {
    /// It is dropped, and a later record states how many were.
    #[default]
    DropAndCount,
    /// What was to be recorded is refused.
    FailClosed,
}

impl Audit {
    /// For the log.
    pub fn options(&self) -> audit::Options {
        audit::Options {
            segment_bytes: self.segment_size.0,
            keep_bytes: self.keep.map(|keep| keep.0),
            queue: self.queue,
            argument_bytes: self.argument_size.as_usize(),
            sync_every: self.sync_every,
            ..audit::Options::default()
        }
    }

    /// Whether the values of a member's arguments are recorded.
    pub fn records_arguments(&self, service: &str, member: &str) -> bool {
        self.arguments.iter().any(|glob| glob.matches(service, member))
    }
}

impl Default for Audit {
    fn default() -> Self {
        let usual = audit::Options::default();
        Self {
            folder: None,
            arguments: Vec::new(),
            overflow: AuditOverflow::default(),
            queue: usual.queue,
            segment_size: ByteSize(usual.segment_bytes),
            keep: usual.keep_bytes.map(ByteSize),
            argument_size: ByteSize(usual.argument_bytes as u64),
            sync_every: usual.sync_every,
        }
    }
}

impl From<AuditOverflow> for audit::Overflow {
    fn from(overflow: AuditOverflow) -> Self {
        match overflow {
            AuditOverflow::DropAndCount => Self::DropAndCount,
            AuditOverflow::FailClosed => Self::FailClosed,
        }
    }
}

/// Patterns of a service and its member: `ALMotion.set*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct MemberGlob {
    text: String,
    #[schemars(skip)]
    service: Glob,
    #[schemars(skip)]
    member: Glob,
}

impl MemberGlob {
    /// Whether it is about a member.
    pub fn matches(&self, service: &str, member: &str) -> bool {
        self.service.matches(service) && self.member.matches(member)
    }
}

impl TryFrom<String> for MemberGlob {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            |why: &str| format!("{text:?} is no pattern of members: {why}; write \"Service.member\" or \"*.*\"");
        let (service, member) = text.rsplit_once('.').ok_or_else(|| wrong("it has no dot"))?;
        let glob = |part| Glob::parse(part).map_err(|error| wrong(&error.to_string()));
        let (service, member) = (glob(service)?, glob(member)?);
        Ok(Self { text, service, member })
    }
}

impl From<MemberGlob> for String {
    fn from(glob: MemberGlob) -> Self {
        glob.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_that_a_pattern_names_have_their_arguments_recorded() {
        let glob = |text: &str| MemberGlob::try_from(text.to_owned());
        let arguments = vec![glob("ALMotion.set*").unwrap(), glob("robot.ALLeds.*").unwrap()];
        let audit = Audit { arguments, ..Audit::default() };
        assert!(audit.records_arguments("ALMotion", "setStiffnesses"));
        assert!(audit.records_arguments("robot.ALLeds", "on"));
        assert!(!audit.records_arguments("ALMotion", "moveTo"));
        assert!(!audit.records_arguments("ALTextToSpeech", "setVolume"));
        assert!(glob("ALMotion").is_err() && glob("ALMotion.").is_err() && glob("[.x").is_err());
    }

    #[test]
    fn the_defaults_are_those_of_the_log() {
        assert_eq!(Audit::default().options(), audit::Options::default());
    }
}
