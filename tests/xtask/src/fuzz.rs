//! `cargo xtask fuzz`: libFuzzer on each target for a while.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::steps::root;

/// Runs the targets that are named, all if none is, each for so many seconds.
pub(crate) fn fuzz(seconds: u64, wanted: &[String]) -> Result<ExitCode> {
    ensure!(seconds > 0, "0 seconds would never end");
    let folder = root()?.join("tests/fuzz");
    let targets = targets(&folder)?;
    if let Some(unknown) = wanted.iter().find(|wanted| !targets.contains(wanted)) {
        bail!("there is no target {unknown}; there are {}", targets.join(", "));
    }
    let chosen: Vec<_> = targets.iter().filter(|target| wanted.is_empty() || wanted.contains(target)).collect();
    // All at once, so that a target that does not compile is no finding.
    for target in &chosen {
        let status = cargo_fuzz(&folder, "build").arg(target).status();
        ensure!(started(status)?.success(), "the target {target} does not build");
    }
    let mut lines = Vec::new();
    let mut findings = 0;
    for target in chosen {
        eprintln!("\nxtask: fuzzing {target} for {seconds} s");
        let (before, began) = (artifacts(&folder, target), Instant::now());
        let status = run(&folder, target, seconds)?;
        let found: Vec<_> = artifacts(&folder, target).into_iter().filter(|path| !before.contains(path)).collect();
        findings += usize::from(!status.success());
        lines.push(line(target, status, began.elapsed(), &found));
    }
    println!();
    lines.iter().for_each(|line| println!("{line}"));
    println!("{} targets, {findings} with findings", lines.len());
    Ok(if findings == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What libFuzzer comes upon goes aside; the kept corpus is only read.
fn run(folder: &Path, target: &str, seconds: u64) -> Result<ExitStatus> {
    let found = folder.join("target/corpus").join(target);
    fs::create_dir_all(&found).with_context(|| format!("creating {}", found.display()))?;
    let mut command = cargo_fuzz(folder, "run");
    command.arg(target).arg(found).arg(folder.join("corpus").join(target));
    command.arg("--").arg(format!("-max_total_time={seconds}"));
    command.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    started(command.status())
}

fn cargo_fuzz(folder: &Path, task: &str) -> Command {
    // Through rustup: the cargo that runs this is another toolchain's, and says so to its children.
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", task, "--fuzz-dir"]).arg(folder).current_dir(folder);
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"] {
        command.env_remove(variable);
    }
    command
}

fn started(status: std::io::Result<ExitStatus>) -> Result<ExitStatus> {
    status.context("rustup, a nightly toolchain and cargo-fuzz are needed: cargo install cargo-fuzz")
}

/// The names of the programs.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let programs = folder.join("fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&programs).with_context(|| format!("listing {}", programs.display()))? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(ToOwned::to_owned));
    }
    names.sort();
    Ok(names)
}

/// The inputs that a target failed on.
fn artifacts(folder: &Path, target: &str) -> Vec<PathBuf> {
    // Without findings there is no folder.
    let entries = fs::read_dir(folder.join("artifacts").join(target)).into_iter().flatten();
    entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
}

fn line(target: &str, status: ExitStatus, took: Duration, found: &[PathBuf]) -> String {
    let verdict = if status.success() { "nothing found".to_owned() } else { format!("FAILED, {status}") };
    let mut line = format!("{target:<12} {verdict:<28} {:>7.1} s", took.as_secs_f64());
    for path in found {
        line.push_str("\n  ");
        line.push_str(&path.display().to_string());
    }
    line
}
