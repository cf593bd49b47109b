//! A process without free descriptors goes on accepting when there are some again (spec 1.17).

#![cfg(unix)]

use std::{fs::File, net::TcpStream, process::Command, time::Duration};

use keyway_pipe::{Listener, SocketOptions};
use keyway_wire::Url;
use tokio::time::timeout;

use crate::peer::PATIENCE;

#[test]
fn a_listener_without_descriptors_accepts_again_when_some_are_freed() {
    let this = std::env::current_exe().unwrap();
    // In a process of its own: its limit of descriptors must not meet the other tests.
    let status = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" --ignored --exact descriptors::in_a_process_with_few_descriptors"])
        .arg(this)
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
#[ignore = "run by the test above, with few descriptors"]
async fn in_a_process_with_few_descriptors() {
    let listener = Listener::bind(&Url::parse("tcp://127.0.0.1:0"), &SocketOptions::default()).await.unwrap();
    let waiting = TcpStream::connect(listener.local_address().unwrap()).unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    assert!(timeout(Duration::from_millis(30), listener.accept()).await.is_err());
    drop(files);
    let carrier = timeout(PATIENCE, listener.accept()).await.unwrap();
    assert_eq!(carrier.peer().to_string(), format!("tcp://{}", waiting.local_addr().unwrap()));
}
