//! An electricity meter: readings that change by themselves, a limit that others set, an alarm.
//!
//! `meter [URL]` hosts the service `Meter` until Ctrl-C. Without a URL it runs for a moment and watches itself.

mod stage;

use std::{sync::Arc, time::Duration};

use keyway::{Property, QiValue, Result, Session, Signal, SignalStream};
use stage::Stage;

/// One measurement.
#[derive(QiValue, Debug, Clone, Default)]
struct Reading {
    /// How many there were before.
    number: u32,
    watts: f64,
}

struct Meter {
    reading: Property<Reading>,
    limit: Property<f64>,
    exceeded: Signal<(Reading, f64)>,
}

/// An electricity meter.
#[keyway::service(
    signals(exceeded(name = "limitExceeded")),
    properties(reading(read_only), limit),
    rename_all = "camelCase"
)]
impl Meter {
    fn new() -> Self {
        let limit = Property::new(10_000.0);
        limit.on_set(|watts: &f64| if *watts > 0.0 { Ok(()) } else { Err("the limit is above 0 W".into()) });
        Self { reading: Property::default(), limit, exceeded: Signal::new() }
    }

    /// What the power of the last reading costs in an hour.
    fn cost_per_hour(
        &self,
        /// The price of a kilowatt-hour.
        price: f64,
    ) -> f64 {
        self.reading.get().watts / 1000.0 * price
    }

    #[qi(skip)]
    fn measure(&self) -> Result<()> {
        let number = self.reading.get().number + 1;
        let reading = Reading { number, watts: 400.0 + f64::from(number % 5) * 100.0 };
        self.reading.set(reading.clone())?;
        let limit = self.limit.get();
        if reading.watts > limit {
            self.exceeded.emit(&(reading, limit));
        }
        Ok(())
    }
}

/// The same from the other side.
#[keyway::proxy(rename_all = "camelCase")]
trait MeterApi {
    async fn cost_per_hour(&self, price: f64) -> Result<f64>;
    #[qi(property)]
    async fn set_limit(&self, watts: f64) -> Result<()>;
    #[qi(signal, name = "reading")]
    async fn readings(&self) -> Result<SignalStream<(Reading,)>>;
    #[qi(signal)]
    async fn limit_exceeded(&self) -> Result<SignalStream<(Reading, f64)>>;
}

#[tokio::main]
async fn main() -> Result<()> {
    let stage = Stage::open().await?;
    let session = Session::connect(&stage.url).await?;
    let meter = Arc::new(Meter::new());
    session.register("Meter", meter.clone()).await?;
    println!("Meter is at {}", stage.url);
    let measuring = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            meter.measure()?;
        }
    };
    tokio::select! {
        failed = measuring => failed,
        watched = watch(&stage.url), if stage.own.is_some() => watched,
        _ = tokio::signal::ctrl_c() => Ok(()),
        reason = session.disconnected() => {
            println!("the directory is gone: {reason}");
            Ok(())
        }
    }
}

/// Uses the meter as another program would.
async fn watch(url: &str) -> Result<()> {
    let session = Session::connect(url).await?;
    let meter = MeterApiProxy::from(session.service("Meter").await?);
    if let Err(error) = meter.set_limit(-1.0).await {
        println!("refused: {error}");
    }
    meter.set_limit(750.0).await?;
    let mut alarms = meter.limit_exceeded().await?;
    let mut readings = meter.readings().await?;
    for _ in 0..5 {
        if let Some(event) = readings.next().await {
            let (reading,) = event?;
            println!("reading {}: {} W", reading.number, reading.watts);
        }
    }
    println!("an hour of this costs {:.2}", meter.cost_per_hour(0.3).await?);
    if let Some(event) = alarms.next().await {
        let (reading, limit) = event?;
        println!("alarm: {} W in reading {} are above {limit} W", reading.watts, reading.number);
    }
    Ok(())
}
