//! Services that the bridge provides: members of services of the directory, and calls by name (spec 6).

use std::sync::Arc;

use bytes::Bytes;
use keyway_bridge::{Bus, CallError, Peer, Service, keyway::Value};
use keyway_ros_types::{
    Callable, CallableKind, GenericCall, GenericError, GenericTarget, MessageShape, Registry, RegistryError, Shape,
    TypeName, body,
};

/// A service of ROS.
#[derive(Debug)]
pub(crate) struct Provided {
    pub(crate) kind: TypeName,
    pub(crate) md5: String,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A method, or a property that is read or set.
    Member { service: Arc<Service>, callable: Box<Callable> },
    /// `/qi/call`
    Call { request: Shape, response: Arc<MessageShape> },
    /// `/qi/call_std`
    CallStd { request: Shape, response: Arc<MessageShape> },
    /// `/qi/definitions`
    Definitions { response: Arc<MessageShape>, text: String },
}

/// Why a request has no response but a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The bytes are no request: what follows them may be anything.
    Undecodable(String),
    /// The call failed.
    Told(String),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Told(error.to_string())
    }
}

impl Provided {
    pub(crate) fn member(service: Arc<Service>, callable: Callable) -> Self {
        let (kind, md5) = (callable.type_name.clone(), callable.md5.clone());
        Self { kind, md5, what: What::Member { service, callable: Box::new(callable) } }
    }

    pub(crate) fn call(registry: &Registry) -> Result<Self, RegistryError> {
        Self::own(registry, "qi_bridge_msgs/Call", |request, response| What::Call { request, response })
    }

    pub(crate) fn call_std(registry: &Registry) -> Result<Self, RegistryError> {
        Self::own(registry, "diagnostic_msgs/AddDiagnostics", |request, response| What::CallStd { request, response })
    }

    pub(crate) fn definitions(registry: &Registry, text: String) -> Result<Self, RegistryError> {
        Self::own(registry, "std_srvs/Trigger", |_, response| What::Definitions { response, text })
    }

    fn own(
        registry: &Registry,
        kind: &str,
        what: impl FnOnce(Shape, Arc<MessageShape>) -> What,
    ) -> Result<Self, RegistryError> {
        let kind: TypeName = kind.parse()?;
        let definition = registry.service(&kind)?;
        let request = MessageShape::of_definition(registry, &definition.request)?;
        let response = MessageShape::of_definition(registry, &definition.response)?;
        let what = what(Shape::Message(Arc::new(request)), Arc::new(response));
        Ok(Self { md5: registry.service_md5(&kind)?, kind, what })
    }

    /// Whether calls go where they went before.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let same = match (&self.what, &other.what) {
            (What::Member { service, callable }, What::Member { service: other, callable: other_callable }) => {
                Arc::ptr_eq(service, other)
                    && callable.action == other_callable.action
                    && callable.kind == other_callable.kind
            }
            (What::Definitions { text, .. }, What::Definitions { text: other, .. }) => text == other,
            (What::Call { .. }, What::Call { .. }) | (What::CallStd { .. }, What::CallStd { .. }) => true,
            _ => false,
        };
        same && self.kind == other.kind && self.md5 == other.md5
    }

    /// The body of the response.
    pub(crate) async fn answer(
        &self,
        bus: &Bus,
        peer: &Peer,
        request: &Bytes,
        native_errors: bool,
    ) -> Result<Vec<u8>, Failure> {
        match &self.what {
            What::Member { service, callable } => {
                let result = match arguments(callable, request) {
                    Ok(arguments) => run(peer, service, callable, arguments).await.map_err(Failure::from),
                    Err(failure) => Err(failure),
                };
                let answer = match result {
                    Ok(value) => callable.answer(Ok(value)),
                    Err(Failure::Told(text)) if !native_errors && callable.is_standard() => callable.answer(Err(&text)),
                    Err(failure) => return Err(failure),
                };
                encoded(&callable.response, &answer)
            }
            What::Call { request: shape, response } => {
                let call = GenericCall::of_request(&decoded(shape, request)?);
                let call = call.ok_or_else(|| Failure::Told("bad argument: a text is not UTF-8".to_owned()))?;
                let result = generic(bus, peer, &call).await.map_err(|error| error.to_string());
                let items = GenericCall::response(result.as_ref().map_err(String::as_str));
                encoded(&Shape::Message(response.clone()), &response.value(items))
            }
            What::CallStd { request: shape, response } => {
                let request = decoded(shape, request)?;
                let text = request.as_list().and_then(|items| items.first()?.as_str()).unwrap_or_default();
                let result = match GenericCall::of_text(text) {
                    Ok(call) => generic(bus, peer, &call).await.map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                };
                let items = GenericCall::std_response(result.as_ref().map_err(String::as_str));
                encoded(&Shape::Message(response.clone()), &response.value(items))
            }
            What::Definitions { response, text } => {
                let items = vec![true.into(), text.as_str().into()];
                encoded(&Shape::Message(response.clone()), &response.value(items))
            }
        }
    }
}

fn arguments(callable: &Callable, request: &Bytes) -> Result<Vec<Value>, Failure> {
    let request = decoded(&callable.request, request)?;
    callable.arguments(request).map_err(|error| Failure::Told(error.to_string()))
}

fn decoded(shape: &Shape, request: &Bytes) -> Result<Value, Failure> {
    body::decode(shape, request).map_err(|error| match error.is_of_a_value() {
        true => Failure::Told(format!("bad argument {error}")),
        false => Failure::Undecodable(format!("cannot decode request: {error}")),
    })
}

fn encoded(shape: &Shape, value: &Value) -> Result<Vec<u8>, Failure> {
    body::encode(shape, value).map_err(|error| Failure::Told(format!("the result cannot be passed on: {error}")))
}

async fn run(peer: &Peer, service: &Service, callable: &Callable, arguments: Vec<Value>) -> Result<Value, CallError> {
    match callable.kind {
        CallableKind::Method => {
            let method = service.members().methods.get(&callable.action.0).ok_or(CallError::NotExposed)?;
            peer.call(service, method, arguments).await
        }
        CallableKind::Get => peer.get(service, callable.action).await,
        CallableKind::Set => {
            let value = arguments.into_iter().next().unwrap_or_default();
            peer.set(service, callable.action, value).await.map(|()| Value::Void)
        }
    }
}

/// A call by name.
#[derive(Debug, thiserror::Error)]
enum NamedError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Meaning(#[from] GenericError),
}

async fn generic(bus: &Bus, peer: &Peer, call: &GenericCall) -> Result<Value, NamedError> {
    let service = bus.find(&call.service)?;
    Ok(match call.resolve(service.members())? {
        GenericTarget::Method(method, arguments) => peer.call(&service, method, arguments).await?,
        GenericTarget::Get(property) => peer.get(&service, property).await?,
        GenericTarget::Set(property, value) => peer.set(&service, property, value).await.map(|()| Value::Void)?,
    })
}
