//! One authenticated connection on which things are asked one after the other: all that happens before measuring.

use std::{collections::BTreeMap, io, net::IpAddr, time::Duration};

use anyhow::{Context, anyhow, bail};
use bytes::{Bytes, BytesMut};
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId, Value, from_payload, to_payload};
use keyway_wire::{Frame, FrameDecoder, FrameLimits, MessageKind, Url};
use tokio::time::timeout;

use super::socket::{self, Address, Stream};

/// How long one answer may take before measuring; a server with ten thousand other connections is given time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Room for an answer.
const CHUNK: usize = 4096;

/// An authenticated connection (spec 5.1).
#[derive(Debug)]
pub(super) struct Peer {
    stream: Stream,
    decoder: FrameDecoder,
    received: BytesMut,
    last_id: u32,
}

impl Peer {
    /// Connects and authenticates, from `source` if one is given.
    pub(super) async fn connect(address: &Address, source: Option<IpAddr>) -> anyhow::Result<Self> {
        let url = &address.url;
        let stream = timeout(PATIENCE, socket::connect(address, source))
            .await
            .map_err(|_| anyhow!("{url} does not accept the connection within {PATIENCE:?}"))?
            .map_err(|error| explain(error, url))?;
        let decoder = FrameDecoder::new(FrameLimits::default());
        let mut peer = Self { stream, decoder, received: BytesMut::new(), last_id: 0 };
        let answer = peer
            .call(ServiceId::SERVER, ObjectId::NONE, ActionId::AUTHENTICATE, capabilities()?)
            .await
            .with_context(|| format!("{url} does not let us in"))?;
        let answer: BTreeMap<String, Value> = from_payload(&answer).context("the answer to authenticate is no map")?;
        match answer.get("__qi_auth_state").and_then(Value::as_i64) {
            None | Some(3) => Ok(peer),
            Some(_) => bail!("{url} wants credentials; measure a server without authentication"),
        }
    }

    /// Calls and waits for the result.
    pub(super) async fn call(
        &mut self,
        service: ServiceId,
        object: ObjectId,
        action: ActionId,
        arguments: Payload,
    ) -> anyhow::Result<Bytes> {
        self.last_id += 1;
        let call = Frame::call(MessageId(self.last_id), service, object, action, arguments);
        timeout(PATIENCE, self.exchange(&call)).await.map_err(|_| anyhow!("no answer within {PATIENCE:?}"))?
    }

    async fn exchange(&mut self, call: &Frame) -> anyhow::Result<Bytes> {
        socket::write_all(&self.stream, &call.to_bytes()).await.context("the connection broke")?;
        loop {
            while let Some(frame) = self.decoder.decode(&mut self.received)? {
                if frame.header.id != call.header.id {
                    continue;
                }
                match frame.header.kind {
                    MessageKind::Reply => return Ok(frame.payload_bytes().clone()),
                    MessageKind::Error => {
                        let text = from_payload::<Value>(frame.payload_bytes());
                        bail!("{}", text.ok().as_ref().and_then(Value::as_str).unwrap_or("refused without a reason"));
                    }
                    MessageKind::Canceled => bail!("the call was cancelled"),
                    _ => {}
                }
            }
            self.received.reserve(CHUNK);
            socket::read(&self.stream, &mut self.received).await.context("the server closed the connection")?;
        }
    }

    /// The connection, in between two frames.
    pub(super) fn into_stream(self) -> anyhow::Result<Stream> {
        if !self.received.is_empty() {
            bail!("the server sends frames nobody asked for: is someone else using this service?");
        }
        Ok(self.stream)
    }
}

/// What libqi 4 announces (spec 5.8), so that servers treat us as they treat its clients.
fn capabilities() -> anyhow::Result<Payload> {
    let map = BTreeMap::from([
        ("ClientServerSocket", Value::Bool(true)),
        ("MessageFlags", Value::Bool(true)),
        ("MetaObjectCache", Value::Bool(false)),
        ("ObjectPtrUID", Value::Bool(true)),
        ("RelativeEndpointURI", Value::Bool(true)),
        ("RemoteCancelableCalls", Value::Bool(true)),
    ]);
    Ok(to_payload(&map)?)
}

fn explain(error: io::Error, url: &Url) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nothing listens there; start a server, for example `keyway directory`, and pass its `ready` URL with --url"
        }
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => "no local port is left for another connection",
        _ if error.raw_os_error() == Some(24) => "too many open files; raise the limit with `ulimit -n`",
        _ => "cannot connect",
    };
    anyhow::Error::new(error).context(format!("{url}: {advice}"))
}
