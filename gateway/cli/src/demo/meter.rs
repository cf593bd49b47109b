//! The demo meter: counts energy.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use keyway::{Property, Session, Signal};
use tokio::{task::JoinSet, time::sleep};

struct Meter {
    /// Power in watts, and the seconds since 1970 when it was measured.
    measured: Signal<(f64, f64)>,
    /// Joules.
    energy: Property<f64>,
    /// Seconds.
    interval: Property<f64>,
}

pub(super) async fn start(session: &Session, life: &mut JoinSet<()>) -> anyhow::Result<()> {
    let meter = Arc::new(Meter::new());
    session.register("Meter", meter.clone()).await?;
    life.spawn(async move { meter.live().await });
    Ok(())
}

#[keyway::service(
    description = "An energy meter to try Keyway on",
    signals(measured),
    properties(interval, energy(read_only))
)]
impl Meter {
    /// Unit of the signal measured.
    fn unit(&self) -> String {
        "W".to_owned()
    }

    /// Sets the energy to zero, and says how many joules it was.
    fn reset(&self) -> Result<f64, String> {
        let before = self.energy.get();
        self.energy.set(0.0).map(|()| before).map_err(|error| error.to_string())
    }

    #[qi(skip)]
    fn new() -> Self {
        let interval = Property::new(1.0);
        interval.on_set(|new| match new {
            0.01..=3600.0 => Ok(()),
            _ => Err(format!("interval goes from 0.01 to 3600 s, not to {new}")),
        });
        Self { measured: Signal::new(), energy: Property::new(0.0), interval }
    }

    #[qi(skip)]
    async fn live(&self) {
        loop {
            let seconds = self.interval.get();
            sleep(Duration::from_secs_f64(seconds)).await;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            // A load that swings once a minute.
            let power = 230.0 + 100.0 * (now * std::f64::consts::TAU / 60.0).sin();
            self.energy.set(self.energy.get() + power * seconds).ok();
            self.measured.emit(&(power, now));
        }
    }
}
