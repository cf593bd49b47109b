//! From a Call or Post that came in to the object it is for, and back (spec 6, 8).

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use keyway_session::errors;
use keyway_value::{ActionId, ObjectId, Payload, Signature, convert};
use keyway_wire::{Flags, Frame, Header, MessageKind};

use crate::{
    Error, Result,
    answer::Answer,
    context::CallContext,
    exchange::{Exchange, Passing},
    front::Answered,
    object::Object,
    peer::Peer,
    signal::{Emission, SignalCore},
};

/// Serves a Call: answered exactly once (8.1), in place if the method is done at once.
pub(crate) fn call(peer: &Arc<Peer>, frame: &Frame, main: Option<&Object>, answered: Option<Answered>) {
    let header = frame.header;
    let Some(object) = find(peer, &header, main) else {
        return send(peer, Frame::error_to(&header, errors::CALL_NOT_HANDLED), answered);
    };
    if header.action == ActionId::TERMINATE && header.object != ObjectId::MAIN {
        peer.terminate(header.service, header.object);
        return send(peer, Frame::reply_to(&header, Payload::default()), answered);
    }
    let request = match Request::read(&object, frame, context(peer, &header)) {
        Ok(request) => request,
        Err(error) => return send(peer, Frame::error_to(&header, &error.to_string()), answered),
    };
    match request.run(&object, header.action) {
        Answer::Ready(result) => request.answer(peer, &header, result, answered),
        Answer::Unstoppable(future) => {
            let peer = peer.clone();
            tokio::spawn(async move {
                let result = future.await;
                request.answer(&peer, &header, result, answered);
            });
        }
        Answer::Told(start) => {
            let (key, cancelled) = peer.start(&header);
            let peer = peer.clone();
            tokio::spawn(async move {
                let result = start(cancelled).await;
                peer.finish(key);
                request.answer(&peer, &header, result, answered);
            });
        }
        Answer::Pending(future) => {
            let (key, cancelled) = peer.start(&header);
            let peer = peer.clone();
            tokio::spawn(async move {
                let result = tokio::select! {
                    biased;
                    result = future => result,
                    _ = cancelled => Err(Error::Canceled),
                };
                peer.finish(key);
                request.answer(&peer, &header, result, answered);
            });
        }
    }
}

/// Serves a Post: runs a method without an answer, or emits a signal (8.3, 9.2). Errors are lost, as the protocol has it.
pub(crate) fn post(peer: &Arc<Peer>, frame: &Frame, main: Option<&Object>) {
    let header = frame.header;
    let Some(object) = find(peer, &header, main) else { return };
    if header.action == ActionId::TERMINATE && header.object != ObjectId::MAIN {
        peer.terminate(header.service, header.object);
        return;
    }
    let mut context = context(peer, &header);
    if let Some(signal) = object.0.signals.get(&header.action) {
        if object.0.refuse_posts {
            tracing::debug!(peer = %context.peer(), action = %header.action, "a forged event was refused");
            return;
        }
        let bytes = arguments(frame, &signal.signature, &mut context);
        if let Err(error) = bytes.and_then(|bytes| emit(signal, &bytes, &context)) {
            tracing::debug!(%error, action = %header.action, "a posted event was dropped");
        }
        return;
    }
    match Request::read(&object, frame, context) {
        Ok(request) => request.run(&object, header.action).detach(),
        Err(error) => tracing::debug!(%error, action = %header.action, "a post was dropped"),
    }
}

/// The object that a message is for.
fn find(peer: &Peer, header: &Header, main: Option<&Object>) -> Option<Object> {
    match main {
        Some(main) if header.object == ObjectId::MAIN => Some(main.clone()),
        _ => peer.find(header.service, header.object),
    }
}

/// Emits what was posted. Payloads without objects go out as they came, once it is certain that they are well formed.
pub(crate) fn emit(signal: &SignalCore, bytes: &Bytes, context: &CallContext) -> Result<()> {
    let signature = &signal.signature;
    if signature.contains_object_or_dynamic() {
        let value = context.decode_value(bytes, signature)?;
        signal.emit(&Emission::Encode(&|encoder| encoder.write_value(&value)));
    } else {
        let length = context.arguments().decode(bytes, |decoder| {
            decoder.skip_value(signature)?;
            Ok(decoder.position())
        })?;
        signal.emit(&Emission::Bytes(bytes.slice(..length)));
    }
    Ok(())
}

/// A call after its flags were taken care of: arguments of the declared types.
struct Request {
    arguments: Bytes,
    context: CallContext,
    /// The declared and the wanted type of the result (flag bit 1).
    conversion: Option<(Signature, Signature)>,
}

impl Request {
    fn read(object: &Object, frame: &Frame, mut context: CallContext) -> Result<Self> {
        let header = &frame.header;
        let Some((parameters, result)) = object.signatures(header.action) else {
            return Err(Error::Remote(errors::no_such_method(header)));
        };
        let mut conversion = None;
        if header.flags.contains(Flags::RETURN_TYPE) {
            let dynamic = Signature::dynamic();
            let sent = if header.flags.contains(Flags::DYNAMIC_PAYLOAD) { &dynamic } else { parameters };
            let wanted = context.exchange().decode(frame.payload_bytes(), |decoder| {
                decoder.skip_value(sent)?;
                decoder.read_signature()
            })?;
            if convert::score(result, &wanted) == 0.0 && !result.contains_object_or_dynamic() {
                return Err(Error::Remote(errors::cannot_convert_return(result, &wanted)));
            }
            context.set_results(Exchange::loopback());
            conversion = Some((result.clone(), wanted));
        }
        let arguments = arguments(frame, parameters, &mut context)?;
        Ok(Self { arguments, context, conversion })
    }

    fn run(&self, object: &Object, action: ActionId) -> Answer {
        let run = || object.invoke(action, &self.arguments, &self.context);
        catch_unwind(AssertUnwindSafe(run))
            .unwrap_or_else(|_| Answer::Ready(Err(Error::remote("the method panicked; see the log of its service"))))
    }

    fn answer(&self, peer: &Arc<Peer>, header: &Header, result: Result<Payload>, answered: Option<Answered>) {
        let frame = match result.and_then(|payload| self.convert(payload)) {
            Ok((payload, flags)) => {
                let mut frame = Frame::reply_to(header, payload);
                frame.header.flags = flags;
                frame
            }
            Err(Error::Canceled) if peer.shared().remote_cancelable_calls => Frame::canceled_to(header),
            Err(Error::Canceled) => Frame::error_to(header, errors::CALL_CANCELED),
            Err(error) => Frame::error_to(header, &error.to_string()),
        };
        send(peer, frame, answered);
    }

    /// Converts the result to what the caller wanted; where its value does not fit it goes out as declared (spec 2.3).
    fn convert(&self, payload: Payload) -> Result<(Payload, Flags)> {
        let Some((declared, wanted)) = &self.conversion else { return Ok((payload, Flags::default())) };
        let value = self.context.results().decode_value(&payload.into_bytes(), declared)?;
        let exchange = self.context.exchange();
        match convert::convert(value.clone(), wanted) {
            Ok(value) => Ok((exchange.encode(|encoder| encoder.write_dynamic(&value))?, Flags::DYNAMIC_PAYLOAD)),
            Err(_) => Ok((exchange.encode_value(&value)?, Flags::default())),
        }
    }
}

/// The arguments in their declared types (flag bit 0 brings them in others).
fn arguments(frame: &Frame, declared: &Signature, context: &mut CallContext) -> Result<Bytes> {
    if !frame.header.flags.contains(Flags::DYNAMIC_PAYLOAD) {
        return Ok(frame.payload_bytes().clone());
    }
    let value = context.exchange().decode(frame.payload_bytes(), |decoder| decoder.read_dynamic())?;
    let value = convert::convert(value, declared)
        .map_err(|error| Error::Remote(errors::argument_conversion(&error, declared)))?;
    let exchange = Exchange::loopback();
    let bytes = exchange.encode_value(&value)?.into_bytes();
    context.set_arguments(exchange);
    Ok(bytes)
}

fn context(peer: &Arc<Peer>, header: &Header) -> CallContext {
    let exchange = Exchange::Peer { peer: peer.clone(), service: header.service, passing: Passing::Returned };
    CallContext::new(exchange, header.service, header.object)
}

fn send(peer: &Arc<Peer>, frame: Frame, answered: Option<Answered>) {
    if let Some(answered) = answered {
        answered(frame.header.kind == MessageKind::Reply);
    }
    // A refused send means that the caller is gone: nobody is left to hear the answer.
    let _ = peer.sender().send(frame);
}
