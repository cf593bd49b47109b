//! Which method a call by name means (spec 3.3).

use std::fmt::Write;

use super::score;
use crate::{List, Map, MetaMethod, MetaObject, OptionalValue, Signature, Tuple, Type, Value};

/// No method, or more than one, takes these arguments. The texts are libqi's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverloadError {
    /// No method has the name.
    #[error("Can't find method: {name} (resolved to '{resolved}')")]
    Unknown {
        /// The name.
        name: String,
        /// The arguments' type.
        resolved: Signature,
    },
    /// No method of the name takes such arguments.
    #[error("Arguments types did not match for {name} (resolved to '{resolved}'):{candidates}")]
    Mismatch {
        /// The name.
        name: String,
        /// The arguments' type.
        resolved: Signature,
        /// The methods there are, with their scores.
        candidates: String,
    },
    /// Several methods take them equally well.
    #[error("Ambiguous overload for {name} (resolved to '{resolved}'):{candidates}")]
    Ambiguous {
        /// The name.
        name: String,
        /// The arguments' type.
        resolved: Signature,
        /// The methods that do.
        candidates: String,
    },
}

/// The method that a call of `name` with `arguments` means.
pub fn resolve_overload<'m>(
    metaobject: &'m MetaObject,
    name: &str,
    arguments: &[Value],
) -> Result<&'m MetaMethod, OverloadError> {
    let plain = Signature::tuple(arguments.iter().map(Value::signature));
    let resolved = Signature::tuple(arguments.iter().map(resolved_signature));
    // The method borrows from the description only; the name may go.
    let (bare, full) = match name.split_once("::") {
        Some((bare, parameters)) => (bare, Signature::parse(parameters).ok()),
        None => (name, None),
    };
    let named: Vec<&MetaMethod> = metaobject
        .methods
        .values()
        .filter(|method| method.name == bare)
        .filter(|method| full.as_ref().is_none_or(|full| method.parameters_signature == *full))
        .collect();
    let owned = || name.to_owned();
    if named.is_empty() {
        return Err(OverloadError::Unknown { name: owned(), resolved });
    }
    let fitting: Vec<&MetaMethod> = named.iter().copied().filter(|method| takes(method, arguments.len())).collect();
    match fitting[..] {
        [] => {
            return Err(OverloadError::Mismatch { name: owned(), candidates: listed(&named, &resolved), resolved });
        }
        // The only one is taken without a look at the types; a conversion error then says more (3.3).
        [only] => return Ok(only),
        _ => {}
    }
    for signature in [&plain, &resolved] {
        let scored: Vec<_> =
            fitting.iter().map(|method| (score(signature, &method.parameters_signature), *method)).collect();
        let best = scored.iter().map(|(score, _)| *score).fold(0.0, f32::max);
        if best > 0.0 {
            let mut winners = scored.iter().filter(|(score, _)| *score >= best).map(|(_, method)| *method);
            return match (winners.next(), winners.next()) {
                (Some(winner), None) => Ok(winner),
                _ => Err(OverloadError::Ambiguous {
                    name: owned(),
                    candidates: listed(&fitting, &resolved),
                    resolved: resolved.clone(),
                }),
            };
        }
    }
    Err(OverloadError::Mismatch { name: owned(), candidates: listed(&fitting, &resolved), resolved })
}

fn takes(method: &MetaMethod, count: usize) -> bool {
    match method.parameters_signature.kind() {
        Type::Tuple(elements) => elements.len() == count,
        _ => true,
    }
}

fn listed(methods: &[&MetaMethod], arguments: &Signature) -> String {
    let mut text = "\n  Candidate(s):".to_owned();
    for method in methods {
        let score = score(arguments, &method.parameters_signature);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {}::{} ({score})", method.name, method.parameters_signature);
    }
    text
}

/// The type of what a value really holds, inside of its dynamics.
fn resolved_signature(value: &Value) -> Signature {
    match value.peel() {
        Value::List(List { items, .. }) => Signature::list(common(items.iter())),
        Value::Map(Map { entries, .. }) => {
            Signature::map(common(entries.iter().map(|(key, _)| key)), common(entries.iter().map(|(_, value)| value)))
        }
        Value::Tuple(Tuple { signature, items }) => match signature.annotation() {
            Some(_) => signature.clone(),
            None => Signature::tuple(items.iter().map(resolved_signature)),
        },
        Value::Optional(OptionalValue { value: Some(value), .. }) => Signature::optional(resolved_signature(value)),
        other => other.signature(),
    }
}

/// The one type of all items, `_` for none, `m` for several.
fn common<'a>(items: impl Iterator<Item = &'a Value>) -> Signature {
    let mut found: Option<Signature> = None;
    for item in items {
        let signature = resolved_signature(item);
        match &found {
            None => found = Some(signature),
            Some(same) if *same == signature => {}
            Some(_) => return Signature::dynamic(),
        }
    }
    found.unwrap_or(Signature::none())
}
