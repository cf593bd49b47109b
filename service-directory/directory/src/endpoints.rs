//! The endpoints that clients are given (spec 7.3).

use std::collections::BTreeSet;

use keyway_wire::Endpoint;

use crate::DirectoryError;

/// The absolute endpoints of a registration, checked, sorted, each once.
pub fn absolute(given: &[String], limit: usize) -> Result<BTreeSet<Endpoint>, DirectoryError> {
    if given.len() > limit {
        return Err(DirectoryError::TooMany { what: "endpoints of one service", limit });
    }
    let mut endpoints = BTreeSet::new();
    for text in given {
        let endpoint = Endpoint::parse(text).map_err(|error| DirectoryError::InvalidEndpoint(error.0))?;
        if !endpoint.is_relative() {
            endpoints.insert(endpoint);
        }
    }
    Ok(endpoints)
}

/// What a client is told: with `others`, also that it can come through every service whose endpoints are all among
/// these. Services without endpoints lead nowhere and do not count (H7).
pub fn shown<'a>(
    own: &BTreeSet<Endpoint>,
    others: impl Iterator<Item = (&'a str, &'a BTreeSet<Endpoint>)>,
) -> Vec<String> {
    let mut shown = own.clone();
    for (name, endpoints) in others {
        if !endpoints.is_empty() && endpoints.is_subset(own) {
            // A name that cannot stand in a URI has no relative endpoint (7.9, H1).
            shown.extend(Endpoint::relative(name));
        }
    }
    shown.into_iter().map(|endpoint| endpoint.as_str().to_owned()).collect()
}
