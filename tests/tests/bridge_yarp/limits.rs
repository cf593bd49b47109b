//! Peers that do not behave (spec yarp.md 3, 8).

use keyway_tests::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::stage::{R, Stage};

/// Where a port is, as the name server says.
async fn address(stage: &Stage, port: &str) -> String {
    let line = stage.world.yarp(&["name", "query", port]).await;
    let words: Vec<_> = line.split_whitespace().collect();
    let after = |key: &str| {
        let position = words.iter().position(|word| *word == key).unwrap_or_else(|| panic!("{line}"));
        words[position + 1].to_owned()
    };
    format!("{}:{}", after("ip"), after("port"))
}

/// What a port says to bytes, until it closes or has said so much.
async fn said(address: &str, bytes: &[u8], enough: usize) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut said = Vec::new();
    eventually("an answer", async {
        while said.len() < enough {
            match stream.read_buf(&mut said).await {
                Ok(1..) => {}
                _ => return,
            }
        }
    })
    .await;
    said
}

const HELLO: &[u8] = b"YA\xe4\x1e\0\0RP\x02\0\0\0a\0";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_spoken_here_is_told_so_and_closed() {
    let Some(stage) = Stage::start().await else { return };
    let address = address(&stage, R).await;
    for bytes in [&b"YA\x61\x1e\0\0RP"[..], b"GET / HTTP/1.1\r\n\r\n", b"NAME_SERVER list\r\n"] {
        let answer = said(&address, bytes, usize::MAX).await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(text.starts_with("* Error. Protocol not found.") && text.ends_with("\r\n"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    // Half a handshake, a name of a gigabyte, and a message of four.
    assert_eq!(said(&address, b"YA\xe4\x1e\0\0RP\xff\xff\xff\x7f", usize::MAX).await, b"");
    let message = [HELLO, b"YA\x0a\0\0\0RP\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"].concat();
    assert_eq!(said(&address, &message, usize::MAX).await.len(), 8, "the welcome, and the end");
    assert_eq!(stage.rpc("add 2 3").await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bottle_that_cannot_be_read_is_answered_and_ends_the_connection() {
    let Some(stage) = Stage::start().await else { return };
    let address = address(&stage, R).await;
    let answer = said(&address, b"CONNACK x\r\nd\r\nadd 2 3 )\r\n", usize::MAX).await;
    assert_eq!(String::from_utf8_lossy(&answer), "Welcome x\r\n[fail] \"malformed bottle\"\r\n<ACK>\r\n");
    let answer = said(&address, b"CONNACK x\r\nd\r\nadd 2 3\r\nnonsense\r\nq\r\n", usize::MAX).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("Welcome x\r\n5\r\n<ACK>\r\nPort command not understood"), "{answer}");
    assert!(answer.ends_with("<ACK>\r\n<ACK>\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_stall_hold_nobody_up_and_have_a_limit() {
    let Some(stage) = Stage::start().await else { return };
    let tick = address(&stage, "/qi/YarpProbe/tick:o").await;
    let mut stalled = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(&tick).await.unwrap();
        stream.write_all(b"Y").await.unwrap();
        stalled.push(stream);
    }
    // Those beyond the sixty-fourth are closed at once.
    let mut closed = 0;
    for stream in stalled.iter_mut().skip(64) {
        let read = eventually("the end", stream.read(&mut [0; 8])).await;
        closed += usize::from(!matches!(read, Ok(1..)));
    }
    assert_eq!(closed, 36);
    assert_eq!(stage.rpc("add 2 3").await, "5", "other ports are not concerned");
    drop(stalled);
    stage.world.wait_until_said(&["ping", "/qi/YarpProbe/tick:o"], "There are no outgoing connections").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_reads_nothing_slows_nobody_down() {
    let Some(stage) = Stage::start().await else { return };
    // A port that says welcome and then nothing any more.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    stage.world.yarp(&["name", "register", "/deaf", "tcp", "127.0.0.1", &port]).await;
    let welcomed = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 64];
        let _ = stream.read(&mut hello).await.unwrap();
        stream.write_all(b"YA\0\0\0\0RP").await.unwrap();
        stream
    });
    let connected = stage.world.run(&["connect", "/qi/YarpProbe/any:o", "/deaf", "fast_tcp"], "").await;
    let _deaf = eventually("the connection", welcomed).await.unwrap();
    assert!(connected.0.contains("Success"), "{connected:?}");
    let mut reader = stage.world.reader(&["/x/r", "/qi/YarpProbe/any:o"]);
    assert_eq!(reader.line().await, "(1 two (3.0))");
    // Far more than sockets and queues hold.
    let large = "x".repeat(64 << 10);
    for number in 0..300 {
        stage.probe.any.set(format!("{number} {large}").into()).unwrap();
        assert!(reader.line().await.starts_with(&format!("\"{number} x")));
    }
    assert_eq!(stage.rpc("add 2 3").await, "5");
}
