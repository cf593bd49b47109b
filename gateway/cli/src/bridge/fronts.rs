//! Every front there is. Another one needs a line in [`FrontCommand`] and in [`of`], and what its flags and keys mean.

use clap::Args;
use keyway_bridge_ros1::Ros1;
use keyway_bridge_rosbridge::{Flavour, Rosbridge};
use keyway_bridge_yarp::{Carrier, Dialect, Import, StructStyle, Yarp};
use keyway_config::{Bridges, RosFlavour, RosFront, YarpCarrier, YarpDialect, YarpStructs};

use super::{
    FrontCommand,
    front::{OptionsOf, Planned, plan},
    ros_rules,
    ros1::Ros1Flags,
    ros2::Ros2Flags,
};

/// The front that is named, or all that the configuration enables.
pub(super) fn of(named: Option<&FrontCommand>, bridges: &Bridges) -> anyhow::Result<Vec<Box<dyn Planned>>> {
    let mut fronts = Vec::new();
    match named {
        Some(FrontCommand::Ros1(args)) => fronts.push(plan::<Ros1>(bridges, args.front.options())?),
        Some(FrontCommand::Ros2(args)) => fronts.push(args.front.plan(bridges)?),
        Some(FrontCommand::Rosbridge(args)) => fronts.push(plan::<Rosbridge>(bridges, args.front.options())?),
        Some(FrontCommand::Yarp(args)) => fronts.push(plan::<Yarp>(bridges, args.front.options())?),
        None => {
            if bridges.ros1.enabled {
                fronts.push(plan::<Ros1>(bridges, Ros1Flags::default().options())?);
            }
            if bridges.ros2.enabled {
                fronts.push(Ros2Flags::default().plan(bridges)?);
            }
            if bridges.yarp.enabled {
                fronts.push(plan::<Yarp>(bridges, YarpFlags::default().options())?);
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
                ros: ros_rules::options(bridges, RosFront::Rosbridge, flags.root.as_ref())?,
            })
        })
    }
}

/// Flags of YARP.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct YarpFlags {
    /// The name server [default: that of yarp.conf]
    #[arg(long, value_name = "HOST:PORT")]
    name_server: Option<String>,
    /// What the names of ports begin with [default: /qi]
    #[arg(long, value_name = "NAME")]
    prefix: Option<String>,
    /// Have ports that set properties and emit signals
    #[arg(long)]
    inputs: bool,
    /// Which YARP is spoken: 3 or 4 [default: 3]
    #[arg(long, value_name = "N")]
    dialect: Option<Dialect>,
}

impl YarpFlags {
    fn options(&self) -> OptionsOf<Yarp> {
        let flags = self.clone();
        Box::new(move |bridges| {
            let file = &bridges.yarp;
            let imports = file.imports.iter().map(|import| Import {
                service: import.service.clone(),
                rpc: import.rpc.clone(),
                subscribe: import.subscribe.clone(),
                publish: import.publish.clone(),
                carrier: match import.carrier {
                    YarpCarrier::Tcp => Carrier::Tcp,
                    YarpCarrier::FastTcp => Carrier::FastTcp,
                    YarpCarrier::TextAck => Carrier::TextAck,
                },
            });
            let options = keyway_bridge_yarp::Options {
                name_server: flags.name_server.clone().or_else(|| file.name_server.clone()),
                prefix: flags.prefix.clone().unwrap_or_else(|| file.prefix.clone()),
                bind: file.bind.clone(),
                inputs: flags.inputs || file.inputs,
                dialect: flags.dialect.unwrap_or(match file.dialect {
                    YarpDialect::V3 => Dialect::V3,
                    YarpDialect::V4 => Dialect::V4,
                }),
                envelope: file.envelope,
                takeover: file.takeover,
                call_timeout: file.call_timeout,
                struct_style: match file.struct_style {
                    YarpStructs::Plain => StructStyle::Plain,
                    YarpStructs::Named => StructStyle::Named,
                },
                imports: imports.collect(),
            };
            options.check()?;
            Ok(options)
        })
    }
}
