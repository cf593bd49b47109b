//! Resident memory of idle connections: pipe, driver task and the runtime's part of a socket, on the accepting side.
//!
//! ```text
//! cargo run --release -p keyway-pipe --example idle_memory [connections]
//! ```

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use keyway_pipe::{Handler, Listener, QueueLimits, Sender, SocketOptions, pipe, runtime};
use keyway_session::CloseReason;
use keyway_wire::{Frame, Url};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        // The other ends live in a process of their own, so that they are not counted.
        (Some(url), Some(count)) => connect(&url, count.parse().expect("a number")),
        (count, _) => serve(count.map_or(5_000, |count| count.parse().expect("a number"))),
    }
}

struct Echo;

impl Handler for Echo {
    fn on_frame(&mut self, _: Instant, frame: Frame, sender: &Sender) -> Result<(), CloseReason> {
        let _ = sender.send(Frame::reply_to(&frame.header, frame.payload));
        Ok(())
    }

    fn max_payload(&self) -> u32 {
        1 << 20
    }

    fn on_closed(&mut self, _: CloseReason) {}
}

fn serve(count: usize) {
    runtime::build(None).expect("a runtime").block_on(async {
        let url = Url::parse("tcp://127.0.0.1:0");
        let listener = Listener::bind(&url, &SocketOptions::default()).await.expect("a port");
        let address = listener.local_address().expect("an address");
        let before = resident();
        let mut peers = Command::new(std::env::current_exe().expect("this program"))
            .args([address.to_string(), count.to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .expect("a second process");
        let mut senders = Vec::with_capacity(count);
        for _ in 0..count {
            let (sender, driver) = pipe(listener.accept().await, QueueLimits::default());
            senders.push(sender);
            tokio::spawn(driver.run(Echo));
        }
        // Each peer has sent a call of 10 KiB and waits for its answer before it says that it is done.
        let done = tokio::task::spawn_blocking(move || (peers.wait(), peers));
        let mut closed = 0;
        while closed == 0 {
            closed = senders.iter().filter(|sender| sender.is_closed()).count();
            let after = resident();
            println!("{count} connections: {} bytes resident each", (after - before) * 1024 / count);
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        }
        let _ = done.await;
        drop(senders);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        println!("after close: {} KiB more than before", resident().saturating_sub(before));
    });
}

fn connect(address: &str, count: usize) {
    runtime::build(None).expect("a runtime").block_on(async {
        let frame = Frame::call(
            keyway_value::MessageId(1),
            keyway_value::ServiceId(1),
            keyway_value::ObjectId(1),
            keyway_value::ActionId(100),
            keyway_value::Payload::from(vec![7; 10 * 1024]),
        )
        .to_bytes();
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.write_all(&frame).await.expect("a peer that reads");
            stream.read_exact(&mut vec![0; frame.len()]).await.expect("an answer");
            streams.push(stream);
        }
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    });
}

/// Resident memory of this process in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).and_then(|size| size.parse().ok()).expect("a number")
}
