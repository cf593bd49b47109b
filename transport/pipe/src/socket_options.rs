//! Options of TCP sockets (spec 1.4).

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};

/// Environment variable with the keep-alive time-out in seconds (spec 1.14).
pub const PING_TIMEOUT_VARIABLE: &str = "QI_TCP_PING_TIMEOUT";
/// Environment variable which turns IPv6 on when it is not empty (spec 1.5).
pub const IPV6_VARIABLE: &str = "QIMESSAGING_ENABLE_IPV6";

const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(30);
const LEAST_PING_TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_PROBES: u32 = 10;
/// What the system counts the time between probes in.
const SECOND: Duration = Duration::from_secs(1);

/// How sockets are set up. The defaults are those of spec 1.14.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Sends small segments at once (TCP_NODELAY).
    pub nodelay: bool,
    /// How long an idle peer is not asked whether it is still there.
    pub keep_alive_idle: Duration,
    /// After how long a silent peer is given up: keep-alive with ten probes a tenth of this time apart, and TCP_USER_TIMEOUT for
    /// data that is not acknowledged. `None` turns both off.
    pub ping_timeout: Option<Duration>,
    /// Lets several listeners share one port (SO_REUSEPORT), so that the kernel spreads connections over acceptors.
    pub reuse_port: bool,
    /// Connections the kernel holds before they are accepted.
    pub backlog: u32,
    /// Whether names may resolve to IPv6 addresses (spec 1.5).
    pub ipv6: bool,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            nodelay: true,
            keep_alive_idle: KEEP_ALIVE_IDLE,
            ping_timeout: Some(DEFAULT_PING_TIMEOUT),
            reuse_port: false,
            backlog: 4096,
            ipv6: false,
        }
    }
}

impl SocketOptions {
    /// The defaults, changed by `QI_TCP_PING_TIMEOUT` (spec 1.14) and `QIMESSAGING_ENABLE_IPV6` (spec 1.5).
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok();
        Self {
            ping_timeout: ping_timeout(variable(PING_TIMEOUT_VARIABLE).as_deref()),
            ipv6: variable(IPV6_VARIABLE).is_some_and(|value| !value.is_empty()),
            ..Self::default()
        }
    }

    /// Has peers that are gone found out within a time, idle ones too: half of it passes before they are asked.
    #[must_use]
    pub fn dead_after(mut self, limit: Duration) -> Self {
        self.keep_alive_idle = (limit / 2).max(SECOND);
        self.ping_timeout = Some(limit);
        self
    }

    /// Sets the options of a stream that somebody else has accepted.
    pub fn set_on(&self, stream: &tokio::net::TcpStream) -> io::Result<()> {
        self.apply(&SockRef::from(stream))
    }

    /// Sets the options of a connected stream.
    pub(crate) fn apply(&self, socket: &SockRef<'_>) -> io::Result<()> {
        socket.set_tcp_nodelay(self.nodelay)?;
        let Some(timeout) = self.ping_timeout else {
            return Ok(());
        };
        let keep_alive = TcpKeepalive::new()
            .with_time(self.keep_alive_idle)
            .with_interval((timeout / KEEP_ALIVE_PROBES).max(SECOND))
            .with_retries(KEEP_ALIVE_PROBES);
        socket.set_tcp_keepalive(&keep_alive)?;
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        socket.set_tcp_user_timeout(Some(timeout))?;
        Ok(())
    }
}

/// `QI_TCP_PING_TIMEOUT` as spec 1.14 reads it: 0 disables, less than ten seconds counts as ten; no number, the default.
fn ping_timeout(text: Option<&str>) -> Option<Duration> {
    match text.and_then(|text| text.trim().parse().ok()) {
        None => Some(DEFAULT_PING_TIMEOUT),
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(seconds).clamp(LEAST_PING_TIMEOUT, Duration::from_secs(86_400))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ping_timeout_is_read_as_libqi_reads_it() {
        assert_eq!(ping_timeout(None), Some(Duration::from_secs(30)));
        assert_eq!(ping_timeout(Some("0")), None);
        assert_eq!(ping_timeout(Some("3")), Some(Duration::from_secs(10)));
        assert_eq!(ping_timeout(Some("60")), Some(Duration::from_secs(60)));
        assert_eq!(ping_timeout(Some("soon")), Some(Duration::from_secs(30)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_stream_gets_no_delay_keep_alive_and_user_timeout() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = SockRef::from(&stream);
        SocketOptions::default().apply(&SockRef::from(&stream)).unwrap();
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(30));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(3));
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 10);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(30)));
    }
}
