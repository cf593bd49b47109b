//! End-to-end tests of Keyway with real peers, and what they share: the `keyway` command as a process, raw connections that
//! say whatever a test wants said, and bystanders who must not notice.

pub mod bridge;
pub mod bystander;
pub mod fuzz;
pub mod gateway;
pub mod libqi;
pub mod namespace;
pub mod nao;
pub mod process;
pub mod raw;
pub mod ros1;
pub mod ros2;
pub mod vectors;
pub mod yarp;

use std::{future::Future, time::Duration};

/// Waits for what has to happen sooner or later. Not a measurement: only what hangs takes this long.
///
/// # Panics
///
/// When it does not happen within a minute.
pub async fn eventually<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(HANG, future).await;
    outcome.unwrap_or_else(|_| panic!("hangs: {what} took longer than {HANG:?}"))
}

const HANG: Duration = Duration::from_secs(60);
