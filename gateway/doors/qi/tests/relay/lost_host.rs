//! Connections to service hosts that are lost while the services stay: a cable, or a host that gives up who reads too slowly.

use std::time::Duration;

use keyway::{Object, Proxy, Signal, SignalStream};
use keyway_gateway::{
    Member,
    client::{Delivery, Overflow},
};
use keyway_value::{ActionId, ServiceInfo};
use keyway_wire::MessageKind;

use crate::{
    lone_host::LoneHost,
    raw::{Raw, payload, quic_front},
    stage::{Plan, Stage, soon, until},
};

/// A service with a method and two signals, and their ids.
struct Lone {
    host: LoneHost,
    twice: ActionId,
    rung: (Signal<(i32,)>, ActionId),
    rang: (Signal<(i32,)>, ActionId),
    stage: Stage,
}

const USERS: &[(&str, &str)] = &[("nao", "admin")];

impl Lone {
    async fn new(shared: bool) -> Self {
        Self::on(Plan { users: USERS, shared, ..Plan::default() }).await
    }

    async fn on(plan: Plan<'_>) -> Self {
        let stage = Stage::new(plan).await;
        let (rung, rang) = (Signal::new(), Signal::new());
        let mut builder = Object::builder();
        builder.method("twice", |(n,): (i32,)| 2 * n).signal("rung", &rung).signal("rang", &rang);
        let object = builder.build();
        let metaobject = object.metaobject();
        let signal = |name: &str| ActionId(metaobject.signal_by_name(name).unwrap().uid);
        let (rung, rang) = ((rung, signal("rung")), (rang, signal("rang")));
        let twice = ActionId(metaobject.methods_named("twice").next().unwrap().uid);
        let host = LoneHost::register(&stage.directory, "Lone", object).await;
        let lone = Self { host, twice, rung, rang, stage };
        // The gateway has heard of it.
        let client = lone.stage.client("nao").await;
        soon("the service", client.wait_for_service("Lone")).await.unwrap();
        lone
    }

    /// Loses all connections to the host, and waits until it has noticed.
    async fn hang_up(&self) {
        self.host.hang_up();
        let nobody = || self.rung.0.subscribers() == 0;
        until("the host notices", nobody).await;
    }

    /// Rings until it is heard.
    async fn is_heard(&self, events: &mut SignalStream<(i32,)>, number: i32) {
        let ringing = async {
            loop {
                self.rung.0.emit(&(number,));
                if let Ok(event) = tokio::time::timeout(Duration::from_millis(50), events.next()).await {
                    return event;
                }
            }
        };
        let event = soon("an event", ringing).await;
        assert_eq!(event.expect("the subscription goes on").unwrap(), (number,));
    }

    async fn is_called(&self, lone: &Proxy) {
        let calling = async {
            while lone.call::<i32>("twice", (21,)).await.ok() != Some(42) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon("an answer", calling).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_subscribed_to_a_service_hears_it_again_after_the_connection_to_its_host_was_lost() {
    for shared in [false, true] {
        let lone = Lone::new(shared).await;
        let client = lone.stage.client("nao").await;
        let service = soon("the service", client.wait_for_service("Lone")).await.unwrap();
        let mut events = soon("the subscription", service.signal::<(i32,)>("rung")).await.unwrap();
        lone.is_heard(&mut events, 1).await;
        for number in 2..5 {
            lone.hang_up().await;
            // Nobody asks for anything meanwhile.
            lone.is_heard(&mut events, number).await;
            lone.is_called(&service).await;
        }
        assert_eq!(lone.rung.0.subscribers(), 1, "shared: {shared}");
        drop(events);
        until("the subscription ends", || lone.rung.0.subscribers() == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_was_under_way_when_the_connection_was_lost_has_failed_and_is_not_made_again() {
    for shared in [false, true] {
        let (pem, front) = quic_front();
        let listen = &["quic://127.0.0.1:0"];
        let lone = Lone::on(Plan { shared, users: USERS, front, listen, ..Plan::default() }).await;
        let url = lone.stage.door.urls().into_iter().find(|url| url.starts_with("quic")).unwrap();
        let mut client = Raw::connect(&url, &pem, "nao").await;
        let service: ServiceInfo = client.call((1, 1, 100), &("Lone",)).await;
        let id = service.service_id.0;
        let subscribe = (id, 1, 0);
        let arguments = |signal: ActionId, link: u64| (id, signal.0, link);
        let _: u64 = client.call(subscribe, &arguments(lone.rung.1, 1)).await;

        lone.host.be_deaf(true);
        let asked = client.send(MessageKind::Call, subscribe, payload(&arguments(lone.rang.1, 2)));
        until("the request arrives", || lone.host.overheard() > 0).await;
        lone.hang_up().await;
        assert_eq!(client.answer(asked).await.header.kind, MessageKind::Error, "shared: {shared}");
        lone.host.be_deaf(false);

        until("the subscription is made again", || lone.rung.0.subscribers() == 1).await;
        let twice: i32 = client.call((id, 1, lone.twice.0), &(21,)).await;
        assert_eq!((twice, lone.rang.0.subscribers()), (42, 0), "shared: {shared}");
        // Asked again, it is made, once.
        let _: u64 = client.call(subscribe, &arguments(lone.rang.1, 3)).await;
        assert_eq!(lone.rang.0.subscribers(), 1, "shared: {shared}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_cannot_be_reached_is_tried_again_until_it_can() {
    for shared in [false, true] {
        let lone = Lone::new(shared).await;
        let client = lone.stage.client("nao").await;
        let service = soon("the service", client.wait_for_service("Lone")).await.unwrap();
        let mut events = soon("the subscription", service.signal::<(i32,)>("rung")).await.unwrap();
        lone.is_heard(&mut events, 1).await;
        let mut connections = lone.host.connections();
        for _ in 0..3 {
            // Taken, and lost again before anything is answered.
            lone.host.be_silent(true);
            lone.host.hang_up();
            let more = || lone.host.connections() > connections;
            until("another connection", more).await;
            connections = lone.host.connections();
        }
        lone.host.be_silent(false);
        lone.host.hang_up();
        lone.is_heard(&mut events, 2).await;
        lone.is_called(&service).await;
    }
}

/// Doors at which services have names give what HTTP calls a gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_subscribed_by_name_is_told_that_events_were_missed_and_hears_the_next_ones() {
    for rule in [Overflow::DropOldest, Overflow::Block] {
        let lone = Lone::new(false).await;
        let member = Member::new("test", "7".to_owned(), "nao", "admin", "here".to_owned());
        let session = lone.stage.gateway.session(member);
        let target = session.service("Lone").await.unwrap();
        let mut events = session.subscribe(&target, lone.rung.1, Some(rule), None).await.unwrap();
        lone.rung.0.emit(&(1,));
        let Some(Ok(Delivery::Event(first))) = soon("an event", events.next()).await else { panic!("no event") };
        let mut last = first.sequence;
        for _ in 0..3 {
            lone.hang_up().await;
            let delivery = soon("what was missed", events.next()).await;
            let Some(Ok(Delivery::Gap(missed))) = delivery else { panic!("{delivery:?}") };
            assert_eq!((missed.from, missed.to), (last + 1, None));
            lone.rung.0.emit(&(2,));
            let Some(Ok(Delivery::Event(next))) = soon("an event", events.next()).await else { panic!("no event") };
            assert!(next.sequence > last);
            last = next.sequence;
        }
        assert_eq!(lone.rung.0.subscribers(), 1);
        // It ends with the service.
        lone.host.leave().await;
        assert!(soon("the end", events.next()).await.is_none());
    }
}
