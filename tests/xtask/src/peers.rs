//! The test peers: a Python environment with the real libqi, pinned and kept between runs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// The interpreter of the environment, installed if it is missing or its pins have changed.
pub(crate) fn python(root: &Path) -> Result<PathBuf> {
    let pins = fs::read_to_string(root.join("tests/peers/requirements.txt")).context("reading the pinned versions")?;
    let folder = env::var_os("KEYWAY_PEERS").map_or_else(|| root.join("target/peers"), PathBuf::from).join("python");
    let python = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == pins) {
        return Ok(python);
    }
    eprintln!("xtask: installing libqi and pytest into {}", folder.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .context("a Python 3 with the venv module is needed (Debian: apt-get install python3-venv)")?;
    let requirements = root.join("tests/peers/requirements.txt");
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements))
        .context("installing the pinned packages from PyPI")?;
    fs::write(&stamp, pins).context("noting what is installed")?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
