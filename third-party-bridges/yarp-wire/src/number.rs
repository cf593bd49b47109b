//! YARP numbers: eight bytes that hold an integer between two pairs of letters (spec 3).

pub(crate) const LENGTH: usize = 8;

/// What begins a binary message.
pub(crate) const MESSAGE: i32 = 10;
/// What acknowledges one.
pub(crate) const ACKNOWLEDGEMENT: i32 = 0;

pub(crate) const fn encode(number: i32) -> [u8; LENGTH] {
    let [a, b, c, d] = number.to_le_bytes();
    [b'Y', b'A', a, b, c, d, b'R', b'P']
}

pub(crate) const fn decode(bytes: [u8; LENGTH]) -> Option<i32> {
    match bytes {
        [b'Y', b'A', a, b, c, d, b'R', b'P'] => Some(i32::from_le_bytes([a, b, c, d])),
        _ => None,
    }
}
