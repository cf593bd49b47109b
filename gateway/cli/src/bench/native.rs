//! What is measured over QUIC, through the SDK: there are no bare frames on a stream of bytes there.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use futures_util::{StreamExt, stream::FuturesUnordered};
use hdrhistogram::Histogram;
use keyway::{
    Proxy, QuicEndpoint, Session, TlsClient,
    encoded::{EncodedCall, EncodedEvents},
};
use keyway_value::{ActionId, MessageId, Payload, Signature};
use keyway_wire::{Frame, Url};

use super::{figures::histogram, round_trips::Method, sample, target};

/// How long connecting may take; a server with ten thousand other connections is given time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether a URL is connected to by the native protocol.
pub(super) fn is_native(url: &str) -> bool {
    Url::parse(url).is_quic()
}

/// Connects, over a socket of its own or one that others use too.
pub(super) async fn connect(
    url: &str,
    tls: Option<&TlsClient>,
    endpoint: Option<&QuicEndpoint>,
) -> anyhow::Result<Session> {
    let builder = Session::builder().without_listener().connect_timeout(PATIENCE);
    let builder = tls.into_iter().fold(builder, |builder, tls| builder.tls(tls.clone()));
    let builder = endpoint.into_iter().fold(builder, |builder, endpoint| builder.quic_endpoint(endpoint.clone()));
    builder.connect(url).await.with_context(|| format!("cannot connect to {url}"))
}

/// A method to be called again and again.
#[derive(Debug)]
pub(super) struct Caller {
    /// Ends with it.
    _session: Session,
    proxy: Proxy,
    action: ActionId,
    arguments: Payload,
    result: Signature,
}

impl Caller {
    /// Connects, and has the method answer once.
    pub(super) async fn connect(url: &str, tls: Option<&TlsClient>, method: &Method<'_>) -> anyhow::Result<Self> {
        let session = connect(url, tls, None).await?;
        let proxy = session.service(method.service).await?;
        let metaobject = proxy.metaobject();
        let found = target::method_of(&metaobject, method.service, method.name)?;
        let arguments = sample::payload(&found.parameters_signature, method.size)?;
        let (action, result) = (ActionId(found.uid), found.return_signature.clone());
        let caller = Self { _session: session, proxy, action, arguments, result };
        caller.call().await?;
        Ok(caller)
    }

    /// The call as it would be over TCP.
    pub(super) fn request(&self) -> Frame {
        let (service, object) = (self.proxy.service_id(), self.proxy.object_id());
        Frame::call(MessageId(0), service, object, self.action, self.arguments.clone())
    }

    /// Keeps `depth` calls under way until a moment, and waits for the last answers.
    pub(super) async fn run(self, depth: usize, until: Instant) -> anyhow::Result<(Self, Histogram<u64>)> {
        let mut latencies = histogram()?;
        let start = || {
            let (started, call) = (Instant::now(), self.call());
            async move { (started, call.await) }
        };
        let mut calls: FuturesUnordered<_> = (0..depth).map(|_| start()).collect();
        while let Some((started, answer)) = calls.next().await {
            answer.context("the server answers calls with errors")?;
            let now = Instant::now();
            latencies.saturating_record(u64::try_from((now - started).as_nanos()).unwrap_or(u64::MAX));
            if now < until {
                calls.push(start());
            }
        }
        drop(calls);
        Ok((self, latencies))
    }

    fn call(&self) -> EncodedCall {
        self.proxy.call_encoded(self.action, &self.arguments, &self.result)
    }
}

/// A signal over one connection.
#[derive(Debug)]
pub(super) struct Signal {
    /// Ends with it.
    _session: Session,
    proxy: Proxy,
    action: ActionId,
    /// What an emission carries.
    pub(super) signature: Signature,
}

impl Signal {
    /// Connects and finds it.
    pub(super) async fn connect(
        url: &str,
        tls: Option<&TlsClient>,
        endpoint: &QuicEndpoint,
        (service, name): (&str, &str),
    ) -> anyhow::Result<Self> {
        let session = connect(url, tls, Some(endpoint)).await?;
        let proxy = session.service(service).await?;
        let metaobject = proxy.metaobject();
        let found = target::signal_of(&metaobject, service, name)?;
        let (action, signature) = (ActionId(found.uid), found.signature.clone());
        Ok(Self { _session: session, proxy, action, signature })
    }

    /// Subscribes.
    pub(super) async fn events(&self) -> anyhow::Result<EncodedEvents> {
        Ok(self.proxy.signal_encoded(self.action).await?)
    }

    /// Has it emitted.
    pub(super) fn post(&self, payload: &Payload) -> anyhow::Result<()> {
        self.proxy.post_encoded(self.action, payload.clone()).map_err(|error| anyhow!(error))
    }
}
