//! Reading calls and responses of peers that nobody vouches for.

use base64::{Engine, engine::general_purpose::STANDARD};
use quick_xml::{Reader, events::Event};

use super::{MAX_DEPTH, XmlCall, XmlError, XmlFault, XmlValue};

/// The call in a body.
pub fn read_call(body: &[u8]) -> Result<XmlCall, XmlError> {
    let text = String::from_utf8_lossy(body);
    let mut parser = Parser::new(&text);
    parser.open("methodCall")?;
    parser.open("methodName")?;
    let method = parser.text("methodName")?.trim().to_owned();
    let mut params = Vec::new();
    match parser.meaningful()? {
        Token::Close => {}
        Token::Open(name) if name == "params" => {
            while parser.open_or_close("param")? {
                params.push(parser.whole_value()?);
                parser.close()?;
            }
            parser.close()?;
        }
        other => return Err(other.unexpected("params")),
    }
    parser.end()?;
    Ok(XmlCall { method, params })
}

/// The result in a body, or why there is none.
pub fn read_response(body: &[u8]) -> Result<Result<XmlValue, XmlFault>, XmlError> {
    let text = String::from_utf8_lossy(body);
    let mut parser = Parser::new(&text);
    parser.open("methodResponse")?;
    let result = match parser.meaningful()? {
        Token::Open(name) if name == "params" => {
            parser.open("param")?;
            let value = parser.whole_value()?;
            parser.close()?;
            Ok(value)
        }
        Token::Open(name) if name == "fault" => Err(fault(parser.whole_value()?)),
        other => return Err(other.unexpected("params or fault")),
    };
    parser.close()?;
    parser.close()?;
    parser.end()?;
    Ok(result)
}

fn fault(value: XmlValue) -> XmlFault {
    let XmlValue::Struct(members) = value else {
        return XmlFault { code: 0, text: "a fault without a reason".to_owned() };
    };
    let member = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    XmlFault {
        code: member("faultCode").and_then(XmlValue::as_int).unwrap_or_default(),
        text: member("faultString").and_then(XmlValue::as_str).unwrap_or_default().to_owned(),
    }
}

struct Parser<'x> {
    reader: Reader<&'x [u8]>,
    /// What came behind a text.
    waiting: Option<Token>,
}

#[derive(Debug)]
enum Token {
    Open(String),
    Close,
    Text(String),
    End,
}

impl Token {
    fn unexpected(&self, wanted: &'static str) -> XmlError {
        let found = match self {
            Self::Open(name) => format!("<{}>", shortened(name)),
            Self::Close => "the end of an element".to_owned(),
            Self::Text(text) => format!("{:?}", shortened(text)),
            Self::End => "the end of the text".to_owned(),
        };
        XmlError::Unexpected { wanted, found }
    }
}

impl<'x> Parser<'x> {
    fn new(text: &'x str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, waiting: None }
    }

    /// The next element's beginning or end, or a text in one piece.
    fn next(&mut self) -> Result<Token, XmlError> {
        if let Some(token) = self.waiting.take() {
            return Ok(token);
        }
        let mut text = String::new();
        let token = loop {
            match self.reader.read_event().map_err(|error| XmlError::Syntax(error.to_string()))? {
                Event::Start(start) => {
                    break Token::Open(start.name().as_ref().to_owned());
                }
                Event::End(_) => break Token::Close,
                Event::Eof => break Token::End,
                Event::DocType(_) => return Err(XmlError::DocumentType),
                Event::Text(piece) => text.push_str(&piece.xml10_content()),
                Event::CData(piece) => text.push_str(&piece),
                Event::GeneralRef(name) => {
                    let letter = name.resolve_char_ref().map_err(|error| XmlError::Syntax(error.to_string()))?;
                    text.push(match letter {
                        Some(letter) => letter,
                        None => entity(&name)?,
                    });
                }
                // Declarations, comments and instructions say nothing here.
                _ => {}
            }
        };
        if text.is_empty() {
            return Ok(token);
        }
        self.waiting = Some(token);
        Ok(Token::Text(text))
    }

    /// The next token that is not white space between elements.
    fn meaningful(&mut self) -> Result<Token, XmlError> {
        loop {
            match self.next()? {
                Token::Text(text) if text.trim().is_empty() => {}
                token => return Ok(token),
            }
        }
    }

    fn open(&mut self, name: &'static str) -> Result<(), XmlError> {
        if self.open_or_close(name)? { Ok(()) } else { Err(Token::Close.unexpected(name)) }
    }

    /// Whether another element begins, or the one around it ends.
    fn open_or_close(&mut self, name: &'static str) -> Result<bool, XmlError> {
        match self.meaningful()? {
            Token::Open(found) if found == name => Ok(true),
            Token::Close => Ok(false),
            other => Err(other.unexpected(name)),
        }
    }

    fn close(&mut self) -> Result<(), XmlError> {
        match self.meaningful()? {
            Token::Close => Ok(()),
            other => Err(other.unexpected("the end of an element")),
        }
    }

    fn end(&mut self) -> Result<(), XmlError> {
        match self.meaningful()? {
            Token::End => Ok(()),
            other => Err(other.unexpected("the end of the text")),
        }
    }

    /// All of an element that holds text only.
    fn text(&mut self, wanted: &'static str) -> Result<String, XmlError> {
        match self.next()? {
            Token::Close => Ok(String::new()),
            Token::Text(text) => match self.next()? {
                Token::Close => Ok(text),
                other => Err(other.unexpected(wanted)),
            },
            other => Err(other.unexpected(wanted)),
        }
    }

    fn whole_value(&mut self) -> Result<XmlValue, XmlError> {
        self.open("value")?;
        self.value(0)
    }

    /// The rest of a `<value>`.
    fn value(&mut self, depth: usize) -> Result<XmlValue, XmlError> {
        if depth > MAX_DEPTH {
            return Err(XmlError::TooDeep);
        }
        let text = match self.next()? {
            Token::Close => return Ok(XmlValue::text("")),
            Token::Text(text) => match self.next()? {
                Token::Close => return Ok(XmlValue::String(text)),
                Token::Open(name) if text.trim().is_empty() => name,
                other => return Err(other.unexpected("</value>")),
            },
            Token::Open(name) => name,
            Token::End => return Err(Token::End.unexpected("</value>")),
        };
        let value = match text.as_str() {
            "int" | "i4" => parsed("int", &self.text("int")?).map(XmlValue::Int)?,
            "boolean" => match self.text("boolean")?.trim() {
                "1" | "true" => XmlValue::Bool(true),
                "0" | "false" => XmlValue::Bool(false),
                other => return Err(XmlError::Text { kind: "boolean", text: shortened(other) }),
            },
            "string" => XmlValue::String(self.text("string")?),
            "double" => parsed("double", &self.text("double")?).map(XmlValue::Double)?,
            "base64" => {
                let text: String = self.text("base64")?.split_whitespace().collect();
                let bytes = STANDARD.decode(&text);
                XmlValue::Base64(bytes.map_err(|_| XmlError::Text { kind: "base64", text: shortened(&text) })?)
            }
            "dateTime.iso8601" => XmlValue::DateTime(self.text("dateTime.iso8601")?),
            "array" => {
                let mut items = Vec::new();
                self.open("data")?;
                while self.open_or_close("value")? {
                    items.push(self.value(depth + 1)?);
                }
                self.close()?;
                XmlValue::Array(items)
            }
            "struct" => {
                let mut members = Vec::new();
                while self.open_or_close("member")? {
                    self.open("name")?;
                    let name = self.text("name")?;
                    self.open("value")?;
                    members.push((name, self.value(depth + 1)?));
                    self.close()?;
                }
                XmlValue::Struct(members)
            }
            other => return Err(Token::Open(other.to_owned()).unexpected("a type")),
        };
        self.close()?;
        Ok(value)
    }
}

fn entity(name: &str) -> Result<char, XmlError> {
    Ok(match name {
        "amp" => '&',
        "apos" => '\'',
        "gt" => '>',
        "lt" => '<',
        "quot" => '"',
        other => return Err(XmlError::Entity(shortened(other))),
    })
}

fn parsed<T: std::str::FromStr>(kind: &'static str, text: &str) -> Result<T, XmlError> {
    let text = text.trim();
    text.parse().map_err(|_| XmlError::Text { kind, text: shortened(text) })
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}
