//! From JSON to the arguments of a method (sans-I/O): by position or by name, straight into the declared types.

use std::fmt;

use keyway_value::{
    ActionId, CodecError, Encoder, MetaMethod, Payload, Signature, Type, Value, convert,
    transcode::{FromSerde, from_json},
};
use serde::{Deserializer, de::IgnoredAny};

/// Arguments that no method of a name takes. The text says what is wrong with them for each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(String);

/// How the arguments are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Positions,
    Names,
}

/// The method that takes the arguments in `text`, and their bytes. `methods` are those of one name, the preferred ones first;
/// nothing at all is a list without items.
pub fn arguments(methods: &[&MetaMethod], text: &str) -> Result<(ActionId, Payload), Unfit> {
    let text = if text.trim().is_empty() { "[]" } else { text };
    let form = match text.trim_start().as_bytes().first() {
        Some(b'[') => Form::Positions,
        Some(b'{') => Form::Names,
        _ => return Err(Unfit("arguments are a list ([1, 2]) or an object with their names ({\"a\": 1})".to_owned())),
    };
    let mut fitting = Vec::new();
    let mut reasons = Vec::new();
    for method in methods {
        match encode(method, form, text) {
            Ok(payload) => fitting.push((*method, payload)),
            Err(reason) => reasons.push(format!("{}: {reason}", full_name(method))),
        }
    }
    if fitting.len() > 1 && form == Form::Positions {
        prefer(&mut fitting, text);
    }
    match fitting.into_iter().next() {
        Some((method, payload)) => Ok((ActionId(method.uid), payload)),
        None => Err(Unfit(reasons.join("; "))),
    }
}

/// One value of a declared type.
pub fn value(signature: &Signature, text: &str) -> Result<Payload, Unfit> {
    from_json(text, signature).map_err(|error| Unfit(format!("{signature}: {error}")))
}

/// The name with the types of its parameters, as it is unique.
pub fn full_name(method: &MetaMethod) -> String {
    format!("{}::{}", method.name, method.parameters_signature)
}

/// The names of a method's parameters, if all have one.
pub fn parameter_names(method: &MetaMethod) -> Option<Vec<&str>> {
    let elements = method.parameters_signature.elements();
    let names: Vec<_> = method.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let is_usable = |name: &&str| !name.is_empty() && !name.contains([',', '<', '>']);
    if names.len() == elements.len() && !names.is_empty() {
        return names.iter().all(is_usable).then_some(names);
    }
    method.parameters_signature.field_names()
}

fn encode(method: &MetaMethod, form: Form, text: &str) -> Result<Payload, CodecError> {
    let parameters = &method.parameters_signature;
    if let (Type::Dynamic, Form::Positions) = (parameters.kind(), form) {
        return as_they_are(text);
    }
    if !matches!(parameters.kind(), Type::Tuple(_) | Type::Dynamic) {
        return Err(CodecError::Custom(format!(
            "its host says that its parameters are {parameters}, which is no list"
        )));
    }
    if form == Form::Positions {
        // Without names: a list is what is given.
        return read(text, &Signature::tuple(parameters.elements().iter().cloned()));
    }
    let names = parameter_names(method);
    let names =
        names.ok_or_else(|| CodecError::Custom("its parameters have no names; give them as a list".to_owned()))?;
    read(text, &Signature::named_tuple("Arguments", &names, parameters.elements().iter().cloned()))
}

/// For a method that takes anything: a tuple of whatever is there (spec 3.3).
fn as_they_are(text: &str) -> Result<Payload, CodecError> {
    let count = serde_json::from_str::<Vec<IgnoredAny>>(text).map_err(custom)?.len();
    let tuple = Signature::tuple(std::iter::repeat_n(Signature::dynamic(), count));
    let items = read(text, &tuple)?;
    let mut encoder = Encoder::new();
    encoder.write_signature(&tuple);
    encoder.append(&items);
    Ok(encoder.finish())
}

fn read(text: &str, signature: &Signature) -> Result<Payload, CodecError> {
    let mut encoder = Encoder::new();
    let mut source = serde_json::Deserializer::from_str(text);
    let seed = FromSerde::new(signature, &mut encoder);
    read_to_end(seed, &mut source).map_err(custom)?;
    source.end().map_err(custom)?;
    Ok(encoder.finish())
}

fn read_to_end<'de, D: Deserializer<'de>>(seed: FromSerde<'_, '_, '_>, source: D) -> Result<(), D::Error> {
    seed.read(source)
}

/// Puts first what the arguments are most like (spec 3.3).
fn prefer(fitting: &mut [(&MetaMethod, Payload)], text: &str) {
    let list = Signature::list(Signature::dynamic());
    let values = from_json(text, &list).ok().and_then(|payload| {
        let bytes = payload.into_bytes();
        keyway_value::Decoder::new(&bytes).read_value(&list).ok()
    });
    let Some(Value::List(values)) = values else { return };
    let types: Vec<_> = values.items.iter().map(|value| value.clone().unwrap_dynamic().signature()).collect();
    let likeness = |method: &MetaMethod| {
        let elements = method.parameters_signature.elements();
        let scores = types.iter().zip(elements.iter()).map(|(from, to)| convert::score(from, to));
        scores.fold(1.0_f32, f32::min)
    };
    // Stable: of equals, the preferred one stays first.
    fitting.sort_by(|(left, _), (right, _)| likeness(right).total_cmp(&likeness(left)));
}

fn custom(error: impl fmt::Display) -> CodecError {
    CodecError::Custom(error.to_string())
}

#[cfg(test)]
mod tests {
    use keyway_value::{MetaMethodParameter, MetaObject};

    use super::*;

    fn method(name: &str, parameters: &str, names: &[&str]) -> MetaMethod {
        let mut object = MetaObject::builder();
        let id = object.method(name, parameters.parse().unwrap(), Signature::void());
        let mut method = object.build().methods.remove(&id.0).unwrap();
        let named = |name: &&str| MetaMethodParameter { name: (*name).to_owned(), description: String::new() };
        method.parameters = names.iter().map(named).collect();
        method
    }

    fn chosen(methods: &[MetaMethod], text: &str) -> Result<String, Unfit> {
        let numbered: Vec<MetaMethod> =
            methods.iter().zip(0..).map(|(method, uid)| MetaMethod { uid, ..method.clone() }).collect();
        let (id, _) = arguments(&numbered.iter().collect::<Vec<_>>(), text)?;
        Ok(methods[id.0 as usize].parameters_signature.to_string())
    }

    #[test]
    fn a_list_and_an_object_in_any_order_give_the_same_bytes() {
        let method = method("say", "(si)", &["text", "volume"]);
        let (_, list) = arguments(&[&method], "[\"a\", 1]").unwrap();
        let (_, named) = arguments(&[&method], "{\"volume\": 1, \"text\": \"a\"}").unwrap();
        assert_eq!(list, named);
    }

    #[test]
    fn nothing_is_no_argument() {
        assert_eq!(arguments(&[&method("stop", "()", &[])], " ").unwrap().1.len(), 0);
        assert!(arguments(&[&method("say", "(s)", &[])], "").is_err());
        // Not even for a host that declares what is no list of parameters.
        assert!(arguments(&[&method("say", "s", &[])], "").is_err());
    }

    #[test]
    fn overloads_are_chosen_by_count_and_by_likeness() {
        let methods = ["(i)", "(f)", "(s)", "(ii)", "([s])"].map(|parameters| method("f", parameters, &[]));
        for (text, parameters) in
            [("[1]", "(i)"), ("[1.5]", "(f)"), ("[\"a\"]", "(s)"), ("[1,2]", "(ii)"), ("[[\"a\"]]", "([s])")]
        {
            assert_eq!(chosen(&methods, text).as_deref(), Ok(parameters), "{text}");
        }
    }

    #[test]
    fn a_method_that_takes_anything_gets_a_tuple() {
        let (_, payload) = arguments(&[&method("f", "m", &[])], "[1, \"a\"]").unwrap();
        let bytes = payload.into_bytes();
        let value = keyway_value::Decoder::new(&bytes).read_dynamic().unwrap();
        assert_eq!(value.signature().to_string(), "(mm)");
    }

    #[test]
    fn what_does_not_fit_says_why_for_each_candidate() {
        let methods = [method("f", "(i)", &["a"]), method("f", "(o)", &[])];
        let text = arguments(&methods.iter().collect::<Vec<_>>(), "[\"x\"]").unwrap_err().to_string();
        assert!(text.contains("f::(i): ") && text.contains("f::(o): "), "{text}");
        assert!(arguments(&[&methods[0]], "\"x\"").unwrap_err().to_string().contains("a list"));
        assert!(arguments(&[&methods[0]], "{\"b\": 1}").is_err());
        assert!(arguments(&[&methods[1]], "{\"b\": 1}").unwrap_err().to_string().contains("no names"));
    }
}
