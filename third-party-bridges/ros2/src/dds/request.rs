//! Which response belongs to which request: middlewares of ROS 2 say it in two ways (spec 5.1).

use bytes::Bytes;
use rustdds::{GUID, SampleIdentity, SequenceNumber, no_key::DeserializedCacheChange};

/// Whose requests and responses are understood. One topic cannot have both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Middleware {
    /// `rmw_cyclonedds_cpp`: the request is named in 16 bytes in front of the body.
    CycloneDds,
    /// `rmw_fastrtps_cpp`: the request is named beside the body.
    #[default]
    FastRtps,
}

/// A request, as its client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RequestId {
    /// In front of the body.
    Header([u8; HEADER]),
    /// Beside the body: who asks, and the number that the request has among its own.
    Sample([u8; 16], i64),
}

type Change = DeserializedCacheChange<Bytes>;

impl Middleware {
    /// The request that has come, and its body; none if it is none.
    pub(super) fn request(self, change: &Change) -> Option<(RequestId, Bytes)> {
        match self {
            Self::CycloneDds => split(&change.sample),
            Self::FastRtps => {
                let related = change.related_sample_identity();
                let writer = related.map_or(change.writer_guid, |related| related.writer_guid);
                // Fast DDS names the reader of the response, and leaves the number to the message.
                let number = related.map(|related| related.sequence_number);
                let number = number.filter(|number| *number != SequenceNumber::UNKNOWN);
                let id = RequestId::Sample(writer.to_bytes(), number.unwrap_or(change.sequence_number).into());
                Some((id, change.sample.clone()))
            }
        }
    }

    /// The response that has come, and the request that it belongs to; none if that is not said.
    pub(super) fn response(self, change: &Change) -> Option<(RequestId, Bytes)> {
        match self {
            Self::CycloneDds => split(&change.sample),
            Self::FastRtps => {
                let related = change.related_sample_identity()?;
                let id = RequestId::Sample(related.writer_guid.to_bytes(), related.sequence_number.into());
                Some((id, change.sample.clone()))
            }
        }
    }
}

impl RequestId {
    /// The number-th request of a client that writes requests with this writer.
    pub(super) fn of_client(middleware: Middleware, writer: GUID, number: i64) -> Self {
        match middleware {
            Middleware::CycloneDds => {
                let mut header = [0; HEADER];
                header[..8].copy_from_slice(&writer.to_bytes()[8..]);
                header[8..].copy_from_slice(&number.to_le_bytes());
                Self::Header(header)
            }
            Middleware::FastRtps => Self::Sample(writer.to_bytes(), number),
        }
    }

    /// What is written for the body of a request. Beside it nothing is said: who writes it, and the number of the message, are known.
    pub(super) fn request(self, body: Bytes) -> Bytes {
        match self {
            Self::Header(header) => [&header[..], &body].concat().into(),
            Self::Sample(..) => body,
        }
    }

    /// What is written for the body of a response, and which message it is said to belong to.
    pub(super) fn response(self, body: Bytes) -> (Bytes, Option<SampleIdentity>) {
        let related = match self {
            Self::Header(_) => None,
            Self::Sample(writer, number) => {
                let (writer_guid, sequence_number) = (GUID::from_bytes(writer), SequenceNumber::from(number));
                Some(SampleIdentity { writer_guid, sequence_number })
            }
        };
        (self.request(body), related)
    }

    /// How many bytes the body of a response may have.
    ///
    /// The library writes a message of several parts with something beside it so that nobody can read it: it puts a byte before
    /// what stands beside each part (`DATA_FRAG` with inline QoS, rustdds 0.15.1). Such a message is not to be written.
    pub(super) const fn most_of_a_response(self) -> usize {
        match self {
            Self::Header(_) => usize::MAX,
            Self::Sample(..) => WHOLE,
        }
    }
}

fn split(message: &Bytes) -> Option<(RequestId, Bytes)> {
    let header = *message.first_chunk::<HEADER>()?;
    Some((RequestId::Header(header), message.slice(HEADER..)))
}

/// What fits into a message of one part, with what stands beside it.
const WHOLE: usize = 1400;
/// Who asks, and the number of the request: 8 bytes each, so that the body is aligned as if nothing were in front of it.
const HEADER: usize = 16;
