//! What libqi's processes do not survive, or let strangers do, must not happen here (spec 16, H1–H13): hostile input over
//! raw sockets to a `keyway directory` in a process of its own, while a bystander's calls and events go on.

mod clients;
mod floods;
mod names;
mod ownership;
mod payloads;

use keyway::ServiceInfo;
use keyway_tests::raw::Raw;
use keyway_wire::MessageKind;

/// How often hostile input is repeated, so that a leak would show.
const TIMES: usize = 200;

const SERVICE: (u32, u32, u32) = (1, 1, 100);
const SERVICES: (u32, u32, u32) = (1, 1, 101);
const REGISTER: (u32, u32, u32) = (1, 1, 102);
const UNREGISTER: (u32, u32, u32) = (1, 1, 103);
const READY: (u32, u32, u32) = (1, 1, 104);
const UPDATE: (u32, u32, u32) = (1, 1, 105);
const SERVICE_ADDED: u32 = 106;
const SERVICE_REMOVED: u32 = 107;

/// A registration as a stranger would write it.
fn info(name: &str, endpoints: &[&str]) -> ServiceInfo {
    ServiceInfo {
        name: name.into(),
        machine_id: "elsewhere".into(),
        process_id: 7,
        endpoints: endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect(),
        session_id: "stranger".into(),
        ..ServiceInfo::default()
    }
}

/// Registers a service and makes it ready.
async fn register(raw: &mut Raw, info: &ServiceInfo) -> u32 {
    let id: u32 = raw.call_typed(REGISTER, &(info.clone(),)).await;
    raw.call_typed::<()>(READY, &(id,)).await;
    id
}

/// Subscribes to a signal of the directory.
async fn subscribe(raw: &mut Raw, signal: u32, link: u64) {
    raw.call_typed::<u64>((1, 1, 0), &(1_u32, signal, link)).await;
}

/// The next event of the directory: its signal, the service's id and name.
async fn event(raw: &mut Raw) -> (u32, u32, String) {
    let frame = raw.read_kind(MessageKind::Event).await.expect("the connection is open");
    let (id, name) = keyway::value::from_payload(frame.payload_bytes()).expect("an event of the directory");
    (frame.header.action.0, id, name)
}
