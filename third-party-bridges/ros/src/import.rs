//! Topics and services of ROS as a service of the directory.

use std::{sync::Arc, time::Duration};

use keyway_bridge::{
    Hosted,
    keyway::{DynamicProperty, DynamicSignal, Error, Object, ObjectBuilder, Signature, Value, value::convert::convert},
};
use keyway_ros_types::{
    FieldShape, MessageShape, Registry, RegistryError,
    rules::{Import, Imported},
};

use crate::{Output, RosClient, RosNode, RosService, RosTopic, StartError, learning::Types, rules::is_header};

/// An import that is being served.
pub(crate) struct Importing {
    name: String,
    object: Object,
}

impl Importing {
    /// Listens to the topics and makes the members.
    pub(crate) fn start<N: RosNode>(node: &N, types: &Types, import: &Import) -> Result<Self, StartError> {
        let mut builder = Object::builder();
        builder.description(&format!("Imported by the bridge {}", N::FRONT));
        for topic in &import.subscribe {
            subscribe(node, types.of_topic(&topic.name), topic, &mut builder)?;
        }
        for topic in &import.publish {
            publish(node, types.known(), topic, &mut builder)?;
        }
        for service in &import.call {
            call(node, types.known(), service, &mut builder)?;
        }
        Ok(Self { name: import.service.clone(), object: builder.build() })
    }

    /// Registers the service, and keeps it for as long as this runs.
    pub(crate) async fn run<N: RosNode>(self, node: N) {
        match node.bus().register(&self.name, self.object).await {
            Ok(hosted) => {
                tracing::info!(service = self.name, front = N::FRONT, "imported");
                kept(&hosted).await;
            }
            Err(error) => tracing::error!(%error, "an import is not registered"),
        }
    }
}

async fn kept(_: &Hosted) {
    std::future::pending().await
}

/// A topic becomes a signal, and a property that has its last message.
fn subscribe<N: RosNode>(
    node: &N,
    registry: &Registry,
    topic: &Imported,
    builder: &mut ObjectBuilder,
) -> Result<(), StartError> {
    let subscribed = RosTopic::new(registry, &topic.name, &topic.kind)?;
    let shape = subscribed.shape();
    let signal = DynamicSignal::new(Signature::tuple([shape.signature()]));
    builder.signal_dynamic(&topic.member, &signal);
    let last = DynamicProperty::new(shape.signature(), shape.default_value());
    let last = last.map_err(|_| RegistryError::TooLarge(topic.kind.clone()))?;
    builder.property_dynamic(&format!("last_{}", topic.member), &last);
    let name = topic.name.clone();
    let sink = move |value: Value| {
        let emitted = signal.emit(Value::tuple(vec![value.clone()])).and_then(|()| last.set(value));
        if let Err(error) = emitted {
            tracing::warn!(topic = name, %error, "a message is not passed on");
        }
    };
    node.subscribe(&subscribed, Box::new(sink))
}

/// A method publishes on a topic: a parameter for each field, but for the header.
fn publish<N: RosNode>(
    node: &N,
    registry: &Registry,
    topic: &Imported,
    builder: &mut ObjectBuilder,
) -> Result<(), StartError> {
    let published = RosTopic::new(registry, &topic.name, &topic.kind)?;
    let output = node.publish(&published)?;
    let shape = published.message;
    let (parameters, names) = signature_of(shape.fields.iter().filter(|field| !is_header(field)));
    let run = move |arguments: Value| {
        let mut arguments = items(arguments).into_iter();
        let stamp = output.next_stamp();
        let values = shape.fields.iter().map(|field| match is_header(field) {
            true => stamp.header(""),
            false => arguments.next().unwrap_or_else(|| field.shape.default_value()),
        });
        let published = output.publish(shape.value(values.collect()));
        let published = published.map_err(|error| Error::remote(format!("bad argument {error}")));
        std::future::ready(published.map(|()| Value::Void))
    };
    builder.method_dynamic(&topic.member, parameters, Signature::void(), run);
    document(builder, &topic.member, &format!("Publishes on {}", topic.name), &names);
    Ok(())
}

/// A method calls a service: a parameter for each field of the request; the result is nothing, the only field of the response,
/// or a struct of all.
fn call<N: RosNode>(
    node: &N,
    registry: &Registry,
    service: &Imported,
    builder: &mut ObjectBuilder,
) -> Result<(), StartError> {
    let definition = registry.service(&service.kind)?;
    let request = Arc::new(MessageShape::of_definition(registry, &definition.request)?);
    let response = Arc::new(MessageShape::of_definition(registry, &definition.response)?);
    let limit = service.timeout.unwrap_or_else(|| node.bus().rules().limits.call_timeout).max(MIN_LIMIT);
    let called = RosService {
        name: &service.name,
        kind: &service.kind,
        request: request.clone(),
        response: response.clone(),
        registry,
        limit,
    };
    let client = Arc::new(node.client(&called)?);
    let (parameters, names) = signature_of(request.fields.iter());
    let result = match &response.fields[..] {
        [] => Signature::void(),
        [field] => field.shape.signature(),
        _ => response.signature().clone(),
    };
    let returned = result.clone();
    let run = move |arguments: Value| {
        let (client, request, response) = (client.clone(), request.clone(), response.clone());
        let returned = returned.clone();
        async move {
            let answer = client.call(request.value(items(arguments))).await;
            let answer = answer.map_err(|error| Error::remote(error.to_string()))?;
            let value = match &response.fields[..] {
                [] => Value::Void,
                [_] => items(answer).into_iter().next().unwrap_or_default(),
                _ => answer,
            };
            Ok(convert(value, &returned)?)
        }
    };
    builder.method_dynamic(&service.member, parameters, result, run);
    document(builder, &service.member, &format!("Calls {}", service.name), &names);
    Ok(())
}

fn signature_of<'f>(fields: impl Iterator<Item = &'f FieldShape>) -> (Signature, Vec<String>) {
    let (types, names): (Vec<Signature>, Vec<String>) =
        fields.map(|field| (field.shape.signature(), field.name.clone())).unzip();
    (Signature::tuple(types), names)
}

fn document(builder: &mut ObjectBuilder, member: &str, description: &str, names: &[String]) {
    let parameters: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    builder.document(member, description, &parameters, "");
}

fn items(arguments: Value) -> Vec<Value> {
    match arguments {
        Value::Tuple(tuple) => tuple.items,
        Value::Void => Vec::new(),
        other => vec![other],
    }
}

const MIN_LIMIT: Duration = Duration::from_millis(1);
