//! Arguments and results under the flags of a Call, Post or Event (spec 2.3).

use bytes::Bytes;
use keyway_value::{
    CodecError, Decoder, Encoder, Limits, MAX_DEPTH, ObjectExporter, ObjectImporter, ObjectLayout, QiValue, Signature,
    Type, Value, convert, from_payload_as,
};
use keyway_wire::{Flags, Frame, Header};

use crate::errors;

/// A payload taken apart by its flags: nothing is decoded or copied yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Arguments {
    /// What the bytes hold: the declared parameters, or with flag bit 0 whatever the sender had.
    pub signature: Signature,
    /// The parameter tuple, and perhaps bytes behind it, which are ignored (2.4).
    pub bytes: Bytes,
    /// What the caller wants the result to be (flag bit 1).
    pub return_type: Option<Signature>,
}

impl Arguments {
    /// Takes the payload of a frame apart, given the declared parameters of what it is for.
    pub fn read(frame: &Frame, declared: &Signature, layout: ObjectLayout) -> Result<Self, CodecError> {
        let bytes = frame.payload_bytes();
        let flags = frame.header.flags;
        if !flags.contains(Flags::DYNAMIC_PAYLOAD) && !flags.contains(Flags::RETURN_TYPE) {
            return Ok(Self { signature: declared.clone(), bytes: bytes.clone(), return_type: None });
        }
        let mut decoder = Decoder::with(bytes, layout, Limits::default(), None);
        let signature =
            if flags.contains(Flags::DYNAMIC_PAYLOAD) { type_in_dynamic(&mut decoder)? } else { declared.clone() };
        let start = decoder.position();
        if !flags.contains(Flags::RETURN_TYPE) {
            return Ok(Self { signature, bytes: bytes.slice(start..), return_type: None });
        }
        decoder.skip_value(&signature)?;
        let end = decoder.position();
        let return_type = Some(decoder.read_signature()?);
        Ok(Self { signature, bytes: bytes.slice(start..end), return_type })
    }

    /// The arguments as a Rust type, converted if they are of another (3.4).
    pub fn decode<'a, T: QiValue>(
        &'a self,
        layout: ObjectLayout,
        importer: Option<&'a mut dyn ObjectImporter>,
    ) -> Result<T, CodecError> {
        from_payload_as(&self.bytes, &self.signature, layout, importer)
    }

    /// The arguments as a value of their own type.
    pub fn value<'a>(
        &'a self,
        layout: ObjectLayout,
        importer: Option<&'a mut dyn ObjectImporter>,
    ) -> Result<Value, CodecError> {
        Decoder::with(&self.bytes, layout, Limits::default(), importer).read_value(&self.signature)
    }
}

/// Refuses a wanted type that no result can ever have; to be asked before the method runs (2.3, QI-057).
pub fn check_return_type(declared: &Signature, wanted: &Signature) -> Result<(), String> {
    // What a dynamic will hold is known later.
    if declared.contains_object_or_dynamic() || convert::score(declared, wanted) > 0.0 {
        return Ok(());
    }
    Err(errors::cannot_convert_return(declared, wanted))
}

/// The Reply to a caller who wants a type of its own: converted and marked with flag bit 0, or as it is where its value does
/// not fit (2.3).
pub fn reply_with_return_type(
    call: &Header,
    result: &Value,
    wanted: &Signature,
    layout: ObjectLayout,
    exporter: Option<&mut dyn ObjectExporter>,
) -> Result<Frame, CodecError> {
    let mut encoder = Encoder::with(layout, exporter);
    match convert::convert(result.clone(), wanted) {
        Ok(converted) => {
            encoder.write_dynamic(&converted)?;
            Ok(Frame::reply_to(call, encoder.finish()).with_flags(Flags::DYNAMIC_PAYLOAD))
        }
        Err(_) => {
            encoder.write_value(result)?;
            Ok(Frame::reply_to(call, encoder.finish()))
        }
    }
}

/// The type of what is in all dynamics that begin here (4.1).
fn type_in_dynamic(decoder: &mut Decoder<'_>) -> Result<Signature, CodecError> {
    for _ in 0..MAX_DEPTH {
        let text = decoder.read_str()?;
        if text.is_empty() {
            return Err(CodecError::NullType);
        }
        let signature = Signature::parse_bytes(text).map_err(|_| CodecError::InvalidSignature)?;
        match signature.kind() {
            Type::Dynamic => {}
            Type::Unknown | Type::KwArgs(_) => return Err(CodecError::CannotDeserialize(signature)),
            _ => return Ok(signature),
        }
    }
    Err(CodecError::TooDeep(MAX_DEPTH))
}

#[cfg(test)]
mod tests {
    use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId, to_payload};

    use super::*;

    const LAYOUT: ObjectLayout = ObjectLayout { uid: true, metaobject_cache: false };

    fn call(flags: Flags, payload: Payload) -> Frame {
        Frame::call(MessageId(1), ServiceId(3), ObjectId(1), ActionId(100), payload).with_flags(flags)
    }

    fn bytes(write: impl FnOnce(&mut Encoder<'_>)) -> Payload {
        let mut encoder = Encoder::new();
        write(&mut encoder);
        encoder.finish()
    }

    fn declared() -> Signature {
        Signature::parse("(is)").unwrap()
    }

    fn read(frame: &Frame) -> Result<Arguments, CodecError> {
        Arguments::read(frame, &declared(), LAYOUT)
    }

    #[test]
    fn without_flags_the_payload_is_the_declared_tuple() {
        let frame = call(Flags::default(), to_payload(&(7_i32, "x".to_owned())).unwrap());
        let arguments = read(&frame).unwrap();
        assert_eq!(arguments.return_type, None);
        assert_eq!(arguments.decode::<(i32, String)>(LAYOUT, None).unwrap(), (7, "x".to_owned()));
    }

    #[test]
    fn a_dynamic_payload_brings_its_own_types_and_is_converted() {
        let payload = bytes(|encoder| {
            encoder.write_dynamic(&Value::tuple(vec![Value::Int64(7), Value::from("x")])).unwrap();
        });
        let arguments = read(&call(Flags::DYNAMIC_PAYLOAD, payload)).unwrap();
        assert_eq!(arguments.signature, Signature::parse("(ls)").unwrap());
        assert_eq!(arguments.decode::<(i32, String)>(LAYOUT, None).unwrap(), (7, "x".to_owned()));
    }

    #[test]
    fn the_wanted_type_of_the_result_follows_the_arguments() {
        let payload = bytes(|encoder| {
            (7_i32, "x".to_owned()).encode(encoder).unwrap();
            encoder.write_signature(&Signature::double());
        });
        let arguments = read(&call(Flags::RETURN_TYPE, payload)).unwrap();
        assert_eq!(arguments.return_type, Some(Signature::double()));
        assert_eq!(arguments.value(LAYOUT, None).unwrap(), Value::tuple(vec![Value::Int32(7), Value::from("x")]));
    }

    #[test]
    fn both_flags_may_be_combined_and_dynamics_nested() {
        let inner = Value::tuple(vec![Value::UInt8(7), Value::from("x")]);
        let payload = bytes(|encoder| {
            encoder.write_dynamic(&Value::Dynamic(Box::new(inner.clone()))).unwrap();
            encoder.write_signature(&Signature::string());
        });
        let arguments = read(&call(Flags::DYNAMIC_PAYLOAD.with(Flags::RETURN_TYPE), payload)).unwrap();
        assert_eq!(arguments.return_type, Some(Signature::string()));
        assert_eq!(arguments.value(LAYOUT, None).unwrap(), inner);
    }

    #[test]
    fn bad_payloads_give_the_texts_of_libqi() {
        for (flags, payload, text) in [
            (Flags::DYNAMIC_PAYLOAD, &b"\x01\0\0"[..], "ISerialization error Status Read Past End"),
            (Flags::DYNAMIC_PAYLOAD, b"\0\0\0\0", "NULL type"),
            (Flags::DYNAMIC_PAYLOAD, b"\x01\0\0\0(", "Invalid signature"),
            (
                Flags::DYNAMIC_PAYLOAD,
                b"\x01\0\0\0X",
                "Cannot find a type to deserialize signature X within a dynamic value.",
            ),
            (Flags::RETURN_TYPE, b"\x07\0\0\0\x01\0\0\0x\x01\0\0\0)", "Invalid signature"),
            (Flags::RETURN_TYPE, b"\x07\0\0\0\x01\0\0\0x", "ISerialization error Status Read Past End"),
        ] {
            let error = read(&call(flags, Payload::from(payload.to_vec()))).unwrap_err();
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn endlessly_nested_dynamics_are_refused() {
        let payload = b"\x01\0\0\0m".repeat(200_000);
        let error = read(&call(Flags::DYNAMIC_PAYLOAD, Payload::from(payload))).unwrap_err();
        assert_eq!(error, CodecError::TooDeep(MAX_DEPTH));
    }

    #[test]
    fn a_result_is_converted_or_goes_out_as_it_is() {
        let header = call(Flags::RETURN_TYPE, Payload::new()).header;
        let reply = reply_with_return_type(&header, &Value::Int32(3), &Signature::double(), LAYOUT, None).unwrap();
        assert_eq!(reply.header.flags, Flags::DYNAMIC_PAYLOAD);
        let value = Decoder::new(reply.payload_bytes()).read_dynamic().unwrap();
        assert_eq!(value, Value::Double(3.0));
        let reply = reply_with_return_type(&header, &Value::Int32(3), &Signature::bool(), LAYOUT, None).unwrap();
        assert_eq!(reply.header.flags, Flags::default());
        assert_eq!(reply.payload_bytes()[..], [3, 0, 0, 0]);
    }

    #[test]
    fn a_result_that_can_never_be_had_is_refused_beforehand() {
        let text = check_return_type(&Signature::string(), &Signature::int32()).unwrap_err();
        assert_eq!(text, "Call error: will not be able to convert return type from s to i");
        assert!(check_return_type(&Signature::int32(), &Signature::double()).is_ok());
        assert!(check_return_type(&Signature::dynamic(), &Signature::int32()).is_ok());
    }
}
