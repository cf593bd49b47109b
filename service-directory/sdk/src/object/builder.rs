//! Building an object member by member.

use std::{collections::HashMap, fmt, future::Future, sync::Arc};

use keyway_session::EventTrace;
use keyway_value::{
    ActionId, MetaMethod, MetaMethodParameter, MetaObject, MetaObjectBuilder, ObjectUid, QiValue, Signature, Value,
};

use crate::{
    Result,
    answer::{Answer, IntoAnswer, arguments_signature},
    context::CallContext,
    dynamic::{DynamicProperty, DynamicSignal},
    object::{Local, Method, Object, forward::Origin, observe::Observer},
    property::{Property, PropertyAccess, ReadOnly},
    signal::{Signal, SignalCore},
    uid,
};

/// Collects the members of an [`Object`]. Ids are given in the order of the calls, from 100 up (spec 6.2).
///
/// Arguments are tuples, one element for each parameter. A method returns a value or a `Result`; the error's text goes
/// to the caller. Methods given to [`method`](Self::method) run on the connection's own task and must not block; use
/// [`method_async`](Self::method_async) for everything that waits.
///
/// ```
/// use keyway::{Object, Property, Signal};
///
/// let changed = Signal::<(i32,)>::new();
/// let level = Property::new(0);
/// let mut builder = Object::builder();
/// builder
///     .method("half", |(n,): (i32,)| if n % 2 == 0 { Ok(n / 2) } else { Err("odd") })
///     .method_async("later", |(n,): (u32,)| async move { n + 1 })
///     .signal("changed", &changed)
///     .property("level", &level);
/// let object = builder.build();
/// assert!(object.metaobject().method_by_name("half::(i)").is_some());
/// ```
#[derive(Default)]
pub struct ObjectBuilder {
    members: MetaObjectBuilder,
    documented: Vec<MetaMethod>,
    refuse_posts: bool,
    methods: HashMap<ActionId, Method>,
    signals: HashMap<ActionId, Arc<SignalCore>>,
    properties: HashMap<ActionId, Arc<dyn PropertyAccess>>,
}

impl ObjectBuilder {
    /// Says what the object is, for its users.
    pub fn description(&mut self, text: &str) -> &mut Self {
        self.members.description(text);
        self
    }

    /// A method that answers at once.
    pub fn method<A, R, M>(&mut self, name: &str, run: impl Fn(A) -> R + Send + Sync + 'static) -> &mut Self
    where
        A: QiValue + 'static,
        R: IntoAnswer<M> + 'static,
        M: 'static,
    {
        self.method_with_context(name, move |_, arguments| run(arguments))
    }

    /// A method that answers at once and wants to know who calls.
    pub fn method_with_context<A, R, M>(
        &mut self,
        name: &str,
        run: impl Fn(&CallContext, A) -> R + Send + Sync + 'static,
    ) -> &mut Self
    where
        A: QiValue + 'static,
        R: IntoAnswer<M> + 'static,
        M: 'static,
    {
        self.add(name, arguments_signature::<A>(), R::Value::signature(), move |bytes, context| {
            let answer = || context.encode(&run(context, context.decode(bytes)?).into_answer()?);
            Answer::Ready(answer())
        })
    }

    /// A method that may wait. Its future is dropped when the caller cancels (spec 8.5).
    pub fn method_async<A, F, R, M>(&mut self, name: &str, run: impl Fn(A) -> F + Send + Sync + 'static) -> &mut Self
    where
        A: QiValue + 'static,
        F: Future<Output = R> + Send + 'static,
        R: IntoAnswer<M> + 'static,
        M: 'static,
    {
        self.method_async_with_context(name, move |_, arguments| run(arguments))
    }

    /// A method that may wait and wants to know who calls.
    pub fn method_async_with_context<A, F, R, M>(
        &mut self,
        name: &str,
        run: impl Fn(CallContext, A) -> F + Send + Sync + 'static,
    ) -> &mut Self
    where
        A: QiValue + 'static,
        F: Future<Output = R> + Send + 'static,
        R: IntoAnswer<M> + 'static,
        M: 'static,
    {
        self.add(name, arguments_signature::<A>(), R::Value::signature(), move |bytes, context| {
            let arguments = match context.decode(bytes) {
                Ok(arguments) => arguments,
                Err(error) => return Answer::Ready(Err(error)),
            };
            let future = run(context.clone(), arguments);
            let context = context.clone();
            Answer::poll_once(async move { context.encode(&future.await.into_answer()?) })
        })
    }

    /// A method that blocks its thread: it runs on one of its own, and a Cancel has no effect on it (spec 8.5).
    pub fn method_blocking<A, R, M>(&mut self, name: &str, run: impl Fn(A) -> R + Send + Sync + 'static) -> &mut Self
    where
        A: QiValue + Send + 'static,
        R: IntoAnswer<M> + 'static,
        M: 'static,
    {
        let run = Arc::new(run);
        self.add(name, arguments_signature::<A>(), R::Value::signature(), move |bytes, context| {
            let arguments: A = match context.decode(bytes) {
                Ok(arguments) => arguments,
                Err(error) => return Answer::Ready(Err(error)),
            };
            let (run, context) = (run.clone(), context.clone());
            let running = tokio::task::spawn_blocking(move || context.encode(&run(arguments).into_answer()?));
            Answer::Unstoppable(Box::pin(async move {
                running
                    .await
                    .unwrap_or_else(|_| Err(crate::Error::remote("the method panicked; see the log of its service")))
            }))
        })
    }

    /// A method whose types are only known at run time. It gets the tuple of its arguments, or for parameters `m`
    /// (spec 3.3) whatever tuple came.
    pub fn method_dynamic<F>(
        &mut self,
        name: &str,
        parameters: Signature,
        result: Signature,
        run: impl Fn(Value) -> F + Send + Sync + 'static,
    ) -> &mut Self
    where
        F: Future<Output = Result<Value>> + Send + 'static,
    {
        let (declared, returned) = (parameters.clone(), result.clone());
        self.add(name, parameters, result, move |bytes, context| {
            let arguments = match context.decode_value(bytes, &declared) {
                Ok(arguments) => arguments,
                Err(error) => return Answer::Ready(Err(error)),
            };
            let future = run(arguments);
            let (context, returned) = (context.clone(), returned.clone());
            Answer::poll_once(async move { encode_result(&context, future.await?, &returned) })
        })
    }

    /// Documents the method that was added last under `name`.
    pub fn document(
        &mut self,
        name: &str,
        description: &str,
        parameters: &[(&str, &str)],
        return_description: &str,
    ) -> &mut Self {
        if let Some(method) = self.documented.iter_mut().rev().find(|method| method.name == name) {
            method.description = description.to_owned();
            method.return_description = return_description.to_owned();
            method.parameters = parameters
                .iter()
                .map(|(name, description)| MetaMethodParameter {
                    name: (*name).to_owned(),
                    description: (*description).to_owned(),
                })
                .collect();
        }
        self
    }

    /// A signal. Keep a clone of it to emit.
    pub fn signal<T: QiValue>(&mut self, name: &str, signal: &Signal<T>) -> &mut Self {
        let action = self.members.signal(name, signal.core.signature.clone());
        self.signals.insert(action, signal.core.clone());
        self
    }

    /// A signal whose type is only known at run time.
    pub fn signal_dynamic(&mut self, name: &str, signal: &DynamicSignal) -> &mut Self {
        let action = self.members.signal(name, signal.core.signature.clone());
        self.signals.insert(action, signal.core.clone());
        self
    }

    /// A property whose type is only known at run time; others may read and watch it, but not set.
    pub fn property_dynamic(&mut self, name: &str, property: &DynamicProperty) -> &mut Self {
        self.add_property(name, Arc::new(property.clone()))
    }

    /// A property that others may read, set and watch. Keep a clone of it to do so from here.
    pub fn property<T: QiValue + Clone + Send + Sync + 'static>(
        &mut self,
        name: &str,
        property: &Property<T>,
    ) -> &mut Self {
        self.add_property(name, Arc::new(property.clone()))
    }

    /// A property that others may read and watch, but not set.
    pub fn read_only_property<T: QiValue + Clone + Send + Sync + 'static>(
        &mut self,
        name: &str,
        property: &Property<T>,
    ) -> &mut Self {
        self.add_property(name, Arc::new(ReadOnly(property.clone())))
    }

    /// The finished object.
    pub fn build(self) -> Object {
        let mut metaobject = self.members.build();
        for method in self.documented {
            metaobject.methods.insert(method.uid, method);
        }
        let parts = Parts { methods: self.methods, signals: self.signals, properties: self.properties };
        assemble(Arc::new(metaobject), uid::next(), parts, Kind { origin: None, refuse_posts: self.refuse_posts })
    }

    /// Lets nobody but this process emit the signals (spec 7.11).
    pub fn refuse_posts(&mut self) -> &mut Self {
        self.refuse_posts = true;
        self
    }

    fn add_property(&mut self, name: &str, property: Arc<dyn PropertyAccess>) -> &mut Self {
        let action = self.members.property(name, property.signature());
        self.signals.insert(action, property.changed());
        self.properties.insert(action, property);
        self
    }

    fn add(
        &mut self,
        name: &str,
        parameters: Signature,
        result: Signature,
        run: impl Fn(&bytes::Bytes, &CallContext) -> Answer + Send + Sync + 'static,
    ) -> &mut Self {
        let action = self.members.method(name, parameters.clone(), result.clone());
        self.documented.push(MetaMethod {
            uid: action.0,
            return_signature: result.clone(),
            name: name.to_owned(),
            parameters_signature: parameters.clone(),
            description: String::new(),
            parameters: Vec::new(),
            return_description: String::new(),
        });
        self.methods.insert(action, Method { parameters, result, run: Box::new(run) });
        self
    }
}

impl fmt::Debug for ObjectBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBuilder").field("members", &self.members).finish_non_exhaustive()
    }
}

/// The members of an object by id.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) methods: HashMap<ActionId, Method>,
    pub(super) signals: HashMap<ActionId, Arc<SignalCore>>,
    pub(super) properties: HashMap<ActionId, Arc<dyn PropertyAccess>>,
}

/// What is particular about an object.
#[derive(Default)]
pub(super) struct Kind {
    pub(super) origin: Option<Origin>,
    pub(super) refuse_posts: bool,
}

/// Puts an object together and ties its signals to it.
pub(super) fn assemble(metaobject: Arc<MetaObject>, uid: ObjectUid, parts: Parts, kind: Kind) -> Object {
    let hub = Arc::default();
    for (action, signal) in &parts.signals {
        signal.bind(&hub, *action);
    }
    let trace = Arc::new(SignalCore::new(<(EventTrace,)>::signature()));
    trace.bind(&hub, ActionId::TRACE_OBJECT);
    Object(Arc::new(Local {
        metaobject,
        uid,
        methods: parts.methods,
        signals: parts.signals,
        properties: parts.properties,
        hub,
        observer: Observer::new(trace),
        origin: kind.origin,
        refuse_posts: kind.refuse_posts,
    }))
}

/// Encodes a dynamic result as the declared type; the text of a failure is libqi's (spec 8.9).
pub(super) fn encode_result(
    context: &CallContext,
    value: Value,
    declared: &Signature,
) -> Result<keyway_value::Payload> {
    let effective = value.signature();
    let value = keyway_value::convert::convert(value, declared).map_err(|_| {
        crate::Error::Remote(format!(
            "Setvalue(): failed to convert effective value {effective} to expected type {declared}({declared})"
        ))
    })?;
    context.results().encode_value(&value)
}
