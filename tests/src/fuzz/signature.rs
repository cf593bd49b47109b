//! Text that may be a signature.

use keyway_value::{Signature, convert::score};

/// The bytes are the text. What parses is written as it was read.
pub fn signature(data: &[u8]) {
    let Ok(signature) = Signature::parse_bytes(data) else { return };
    let text = signature.to_string();
    assert_eq!(text.as_bytes(), data, "written as it was read");
    let again = Signature::parse(&text).expect("what is written can be read");
    assert_eq!(again, signature);
    // An object takes the most for its one letter.
    assert!(signature.min_size() <= 13 * data.len(), "no type is larger than its text says");
    let names = signature.field_names();
    assert!(names.is_none_or(|names| names.len() == signature.elements().len()));
    assert!((0.0..=1.0).contains(&score(&signature, &again)));
    for element in signature.elements().iter() {
        for (from, to) in [(element, &signature), (&signature, element)] {
            assert!((0.0..=1.0).contains(&score(from, to)));
        }
    }
}
