//! Between qi bytes and any serde format, guided by the signature, without a tree in between.
//!
//! | qi | JSON and the like |
//! |---|---|
//! | `b`, numbers, `s` | bool, number, string; NaN and infinities are null |
//! | `r` | base64 text where the format is text, bytes elsewhere |
//! | `[T]`, `#T` | sequence |
//! | `{KV}` | map if the keys are strings, else a sequence of pairs |
//! | `(ABC)` | sequence; with field names (spec 3.2) a map of them, and either is read |
//! | `+T` | null or the value |
//! | `m` | its content; read as `b`, `l`, `d`, `s`, `[m]`, `{sm}` or `v` |
//! | `o` | written as `{"$object": …}`, not read |

mod from_serde;
mod to_serde;

use bytes::Bytes;

pub use from_serde::FromSerde;
pub use to_serde::Transcode;

use crate::{CodecError, Encoder, Payload, Signature};

/// The value in some bytes as JSON text.
pub fn to_json(bytes: &Bytes, signature: &Signature) -> Result<String, CodecError> {
    serde_json::to_string(&Transcode::new(bytes, signature)).map_err(|error| CodecError::Custom(error.to_string()))
}

/// The bytes of a value of type `signature`, from JSON text.
pub fn from_json(text: &str, signature: &Signature) -> Result<Payload, CodecError> {
    let mut encoder = Encoder::new();
    let mut source = serde_json::Deserializer::from_str(text);
    let read = FromSerde::new(signature, &mut encoder).read(&mut source).and_then(|()| source.end());
    read.map_err(|error| CodecError::Custom(error.to_string()))?;
    Ok(encoder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(signature: &str, json: &str) {
        let signature = signature.parse().unwrap();
        let bytes = from_json(json, &signature).unwrap().into_bytes();
        assert_eq!(to_json(&bytes, &signature).unwrap(), json, "{signature}");
    }

    #[test]
    fn every_type_goes_there_and_back() {
        for (signature, json) in [
            ("b", "true"),
            ("c", "-128"),
            ("C", "255"),
            ("W", "65535"),
            ("i", "-5"),
            ("l", "-9223372036854775808"),
            ("L", "18446744073709551615"),
            ("f", "1.5"),
            ("d", "-2.25"),
            ("s", "\"h\u{e9}llo\""),
            ("r", "\"AAEC\""),
            ("[i]", "[1,2,3]"),
            ("[[s]]", "[[\"a\"],[]]"),
            ("{si}", "{\"k\":7}"),
            ("{i[s]}", "[[1,[\"a\"]]]"),
            ("(is)", "[1,\"a\"]"),
            ("()", "[]"),
            ("(is)<Point,x,label>", "{\"x\":1,\"label\":\"a\"}"),
            ("+i", "null"),
            ("+i", "5"),
            ("m", "[1,\"two\",null,{\"k\":1.5}]"),
            ("v", "null"),
        ] {
            there_and_back(signature, json);
        }
    }

    #[test]
    fn structs_are_read_from_lists_and_from_maps_in_any_order() {
        let signature = "(is)<Point,x,label>".parse().unwrap();
        let one = from_json("{\"label\":\"a\",\"x\":1}", &signature).unwrap();
        assert_eq!(from_json("[1,\"a\"]", &signature).unwrap(), one);
        assert!(from_json("{\"x\":1}", &signature).is_err());
        assert!(from_json("[1]", &signature).is_err());
        assert!(from_json("[1,\"a\",2]", &signature).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_reason() {
        for (signature, json) in [("C", "256"), ("i", "\"1\""), ("s", "1"), ("o", "{}"), ("b", "2"), ("i", "1 2")] {
            assert!(from_json(json, &signature.parse().unwrap()).is_err(), "{signature} {json}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert!(from_json(&deep, &Signature::dynamic()).is_err());
    }
}
