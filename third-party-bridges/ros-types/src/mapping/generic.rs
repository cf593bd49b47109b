//! Calls by name with JSON, for programs that have no generated types (spec 6.6).

use keyway_value::{ActionId, MetaMethod, MetaObject, Signature, Value};

use super::callable::{BadArgument, json_arguments};
use crate::json;

/// What `/qi/call` and `/qi/call_std` ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenericCall {
    /// The service in the directory.
    pub service: String,
    /// `m`, `m::(ii)` for one of several, `get:p`, `set:p`.
    pub member: String,
    /// A JSON array; an empty text is one without elements.
    pub args_json: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum GenericTarget<'m> {
    /// Call a method with these.
    Method(&'m MetaMethod, Vec<Value>),
    /// Read a property.
    Get(ActionId),
    /// Set a property.
    Set(ActionId, Value),
}

/// A call that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenericError {
    /// The request is not what it should be.
    #[error("bad request: {0}; write {{\"service\":\"S\",\"member\":\"m\",\"args\":[]}}")]
    Request(String),
    /// There is no such member, or it is not shown.
    #[error("not exposed")]
    NotExposed,
    /// The arguments do not fit.
    #[error(transparent)]
    Argument(#[from] BadArgument),
}

impl GenericCall {
    /// Out of the request of `/qi/call`.
    pub fn of_request(request: &Value) -> Option<Self> {
        let [service, member, args_json] = request.as_list()? else {
            return None;
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self { service: text(service)?, member: text(member)?, args_json: text(args_json)? })
    }

    /// Out of the text of `/qi/call_std`: `{"service":"S","member":"m","args":[..]}`.
    pub fn of_text(text: &str) -> Result<Self, GenericError> {
        let bad = |reason: &str| GenericError::Request(reason.to_owned());
        let mut request: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| bad(&error.to_string()))?;
        let args_json = request.remove("args").map(|args| args.to_string()).unwrap_or_default();
        let mut name = |key: &str| match request.remove(key) {
            Some(serde_json::Value::String(name)) => Ok(name),
            _ => Err(bad(&format!("{key} is a text"))),
        };
        Ok(Self { service: name("service")?, member: name("member")?, args_json })
    }

    /// What is meant, of the members of the service that are shown.
    pub fn resolve<'m>(&self, members: &'m MetaObject) -> Result<GenericTarget<'m>, GenericError> {
        let args = if self.args_json.trim().is_empty() { "[]" } else { &self.args_json };
        if let Some(property) = self.member.strip_prefix("get:") {
            let property = members.property_by_name(property).ok_or(GenericError::NotExposed)?;
            json_arguments(args, &Signature::tuple([]))?;
            return Ok(GenericTarget::Get(ActionId(property.uid)));
        }
        if let Some(property) = self.member.strip_prefix("set:") {
            let property = members.property_by_name(property).ok_or(GenericError::NotExposed)?;
            let value = json_arguments(args, &Signature::tuple([property.signature.clone()]))?.pop();
            return Ok(GenericTarget::Set(ActionId(property.uid), value.unwrap_or_default()));
        }
        let mut refused = None;
        for method in members.methods_named(&self.member) {
            match json_arguments(args, &method.parameters_signature) {
                Ok(arguments) => return Ok(GenericTarget::Method(method, arguments)),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        Err(refused.map_or(GenericError::NotExposed, GenericError::Argument))
    }

    /// The response of `/qi/call`: `ok`, `result_json`, `error`.
    pub fn response(result: Result<&Value, &str>) -> Vec<Value> {
        match result {
            Ok(value) => vec![true.into(), json::to_json(value).into(), "".into()],
            Err(error) => vec![false.into(), "".into(), super::callable::shortened(error).into()],
        }
    }

    /// The response of `/qi/call_std`: `success`, `message`.
    pub fn std_response(result: Result<&Value, &str>) -> Vec<Value> {
        match result {
            Ok(value) => vec![true.into(), json::to_json(value).into()],
            Err(error) => vec![false.into(), super::callable::shortened(error).into()],
        }
    }
}
