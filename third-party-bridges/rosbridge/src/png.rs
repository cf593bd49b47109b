//! Text as the pixels of a picture, which some clients can unpack.

use base64::{Engine, engine::general_purpose::STANDARD};

/// The base64 of an RGB picture whose bytes are the text, with newlines behind it. `None` for what no picture holds.
pub(crate) fn encode(text: &str) -> Option<String> {
    let pixels = text.len().div_ceil(3).max(1);
    let width = (1..=pixels).find(|width| width.saturating_mul(*width) >= pixels)?;
    let height = pixels.div_ceil(width);
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(width * height * 3, b'\n');
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().ok()?.write_image_data(&bytes).ok()?;
    Some(STANDARD.encode(picture))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pixels_are_the_text() {
        for text in ["", "{}", "{\"op\":\"publish\"}", &"é".repeat(1000)] {
            let picture = STANDARD.decode(encode(text).unwrap()).unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
            let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut bytes).unwrap();
            assert_eq!(String::from_utf8(bytes).unwrap().trim_end_matches('\n'), text);
        }
    }
}
