//! What is said over a WebSocket (sans-I/O). See docs/http.md.

use keyway_gateway::client::{Missed, Overflow};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::problem::Problem;

/// A message of a client. Its id is in every answer to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message<'t> {
    pub(crate) id: u64,
    pub(crate) op: Op,
    /// The service, or the id of an object for `call`.
    #[serde(default)]
    pub(crate) service: Option<String>,
    #[serde(default)]
    pub(crate) object: Option<String>,
    /// The method, property or signal.
    #[serde(default)]
    pub(crate) member: Option<String>,
    #[serde(default, borrow)]
    pub(crate) arguments: Option<&'t RawValue>,
    #[serde(default, borrow)]
    pub(crate) value: Option<&'t RawValue>,
    #[serde(default)]
    pub(crate) overflow: Option<String>,
    #[serde(default)]
    pub(crate) since: Option<u64>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Op {
    /// A method's result.
    Call,
    /// The end of what another message with the same id has begun.
    Cancel,
    /// A service's members.
    Describe,
    /// A property's value.
    Get,
    /// Nothing but that a method is run.
    Post,
    /// That an object is let go of.
    Release,
    /// The names of the services.
    Services,
    /// That a property is set.
    Set,
    /// A signal's events.
    Subscribe,
}

impl<'t> Message<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// The rule of that name.
pub(crate) fn overflow(name: &str) -> Option<Overflow> {
    Some(match name {
        "block" => Overflow::Block,
        "disconnect" => Overflow::Disconnect,
        "drop-oldest" => Overflow::DropOldest,
        "latest" => Overflow::Latest,
        _ => return None,
    })
}

/// `result` is JSON text.
pub(crate) fn result(id: u64, result: &str) -> String {
    format!("{{\"id\":{id},\"result\":{result}}}")
}

/// `value` is JSON text.
pub(crate) fn event(id: u64, sequence: u64, value: &str) -> String {
    format!("{{\"id\":{id},\"sequence\":{sequence},\"event\":{value}}}")
}

pub(crate) fn gap(id: u64, missed: Missed) -> String {
    json!({ "id": id, "gap": gap_data(missed) }).to_string()
}

pub(crate) fn gap_data(missed: Missed) -> serde_json::Value {
    json!({ "from": missed.from, "to": missed.to })
}

/// A subscription has begun, or one is over: there will be nothing more for the id.
pub(crate) fn subscribed(id: u64) -> String {
    format!("{{\"id\":{id},\"subscribed\":true}}")
}

pub(crate) fn ended(id: u64) -> String {
    format!("{{\"id\":{id},\"end\":true}}")
}

pub(crate) fn error(id: Option<u64>, problem: &Problem) -> String {
    let id = id.map_or_else(|| "null".to_owned(), |id| id.to_string());
    format!("{{\"id\":{id},\"error\":{}}}", problem.json())
}
