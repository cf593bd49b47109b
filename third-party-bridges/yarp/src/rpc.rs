//! The language of `rpc:i` ports (spec 6.2), which is that of services made by `yarpidl_thrift`.

use std::{future::Future, pin::Pin, sync::Arc};

use keyway::{
    ActionId, Signature, Value,
    value::{MetaMethod, MetaObject, Type},
};
use keyway_bridge::{CallError, Mode, Peer, Service};
use keyway_yarp_wire::{Bottle, Item, admin::many};

use crate::{
    mapping::{arguments, from_item, to_bottle, to_dynamic, type_name},
    port::{Data, Reader},
    shared::Shared,
};

/// Answers what comes to the port of a service.
pub(crate) struct Rpc {
    pub(crate) shared: Arc<Shared>,
    pub(crate) service: Arc<Service>,
}

impl Reader for Rpc {
    fn read<'a>(&'a self, message: Data, peer: &'a Peer) -> Pin<Box<dyn Future<Output = Bottle> + Send + 'a>> {
        Box::pin(async move { self.answer(&message.bottle.items, peer).await.unwrap_or_else(Bottle::fail) })
    }
}

/// What follows `[fail]`.
type Failure = String;

impl Rpc {
    async fn answer(&self, items: &[Item], peer: &Peer) -> Result<Bottle, Failure> {
        let members = self.service.members();
        let words: Vec<_> = items.iter().map_while(Item::word).collect();
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        let named = |name: &str| members.methods.values().any(|method| method.name == name);
        match (&words[..], items) {
            (["help"], [_]) => Ok(commands(members)),
            (["help", name @ ..], _) if name.len() + 1 == items.len() => help(members, &name.join("_")),
            (["call", words @ ..], [_, items @ ..]) => self.call(words, items, peer).await,
            (["get", property], [_, _]) if members.property_by_name(property).is_some() => {
                self.get(property, peer).await
            }
            (["set", property, ..], [_, _, value]) if members.property_by_name(property).is_some() => {
                self.set(property, value, peer).await
            }
            (["methods"], [_]) if !named("methods") => Ok(method_names(members).into_iter().collect()),
            (["signals"], [_]) if !named("signals") => {
                Ok(self.service.signals().map(|signal| signal.name.as_str()).collect())
            }
            (["properties"], [_]) if !named("properties") => {
                Ok(members.properties.values().map(|property| property.name.as_str()).collect())
            }
            (words, items) => self.call(words, items, peer).await,
        }
    }

    async fn get(&self, name: &str, peer: &Peer) -> Result<Bottle, Failure> {
        let property = self.service.property(name).map_err(|error| failure(&error, name))?;
        let value = peer.get(&self.service, ActionId(property.uid)).await.map_err(|error| failure(&error, name))?;
        to_bottle(&value, self.shared.options.struct_style)
            .map_err(|error| format!("bad argument 1 for {name}: {error}"))
    }

    async fn set(&self, name: &str, item: &Item, peer: &Peer) -> Result<Bottle, Failure> {
        let property = self.service.property(name).map_err(|error| failure(&error, name))?;
        let converted = from_item(item, &property.signature);
        let (value, _) = converted.map_err(|reason| format!("bad argument 1 for set {name}: {reason}"))?;
        let set = peer.set(&self.service, ActionId(property.uid), value).await;
        set.map(|()| Bottle::default()).map_err(|error| failure(&error, name))
    }

    async fn call(&self, words: &[&str], items: &[Item], peer: &Peer) -> Result<Bottle, Failure> {
        let members = self.service.members();
        let Some((name, taken)) = longest(members, words) else {
            // Whatever comes first was to be one.
            let first = || items.first().map(|item| Bottle::from(vec![item.clone()]).to_string());
            let name = words.first().map(|word| (*word).to_owned()).or_else(first).unwrap_or_default();
            return Err(format!("unknown method {name}"));
        };
        let rest = items.get(taken..).unwrap_or_default();
        // Said before arguments are looked at: they do not matter.
        if self.shared.bus.rules().mode == Mode::Read {
            return Err(failure(&CallError::ReadOnly, &name));
        }
        let (method, arguments) = overload(members, &name, rest)?;
        let result = peer.call(&self.service, method, arguments).await.map_err(|error| failure(&error, &name))?;
        to_bottle(&result, self.shared.options.struct_style)
            .map_err(|error| format!("bad argument in the result of {name}: {error}"))
    }
}

/// The method with the longest name that words begin with, and how many of them that are (RPC-1).
fn longest(members: &MetaObject, words: &[&str]) -> Option<(String, usize)> {
    let longest = members.methods.values().map(|method| method.name.len()).max()?;
    let mut names = Vec::new();
    let mut name = String::new();
    for word in words {
        if !name.is_empty() {
            name.push('_');
        }
        name.push_str(word);
        if name.len() > longest {
            break;
        }
        names.push(name.clone());
    }
    let named = |name: &String| members.methods.values().any(|method| method.name == *name);
    let position = names.iter().rposition(named)?;
    Some((names.swap_remove(position), position + 1))
}

/// The method that takes these arguments best, and the arguments as it takes them (RPC-5).
fn overload<'m>(members: &'m MetaObject, name: &str, items: &[Item]) -> Result<(&'m MetaMethod, Vec<Value>), Failure> {
    let mut best: Option<(u32, &MetaMethod, Vec<Value>)> = None;
    let (mut bad, mut counts) = (None, Vec::new());
    for method in members.methods.values().filter(|method| method.name == name) {
        let Type::Tuple(wanted) = method.parameters_signature.kind() else {
            // It takes whatever tuple comes.
            let values = items.iter().map(to_dynamic).collect();
            best = best.or(Some((u32::MAX, method, values)));
            continue;
        };
        let found = match &wanted[..] {
            wanted if wanted.len() == items.len() => arguments(items, wanted).or_else(|bad| match (wanted, items) {
                // One member of a struct of one.
                ([only], [_]) => flattened(items, only).ok_or(bad),
                _ => Err(bad),
            }),
            [only] if matches!(only.kind(), Type::Tuple(elements) if elements.len() == items.len()) => {
                arguments(&[Item::List(items.to_vec())], wanted)
            }
            wanted => {
                counts.push(wanted.len().to_string());
                continue;
            }
        };
        match found {
            Ok((values, distance)) if best.as_ref().is_none_or(|(least, ..)| distance < *least) => {
                best = Some((distance, method, values));
            }
            Ok(_) => {}
            Err(wrong) => bad = bad.or(Some(wrong)),
        }
    }
    match (best, bad) {
        (Some((_, method, values)), _) => Ok((method, values)),
        (None, Some((position, reason))) => Err(format!("bad argument {position} for {name}: {reason}")),
        (None, None) => {
            let given = items.len();
            Err(format!("wrong number of arguments for {name}: {given} given, {} taken", counts.join(" or ")))
        }
    }
}

fn flattened(items: &[Item], wanted: &Signature) -> Option<(Vec<Value>, u32)> {
    let Type::Tuple(elements) = wanted.kind() else { return None };
    let listed = [Item::List(items.to_vec())];
    (elements.len() == items.len()).then(|| arguments(&listed, std::slice::from_ref(wanted)).ok()).flatten()
}

/// The text that stands for an error (RPC-4).
fn failure(error: &CallError, name: &str) -> Failure {
    match error {
        CallError::NotExposed => "not allowed".to_owned(),
        CallError::Gone(_) => "service gone".to_owned(),
        CallError::ArgumentCount { given, wanted } => {
            format!("wrong number of arguments for {name}: {given} given, {wanted} taken")
        }
        CallError::BadArgument { name: argument, reason } => format!("bad argument {argument} for {name}: {reason}"),
        // "read-only bridge", "timeout …", and what the service says.
        other => other.to_string(),
    }
}

fn method_names(members: &MetaObject) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for method in members.methods.values() {
        if !names.contains(&method.name.as_str()) {
            names.push(&method.name);
        }
    }
    names
}

fn commands(members: &MetaObject) -> Bottle {
    let mut lines = vec!["*** Available commands:"];
    lines.extend(method_names(members).into_iter().filter(|name| *name != "help"));
    lines.push("help");
    many(&lines)
}

fn help(members: &MetaObject, name: &str) -> Result<Bottle, Failure> {
    let methods = members.methods.values().filter(|method| method.name == name);
    let lines: Vec<_> = methods.map(line).collect();
    if lines.is_empty() {
        return Err(format!("unknown method {name}"));
    }
    Ok(many(&lines))
}

/// `add(int32 a, int32 b) -> int32`
fn line(method: &MetaMethod) -> String {
    let parameters: Vec<_> = match method.parameters_signature.kind() {
        Type::Tuple(elements) => elements
            .iter()
            .enumerate()
            .map(|(position, element)| match method.parameters.get(position) {
                Some(parameter) if !parameter.name.is_empty() => format!("{} {}", type_name(element), parameter.name),
                _ => type_name(element),
            })
            .collect(),
        _ => vec!["...".to_owned()],
    };
    format!("{}({}) -> {}", method.name, parameters.join(", "), type_name(&method.return_signature))
}
