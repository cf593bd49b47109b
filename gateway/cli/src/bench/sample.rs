//! Arguments made up from a signature.

use anyhow::bail;
use bytes::Bytes;
use keyway_value::{Encoder, Payload, Signature, Type, Value};

/// The payload for parameters of a signature: zeroes, empty containers, and `size` bytes in every string and raw buffer.
pub(super) fn payload(parameters: &Signature, size: usize) -> anyhow::Result<Payload> {
    let mut encoder = Encoder::new();
    match parameters.kind() {
        // A method that takes anything (spec 3.3) is given one buffer.
        Type::Dynamic => encoder.write_dynamic(&Value::tuple(vec![buffer(size).into()]))?,
        _ => write(&mut encoder, parameters, size)?,
    }
    // One piece: the frames are copied for each call in flight anyway.
    Ok(Payload::from(encoder.finish().into_bytes()))
}

fn write(encoder: &mut Encoder<'_>, signature: &Signature, size: usize) -> anyhow::Result<()> {
    match signature.kind() {
        Type::Void | Type::None => {}
        Type::Bool | Type::Int8 | Type::UInt8 => encoder.write_u8(0),
        Type::Int16 | Type::UInt16 => encoder.write_u16(0),
        Type::Int32 | Type::UInt32 | Type::Float => encoder.write_u32(0),
        Type::Int64 | Type::UInt64 | Type::Double => encoder.write_u64(0),
        Type::String | Type::Raw => encoder.write_raw(&buffer(size))?,
        Type::Dynamic => encoder.write_dynamic(&buffer(size).into())?,
        Type::List(_) | Type::Map(_) | Type::VarArgs(_) => encoder.write_count(0)?,
        Type::Optional(_) => encoder.write_bool(false),
        Type::Tuple(elements) => elements.iter().try_for_each(|element| write(encoder, element, size))?,
        Type::Object | Type::Unknown | Type::KwArgs(_) => bail!("cannot make up a value of type {signature}"),
    }
    Ok(())
}

/// Letters, so that it is a string too.
fn buffer(size: usize) -> Bytes {
    Bytes::from(vec![b'k'; size])
}

#[cfg(test)]
mod tests {
    use keyway_value::from_payload;

    use super::*;

    #[test]
    fn arguments_have_the_type_that_is_asked_for() {
        let made = |text: &str| payload(&Signature::parse(text).unwrap(), 5).unwrap().into_bytes();
        assert_eq!(from_payload::<(i32, Bytes, Vec<i64>)>(&made("(ir[l])")).unwrap(), (0, buffer(5), vec![]));
        assert_eq!(from_payload::<(Value,)>(&made("(m)")).unwrap().0.peel(), &Value::Raw(buffer(5)));
        assert!(made("()").is_empty());
        assert!(payload(&Signature::parse("(o)").unwrap(), 0).is_err());
    }
}
