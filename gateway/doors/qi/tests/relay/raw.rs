//! Clients over QUIC that say whatever a test wants said.

use std::{collections::HashMap, sync::Arc, time::Instant};

use bytes::Bytes;
use keyway::{QuicEndpoint, QuicOptions, TlsClient, TlsServer, front::FrontSettings};
use keyway_pipe::{Handler, MakeDialogue, QueueLimits, Sender};
use keyway_session::{CapabilityMap, CloseReason};
use keyway_value::{ActionId, MessageId, ObjectId, QiValue, ServiceId, Value, from_payload, to_payload};
use keyway_wire::{
    Flags, Frame, MessageKind, Url,
    native::{Proof, SecretText},
};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::sync::mpsc;

use crate::stage::{soon, token_of};

/// Service, object and action.
pub(crate) type Address = (u32, u32, u32);

/// A certificate of this machine, and a front that shows it.
pub(crate) fn quic_front() -> (Vec<u8>, FrontSettings) {
    let CertifiedKey::<KeyPair> { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pem = cert.pem().into_bytes();
    let tls = TlsServer::from_pem(&pem, signing_key.serialize_pem().as_bytes()).unwrap();
    (pem, FrontSettings { tls: Some(tls), ..FrontSettings::default() })
}

/// Gives what arrives to a test.
struct Hearing {
    heard: mpsc::UnboundedSender<Frame>,
}

impl Handler for Hearing {
    fn on_frame(&mut self, _now: Instant, frame: Frame, _sender: &Sender) -> Result<(), CloseReason> {
        // The test may be over.
        let _ = self.heard.send(frame);
        Ok(())
    }

    fn max_payload(&self) -> u32 {
        u32::MAX
    }

    fn on_closed(&mut self, _reason: CloseReason) {}
}

pub(crate) struct Raw {
    pub(crate) sender: Sender,
    pub(crate) frames: mpsc::UnboundedReceiver<Frame>,
    answers: HashMap<MessageId, Frame>,
    /// What is no answer.
    pub(crate) aside: Vec<Frame>,
    last: u32,
}

impl Raw {
    /// Connects to a gateway of this certificate, and comes in as a user.
    pub(crate) async fn connect(url: &str, pem: &[u8], user: &str) -> Self {
        let endpoint = QuicEndpoint::new(QuicOptions::default()).unwrap();
        let tls = TlsClient::ca_pem(pem).unwrap();
        let (url, capabilities) = (Url::parse(url), CapabilityMap::libqi().encode().into_bytes());
        let proof = Proof::User { user: user.to_owned(), token: SecretText::new(token_of(user)) };
        let who: MakeDialogue = Arc::new(move || {
            let proof = proof.clone();
            Box::new(move |asked| asked.is_none().then(|| proof.clone()))
        });
        let connecting = endpoint.connect(&url, &tls, capabilities, who, QueueLimits::default());
        let connected = soon("connecting", connecting).await.unwrap();
        let (heard, frames) = mpsc::unbounded_channel();
        tokio::spawn(connected.driver.run(Hearing { heard }));
        Self { sender: connected.sender, frames, answers: HashMap::new(), aside: Vec::new(), last: 0 }
    }

    pub(crate) fn send(&mut self, kind: MessageKind, address: Address, payload: Bytes) -> MessageId {
        self.send_with(kind, address, payload, Flags::default())
    }

    pub(crate) fn send_with(
        &mut self,
        kind: MessageKind,
        (service, object, action): Address,
        payload: Bytes,
        flags: Flags,
    ) -> MessageId {
        self.last += 1;
        let (id, service) = (MessageId(self.last), ServiceId(service));
        let mut frame = Frame::new(kind, id, service, ObjectId(object), ActionId(action), payload.into());
        frame.header.flags = flags;
        self.sender.send(frame).unwrap();
        id
    }

    pub(crate) async fn answer(&mut self, id: MessageId) -> Frame {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            let frame = soon("an answer", self.frames.recv()).await.expect("the connection was closed");
            match frame.header.kind {
                MessageKind::Reply | MessageKind::Error | MessageKind::Canceled => {
                    self.answers.insert(frame.header.id, frame);
                }
                _ => self.aside.push(frame),
            }
        }
    }

    pub(crate) async fn call<R: QiValue>(&mut self, address: Address, arguments: &impl QiValue) -> R {
        let id = self.send(MessageKind::Call, address, payload(arguments));
        let answer = self.answer(id).await;
        assert_eq!(answer.header.kind, MessageKind::Reply, "{}", text_of(&answer));
        from_payload(answer.payload_bytes()).unwrap()
    }

    pub(crate) async fn refused(&mut self, address: Address, payload: Bytes) -> String {
        let id = self.send(MessageKind::Call, address, payload);
        let answer = self.answer(id).await;
        assert_eq!(answer.header.kind, MessageKind::Error, "{address:?} was to be refused");
        text_of(&answer)
    }
}

pub(crate) fn payload(value: &impl QiValue) -> Bytes {
    to_payload(value).unwrap().into_bytes()
}

pub(crate) fn text_of(frame: &Frame) -> String {
    match from_payload::<Value>(frame.payload_bytes()).map(Value::unwrap_dynamic) {
        Ok(Value::String(text)) => text.to_string(),
        other => format!("{:?} with {other:?}", frame.header.kind),
    }
}
