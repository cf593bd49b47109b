//! Names of certificates' owners and issuers as text (RFC 4514).

use std::fmt::Write as _;

use x509_parser::{
    asn1_rs::{Any, Tag, ToDer},
    x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name},
};

/// A name as the text that rules are about (see the [module](super)).
pub fn distinguished_name(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter().map(part).collect();
    let from_the_specific: Vec<_> = parts.into_iter().rev().collect();
    from_the_specific.join(",")
}

fn part(part: &RelativeDistinguishedName<'_>) -> String {
    let mut attributes: Vec<_> = part.iter().map(attribute).collect();
    // DER orders them by their bytes, and not every issuer writes DER.
    attributes.sort_unstable();
    attributes.join("+")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let number = attribute.attr_type().to_id_string();
    let value = attribute.attr_value();
    match TYPES.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => match text(value) {
            Some(text) => format!("{name}={}", escaped(&text)),
            None => format!("{name}={}", hexadecimal(value)),
        },
        None => format!("{number}={}", hexadecimal(value)),
    }
}

/// A string, if it is clear which one.
fn text(value: &Any<'_>) -> Option<String> {
    if value.header.is_constructed() {
        return None;
    }
    let bytes = value.data;
    match value.tag() {
        Tag::Utf8String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString if bytes.is_ascii() => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        Tag::BmpString => {
            let (units, []) = bytes.as_chunks::<2>() else { return None };
            // No surrogates: one unit is one character.
            units.iter().map(|unit| char::from_u32(u16::from_be_bytes(*unit).into())).collect()
        }
        Tag::UniversalString => {
            let (units, []) = bytes.as_chunks::<4>() else { return None };
            units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect()
        }
        // T61String among them: everybody means another alphabet by it.
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (at, letter) in text.chars().enumerate() {
        let is_special = match letter {
            ' ' => at == 0 || at == last,
            '#' => at == 0,
            other => other.is_control() || "\"+,;<=>\\".contains(other),
        };
        if is_special {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\{byte:02X}");
            }
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

fn hexadecimal(value: &Any<'_>) -> String {
    // What was read can be written.
    let der = value.to_der_vec().unwrap_or_default();
    der.iter().fold("#".to_owned(), |text, byte| text + &format!("{byte:02X}"))
}

/// Types with a name: those of RFC 4514, and two more of its registry that machines and people are known by.
const TYPES: [(&str, &str); 11] = [
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
];

#[cfg(test)]
mod tests {
    use x509_parser::prelude::FromDer;

    use super::*;

    const CN: &[u8] = &[0x55, 4, 3];
    const O: &[u8] = &[0x55, 4, 10];
    const UTF8: u8 = 12;
    const PRINTABLE: u8 = 19;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
    }

    fn attribute(kind: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        tlv(0x30, &[tlv(6, kind), tlv(tag, value)].concat())
    }

    /// The text of a name whose parts have these attributes.
    fn name(parts: &[&[Vec<u8>]]) -> String {
        let parts: Vec<u8> = parts.iter().flat_map(|part| tlv(0x31, &part.concat())).collect();
        let der = tlv(0x30, &parts);
        let (rest, name) = X509Name::from_der(&der).unwrap();
        assert!(rest.is_empty());
        distinguished_name(&name)
    }

    fn common_name(tag: u8, value: &[u8]) -> String {
        name(&[&[attribute(CN, tag, value)]])
    }

    #[test]
    fn the_most_specific_part_comes_first() {
        let parts: [&[_]; 2] = [&[attribute(O, PRINTABLE, b"Lab")], &[attribute(CN, UTF8, "Größe".as_bytes())]];
        assert_eq!(name(&parts), "CN=Größe,O=Lab");
        assert_eq!(name(&[]), "");
    }

    #[test]
    fn what_separates_names_is_escaped_in_values() {
        for (value, text) in [
            ("arm,O=Lab", r"CN=arm\2CO\3DLab"),
            ("a+b;c<d>e", r"CN=a\2Bb\3Bc\3Cd\3Ee"),
            (r#"say "x" \ y"#, r"CN=say \22x\22 \5C y"),
            ("#42 #", r"CN=\2342 #"),
            ("  x ", r"CN=\20 x\20"),
            (" ", r"CN=\20"),
            ("a\0b\nc\u{85}", r"CN=a\00b\0Ac\C2\85"),
            ("", "CN="),
        ] {
            assert_eq!(common_name(UTF8, value.as_bytes()), text);
        }
    }

    #[test]
    fn a_name_of_several_attributes_is_sorted() {
        let (common, organisation) = (attribute(CN, UTF8, b"arm+O=x"), attribute(O, UTF8, b"Lab"));
        for part in [[common.clone(), organisation.clone()], [organisation, common]] {
            assert_eq!(name(&[&part]), r"CN=arm\2BO\3Dx+O=Lab");
        }
    }

    #[test]
    fn every_clear_encoding_of_a_text_is_that_text() {
        for (tag, bytes) in [
            (UTF8, &b"Lab"[..]),
            (PRINTABLE, b"Lab"),
            (22, b"Lab"),
            (26, b"Lab"),
            (30, b"\0L\0a\0b"),
            (28, b"\0\0\0L\0\0\0a\0\0\0b"),
        ] {
            assert_eq!(common_name(tag, bytes), "CN=Lab", "{tag}");
        }
    }

    #[test]
    fn other_encodings_and_types_are_their_bytes() {
        for (tag, bytes, text) in [
            (20, &b"Lab"[..], "CN=#14034C6162"),
            (UTF8, b"\xff", "CN=#0C01FF"),
            (PRINTABLE, b"\xe9", "CN=#1301E9"),
            (30, b"\0L\0", "CN=#1E03004C00"),
            (30, b"\xd8\0", "CN=#1E02D800"),
            (28, b"\0\x11\0\0", "CN=#1C0400110000"),
            (2, b"\x07", "CN=#020107"),
        ] {
            assert_eq!(common_name(tag, bytes), text);
        }
        let unnamed = name(&[&[attribute(&[0x2a, 3], UTF8, b"x")]]);
        assert_eq!(unnamed, "1.2.3=#0C0178");
    }
}
