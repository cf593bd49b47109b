//! Goes through the members of services and finds names and types for them.

use std::{collections::BTreeMap, sync::Arc};

use keyway_value::{ActionId, MetaMethod, MetaObject, MetaProperty, MetaSignal, Signature, Type};

use super::{
    MappedService, Mapping, MappingOptions, PACKAGE, Skipped, Types, Unsupported,
    callable::{CallForm, Callable, CallableKind},
    package::Package,
    topic::{Topic, TopicForm},
};
use crate::{
    FieldShape, MessageShape, Primitive, Registry, RegistryError, Shape, TypeName,
    names::{Names, field_name, graph_name, message_name},
    shape::primitive_of,
};

pub(super) struct Mapper {
    options: MappingOptions,
    package: Package,
    skipped: Vec<Skipped>,
}

/// A service whose members are being named.
struct Place<'m> {
    service: &'m str,
    /// `/qi/S`
    namespace: String,
    /// `S`, as a part of types' names.
    word: String,
}

impl Mapper {
    pub(super) fn new(options: MappingOptions, registry: Registry) -> Self {
        Self { options, package: Package::new(registry), skipped: Vec::new() }
    }

    pub(super) fn finish(self, services: BTreeMap<String, MappedService>) -> Mapping {
        Mapping { options: self.options, registry: self.package.registry, services, skipped: self.skipped }
    }

    pub(super) fn service(&mut self, service: &str, namespace: &str, members: &MetaObject) -> MappedService {
        let root = self.options.root.trim_end_matches('/');
        let place = Place { service, namespace: format!("{root}/{namespace}"), word: message_name(namespace) };
        let (mut callables, mut topics) = (Vec::new(), Vec::new());
        let (mut calls_taken, mut topics_taken) = (Names::default(), Names::default());
        let mut ids: Vec<u32> = members.methods.keys().chain(members.properties.keys()).copied().collect();
        ids.extend(members.signals.keys());
        ids.sort_unstable();
        ids.dedup();
        for id in ids.into_iter().filter(|id| !MetaObject::is_reserved(ActionId(*id))) {
            if let Some(method) = members.methods.get(&id) {
                let made = self.method(&place, method, &mut calls_taken);
                self.keep(&place, &method.name, made, &mut callables);
            }
            if let Some(property) = members.properties.get(&id) {
                let made = self.property_topic(&place, property, &mut topics_taken);
                let is_shown = made.is_ok();
                self.keep(&place, &property.name, made, &mut topics);
                if is_shown {
                    let get = self.accessor(&place, property, CallableKind::Get, &mut calls_taken);
                    self.keep(&place, &property.name, get, &mut callables);
                    let set = self.accessor(&place, property, CallableKind::Set, &mut calls_taken);
                    self.keep(&place, &property.name, set, &mut callables);
                }
            } else if let Some(signal) = members.signals.get(&id) {
                let made = self.signal(&place, signal, &mut topics_taken);
                self.keep(&place, &signal.name, made, &mut topics);
            }
        }
        MappedService { namespace: place.namespace, callables, topics }
    }

    fn keep<T>(&mut self, place: &Place<'_>, member: &str, made: Result<T, Unsupported>, all: &mut Vec<T>) {
        match made {
            Ok(made) => all.push(made),
            Err(reason) => {
                self.skipped.push(Skipped { service: place.service.to_owned(), member: member.to_owned(), reason });
            }
        }
    }

    fn method(&mut self, place: &Place<'_>, method: &MetaMethod, taken: &mut Names) -> Result<Callable, Unsupported> {
        let parameters = &method.parameters_signature;
        let request = self.parameters(method)?;
        let value = match method.return_signature.kind() {
            Type::Void | Type::None => None,
            _ => Some(self.package.shape(&method.return_signature)?),
        };
        let name = taken.take(&graph_name(&method.name));
        let standard =
            self.options.std_shapes.then(|| standard_service(parameters, &method.return_signature)).flatten();
        let made = self.call_type(place, &name, standard, request, value)?;
        Ok(made
            .into_callable(place, &name, CallableKind::Method, ActionId(method.uid), &method.name)
            .with_types(parameters, &method.return_signature))
    }

    fn accessor(
        &mut self,
        place: &Place<'_>,
        property: &MetaProperty,
        kind: CallableKind,
        taken: &mut Names,
    ) -> Result<Callable, Unsupported> {
        let shape = self.package.shape(&property.signature)?;
        let field = FieldShape { name: "value".to_owned(), shape: shape.clone() };
        let (prefix, request, value) = match kind {
            CallableKind::Set => ("set", vec![field], None),
            _ => ("get", Vec::new(), Some(shape)),
        };
        let name = taken.take(&format!("{prefix}_{}", graph_name(&property.name)));
        let made = self.call_type(place, &name, None, request, value)?;
        let (none, void) = (Signature::tuple([]), Signature::void());
        let callable = made.into_callable(place, &name, kind, ActionId(property.uid), &property.name);
        Ok(match kind {
            CallableKind::Set => callable.with_types(&Signature::tuple([property.signature.clone()]), &void),
            _ => callable.with_types(&none, &property.signature),
        })
    }

    /// The fields of a request.
    fn parameters(&mut self, method: &MetaMethod) -> Result<Vec<FieldShape>, Unsupported> {
        let signature = &method.parameters_signature;
        let Type::Tuple(elements) = signature.kind() else {
            // Whatever comes, as a list.
            return match signature.kind() {
                Type::Dynamic => Ok(vec![FieldShape { name: "args".to_owned(), shape: Shape::Json }]),
                _ => Err(Unsupported::Type(signature.clone())),
            };
        };
        let annotated = signature.field_names();
        let mut names = Names::default();
        let mut fields = Vec::with_capacity(elements.len());
        for (position, element) in elements.iter().enumerate() {
            let documented = method.parameters.get(position).map(|parameter| parameter.name.as_str());
            let annotated = annotated.as_ref().and_then(|names| names.get(position)).copied();
            let name = match documented.or(annotated).filter(|name| !name.is_empty()) {
                Some(name) => field_name(name),
                None => format!("arg{position}"),
            };
            fields.push(FieldShape { name: names.take(&name), shape: self.package.shape(element)? });
        }
        Ok(fields)
    }

    fn call_type(
        &mut self,
        place: &Place<'_>,
        name: &str,
        standard: Option<(&'static str, CallForm)>,
        request: Vec<FieldShape>,
        value: Option<Shape>,
    ) -> Result<CallType, Unsupported> {
        if self.options.types == Types::Json {
            return self.known_call_type(&TypeName::new(PACKAGE, "Call").map_err(RegistryError::from)?, CallForm::Json);
        }
        if let Some((kind, form)) = standard {
            return self.known_call_type(&kind.parse().map_err(RegistryError::from)?, form);
        }
        let mut response = vec![
            FieldShape { name: "ok".to_owned(), shape: Shape::Primitive(Primitive::Bool) },
            FieldShape { name: "error".to_owned(), shape: Shape::Primitive(Primitive::String) },
        ];
        response.extend(value.map(|shape| FieldShape { name: "value".to_owned(), shape }));
        let type_name = self.package.service(&format!("{}{}", place.word, message_name(name)), &request, &response)?;
        let part = |suffix: &str, fields: Vec<FieldShape>| {
            let name = TypeName::new(PACKAGE, &format!("{}{suffix}", type_name.name())).map_err(RegistryError::from)?;
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            let signature =
                Signature::named_tuple(name.name(), &names, fields.iter().map(|field| field.shape.signature()));
            Ok::<_, Unsupported>(MessageShape::new(name, fields, signature))
        };
        let (request, response) = (part("Request", request)?, part("Response", response)?);
        let md5 = self.package.registry.service_md5(&type_name)?;
        Ok(CallType { type_name, md5, request, response, form: CallForm::Generated })
    }

    fn known_call_type(&self, type_name: &TypeName, form: CallForm) -> Result<CallType, Unsupported> {
        let registry = &self.package.registry;
        let definition = registry.service(type_name)?;
        Ok(CallType {
            md5: registry.service_md5(type_name)?,
            request: MessageShape::of_definition(registry, &definition.request)?,
            response: MessageShape::of_definition(registry, &definition.response)?,
            type_name: type_name.clone(),
            form,
        })
    }

    fn signal(&mut self, place: &Place<'_>, signal: &MetaSignal, taken: &mut Names) -> Result<Topic, Unsupported> {
        let elements = match signal.signature.kind() {
            Type::Tuple(elements) => elements.clone(),
            // Whatever comes.
            Type::Dynamic => [signal.signature.clone()].into(),
            _ => return Err(Unsupported::Type(signal.signature.clone())),
        };
        let annotated = signal.signature.field_names();
        let mut names = Names::with(&["header"]);
        let mut fields = vec![self.header()?];
        for (position, element) in elements.iter().enumerate() {
            let name = match annotated.as_ref().and_then(|names| names.get(position)) {
                Some(name) => field_name(name),
                None => format!("arg{position}"),
            };
            fields.push(FieldShape { name: names.take(&name), shape: self.package.shape(element)? });
        }
        let name = taken.take(&graph_name(&signal.name));
        let standard = match (signal.signature.kind(), &elements[..]) {
            (Type::Tuple(_), []) => Some("std_msgs/Empty"),
            (Type::Tuple(_), [element]) => standard_message(element),
            _ => None,
        };
        let word = format!("{}{}Event", place.word, message_name(&name));
        let (shape, form) = self.topic_type(&word, standard, fields, TopicForm::Event)?;
        self.topic(place, &name, (&signal.name, ActionId(signal.uid), &signal.signature), shape, form, false)
    }

    fn property_topic(
        &mut self,
        place: &Place<'_>,
        property: &MetaProperty,
        taken: &mut Names,
    ) -> Result<Topic, Unsupported> {
        let value = FieldShape { name: "value".to_owned(), shape: self.package.shape(&property.signature)? };
        let fields = vec![self.header()?, value];
        let name = taken.take(&graph_name(&property.name));
        let word = format!("{}{}Value", place.word, message_name(&name));
        let standard = standard_message(&property.signature);
        let (shape, form) = self.topic_type(&word, standard, fields, TopicForm::Value)?;
        self.topic(place, &name, (&property.name, ActionId(property.uid), &property.signature), shape, form, true)
    }

    fn topic(
        &self,
        place: &Place<'_>,
        name: &str,
        (member, action, signature): (&str, ActionId, &Signature),
        shape: MessageShape,
        form: TopicForm,
        is_latched: bool,
    ) -> Result<Topic, Unsupported> {
        let registry = &self.package.registry;
        Ok(Topic {
            name: format!("{}/{name}", place.namespace),
            service: place.service.to_owned(),
            member: member.to_owned(),
            action,
            signature: signature.clone(),
            md5: registry.message_md5(&shape.name)?,
            definition: registry.definition_text(&shape.name)?,
            type_name: shape.name.clone(),
            shape: Shape::Message(Arc::new(shape)),
            form,
            is_latched,
        })
    }

    fn topic_type(
        &mut self,
        name: &str,
        standard: Option<&str>,
        fields: Vec<FieldShape>,
        generated: TopicForm,
    ) -> Result<(MessageShape, TopicForm), Unsupported> {
        let (known, form) = match (self.options.types, standard.filter(|_| self.options.std_shapes)) {
            (Types::Json, _) => ("std_msgs/String", TopicForm::Json),
            (Types::Generated, Some("std_msgs/Empty")) => ("std_msgs/Empty", TopicForm::Empty),
            (Types::Generated, Some(known)) => (known, TopicForm::Data),
            (Types::Generated, None) => {
                let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                let types = fields.iter().map(|field| field.shape.signature());
                let signature = Signature::named_tuple(name, &names, types);
                return Ok((self.package.message(name, fields, signature)?, generated));
            }
        };
        let registry = &self.package.registry;
        let name = known.parse().map_err(RegistryError::from)?;
        Ok((MessageShape::of_definition(registry, registry.message(&name)?)?, form))
    }

    fn header(&self) -> Result<FieldShape, Unsupported> {
        let name = TypeName::new("std_msgs", "Header").map_err(RegistryError::from)?;
        Ok(FieldShape { name: "header".to_owned(), shape: Shape::of_message(&self.package.registry, &name)? })
    }
}

/// The type of a call, and how it is used.
struct CallType {
    type_name: TypeName,
    md5: String,
    request: MessageShape,
    response: MessageShape,
    form: CallForm,
}

impl CallType {
    fn into_callable(
        self,
        place: &Place<'_>,
        name: &str,
        kind: CallableKind,
        action: ActionId,
        member: &str,
    ) -> Callable {
        Callable {
            name: format!("{}/{name}", place.namespace),
            service: place.service.to_owned(),
            member: member.to_owned(),
            action,
            kind,
            parameters: Signature::tuple([]),
            returns: Signature::void(),
            type_name: self.type_name,
            md5: self.md5,
            request: Shape::Message(Arc::new(self.request)),
            response: Shape::Message(Arc::new(self.response)),
            form: self.form,
        }
    }
}

impl Callable {
    fn with_types(self, parameters: &Signature, returns: &Signature) -> Self {
        Self { parameters: parameters.clone(), returns: returns.clone(), ..self }
    }
}

fn standard_service(parameters: &Signature, returns: &Signature) -> Option<(&'static str, CallForm)> {
    let Type::Tuple(parameters) = parameters.kind() else {
        return None;
    };
    match (&parameters[..], returns.kind()) {
        ([], Type::Void | Type::Bool | Type::String) => Some(("std_srvs/Trigger", CallForm::Trigger)),
        ([one], Type::Void | Type::Bool) if *one.kind() == Type::Bool => Some(("std_srvs/SetBool", CallForm::SetBool)),
        _ => None,
    }
}

fn standard_message(signature: &Signature) -> Option<&'static str> {
    Some(match primitive_of(signature.kind())? {
        Primitive::Bool => "std_msgs/Bool",
        Primitive::Int32 => "std_msgs/Int32",
        Primitive::Int64 => "std_msgs/Int64",
        Primitive::Float32 => "std_msgs/Float32",
        Primitive::Float64 => "std_msgs/Float64",
        Primitive::String => "std_msgs/String",
        _ => return None,
    })
}
