//! Traces of calls that a gateway sends to a collector.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use keyway::{Directory, Object, Session};

/// A collector on loopback. It gives the paths and bodies that it was sent.
fn collector() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, received) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            thread::spawn(move || collect(stream.unwrap(), &sender));
        }
    });
    (url, received)
}

fn collect(stream: TcpStream, sender: &mpsc::Sender<(String, Vec<u8>)>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).unwrap() == 0 {
                return;
            }
        }
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap()];
        stream.read_exact(&mut body).unwrap();
        assert!(head.to_ascii_lowercase().contains("content-type: application/x-protobuf"), "{head}");
        sender.send((head.split(' ').nth(1).unwrap_or_default().to_owned(), body)).unwrap();
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    }
}

/// A gateway that is killed if the test fails.
struct Gateway {
    process: Child,
    url: String,
}

impl Gateway {
    fn start(directory: &str, more: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyway"));
        command.args([
            "gateway",
            "--directory",
            directory,
            "--listen",
            "tcp://127.0.0.1:0",
            "--anonymous-role",
            "admin",
        ]);
        command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT").env_remove("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        more(&mut command);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("ready ").unwrap().to_owned();
        Self { process, url }
    }

    fn stop(&mut self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

async fn directory() -> Directory {
    let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
    let mut speech = Object::builder();
    speech.method("say", |(text,): (String,)| text);
    directory.session().register("Speech", speech).await.unwrap();
    directory
}

async fn say(url: &str, times: usize) {
    let session = Session::connect(url).await.unwrap();
    let speech = session.wait_for_service("Speech").await.unwrap();
    for _ in 0..times {
        assert_eq!(speech.call::<String>("say", ("hello",)).await.unwrap(), "hello");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_a_span_that_the_collector_gets() {
    let directory = directory().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keyway.toml");
    let (collector_url, received) = collector();
    std::fs::write(&file, format!("[telemetry]\notlp = '{collector_url}'\n[presence]\nenabled = false\n")).unwrap();
    let configured = |command: &mut Command| _ = command.arg("--config").arg(&file);
    let by_environment = |command: &mut Command| _ = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector_url);
    let starts: [&dyn Fn(&mut Command); 2] = [&configured, &by_environment];
    for start in starts {
        let mut gateway = Gateway::start(&directory.urls()[0], start);
        say(&gateway.url, 3).await;
        // What is left is sent before the end.
        gateway.stop();
        let mut spans = 0;
        while let Ok((path, body)) = received.recv_timeout(Duration::from_millis(500)) {
            assert_eq!(path, "/v1/traces");
            assert!(contains(&body, "service.name") && contains(&body, "rpc.method"));
            spans += body.windows(10).filter(|window| *window == b"Speech.say").count();
        }
        assert_eq!(spans, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_holds_nothing_up() {
    let directory = directory().await;
    // A port that was free a moment ago.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut gateway = Gateway::start(&directory.urls()[0], |command| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{nobody}"));
    });
    say(&gateway.url, 100).await;
    gateway.stop();
}
