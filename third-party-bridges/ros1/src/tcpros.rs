//! Headers and frames of TCPROS connections (spec 4), without I/O.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};

/// The fields with which both ends of a connection begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header(BTreeMap<String, String>);

/// Bytes that are no header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// It says that it is larger than any header is.
    #[error("a header of {0} bytes is refused; {MAX_HEADER} are enough for any")]
    TooLarge(usize),
    /// A field is longer than what is left.
    #[error("a field of the header is longer than the header")]
    TooShort,
    /// A field without a name.
    #[error("a field of the header is not name=value")]
    Field,
}

/// How large a header may be.
pub const MAX_HEADER: usize = 64 << 10;

impl Header {
    /// A header with these fields.
    pub fn new<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The header that refuses a connection.
    pub fn error(text: &str) -> Self {
        Self::new([("error", text)])
    }

    /// A field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether a field says yes.
    pub fn is_set(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "true" | "True"))
    }

    /// Who is at the other end, as it says itself.
    pub fn caller(&self) -> &str {
        self.get("callerid").unwrap_or("unknown")
    }

    /// Reads the fields behind the length.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut fields = BTreeMap::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk().ok_or(HeaderError::TooShort)?;
            let length = u32::from_le_bytes(*length) as usize;
            let (field, after) = after.split_at_checked(length).ok_or(HeaderError::TooShort)?;
            let equals = field.iter().position(|byte| *byte == b'=').filter(|at| *at > 0).ok_or(HeaderError::Field)?;
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            fields.insert(text(&field[..equals]), text(&field[equals + 1..]));
            rest = after;
        }
        Ok(Self(fields))
    }

    /// The header with the length before it.
    pub fn to_bytes(&self) -> Bytes {
        let size: usize = self.0.iter().map(|(name, value)| 4 + name.len() + 1 + value.len()).sum();
        let mut bytes = BytesMut::with_capacity(4 + size);
        bytes.put_u32_le(length(size));
        for (name, value) in &self.0 {
            bytes.put_u32_le(length(name.len() + 1 + value.len()));
            bytes.put_slice(name.as_bytes());
            bytes.put_u8(b'=');
            bytes.put_slice(value.as_bytes());
        }
        bytes.freeze()
    }
}

/// A message with its length before it.
pub fn frame(body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(4 + body.len());
    bytes.put_u32_le(length(body.len()));
    bytes.put_slice(body);
    bytes.freeze()
}

/// A response in one piece: written in two, it would wait for an acknowledgement that comes 40 ms later.
pub fn response(result: Result<&[u8], &str>) -> Bytes {
    let (ok, body) = match result {
        Ok(body) => (1, body),
        Err(text) => (0, text.as_bytes()),
    };
    let mut bytes = BytesMut::with_capacity(5 + body.len());
    bytes.put_u8(ok);
    bytes.put_u32_le(length(body.len()));
    bytes.put_slice(body);
    bytes.freeze()
}

/// Bodies are far below this limit.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Why types do not go together, or nothing if they do (TC-1). `ours` and `theirs` are type and checksum.
pub fn mismatch(header: &Header, what: &str, kind: &str, md5: &str) -> Option<String> {
    let their_md5 = header.get("md5sum").unwrap_or("*");
    let their_kind = header.get("type").filter(|kind| !kind.is_empty()).unwrap_or("*");
    let fits = (their_md5 == "*" || their_md5 == md5) && (their_kind == "*" || their_kind == kind);
    (!fits).then(|| {
        let caller = header.caller();
        format!("{caller} wants {what} to have datatype/md5sum [{their_kind}/{their_md5}], but our version has [{kind}/{md5}]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header =
            Header::new([("callerid", "/p"), ("message_definition", "int8 a=3\n"), ("md5sum", "*"), ("empty", "")]);
        let bytes = header.to_bytes();
        assert_eq!(bytes[..4], u32::try_from(bytes.len() - 4).unwrap().to_le_bytes());
        assert_eq!(Header::parse(&bytes[4..]), Ok(header.clone()));
        assert_eq!(header.get("message_definition"), Some("int8 a=3\n"));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        assert_eq!(Header::parse(b"\x01"), Err(HeaderError::TooShort));
        assert_eq!(Header::parse(b"\xff\xff\xff\xffa=b"), Err(HeaderError::TooShort));
        assert_eq!(Header::parse(b"\x02\0\0\0ab"), Err(HeaderError::Field));
        assert_eq!(Header::parse(b"\x02\0\0\0=b"), Err(HeaderError::Field));
        let replaced = Header::parse(b"\x03\0\0\0a=\xff").unwrap();
        assert_eq!(replaced.get("a"), Some("\u{fffd}"));
    }

    #[test]
    fn types_go_together_when_the_checksums_are_equal() {
        let of = |fields: &[(&str, &str)]| mismatch(&Header::new(fields.iter().copied()), "topic /t", "a/B", "123");
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("md5sum", "*"), ("type", "")]), None);
        assert_eq!(of(&[("md5sum", "123"), ("type", "a/B")]), None);
        let text = of(&[("callerid", "/p"), ("md5sum", "999")]).unwrap();
        assert!(text.contains("999") && text.contains("123") && text.contains("/p"), "{text}");
        assert!(of(&[("md5sum", "123"), ("type", "a/C")]).is_some());
    }

    #[test]
    fn frames_have_their_length_before_them() {
        assert_eq!(frame(b"ab")[..], b"\x02\0\0\0ab"[..]);
        assert_eq!(response(Ok(b"ab"))[..], b"\x01\x02\0\0\0ab"[..]);
        assert_eq!(response(Err("no"))[..], b"\0\x02\0\0\0no"[..]);
    }
}
