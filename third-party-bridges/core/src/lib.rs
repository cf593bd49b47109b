//! What the bridges to ROS and YARP share. A bridge joins networks without authentication and encryption, so it is opt-in: nothing
//! listens or dials without an [`OptIn`], and nothing is shown that [`Exposure`] does not name.
//!
//! A [`Front`] speaks the protocol of one world. It gets a [`Bus`]: the link to the directory, which comes back for ever, with the
//! exposed [`Service`]s as they come and go. For each connection of its own, a front makes a [`Peer`], by which it calls, gets and
//! sets; limits, read-only mode and the trace of calls are in there. [`Service::listen`] gives signals and properties, with one
//! subscription on the bus however many listen; [`Bus::register`] makes services of what the other world has.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use keyway::{Directory, Object, Session};
//! use keyway_bridge::{Bus, Exposure, Mode, OptIn, Rules};
//!
//! let directory = Directory::builder().start().await?;
//! let mut meter = Object::builder();
//! meter.method("add", |(a, b): (i32, i32)| a + b);
//! let host = Session::connect(&directory.urls()[0]).await?;
//! host.register("Meter", meter).await?;
//!
//! let opt_in = OptIn::new(true, false)?;
//! let rules = Rules { mode: Mode::Write, ..Rules::new(Exposure::parse(["Meter"])?) };
//! let bus = Bus::start(&opt_in, &directory.urls()[0], Session::builder(), rules);
//! bus.settled().await;
//!
//! let meter = bus.find("Meter")?;
//! let peer = bus.peer("doc", "somebody", "127.0.0.1:4242");
//! let add = meter.method("add")?;
//! assert_eq!(peer.call(&meter, add, vec![1.into(), 2.into()]).await?, 3.into());
//! # bus.close().await; Ok(()) }
//! ```

mod bus;
mod call;
mod exposure;
mod feed;
mod follow;
mod front;
mod hosted;
mod listener;
mod opt_in;
mod roster;
mod rules;
mod service;
mod traffic;

pub use keyway;

pub use crate::{
    bus::{Bus, Snapshot},
    call::{CallError, Peer},
    exposure::{Exposure, PatternError},
    front::{Front, FrontError},
    hosted::{Hosted, NameTaken},
    listener::{Event, Listener},
    opt_in::{NetworkError, OptIn, Refusal},
    rules::{Limits, Mode, Rules},
    service::Service,
};
