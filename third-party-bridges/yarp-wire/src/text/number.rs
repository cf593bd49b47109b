//! Words that are numbers.

use crate::Item;

/// The number that an unquoted word means, as YARP reads it.
///
/// Two of its habits are traps: `2026-11-21` is the integer 2026, and a leading zero makes a number octal.
pub(super) fn number(word: &str) -> Option<Item> {
    match word {
        "inf" => return Some(Item::Float64(f64::INFINITY)),
        "-inf" => return Some(Item::Float64(f64::NEG_INFINITY)),
        "nan" => return Some(Item::Float64(f64::NAN)),
        _ => {}
    }
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        return hexadecimal(digits, word.starts_with('-'));
    }
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit() || b"+-".contains(&byte)) {
        return integer(unsigned, word.starts_with('-'));
    }
    // What is not a float to its last character is no number at all, where YARP makes it 0.
    let plain = unsigned.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    plain.then(|| word.parse().ok()).flatten().map(Item::Float64)
}

fn hexadecimal(digits: &str, negative: bool) -> Option<Item> {
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let value = if digits.is_empty() { 0 } else { i64::from_str_radix(digits, 16).ok()? };
    Some(smallest(if negative { -value } else { value }))
}

/// The digits that the word begins with.
fn integer(unsigned: &str, negative: bool) -> Option<Item> {
    let digits = unsigned.split(['+', '-']).next()?;
    let radix = if digits.len() > 1 && digits.starts_with('0') { 8 } else { 10 };
    let mut value = 0_i64;
    for digit in digits.chars().map_while(|digit| digit.to_digit(radix)) {
        let digit = i64::from(digit);
        // Counted downwards, where there is room for one more.
        value = value.saturating_mul(i64::from(radix)).saturating_sub(digit);
    }
    Some(smallest(if negative { value } else { value.checked_neg().unwrap_or(i64::MAX) }))
}

fn smallest(value: i64) -> Item {
    i32::try_from(value).map_or(Item::Int64(value), Item::Int32)
}
