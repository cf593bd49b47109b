//! One signal of one server: connections that subscribe to it, and one that has it emitted.

use anyhow::{Context, bail};
use bytes::BytesMut;
use keyway::{QuicEndpoint, QuicOptions, TlsClient, encoded::EncodedEvents};
use keyway_value::{ActionId, MessageId, ObjectId, Payload, to_payload};
use keyway_wire::{Frame, MessageKind};

use super::{
    native,
    peer::Peer,
    sample,
    scan::FrameScan,
    socket::{self, Stream},
    target::{self, Member},
};

/// For each subscriber: a few dozen events at once.
const READ_BUFFER: usize = 4 << 10;

/// Where a signal is.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Frames(Member),
    Native {
        url: String,
        tls: Option<TlsClient>,
        /// One socket for all subscribers.
        endpoint: QuicEndpoint,
        service: String,
        signal: String,
    },
}

/// A connection that gets the events.
#[derive(Debug)]
pub(super) enum Subscription {
    Frames { stream: Stream, scan: FrameScan, buffer: BytesMut },
    Native { _signal: native::Signal, events: EncodedEvents },
}

/// A connection that has them emitted.
#[derive(Debug)]
pub(super) enum Poster {
    Frames { stream: Stream, post: Frame },
    Native { signal: native::Signal, payload: Payload },
}

impl Source {
    /// Finds a signal by name.
    pub(super) async fn find(
        url: &str,
        tls: Option<&TlsClient>,
        (service, signal): (&str, &str),
    ) -> anyhow::Result<Self> {
        if !native::is_native(url) {
            return Ok(Self::Frames(target::signal(url, tls, service, signal).await?));
        }
        Ok(Self::Native {
            url: url.to_owned(),
            tls: tls.cloned(),
            endpoint: QuicEndpoint::new(QuicOptions::default())?,
            service: service.to_owned(),
            signal: signal.to_owned(),
        })
    }

    /// Connects and subscribes.
    pub(super) async fn subscribe(&self) -> anyhow::Result<Subscription> {
        let signal = match self {
            Self::Frames(signal) => signal,
            Self::Native { url, tls, endpoint, service, signal } => {
                let signal = native::Signal::connect(url, tls.as_ref(), endpoint, (service, signal)).await?;
                let events = signal.events().await?;
                return Ok(Subscription::Native { _signal: signal, events });
            }
        };
        let mut peer = Peer::connect(&signal.address, None).await?;
        let link = u64::from(signal.action.0) << 32 | 1;
        let arguments = to_payload(&(signal.service.0, signal.action.0, link))?;
        peer.call(signal.service, ObjectId::MAIN, ActionId::REGISTER_EVENT, arguments).await?;
        let buffer = BytesMut::with_capacity(READ_BUFFER);
        Ok(Subscription::Frames { stream: peer.into_stream()?, scan: FrameScan::new(), buffer })
    }

    /// Connects; strings and buffers of an event will have `size` bytes.
    pub(super) async fn poster(&self, size: usize) -> anyhow::Result<Poster> {
        let signal = match self {
            Self::Frames(signal) => signal,
            Self::Native { url, tls, endpoint, service, signal } => {
                let signal = native::Signal::connect(url, tls.as_ref(), endpoint, (service, signal)).await?;
                let payload = sample::payload(&signal.signature, size)?;
                return Ok(Poster::Native { signal, payload });
            }
        };
        let payload = sample::payload(&signal.signature, size)?;
        let post = Frame::post(MessageId(0), signal.service, ObjectId::MAIN, signal.action, payload);
        Ok(Poster::Frames { stream: Peer::connect(&signal.address, None).await?.into_stream()?, post })
    }
}

impl Subscription {
    /// Waits for something to come, and says how many events that completed.
    pub(super) async fn next(&mut self) -> anyhow::Result<u64> {
        match self {
            Self::Frames { stream, scan, buffer } => {
                buffer.clear();
                socket::read(stream, buffer).await.context("the server closed a subscriber's connection")?;
                let mut events = 0;
                scan.feed(buffer, |header| events += u64::from(header.kind == MessageKind::Event))?;
                Ok(events)
            }
            Self::Native { events, .. } => match events.next().await {
                Some(_) => Ok(1),
                None => bail!("the server closed a subscriber's connection"),
            },
        }
    }
}

impl Poster {
    /// Posts events, in one write where there is a stream of bytes.
    pub(super) async fn post(&mut self, events: u64) -> anyhow::Result<()> {
        match self {
            Self::Frames { stream, post } => {
                let mut batch = BytesMut::new();
                for _ in 0..events {
                    post.header.id = MessageId(post.header.id.0.wrapping_add(1));
                    post.encode_into(&mut batch);
                }
                socket::write_all(stream, &batch).await.context("the server closed the poster's connection")
            }
            Self::Native { signal, payload } => (0..events).try_for_each(|_| signal.post(payload)),
        }
    }
}
