//! What YARP's ports say.

use bytes::Bytes;
use keyway_yarp_wire::{Accepted, Bottle, Dialect, Item, Limits, WireError};

use super::frame::pieces;

/// A byte that says which dialect, and a bottle in binary. What is read is written and read again, and is no larger than its bytes.
pub fn yarp_binary(data: &[u8]) {
    let Some((dialect, bytes)) = split(data) else { return };
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok((bottle, length)) = Bottle::from_prefix(&bytes, dialect) else { return };
    assert!(length <= bytes.len() && parts(&bottle.items) <= bytes.len());
    assert!(Bottle::from_bytes(&bytes.slice(..length), dialect).is_ok());
    let written = Bytes::from(bottle.to_bytes(dialect));
    let again = Bottle::from_bytes(&written, dialect).expect("what is written can be read");
    assert_eq!(again.to_bytes(dialect), written, "read and written again");
    // Vocabs may have any bytes in them, and text has no place for some.
    let _ = Bottle::parse(&bottle.to_text(), dialect);
}

/// The same, and a bottle in text.
pub fn yarp_text(data: &[u8]) {
    let Some((dialect, text)) = split(data) else { return };
    let Ok(bottle) = Bottle::parse(text, dialect) else { return };
    assert!(parts(&bottle.items) <= text.len());
    let written = bottle.to_text();
    assert!(!written.contains(&b'\n'), "one line");
    let bytes = Bytes::from(bottle.to_bytes(dialect));
    let read = Bottle::from_bytes(&bytes, dialect).expect("what is written can be read");
    assert_eq!(read.to_bytes(dialect), bytes);
    assert_eq!(read.to_text(), written);
}

/// A byte that says how many sizes of pieces follow, those, and what comes over a connection. In pieces or whole, it is the same.
pub fn yarp_connection(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let Some((sizes, stream)) = rest.split_at_checked(usize::from(count % 16)) else { return };
    let whole = events(&[stream]);
    assert_eq!(events(&pieces(stream, sizes)), whole);
}

fn events(pieces: &[&[u8]]) -> (Vec<String>, Option<String>) {
    let limits = Limits { message: 64 << 10, line: 16 << 10 };
    let (mut connection, mut found) = (Accepted::new(Dialect::V3, limits), Vec::new());
    for piece in pieces {
        connection.buffer().extend_from_slice(piece);
        loop {
            match connection.event() {
                // As text: floats that are not numbers are equal to nothing.
                Ok(Some(event)) => found.push(format!("{event:?}")),
                Ok(None) => break,
                Err(error) => return (found, Some(kind(&error))),
            }
        }
    }
    (found, None)
}

/// An error without how much had come of what is too large.
fn kind(error: &WireError) -> String {
    match error {
        WireError::TooLarge { limit, .. } => format!("more than {limit}"),
        other => other.to_string(),
    }
}

fn split(data: &[u8]) -> Option<(Dialect, &[u8])> {
    let (&first, rest) = data.split_first()?;
    Some((if first % 2 == 0 { Dialect::V3 } else { Dialect::V4 }, rest))
}

/// How many values a bottle has.
fn parts(items: &[Item]) -> usize {
    let of = |item: &Item| match item {
        Item::List(items) => 1 + parts(items),
        Item::Dict(entries) => {
            1 + entries.iter().map(|(key, value)| parts(&[key.clone(), value.clone()])).sum::<usize>()
        }
        _ => 1,
    };
    items.iter().map(of).sum()
}
