//! What happens between two connections of one session over QUIC: the other side is waited for, or called again.

use std::{
    future::Future,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use keyway_session::CloseReason;
use keyway_wire::native::{CloseCode, Control};

use super::{
    comeback::{Comeback, Comer, Dialer, How, Reached},
    control_io::ControlIo,
    driver::alarm,
    error::{close, miscounted},
    kept::Window,
    open_windows,
    reader::Shared,
};
use crate::Handler;

/// A client that has come back with the right key, and the key for the next time.
pub(super) type Admitted = (Comer, Bytes);

/// Waits for the other side, or for the end of the session.
pub(super) async fn come_back<H: Handler + 'static>(
    shared: &Arc<Shared<H>>,
    comeback: &mut Comeback,
    lost: CloseReason,
    mut comer: Option<Admitted>,
) -> Result<(quinn::Connection, ControlIo), CloseReason> {
    match comeback {
        Comeback::Never => Err(lost),
        Comeback::Waits(limit) => {
            let comer = async {
                loop {
                    if let Some(comer) = comer.take().or_else(|| believed(shared)) {
                        match admit(shared, comer).await {
                            Some(admitted) => return Ok(admitted),
                            None => continue,
                        }
                    }
                    shared.lanes.driver.notified().await;
                    if let Some(reason) = shared.lanes.take_reason() {
                        return Err(reason);
                    }
                }
            };
            meanwhile(shared, tokio::time::timeout(*limit, comer)).await.unwrap_or(Err(lost))
        }
        Comeback::Dials(dialer) => {
            if let Some(key) = shared.key.lock().take() {
                dialer.key = key;
            }
            let held = shared.receipts.lock().held();
            let closed = async {
                loop {
                    shared.lanes.driver.notified().await;
                    if let Some(reason) = shared.lanes.take_reason() {
                        return reason;
                    }
                }
            };
            let reached = async {
                tokio::select! {
                    reached = dialer.call(held) => reached.map_err(|error| {
                        tracing::debug!(%error, "the session is given up");
                        lost
                    }),
                    reason = closed => Err(reason),
                }
            };
            let reached = meanwhile(shared, reached).await?;
            go_on(shared, dialer, reached)
        }
    }
}

/// Does something while the handler has its time.
async fn meanwhile<H: Handler, T>(shared: &Arc<Shared<H>>, doing: impl Future<Output = T>) -> T {
    let mut doing = std::pin::pin!(doing);
    loop {
        // Looked at again now and then: what changes the handler's time may wake whoever is waited for instead.
        let alarm = tokio::time::timeout(LOOKING, alarm(shared));
        tokio::select! {
            done = &mut doing => return done,
            _ = alarm => shared.ring(),
        }
    }
}

/// A client that has come back to this server, if there is one and its key is right.
pub(super) fn believed<H: Handler>(shared: &Arc<Shared<H>>) -> Option<Admitted> {
    let comer = shared.lanes.take_comer()?;
    // Taken in a statement of its own: the lock is held no longer.
    let next = shared.handler.lock().on_resuming(&comer.key);
    match next {
        Some(key) => Some((comer, key)),
        None => {
            comer.refuse("the resume key is not the session's last one; authenticate anew");
            None
        }
    }
}

/// Goes on with a client that has come back to this server.
async fn admit<H: Handler>(shared: &Arc<Shared<H>>, (comer, key): Admitted) -> Option<(quinn::Connection, ControlIo)> {
    let Comer { connection, mut control, held, .. } = comer;
    open_windows(&connection);
    let resumed = Control::Resumed { held: shared.receipts.lock().held(), key };
    // A client that is gone again comes again.
    let said = tokio::time::timeout(SAYING, control.send(&[resumed])).await;
    if !matches!(said, Ok(Ok(()))) {
        return None;
    }
    if let Err(error) = shared.lanes.resume(connection.clone(), &held) {
        close(&connection, CloseCode::PROTOCOL, &error.to_string());
        shared.lanes.park();
        return None;
    }
    shared.is_key_under_way.store(true, Relaxed);
    Some((connection, control))
}

/// This client has reached its server again.
fn go_on<H: Handler>(
    shared: &Arc<Shared<H>>,
    dialer: &mut Dialer,
    reached: Reached,
) -> Result<(quinn::Connection, ControlIo), CloseReason> {
    let Reached { connection, control, how } = reached;
    let lanes = &shared.lanes;
    match how {
        How::Resumed(held, key) => {
            dialer.key = key;
            lanes.resume(connection.clone(), &held).map_err(miscounted)?;
            // So that the server knows that the key has arrived.
            lanes.acknowledge(shared.receipts.lock().held());
        }
        How::Anew(welcome) => {
            let kept = welcome.kept.clone();
            lanes.begin_anew(connection.clone());
            *shared.receipts.lock() = Default::default();
            if let Some(kept) = kept {
                dialer.key = kept.key;
                lanes.keep(Window::of_client(lanes.limits()));
            }
            shared.handler.lock().on_restarted(Instant::now(), &welcome, &shared.sender)?;
        }
    }
    Ok((connection, control))
}

/// How often a session without a connection looks at its handler's time.
const LOOKING: Duration = Duration::from_secs(1);
/// How long telling a client that its session goes on may take.
const SAYING: Duration = Duration::from_secs(5);
