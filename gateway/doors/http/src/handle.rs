//! From a request to its response.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
    response::IntoResponse,
};
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use keyway_gateway::{
    Gateway,
    client::{ClientSession, Reply, Target},
};
use keyway_pipe::offload;
use keyway_value::{ActionId, MetaMethod, Payload};
use tokio::sync::watch;

use crate::{
    DoorSettings,
    arguments::{arguments, value},
    description, events,
    identity::Identities,
    operation::{NoOperation, Of, Operation},
    origins::{Origins, is_own_host},
    problem::{Flaw, Problem},
    serve::Peer,
    socket,
};

/// What all connections of the door need.
pub(crate) struct Shared {
    pub(crate) gateway: Gateway,
    pub(crate) settings: DoorSettings,
    pub(crate) identities: Identities,
    pub(crate) closed: watch::Receiver<()>,
    origins: Origins,
}

impl Shared {
    pub(crate) fn new(gateway: &Gateway, settings: DoorSettings, closed: watch::Receiver<()>) -> Self {
        let origins = Origins::new(&settings.origins);
        let identities = Identities::new(gateway, settings.anonymous.as_deref());
        Self { gateway: gateway.clone(), identities, settings, closed, origins }
    }
}

/// Answers a request.
pub(crate) async fn handle(shared: &Arc<Shared>, peer: Peer, request: Request<Incoming>) -> Response<Body> {
    let is_head = request.method() == Method::HEAD;
    let Ok(origin) = shared.origins.check(request.headers()) else {
        return Problem::of(Flaw::Origin).response();
    };
    if !peer.is_tls && !is_own_host(request.headers(), request.uri()) {
        return Problem::of(Flaw::Host).response();
    }
    let answer = match *request.method() {
        Method::OPTIONS => options(request.uri().path()),
        _ => answer(shared, peer, request).await,
    };
    let mut response = answer.unwrap_or_else(|problem| problem.response());
    if let Some(origin) = origin {
        Origins::mark(&origin, response.headers_mut());
    }
    if is_head {
        // The length that GET would have, and no body.
        let body = std::mem::take(response.body_mut());
        if let Some(length) = hyper::body::Body::size_hint(&body).exact() {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    response
}

/// What may be asked of a path. It is the same for everybody, and tells nothing of services.
fn options(path: &str) -> Result<Response<Body>, Problem> {
    let allowed = Operation::methods(path).ok_or_else(|| Problem::of(Flaw::Path))?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    Origins::preflight(allowed, response.headers_mut());
    Ok(response)
}

async fn answer(shared: &Arc<Shared>, peer: Peer, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
    let (mut parts, body) = request.into_parts();
    // Before anything else is looked at.
    let caller = shared.identities.identify(&parts.headers, &peer).await?;
    peer.is_known.store(true, Ordering::Release);
    let operation = Operation::parse(&parts.method, parts.uri.path()).map_err(|none| match none {
        NoOperation::Path => Problem::of(Flaw::Path),
        NoOperation::Method(allowed) => Problem::of(Flaw::Method(allowed)),
    })?;
    let session = &caller.session;
    match operation {
        Operation::Services => Ok(json(serde_json::to_vec(&session.services()).unwrap_or_default())),
        Operation::Describe(name) => {
            let target = session.service(&name).await?;
            Ok(json(description::service(&name, &target.metaobject()).to_string()))
        }
        Operation::OpenApi => Ok(json(openapi(session).await)),
        Operation::Call { of, method } => {
            let text = text(shared, &parts.headers, body).await?;
            let target = match of {
                Of::Object(id) => session.object(&id)?,
                Of::Service(name) => session.service(&name).await?,
            };
            if prefers_no_answer(&parts.headers) {
                post(session, &target, &method, text).await?;
                return Ok(StatusCode::ACCEPTED.into_response());
            }
            Ok(json(call(session, &target, &method, text).await?))
        }
        Operation::Get { service, property } => {
            let target = session.service(&service).await?;
            Ok(json(get(session, &target, &property).await?))
        }
        Operation::Set { service, property } => {
            let text = text(shared, &parts.headers, body).await?;
            let target = session.service(&service).await?;
            set(session, &target, &property, &text).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Operation::Release(id) => {
            session.release(&id)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Operation::Signal { service, signal } => events::stream(shared, peer, &caller, &parts, &service, &signal).await,
        Operation::Socket => socket::upgrade(shared, peer, caller, &mut parts).await,
    }
}

/// Calls a method by name with arguments in JSON, and gives JSON back.
pub(crate) async fn call(
    session: &ClientSession,
    target: &Target,
    method: &str,
    text: String,
) -> Result<Vec<u8>, Problem> {
    let (action, payload) = fit(target, method, text).await?;
    to_json(session.call(target, action, payload).await?).await
}

/// Runs a method, or emits a signal, without an answer.
pub(crate) async fn post(session: &ClientSession, target: &Target, member: &str, text: String) -> Result<(), Problem> {
    let (action, payload) = match target.signal(member) {
        Some(signal) if target.methods(member).is_empty() => {
            let payload = value(&signal.signature, if text.trim().is_empty() { "[]" } else { &text });
            (ActionId(signal.uid), payload?)
        }
        _ => fit(target, member, text).await?,
    };
    Ok(session.post(target, action, payload).await?)
}

/// A property in JSON.
pub(crate) async fn get(session: &ClientSession, target: &Target, property: &str) -> Result<Vec<u8>, Problem> {
    let found = target.property(property).ok_or_else(|| target.unknown(property))?;
    to_json(session.get(target, ActionId(found.uid)).await?).await
}

/// Sets a property from JSON.
pub(crate) async fn set(session: &ClientSession, target: &Target, property: &str, text: &str) -> Result<(), Problem> {
    let found = target.property(property).ok_or_else(|| target.unknown(property))?;
    let payload = value(&found.signature, text)?;
    Ok(session.set(target, ActionId(found.uid), &payload).await?)
}

/// The method that is meant, and its arguments.
async fn fit(target: &Target, name: &str, text: String) -> Result<(ActionId, Payload), Problem> {
    let methods = target.methods(name);
    if methods.is_empty() {
        return Err(target.unknown(name).into());
    }
    let cost = cost(text.len());
    if cost < offload::INLINE_BELOW {
        return arguments(&methods, &text).map_err(Problem::from);
    }
    let methods: Vec<MetaMethod> = methods.into_iter().cloned().collect();
    let read = move || arguments(&methods.iter().collect::<Vec<_>>(), &text);
    offload::run(cost, read).await.map_err(Problem::from)
}

async fn to_json(reply: Reply) -> Result<Vec<u8>, Problem> {
    Ok(offload::run(cost(reply.size()), move || reply.json()).await?)
}

async fn openapi(session: &ClientSession) -> String {
    let describe = |name: String| async move {
        // A service that does not answer is not described, and no reason to describe none.
        let target = tokio::time::timeout(DESCRIPTION, session.service(&name)).await.ok()?.ok()?;
        Some((name, target.metaobject()))
    };
    let described: Vec<_> =
        join_all(session.services().into_iter().map(describe)).await.into_iter().flatten().collect();
    description::openapi(&described).to_string()
}

/// The body as text.
async fn text(shared: &Shared, headers: &HeaderMap, body: Incoming) -> Result<String, Problem> {
    let limit = shared.settings.body_limit.min(shared.gateway.rules().limits.payload as usize);
    let read = Limited::new(body, limit).collect();
    let read = tokio::time::timeout(shared.settings.body_time, read).await;
    let bytes = read.map_err(|_| Problem::of(Flaw::BodyTooSlow))?.map_err(|error| {
        let flaw = if error.is::<LengthLimitError>() { Flaw::BodyTooLarge } else { Flaw::Body };
        Problem::of(flaw)
    })?;
    let bytes: Bytes = bytes.to_bytes();
    if !bytes.is_empty() && !is_json(headers) {
        return Err(Problem::of(Flaw::MediaType));
    }
    String::from_utf8(bytes.into()).map_err(|_| Problem::of(Flaw::Body))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

/// `Prefer: respond-async` (RFC 7240): nobody waits for the result.
fn prefers_no_answer(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
    preferences
        .flat_map(|list| list.split(','))
        .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

fn json(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // What a role sees is nobody else's, and changes.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// How long transcoding takes, at some 100 MB a second.
fn cost(bytes: usize) -> Duration {
    Duration::from_nanos(bytes as u64 * 10)
}

/// How long a service may take to describe itself before it is left out.
const DESCRIPTION: Duration = Duration::from_secs(2);
