//! `Service.member`, as qicli's users write it.

use std::str::FromStr;

/// A member of a service. Either part may hold `*`; the member may be a full name (`add::(ii)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) service: String,
    pub(crate) name: String,
}

impl FromStr for Member {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('.') {
            Some((service, name)) if !service.is_empty() && !name.is_empty() => {
                Ok(Self { service: service.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("{text:?} is not of the form Service.member; `keyway info Service` lists the members")),
        }
    }
}

/// Whether tools show a name only when asked to (spec 6.4).
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_a_service_and_a_name() {
        let member: Member = "Robot.add::(ii)".parse().unwrap();
        assert_eq!((member.service.as_str(), member.name.as_str()), ("Robot", "add::(ii)"));
        assert!("Robot".parse::<Member>().is_err() && ".x".parse::<Member>().is_err());
    }
}
