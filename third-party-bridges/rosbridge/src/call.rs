//! Calls of clients: of services of the bus, of services of other clients, and of rosapi.

use std::time::Duration;

use keyway_bridge::{CallError, Peer};
use keyway_ros_types::Shape;
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
    if let Some(method) = name.strip_prefix("/rosapi/") {
        return rosapi::call(graph, &graph.mapping(), method, &args).map(Answer::Json).map_err(Json::from);
    }
    let calling = async {
        if let Some(provided) = graph.provided(&name) {
            let request = request(provided.request(), &args);
            let answer = provided.answer(&graph.bus, peer, request).await;
            return match answer.failure {
                Some(text) => Err(text.into()),
                None => Ok(Answer::Typed(provided.response(), answer.message)),
            };
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
