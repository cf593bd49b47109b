//! Whether a condition holds for an argument, read in place.
//!
//! A limit of a number or text is a limit of every number or text in a list, since NAOqi's methods take one or many
//! (`setStiffnesses("Head", 0.5)`, `setStiffnesses(["Head", "LArm"], [0.5, 0.5])`).

use keyway_value::{CodecError, Decoder, Signature, Type};

use super::{Number, Test};

/// Whether all elements of a list must meet a condition, or one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    /// For what allows.
    All,
    /// For what denies.
    Any,
}

/// A condition that can be neither met nor missed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Undecidable {
    #[error("the arguments cannot be read: {0}")]
    Codec(#[from] CodecError),
    #[error("the method has no such parameter")]
    NoParameter,
    #[error("a {0} cannot be compared")]
    Type(Signature),
    #[error("a number that is not finite or loses digits cannot be compared")]
    NotComparable,
}

/// Reads what is next, of type `actual`, for a parameter declared as `declared`.
pub(crate) fn holds(
    decoder: &mut Decoder<'_>,
    actual: &Signature,
    declared: Option<&Signature>,
    test: &Test,
    quantifier: Quantifier,
) -> Result<bool, Undecidable> {
    if let Type::Dynamic = actual.kind() {
        let content = decoder.read_signature()?;
        decoder.enter()?;
        let held = holds(decoder, &content, declared, test, quantifier)?;
        decoder.leave();
        return Ok(held);
    }
    if let Test::Length(comparison, limit) = test {
        let length = Number::Integer(length(decoder, actual)? as i128);
        return length.compare(*limit).map(|order| comparison.accepts(order)).ok_or(Undecidable::NotComparable);
    }
    match actual.kind() {
        Type::List(element) | Type::VarArgs(element) => {
            let count = decoder.read_count(element.min_size())?;
            let declared = declared.and_then(|declared| match declared.kind() {
                Type::List(element) | Type::VarArgs(element) => Some(&**element),
                _ => None,
            });
            each(decoder, quantifier, (0..count).map(|_| (&**element, declared)), test)
        }
        Type::Tuple(elements) => {
            let declared = match declared.map(Signature::kind) {
                Some(Type::Tuple(declared)) => &declared[..],
                _ => &[],
            };
            let pairs = elements.iter().enumerate().map(|(at, element)| (element, declared.get(at)));
            each(decoder, quantifier, pairs, test)
        }
        Type::String => {
            let text = decoder.read_str()?;
            match test {
                Test::Text { equal, text: wanted } => Ok((text == wanted.as_bytes()) == *equal),
                Test::Pattern { matching, glob } => {
                    let text = std::str::from_utf8(text).map_err(|_| CodecError::InvalidUtf8)?;
                    Ok(glob.matches(text) == *matching)
                }
                _ => Err(Undecidable::Type(actual.clone())),
            }
        }
        _ => {
            let number = number(decoder, actual)?;
            let Test::Number(comparison, limit) = test else {
                return Err(Undecidable::Type(actual.clone()));
            };
            let converted = number.as_declared(declared.map(Signature::kind));
            let order = converted.and_then(|number| number.compare(*limit)).ok_or(Undecidable::NotComparable)?;
            Ok(comparison.accepts(order))
        }
    }
}

/// Every element is read, so that one that cannot be compared is found in any case.
fn each<'s>(
    decoder: &mut Decoder<'_>,
    quantifier: Quantifier,
    elements: impl Iterator<Item = (&'s Signature, Option<&'s Signature>)>,
    test: &Test,
) -> Result<bool, Undecidable> {
    decoder.enter()?;
    let mut result = quantifier == Quantifier::All;
    for (actual, declared) in elements {
        let held = holds(decoder, actual, declared, test, quantifier)?;
        match quantifier {
            Quantifier::All => result &= held,
            Quantifier::Any => result |= held,
        }
    }
    decoder.leave();
    Ok(result)
}

/// Bytes of a text or buffer, elements of a container.
fn length(decoder: &mut Decoder<'_>, actual: &Signature) -> Result<usize, Undecidable> {
    Ok(match actual.kind() {
        Type::String | Type::Raw => decoder.read_str()?.len(),
        Type::List(element) | Type::VarArgs(element) => decoder.read_count(element.min_size())?,
        Type::Map(pair) => decoder.read_count(pair.0.min_size() + pair.1.min_size())?,
        Type::Tuple(elements) => elements.len(),
        _ => return Err(Undecidable::Type(actual.clone())),
    })
}

fn number(decoder: &mut Decoder<'_>, actual: &Signature) -> Result<Number, Undecidable> {
    Ok(match actual.kind() {
        Type::Bool => Number::Integer(decoder.read_bool()?.into()),
        Type::Int8 => Number::Integer(decoder.read_i8()?.into()),
        Type::UInt8 => Number::Integer(decoder.read_u8()?.into()),
        Type::Int16 => Number::Integer(decoder.read_i16()?.into()),
        Type::UInt16 => Number::Integer(decoder.read_u16()?.into()),
        Type::Int32 => Number::Integer(decoder.read_i32()?.into()),
        Type::UInt32 => Number::Integer(decoder.read_u32()?.into()),
        Type::Int64 => Number::Integer(decoder.read_i64()?.into()),
        Type::UInt64 => Number::Integer(decoder.read_u64()?.into()),
        Type::Float => Number::Float(decoder.read_f32()?.into()),
        Type::Double => Number::Float(decoder.read_f64()?),
        _ => return Err(Undecidable::Type(actual.clone())),
    })
}
