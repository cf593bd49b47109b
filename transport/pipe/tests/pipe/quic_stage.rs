//! A listener and clients of the tests over QUIC.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use keyway_pipe::{
    Handler, MakeDialogue, QueueLimits, QuicConnected, QuicEndpoint, QuicError, QuicListener, QuicOptions, QuicRequest,
    Sender, TlsClient, TlsServer,
};
use keyway_value::{ActionId, MessageId, ObjectId, Payload, ServiceId};
use keyway_wire::{
    Frame, Url,
    native::{Proof, SecretText},
};
use tokio::{net::UdpSocket, time::timeout};

use crate::{
    certificates::{Authority, Pair},
    peer::{PATIENCE, Record, Recorder},
};

/// A listener and a client that trusts it.
pub(crate) struct Stage {
    pub(crate) listener: QuicListener,
    /// Where clients connect to.
    pub(crate) url: Url,
    pub(crate) endpoint: QuicEndpoint,
    pub(crate) tls: TlsClient,
    pub(crate) authority: Authority,
}

impl Stage {
    pub(crate) async fn new(dead_after: Duration) -> Self {
        let authority = Authority::new("authority");
        let Pair { certificate, key } = authority.issue(&["127.0.0.1"]);
        let server = TlsServer::from_pem(&certificate, &key).unwrap().client_ca_pem(&authority.pem).unwrap();
        let mut options = QuicOptions::default();
        options.dead_after = dead_after;
        let url = Url::parse("quic://127.0.0.1:0");
        let listener = QuicListener::bind(&url, &server, options.clone()).await.unwrap();
        let endpoint = QuicEndpoint::new(options).unwrap();
        let url = listener.local_url().clone();
        Self { listener, url, endpoint, tls: TlsClient::ca_pem(&authority.pem).unwrap(), authority }
    }

    pub(crate) async fn request(&self) -> QuicRequest {
        self.request_with(QueueLimits::default()).await
    }

    pub(crate) async fn request_with(&self, limits: QueueLimits) -> QuicRequest {
        let incoming = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        incoming.handshake(limits).await.unwrap()
    }

    pub(crate) async fn connect(&self, proof: Proof) -> Result<QuicConnected, QuicError> {
        self.connect_as(&self.tls, proof, |_| None).await
    }

    pub(crate) async fn connect_as(
        &self,
        tls: &TlsClient,
        proof: Proof,
        answer: impl Fn(&str) -> Option<Proof> + Clone + Send + Sync + 'static,
    ) -> Result<QuicConnected, QuicError> {
        let (url, limits) = (&self.url, QueueLimits::default());
        let capabilities = Bytes::from_static(b"client");
        timeout(PATIENCE, self.endpoint.connect(url, tls, capabilities, dialogue(proof, answer), limits)).await.unwrap()
    }

    /// A connection: the client, and the server's sender and record.
    pub(crate) async fn open(&self) -> (QuicConnected, Sender, Record) {
        let (recorder, record) = Recorder::new();
        let (client, sender) = self.open_with(recorder, QueueLimits::default()).await;
        (client, sender, record)
    }

    pub(crate) async fn open_with(
        &self,
        handler: impl Handler + 'static,
        limits: QueueLimits,
    ) -> (QuicConnected, Sender) {
        let serving = async {
            let request = self.request_with(limits).await;
            let sender = request.sender().clone();
            (sender, request.welcome([7; 16], Bytes::from_static(b"server"), None).await.unwrap())
        };
        let (client, (sender, driver)) = tokio::join!(self.connect(Proof::Nothing), serving);
        tokio::spawn(driver.run(handler));
        (client.unwrap(), sender)
    }
}

/// A network between one client and the server, until the task is aborted.
pub(crate) async fn network(server: SocketAddr) -> (Url, tokio::task::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("quic://{}", socket.local_addr().unwrap()));
    let task = tokio::spawn(async move {
        let (mut packet, mut client) = (vec![0; 65_536], None);
        loop {
            let Ok((length, from)) = socket.recv_from(&mut packet).await else { continue };
            let to = if from == server {
                client
            } else {
                client = Some(from);
                Some(server)
            };
            if let Some(to) = to {
                // A packet that is lost is a packet that is lost.
                let _ = socket.send_to(&packet[..length], to).await;
            }
        }
    });
    (url, task)
}

pub(crate) fn user(token: &str) -> Proof {
    Proof::User { user: "nao".to_owned(), token: SecretText::new(token.to_owned()) }
}

pub(crate) fn call(id: u32, object: u32, size: usize) -> Frame {
    Frame::call(MessageId(id), ServiceId(2), ObjectId(object), ActionId(100), Payload::from(vec![7; size]))
}

pub(crate) fn event(n: u32, action: u32, size: usize) -> Frame {
    Frame::event(MessageId(n), ServiceId(2), ObjectId(1), ActionId(action), Payload::from(vec![7; size]))
}

pub(crate) fn dialogue(
    first: Proof,
    answer: impl Fn(&str) -> Option<Proof> + Clone + Send + Sync + 'static,
) -> MakeDialogue {
    Arc::new(move || {
        let (first, answer) = (first.clone(), answer.clone());
        Box::new(move |asked| asked.map_or_else(|| Some(first.clone()), &answer))
    })
}
