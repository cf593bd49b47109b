//! Signatures, and values of them.

use bytes::Bytes;
use keyway_value::{
    List, Map, MetaObject, ObjectId, ObjectReference, ObjectUid, ObjectValue, OptionalValue, QiString, ServiceId,
    Signature, Tuple, Type, Value,
};
use proptest::{collection::vec, prelude::*};

/// Which signatures there are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// All that parse.
    Any,
    /// Those that have values.
    WithValues,
    /// Those whose values JSON tells apart.
    Json,
}

/// The text of a signature.
pub(crate) fn signature_text(kinds: Kinds) -> BoxedStrategy<String> {
    let letters = match kinds {
        Kinds::Any => "bcCwWiIlLfdsmrovX_",
        Kinds::WithValues => "bcCwWiIlLfdsmrov",
        Kinds::Json => "bcCwWiIlLfdsrv",
    };
    let letters: Vec<_> = letters.chars().map(String::from).collect();
    let leaf = prop_oneof![
        8 => prop::sample::select(letters),
        1 => Just("()".to_owned()),
        // What libqi calls the type of an empty list.
        1 => Just("[_]".to_owned()),
    ];
    leaf.prop_recursive(4, 20, 3, move |inner| compound(kinds, &inner)).boxed()
}

fn compound(kinds: Kinds, inner: &BoxedStrategy<String>) -> BoxedStrategy<String> {
    let one = || inner.clone();
    let common = prop_oneof![
        one().prop_map(|element| format!("[{element}]")),
        one().prop_map(|element| format!("#{element}")),
        (one(), one()).prop_map(|(key, value)| format!("{{{key}{value}}}")),
        vec(one(), 0..4).prop_map(|elements| format!("({})", elements.concat())),
        vec(one(), 1..4).prop_map(|elements| named(&elements)),
    ];
    match kinds {
        Kinds::Any => prop_oneof![
            6 => common,
            1 => one().prop_map(|element| format!("+{element}")),
            1 => one().prop_map(|element| format!("~{element}")),
            1 => (one(), "[a-z,é]{0,3}(<[a-z]{0,3}>)?[a-z ]{0,3}").prop_map(annotated),
        ]
        .boxed(),
        Kinds::WithValues => prop_oneof![6 => common, 1 => one().prop_map(|element| format!("+{element}"))].boxed(),
        // Null is what there is not; what may itself be null cannot be there.
        Kinds::Json => {
            let told_apart = one().prop_filter("may be null", |element| !element.starts_with(['+', 'v']));
            prop_oneof![6 => common, 1 => told_apart.prop_map(|element| format!("+{element}"))].boxed()
        }
    }
}

fn named(elements: &[String]) -> String {
    let names: String = (0..elements.len()).map(|position| format!(",f{position}")).collect();
    format!("({})<Name{names}>", elements.concat())
}

fn annotated((element, annotation): (String, String)) -> String {
    if element.ends_with('>') { element } else { format!("{element}<{annotation}>") }
}

/// A signature.
pub(crate) fn signature(kinds: Kinds) -> impl Strategy<Value = Signature> {
    signature_text(kinds).prop_map(|text| text.parse().unwrap())
}

/// A value of some type, and the type.
pub(crate) fn typed_value(kinds: Kinds) -> impl Strategy<Value = (Signature, Value)> {
    signature(kinds).prop_flat_map(move |signature| {
        let value = value_of(&signature, kinds, 2);
        (Just(signature), value)
    })
}

/// A value of a type, with so many dynamics in one another.
pub(crate) fn value_of(signature: &Signature, kinds: Kinds, dynamics: u32) -> BoxedStrategy<Value> {
    let of = |element: &Signature| value_of(element, kinds, dynamics);
    let signature = signature.clone();
    match signature.kind() {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Int8 => any::<i8>().prop_map(Value::Int8).boxed(),
        Type::UInt8 => any::<u8>().prop_map(Value::UInt8).boxed(),
        Type::Int16 => any::<i16>().prop_map(Value::Int16).boxed(),
        Type::UInt16 => any::<u16>().prop_map(Value::UInt16).boxed(),
        Type::Int32 => any::<i32>().prop_map(Value::Int32).boxed(),
        Type::UInt32 => any::<u32>().prop_map(Value::UInt32).boxed(),
        Type::Int64 => any::<i64>().prop_map(Value::Int64).boxed(),
        Type::UInt64 => any::<u64>().prop_map(Value::UInt64).boxed(),
        Type::Float => any::<u32>().prop_map(move |bits| Value::Float(float(kinds, f32::from_bits(bits)))).boxed(),
        Type::Double => any::<u64>().prop_map(move |bits| Value::Double(double(kinds, f64::from_bits(bits)))).boxed(),
        Type::String if kinds == Kinds::Json => any::<String>().prop_map(Value::from).boxed(),
        Type::String => vec(any::<u8>(), 0..12).prop_map(|bytes| Value::String(QiString::from(bytes))).boxed(),
        Type::Raw => vec(any::<u8>(), 0..12).prop_map(|bytes| Value::Raw(Bytes::from(bytes))).boxed(),
        Type::Object => object().prop_map(Value::Object).boxed(),
        Type::Dynamic if dynamics == 0 => any::<i32>().prop_map(|value| Value::from(value).into_dynamic()).boxed(),
        Type::Dynamic => self::signature(kinds)
            .prop_flat_map(move |inner| value_of(&inner, kinds, dynamics - 1))
            .prop_map(|inner| Value::Dynamic(Box::new(inner)))
            .boxed(),
        Type::List(element) if *element.kind() == Type::None => {
            Just(Value::list(Signature::none(), Vec::new())).boxed()
        }
        Type::List(element) | Type::VarArgs(element) => vec(of(element), 0..4)
            .prop_map(move |items| Value::List(List { signature: signature.clone(), items }))
            .boxed(),
        Type::Map(pair) => vec((of(&pair.0), of(&pair.1)), 0..3)
            .prop_map(move |entries| Value::Map(Map { signature: signature.clone(), entries }))
            .boxed(),
        Type::Tuple(elements) => elements
            .iter()
            .map(of)
            .collect::<Vec<_>>()
            .prop_map(move |items| Value::Tuple(Tuple { signature: signature.clone(), items }))
            .boxed(),
        Type::Optional(element) => prop::option::of(of(element))
            .prop_map(move |value| {
                let value = value.map(Box::new);
                Value::Optional(OptionalValue { signature: signature.clone(), value })
            })
            .boxed(),
        Type::Void | Type::None | Type::Unknown | Type::KwArgs(_) => Just(Value::Void).boxed(),
    }
}

/// JSON has no numbers for what is not finite.
fn float(kinds: Kinds, number: f32) -> f32 {
    if kinds == Kinds::Json && !number.is_finite() { 0.5 } else { number }
}

fn double(kinds: Kinds, number: f64) -> f64 {
    if kinds == Kinds::Json && !number.is_finite() { 0.5 } else { number }
}

fn object() -> impl Strategy<Value = ObjectValue> {
    let ids = (any::<u32>(), any::<u32>(), any::<[u8; 20]>());
    (ids, any::<String>(), any::<bool>()).prop_map(|((service, object, uid), description, reserved)| {
        let mut metaobject = MetaObject { description, ..MetaObject::default() };
        if reserved {
            metaobject = metaobject.with_reserved();
        }
        ObjectValue::from_reference(ObjectReference {
            metaobject: metaobject.into(),
            service: ServiceId(service),
            object: ObjectId(object),
            uid: Some(ObjectUid(uid)),
        })
    })
}

/// Bytes in which counts are often small enough to be believed, and signatures appear.
pub(crate) fn plausible_bytes() -> impl Strategy<Value = Vec<u8>> {
    let text = signature_text(Kinds::Any).prop_map(|text| {
        let length = u32::try_from(text.len()).unwrap();
        [&length.to_le_bytes()[..], text.as_bytes()].concat()
    });
    let piece = prop_oneof![
        4 => (0_u32..20).prop_map(|count| count.to_le_bytes().to_vec()),
        1 => any::<u32>().prop_map(|count| count.to_le_bytes().to_vec()),
        2 => vec(0_u8..3, 0..8),
        1 => vec(any::<u8>(), 0..8),
        2 => text,
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}
