//! Calls of a front's peers: what they may, how many at once, how long they take, and a trace of each.

use std::{
    fmt::Display,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use keyway::{
    ActionId, Error, Proxy, Signature, Value,
    encoded::Encoded,
    value::{
        CodecError, Decoder, Encoder, Limits, MetaMethod, Payload, Type,
        convert::{convert, resolve_overload},
    },
};

use crate::{Mode, Service, traffic::Traffic};

/// One connection of a front, or one caller where there are no connections: what it calls is limited and traced together.
#[derive(Debug)]
pub struct Peer {
    traffic: Arc<Traffic>,
    front: &'static str,
    name: String,
    address: String,
    under_way: Arc<AtomicUsize>,
    /// How long a call may take, if not as long as the rules say.
    limit: Option<Duration>,
}

/// Why a call has no result. Texts are those that peers are told (ROS spec 6.5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The bridge is in read mode.
    #[error("read-only bridge")]
    ReadOnly,
    /// There is no such service or member, or it is not shown.
    #[error("not exposed")]
    NotExposed,
    /// Too many calls are under way.
    #[error("busy")]
    Busy,
    /// The service left, before the call or during it.
    #[error("service {0} is gone")]
    Gone(String),
    /// The service did not answer in time.
    #[error("timeout after {0:?}")]
    Timeout(Duration),
    /// An argument does not fit; the name is the parameter's, or its number counted from 1.
    #[error("bad argument {name}: {reason}")]
    BadArgument {
        /// Which one.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are more or fewer arguments than the method takes.
    #[error("wrong number of arguments: {given} where {wanted} are taken")]
    ArgumentCount {
        /// So many came.
        given: usize,
        /// So many are taken.
        wanted: usize,
    },
    /// The service raised this, or sent what cannot be passed on.
    #[error("{0}")]
    Failed(String),
}

impl Peer {
    pub(crate) fn new(traffic: Arc<Traffic>, front: &'static str, name: &str, address: &str) -> Self {
        let (name, address) = (name.to_owned(), address.to_owned());
        Self { traffic, front, name, address, under_way: Arc::default(), limit: None }
    }

    /// Its calls may take so long, whatever the rules say: for worlds that have a time of their own.
    #[must_use]
    pub const fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Calls a method of the service's [`members`](Service::members). Arguments are converted to the declared types; the result has
    /// the declared type. Dropping the future cancels the call.
    pub async fn call(
        &self,
        service: &Service,
        method: &MetaMethod,
        arguments: Vec<Value>,
    ) -> Result<Value, CallError> {
        self.invoke(service, method, arguments, true).await
    }

    /// Like [`call`](Self::call), in read mode too: for methods that a rule of the configuration names because they only tell something.
    pub async fn poll(
        &self,
        service: &Service,
        method: &MetaMethod,
        arguments: Vec<Value>,
    ) -> Result<Value, CallError> {
        self.invoke(service, method, arguments, false).await
    }

    /// Calls a method that returns an object, as [`poll`](Self::poll) does. The object's signals and properties are listened to as
    /// those of a service; it is given back when the last of who has it drops it.
    pub async fn object(
        &self,
        service: &Service,
        method: &MetaMethod,
        arguments: Vec<Value>,
    ) -> Result<Arc<Service>, CallError> {
        let call = async |proxy: &Proxy| {
            let arguments = payload(&fit(method, arguments)?)?;
            let answer = proxy.call_encoded(ActionId(method.uid), &arguments, &method.return_signature).await?;
            let mut decoder = Decoder::with(answer.bytes(), answer.layout(), Limits::default(), None);
            let value = decoder.read_value(answer.signature()).map_err(Error::from)?;
            let object = match value.unwrap_dynamic() {
                Value::Object(object) => answer.object(object.reference),
                _ => None,
            };
            let object = object.ok_or_else(|| Error::remote(format!("{} returns no object", method.name)))?;
            let members = object.metaobject().as_ref().clone();
            Ok(Arc::new(Service::new(&format!("{}.{}", service.name(), method.name), members, object)))
        };
        self.run(service, &method.name, false, call).await
    }

    async fn invoke(
        &self,
        service: &Service,
        method: &MetaMethod,
        arguments: Vec<Value>,
        is_write: bool,
    ) -> Result<Value, CallError> {
        let call = async |proxy: &Proxy| {
            let arguments = fit(method, arguments)?;
            let payload = payload(&arguments)?;
            let answer = proxy.call_encoded(ActionId(method.uid), &payload, &method.return_signature).await?;
            Ok(read(&answer, &method.return_signature)?)
        };
        self.run(service, &method.name, is_write, call).await
    }

    /// Like [`call`](Self::call), by the method's name or full name; the types of the arguments decide between overloads.
    pub async fn call_named(&self, service: &Service, method: &str, arguments: Vec<Value>) -> Result<Value, CallError> {
        service.method(method)?;
        match resolve_overload(service.members(), method, &arguments) {
            Ok(method) => self.call(service, method, arguments).await,
            Err(error) => Err(CallError::Failed(shortened(&error))),
        }
    }

    /// The value of a property, by its id.
    pub async fn get(&self, service: &Service, property: ActionId) -> Result<Value, CallError> {
        let property = service.members().properties.get(&property.0).ok_or(CallError::NotExposed)?;
        let get = async |proxy: &Proxy| {
            let id = payload(&Value::tuple(vec![Value::from(property.uid).into_dynamic()]))?;
            let answer = proxy.call_encoded(ActionId::PROPERTY, &id, &Signature::dynamic()).await?;
            Ok(read(&answer, &property.signature)?)
        };
        self.run(service, &property.name, false, get).await
    }

    /// Sets a property, by its id.
    pub async fn set(&self, service: &Service, property: ActionId, value: Value) -> Result<(), CallError> {
        let property = service.members().properties.get(&property.0).ok_or(CallError::NotExposed)?;
        let set = async |proxy: &Proxy| {
            let value = fitting(value, &property.signature, || property.name.clone())?;
            let id = Value::from(property.uid).into_dynamic();
            let arguments = payload(&Value::tuple(vec![id, value.into_dynamic()]))?;
            proxy.call_encoded(ActionId::SET_PROPERTY, &arguments, &Signature::void()).await?;
            Ok(())
        };
        self.run(service, &property.name, true, set).await
    }

    /// Emits a signal in the service's place, by its id; nobody says whether the service lets it.
    pub async fn emit(&self, service: &Service, signal: ActionId, arguments: Vec<Value>) -> Result<(), CallError> {
        let signal = service.members().signals.get(&signal.0).ok_or(CallError::NotExposed)?;
        let emit = async |proxy: &Proxy| {
            let arguments = fitting(Value::tuple(arguments), &signal.signature, || signal.name.clone())?;
            Ok(proxy.post_encoded(ActionId(signal.uid), payload(&arguments)?)?)
        };
        self.run(service, &signal.name, true, emit).await
    }

    /// Runs `work`, if it is allowed and there is room for it, until the service is gone or the time is over; and traces it.
    async fn run<T>(
        &self,
        service: &Service,
        member: &str,
        is_write: bool,
        work: impl AsyncFnOnce(&Proxy) -> Result<T, Failure>,
    ) -> Result<T, CallError> {
        let began = Instant::now();
        let result = self.limited(service, is_write, work).await;
        let (front, peer, address, service) = (self.front, &self.name, &self.address, service.name());
        let took = began.elapsed();
        match &result {
            Ok(_) => tracing::debug!(front, peer, address, service, member, ?took, "call"),
            Err(error) => tracing::debug!(front, peer, address, service, member, ?took, %error, "call"),
        }
        result
    }

    async fn limited<T>(
        &self,
        service: &Service,
        is_write: bool,
        work: impl AsyncFnOnce(&Proxy) -> Result<T, Failure>,
    ) -> Result<T, CallError> {
        let (mode, limit) = {
            let rules = self.traffic.rules.load();
            (rules.mode, self.limit.unwrap_or(rules.limits.call_timeout))
        };
        if is_write && mode == Mode::Read {
            return Err(CallError::ReadOnly);
        }
        let _under_way = self.traffic.admit(&self.under_way).ok_or(CallError::Busy)?;
        let gone = || CallError::Gone(service.name().to_owned());
        let mut link = service.link();
        let proxy = link.borrow_and_update().clone().ok_or_else(gone)?;
        tokio::select! {
            result = work(&proxy) => result.map_err(|failure| match failure {
                Failure::Refused(error) => error,
                Failure::Raised(Error::Closed(_) | Error::NotConnected) => gone(),
                Failure::Raised(error) => CallError::Failed(shortened(&error)),
            }),
            _ = link.changed() => Err(gone()),
            () = tokio::time::sleep(limit) => Err(CallError::Timeout(limit)),
        }
    }
}

/// Of a call that was let through.
enum Failure {
    /// By the bridge.
    Refused(CallError),
    /// By the service, or on the way to it.
    Raised(Error),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Refused(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Raised(error)
    }
}

/// The bytes of a value that holds no object.
pub(crate) fn payload(value: &Value) -> Result<Payload, Error> {
    let mut encoder = Encoder::new();
    encoder.write_value(value)?;
    Ok(encoder.finish())
}

/// A value of the declared type out of what came. Objects cannot be passed on.
pub(crate) fn read(answer: &Encoded, declared: &Signature) -> Result<Value, Error> {
    let mut decoder = Decoder::with(answer.bytes(), answer.layout(), Limits::default(), None);
    let value = decoder.read_value(answer.signature())?;
    if answer.signature().contains_object_or_dynamic() && release_objects(answer, &value) {
        return Err(CodecError::Object("objects are not passed on by bridges".into()).into());
    }
    Ok(convert(value, declared)?)
}

/// Whether there are any. Their host counted what it sent, and is told that nobody uses it.
fn release_objects(answer: &Encoded, value: &Value) -> bool {
    let mut found = false;
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(object) if !object.is_null() => {
                drop(answer.object(object.reference.clone()));
                found = true;
            }
            Value::Dynamic(inner) => waiting.push(inner),
            Value::Optional(optional) => waiting.extend(optional.value.as_deref()),
            Value::List(list) => waiting.extend(&list.items),
            Value::Tuple(tuple) => waiting.extend(&tuple.items),
            Value::Map(map) => waiting.extend(map.entries.iter().flat_map(|(key, value)| [key, value])),
            _ => {}
        }
    }
    found
}

/// Arguments of the types that a method declares.
fn fit(method: &MetaMethod, arguments: Vec<Value>) -> Result<Value, CallError> {
    let Type::Tuple(wanted) = method.parameters_signature.kind() else {
        return fitting(Value::tuple(arguments), &method.parameters_signature, || "1".to_owned());
    };
    if arguments.len() != wanted.len() {
        return Err(CallError::ArgumentCount { given: arguments.len(), wanted: wanted.len() });
    }
    let name = |at: usize| {
        let documented = method.parameters.get(at).map(|parameter| parameter.name.clone());
        documented.filter(|name| !name.is_empty()).unwrap_or_else(|| (at + 1).to_string())
    };
    let fitted = arguments.into_iter().zip(wanted.iter()).enumerate();
    let fitted = fitted.map(|(at, (argument, wanted))| fitting(argument, wanted, || name(at)));
    Ok(Value::tuple(fitted.collect::<Result<_, _>>()?))
}

fn fitting(value: Value, wanted: &Signature, name: impl FnOnce() -> String) -> Result<Value, CallError> {
    convert(value, wanted).map_err(|error| CallError::BadArgument { name: name(), reason: error.to_string() })
}

/// An error's text, at most 4 KiB of it.
fn shortened(error: &impl Display) -> String {
    let mut text = error.to_string();
    let end = (0..=MAX_ERROR.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or_default());
    text
}

const MAX_ERROR: usize = 4096;
