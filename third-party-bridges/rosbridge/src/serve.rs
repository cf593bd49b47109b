//! Connections: the upgrade, what comes, what goes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderMap, StatusCode, header},
        protocol::WebSocketConfig,
    },
};

use crate::{admission::admit, front::Rosbridge, graph::Graph, outbox::Outbox, session::Session};

/// Accepts clients until it is dropped, and them with it.
pub(crate) async fn accept(listener: TcpListener, graph: Arc<Graph>) {
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = clients.join_next() => continue,
        };
        match accepted {
            Ok((stream, address)) if clients.len() < MOST_CLIENTS => {
                clients.spawn(serve(stream, address, graph.clone()));
            }
            Ok((_, address)) => tracing::warn!(%address, "refused: there are {MOST_CLIENTS} clients already"),
            Err(error) => {
                tracing::warn!(%error, "no client is accepted for a moment");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, address: SocketAddr, graph: Arc<Graph>) {
    // A connection that is gone already says so soon enough.
    let _ = stream.set_nodelay(true);
    let allowed = graph.options.load().allowed_origins.clone();
    #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
    let check = |request: &Request, response: Response| match judge(request.headers(), &allowed) {
        Ok(()) => Ok(response),
        Err(reason) => {
            tracing::warn!(%address, reason, "refused");
            let mut refusal = ErrorResponse::new(Some(reason));
            *refusal.status_mut() = StatusCode::FORBIDDEN;
            Err(refusal)
        }
    };
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let upgrade = accept_hdr_async_with_config(stream, check, Some(config));
    let Ok(Ok(socket)) = timeout(UPGRADE, upgrade).await else { return };
    tracing::info!(%address, "client of rosbridge connected");
    talk(socket, address, graph).await;
    tracing::info!(%address, "client of rosbridge gone");
}

async fn talk(socket: WebSocketStream<TcpStream>, address: SocketAddr, graph: Arc<Graph>) {
    let id = CLIENTS.fetch_add(1, Ordering::Relaxed);
    let peer = graph.bus.peer(<Rosbridge as keyway_bridge::Front>::NAME, &format!("client {id}"), address);
    let outbox = Arc::new(Outbox::default());
    let (sink, mut incoming) = socket.split();
    let (mut session, mut asking) = Session::new(id, graph, peer, outbox.clone());
    let mut writing = tokio::spawn(write(sink, outbox.clone()));
    loop {
        tokio::select! {
            message = incoming.next() => match message {
                Some(Ok(Message::Text(text))) => session.text(text.as_str()),
                Some(Ok(Message::Binary(bytes))) => session.binary(&bytes),
                Some(Ok(Message::Ping(payload))) => outbox.answer(Message::Pong(payload)),
                Some(Ok(Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            },
            Some(asked) = asking.recv() => session.ask(asked),
            // The client takes nothing, or is gone.
            _ = &mut writing => break,
        }
    }
    drop(session);
    if outbox.dropped() > 0 {
        tracing::info!(%address, dropped = outbox.dropped(), "messages were left out: the client was too slow");
    }
    // What waits may still go, for a moment. A task that has ended must not be asked again.
    if !writing.is_finished() && timeout(GOODBYE, &mut writing).await.is_err() {
        writing.abort();
    }
}

/// Lone messages at once, waiting ones together.
async fn write(mut sink: SplitSink<WebSocketStream<TcpStream>, Message>, outbox: Arc<Outbox>) {
    while let Some(messages) = outbox.next().await {
        for message in messages {
            if !matches!(timeout(STALLED, sink.feed(message)).await, Ok(Ok(()))) {
                return;
            }
        }
        if !matches!(timeout(STALLED, sink.flush()).await, Ok(Ok(()))) {
            return;
        }
    }
    // Polite, and of no use to who is gone.
    let _ = timeout(GOODBYE, sink.close()).await;
}

fn judge(headers: &HeaderMap, allowed: &[String]) -> Result<(), String> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    admit(text(header::ORIGIN), text(header::HOST), allowed)
}

static CLIENTS: AtomicU64 = AtomicU64::new(1);

const MOST_CLIENTS: usize = 256;
/// Bytes of a message.
const LARGEST: usize = 16 << 20;
const AGAIN: Duration = Duration::from_millis(100);
const UPGRADE: Duration = Duration::from_secs(5);
const GOODBYE: Duration = Duration::from_millis(500);
/// A client that takes nothing for so long is disconnected.
const STALLED: Duration = Duration::from_secs(30);
