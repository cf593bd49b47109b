//! Reading.

use bytes::Bytes;

use super::number::number;
use crate::{Bottle, BottleError, Dialect, Item, MAX_DEPTH, MAX_ITEMS, Vocab};

/// The bottle that a text means, all of it.
pub(crate) fn read(text: &[u8], dialect: Dialect) -> Result<Bottle, BottleError> {
    let mut reader = Reader { text, position: 0, dialect, items: 0 };
    reader.list(None, 0).map(|items| Bottle { items })
}

/// What a text has opened and not closed. It is fed line by line, so that many short lines are not gone through again and
/// again.
#[derive(Debug, Default)]
pub(crate) struct Open {
    quoted: bool,
    escaped: bool,
    brackets: usize,
}

impl Open {
    /// Goes on with more of the text.
    pub(crate) fn feed(&mut self, text: &[u8]) {
        for byte in text {
            if self.escaped {
                self.escaped = false;
                continue;
            }
            match byte {
                b'\\' => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                b'(' | b'{' if !self.quoted => self.brackets += 1,
                b')' | b'}' if !self.quoted => self.brackets = self.brackets.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether the text ended in a backslash; it is forgotten.
    pub(crate) fn take_escape(&mut self) -> bool {
        std::mem::take(&mut self.escaped)
    }

    /// Whether a quote or bracket is open.
    pub(crate) const fn is_open(&self) -> bool {
        self.quoted || self.brackets > 0
    }
}

struct Reader<'a> {
    text: &'a [u8],
    position: usize,
    dialect: Dialect,
    items: usize,
}

impl Reader<'_> {
    /// Values up to a bracket, or to the end.
    fn list(&mut self, end: Option<u8>, depth: usize) -> Result<Vec<Item>, BottleError> {
        if depth > MAX_DEPTH {
            return Err(BottleError::TooDeep);
        }
        let mut items = Vec::new();
        loop {
            self.skip_separators();
            let item = match self.peek() {
                found if found == end => {
                    self.position += 1;
                    return Ok(items);
                }
                None => return Err(BottleError::Unbalanced('(')),
                Some(b'(') => {
                    self.position += 1;
                    Item::List(self.list(Some(b')'), depth + 1)?)
                }
                Some(b'{') => {
                    self.position += 1;
                    Item::Blob(self.blob()?)
                }
                Some(closing @ (b')' | b'}')) => return Err(BottleError::Unbalanced(char::from(closing))),
                Some(b'"') => Item::String(self.quoted()?.into()),
                Some(b'[') => Item::Vocab(self.vocab()?),
                Some(_) => self.word()?,
            };
            self.items += 1;
            if self.items > MAX_ITEMS {
                return Err(BottleError::TooManyItems);
            }
            items.push(item);
        }
    }

    fn blob(&mut self) -> Result<Bytes, BottleError> {
        let mut bytes = Vec::new();
        loop {
            self.skip_separators();
            match self.peek() {
                None => return Err(BottleError::Unbalanced('{')),
                Some(b'}') => {
                    self.position += 1;
                    return Ok(bytes.into());
                }
                Some(b'(' | b')' | b'{' | b'"' | b'[') => return Err(BottleError::BadBlob),
                Some(_) => match self.word()? {
                    Item::Int32(number) => bytes.push(u8::try_from(number).map_err(|_| BottleError::BadBlob)?),
                    _ => return Err(BottleError::BadBlob),
                },
            }
        }
    }

    /// A string in quotes, from the first of them.
    fn quoted(&mut self) -> Result<Vec<u8>, BottleError> {
        self.position += 1;
        let mut text = Vec::new();
        loop {
            match self.next() {
                None => return Err(BottleError::Unbalanced('"')),
                Some(b'"') => return Ok(text),
                Some(b'\\') => text.push(match self.next().ok_or(BottleError::Unbalanced('"'))? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b'0' => 0,
                    other => other,
                }),
                Some(byte) => text.push(byte),
            }
        }
    }

    fn vocab(&mut self) -> Result<Vocab, BottleError> {
        let rest = self.text.get(self.position + 1..).unwrap_or_default();
        let end = rest.iter().position(|byte| is_separator(*byte) || *byte == b']');
        match end.filter(|end| rest[*end] == b']') {
            Some(end) => {
                self.position += end + 2;
                Ok(Vocab::of(&rest[..end], self.dialect.vocab_length()))
            }
            None => Err(BottleError::Unbalanced('[')),
        }
    }

    /// What stands without quotes: up to a separator or closing bracket, a backslash before each character that is meant as
    /// it is.
    fn word(&mut self) -> Result<Item, BottleError> {
        let (mut text, mut plain) = (Vec::new(), true);
        while let Some(byte) = self.peek() {
            match byte {
                b')' | b'}' => break,
                byte if is_separator(byte) => break,
                b'(' | b'{' => return Err(BottleError::Unbalanced(char::from(byte))),
                b'"' => {
                    // Blanks in quotes belong to the word, and so do the quotes.
                    let within = self.quoted()?;
                    text.push(b'"');
                    text.extend(within);
                    text.push(b'"');
                    plain = false;
                    continue;
                }
                b'\\' => {
                    self.position += 1;
                    plain = false;
                    // At the very end it stands for itself.
                    text.push(self.peek().unwrap_or(b'\\'));
                }
                byte => text.push(byte),
            }
            self.position += 1;
        }
        let word = std::str::from_utf8(&text).ok().filter(|_| plain);
        Ok(match word {
            Some("true") => Item::Vocab(Vocab::TRUE),
            Some("false") => Item::Vocab(Vocab::FALSE),
            Some("null") => Item::Vocab(Vocab::NULL),
            Some(word) => number(word).unwrap_or_else(|| Item::from(word)),
            None => Item::String(text.into()),
        })
    }

    fn skip_separators(&mut self) {
        while self.peek().is_some_and(is_separator) {
            self.position += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.position += 1;
        Some(byte)
    }
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',')
}
