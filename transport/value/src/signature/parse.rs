//! From text to types. Recursion is bounded by [`MAX_DEPTH`](super::MAX_DEPTH).

use std::sync::Arc;

use super::{MAX_DEPTH, MAX_LENGTH, Signature, SignatureError, Type};

impl Signature {
    /// Reads a signature: one type, and nothing after it.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        // What nearly every dynamic holds needs no parser.
        if let [letter] = text.as_bytes() {
            return basic(*letter).map(Self::of).ok_or_else(|| unknown(text, 0));
        }
        if text.len() > MAX_LENGTH {
            return Err(SignatureError::TooLong);
        }
        let mut parser = Parser { text, at: 0 };
        let signature = parser.element(0)?;
        if parser.at == text.len() { Ok(signature) } else { Err(SignatureError::Trailing { at: parser.at }) }
    }

    /// Like [`parse`](Self::parse), from bytes as they come from the wire.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        Self::parse(std::str::from_utf8(bytes).map_err(|_| SignatureError::NotUtf8)?)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn element(&mut self, depth: usize) -> Result<Signature, SignatureError> {
        if depth >= MAX_DEPTH {
            return Err(SignatureError::TooDeep);
        }
        let start = self.at;
        let letter = self.peek().ok_or(SignatureError::Truncated)?;
        self.at += 1;
        let kind = match letter {
            b'[' => {
                let mut elements = self.until(b']', start, depth)?;
                match (elements.pop(), elements.is_empty()) {
                    (Some(element), true) => Type::List(Arc::new(element)),
                    _ => return Err(SignatureError::Brackets { at: start }),
                }
            }
            b'{' => match <[Signature; 2]>::try_from(self.until(b'}', start, depth)?) {
                Ok([key, value]) => Type::Map(Arc::new((key, value))),
                Err(_) => return Err(SignatureError::Brackets { at: start }),
            },
            b'(' => Type::Tuple(self.until(b')', start, depth)?.into()),
            b'#' => Type::VarArgs(Arc::new(self.element(depth + 1)?)),
            b'~' => Type::KwArgs(Arc::new(self.element(depth + 1)?)),
            b'+' => Type::Optional(Arc::new(self.element(depth + 1)?)),
            letter => match basic(letter) {
                Some(kind) => kind,
                None => return Err(unknown(self.text, start)),
            },
        };
        Ok(Signature::of(kind).with_annotation(self.annotation()?))
    }

    fn until(&mut self, close: u8, start: usize, depth: usize) -> Result<Vec<Signature>, SignatureError> {
        let mut elements = Vec::new();
        loop {
            match self.peek() {
                None => return Err(SignatureError::Brackets { at: start }),
                Some(letter) if letter == close => {
                    self.at += 1;
                    return Ok(elements);
                }
                Some(_) => elements.push(self.element(depth + 1)?),
            }
        }
    }

    fn annotation(&mut self) -> Result<Option<Arc<str>>, SignatureError> {
        if self.peek() != Some(b'<') {
            return Ok(None);
        }
        let start = self.at;
        let mut open = 0_usize;
        while let Some(letter) = self.peek() {
            self.at += 1;
            match letter {
                b'<' => open += 1,
                b'>' => open -= 1,
                _ => {}
            }
            if open == 0 {
                // `<` and `>` are single bytes in UTF-8, so both ends are character boundaries.
                return Ok(self.text.get(start + 1..self.at - 1).map(Arc::from));
            }
        }
        Err(SignatureError::Annotation { at: start })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

fn unknown(text: &str, at: usize) -> SignatureError {
    let found = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER);
    SignatureError::UnknownType { found, at }
}

fn basic(letter: u8) -> Option<Type> {
    Some(match letter {
        b'v' => Type::Void,
        b'b' => Type::Bool,
        b'c' => Type::Int8,
        b'C' => Type::UInt8,
        b'w' => Type::Int16,
        b'W' => Type::UInt16,
        b'i' => Type::Int32,
        b'I' => Type::UInt32,
        b'l' => Type::Int64,
        b'L' => Type::UInt64,
        b'f' => Type::Float,
        b'd' => Type::Double,
        b's' => Type::String,
        b'r' => Type::Raw,
        b'm' => Type::Dynamic,
        b'o' => Type::Object,
        b'X' => Type::Unknown,
        b'_' => Type::None,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_parsing_byte_for_byte() {
        for text in [
            "b",
            "()",
            "[i]",
            "{s[(is)]}",
            "(b(cC)[w])",
            "+i",
            "#m",
            "~m",
            "(is)<Point,x,label>",
            "i<a<b>c>",
            "({I(Issss[(ss)<P,name,description>]s)<M,uid>}{I(Iss)<S,uid,name,signature>}s)<MetaObject,m,s,d>",
        ] {
            assert_eq!(Signature::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_text_is_refused_with_the_place() {
        for text in ["", "Q", "[", "[]", "[ii]", "{i}", "{iii}", "(", ")", "i<", "ii", "[i", "+", "*", "é", "(é)"] {
            assert!(Signature::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Signature::parse("(iQ)"), Err(SignatureError::UnknownType { found: 'Q', at: 2 }));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |n: usize| format!("{}i{}", "[".repeat(n), "]".repeat(n));
        assert!(Signature::parse(&deep(MAX_DEPTH - 1)).is_ok());
        assert_eq!(Signature::parse(&deep(MAX_DEPTH)), Err(SignatureError::TooDeep));
        assert_eq!(Signature::parse(&"+".repeat(60_000)), Err(SignatureError::TooDeep));
    }

    #[test]
    fn annotations_do_not_count_for_equality() {
        assert_eq!(Signature::parse("(is)<A,x,y>").unwrap(), Signature::parse("(is)").unwrap());
        assert_ne!(Signature::parse("(is)").unwrap(), Signature::parse("(si)").unwrap());
    }
}
