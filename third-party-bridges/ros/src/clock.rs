//! What time it is for ROS: that of the wall clock, or that of a simulation, which `/clock` tells (spec 2, R1-5, and 6.3).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use keyway_bridge::keyway::Value;
use keyway_ros_types::{Registry, Stamp};
use tokio::sync::watch;

use crate::{RosNode, RosTopic, StartError};

/// The time that headers say.
#[derive(Debug)]
pub struct Clock {
    is_simulated: watch::Sender<bool>,
    /// Seconds, and nanoseconds in the lower half. Zero until somebody has told it, as in all nodes of ROS.
    simulated: AtomicU64,
}

impl Clock {
    /// The wall clock, or one that waits to be told the time.
    pub fn new(is_simulated: bool) -> Arc<Self> {
        Arc::new(Self { is_simulated: watch::Sender::new(is_simulated), simulated: AtomicU64::new(0) })
    }

    /// Whether it follows a simulation from now on.
    pub fn simulate(&self, is_simulated: bool) {
        let changed = |known: &mut bool| std::mem::replace(known, is_simulated) != is_simulated;
        if self.is_simulated.send_if_modified(changed) {
            tracing::info!(is_simulated, "the clock that stamps follow");
        }
    }

    /// What a header says of something that was received at this moment; in a simulation, of something that is received now.
    pub fn stamp(&self, seq: u32, moment: SystemTime) -> Stamp {
        if !*self.is_simulated.borrow() {
            return Stamp::at(seq, moment);
        }
        let time = self.simulated.load(Ordering::Relaxed);
        let half = |half: u64| u32::try_from(half & u64::from(u32::MAX)).unwrap_or_default();
        Stamp { seq, sec: half(time >> 32), nsec: half(time) }
    }

    /// Listens to `/clock` as soon as the time is simulated.
    pub async fn follow<N: RosNode>(self: Arc<Self>, node: N, registry: Registry) {
        if self.is_simulated.subscribe().wait_for(|is_simulated| *is_simulated).await.is_ok()
            && let Err(error) = self.listen(&node, &registry)
        {
            node.warn(&format!("/clock is not listened to, and stamps are zero: {error}"));
        }
    }

    fn listen<N: RosNode>(self: &Arc<Self>, node: &N, registry: &Registry) -> Result<(), StartError> {
        let kind = "rosgraph_msgs/Clock".parse().map_err(keyway_ros_types::RegistryError::from)?;
        let topic = RosTopic { is_sensor: true, ..RosTopic::new(registry, "/clock", &kind)? };
        let clock = self.clone();
        node.subscribe(&topic, Box::new(move |message| clock.hear(&message)))
    }

    fn hear(&self, message: &Value) {
        let time = message.field("clock").and_then(Value::as_list).unwrap_or_default();
        if let [sec, nsec] = time
            && let (Some(sec), Some(nsec)) = (sec.as_i64(), nsec.as_i64())
        {
            let time = u64::try_from(sec).unwrap_or_default() << 32 | u64::try_from(nsec).unwrap_or_default();
            self.simulated.store(time, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn stamps_are_of_the_wall_clock_until_the_time_is_simulated() {
        let clock = Clock::new(false);
        let moment = UNIX_EPOCH + Duration::new(7, 8);
        assert_eq!(clock.stamp(1, moment), Stamp { seq: 1, sec: 7, nsec: 8 });
        clock.simulate(true);
        assert_eq!(clock.stamp(2, moment), Stamp { seq: 2, sec: 0, nsec: 0 });
        let time = Value::tuple(vec![12_u32.into(), 500_000_000_u32.into()]);
        let message = Value::map(
            keyway_bridge::keyway::Signature::string(),
            keyway_bridge::keyway::Signature::dynamic(),
            vec![("clock".into(), time.into_dynamic())],
        );
        clock.hear(&message);
        assert_eq!(clock.stamp(3, moment), Stamp { seq: 3, sec: 12, nsec: 500_000_000 });
        clock.simulate(false);
        assert_eq!(clock.stamp(4, moment).sec, 7);
    }
}
