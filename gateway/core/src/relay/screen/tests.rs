use std::sync::Arc;

use arc_swap::ArcSwap;
use keyway::Session;
use keyway_auth::{AuthConfig, Authenticator};
use keyway_pipe::ConnectionId;
use keyway_policy::Policy;
use keyway_value::{
    Encoder, MetaObjectBuilder, ObjectReference, ObjectValue, Payload, Value, from_payload, to_payload,
};

use super::*;
use crate::{
    bus::{Bus, BusSettings},
    presence::Presence,
    rules::{InForce, Rules},
};

const SERVICE: ServiceId = ServiceId(5);
const OWN: ObjectId = ObjectId(1 << 31);

/// Before a client to which nothing is shown: no service is known.
fn screen() -> Screen {
    let policy = Policy::default();
    let auth = AuthConfig::parse("keyway.toml", "", &policy).unwrap();
    let rules = InForce::first(Rules::new(policy, Authenticator::new(auth)));
    let settings = BusSettings::new("tcp://127.0.0.1:9", Session::builder());
    let bus = Bus::new(settings, Arc::new(ArcSwap::new(rules)), Arc::new(Presence::default()));
    let shown = ShownObjects::new(&bus, &"guest".into(), ConnectionId(1), false);
    Screen::new(shown, ObjectLayout::default())
}

fn metaobject(take: &str) -> MetaObject {
    let mut builder = MetaObjectBuilder::default();
    builder.method("take", Signature::parse(take).unwrap(), Signature::object());
    builder.build()
}

fn object(id: ObjectId, metaobject: MetaObject) -> Value {
    let reference = ObjectReference { metaobject: Arc::new(metaobject), service: SERVICE, object: id, uid: None };
    Value::Object(ObjectValue::from_reference(reference))
}

/// Of a host's.
fn secret() -> Value {
    object(ObjectId(3), metaobject("(i)"))
}

fn payload(value: &Value) -> Payload {
    let mut encoder = Encoder::new();
    encoder.write_value(value).unwrap();
    encoder.finish()
}

fn frame(kind: MessageKind, object: ObjectId, action: u32, value: &Value) -> Frame {
    Frame::new(kind, MessageId(7), SERVICE, object, ActionId(action), payload(value))
}

/// Passes an object of the client's whose method takes what `take` says.
fn pass(screen: &Screen, take: &str) {
    let arguments = Value::tuple(vec![object(OWN, metaobject(take))]);
    let call = frame(MessageKind::Call, ObjectId::MAIN, 100, &arguments);
    screen.passes(&call, Some(&arguments.signature()));
}

/// Whether anything of a metaobject is in it; its header tells how long it is.
fn tells(frame: &Frame) -> bool {
    let bytes = frame.payload.clone().into_bytes();
    assert_eq!(bytes.len(), frame.header.size as usize);
    bytes.windows(4).any(|window| window == b"take")
}

#[test]
fn answers_show_nothing_of_objects_of_which_nothing_may_be_used() {
    let screen = screen();
    let reply = frame(MessageKind::Reply, ObjectId::MAIN, 100, &secret());
    assert!(tells(&reply));
    assert!(!tells(&screen.answer(reply, Some(&Signature::object())).unwrap()));
    // As a dynamic, whatever is declared, and in an error.
    let dynamic = payload(&Value::Dynamic(Box::new(secret())));
    for (kind, flags) in [(MessageKind::Reply, Flags::DYNAMIC_PAYLOAD), (MessageKind::Error, Flags::default())] {
        let reply = Frame::new(kind, MessageId(7), SERVICE, ObjectId::MAIN, ActionId(100), dynamic.clone());
        assert!(!tells(&screen.answer(reply.with_flags(flags), None).unwrap()), "{kind:?}");
    }
}

#[test]
fn what_cannot_be_read_is_not_passed_on_and_whoever_waits_hears_why() {
    let screen = screen();
    let mut reply = frame(MessageKind::Reply, ObjectId::MAIN, 100, &secret());
    let bytes = reply.payload.clone().into_bytes();
    reply.payload = bytes.slice(..bytes.len() - 1).into();
    let header = reply.header;
    let unreadable = screen.answer(reply, Some(&Signature::object())).unwrap_err();
    let answer = unreadable.answer_to(&header);
    assert_eq!((answer.header.kind, answer.header.id), (MessageKind::Error, header.id));
    let text = from_payload::<Value>(answer.payload_bytes()).unwrap();
    assert!(text.peel().as_str().is_some_and(|text| text.contains("KW-G011") && text.contains("Past End")), "{text:?}");
}

#[test]
fn payloads_without_objects_pass_unread() {
    let screen = screen();
    let nonsense = Frame::reply_to(
        &frame(MessageKind::Call, ObjectId::MAIN, 100, &Value::Void).header,
        to_payload(&"no dynamic").unwrap(),
    );
    assert_eq!(screen.answer(nonsense.clone(), None).unwrap(), nonsense);
}

#[test]
fn events_come_of_objects_that_were_subscribed_to_only() {
    let screen = screen();
    let mut builder = MetaObjectBuilder::default();
    let signal = builder.signal("born", Signature::tuple([Signature::object()]));
    let carried = Arc::new(Carried::of(&builder.build()));
    let event = frame(MessageKind::Event, ObjectId(3), signal.0, &Value::tuple(vec![secret()]));
    assert!(screen.event(event.clone()).is_err());
    screen.listen((SERVICE, ObjectId(3)), &carried);
    assert!(!tells(&screen.event(event.clone()).unwrap()));
    screen.release(&(SERVICE, ObjectId(3)));
    assert!(screen.event(event.clone()).is_err());
    screen.listen((SERVICE, ObjectId(3)), &carried);
    screen.forget(SERVICE);
    assert!(screen.event(event).is_err());
}

#[test]
fn calls_of_the_clients_objects_are_read_as_the_client_has_passed_these() {
    let screen = screen();
    let call = frame(MessageKind::Call, OWN, 100, &Value::tuple(vec![secret()]));
    assert!(screen.call(call.clone()).is_err(), "nobody has passed it");
    pass(&screen, "(o)");
    assert!(!tells(&screen.call(call.clone()).unwrap()));
    // In another type than the declared one.
    let dynamic = payload(&Value::Dynamic(Box::new(Value::tuple(vec![secret()]))));
    let other = Frame::new(MessageKind::Post, MessageId(7), SERVICE, OWN, ActionId(100), dynamic);
    assert!(!tells(&screen.call(other.with_flags(Flags::DYNAMIC_PAYLOAD)).unwrap()));
    // What every object has is asked of any.
    let asked = frame(MessageKind::Call, ObjectId(77), ActionId::META_OBJECT.0, &Value::UInt32(1));
    assert_eq!(screen.call(asked.clone()).unwrap(), asked);
    let end = frame(MessageKind::Post, OWN, ActionId::TERMINATE.0, &Value::UInt32(5));
    screen.call(end).unwrap();
    assert!(screen.call(call).is_err(), "the host has let go of it");
    assert_eq!(screen.own.lock().size, 0);
}

#[test]
fn an_object_that_is_described_in_two_ways_is_not_called() {
    let screen = screen();
    let call = frame(MessageKind::Call, OWN, 100, &Value::tuple(vec![secret()]));
    pass(&screen, "(o)");
    pass(&screen, "(o)");
    assert!(screen.call(call.clone()).is_ok());
    // The host may still call it as it was described first.
    pass(&screen, "(i)");
    assert!(screen.call(call.clone()).is_err());
    pass(&screen, "(o)");
    assert!(screen.call(call).is_err());
    screen.call(frame(MessageKind::Post, OWN, ActionId::TERMINATE.0, &Value::UInt32(5))).unwrap();
    assert_eq!(screen.own.lock().size, 0);
}

#[test]
fn objects_that_the_clients_objects_return_are_known_too() {
    let screen = screen();
    pass(&screen, "(o)");
    let call = frame(MessageKind::Call, OWN, 100, &Value::tuple(vec![secret()]));
    screen.call(call).unwrap();
    let inner = ObjectId(OWN.0 + 1);
    screen.passes_back(&frame(MessageKind::Reply, OWN, 100, &object(inner, metaobject("(o)"))));
    let call = frame(MessageKind::Call, inner, 100, &Value::tuple(vec![secret()]));
    assert!(!tells(&screen.call(call).unwrap()));
    assert!(screen.own.lock().called.len() == 1, "only the call that was not answered");
}

#[test]
fn what_is_kept_of_a_clients_objects_is_bounded() {
    let screen = screen();
    let carried = metaobject("(o)");
    for id in 0..u32::try_from(MAX_OBJECTS).unwrap() {
        screen.own.lock().note((SERVICE, ObjectId(id)), &carried);
    }
    let own = screen.own.lock();
    assert!(own.size <= MAX_OBJECTS && own.objects.len() == MAX_OBJECTS / 3, "{}", own.size);
}
