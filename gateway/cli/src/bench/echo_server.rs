//! The yardstick: a bare TCP echo, in a process of its own as the measured servers are.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context, anyhow};
use bytes::BytesMut;
use clap::Args;
use tokio::net::TcpListener;

use super::{runtime, socket};

/// Serves until standard input ends
#[derive(Debug, Args)]
pub(super) struct EchoServerArgs {
    #[arg(long)]
    threads: usize,
}

/// Listens, says where, and echoes until standard input ends, which it does when the parent is gone however it died.
pub(super) fn run(args: &EchoServerArgs) -> anyhow::Result<()> {
    let runtime = runtime(args.threads)?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    let mut output = std::io::stdout().lock();
    writeln!(output, "ready tcp://{address}")?;
    output.flush()?;
    // With one thread the runtime only runs in this one.
    thread::spawn(|| {
        // An error is an end as well.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    runtime.block_on(serve(listener));
    Ok(())
}

/// Gives every connection its bytes back.
pub(super) async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let stream = socket::accepted(stream)?;
            let mut buffer = BytesMut::with_capacity(64 << 10);
            loop {
                socket::read(&stream, &mut buffer).await?;
                socket::write_all(&stream, &buffer).await?;
                buffer.clear();
            }
            // The end of the stream is an error here, and nobody's business.
            #[expect(unreachable_code, reason = "names the type of the errors above")]
            std::io::Result::Ok(())
        });
    }
}

/// The child process, which ends with this value.
#[derive(Debug)]
pub(super) struct EchoServer {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl EchoServer {
    /// Starts this program again as an echo server, on some processors only if `cpus` names them.
    pub(super) fn start(threads: usize, cpus: Option<&str>) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program to start the echo server")?;
        let mut command = match cpus {
            None => Command::new(program),
            // Affinity takes an unsafe call; util-linux has made it for us.
            Some(cpus) => {
                let mut command = Command::new("taskset");
                command.args(["-c", cpus]).arg(program);
                command
            }
        };
        let mut child = command
            .args(["bench", "echo-server", "--threads", &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the echo server")?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix("ready tcp://").and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| anyhow!("the echo server did not start"));
        match address {
            Ok(address) => Ok(Self { child, address }),
            Err(error) => {
                // It said nonsense or is gone already.
                let _ = child.kill();
                Err(error)
            }
        }
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
