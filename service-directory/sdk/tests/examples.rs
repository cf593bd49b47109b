//! The examples run alone, end by themselves and say what they should.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[test]
fn robot_speaks_walks_and_refuses() {
    let output = run("robot");
    expect(
        &output,
        &["client: heard \"hello\"", "refused, the volume is between 0 and 100", "refused, nothing to say"],
    );
    expect(&output, &["it is at 2.0, 1.0", "is back at 0, 0"]);
}

#[test]
fn meter_reads_and_alarms() {
    expect(&run("meter"), &["refused: the limit is above 0 W", "reading ", "alarm: 800 W in reading"]);
}

#[test]
fn client_waits_listens_and_cancels() {
    let output = run("client");
    expect(&output, &["found ServiceDirectory", "it said \"hello from the client\"", "was stopped"]);
}

#[test]
fn camera_stream_delivers_every_picture() {
    expect(&run("camera_stream"), &["640 x 480 pixels, 921600 bytes", "60 pictures, the last was number 60, missed 0"]);
}

#[test]
fn object_passing_calls_back_and_lets_go() {
    let output = run("object_passing");
    expect(&output, &["client: 50? less", "that is it", "found after 7 guesses", "nobody holds the game"]);
}

#[test]
fn dynamic_call_shows_and_calls() {
    let output = run("dynamic_call");
    expect(&output, &["ServiceDirectory\n", "i add(ii)", "property i precision", "= 42\n", "= 3.5\n"]);
    expect(&output, &["failed: this cannot be divided", "failed: Can't find method: subtract", "precision = 3"]);
}

#[test]
fn robot_serves_the_client_until_their_directory_goes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let directory = runtime.block_on(keyway::Directory::builder().start()).unwrap();
    let session = directory.session();
    let example = start("robot", &directory.urls()[0]);
    let limit = Duration::from_secs(20);
    let waiting = async { tokio::time::timeout(limit, session.wait_for_service("Robot")).await };
    let robot = runtime.block_on(waiting).unwrap().unwrap();
    expect(&finish(start("client", &directory.urls()[0])), &["found Robot", "it said \"hello from", "was stopped"]);
    runtime.block_on(robot.call::<()>("say", ("goodbye",))).unwrap();
    runtime.block_on(directory.close());
    expect(&finish(example), &["robot: \"hello from", "robot: \"goodbye\"", "the directory is gone"]);
}

/// Runs an example without a directory to use, and gives back what it printed.
fn run(example: &str) -> String {
    finish(start(example, ""))
}

fn start(example: &str, url: &str) -> Child {
    let program = folder().join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "no {}: `cargo test -p keyway` builds it, `--test examples` alone does not",
        program.display()
    );
    let mut command = Command::new(program);
    command.env("QI_URL", url).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits for the end, but not for ever.
fn finish(mut example: Child) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    while example.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            example.kill().unwrap();
            let output = example.wait_with_output().unwrap();
            panic!("it did not end; it printed:\n{}", String::from_utf8_lossy(&output.stdout));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = example.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}

/// Where cargo puts examples: beside the folder of the tests.
fn folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(|deps| deps.parent()).unwrap().join("examples")
}

fn expect(output: &str, texts: &[&str]) {
    for text in texts {
        assert!(output.contains(text), "{text:?} is missing in:\n{output}");
    }
}
