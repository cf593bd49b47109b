//! Writing.

use std::io::Write;

use crate::{Item, Vocab};

/// Appends values with blanks between them.
pub(crate) fn write(items: &[Item], out: &mut Vec<u8>) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(b' ');
        }
        write_item(item, out);
    }
}

fn write_item(item: &Item, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = match item {
        Item::Int8(value) => write!(out, "{value}"),
        Item::Int16(value) => write!(out, "{value}"),
        Item::Int32(value) => write!(out, "{value}"),
        Item::Int64(value) => write!(out, "{value}"),
        // The shortest digits that are read as the same number, always with a point or an exponent.
        Item::Float32(value) if !value.is_nan() => write!(out, "{value:?}"),
        Item::Float64(value) if !value.is_nan() => write!(out, "{value:?}"),
        Item::Float32(_) | Item::Float64(_) => out.write_all(b"nan"),
        Item::Vocab(Vocab::FALSE) => out.write_all(b"false"),
        Item::Vocab(Vocab::TRUE) => out.write_all(b"true"),
        Item::Vocab(vocab) => out.write_all(&[b"[", &vocab.word()[..], b"]"].concat()),
        Item::String(text) => return string(text, out),
        Item::Blob(bytes) => {
            let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
            write!(out, "{{{}}}", numbers.join(" "))
        }
        Item::List(items) => {
            out.push(b'(');
            write(items, out);
            out.write_all(b")")
        }
        Item::Dict(entries) => {
            out.push(b'(');
            for (position, (key, value)) in entries.iter().enumerate() {
                out.extend_from_slice(if position == 0 { b"(" } else { b" (" });
                write_item(key, out);
                out.push(b' ');
                write_item(value, out);
                out.push(b')');
            }
            out.write_all(b")")
        }
    };
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    if is_plain(text) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0 => out.extend_from_slice(b"\\0"),
            b'\\' | b'"' => out.extend_from_slice(&[b'\\', *byte]),
            byte => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// Whether text comes back as the same string without quotes. YARP itself leaves the last three words unquoted, and reads
/// them as something else.
fn is_plain(text: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    text.first().is_some_and(letter)
        && text.iter().all(|byte| letter(byte) || byte.is_ascii_digit() || b".-".contains(byte))
        && ![&b"true"[..], b"false", b"null", b"inf", b"nan"].contains(&text)
}
