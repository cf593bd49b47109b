//! Topics and services of ROS as a service of the directory (spec 7).

use std::{sync::Arc, time::Duration};

use keyway_bridge::{
    Hosted,
    keyway::{DynamicProperty, DynamicSignal, Error, Object, Signature, Value, value::convert::convert},
};
use keyway_ros_types::{
    FieldShape, MessageShape, Registry, RegistryError, Shape, body,
    rules::{Import, Imported},
};

use crate::{
    client::Client,
    node::Node,
    publication::Publication,
    rules_in_force::{context, is_header, subscribed},
    subscription::Subscription,
};

/// An import that is being served.
pub(crate) struct Importing {
    name: String,
    object: Object,
    node: Arc<Node>,
}

impl Importing {
    /// Listens to the topics and makes the members.
    pub(crate) fn start(node: &Arc<Node>, registry: &Registry, import: &Import) -> Result<Self, RegistryError> {
        let mut builder = Object::builder();
        builder.description(&format!("Imported from ROS 1 by {}", node.name));
        for topic in &import.subscribe {
            subscribe(node, registry, topic, &mut builder)?;
        }
        for topic in &import.publish {
            publish(node, registry, topic, &mut builder)?;
        }
        for service in &import.call {
            call(node, registry, service, &mut builder)?;
        }
        Ok(Self { name: import.service.clone(), object: builder.build(), node: node.clone() })
    }

    /// Registers the service, and keeps it for as long as this runs.
    pub(crate) async fn run(self) {
        match self.node.bus.register(&self.name, self.object).await {
            Ok(hosted) => {
                tracing::info!(service = self.name, "imported from ROS 1");
                kept(&hosted).await;
            }
            Err(error) => tracing::error!(%error, "an import is not registered"),
        }
    }
}

async fn kept(_: &Hosted) {
    std::future::pending().await
}

type Builder = keyway_bridge::keyway::ObjectBuilder;

/// A topic becomes a signal, and a property that has its last message.
fn subscribe(
    node: &Arc<Node>,
    registry: &Registry,
    topic: &Imported,
    builder: &mut Builder,
) -> Result<(), RegistryError> {
    let subscribed = subscribed(registry, &topic.name, &topic.kind)?;
    let shape = subscribed.shape.clone();
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
    let subscription = Subscription::new(subscribed, context(node), sink);
    node.change(|graph| graph.subscriptions.insert(topic.name.clone(), subscription));
    Ok(())
}

/// A method publishes on a topic: a parameter for each field, but for the header.
fn publish(
    node: &Arc<Node>,
    registry: &Registry,
    topic: &Imported,
    builder: &mut Builder,
) -> Result<(), RegistryError> {
    let shape = Arc::new(MessageShape::of_definition(registry, registry.message(&topic.kind)?)?);
    let publication = Publication::own(registry, &topic.name, &topic.kind, false, node.queue)?;
    node.change(|graph| graph.publications.insert(topic.name.clone(), publication.clone()));
    let fields = shape.fields.iter().filter(|field| !is_header(field));
    let (parameters, names) = signature_of(fields);
    let run = move |arguments: Value| {
        let published = (|| {
            let mut arguments = items(arguments).into_iter();
            let stamp = publication.next_stamp(std::time::SystemTime::now());
            let values = shape.fields.iter().map(|field| match is_header(field) {
                true => stamp.header(""),
                false => arguments.next().unwrap_or_else(|| field.shape.default_value()),
            });
            let message = shape.value(values.collect());
            let body = body::encode(&Shape::Message(shape.clone()), &message);
            publication.publish(&body.map_err(|error| Error::remote(format!("bad argument {error}")))?);
            Ok(Value::Void)
        })();
        std::future::ready(published)
    };
    builder.method_dynamic(&topic.member, parameters, Signature::void(), run);
    document(builder, &topic.member, &format!("Publishes on {}", topic.name), &names);
    Ok(())
}

/// A method calls a service: a parameter for each field of the request; the result is nothing, the only field of the response,
/// or a struct of all.
fn call(node: &Arc<Node>, registry: &Registry, service: &Imported, builder: &mut Builder) -> Result<(), RegistryError> {
    let definition = registry.service(&service.kind)?;
    let request = Arc::new(MessageShape::of_definition(registry, &definition.request)?);
    let response = Arc::new(MessageShape::of_definition(registry, &definition.response)?);
    let limit = service.timeout.unwrap_or_else(|| node.bus.rules().limits.call_timeout);
    let client = Client::new(node.clone(), &service.name, registry.service_md5(&service.kind)?, limit.max(MIN_LIMIT));
    let client = Arc::new(client);
    let (parameters, names) = signature_of(request.fields.iter());
    let result = match &response.fields[..] {
        [] => Signature::void(),
        [field] => field.shape.signature(),
        _ => response.signature().clone(),
    };
    let returned = result.clone();
    let run = move |arguments: Value| {
        let (client, request, response, returned) =
            (client.clone(), request.clone(), response.clone(), returned.clone());
        async move {
            let message = request.value(items(arguments));
            let body = body::encode(&Shape::Message(request), &message);
            let body = body.map_err(|error| Error::remote(format!("bad argument {error}")))?;
            let body = client.call(&body).await.map_err(|error| Error::remote(error.to_string()))?;
            let answer = body::decode(&Shape::Message(response.clone()), &body);
            let answer = answer.map_err(|error| Error::remote(format!("cannot decode response: {error}")))?;
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

fn document(builder: &mut Builder, member: &str, description: &str, names: &[String]) {
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
