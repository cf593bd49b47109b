//! Calls and subscriptions over one WebSocket.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{
        FromRequestParts, WebSocketUpgrade,
        ws::{self, WebSocket},
    },
    http::{Response, request::Parts},
};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use keyway_gateway::client::{ClientError, ClientSession, Delivery, GatewayCode, Target};
use keyway_value::ActionId;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use crate::{
    description,
    handle::{self, Shared},
    identity::{Caller, Standing},
    message::{self, Message, Op, overflow},
    problem::{Flaw, Problem},
    serve::Peer,
};

/// Makes a WebSocket of a request.
pub(crate) async fn upgrade(
    shared: &Arc<Shared>,
    peer: Peer,
    caller: Caller,
    parts: &mut Parts,
) -> Result<Response<Body>, Problem> {
    let counted = caller.one_more_socket(shared.settings.sockets_per_session)?;
    let standing = Standing::new(shared, peer, &parts.headers);
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &()).await.map_err(|_| Problem::of(Flaw::Upgrade))?;
    let limit = shared.settings.body_limit;
    let shared = shared.clone();
    Ok(upgrade.protocols([PROTOCOL]).max_message_size(limit).max_frame_size(limit).on_upgrade(
        move |socket| async move {
            let _counted = counted;
            let (sink, stream) = socket.split();
            let (outbox, messages) = mpsc::channel(OUTBOX);
            let mut closed = shared.closed.clone();
            let conversation = Conversation {
                session: caller.session.clone(),
                standing,
                outbox,
                calls: JoinSet::new(),
                subscriptions: JoinSet::new(),
                running: HashMap::new(),
                at_a_time: shared.settings.requests_per_connection as usize,
            };
            // Whichever ends first ends the others: who does not read is not listened to either.
            tokio::select! {
                () = conversation.listen(stream) => {}
                () = write(sink, messages) => {}
                _ = closed.changed() => {}
            }
        },
    ))
}

/// Writes what is to be said. Nothing more is taken on while the client does not read.
async fn write(mut sink: SplitSink<WebSocket, ws::Message>, mut messages: mpsc::Receiver<ws::Message>) {
    while let Some(message) = messages.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

struct Conversation {
    session: ClientSession,
    standing: Standing,
    outbox: mpsc::Sender<ws::Message>,
    calls: JoinSet<u64>,
    subscriptions: JoinSet<u64>,
    running: HashMap<u64, AbortHandle>,
    at_a_time: usize,
}

impl Conversation {
    async fn listen(mut self, mut stream: SplitStream<WebSocket>) {
        let mut ticks = tokio::time::interval(PING);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                message = stream.next() => {
                    let Some(Ok(message)) = message else { return };
                    heard = Instant::now();
                    let goes_on = match message {
                        ws::Message::Text(text) => self.take(text.as_str()).await,
                        ws::Message::Binary(_) => self.say(message::error(None, &Problem::of(Flaw::MediaType))).await,
                        ws::Message::Close(_) => false,
                        // Answered by the library.
                        ws::Message::Ping(_) | ws::Message::Pong(_) => true,
                    };
                    if !goes_on {
                        return;
                    }
                }
                Some(done) = self.calls.join_next() => self.done(&done),
                Some(done) = self.subscriptions.join_next() => self.done(&done),
                _ = ticks.tick() => {
                    if heard.elapsed() > SILENCE || !self.stays().await {
                        return;
                    }
                    // No room: it is not reading, and will be found out.
                    let _ = self.outbox.try_send(ws::Message::Ping(bytes::Bytes::new()));
                }
            }
        }
    }

    fn done(&mut self, done: &Result<u64, tokio::task::JoinError>) {
        // What was canceled was forgotten then.
        if let Ok(id) = done {
            self.running.remove(id);
        }
    }

    /// Whether the client may still be here.
    async fn stays(&mut self) -> bool {
        match self.standing.check().await {
            Ok(None) => true,
            Ok(Some(caller)) => {
                self.session = caller.session;
                true
            }
            Err(problem) => {
                self.say(message::error(None, &problem)).await;
                false
            }
        }
    }

    async fn say(&self, text: String) -> bool {
        self.outbox.send(ws::Message::Text(text.into())).await.is_ok()
    }

    /// Takes a message in. False: it is over.
    async fn take(&mut self, text: &str) -> bool {
        if !self.stays().await {
            return false;
        }
        let message = match Message::parse(text) {
            Ok(message) => message,
            Err(error) => return self.say(message::error(None, &Problem::bad_arguments(error.to_string()))).await,
        };
        let id = message.id;
        if message.op == Op::Cancel {
            let Some(running) = self.running.remove(&id) else { return true };
            running.abort();
            let canceled = ClientError::new(GatewayCode::Canceled, "it was canceled");
            return self.say(message::error(Some(id), &canceled.into())).await;
        }
        let is_subscription = message.op == Op::Subscribe;
        if self.running.contains_key(&id) {
            return self.say(message::error(Some(id), &Problem::bad_arguments("this id is in use"))).await;
        }
        if !is_subscription && self.calls.len() >= self.at_a_time {
            let error = ClientError::new(GatewayCode::TooManyCalls, "too many calls of this socket are under way");
            return self.say(message::error(Some(id), &error.into())).await;
        }
        let request = Request::of(&message);
        let (session, outbox) = (self.session.clone(), self.outbox.clone());
        let serve = async move {
            let answered = if is_subscription {
                request.follow(&session, &outbox).await.map(|()| message::ended(id))
            } else {
                request.answer(&session).await.map(|result| message::result(id, &String::from_utf8_lossy(&result)))
            };
            let text = answered.unwrap_or_else(|problem| message::error(Some(id), &problem));
            // The socket may be over.
            let _ = outbox.send(ws::Message::Text(text.into())).await;
            id
        };
        let tasks = if is_subscription { &mut self.subscriptions } else { &mut self.calls };
        self.running.insert(id, tasks.spawn(serve));
        true
    }
}

/// A message by its own value: it outlives its text.
struct Request {
    id: u64,
    op: Op,
    service: Option<String>,
    object: Option<String>,
    member: Option<String>,
    arguments: String,
    value: Option<String>,
    overflow: Option<String>,
    since: Option<u64>,
}

impl Request {
    fn of(message: &Message<'_>) -> Self {
        Self {
            id: message.id,
            op: message.op,
            service: message.service.clone(),
            object: message.object.clone(),
            member: message.member.clone(),
            arguments: message.arguments.map(|text| text.get().to_owned()).unwrap_or_default(),
            value: message.value.map(|text| text.get().to_owned()),
            overflow: message.overflow.clone(),
            since: message.since,
        }
    }

    async fn answer(self, session: &ClientSession) -> Result<Vec<u8>, Problem> {
        let nothing = || b"null".to_vec();
        match self.op {
            Op::Services => Ok(serde_json::to_vec(&session.services()).unwrap_or_default()),
            Op::Describe => {
                let target = self.target(session).await?;
                let name = self.service.as_deref().unwrap_or_default();
                Ok(description::service(name, &target.metaobject()).to_string().into_bytes())
            }
            Op::Call => {
                let target = self.target(session).await?;
                handle::call(session, &target, self.member()?, self.arguments.clone()).await
            }
            Op::Post => {
                let target = self.target(session).await?;
                handle::post(session, &target, self.member()?, self.arguments.clone()).await?;
                Ok(nothing())
            }
            Op::Get => handle::get(session, &self.target(session).await?, self.member()?).await,
            Op::Set => {
                let target = self.target(session).await?;
                let value = self.value.as_deref().ok_or_else(|| missing("value"))?;
                handle::set(session, &target, self.member()?, value).await?;
                Ok(nothing())
            }
            Op::Release => {
                session.release(self.object.as_deref().ok_or_else(|| missing("object"))?)?;
                Ok(nothing())
            }
            // Taken care of before.
            Op::Cancel | Op::Subscribe => Ok(nothing()),
        }
    }

    /// Passes events on until there are no more.
    async fn follow(self, session: &ClientSession, outbox: &mpsc::Sender<ws::Message>) -> Result<(), Problem> {
        let rule = |name| overflow(name).ok_or_else(|| Problem::of(Flaw::Parameter));
        let rule = self.overflow.as_deref().map(rule).transpose()?;
        let target = self.target(session).await?;
        let member = self.member()?;
        let signal = target.signal(member).ok_or_else(|| target.unknown(member))?;
        let mut subscription = session.subscribe(&target, ActionId(signal.uid), rule, self.since).await?;
        let mut text = message::subscribed(self.id);
        loop {
            if outbox.send(ws::Message::Text(text.into())).await.is_err() {
                return Ok(());
            }
            text = match subscription.next().await {
                None => return Ok(()),
                Some(delivery) => match delivery? {
                    Delivery::Gap(missed) => message::gap(self.id, missed),
                    Delivery::Event(event) => {
                        message::event(self.id, event.sequence, &String::from_utf8_lossy(&event.json()?))
                    }
                },
            };
        }
    }

    async fn target(&self, session: &ClientSession) -> Result<Target, Problem> {
        match (&self.service, &self.object) {
            (Some(name), None) => Ok(session.service(name).await?),
            (None, Some(id)) => Ok(session.object(id)?),
            _ => Err(missing("service")),
        }
    }

    fn member(&self) -> Result<&str, Problem> {
        self.member.as_deref().ok_or_else(|| missing("member"))
    }
}

fn missing(name: &str) -> Problem {
    Problem::bad_arguments(format!("the message has no {name:?}"))
}

/// The protocol that is spoken, for clients that ask for one.
const PROTOCOL: &str = "keyway.v1";
/// Messages that wait for a client.
const OUTBOX: usize = 64;
/// Between questions whether the client is still there.
const PING: Duration = Duration::from_secs(5);
/// After which a client that says nothing, not even to these questions, is gone.
const SILENCE: Duration = Duration::from_secs(20);
