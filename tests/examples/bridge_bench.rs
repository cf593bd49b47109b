//! What a bridge costs beside the real thing, in the same run: C5.
//!
//! ```sh
//! cargo build --release -p keyway-cli --features ros2 && cargo run --release -p keyway-tests --example bridge_bench
//! ```
//!
//! Needs what `cargo xtask test` installs, named in `KEYWAY_PEER_YARP` and `KEYWAY_PEER_ROS2`, and the command to measure in `KEYWAY_BIN`.
//! Figures are medians of `ROUNDS` rounds (5), in which the bridge and its peer take turns.

use std::{
    env,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use keyway::{Directory, Object, Session, Signal};
use keyway_tests::{
    bridge::{World, rosbridge, yarp::Tools},
    eventually,
    process::{Keyway, Running},
    ros1::RosMaster,
    ros2::{self, Domain},
};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout},
};

#[tokio::main]
async fn main() -> Result<()> {
    let rounds: usize = env::var("ROUNDS").map_or(Ok(5), |rounds| rounds.parse()).context("ROUNDS is no number")?;
    let directory = Directory::builder().start().await?;
    let url = directory.urls().remove(0);
    let host = Session::connect(&url).await?;
    let text = Signal::<(String,)>::new();
    let mut object = Object::builder();
    object.method("enable", |(on,): (bool,)| on).method("get_answer", |()| 42).signal("text", &text);
    host.register("Bench", object).await?;

    println!("| measure | the peer | the bridge | bridge / peer | wanted |\n|---|---|---|---|---|");
    ros1(&url, &text, rounds).await?;
    ros2(&url, rounds).await?;
    rosbridge(&url, rounds).await?;
    yarp(&url, rounds).await
}

/// Calls and topics of ROS 1, beside a node of rospy.
async fn ros1(url: &str, text: &Signal<(String,)>, rounds: usize) -> Result<()> {
    let master = RosMaster::start();
    let file = master.folder().join("keyway.toml");
    // As many messages as are published at once may wait: none are to be lost here, as none are by rospy.
    let config = format!(
        "[[directory]]\nurl = \"{url}\"\n[bridges]\nservices = [\"Bench\"]\nmode = \"write\"\n\
         [bridges.ros1]\nenabled = true\nmaster = \"{}\"\nqueue = 20000\n",
        master.uri()
    );
    std::fs::write(&file, config)?;
    let mut command = std::process::Command::new(Keyway::program());
    let _bridge = Running::start(command.args(["bridge", "--insecure", "--config"]).arg(&file));
    let script = script("bridge_ros1.py");
    let mut peer = Program::start(master.start_tool("python3", &[&script, "serve"]))?;
    peer.line("ready").await?;

    let mut calls = Vec::new();
    for _ in 0..rounds {
        let said = master.tool("python3", &[&script, "calls", "/peer/enable", "/qi/Bench/enable"]).await.ok();
        calls.push(pair(&said)?);
    }
    row("ROS 1 service `SetBool`, persistent, p50 in µs", &calls, "≤ the peer + 100");

    // No more are under way than a bridge lets wait for one subscriber.
    for (count, size, every, name) in [(10_000, 64, 400, "64 B, messages/s"), (100, 1_000_000, 4, "1 MB, messages/s")] {
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let listen = |topic: &str| {
                let (count, every) = (count.to_string(), every.to_string());
                Program::start(master.start_tool("python3", &[&script, "topic", topic, &count, &every]))
            };
            let mut listener = listen("/peer/text")?;
            listener.line("ready").await?;
            peer.tell(&format!("{count} {size}\n")).await?;
            let of_peer = listener.rate(count).await?;
            let mut listener = listen("/qi/Bench/text")?;
            listener.line("ready").await?;
            eventually("the bridge's subscription", async {
                while text.subscribers() == 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await;
            let message = "x".repeat(size);
            for sent in 0..count {
                if sent >= 2 * every && sent % every == 0 {
                    listener.line("more").await?;
                }
                text.emit(&(message.clone(),));
            }
            rates.push((of_peer, listener.rate(count).await?));
        }
        row(&format!("ROS 1 topic `String`, {count} × {name}"), &rates, "–");
    }
    Ok(())
}

/// Calls of ROS 2, beside a node of rclpy.
async fn ros2(url: &str, rounds: usize) -> Result<()> {
    let (python, domain) = (ros2::python().context("KEYWAY_PEER_ROS2 names no ROS 2")?, Domain::free());
    let mut command = std::process::Command::new(Keyway::program());
    command.args(["bridge", "ros2", "--domain", &domain.id.to_string()]);
    let _bridge =
        Running::start(command.args(["--directory", url, "--insecure", "--mode", "write", "--service", "Bench"]));
    let script = script("bridge_ros2.py");
    let mut peer = Program::start(domain.command(&python).args([&script, "serve"]).spawn()?)?;
    peer.line("ready").await?;
    let mut calls = Vec::new();
    for _ in 0..rounds {
        let mut caller = domain.command(&python);
        caller.args([&script, "calls", "/peer/enable", "/qi/Bench/enable"]).stderr(Stdio::inherit());
        let output = caller.output().await?;
        calls.push(pair(&String::from_utf8_lossy(&output.stdout))?);
    }
    row("ROS 2 service `SetBool`, p50 in µs", &calls, "–");
    Ok(())
}

/// Calls of rosbridge. Its server is no package of PyPI's or Debian's: the peer is the same method, called over the SDK.
async fn rosbridge(url: &str, rounds: usize) -> Result<()> {
    let mut command = std::process::Command::new(Keyway::program());
    command.args(["bridge", "rosbridge", "--listen", "127.0.0.1:0"]);
    let bridge =
        Running::start(command.args(["--directory", url, "--insecure", "--mode", "write", "--service", "Bench"]));
    let connected = rosbridge::Client::connect(rosbridge::Clients::url(&bridge)).await;
    let mut client = connected.map_err(|error| anyhow!("{}: {error}", bridge.url))?;
    let direct = Session::connect(url).await?.service("Bench").await?;
    let mut calls = Vec::new();
    for _ in 0..rounds {
        let (mut near, mut bridged) = (Vec::new(), Vec::new());
        for number in 0..2000 {
            let (on, began) = (number % 2 == 0, Instant::now());
            ensure!(direct.call::<bool>("enable", (on,)).await? == on, "another answer");
            near.push(began.elapsed());
            let began = Instant::now();
            let answer = client.call("/qi/Bench/enable", json!({ "data": on })).await;
            bridged.push(began.elapsed());
            ensure!(answer.as_ref().is_ok_and(|answer| answer["success"] == on), "another answer: {answer:?}");
        }
        calls.push((p50(near), p50(bridged)));
    }
    row("rosbridge `SetBool`, p50 in µs (the peer: the SDK, without a bridge)", &calls, "–");
    Ok(())
}

/// In microseconds.
fn p50(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Two figures of a script.
fn pair(said: &str) -> Result<(f64, f64)> {
    let times: Vec<f64> = said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    ensure!(times.len() == 2, "two figures are wanted: {said}");
    Ok((times[0], times[1]))
}

/// Calls of YARP, beside a server of its library.
async fn yarp(url: &str, rounds: usize) -> Result<()> {
    let world = Tools::start().await.context("KEYWAY_PEER_YARP names no YARP")?;
    let mut command = std::process::Command::new(Keyway::program());
    command.arg("bridge").args(world.arguments());
    let _bridge =
        Running::start(command.args(["--directory", url, "--insecure", "--mode", "write", "--service", "Bench"]));
    let mut serve = world.programs().probe(&["serve", "/peer/rpc"]);
    let _peer = serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    world.programs().wait_for_name("/peer/rpc", true).await;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let mut pair = [0.0; 2];
        for (time, port) in pair.iter_mut().zip(["/peer/rpc", "/qi/Bench/rpc:i"]) {
            let output = world.programs().probe(&["latency", port, "2000"]).output().await?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            // YARP's own remarks are there, too.
            let line = said.lines().find(|line| !line.contains("|yarp.")).context("the probe says nothing")?;
            *time = line.split(' ').next().unwrap_or_default().parse().with_context(|| line.to_owned())?;
        }
        times.push((pair[0], pair[1]));
    }
    row("YARP rpc `get_answer`, p50 in µs", &times, "≤ 500");
    Ok(())
}

/// Prints the medians, and that of the rounds' ratios.
fn row(measure: &str, rounds: &[(f64, f64)], wanted: &str) {
    let median = |of: &dyn Fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let ratio = median(&|(peer, bridge)| bridge / peer);
    println!(
        "| {measure} | {:.1} | {:.1} | {ratio:.2} | {wanted} |",
        median(&|round| round.0),
        median(&|round| round.1)
    );
}

fn script(name: &str) -> String {
    [env!("CARGO_MANIFEST_DIR"), "benches", name].iter().collect::<PathBuf>().display().to_string()
}

/// A program that writes lines and is told some.
struct Program {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(mut process: Child) -> Result<Self> {
        let output = process.stdout.take().context("its output is piped")?;
        Ok(Self { process, lines: BufReader::new(output).lines() })
    }

    async fn line(&mut self, wanted: &str) -> Result<()> {
        let line = self.next().await?;
        ensure!(line == wanted, "{line:?} instead of {wanted:?}");
        Ok(())
    }

    async fn next(&mut self) -> Result<String> {
        let line = eventually("a line of a program", self.lines.next_line()).await?;
        line.context("the program has ended")
    }

    async fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.process.stdin.as_mut().context("its input is piped")?;
        Ok(input.write_all(line.as_bytes()).await?)
    }

    /// Messages a second, if all have come.
    async fn rate(&mut self, count: usize) -> Result<f64> {
        let mut said = self.next().await?;
        while said == "more" {
            said = self.next().await?;
        }
        let (seconds, came) = said.split_once(' ').with_context(|| format!("no figures: {said}"))?;
        ensure!(came.parse::<usize>()? == count, "{came} of {count} messages came");
        let seconds: f64 = seconds.parse()?;
        #[expect(clippy::cast_precision_loss, reason = "a count of messages")]
        Ok((count - 1) as f64 / seconds)
    }
}
