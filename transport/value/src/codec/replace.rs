//! Other metaobjects in a value that is passed on.

use std::sync::Arc;

use bytes::Bytes;

use super::{CodecError, Decoder, Limits, ObjectLayout, Payload};
use crate::{MetaObject, ObjectReference, Signature, to_payload};

/// A payload of this type with another metaobject in each object for which `replacement` gives one. All other bytes are as they
/// were, those behind the value too; `None` if nothing is to be replaced.
pub fn replace_metaobjects(
    payload: &Bytes,
    signature: &Signature,
    layout: ObjectLayout,
    mut replacement: impl FnMut(&ObjectReference) -> Option<Arc<MetaObject>>,
) -> Result<Option<Payload>, CodecError> {
    let (mut replaced, mut copied) = (Vec::new(), 0);
    let mut decoder = Decoder::with(payload, layout, Limits::default(), None);
    decoder.visit_objects(signature, &mut |place, reference| {
        if place.is_empty() {
            return Ok(());
        }
        let Some(other) = replacement(&reference) else { return Ok(()) };
        if replaced.is_empty() {
            replaced.reserve(payload.len());
        }
        // Places are within what was read, one behind the other.
        replaced.extend_from_slice(payload.get(copied..place.start).unwrap_or_default());
        replaced.extend_from_slice(&to_payload(&*other)?.into_bytes());
        copied = place.end;
        Ok(())
    })?;
    if copied == 0 {
        return Ok(None);
    }
    replaced.extend_from_slice(payload.get(copied..).unwrap_or_default());
    Ok(Some(replaced.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoder, MetaObjectBuilder, ObjectId, ObjectUid, ObjectValue, ServiceId, Value};

    const LAYOUTS: [ObjectLayout; 2] =
        [ObjectLayout { uid: true, metaobject_cache: false }, ObjectLayout { uid: false, metaobject_cache: false }];

    fn metaobject(names: &[&str]) -> MetaObject {
        let mut builder = MetaObjectBuilder::default();
        for name in names {
            builder.method(name, Signature::tuple([Signature::dynamic()]), Signature::int32());
        }
        builder.build()
    }

    fn object(id: u32, names: &[&str]) -> Value {
        let uid = Some(ObjectUid([7; 20]));
        let metaobject = Arc::new(metaobject(names));
        let reference = ObjectReference { metaobject, service: ServiceId(3), object: ObjectId(id), uid };
        Value::Object(ObjectValue::from_reference(reference))
    }

    /// Objects in everything that holds values.
    fn everything(first: Value, second: Value) -> Value {
        let inner = Value::tuple(vec![Value::from("before"), Value::Dynamic(Box::new(first)), Value::Int32(5)]);
        let list = Value::list(Signature::object(), vec![second.clone(), second]);
        let entry = (Value::from("key"), Value::Dynamic(Box::new(inner)));
        let map = Value::map(Signature::string(), Signature::dynamic(), vec![entry]);
        Value::tuple(vec![map, list, Value::from("behind")])
    }

    fn bytes(value: &Value, layout: ObjectLayout) -> Bytes {
        let mut encoder = Encoder::with(layout, None);
        encoder.write_value(value).unwrap();
        encoder.finish().into_bytes()
    }

    #[test]
    fn metaobjects_are_replaced_wherever_they_are_and_everything_else_is_as_it_was() {
        for layout in LAYOUTS {
            let value = everything(object(4, &["say", "secret"]), object(5, &["look"]));
            let (before, signature) = (bytes(&value, layout), value.signature());
            let shown =
                |reference: &ObjectReference| (reference.object == ObjectId(4)).then(|| Arc::new(metaobject(&["say"])));
            let replaced = replace_metaobjects(&before, &signature, layout, shown).unwrap().unwrap().into_bytes();
            let expected = everything(object(4, &["say"]), object(5, &["look"]));
            assert_eq!(replaced, bytes(&expected, layout));
            // The same as a dynamic, with bytes behind it that no reader looks at.
            let wrapped = |value: &Bytes| {
                let signature = to_payload(&signature.to_string()).unwrap().into_bytes();
                Bytes::from([&signature[..], value, b"more"].concat())
            };
            let dynamic = Signature::dynamic();
            let replaced = replace_metaobjects(&wrapped(&before), &dynamic, layout, shown).unwrap().unwrap();
            assert_eq!(replaced.into_bytes(), wrapped(&bytes(&expected, layout)));
        }
    }

    #[test]
    fn nothing_is_copied_where_nothing_is_replaced() {
        let value = everything(object(4, &["say"]), object(5, &["look"]));
        let layout = ObjectLayout::default();
        let mut seen = Vec::new();
        let unchanged = replace_metaobjects(&bytes(&value, layout), &value.signature(), layout, |reference| {
            seen.push(reference.object.0);
            None
        });
        assert_eq!((unchanged, seen), (Ok(None), vec![4, 5, 5]));
    }

    #[test]
    fn a_metaobject_that_was_not_sent_along_is_not_replaced() {
        let layout = ObjectLayout { uid: true, metaobject_cache: true };
        // Not transmitted, number 7 of the cache, service 3, object 4, a uid.
        let payload = [&[0, 7, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0][..], &[9; 20]].concat();
        let never = |_: &ObjectReference| panic!("there is nothing to replace");
        assert_eq!(replace_metaobjects(&payload.into(), &Signature::object(), layout, never), Ok(None));
    }

    #[test]
    fn bytes_that_are_no_value_are_an_error() {
        let value = everything(object(4, &["say"]), object(5, &["look"]));
        let layout = ObjectLayout::default();
        let whole = bytes(&value, layout);
        let other = |_: &ObjectReference| Some(Arc::new(MetaObject::default()));
        for length in 0..whole.len() {
            let cut = whole.slice(..length);
            assert!(replace_metaobjects(&cut, &value.signature(), layout, other).is_err(), "{length}");
        }
        assert!(replace_metaobjects(&whole, &Signature::unknown(), layout, other).is_err());
        let no_signature = Bytes::from_static(&[100, 0, 0, 0]);
        assert!(replace_metaobjects(&no_signature, &Signature::dynamic(), layout, other).is_err());
    }
}
