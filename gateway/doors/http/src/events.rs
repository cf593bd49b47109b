//! Server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Method, Response, header, request::Parts},
    response::{
        IntoResponse, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures_util::stream::unfold;
use keyway_gateway::client::{Delivery, Overflow, Subscription};
use keyway_value::ActionId;

use crate::{
    handle::Shared,
    identity::{Caller, Standing},
    message,
    problem::{Flaw, Problem},
    serve::Peer,
};

/// The events of a signal, for as long as both sides want.
pub(crate) async fn stream(
    shared: &Arc<Shared>,
    peer: Peer,
    caller: &Caller,
    parts: &Parts,
    service: &str,
    signal: &str,
) -> Result<Response<Body>, Problem> {
    let (rule, since) = (rule(parts)?, since(parts)?);
    let target = caller.session.service(service).await?;
    let signal = target.signal(signal).ok_or_else(|| target.unknown(signal))?;
    let counted = caller.one_more_socket(shared.settings.sockets_per_session)?;
    let subscription = caller.session.subscribe(&target, ActionId(signal.uid), rule, since).await?;
    let standing = Standing::new(shared, peer, &parts.headers);
    let state = (parts.method == Method::GET).then_some(Open { subscription, standing, _counted: counted });
    let events = unfold(state, |open| async {
        let mut open = open?;
        let (event, goes_on) = open.next().await;
        Some((Ok::<_, Infallible>(event), goes_on.then_some(open)))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that gather answers would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Open {
    subscription: Subscription,
    standing: Standing,
    _counted: crate::identity::Socket,
}

impl Open {
    /// The next event, and whether there may be more.
    async fn next(&mut self) -> (Event, bool) {
        let delivery = self.subscription.next().await;
        if let Err(problem) = self.standing.check().await {
            return (end(&problem.json()), false);
        }
        match delivery {
            Some(Ok(Delivery::Event(event))) => match event.json() {
                Ok(text) => {
                    let data = String::from_utf8_lossy(&text);
                    (Event::default().id(event.sequence.to_string()).data(data), true)
                }
                Err(error) => (end(&Problem::from(&error).json()), false),
            },
            Some(Ok(Delivery::Gap(missed))) => {
                let data = message::gap_data(missed).to_string();
                let event = Event::default().event("gap").data(data);
                // Who comes back after the gap is not told of it again.
                let event = match missed.to {
                    Some(to) => event.id(to.to_string()),
                    None => event,
                };
                (event, true)
            }
            Some(Err(error)) => (end(&Problem::from(&error).json()), false),
            None => (end("null"), false),
        }
    }
}

/// The last event: why there are no more; null where the service is gone.
fn end(data: &str) -> Event {
    Event::default().event("end").data(data)
}

/// What the client says of it.
fn rule(parts: &Parts) -> Result<Option<Overflow>, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let mut rule = None;
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        if key == "overflow" {
            rule = Some(message::overflow(value).ok_or_else(|| Problem::of(Flaw::Parameter))?);
        }
    }
    Ok(rule)
}

fn since(parts: &Parts) -> Result<Option<u64>, Problem> {
    let Some(id) = parts.headers.get("last-event-id") else { return Ok(None) };
    let number = id.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Problem::of(Flaw::Parameter))
}

/// Between signs of life on a stream without events.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
