//! Talk to robots and meters over QiMessaging: any libqi program, and any program that uses this crate.
//!
//! A [`Session`] connects to a service directory, registers [`Object`]s as services and hands out [`Proxy`]s to the
//! services of others. Calls are futures, [`Signal`]s are streams, objects travel as arguments, results and events. The
//! crate is not the gateway: it trusts whom it talks to.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> keyway::Result<()> {
//! use keyway::{Directory, Object, Session};
//!
//! let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await?;
//! let url = directory.urls().remove(0);
//!
//! let host = Session::connect(&url).await?;
//! let mut meter = Object::builder();
//! meter.method("add", |(a, b): (i32, i32)| a + b);
//! host.register("Meter", meter).await?;
//!
//! let client = Session::connect(&url).await?;
//! let meter = client.service("Meter").await?;
//! assert_eq!(meter.call::<i32>("add", (40, 2)).await?, 42);
//! # Ok(()) }
//! ```
//!
//! [`macro@service`] makes a service of a plain `impl`, [`macro@proxy`] gives a remote object its types, and
//! `#[derive(QiValue)]` sends your own structs and enums.
//!
//! Everything has a blocking twin in [`blocking`].

// Lets the macros' output, which says `::keyway::…`, work within this crate as well.
extern crate self as keyway;

mod answer;
pub mod blocking;
mod call;
mod context;
mod directory;
mod dispatch;
mod dynamic;
pub mod encoded;
mod error;
mod event_queue;
mod exchange;
pub mod front;
mod host;
mod hub;
mod machine_id;
mod object;
mod peer;
mod peer_handler;
mod property;
mod proxy;
mod remote_object;
mod serving;
mod session;
mod signal;
mod stream;
mod uid;

pub use keyway_macros::{QiValue, proxy, service};
pub use keyway_pipe::{CertificateDer, HandshakeError, QuicEndpoint, QuicOptions, TlsClient, TlsError, TlsServer};
pub use keyway_session::{CapabilityMap, ClientAuthenticator, EventTrace, MethodStatistics, TraceKind};
pub use keyway_value as value;
pub use keyway_value::{
    ActionId, MetaObject, ObjectId, ObjectUid, QiString, QiValue, ServiceId, ServiceInfo, Signature, Value,
};

pub use crate::{
    answer::{Fallible, IntoAnswer, IntoError, Plain},
    call::Call,
    context::CallContext,
    directory::{Directory, DirectoryBuilder},
    dynamic::{DynamicProperty, DynamicSignal},
    error::{Error, Result},
    machine_id::machine_id,
    object::{IntoObject, Object, ObjectBuilder, Service},
    property::Property,
    proxy::Proxy,
    session::{ServiceEvent, ServiceEvents, Session, SessionBuilder},
    signal::Signal,
    stream::SignalStream,
};
