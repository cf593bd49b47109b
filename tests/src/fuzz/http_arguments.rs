//! JSON arguments of the HTTP door, for methods that the first line describes.

use keyway_door_http::{
    arguments::{arguments, value},
    operation::Operation,
};
use keyway_value::{Decoder, MetaMethod, MetaMethodParameter, MetaObject, Signature};

/// The types of up to eight overloads, separated by spaces, each with names of parameters behind a `/`; then JSON. What is
/// taken is a value of the types of the method that takes it, and nothing else.
pub fn http_arguments(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A path is never more than text either.
    let _ = Operation::methods(text);
    let Some((head, json)) = text.split_once('\n') else { return };
    let methods: Vec<MetaMethod> =
        head.split(' ').take(8).zip(100..).filter_map(|(text, uid)| method(text, uid)).collect();
    if let Ok((action, payload)) = arguments(&methods.iter().collect::<Vec<_>>(), json) {
        let method = methods.iter().find(|method| method.uid == action.0).expect("one of those that were given");
        holds(&payload.into_bytes(), &method.parameters_signature);
    }
    for method in &methods {
        if let Ok(payload) = value(&method.parameters_signature, json) {
            holds(&payload.into_bytes(), &method.parameters_signature);
        }
    }
}

fn method(text: &str, uid: u32) -> Option<MetaMethod> {
    let (signature, names) = text.split_once('/').unwrap_or((text, ""));
    let mut object = MetaObject::builder();
    let id = object.method("f", signature.parse().ok()?, Signature::void());
    let mut method = object.build().methods.remove(&id.0)?;
    method.uid = uid;
    let name = |name: &str| MetaMethodParameter { name: name.to_owned(), description: String::new() };
    method.parameters = names.split(',').filter(|name| !name.is_empty()).map(name).collect();
    Some(method)
}

/// All bytes are a value of the type.
fn holds(bytes: &bytes::Bytes, signature: &Signature) {
    let mut decoder = Decoder::new(bytes);
    decoder.skip_value(signature).expect("what was written can be read");
    assert_eq!(decoder.remaining(), 0, "{signature}");
}
