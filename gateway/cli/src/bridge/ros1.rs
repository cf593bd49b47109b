//! The bridge to ROS 1: its flags, what its keys mean, and the package of its types.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use keyway_bridge::Exposure;
use keyway_bridge_ros1::{Mapping, Options, Ros1, RosVersion, registry};
use keyway_config::RosFront;

use super::{
    args::LinkArgs,
    front::OptionsOf,
    plan::{directory, load},
    ros_rules,
};
use crate::exit::Usage;

/// Flags of ROS 1.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Ros1Flags {
    /// Where the master is [default: http://127.0.0.1:11311]
    #[arg(long, value_name = "URL")]
    master: Option<String>,
    /// What the names of topics and services begin with [default: /qi]
    #[arg(long, value_name = "NAME")]
    root: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<Ros1Command>,
}

/// What else there is to do.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Ros1Command {
    /// Write the package of the types that services are shown with
    GenMsgs(Box<GenMsgsArgs>),
}

/// What types are written, and where.
#[derive(Debug, Clone, Args)]
pub(crate) struct GenMsgsArgs {
    #[command(flatten)]
    link: LinkArgs,
    /// Folder for the package; files in it are written over
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// For which ROS: 1 or 2
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=2))]
    ros: u8,
}

impl Ros1Flags {
    pub(super) fn options(&self) -> OptionsOf<Ros1> {
        let flags = self.clone();
        Box::new(move |bridges| {
            let file = &bridges.ros1;
            Ok(Options {
                master: flags.master.clone().unwrap_or_else(|| file.master.clone()),
                node_name: file.node.clone(),
                advertise_host: file.advertise_host.clone(),
                queue: file.queue,
                native_errors: file.native_errors,
                ros: ros_rules::options(bridges, RosFront::Ros1, flags.root.as_ref())?,
            })
        })
    }
}

/// Writes the package.
pub(crate) async fn gen_msgs(args: &GenMsgsArgs) -> anyhow::Result<()> {
    let config = args.link.config.as_ref().map(load).transpose()?;
    let bridges = config.as_ref().map(|config| config.bridges.clone()).unwrap_or_default();
    let patterns = if args.link.service.is_empty() { &bridges.services } else { &args.link.service };
    let exposure = Exposure::parse(patterns.iter().map(String::as_str));
    let exposure = exposure.map_err(|error| Usage(format!("--service: {error}")))?;
    let (url, session) = directory(&args.link, config.as_ref())?;
    let session = session.connect(&url).await?;
    let mut shown = Vec::new();
    for service in session.services().await? {
        // What is not UTF-8 cannot be named, and so is not shown.
        let name = service.name.to_string_lossy().into_owned();
        if exposure.service(&name) {
            let members = session.service(&name).await?.metaobject();
            let members = exposure.filter(&name, &members);
            shown.push((name, members));
        }
    }
    session.close().await;
    let registry = registry(&bridges.ros.definition_paths).map_err(anyhow::Error::msg)?;
    let mapping = Mapping::new(
        ros_rules::mapping(&bridges),
        registry,
        shown.iter().map(|(name, members)| (name.as_str(), members)),
    );
    let version = if args.ros == 1 { RosVersion::Ros1 } else { RosVersion::Ros2 };
    let files = mapping.package_files(version);
    for (path, text) in &files {
        let path = args.out.join(path);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&args.out))?;
            fs::write(&path, text)
        };
        write().with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let plural = if shown.len() == 1 { "" } else { "s" };
    println!("{} files in {}, for {} service{plural}", files.len(), args.out.display(), shown.len());
    for skipped in mapping.skipped() {
        eprintln!("not shown: {}.{}: {}", skipped.service, skipped.member, skipped.reason);
    }
    Ok(())
}
