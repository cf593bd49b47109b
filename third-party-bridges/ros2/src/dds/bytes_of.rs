//! Bodies pass through the library as they are: it knows nothing of types.

use std::convert::Infallible;

use bytes::Bytes;
use rustdds::{RepresentationIdentifier, no_key};

/// What readers and writers take and give.
pub(super) enum Body {}

/// Bodies that peers write otherwise, big endian for one, are refused by the library.
const ENCODINGS: &[RepresentationIdentifier] = &[RepresentationIdentifier::CDR_LE];

impl no_key::SerializerAdapter<Bytes> for Body {
    type Error = Infallible;

    fn output_encoding() -> RepresentationIdentifier {
        RepresentationIdentifier::CDR_LE
    }

    fn to_bytes(body: &Bytes) -> Result<Bytes, Infallible> {
        Ok(body.clone())
    }
}

impl no_key::DeserializerAdapter<Bytes> for Body {
    type Error = Infallible;
    type Decoded = Bytes;

    fn supported_encodings() -> &'static [RepresentationIdentifier] {
        ENCODINGS
    }

    fn transform_decoded(body: Bytes) -> Bytes {
        body
    }
}

impl no_key::DefaultDecoder<Bytes> for Body {
    type Decoder = Copied;

    const DECODER: Copied = Copied;
}

#[derive(Clone)]
pub(super) struct Copied;

impl no_key::Decode<'_, Bytes> for Copied {
    type Error = Infallible;

    fn decode_bytes(self, body: &[u8], _: RepresentationIdentifier) -> Result<Bytes, Infallible> {
        Ok(Bytes::copy_from_slice(body))
    }
}
