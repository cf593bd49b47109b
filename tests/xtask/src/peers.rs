//! The test peers: libqi, roslib and roslibpy, ROS 1, ROS 2, YARP; pinned and kept between runs.

mod ros;
mod yarp;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// Where the peers are, once they are installed.
pub(crate) struct Peers {
    /// The interpreter with libqi and pytest.
    pub(crate) python: PathBuf,
    /// The others, by the variables that tests find them by.
    others: [(&'static str, PathBuf); 4],
}

impl Peers {
    /// Installs what is missing, or whose pins have changed.
    pub(crate) fn install(root: &Path) -> Result<Self> {
        let python = environment(root, "python", "requirements.txt")?;
        ros::ros1()?;
        let others = [
            ("KEYWAY_PEER_ROS2", environment(root, "ros2", "ros2.txt")?),
            ("KEYWAY_PEER_ROSLIBPY", environment(root, "roslibpy", "roslibpy.txt")?),
            ("KEYWAY_PEER_ROSLIB", ros::roslib(root)?),
            ("KEYWAY_PEER_YARP", yarp::yarp(root)?),
        ];
        Ok(Self { python, others })
    }

    /// Tells a command where they are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env("KEYWAY_PEER_PYTHON", &self.python);
        for (name, path) in &self.others {
            command.env(name, path);
        }
    }
}

/// The interpreter of an environment, installed if it is missing or its pins have changed.
fn environment(root: &Path, name: &str, pinned: &str) -> Result<PathBuf> {
    let requirements = root.join("tests/peers").join(pinned);
    let pins = fs::read_to_string(&requirements).context("reading the pinned versions")?;
    let folder = folder(root, name);
    let python = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        return Ok(python);
    }
    eprintln!("xtask: installing {pinned} into {}", folder.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .context("a Python 3 with the venv module is needed (Debian: apt-get install python3-venv)")?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements))
        .context("installing the pinned packages from PyPI")?;
    fs::write(&stamp, pins).context("noting what is installed")?;
    Ok(python)
}

/// Where peers are kept between runs.
fn folder(root: &Path, name: &str) -> PathBuf {
    env::var_os("KEYWAY_PEERS").map_or_else(|| root.join("target/peers"), PathBuf::from).join(name)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
