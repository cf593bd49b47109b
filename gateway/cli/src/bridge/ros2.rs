//! The bridge to ROS 2: its flags, and what its keys mean. It is in a `keyway` that is built with the feature `ros2`.

use clap::{Args, ValueEnum};
use keyway_config::Bridges;

use super::front::Planned;

/// Flags of ROS 2.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Ros2Flags {
    /// The domain, ROS_DOMAIN_ID [default: 0]
    #[arg(long, value_name = "N")]
    domain: Option<u16>,
    /// Whose requests it understands [default: fastrtps]
    #[arg(long, value_enum, value_name = "NAME")]
    rmw: Option<Rmw>,
    /// What the names of topics and services begin with [default: /qi]
    #[arg(long, value_name = "NAME")]
    root: Option<String>,
}

/// A middleware of ROS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rmw {
    /// rmw_cyclonedds_cpp
    #[value(name = "cyclonedds")]
    CycloneDds,
    /// rmw_fastrtps_cpp
    #[value(name = "fastrtps")]
    FastRtps,
}

#[cfg(feature = "ros2")]
impl Ros2Flags {
    pub(super) fn plan(&self, bridges: &Bridges) -> anyhow::Result<Box<dyn Planned>> {
        use keyway_bridge_ros2::{Middleware, Options, Ros2};
        use keyway_config::{RosFront, RosMiddleware};

        use super::{front::plan, ros_rules};

        let flags = self.clone();
        let options = move |bridges: &Bridges| {
            let file = &bridges.ros2;
            let rmw = flags.rmw.unwrap_or(match file.rmw {
                RosMiddleware::CycloneDds => Rmw::CycloneDds,
                RosMiddleware::FastRtps => Rmw::FastRtps,
            });
            Ok(Options {
                domain: flags.domain.unwrap_or(file.domain),
                middleware: match rmw {
                    Rmw::CycloneDds => Middleware::CycloneDds,
                    Rmw::FastRtps => Middleware::FastRtps,
                },
                node_name: file.node.clone(),
                use_sim_time: file.use_sim_time,
                renew_after: file.renew_after,
                ros: ros_rules::options(bridges, RosFront::Ros2, flags.root.as_ref())?,
            })
        };
        plan::<Ros2>(bridges, Box::new(options))
    }
}

#[cfg(not(feature = "ros2"))]
impl Ros2Flags {
    pub(super) fn plan(&self, _: &Bridges) -> anyhow::Result<Box<dyn Planned>> {
        let text = "this keyway is built without ros2: cargo build --release -p keyway-cli --features ros2";
        Err(crate::exit::Usage(text.to_owned()).into())
    }
}
