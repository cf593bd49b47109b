//! ROS: Debian's ROS 1, and rosbridge's client for Node.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{folder, run};

/// The folder with roslib for Node, installed if it is missing or its pins have changed.
pub(super) fn roslib(root: &Path) -> Result<PathBuf> {
    let folder = folder(root, "roslib");
    let pinned = root.join("tests/peers/roslib");
    let pins = fs::read_to_string(pinned.join("package-lock.json")).context("reading the pinned versions")?;
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        return Ok(folder);
    }
    eprintln!("xtask: installing roslib into {}", folder.display());
    fs::create_dir_all(&folder).context("making a folder for roslib")?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(pinned.join(file), folder.join(file)).with_context(|| format!("copying {file}"))?;
    }
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    run(Command::new("npm").args(arguments).current_dir(&folder))
        .context("Node 20 with npm is needed (Debian: apt-get install nodejs npm)")?;
    fs::write(&stamp, pins).context("noting what is installed")?;
    Ok(folder)
}

/// Debian's ROS 1, installed if it is missing. Where that cannot be, the tests that need it say so.
pub(super) fn ros1() -> Result<()> {
    let is_there = |path: &str| Path::new(path).exists();
    if is_there("/usr/bin/rosmaster") && is_there("/usr/share/std_srvs/srv/Trigger.srv") {
        return Ok(());
    }
    if !is_there("/usr/bin/apt-get") {
        eprintln!("xtask: ROS 1 is not installed; its tests need Debian's packages: {}", ROS1.join(" "));
        return Ok(());
    }
    eprintln!("xtask: installing ROS 1 with apt-get");
    run(Command::new("apt-get").args(["update", "-qq"])).context("apt-get update, which needs root")?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(ROS1);
    run(install.env("DEBIAN_FRONTEND", "noninteractive")).context("installing ROS 1 with apt-get, which needs root")
}

/// ros_comm 1.15 of Debian: master, rospy, tools, and the texts of its messages.
const ROS1: &[&str] = &[
    "python3-roslaunch",
    "python3-rospy",
    "python3-rostopic",
    "python3-rosservice",
    "python3-rosmsg",
    "python3-rosnode",
    "python3-rosparam",
    "python3-rosgraph",
    "python3-std-msgs",
    "python3-geometry-msgs",
    "python3-sensor-msgs",
    "python3-std-srvs",
    "python3-diagnostic-msgs",
    "ros-std-msgs",
    "ros-std-srvs",
    "ros-diagnostic-msgs",
];
