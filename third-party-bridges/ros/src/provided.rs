//! Services that a bridge provides: members of services of the directory, and calls by name (spec 6).

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use keyway_bridge::{Bus, CallError, Peer, Service, Snapshot, keyway::Value};
use keyway_ros_types::{
    Callable, CallableKind, GenericCall, GenericError, GenericTarget, Mapping, MessageShape, Registry, RegistryError,
    RosVersion, Shape, TypeName,
};

/// A service of ROS.
#[derive(Debug)]
pub struct Provided {
    kind: TypeName,
    md5: String,
    request: Shape,
    response: Arc<MessageShape>,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A method, or a property that is read or set.
    Member { service: Arc<Service>, callable: Box<Callable> },
    /// `/qi/call`
    Call,
    /// `/qi/call_std`
    CallStd,
    /// `/qi/definitions`
    Definitions(Text),
}

/// A text that may become another one.
#[derive(Debug)]
struct Text(RwLock<String>);

impl Text {
    fn get(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, text: String) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The response. If there is no result, it says why, as far as its type can.
    pub message: Value,
    /// Why there is no result, for worlds in which calls themselves can fail. Never of `call_std`, which says it in its response.
    pub failure: Option<String>,
}

impl Provided {
    /// The members of services, by their names in ROS.
    pub fn members(services: &Snapshot, mapping: &Mapping) -> BTreeMap<String, Self> {
        let provided = mapping.callables().filter_map(|callable| {
            let service = services.get(&callable.service)?.clone();
            Some((callable.name.clone(), Self::member(service, callable.clone())?))
        });
        provided.collect()
    }

    /// What a bridge provides of its own, by its name in ROS: calls by name, and the types as this ROS writes them.
    pub fn own(mapping: &Mapping, version: RosVersion) -> BTreeMap<String, Self> {
        let definitions = Text(RwLock::new(mapping.definitions_json(version)));
        let own = [
            ("call", "qi_bridge_msgs/Call", What::Call),
            ("call_std", "diagnostic_msgs/AddDiagnostics", What::CallStd),
            ("definitions", "std_srvs/Trigger", What::Definitions(definitions)),
        ];
        let provided =
            own.into_iter().filter_map(|(name, kind, what)| match Self::of_type(mapping.registry(), kind, what) {
                Ok(made) => Some((format!("{}/{name}", mapping.options().root.trim_end_matches('/')), made)),
                // Definitions of the user's own may differ.
                Err(error) => {
                    tracing::error!(name, %error, "not provided");
                    None
                }
            });
        provided.collect()
    }

    /// A member of a service.
    fn member(service: Arc<Service>, callable: Callable) -> Option<Self> {
        let (kind, md5, request) = (callable.type_name.clone(), callable.md5.clone(), callable.request.clone());
        let Shape::Message(response) = callable.response.clone() else { return None };
        Some(Self { kind, md5, request, response, what: What::Member { service, callable: Box::new(callable) } })
    }

    fn of_type(registry: &Registry, kind: &str, what: What) -> Result<Self, RegistryError> {
        let kind: TypeName = kind.parse()?;
        let definition = registry.service(&kind)?;
        let request = MessageShape::of_definition(registry, &definition.request)?;
        let response = MessageShape::of_definition(registry, &definition.response)?;
        let (request, response) = (Shape::Message(Arc::new(request)), Arc::new(response));
        Ok(Self { md5: registry.service_md5(&kind)?, kind, request, response, what })
    }

    /// The checksum of its type.
    pub fn md5(&self) -> &str {
        &self.md5
    }

    /// Its type.
    pub const fn kind(&self) -> &TypeName {
        &self.kind
    }

    /// A message that holds the arguments.
    pub const fn request(&self) -> &Shape {
        &self.request
    }

    /// A message that holds the result.
    pub fn response(&self) -> Shape {
        Shape::Message(self.response.clone())
    }

    /// Takes over from what was provided before under the same name, if callers need not notice.
    pub fn replaces(&self, other: &Self) -> bool {
        let same = match (&self.what, &other.what) {
            (What::Member { service, callable }, What::Member { service: other, callable: other_callable }) => {
                Arc::ptr_eq(service, other)
                    && callable.action == other_callable.action
                    && callable.kind == other_callable.kind
            }
            (What::Definitions(new), What::Definitions(text)) => {
                text.set(new.get());
                true
            }
            (What::Call, What::Call) | (What::CallStd, What::CallStd) => true,
            _ => false,
        };
        same && self.kind == other.kind && self.md5 == other.md5
    }

    /// Does what is asked. `request` is the message, or why it is none.
    pub async fn answer(&self, bus: &Bus, peer: &Peer, request: Result<Value, String>) -> Answer {
        let message = match &self.what {
            What::Member { service, callable } => {
                let arguments = request.and_then(|request| callable.arguments(request).map_err(|e| e.to_string()));
                let result = match arguments {
                    Ok(arguments) => run(peer, service, callable, arguments).await.map_err(|error| error.to_string()),
                    Err(error) => Err(error),
                };
                return match result {
                    Ok(value) => Answer { message: callable.answer(Ok(value)), failure: None },
                    Err(text) => Answer { message: callable.answer(Err(&text)), failure: Some(text) },
                };
            }
            What::Call => {
                let not_text = || "bad argument: a text is not UTF-8".to_owned();
                let call = request.and_then(|request| GenericCall::of_request(&request).ok_or_else(not_text));
                let result = named(bus, peer, call).await;
                let message = self.response.value(GenericCall::response(result.as_ref().map_err(String::as_str)));
                return Answer { message, failure: result.err() };
            }
            What::CallStd => {
                let call = request.and_then(|request| {
                    let text = request.as_list().and_then(|items| items.first()?.as_str()).unwrap_or_default();
                    GenericCall::of_text(text).map_err(|error| error.to_string())
                });
                let result = named(bus, peer, call).await;
                self.response.value(GenericCall::std_response(result.as_ref().map_err(String::as_str)))
            }
            What::Definitions(text) => self.response.value(vec![true.into(), text.get().into()]),
        };
        Answer { message, failure: None }
    }

    /// Whether responses can say that there is no result although their type comes with ROS.
    pub fn is_standard(&self) -> bool {
        matches!(&self.what, What::Member { callable, .. } if callable.is_standard())
    }

    /// The response to a request whose result the response cannot hold.
    pub fn failure(&self, text: &str) -> Value {
        match &self.what {
            What::Member { callable, .. } => callable.answer(Err(text)),
            What::Call => self.response.value(GenericCall::response(Err(text))),
            What::CallStd | What::Definitions(_) => self.response.value(GenericCall::std_response(Err(text))),
        }
    }
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
async fn named(bus: &Bus, peer: &Peer, call: Result<GenericCall, String>) -> Result<Value, String> {
    let call = call?;
    generic(bus, peer, &call).await.map_err(|error| error.to_string())
}

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
