//! The demo meter: counts energy.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyway::{Object, Property, Session, Signal};
use tokio::{task::JoinSet, time::sleep};

pub(super) async fn start(session: &Session, life: &mut JoinSet<()>) -> anyhow::Result<()> {
    // Power in watts, and the seconds since 1970 when it was measured.
    let measured = Signal::<(f64, f64)>::new();
    let energy = Property::new(0.0_f64);
    let interval = Property::new(1.0_f64);
    interval.on_set(|new| match new {
        0.01..=3600.0 => Ok(()),
        _ => Err(format!("interval goes from 0.01 to 3600 s, not to {new}")),
    });

    let mut meter = Object::builder();
    meter.description("An energy meter to try Keyway on").signal("measured", &measured);
    meter.read_only_property("energy", &energy).property("interval", &interval);
    meter.method("unit", |()| "W");
    meter.document("unit", "Unit of the signal measured.", &[], "W");
    let counter = energy.clone();
    meter.method("reset", move |()| {
        let before = counter.get();
        counter.set(0.0).map(|()| before).map_err(|error| error.to_string())
    });
    meter.document("reset", "Sets the energy to zero.", &[], "the energy until now, in joules");
    session.register("Meter", meter).await?;

    life.spawn(async move {
        loop {
            let seconds = interval.get();
            sleep(Duration::from_secs_f64(seconds)).await;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            // A load that swings once a minute.
            let power = 230.0 + 100.0 * (now * std::f64::consts::TAU / 60.0).sin();
            energy.set(energy.get() + power * seconds).ok();
            measured.emit(&(power, now));
        }
    });
    Ok(())
}
