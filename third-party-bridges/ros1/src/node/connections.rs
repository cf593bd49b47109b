//! TCPROS connections of others: their header says whether they want a topic or a service (spec 4).

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use keyway_bridge_ros::Provided;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::AbortHandle,
};

use super::Node;
use crate::{
    http::accept,
    provided::{self, Failure},
    stream::{read_header, read_message},
    tcpros::{Header, mismatch, response},
};

/// Serves connections, for ever.
pub(crate) async fn serve(node: Arc<Node>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let waiting = Arc::new(Waiting::default());
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let (stream, address) = accept(&listener).await;
        let (node, guests) = (node.clone(), waiting.clone());
        let number = waiting.enter();
        let task = tokio::spawn(async move {
            connection(&node, stream, address, || guests.leave(number)).await;
            guests.leave(number);
            drop(permit);
        });
        waiting.known(number, task.abort_handle());
    }
}

/// Connections whose header has not come yet. Overflow rule: the oldest goes.
#[derive(Default)]
struct Waiting(Mutex<Guests>);

#[derive(Default)]
struct Guests {
    /// The number of the next one.
    next: u64,
    tasks: VecDeque<(u64, Option<AbortHandle>)>,
}

impl Waiting {
    fn enter(&self) -> u64 {
        let mut guests = self.0.lock();
        let number = guests.next;
        guests.next += 1;
        guests.tasks.push_back((number, None));
        if guests.tasks.len() > HANDSHAKES
            && let Some((_, Some(oldest))) = guests.tasks.pop_front()
        {
            oldest.abort();
        }
        number
    }

    fn known(&self, number: u64, task: AbortHandle) {
        if let Some(guest) = self.0.lock().tasks.iter_mut().find(|(known, _)| *known == number) {
            guest.1 = Some(task);
        }
    }

    fn leave(&self, number: u64) {
        self.0.lock().tasks.retain(|(known, _)| *known != number);
    }
}

async fn connection(node: &Arc<Node>, mut stream: TcpStream, address: SocketAddr, arrived: impl FnOnce()) {
    // Small messages must not wait for each other (TC-2); without it, they only come later.
    let _ = stream.set_nodelay(true);
    let header = match read_header(&mut stream).await {
        Ok(header) => header,
        Err(error) => {
            tracing::debug!(%address, %error, "a connection ended before its header");
            return;
        }
    };
    arrived();
    let caller = header.caller();
    if let Some(topic) = header.get("topic") {
        let refusal = match node.publication(topic) {
            None => format!("received a connection for a nonexistent topic [{topic}] from [{caller}]"),
            Some(publication) => {
                let what = format!("topic {topic}");
                match mismatch(&header, &what, &publication.kind, &publication.md5) {
                    Some(refusal) => refusal,
                    None => {
                        let answer = publication.header(&node.name).to_bytes();
                        if stream.write_all(&answer).await.is_ok() {
                            publication.serve(stream, caller).await;
                        }
                        return;
                    }
                }
            }
        };
        refuse(stream, address, &refusal).await;
    } else if let Some(name) = header.get("service") {
        let refusal = match node.service(name) {
            None => format!("received a tcpros connection for a nonexistent service [{name}]"),
            Some(provided) => {
                match mismatch(&header, &format!("service {name}"), &provided.kind().to_string(), provided.md5()) {
                    Some(refusal) => refusal,
                    None => {
                        // Length and body of a request come in one read.
                        let mut stream = BufReader::new(stream);
                        if let Err(error) = calls(node, &mut stream, address, &header, name, &provided).await {
                            tracing::debug!(%address, caller, name, %error, "a caller left");
                        }
                        return;
                    }
                }
            }
        };
        refuse(stream, address, &refusal).await;
    } else {
        refuse(stream, address, "unhandled connection").await;
    }
}

async fn refuse(mut stream: TcpStream, address: SocketAddr, text: &str) {
    tracing::debug!(%address, reason = text, "a connection is refused");
    // Whoever is gone need not be told.
    let _ = stream.write_all(&Header::error(text).to_bytes()).await;
}

/// Answers calls, in their order.
async fn calls(
    node: &Arc<Node>,
    stream: &mut BufReader<TcpStream>,
    address: SocketAddr,
    header: &Header,
    name: &str,
    provided: &Arc<Provided>,
) -> Result<(), crate::stream::ReadError> {
    let (kind, md5) = (provided.kind().to_string(), provided.md5());
    let (request, reply) = (format!("{kind}Request"), format!("{kind}Response"));
    let answer = [
        ("callerid", node.name.as_str()),
        ("md5sum", md5),
        ("type", &kind),
        ("request_type", &request),
        ("response_type", &reply),
    ];
    stream.write_all(&Header::new(answer).to_bytes()).await?;
    if header.is_set("probe") {
        return Ok(());
    }
    let peer = node.bus.peer(crate::NAME, header.caller(), address);
    loop {
        let message = match read_message(stream, MAX_REQUEST).await {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(()),
            Err(error @ crate::stream::ReadError::TooLarge { .. }) => {
                stream.write_all(&response(Err(&error.to_string()))).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        // It may be another one by now.
        let current = node.service(name).filter(|current| current.md5() == md5);
        let result = match &current {
            None => Err(Failure::Undecodable(format!("service {name} is gone"))),
            Some(current) => {
                let call = provided::answer(current, &node.bus, &peer, &message, node.native_errors);
                tokio::select! {
                    result = call => result,
                    () = closed(stream) => return Ok(()),
                }
            }
        };
        let (answer, is_over) = match &result {
            Ok(body) => (response(Ok(body)), false),
            Err(Failure::Told(text)) => (response(Err(text)), false),
            Err(Failure::Undecodable(text)) => (response(Err(text)), true),
        };
        stream.write_all(&answer).await?;
        if is_over || !header.is_set("persistent") {
            return Ok(());
        }
    }
}

/// Waits until the caller is gone. While it has sent another request already, that is not known.
async fn closed(stream: &BufReader<TcpStream>) {
    let mut first = [0];
    if !stream.buffer().is_empty() || matches!(stream.get_ref().peek(&mut first).await, Ok(1..)) {
        std::future::pending().await
    }
}

/// How many connections there may be at once.
const CONNECTIONS: usize = 256;
/// How many of them may not have sent their header yet.
const HANDSHAKES: usize = 64;
const MAX_REQUEST: usize = 16 << 20;
