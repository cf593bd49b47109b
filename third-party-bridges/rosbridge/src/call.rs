//! Calls of clients: of services of the bus, of services of other clients, and of rosapi.

use std::time::Duration;

use keyway_bridge::{CallError, Peer};
use keyway_ros_types::{CallableKind, GenericCall, GenericTarget, Mapping, PACKAGE, RosVersion, Shape, TypeName};
use keyway_value::Value;
use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use crate::{
    graph::{Asked, Graph, now},
    message::Reader,
    op::full_name,
    rosapi,
};

/// What came of a call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A response of a type.
    Typed(Shape, Value),
    /// As another client has written it, or rosapi.
    Json(Json),
}

/// What a client is told of a call that failed: a text, or what another client has said.
pub(crate) type Failure = Json;

/// Calls the service of that name.
pub(crate) async fn call(
    graph: &Graph,
    peer: &Peer,
    service: &str,
    args: Json,
    timeout: Option<Duration>,
) -> Result<Answer, Failure> {
    let limit = timeout.unwrap_or_else(|| graph.bus.rules().limits.call_timeout);
    let name = full_name(service);
    let mapping = graph.mapping();
    if let Some(method) = name.strip_prefix("/rosapi/") {
        return rosapi::call(graph, &mapping, method, &args).map(Answer::Json).map_err(Json::from);
    }
    let calling = async {
        if let Some(callable) = mapping.callables().find(|callable| callable.name == name) {
            let arguments = request(&callable.request, &args)?;
            let arguments = callable.arguments(arguments).map_err(|error| error.to_string())?;
            let service = graph.bus.find(&callable.service).map_err(text)?;
            let result = match callable.kind {
                CallableKind::Method => {
                    let method =
                        service.members().method(callable.action).ok_or(CallError::NotExposed).map_err(text)?;
                    peer.call(&service, method, arguments).await
                }
                CallableKind::Get => peer.get(&service, callable.action).await,
                CallableKind::Set => {
                    let value = arguments.into_iter().next().unwrap_or_default();
                    peer.set(&service, callable.action, value).await.map(|()| Value::Void)
                }
            };
            let value = result.map_err(text)?;
            return Ok(Answer::Typed(callable.response.clone(), callable.answer(Ok(value))));
        }
        if let Some(generic) = generic(&mapping, &name) {
            return generic_call(graph, &mapping, peer, generic, &args).await.map_err(Json::from);
        }
        match graph.server(&name) {
            Some((asks, _)) => {
                let (answer, answered) = oneshot::channel();
                let asked = Asked { service: name.clone(), args: object(args), answer };
                asks.try_send(asked).map_err(|_| text(CallError::Busy))?;
                let gone = |_| text(CallError::Gone(name.clone()));
                answered.await.map_err(gone)?.map(Answer::Json)
            }
            None => Err(text(CallError::NotExposed)),
        }
    };
    match tokio::time::timeout(limit, calling).await {
        Ok(result) => result,
        Err(_) => Err(text(CallError::Timeout(limit))),
    }
}

/// The services that reach everything by name, with their types.
pub(crate) fn generic_services(mapping: &Mapping) -> Vec<(String, TypeName)> {
    let root = root(mapping);
    let all = [Generic::Call, Generic::CallStd, Generic::Definitions];
    let named = all.into_iter().filter_map(|generic| {
        let (name, package, kind) = generic.names();
        Some((format!("{root}/{name}"), TypeName::new(package, kind).ok()?))
    });
    named.collect()
}

/// A service that reaches everything by name (ROS spec 6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generic {
    Call,
    CallStd,
    Definitions,
}

impl Generic {
    /// Its name, and the two parts of its type's.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Call => ("call", PACKAGE, "Call"),
            Self::CallStd => ("call_std", "diagnostic_msgs", "AddDiagnostics"),
            Self::Definitions => ("definitions", "std_srvs", "Trigger"),
        }
    }
}

fn root(mapping: &Mapping) -> &str {
    mapping.options().root.trim_end_matches('/')
}

fn generic(mapping: &Mapping, name: &str) -> Option<Generic> {
    let name = name.strip_prefix(root(mapping))?.strip_prefix('/')?;
    [Generic::Call, Generic::CallStd, Generic::Definitions].into_iter().find(|generic| generic.names().0 == name)
}

async fn generic_call(
    graph: &Graph,
    mapping: &Mapping,
    peer: &Peer,
    generic: Generic,
    args: &Json,
) -> Result<Answer, String> {
    let field = |name: &str, at: usize| {
        let value = args.get(name).or_else(|| args.get(at)).and_then(Json::as_str);
        value.unwrap_or_default().to_owned()
    };
    let (wanted, is_std) = match generic {
        Generic::Definitions => {
            return Ok(Answer::Json(json!({ "success": true, "message": mapping.definitions_json(RosVersion::Ros1) })));
        }
        Generic::CallStd => {
            (GenericCall::of_text(&field("load_namespace", 0)).map_err(|error| error.to_string()), true)
        }
        Generic::Call => {
            let (service, member, args_json) = (field("service", 0), field("member", 1), field("args_json", 2));
            (Ok(GenericCall { service, member, args_json }), false)
        }
    };
    let result = match wanted {
        Ok(wanted) => run(graph, peer, &wanted).await,
        Err(error) => Err(error),
    };
    let text = result.as_ref().map(keyway_ros_types::json::to_json);
    Ok(Answer::Json(match (is_std, text) {
        (true, Ok(text)) => json!({ "success": true, "message": text }),
        (true, Err(error)) => json!({ "success": false, "message": error }),
        (false, Ok(text)) => json!({ "ok": true, "result_json": text, "error": "" }),
        // As of any other service that fails.
        (false, Err(error)) => return Err(error.clone()),
    }))
}

async fn run(graph: &Graph, peer: &Peer, wanted: &GenericCall) -> Result<Value, String> {
    let service = graph.bus.find(&wanted.service).map_err(|error| error.to_string())?;
    let result = match wanted.resolve(service.members()).map_err(|error| error.to_string())? {
        GenericTarget::Method(method, arguments) => peer.call(&service, method, arguments).await,
        GenericTarget::Get(property) => peer.get(&service, property).await,
        GenericTarget::Set(property, value) => peer.set(&service, property, value).await.map(|()| Value::Void),
    };
    result.map_err(|error| error.to_string())
}

/// A request's message; fields that are missing are zero.
fn request(shape: &Shape, args: &Json) -> Result<Value, String> {
    match shape {
        Shape::Message(message) => Reader::new(now()).message(message, args).map_err(|error| error.to_string()),
        _ => Ok(Value::Void),
    }
}

/// What servers expect.
fn object(args: Json) -> Json {
    if args.is_null() { json!({}) } else { args }
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn text(error: CallError) -> Json {
    error.to_string().into()
}
