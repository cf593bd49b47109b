//! Every front there is. Another one needs a line in [`FrontCommand`] and in [`of`], and what its flags and keys mean.

use clap::Args;
use keyway_bridge_ros1::Ros1;
use keyway_bridge_rosbridge::{Flavour, Rosbridge};
use keyway_config::{Bridges, RosFlavour};

use super::{
    FrontCommand,
    front::{OptionsOf, Planned, plan},
    ros1::Ros1Flags,
};

/// The front that is named, or all that the configuration enables.
pub(super) fn of(named: Option<&FrontCommand>, bridges: &Bridges) -> anyhow::Result<Vec<Box<dyn Planned>>> {
    let mut fronts = Vec::new();
    match named {
        Some(FrontCommand::Ros1(args)) => fronts.push(plan::<Ros1>(bridges, args.front.options())?),
        Some(FrontCommand::Rosbridge(args)) => fronts.push(plan::<Rosbridge>(bridges, args.front.options())?),
        None => {
            if bridges.ros1.enabled {
                fronts.push(plan::<Ros1>(bridges, Ros1Flags::default().options())?);
            }
            if bridges.rosbridge.enabled {
                fronts.push(plan::<Rosbridge>(bridges, RosbridgeFlags::default().options())?);
            }
        }
    }
    Ok(fronts)
}

/// Flags of rosbridge.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RosbridgeFlags {
    /// Where clients connect; port 0 takes a free one [default: 127.0.0.1:9090]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Let web pages of this origin use it. May be given several times
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// What the names of topics and services begin with [default: /qi]
    #[arg(long, value_name = "NAME")]
    root: Option<String>,
}

impl RosbridgeFlags {
    fn options(&self) -> OptionsOf<Rosbridge> {
        let flags = self.clone();
        Box::new(move |bridges| {
            let file = &bridges.rosbridge;
            let mut mapping = keyway_bridge_rosbridge::MappingOptions {
                root: flags.root.clone().unwrap_or_else(|| bridges.ros.root.clone()),
                std_shapes: bridges.ros.std_shapes,
                ..Default::default()
            };
            if bridges.ros.types == keyway_config::RosTypes::Json {
                mapping.types = keyway_bridge_rosbridge::Types::Json;
            }
            let mut allowed_origins = file.allowed_origins.clone();
            allowed_origins.extend(flags.allow_origin.clone());
            Ok(keyway_bridge_rosbridge::Options {
                listen: flags.listen.clone().unwrap_or_else(|| file.listen.clone()),
                allowed_origins,
                flavour: match file.flavour {
                    RosFlavour::One => Flavour::Ros1,
                    RosFlavour::Two => Flavour::Ros2,
                },
                png: file.png,
                mapping,
            })
        })
    }
}
