//! Values on the command line: JSON where it is JSON, text otherwise (spec 15.1).

use keyway::{
    Signature, Value,
    value::{Decoder, transcode},
};

use crate::exit::Usage;

/// The value that was typed. With `strict`, what is not JSON is an error instead of text.
pub(crate) fn value(text: &str, strict: bool) -> anyhow::Result<Value> {
    let json = transcode::from_json(text, &Signature::dynamic());
    match json.and_then(|payload| Decoder::new(&payload.into_bytes()).read_dynamic()) {
        Ok(value) => Ok(value),
        Err(error) if strict => {
            Err(Usage(format!("{text:?} is not JSON ({error}); quote text, as in '\"text\"'")).into())
        }
        Err(_) => Ok(Value::from(text)),
    }
}

/// The values that were typed.
pub(crate) fn values(texts: &[String], strict: bool) -> anyhow::Result<Vec<Value>> {
    texts.iter().map(|text| value(text, strict)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_json_and_the_rest_as_text() {
        for (text, signature, shown) in [
            ("1", "l", "1"),
            ("1.5", "d", "1.5"),
            ("true", "b", "true"),
            ("\"1\"", "s", "\"1\""),
            ("hello world", "s", "\"hello world\""),
            ("[1,\"a\"]", "[m]", "[1,\"a\"]"),
            ("{\"a\":1}", "{sm}", "{\"a\":1}"),
            ("", "s", "\"\""),
        ] {
            let value = value(text, false).unwrap();
            assert_eq!((value.signature().to_string().as_str(), value.to_string().as_str()), (signature, shown));
        }
    }

    #[test]
    fn text_is_an_error_where_json_is_asked_for() {
        assert!(value("[1,", true).unwrap_err().to_string().contains("is not JSON"));
        assert!(value("[1]", true).is_ok());
    }
}
