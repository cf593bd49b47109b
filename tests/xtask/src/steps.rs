//! The steps of `cargo xtask test`.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail};

use crate::{
    peers::Peers,
    summary::{Counts, Summary, counts},
};

/// The three checks of the conformance suite that need a gateway.
const GATEWAY_SKIPS: u64 = 3;

/// What is tested. The optional parts are: a second set of features would build everything twice.
const TESTED: [&str; 5] = ["test", "--workspace", "--features", "keyway-cli/otlp,keyway-cli/ros2", "--locked"];

/// Runs everything; an error is what kept a step from running, failures are in the summary.
pub(crate) fn test(only: Option<&str>) -> Result<Summary> {
    let root = root()?;
    let stage = Stage { peers: Peers::install(&root)?, root };
    let mut summary = Summary::default();
    let mut step = |name: &str, run: &dyn Fn(&Stage) -> Result<Counts>| -> Result<()> {
        if only.is_some_and(|only| !name.contains(only)) {
            return Ok(());
        }
        eprintln!("\nxtask: {name}");
        let started = Instant::now();
        let counts = run(&stage).with_context(|| format!("step {name}"))?;
        summary.add(name, counts, started.elapsed());
        Ok(())
    };
    step("rust tests", &Stage::rust_tests)?;
    step("conformance libqi host", &|stage| stage.conformance("qi", GATEWAY_SKIPS))?;
    step("conformance rust host", &|stage| stage.conformance("qi_rust", 0))?;
    Ok(summary)
}

/// Where the steps run, and with what.
struct Stage {
    root: PathBuf,
    peers: Peers,
}

impl Stage {
    fn rust_tests(&self) -> Result<Counts> {
        let mut command = self.cargo();
        command.args(TESTED).arg("--no-fail-fast");
        self.peers.tell(&mut command);
        counted(&mut command)
    }

    /// Runs a suite against `keyway directory`.
    fn conformance(&self, suite: &str, expected_skips: u64) -> Result<Counts> {
        self.build_programs()?;
        let mut directory = Command::new(self.program("keyway"));
        let directory = Listening::start(directory.args(["directory", "--listen", "tcp://127.0.0.1:0"]))?;
        let mut command = Command::new(&self.peers.python);
        command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
        command.current_dir(self.root.join("tests/conformance").join(suite));
        command.env("QI_URL", &directory.url).env("PYTHONDONTWRITEBYTECODE", "1");
        // Our hosts emit in order, whatever libqi's do.
        if suite == "qi_rust" {
            command.env("QI_STRICT_ORDER", "1");
        }
        command.env("KEYWAY_CONFORMANCE_SERVICE", self.program("conformance_service"));
        let counts = counted(&mut command)?;
        if counts.skipped != expected_skips {
            bail!("{} checks were skipped, {expected_skips} are expected to be", counts.skipped);
        }
        Ok(counts)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.root.join("target/debug").join(name)
    }

    /// What the steps start: the programs that the tests are built with. Anything else would build everything once more.
    fn build_programs(&self) -> Result<()> {
        let status = self.cargo().args(TESTED).arg("--no-run").status().context("starting cargo")?;
        if !status.success() {
            bail!("cargo {} --no-run failed", TESTED.join(" "));
        }
        Ok(())
    }

    fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        // What cargo told this program of itself: build scripts that look at it, ring's among them, would run again, and everything
        // above them would be built once more.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_PRIMARY_PACKAGE"
            {
                command.env_remove(&name);
            }
        }
        command
    }
}

/// Runs a command, shows its output as it comes, and counts the tests in it. A command that failed without a failed test
/// counts as one failure.
fn counted(command: &mut Command) -> Result<Counts> {
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("starting {command:?}"))?;
    let output = child.stdout.take().context("standard output is piped")?;
    let mut seen = String::new();
    for line in BufReader::new(output).lines() {
        let line = line.context("reading the output")?;
        println!("{line}");
        seen.push_str(&line);
        seen.push('\n');
    }
    let status = child.wait().context("waiting for the end")?;
    let mut counts = counts(&seen);
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(counts)
}

/// A process that listens; ended when dropped.
struct Listening {
    process: Child,
    url: String,
}

impl Listening {
    fn start(command: &mut Command) -> Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn().with_context(|| format!("starting {command:?}"))?;
        let output = process.stdout.take().context("standard output is piped")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line).context("reading the ready line")?;
        let url = line.trim().strip_prefix("ready ").and_then(|urls| urls.split(' ').next());
        let Some(url) = url.map(ToOwned::to_owned) else {
            bail!("{command:?} said {line:?} instead of \"ready URL\"");
        };
        // Keeps the pipe open and empty: the process must not find it closed.
        thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Ok(Self { process, url })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder of the workspace.
pub(crate) fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_path_buf).context("xtask lies two folders below the root")
}
